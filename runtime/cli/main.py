"""`glovelite-run`: classifies texts on the device from the command line.

Uses argparse, because a device installs nothing but numpy and the interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np

from ..classifier import Classifier, Prediction
from ..errors import GloveliteError
from ..extras import faster_interpreter_advice
from ..http.cross_origin import parse_origin
from ..http.serve import parse_address, serve
from ..interpreter import (
    LITERT,
    NUMPY_ENGINE,
    find_interpreter,
    interpreter_version,
    list_interpreters,
)
from ..trained_text import TrainedText
from ..version import __version__
from .input_lines import InputText, decode_stdin, make_input, read_objects, read_texts
from .terminal import TerminalFormatter, replace_controls, supports_color

EXAMPLES = """\
examples:
  glovelite-run bundles/imdb "A moving, funny, beautifully acted film."
  glovelite-run bundles/imdb < reviews.txt             one text per line
  glovelite-run bundles/imdb --json < reviews.txt      one JSON object per line
  glovelite-run bundles/imdb --jsonl < reviews.jsonl   {"text": "…"} in, with "prediction" out
  glovelite-run bundles/imdb --input reviews.csv --output scored.csv
  glovelite-run bundles/imdb --abstain < reviews.txt   ? where the prediction is not reliable
  glovelite-run bundles/imdb --explain "A fine film."  which words decided
  glovelite-run bundles/imdb --self-test               check the predictions on this machine
  glovelite-run bundles/imdb --serve 8080              answer HTTP requests

exit status: 0 success, 1 invalid bundle or input or failed self-test, 2 wrong usage
"""
RELIES_ON_NONE = (
    "the bundle abstains from every text: export it with a lower --abstain-accuracy, or give "
    "--abstain-below"
)


def main() -> NoReturn:
    """Run the command and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # None if closed, as under cron
            # Lone surrogates must not raise.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        sys.exit(run(_parse_options()))
    except BrokenPipeError:  # `glovelite-run … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        _warn(f"{error.filename or 'output'}: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def run(options: argparse.Namespace) -> int:
    """Run the parsed command line and return the exit status."""
    try:
        classifier = Classifier.load(
            options.bundle, threads=options.threads, abstain_below=options.abstain_below
        )
        if options.self_test:
            return _self_test(classifier, options.json)
        asked = options.abstain or options.input
        if asked and options.abstain_below is None and classifier.abstention.relies_on_none:
            _warn(RELIES_ON_NONE)
        if options.serve:
            host, port = options.serve
            return serve(classifier, host, port, options.cors)
        if options.input:
            return _score(classifier, options)
        _classify(classifier, options)
    except GloveliteError as error:
        _warn(str(error))
        return 1
    return 0


def _score(classifier: Classifier, options: argparse.Namespace) -> int:
    from ..scoring.score import ScoringOptions  # imported late for a fast cold start
    from .scoring import run_scoring

    scoring = ScoringOptions(
        input=options.input,
        output=options.output,
        text_columns=tuple(options.text_column),
        encoding=options.encoding,
        header=options.header,
        prefix=options.prefix,
        hide_abstained=options.abstain,
        skip_bad_rows=options.skip_bad_lines,
        overwrite=options.overwrite,
    )
    return run_scoring(classifier, scoring, options.json, _warn)


def _classify(classifier: Classifier, options: argparse.Namespace) -> None:
    vocabulary = classifier.bundle.vocabulary
    multi_label = vocabulary.multi_label
    formatter = TerminalFormatter(
        options.top, options.abstain, supports_color(sys.stdout), multi_label, vocabulary.tokenizer
    )
    explanation_name = "explanations" if multi_label else "explanation"
    names = [f"{options.prefix}prediction", *[options.prefix + explanation_name] * options.explain]
    for item in _read_input(options, classifier.bundle.text, names):
        start = time.perf_counter()
        prediction = classifier.predict(item.text)[0]
        microseconds = (time.perf_counter() - start) * 1e6 if options.time else None
        if item.cut:
            prediction = replace(prediction, truncated=True)
        explained = prediction.labels or (prediction.label,)
        explanations = [
            classifier.explain(item.text, label) for label in explained * options.explain
        ]
        if options.json or options.jsonl:
            as_dicts = [explanation.as_dict() for explanation in explanations]
            added = [
                _as_dict(prediction, options.top, microseconds, options.abstain),
                as_dicts if multi_label else next(iter(as_dicts), None),
            ]
            answer = {**item.fields, **dict(zip(names, added))}
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        else:
            print(formatter.format(item.text, prediction, microseconds, explanations), flush=True)


