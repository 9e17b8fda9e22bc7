"""Exports: recipes and budgets, kept words, MediaPipe, the browser."""
