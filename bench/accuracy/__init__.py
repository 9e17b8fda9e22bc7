"""Accuracy: against rivals, by part of the model, by amount of text."""
