"""Scores, calibration and plots: for `train` and `convert`, which install what these need."""
