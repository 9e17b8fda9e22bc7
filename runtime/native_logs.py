"""Hides the start-up messages of native libraries unless something fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def hide_native_logs() -> Iterator[None]:
    """Hold back what is written to standard error; print it if the block fails.

    TensorFlow announces CPU features and missing GPUs, and TFLite its delegate, whatever the log
    level. `glovelite-run` uses it while it loads a bundle, and `train` while it imports TensorFlow,
    also when another program calls `train_classifier`. Until the block ends, the standard error of
    the whole process is redirected, including what other threads write.
    """
    if sys.stderr is None:  # closed
        yield
        return
    sys.stderr.flush()
    saved_stderr = os.dup(2)
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)  # beyond the pipe's 64 kB, messages are dropped
    os.dup2(write_end, 2)
    try:
        yield
    except BaseException:
        with suppress(BlockingIOError):  # nothing (more) to read
            while content := os.read(read_end, 1 << 16):
                os.write(saved_stderr, content)
        raise
    finally:
        os.dup2(saved_stderr, 2)
        for descriptor in (saved_stderr, read_end, write_end):
            os.close(descriptor)
