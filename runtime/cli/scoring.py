"""`glovelite-run BUNDLE --input FILE --output FILE`: progress, interruption and summaries."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import NoReturn

from ..classifier import Classifier
from ..logs import log_to
from ..scoring.partial_output import Progress
from ..scoring.score import ScoringOptions, score_file

_SHOW_SECONDS = 0.5


def run_scoring(
    classifier: Classifier, options: ScoringOptions, as_json: bool, warn: Callable[[str], None]
) -> int:
    """Score a file, and print a summary.

    Returns:
        The exit status: 0, or 128 and the signal's number if it was interrupted.

    Raises:
        GloveliteError: the input or the output cannot be used.
    """
    line = _CounterLine()

    def write(message: str) -> None:
        line.clear()
        warn(message)

    signal.signal(signal.SIGTERM, _exit)
    try:
        with log_to(write):
            progress = score_file(classifier, options, line.show)
    except (KeyboardInterrupt, SystemExit) as stop:
        write("interrupted: the same command continues where this one stopped")
        return stop.code if isinstance(stop, SystemExit) else 128 + signal.SIGINT  # type: ignore[return-value]
    finally:
        line.clear()
    if as_json:
        print(json.dumps(_summarize(options, progress), ensure_ascii=False))
    else:
        print(_describe(options, progress))
    return 0


def _exit(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


class _CounterLine:
    """One line on a terminal that counts; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = sys.stderr is not None and sys.stderr.isatty()
        self._last = time.monotonic()
        self._width = 0

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if self._shown and now - self._last >= _SHOW_SECONDS:
            self._last = now
            rate = progress.records / max(progress.seconds, 0.001)
            text = f"{progress.records:,} rows, {rate:,.0f} a second"
            self._width = max(self._width, len(text))
            print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)
            self._width = 0


def _summarize(options: ScoringOptions, progress: Progress) -> dict[str, object]:
    done = asdict(progress)
    del done["records"], done["size"]  # of the partial output
    files = {"input": str(options.input), "output": str(options.output)}
    return {**files, **done, "seconds": round(progress.seconds, 3)}


def _describe(options: ScoringOptions, progress: Progress) -> str:
    parts = [f"{progress.rows:,} rows", f"{progress.abstained:,} abstained"]
    parts += [f"{progress.without_labels:,} without labels"] if progress.without_labels else []
    parts += [f"{progress.skipped:,} skipped"] if progress.skipped else []
    parts += [f"{progress.seconds:.1f} s"]
    counts = sorted(progress.labels.items(), key=lambda item: -item[1])
    labels = ", ".join(f"{label} {count:,}" for label, count in counts)
    return f"{options.output}: {', '.join(parts)}{f' ({labels})' if labels else ''}"
