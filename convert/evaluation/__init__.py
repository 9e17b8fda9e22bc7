"""Measures a bundle on labelled text: what it gets right, what wrong, and what it knows of that."""
