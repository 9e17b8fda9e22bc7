"""Divides a corpus into training, dev and test text, or into folds."""
