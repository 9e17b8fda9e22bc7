"""Scores files on Ray: one classifier in each worker, one output file for each part."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from pyarrow import fs

from ..aliases import Log
from ..classifier import Classifier
from ..errors import ClusterError, OutputError
from ..io.native_logs import hide_native_logs
from ..version import __version__
from .files import Location, list_inputs, locate
from .output import FORMATS
from .parts import Part, divide
from .worker import PartScorer, Work

JOB_FILE = "_job.json"
ROWS_PER_FILE = 50_000


@dataclass(frozen=True)
class BulkOptions:
    """How files are scored.

    Attributes:
        format: of the output, `parquet` or `jsonl`.
        text_columns: names of the text columns; empty looks for one.
        encoding: of text files; None detects it.
        prefix: what the names of the added columns start with.
        rows_per_file: rows of an output file, about.
        workers: classifiers at work; None takes one for each core of the cluster.
        address: of a Ray cluster, such as `auto` or `head:6379`; None starts Ray here.
        overwrite: replace the results of another job.

    Raises:
        OutputError: the format is unknown.
        ClusterError: the address is one of Ray's client, through which Ray Data does not run.
    """

    format: str = "parquet"
    text_columns: tuple[str, ...] = ()
    encoding: str | None = None
    prefix: str = ""
    rows_per_file: int = ROWS_PER_FILE
    workers: int | None = None
    address: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuse an unknown format, and an address of Ray's client."""
        if (self.address or "").startswith("ray://"):
            raise ClusterError(
                f"{self.address}: Ray Data does not run through Ray's client: start the job on the "
                "cluster, as `ray job submit -- glovelite-score ... --address auto` does"
            )
        if self.format not in FORMATS:
            raise OutputError(f"expected the format {' or '.join(FORMATS)}, found {self.format!r}")


@dataclass
class BulkProgress:
    """What a job has done so far.

    Attributes:
        parts: of the job.
        done: parts that are finished, in this run and earlier ones.
        rows: rows written in this run.
        bad: rows that could not be used in this run.
        abstained: rows of this run whose prediction should not be relied on.
        seconds: time of this run, from the first part on.
    """

    parts: int = 0
    done: int = 0
    rows: int = 0
    bad: int = 0
    abstained: int = 0
    seconds: float = field(default=0.0)


def score_files(
    classifier: Classifier,
    inputs: Sequence[str],
    output: str,
    options: BulkOptions | None = None,
    log: Log = print,
    show: Callable[[BulkProgress], None] = lambda _: None,
) -> BulkProgress:
    """Score Parquet, CSV, TSV and JSONL files on all cores or machines of a Ray cluster.

    Each usable row of the inputs becomes one row of the output folder's files, with all its columns
    and those of the prediction. Rows that cannot be used are listed in its folder `bad_rows`. A job
    that was killed and is started again continues with the parts whose output is missing.

    Args:
        classifier: the loaded bundle.
        inputs: paths, folders, patterns or URIs such as `s3://bucket/texts/*.parquet`.
        output: the folder or URI to write to; all machines of the cluster must reach it.
        options: all other choices.
        log: receives a line about everything unusual.
        show: receives the progress after every part.

    Raises:
        DataError: an input cannot be read or has no text column.
        OutputError: the folder holds something else, or cannot be written.
        ClusterError: the cluster cannot be reached, or failed.
        SelfTestError: predictions differ from where the bundle was exported.

    Example:
        >>> classifier = Classifier.load("bundles/mine")
        >>> score_files(classifier, ["texts/*.parquet"], "scored").rows
    """
    options = options or BulkOptions()
    classifier.self_test()
    files = list_inputs(inputs)
    parts = divide(files, options.rows_per_file)
    columns = options.text_columns
    folder = locate(output)
    for each in files:
        if each.location.path.startswith(f"{folder.path}/"):
            raise OutputError(
                f"{output} holds the input {each.location.name}: choose another output"
            )
    identity = _identify(classifier, parts, options)
    work = Work(
        classifier, tuple(parts), folder, options.format, columns, options.encoding, options.prefix
    )
    work.check(parts[0])  # a wrong column ends the job now
    missing = _prepare_output(work, identity, options.overwrite)
    progress = BulkProgress(parts=len(parts), done=len(parts) - len(missing))
    if progress.done:
        log(f"continuing: {progress.done:,} of {len(parts):,} output files exist")
    if missing:
        with connect(options.address, options.workers):
            _run(work, missing, options.workers, progress, show)
    return progress


