"""Converts run folders into TFLite bundles, proven on the device's own interpreter."""

from .errors import ConversionError, DeviceError, RunFolderError
from .export import Export, export_bundle

__all__ = ["ConversionError", "DeviceError", "Export", "RunFolderError", "export_bundle"]
