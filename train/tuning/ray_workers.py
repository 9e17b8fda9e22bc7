"""Runs the trials of a search on Ray, on the cores of this machine or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import ray

from glovelite.scale.cluster import connect, fetch

if TYPE_CHECKING:  # they start TensorFlow, before a worker has set the number of its threads
    from ..data.batches import EncodedCorpus
    from .evaluation import Comparison
    from .records import TuningTrial
    from .trial_job import TrialJob, TrialText


@contextmanager
def open_workers(address: str, count: int | None) -> Iterator[RayWorkers]:
    """Yield workers on a Ray cluster; they end with the block.

    Args:
        address: `local` starts Ray here; else that of a cluster, such as `auto`.
        count: how many trials run at the same time; None for one a core.
    """
    with connect(address, None):
        workers = RayWorkers(count)
        try:
            yield workers
        finally:
            workers.stop()


class RayWorkers:
    """Runs each trial in one of several processes."""

    def __init__(self, count: int | None) -> None:
        """Start the processes; None for one a core. Fewer than cores share the cores."""
        nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        nodes = [cores for cores in nodes if cores]
        self.count = count or max(1, sum(nodes))
        threads = max(1, min(nodes, default=1) // -(-self.count // max(1, len(nodes))))
        # A process that died is started again, and its trial too.
        worker = ray.remote(num_cpus=threads, max_restarts=-1, max_task_retries=-1)(TrialWorker)
        self._idle: list[Any] = [worker.remote(threads) for _ in range(self.count)]
        self._running: dict[Any, tuple[Any, int]] = {}  # task -> its process, number of its trial
        self._text: Any = None

    def share(self, text: TrialText) -> None:
        """Send the text of the next jobs to the machines."""
        self._text = ray.put(replace(text, comparison=_in_memory(text.comparison)))

    def start(self, job: TrialJob) -> None:
        """Start a trial in a process that is idle."""
        worker = self._idle.pop()
        self._running[worker.run.remote(self._text, job)] = worker, job.trial.number

    def wait(self, seconds: float) -> TuningTrial | None:
        """Return a trial that has ended, or None if none does within a time."""
        done, _ = ray.wait(list(self._running), timeout=seconds)
        if not done:
            return None
        self._idle.append(self._running.pop(done[0])[0])
        ended: TuningTrial = fetch(done[0])
        return ended

    def give_up(self, number: int) -> None:
        """End the process of a trial that runs; there is one less from then on."""
        task = next(task for task, (_, running) in self._running.items() if running == number)
        ray.kill(self._running.pop(task)[0])
        self.count -= 1

    def stop(self) -> None:
        """End the processes."""
        for worker in (*self._idle, *(worker for worker, _ in self._running.values())):
            ray.kill(worker)


class TrialWorker:
    """A process that runs trials."""

    def __init__(self, threads: int) -> None:
        """Start TensorFlow with a number of threads."""
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
            os.environ[name] = str(threads)
        from .trial_job import run_job

        self._run_job = run_job

    def run(self, text: TrialText, job: TrialJob) -> TuningTrial:
        """Run a trial."""
        return self._run_job(text, job)


def _in_memory(comparison: Comparison) -> Comparison:
    """Return the same text as arrays that can be sent, not mapped from files."""

    def load(encoded: EncodedCorpus) -> EncodedCorpus:
        return replace(encoded, ids=np.array(encoded.ids))

    parts = tuple(
        replace(part, train=load(part.train), dev=load(part.dev), scored=load(part.scored))
        for part in comparison.parts
    )
    return replace(comparison, parts=parts)
