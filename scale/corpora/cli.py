"""The command line `glovelite-corpus`."""

from __future__ import annotations

import json
import sys
from typing import Any

from glovelite.data.commands import print_lines, print_log, run_click_command
from glovelite.data.labelled_text import TextSource
from glovelite.runtime.extras import missing_extra_message
from glovelite.runtime.version import __version__

try:
    import click
except ModuleNotFoundError as error:
    sys.exit(f"glovelite-corpus: {missing_extra_message(error.name, 'scale')}")

from glovelite.runtime.errors import OptionsError

from .options import HELD_OUT_TEXTS, CorpusOptions

SHARE = click.FloatRange(0, 0.5)


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  glovelite-corpus reviews/ corpora/reviews
  glovelite-corpus 's3://bucket/mails/*.parquet' /mnt/shared/mails --group-column author \\
    --address auto
  glovelite-train corpora/reviews --out runs/reviews
""",
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.argument("output")
@click.option(
    "--text-column",
    multiple=True,
    metavar="NAME",
    help="Column of the text; several are joined.  [default: looks for one]",
)
@click.option(
    "--label-column", metavar="NAME", help="Column of the label.  [default: looks for one]"
)
@click.option("--label-separator", help="Separator of the labels of a text in the label column.")
@click.option("--label-columns", help="Columns of 0 and 1, one per label, separated by commas.")
@click.option("--group-column", help="Column whose equal values stay in one part of the split.")
@click.option("--encoding", help="Encoding of text files.  [default: detected]")
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first row of CSV and TSV names the columns.  [default: guessed]",
)
@click.option("--strip-html", is_flag=True, help="Remove HTML tags and decode entities.")
@click.option("--skip-bad-rows", is_flag=True, help="Skip rows that cannot be used.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the split."
)
@click.option(
    "--dev-share",
    type=SHARE,
    help=f"Share of dev text.  [default: a tenth, at most about {HELD_OUT_TEXTS:,} texts]",
)
@click.option("--test-share", type=SHARE, help="Share of test text.  [default: the same]")
@click.option(
    "--punctuation", is_flag=True, help="Count tokens as glovelite-train --punctuation does."
)
@click.option(
    "--rows-per-file",
    type=click.IntRange(1),
    default=200_000,
    show_default=True,
    help="Approximate rows of a task. A killed job loses the tasks that were running.",
)
@click.option(
    "--address",
    help="Work on a Ray cluster: auto on one of its machines, HOST:PORT, or local for all cores "
    "here.  [default: one core]",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Tasks at the same time.  [default: one for each core]",
)
@click.option("--overwrite", is_flag=True, help="Replace another corpus folder.")
@click.option("--json", "as_json", is_flag=True, help="Print corpus.json on standard output.")
@click.version_option(__version__, prog_name="glovelite-corpus")
def command(
    inputs: tuple[str, ...],
    output: str,
    text_column: tuple[str, ...],
    label_column: str | None,
    label_separator: str | None,
    label_columns: str | None,
    group_column: str | None,
    encoding: str | None,
    header: bool | None,
    strip_html: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Make a corpus folder from large files: remove copies, split the texts and count words.

    INPUT is a Parquet, CSV, TSV or JSONL file, a folder, a pattern, or a URI that starts with s3://
    or gs://. glovelite-train trains on the folder OUTPUT. Started again, a job that was killed
    continues.
    """
    if choices["workers"] is not None and choices["address"] is None:
        raise click.UsageError("--workers belongs to --address")
    source = TextSource(
        "",
        None,
        text_column,
        label_column,
        group_column,
        encoding=encoding,
        strip_html=strip_html,
        label_separator=label_separator,
        label_columns=label_columns or (),
        header=header,
    )
    try:
        options = CorpusOptions(**choices)
    except OptionsError as error:
        raise click.UsageError(str(error)) from None
    from .job import make_corpus  # imported late: the help needs no pyarrow

    with print_log(err=True, name="glovelite.scale"):  # without what the readers log
        summary = make_corpus(inputs, output, options, source)
    if as_json:
        click.echo(json.dumps(summary.as_dict(), ensure_ascii=False))
        return
    texts = ", ".join(f"{count:,} {part}" for part, count in summary.texts.items())
    print_lines(
        f"{output}: {texts} texts, {len(summary.labels['train']):,} labels, {summary.tokens:,} "
        f"tokens, {summary.distinct_tokens:,} different"
    )


def main() -> None:
    """Run the command; glovelite's own errors become one line and exit status 1."""
    run_click_command(command, "glovelite-corpus", "scale")


if __name__ == "__main__":
    main()
