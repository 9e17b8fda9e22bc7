"""Runs the models that `convert` writes with numpy, where no TFLite interpreter has a wheel."""
