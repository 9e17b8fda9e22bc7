"""Runs a function for many numbers: here, or on the machines of a Ray cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from glovelite.runtime.errors import ClusterError
from glovelite.runtime.extras import missing_extra_message

WAITING = 2  # tasks for each that runs: enough that none waits, and memory stays small
Result = TypeVar("Result")


class Tasks:
    """Runs functions, one after the other in this process."""

    def map(
        self, function: Callable[..., Result], shared: tuple[Any, ...], numbers: Iterable[int]
    ) -> Iterator[Result]:
        """Yield `function(*shared, number)` for each number, in order."""
        return (function(*shared, number) for number in numbers)


@contextmanager
def open_tasks(address: str | None, workers: int | None) -> Iterator[Tasks]:
    """Yield `Tasks` that run here or on Ray.

    Args:
        address: `local` starts Ray on the cores of this machine, `auto` or `HOST:PORT` are those of
            a cluster; None runs them in this process.
        workers: tasks at the same time on Ray; None for one a core.
    """
    if address is None:
        yield Tasks()
        return
    try:
        from .cluster import connect
    except ModuleNotFoundError as error:
        raise ClusterError(missing_extra_message(error.name, "scale")) from None
    with connect(address, workers):
        yield RayTasks(workers)


class RayTasks(Tasks):
    """Runs functions in the processes of a Ray cluster; one whose process died runs again."""

    def __init__(self, workers: int | None) -> None:
        """Initialize with the number of functions that run at a time; None for one a core."""
        import ray

        from .cluster import fetch

        self._ray, self._fetch = ray, fetch
        self._workers = workers or int(ray.cluster_resources().get("CPU", 1))

    def map(
        self, function: Callable[..., Result], shared: tuple[Any, ...], numbers: Iterable[int]
    ) -> Iterator[Result]:
        """See `Tasks.map`."""
        remote = self._ray.remote(num_cpus=1, max_retries=-1)(function)
        sent = [self._ray.put(value) for value in shared]
        running: deque[Any] = deque()
        for number in numbers:
            running.append(remote.remote(*sent, number))
            if len(running) >= WAITING * self._workers:
                yield self._fetch(running.popleft())
        while running:
            yield self._fetch(running.popleft())
