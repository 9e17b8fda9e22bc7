"""On-device text classification with a TFLite interpreter, numpy and a pure-Python tokenizer."""
