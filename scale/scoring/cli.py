"""The command line `glovelite-score`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from glovelite.runtime.extras import missing_extra_message

try:
    import click
    from tqdm import tqdm
except ModuleNotFoundError as error:
    sys.exit(f"glovelite-score: {missing_extra_message(error.name, 'scale')}")

from glovelite.data.commands import print_lines, print_log, run_click_command
from glovelite.data.option_groups import GroupedCommand
from glovelite.runtime.classifier import Classifier
from glovelite.runtime.version import __version__

#: Heading of `--help` -> options, by the names of their parameters.
OPTION_GROUPS = {
    "Input": "bundle text_columns encoding",
    "Output": "format prefix rows_per_file overwrite as_json",
    "Machines": "workers address",
}

if TYPE_CHECKING:
    from .job import BulkProgress


@click.command(
    cls=GroupedCommand,
    groups=OPTION_GROUPS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  glovelite-score texts/ scored/ --bundle bundles/mine
  glovelite-score 's3://bucket/texts/*.parquet' s3://bucket/scored --bundle bundles/mine \\
    --address auto
""",
)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.argument("output")
@click.option("--bundle", required=True, metavar="FOLDER", help="Bundle to classify with.")
@click.option(
    "--text-column",
    "text_columns",
    multiple=True,
    metavar="NAME",
    help="Column of the text; several are joined.  [default: as in training, else looks for one]",
)
@click.option("--encoding", help="Encoding of text files.  [default: detected]")
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first row of CSV and TSV names the columns.  [default: guessed]",
)
@click.option(
    "--format",
    type=click.Choice(["parquet", "jsonl"]),
    default="parquet",
    show_default=True,
    help="Format of the output.",
)
@click.option("--prefix", default="", help="Start of the names of the added columns.")
@click.option(
    "--rows-per-file",
    type=click.IntRange(1),
    default=50_000,
    show_default=True,
    help="Approximate rows of an output file. A killed job loses the files that it was writing.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Classifiers at the same time.  [default: one for each core]",
)
@click.option(
    "--address",
    help="Ray cluster: auto on one of its machines, or HOST:PORT.  [default: starts Ray here]",
)
@click.option("--overwrite", is_flag=True, help="Replace the results of another job.")
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
@click.version_option(__version__, prog_name="glovelite-score")
def command(
    inputs: tuple[str, ...],
    output: str,
    bundle: str,
    as_json: bool,
    **choices: Any,
) -> None:
    """Classify the texts of files, folders and patterns on all cores, or on a Ray cluster.

    INPUT is a Parquet, CSV, TSV or JSONL file, a folder, a pattern, or a URI that starts with s3://
    or gs://. The files of the folder OUTPUT have all rows and columns, and the predictions. Started
    again, a job that was killed continues.
    """
    from .job import BulkOptions, score_files  # imported late: Ray takes two seconds

    options = BulkOptions(**choices)
    with Classifier.load(bundle) as classifier, tqdm(unit=" file", disable=None) as bar:

        def show(progress: BulkProgress) -> None:
            bar.total, bar.n = progress.parts, progress.done
            bar.set_postfix_str(f"{progress.rows:,} rows, {_rate(progress):,.0f} a second")

        with print_log(err=True, name="glovelite.scale"):  # without what the readers log
            done = score_files(classifier, inputs, output, options, show)
    if as_json:
        click.echo(json.dumps(asdict(done)))
        return
    print_lines(
        f"{output}: {done.rows:,} rows in {done.done:,} files, {done.bad:,} bad rows, "
        f"{done.abstained:,} abstained, {done.seconds:.1f} s, {_rate(done):,.0f} rows a second"
    )


def _rate(progress: BulkProgress) -> float:
    return progress.rows / max(progress.seconds, 1e-3)


def main() -> None:
    """Run the command; glovelite's own errors become one line and exit status 1."""
    run_click_command(command, "glovelite-score", "scale")


if __name__ == "__main__":
    main()
