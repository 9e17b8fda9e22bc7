"""Checks that a bundle on the device's interpreter is still the trained model."""
