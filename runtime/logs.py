"""What is logged, as lines: `warning: ` in front of a line stands for the level WARNING.

`logging` takes milliseconds to import, so nothing that a prediction needs imports this module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

WARNING = "warning: "


def log_lines(logger: logging.Logger, lines: Iterable[str]) -> None:
    """Log each line, as a warning if it starts with `warning: `, else as information."""
    for line in lines:
        level = logging.WARNING if line.startswith(WARNING) else logging.INFO
        logger.log(level, line.removeprefix(WARNING), stacklevel=2)


@contextmanager
def log_to(write: Callable[[str], None], name: str = "glovelite") -> Iterator[None]:
    """Write what is logged in the block, line by line, and hide it from other handlers.

    Args:
        write: receives a line; what it raises ends the block.
        name: of a logger; what others log is not written.

    Example:
        >>> lines = []
        >>> with log_to(lines.append):
        ...     train_classifier(texts, labels, "runs/mine")
    """
    logger, handler = logging.getLogger(name), _LineHandler(write)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _LineHandler(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        prefix = WARNING if record.levelno >= logging.WARNING else ""
        self._write(prefix + record.getMessage())