def _run(
    work: Work,
    missing: Sequence[int],
    workers: int | None,
    progress: BulkProgress,
    show: Callable[[BulkProgress], None],
) -> None:
    """Score the parts of these numbers."""
    count = max(1, min(len(missing), workers or int(ray.cluster_resources().get("CPU", 1))))
    numbers = ray.data.from_items(
        [{"number": number} for number in missing], override_num_blocks=len(missing)
    )
    scored = numbers.map_batches(
        PartScorer,
        fn_constructor_args=(work,),
        batch_size=1,
        num_cpus=1,
        # A worker whose process or machine died is started again, and its part scored again.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=count),
    )
    start = 0.0
    try:
        for result in scored.iter_rows():
            if result["error"]:
                raise pickle.loads(result["error"])
            now = time.monotonic()
            start = start or now - result["seconds"]
            progress.done += 1
            progress.rows += result["rows"]
            progress.bad += result["bad"]
            progress.abstained += result["abstained"]
            progress.seconds = now - start
            show(progress)
    except ray.exceptions.RayError as error:
        raise ClusterError(f"Ray failed: {_last_line(error)}") from error


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


@contextmanager
def connect(address: str | None, workers: int | None) -> Iterator[None]:
    """Connect to a Ray cluster, or start Ray on this machine and stop it at the end.

    Where Ray is connected already, it is used and left connected.
    """
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.disable(logging.WARNING)  # of Ray Data, whose loggers are set up again for each job
    try:
        if ray.is_initialized():
            yield
        else:
            with _start(address, workers):
                yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def _start(address: str | None, workers: int | None) -> Iterator[None]:
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of its own processes
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        options |= {"address": "local", "num_cpus": workers, "include_dashboard": False}
    else:  # its machines need numpy and pyarrow, and get the runtime from here
        modules = [str(Path(__file__).parents[1])]
        options |= {"address": address, "runtime_env": {"py_modules": modules}}
    try:
        with hide_native_logs():
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(f"{address or 'Ray'} cannot be reached: {_last_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _identify(
    classifier: Classifier, parts: Sequence[Part], options: BulkOptions
) -> dict[str, str]:
    """Return what the output depends on: the names are those of a message about what changed."""
    manifest = json.dumps(classifier.bundle.manifest, sort_keys=True).encode()
    ranges = [(each.file.location.path, each.file.size, each.start, each.end) for each in parts]
    given = (
        options.format,
        options.text_columns,
        options.encoding,
        options.prefix,
        classifier.abstain_below,
        __version__,
    )
    return {
        "the inputs": hashlib.sha256(repr(ranges).encode()).hexdigest(),
        "the bundle": hashlib.sha256(manifest).hexdigest(),
        "the options": repr(given),
    }


def _prepare_output(work: Work, identity: dict[str, str], overwrite: bool) -> list[int]:
    """Make the output folder of a job, or continue in it; return the parts that are missing.

    Raises:
        OutputError: it holds something else, or the results of another job.
    """
    folder, job = work.output, work.output.child(JOB_FILE)
    try:
        names = set(_list_names(folder))
        changed = _compare(job, identity) if JOB_FILE in names else "everything"
        results = names - {JOB_FILE}
        if results and JOB_FILE not in names:
            raise OutputError(f"{folder.name} is not empty: choose another output folder")
        if results and changed and not overwrite:
            raise OutputError(
                f"{folder.name} holds the results of another job ({changed} changed): choose "
                "another output folder, or --overwrite it"
            )
        if names and changed:
            folder.system.delete_dir_contents(folder.path)
            names = set()
        folder.system.create_dir(folder.path)
    except OSError as error:
        raise OutputError(f"{folder.name} cannot be written: {error}") from None
    if changed:
        with job.open_atomic() as file:
            file.write(json.dumps(identity).encode())
    return [number for number, part in enumerate(work.parts) if work.file_name(part) not in names]


def _list_names(folder: Location) -> list[str]:
    if folder.type == fs.FileType.NotFound:
        return []
    if folder.type == fs.FileType.File:
        raise OutputError(f"{folder.name} is a file: choose another output folder")
    return [each.base_name for each in folder.system.get_file_info(fs.FileSelector(folder.path))]


def _compare(job: Location, identity: dict[str, str]) -> str:
    """Return what differs from the job whose results are there."""
    try:
        with job.system.open_input_stream(job.path) as file:
            found = json.loads(file.read())
        return " and ".join(name for name in identity if found.get(name) != identity[name])
    except (ValueError, AttributeError):
        return "everything"
