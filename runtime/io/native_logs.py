"""Keeps start-up chatter of C++ libraries off the screen without losing what matters."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back what is written to standard error; give it out if the block fails.

    TensorFlow announces CPU features and absent GPUs, TFLite its delegate, whatever the log
    level. For command lines only: it diverts the whole process's standard error meanwhile.
    """
    if sys.stderr is None:  # closed: nothing to hold back
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)  # beyond the pipe's 64 kB, chatter is dropped
    os.dup2(write_end, 2)
    try:
        yield
    except BaseException:
        _pass_on(read_end, kept)
        raise
    finally:
        os.dup2(kept, 2)
        for descriptor in (kept, read_end, write_end):
            os.close(descriptor)


def _pass_on(read_end: int, target: int) -> None:
    try:
        while held := os.read(read_end, 1 << 16):
            os.write(target, held)
    except BlockingIOError:  # nothing (more) was held
        pass
