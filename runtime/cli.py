"""`glovelite-run`: classify texts on the device from the command line.

argparse, because the device installs nothing but numpy and the interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, NoReturn

import numpy as np

from .classifier import Classifier
from .errors import GloveliteError, InputError
from .http.serve import parse_address, serve
from .interpreter import interpreter_version
from .io.native_logs import quiet_start
from .prediction import Prediction
from .strict_json import finite_float, no_constant
from .terminal import Screen, wants_colour

EXAMPLES = """\
examples:
  glovelite-run bundles/imdb "A moving, funny, beautifully acted film."
  glovelite-run bundles/imdb < reviews.txt             one text a line
  glovelite-run bundles/imdb --json < reviews.txt      one JSON object a line
  glovelite-run bundles/imdb --jsonl < reviews.jsonl   {"text": "…"} in, with a "prediction" out
  glovelite-run bundles/imdb --abstain < reviews.txt   ? where the bundle should not be relied on
  glovelite-run bundles/imdb --explain "A fine film."   which words decided?
  glovelite-run bundles/imdb --self-test               does it answer here as where it was made?

exit status: 0 answered, 1 the bundle or the input is at fault or the self-test fails, 2 wrong usage
"""


def main() -> NoReturn:
    """Run the command and exit with its status."""
    # A lone surrogate, a stray byte or a byte order mark is answered, not a traceback.
    for stream, encoding, errors in (
        (sys.stdin, "utf-8-sig", "replace"),
        (sys.stdout, "utf-8", "backslashreplace"),
        (sys.stderr, "utf-8", "backslashreplace"),
    ):
        if stream is not None:  # closed, as under cron
            stream.reconfigure(encoding=encoding, errors=errors)  # type: ignore[union-attr]
    try:
        sys.exit(run(_parser().parse_intermixed_args()))
    except BrokenPipeError:  # `glovelite-run … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        print(f"glovelite-run: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def run(options: argparse.Namespace) -> int:
    """Classify what the options name and print the answers.

    Args:
        options: the parsed command line.

    Returns:
        The exit status.
    """
    try:
        with quiet_start():
            classifier = Classifier.load(
                options.bundle, threads=options.threads, abstain_below=options.abstain_below
            )
        if options.self_test:
            return _self_test(classifier, options.json)
        if options.serve:
            return serve(classifier, *options.serve)
        abstain = options.abstain or options.abstain_below is not None
        screen = Screen(options.top or 1, abstain, colour=wants_colour(sys.stdout))
        for record in _records(options):
            text = record["text"]
            begun = time.perf_counter()
            prediction = classifier.predict(text)[0]
            taken = (time.perf_counter() - begun) * 1e6 if options.time else None
            explanation = classifier.explain(text) if options.explain else None
            if options.json or options.jsonl:
                answer = {**record, "prediction": _as_dict(prediction, options.top, taken, abstain)}
                if explanation:
                    answer["explanation"] = explanation.as_dict()
                print(json.dumps(answer, ensure_ascii=False), flush=True)
            else:
                print(screen.show(text, prediction, taken, explanation), flush=True)
    except GloveliteError as error:
        print(f"glovelite-run: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glovelite-run",
        description="Classify texts with a bundle that glovelite-convert wrote.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="the bundle's folder")
    parser.add_argument(
        "texts", metavar="TEXT", nargs="*", help="texts to classify (default: lines from stdin)"
    )
    parser.add_argument(
        "--top",
        type=_positive_number,
        metavar="K",
        help="show the K most probable classes, not one",
    )
    parser.add_argument("--json", action="store_true", help="answer one JSON object a text")
    parser.add_argument(
        "--jsonl",
        action="store_true",
        help='read stdin as JSON objects with a "text", one a line, and answer each with a '
        '"prediction" beside its other fields; implies --json',
    )
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="with --jsonl: tell of a line that is not such an object and go on, not stop",
    )
    parser.add_argument(
        "--self-test",
        action="store_true",
        help="classify nothing, replay the bundle's golden texts on this machine",
    )
    parser.add_argument(
        "--serve", type=parse_address, metavar="[HOST:]PORT", help="answer JSON over HTTP"
    )
    parser.add_argument(
        "--abstain",
        action="store_true",
        help="answer ? (in JSON a label of null) where the probability or the known words are "
        "fewer than the bundle asks for",
    )
    parser.add_argument(
        "--abstain-below",
        type=_share,
        metavar="P",
        help="abstain below this probability, 0 to 1, in place of the bundle's own",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="tell which words decided: the label's logit, split over the words of the text",
    )
    parser.add_argument(
        "--time", action="store_true", help="add the µs from text to label to each answer"
    )
    parser.add_argument(
        "--threads", type=_positive_number, default=1, metavar="N", help="threads of one inference"
    )
    return parser


def _self_test(classifier: Classifier, as_json: bool) -> int:
    import platform  # here, and not at every start

    found = classifier.self_test()
    where = {
        "interpreter": interpreter_version(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    if as_json:
        print(json.dumps({**asdict(found), **where}))
        return 0
    print(
        f"{classifier.bundle.path}: hashes right; {found.goldens} golden texts replayed, "
        f"largest difference {found.largest_difference:.1e}, {found.tolerance:g} is allowed"
    )
    print("on {interpreter}, numpy {numpy}, Python {python}, {machine}".format(**where))
    return 0


def _positive_number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a probability from 0 to 1, found {text!r}")
    return value


def _records(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    if options.texts:
        return ({"text": text} for text in options.texts)
    if options.jsonl:
        return _parse_jsonl(sys.stdin or (), options.skip_bad_lines)
    return ({"text": line.rstrip("\r\n")} for line in sys.stdin or ())


def _parse_jsonl(lines: Iterable[str], skip_bad: bool) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _parse_record(line)
        except InputError as error:
            problem = f"line {number} of stdin {error}"
            if not skip_bad:
                raise InputError(f"{problem} (--skip-bad-lines goes on without it)") from None
            print(f"glovelite-run: {problem}: skipped", file=sys.stderr, flush=True)


def _parse_record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_float=finite_float, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {getattr(error, 'msg', error)}") from None
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise InputError('is not an object with a string "text"')
    return record


def _as_dict(
    prediction: Prediction, top: int | None, taken: float | None, abstain: bool
) -> dict[str, Any]:
    answer = prediction.as_dict()
    if abstain and prediction.abstained:
        answer["label"] = None
    if taken is not None:
        answer["microseconds"] = round(taken, 1)
    if top:
        answer["probabilities"] = dict(prediction.top(top))
    return answer
