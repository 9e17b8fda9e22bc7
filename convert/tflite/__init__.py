"""From weights to a TFLite flatbuffer, and back to what the flatbuffer holds."""
