"""The training loop, calibration and scores."""
