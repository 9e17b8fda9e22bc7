"""Labelled text: from its sources to batches of ids."""
