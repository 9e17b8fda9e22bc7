"""Says what a training that ends early left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from runtime.aliases import Log


@contextmanager
def report_interruption(describe: Callable[[], str], log: Log) -> Iterator[None]:
    """Log a line if the block is ended by Ctrl-C or a signal, which goes on to end the program.

    Args:
        describe: returns the line.
        log: receives it.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        log(f"interrupted {describe()}")
        raise


def describe_progress(epochs: int, trials: int) -> str:
    """Describe where a training resumes after an interruption.

    Args:
        epochs: completed epochs that are saved.
        trials: saved trainings of the comparison with other vectors, which comes first.
    """
    if epochs:
        return f"in training: the same command resumes after epoch {epochs}"
    if trials:
        return f"in the comparison: the same command resumes after {trials} of its trainings"
    return "before the end of the first epoch: nothing is saved yet"
