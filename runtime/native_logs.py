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
    level. The runtime uses it while the first model of a process is prepared, and `train` while it
    imports TensorFlow. Until the block ends, the standard error of the whole process is redirected,
    including what other threads write.
    """
    try:
        saved_stderr = -1 if os.name == "nt" else os.dup(2)  # Windows: no pipe that never blocks
    except OSError:  # closed
        saved_stderr = -1
    if saved_stderr < 0:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
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
