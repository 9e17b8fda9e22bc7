"""Trains GloVe-initialised convolutional text classifiers; writes run folders for `convert`."""

from .errors import DataError, DownloadError, GloveError
from .settings import Settings

__all__ = ["DataError", "DownloadError", "GloveError", "Settings"]
