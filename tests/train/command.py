"""`glovelite-train`, run in the process of the tests.

TensorFlow clashes with tflite-runtime in one process, so tests that use it never load an
interpreter, and `make test` gives them a pytest run of their own.
"""

from tests.helpers import call_main


def train(*options, check=True):
    """Run `glovelite-train` in this process, which spares the import of TensorFlow."""
    return call_main("train", options, check)
