"""Scores files on Ray: one classifier in each worker, one output file for each part."""

from __future__ import annotations

import hashlib
import json
import logging
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ray

from glovelite.runtime.classifier import Classifier
from glovelite.runtime.errors import ClusterError
from glovelite.runtime.logs import log_lines
from glovelite.runtime.trained_text import HTML_IS_REMOVED
from glovelite.runtime.version import __version__

from ..cluster import connect, last_line
from ..files import check_outside, list_inputs, locate, open_job_folder
from ..parts import Part, divide, identify_parts, open_head
from .worker import BulkOptions, PartScorer, Work

__all__ = ["BulkOptions", "BulkProgress", "score_files"]
logger = logging.getLogger(__name__)


@dataclass
class BulkProgress:
    """The progress of a job.

    Attributes:
        parts: total number of parts.
        done: parts finished in this run and earlier ones.
        rows: rows written in this run.
        bad: unusable rows in this run.
        abstained: rows of this run whose prediction should not be relied on.
        seconds: time of this run, from the first part on.
    """

    parts: int = 0
    done: int = 0
    rows: int = 0
    bad: int = 0
    abstained: int = 0
    seconds: float = 0.0


def score_files(
    classifier: Classifier,
    inputs: Sequence[str],
    output: str,
    options: BulkOptions | None = None,
    show: Callable[[BulkProgress], None] = lambda _: None,
) -> BulkProgress:
    """Score Parquet, CSV, TSV and JSONL files on all cores or machines of a Ray cluster.

    Each usable row of the inputs becomes one row of the output folder's files, with all its columns
    and those of the prediction. Rows that cannot be used are listed in its folder `bad_rows`. A job
    that was killed and is started again continues with the parts whose output is missing.

    Args:
        inputs: paths, folders, patterns or URIs such as `s3://bucket/texts/*.parquet`.
        output: the folder or URI to write to; all machines of the cluster must reach it.
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
    folder = locate(output)
    check_outside(folder, files)
    work = Work(classifier, tuple(parts), folder, options)
    head = open_head(files[0], work.names, options.encoding, labelled=False)
    log_lines(logger, head.describe_columns())
    if classifier.bundle.text.strip_html:
        logger.info(HTML_IS_REMOVED)
    work.check(parts[0])  # a wrong column ends the job now
    names = open_job_folder(folder, _identify(classifier, parts, options), options.overwrite)
    missing = [number for number, part in enumerate(parts) if work.file_name(part) not in names]
    progress = BulkProgress(parts=len(parts), done=len(parts) - len(missing))
    if progress.done:
        logger.info(f"continuing: {progress.done:,} of {len(parts):,} output files exist")
    if missing:
        logging.disable(logging.WARNING)  # of Ray Data, which sets its loggers up for each job
        try:
            with connect(options.address, options.workers):
                _run(work, missing, options.workers, progress, show)
        finally:
            logging.disable(logging.NOTSET)
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
    ray.data.DataContext.get_current().enable_progress_bars = False
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
        raise ClusterError(f"Ray failed: {last_line(error)}") from error


def _identify(
    classifier: Classifier, parts: Sequence[Part], options: BulkOptions
) -> dict[str, str]:
    """Return all that the output depends on, by the names that messages show."""
    manifest = json.dumps(classifier.bundle.manifest, sort_keys=True).encode()
    given = (
        options.format,
        options.text_columns,
        options.encoding,
        options.header,
        options.prefix,
        classifier.abstain_below,
        __version__,
    )
    return {
        "the inputs": identify_parts(parts),
        "the bundle": hashlib.sha256(manifest).hexdigest(),
        "the options": repr(given),
    }
