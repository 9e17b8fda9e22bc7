"""Makes a corpus folder of large files: without copies, split, and with its words counted."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import xor
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from glovelite.data.corpus_folder import (
    DEV_SHARE,
    SUMMARY_FILE,
    TEST_SHARE,
    WORDS_FILE,
    CorpusCounts,
)
from glovelite.data.labelled_text import TextSource
from glovelite.data.labels import (
    are_implausible,
    describe_suspicious_labels,
    implausible_labels_error,
    shorten_list,
    show_labels,
    sort_labels,
)
from glovelite.data.output_folder import JOB_FILE
from glovelite.runtime.errors import DataError
from glovelite.runtime.logs import log_lines
from glovelite.runtime.text.tokenizer import Tokenizer
from glovelite.runtime.version import __version__

from ..files import Location, check_outside, list_inputs, list_names, locate, open_job_folder
from ..parts import divide, identify_parts
from ..tasks import Tasks, open_tasks
from .labelled_parts import open_labelled
from .options import HELD_OUT_TEXTS, CorpusOptions
from .steps import (
    PARTS,
    WORK_FOLDER,
    CorpusWork,
    Decisions,
    First,
    Scan,
    Written,
    find_first,
    scan_part,
    write_part,
)

logger = logging.getLogger(__name__)

RARE_ROWS = 50  # a label of fewer might be missing in training text
RANGE_BYTES = 1 << 30  # of input for each range of hashes: about ten million texts
MAX_RANGES = 4096

Result = TypeVar("Result", Scan, First, Written)
Key = TypeVar("Key", str, int)


def make_corpus(
    inputs: Sequence[str],
    output: str,
    options: CorpusOptions | None = None,
    source: TextSource | None = None,
) -> CorpusCounts:
    """Make a corpus folder of large files, for `glovelite-train`.

    Of all copies of a text the first is kept. Each text is training, dev or test text by its hash,
    or by that of its group. The result is the same on one machine and on a cluster. A job that was
    killed and is started again continues.

    Args:
        inputs: Parquet, CSV, TSV and JSONL files, folders, patterns or URIs such as
            `s3://bucket/texts/*.parquet`.
        output: the folder or URI to write to; all machines of the cluster must reach it.
        source: columns, encoding and the like of the inputs; its path does not matter.

    Raises:
        DataError: an input cannot be read, or holds no labelled texts.
        OutputError: the folder holds something else, or cannot be written.
        ClusterError: the cluster cannot be reached, or failed.

    Example:
        >>> make_corpus(["reviews/*.parquet"], "corpora/reviews").texts["train"]
        812345
    """
    options, source = options or CorpusOptions(), source or TextSource("")
    files = list_inputs(inputs)
    parts = divide(files, options.rows_per_file)
    folder = locate(output)
    check_outside(folder, files)
    ranges = min(MAX_RANGES, 1 + sum(file.size for file in files) // RANGE_BYTES)
    reader = open_labelled(source, files)
    work = CorpusWork(tuple(parts), reader, folder, ranges, Tokenizer(options.punctuation))
    how = replace(options, skip_bad_rows=False, address=None, workers=None, overwrite=False)
    identity = {
        "the inputs": identify_parts(parts),
        "the options": repr(
            (how, source.columns, source.encoding, bool(source.strip_html), __version__)
        ),
    }
    # A job that found bad rows has written nothing but hashes: its files may be corrected.
    overwrite = options.overwrite or not {*list_names(folder)} - {WORK_FOLDER, JOB_FILE}
    if SUMMARY_FILE in open_job_folder(folder, identity, overwrite):
        logger.info(f"{output} is complete already")
        return CorpusCounts.parse(_read_json(folder.child(SUMMARY_FILE)))
    work_folder = folder.child(WORK_FOLDER)
    work_folder.system.create_dir(work_folder.path)
    with open_tasks(options.address, options.workers) as tasks:
        summary = _run(work, options, _Steps(tasks, work_folder))
    folder.child(SUMMARY_FILE).write(json.dumps(summary.as_dict(), ensure_ascii=False))
    folder.system.delete_dir(work_folder.path)
    return summary


@dataclass(frozen=True)
class _Steps:
    """Runs the steps; their results are kept until the job ends."""

    tasks: Tasks
    folder: Location

    def run(
        self,
        name: str,
        function: Callable[..., Result],
        kind: type[Result],
        shared: tuple[Any, ...],
        count: int,
    ) -> list[Result]:
        """Return `function(*shared, number)` for each number below `count`."""
        files = [self.folder.child(f"{name}-{number:06}.json") for number in range(count)]
        saved = set(list_names(self.folder))
        missing = [number for number, file in enumerate(files) if file.base_name not in saved]
        results = tqdm(
            self.tasks.map(function, shared, missing), name, count, initial=count - len(missing),
            unit=" tasks", disable=None, leave=False,
        )  # fmt: skip
        for result, number in zip(results, missing):
            files[number].write(json.dumps(asdict(result)))
        return [kind(**_read_json(file)) for file in files]


def _run(work: CorpusWork, options: CorpusOptions, steps: _Steps) -> CorpusCounts:
    count = len(work.parts)
    scans = steps.run("scan", scan_part, Scan, (work,), count)
    decisions = _decide(work, scans, options)
    first = steps.run("copies", find_first, First, (work, decisions), work.ranges)
    copies = sum(range_.copies for range_ in first)
    decisions = _choose_shares(decisions, options, int(decisions.counts.sum()) - copies)
    written = steps.run("write", write_part, Written, (work, decisions), count)
    words = Counter[str]()
    for number in range(count):
        words.update(_read_json(work.words(number)))
    ordered = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    lines = "".join(f"{json.dumps(item, ensure_ascii=False)}\n" for item in ordered)
    work.output.child(WORDS_FILE).write(lines)
    summary = CorpusCounts(
        rows=int(decisions.counts.sum()),
        bad_rows=sum(scan.bad for scan in scans),
        copies=copies,
        contradictions=sum(range_.contradictions for range_ in first),
        texts=_add(part.texts for part in written),
        labels={name: _add(part.labels[name] for part in written) for name in PARTS},
        multi_label=decisions.multi_label,
        rare_labels=sort_labels(decisions.rare_labels),
        seed=options.seed,
        dev_share=decisions.dev_share,
        test_share=decisions.test_share,
        checksum=reduce(xor, (part.checksum for part in written), 0),
        punctuation=work.tokenizer.punctuation,
        tokens=words.total(),
        distinct_tokens=len(words),
        lengths=dict(sorted(_add(dict(part.lengths) for part in written).items())),
        vocabulary_format=work.tokenizer.vocabulary_format,
        text=work.reader.text.as_json(),
    )
    log_lines(logger, describe_corpus_folder(summary))
    return summary


def describe_corpus_folder(summary: CorpusCounts) -> Iterator[str]:
    """Describe the rows that were left out of a corpus folder, and labels that are rare."""
    if summary.bad_rows:
        yield f"skipped: {summary.bad_rows:,} rows that cannot be used"
    if summary.copies:
        others = f", {summary.contradictions:,} of them with other labels than the first"
        yield (
            f"dropped: {summary.copies:,} copies of earlier texts"
            f"{others if summary.contradictions else ''}"
        )
    if summary.rare_labels:
        yield (
            f"{show_labels(summary.rare_labels)}: fewer than {RARE_ROWS} rows, so all their texts "
            "are training text"
        )
    known = set[str]().union(*summary.labels.values())
    for part, labels in summary.labels.items():
        missing = sort_labels(known - {*labels, *summary.rare_labels})
        if missing and summary.texts[part]:
            yield f"warning: no {part} text has the label {show_labels(missing)}"


def _decide(work: CorpusWork, scans: Sequence[Scan], options: CorpusOptions) -> Decisions:
    """Check the rows and labels of all parts, and choose the labels that stay in training text."""
    names = shorten_list(list(dict.fromkeys(part.file.location.name for part in work.parts)))
    bad = sum(scan.bad for scan in scans)
    if bad and not options.skip_bad_rows:
        shown = shorten_list(list(_describe_bad_rows(work, scans)))
        raise DataError(
            f"{'1 row' if bad == 1 else f'{bad:,} rows'} cannot be used: {shown}; fix "
            "them, or skip them with --skip-bad-rows"
        )
    labels = _add(scan.labels for scan in scans)
    if are_implausible(labels.values()):
        raise implausible_labels_error(names, sort_labels(labels), None)
    if len(labels) < 2:
        raise DataError(f"{names}: expected two labels or more, found {sort_labels(labels)}")
    log_lines(logger, describe_suspicious_labels(labels))
    return Decisions(
        multi_label=any(scan.multi_label for scan in scans),
        counts=np.array([scan.ranges for scan in scans], np.int64),
        rare_labels=frozenset(label for label, rows in labels.items() if rows < RARE_ROWS),
        seed=options.seed,
    )


def _describe_bad_rows(work: CorpusWork, scans: Sequence[Scan]) -> Iterator[str]:
    for part, scan in zip(work.parts, scans):
        after = f" after byte {part.skipped_bytes:,}" if part.skipped_bytes else ""
        for line, reason in scan.shown:
            yield f"{part.file.location.name}, line {line}{after}: {reason}"


def _choose_shares(decisions: Decisions, options: CorpusOptions, texts: int) -> Decisions:
    """Add the shares of dev and test text."""
    few = HELD_OUT_TEXTS / max(1, texts)
    dev = min(DEV_SHARE, few) if options.dev_share is None else options.dev_share
    test = min(TEST_SHARE, few) if options.test_share is None else options.test_share
    return replace(decisions, dev_share=dev, test_share=test)


def _add(counts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """Return the sums of mappings of numbers."""
    total = Counter[Key]()
    for counted in counts:
        total.update(counted)
    return dict(total)


def _read_json(location: Location) -> Any:
    with location.open_input() as file:
        return json.loads(file.read())
