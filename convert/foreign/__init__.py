"""Keras models that glovelite did not train."""