def _parse_options() -> argparse.Namespace:
    """Parse the command line; exit with 2 for options that do not go together."""
    parser = _parser()
    options = parser.parse_intermixed_args()
    options.abstain |= options.abstain_below is not None
    if bool(options.input) != bool(options.output):
        parser.error("--input and --output go together: --input reviews.csv --output scored.csv")
    if options.input and options.texts:
        parser.error("TEXT does not go with --input")
    if options.cors and not options.serve:
        parser.error("--cors needs --serve")
    others = ("jsonl", "explain", "time", "top", "self_test", "serve")
    for name in others if options.input else ("text_column", "header", "overwrite"):
        if getattr(options, name) != parser.get_default(name):
            problem = "does not go with --input" if options.input else "needs --input"
            parser.error(f"--{name.replace('_', '-')} {problem}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glovelite-run",
        description="Classify texts with a bundle written by glovelite-convert.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help="bundle folder")
    add("texts", metavar="TEXT", nargs="*", help="texts to classify (default: lines of stdin)")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    _add_prediction_options(parser.add_argument_group("predictions"))
    _add_stream_options(parser.add_argument_group("standard input and output"))
    _add_file_options(parser.add_argument_group("files"))
    _add_server_options(parser.add_argument_group("HTTP server"))
    checks = parser.add_argument_group("checks")
    checks.add_argument(
        "--self-test",
        action="store_true",
        help="replay the bundle's golden texts on this machine; classify nothing",
    )
    return parser


def _add_prediction_options(group: argparse._ArgumentGroup) -> None:
    add, add_flag = group.add_argument, partial(group.add_argument, action="store_true")
    add("--top", type=_positive_int, metavar="K", help="show the K most probable labels")
    add_flag(
        "--abstain",
        help="print ? (in JSON null labels) where the confidence or the share of known words is "
        "below the bundle's threshold",
    )
    add(
        "--abstain-below",
        type=_probability,
        metavar="P",
        help="abstain below this probability (0 to 1) instead of the bundle's threshold",
    )
    add_flag(
        "--explain",
        help="show which words decided: the logit of each label of the text, split over its words",
    )
    add_flag("--time", help="add the latency of each prediction in µs")
    add("--threads", type=_positive_int, default=1, metavar="N", help="threads per inference")


def _add_stream_options(group: argparse._ArgumentGroup) -> None:
    add, add_flag = group.add_argument, partial(group.add_argument, action="store_true")
    add_flag("--json", help="print one JSON object per text")
    add_flag(
        "--jsonl",
        help='read stdin as JSON objects with a "text", one per line, and print each with a '
        '"prediction" added; implies --json',
    )
    add(
        "--encoding",
        metavar="NAME",
        help="encoding of stdin (default: a byte order mark's, or UTF-8) or of --input (default: "
        "detected)",
    )
    add_flag(
        "--skip-bad-lines",
        help="with --jsonl or --input: skip invalid lines with a warning instead of stopping",
    )
    add(
        "--prefix",
        default="",
        metavar="TEXT",
        help="with --jsonl or --input: start the names of added fields with it, such as new_ for "
        '"new_prediction"',
    )


def _add_file_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--input",
        type=Path,
        metavar="FILE",
        help="classify the rows of a CSV, TSV or JSONL file, compressed or not, into --output",
    )
    add(
        "--output",
        type=Path,
        metavar="FILE",
        help="write all columns of --input, and predicted_label, probability and abstained (of a "
        "multi-label bundle: predicted_labels, confidence, abstained), to a .csv, .tsv or .jsonl "
        "file, or one with .gz; if killed, the same command continues",
    )
    add(
        "--text-column",
        action="append",
        default=[],
        metavar="NAME",
        help="text column of --input, by name or number; repeated: joined by newlines (default: as "
        "in training, else text, sentence, review, …)",
    )
    add(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether the first row of --input names its columns (default: guessed)",
    )
    add("--overwrite", action="store_true", help="replace an existing --output")


def _add_server_options(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--serve",
        type=parse_address,
        metavar="[HOST:]PORT",
        help="answer JSON over HTTP (needs the [serve] extra)",
    )
    add(
        "--cors",
        action="append",
        type=parse_origin,
        default=[],
        metavar="ORIGIN",
        help="a web page of this origin, such as http://localhost:5173, may use the server; * "
        "allows all; can be repeated (default: none)",
    )


def _self_test(classifier: Classifier, as_json: bool) -> int:
    import platform  # imported late for a fast cold start

    result = classifier.self_test()
    versions = {
        "interpreter": interpreter_version(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    if as_json:
        print(json.dumps({**asdict(result), **versions}))
        return 0
    print(
        f"{classifier.bundle.path}: hashes correct; {result.goldens} golden texts replayed, "
        f"largest difference {result.largest_difference:.1e}, {result.tolerance:g} allowed"
    )
    on_numpy = find_interpreter()[0] == NUMPY_ENGINE
    if on_numpy:
        del versions["numpy"]  # the engine's version is numpy's
    titles = {"numpy": "numpy ", "python": "Python "}
    print("on", ", ".join(titles.get(key, "") + version for key, version in versions.items()))
    can_install = on_numpy and LITERT not in list_interpreters()
    advice = faster_interpreter_advice() if can_install else None
    if advice:
        print(advice)
    return 0


def _positive_int(text: str) -> int:
    with suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"expected a positive integer, found {text!r}")


def _probability(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"expected a probability from 0 to 1, found {text!r}")


def _read_input(
    options: argparse.Namespace, trained: TrainedText, added: list[str]
) -> Iterator[InputText]:
    if options.texts:
        for text in filter(_is_file, options.texts):
            _warn(
                f"{text!r} is classified as a text, but it is a file: was --input {text} --output "
                f"FILE meant (rows of a table), or < {text} (a text per line)?"
            )
        return (make_input(text, trained) for text in options.texts)
    if sys.stdin is None:  # closed, as under cron
        return iter(())
    if sys.stdin.isatty():
        _warn("reading a text per line from the terminal; Ctrl-D ends")
    stream = decode_stdin(cast(TextIOWrapper, sys.stdin), options.encoding)
    if options.jsonl:
        return read_objects(stream, trained, added, options.skip_bad_lines, _warn)
    return read_texts(stream, trained, _warn)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long, or holds NUL
        return False


def _warn(message: str) -> None:
    print(f"glovelite-run: {replace_controls(message)}", file=sys.stderr, flush=True)


def _as_dict(
    prediction: Prediction, top: int | None, microseconds: float | None, abstain: bool
) -> dict[str, Any]:
    fields = prediction.as_dict(top)
    if abstain and prediction.abstained:
        fields["label"] = fields["labels"] = None
    if microseconds is not None:
        fields["microseconds"] = round(microseconds, 1)
    return fields
