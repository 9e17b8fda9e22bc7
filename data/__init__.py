"""Labelled text, output folders and downloads: what `train`, `convert` and `scale` share."""
