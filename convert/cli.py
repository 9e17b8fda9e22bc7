"""`glovelite-convert`: run folders to bundles, and bundles to the person."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

try:
    import click
except ImportError:
    sys.exit("glovelite-convert needs more than the runtime: pip install 'glovelite[convert]'")

from runtime.errors import GloveliteError

from .model.folding import LAYOUTS
from .parameters import FOLDER, Parsed, as_json_option, data_option
from .search.budget import parse_size, parse_time
from .tflite.recipes import DEFAULT, RECIPES


@click.group(
    epilog="""\b
Exit status: 0 done, 1 the input, the target or the bundle is at fault, 2 wrong usage
"""
)
@click.version_option(package_name="glovelite")
def group() -> None:
    """Turn run folders of glovelite-train into bundles for devices."""


@group.command(
    epilog="""\b
Examples:
  glovelite-convert export runs/imdb --out bundles/imdb --quantize dynamic
  glovelite-convert export runs/imdb --out bundles/small --max-size 300kB
"""
)
@click.argument("run", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="The bundle's folder to write.")
@click.option(
    "--quantize",
    "recipe",
    type=click.Choice(list(RECIPES)),
    help="; ".join(f"{each.name}: {each.purpose}" for each in RECIPES.values())
    + f".  [default: {DEFAULT}; within a budget, the best]",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    help="folded: the convolution worked into the table, several times faster, larger by taps × "
    "filters / dimensions; auto: folded where that is no larger.  [default: conv; within a "
    "budget, the best]",
)
@click.option(
    "--max-words",
    type=click.IntRange(min=3),
    help="Keep so many words, those that text loses most without.  [default: all]",
)
@click.option(
    "--dimensions",
    type=click.IntRange(min=1),
    help="Keep so many dimensions of the word vectors, those the convolution uses most; conv "
    "layout.  [default: all]",
)
@click.option(
    "--max-size",
    type=Parsed("SIZE", parse_size),
    help="Budget: all files of the device together, such as 300kB.",
)
@click.option(
    "--max-latency",
    type=Parsed("TIME", parse_time),
    help="Budget: median from text to label over dev text, one thread, this machine; 50us.",
)
@click.option(
    "--max-accuracy-drop",
    type=click.FloatRange(0, 100),
    help="Points of dev accuracy that may be lost, beyond chance.  [default: 1; within a budget, "
    "what it costs]",
)
@click.option(
    "--abstain-accuracy",
    type=click.FloatRange(0, 100),
    help="Percent right wanted of the answers that `glovelite-run --abstain` gives.  [default: "
    "half the errors]",
)
@click.option("--no-gate", is_flag=True, help="Write the bundle whatever it lost.")
@click.option("--integer-output", is_flag=True, help="With int8: leave the output int8.")
@click.option(
    "--mediapipe", is_flag=True, help="Let MediaPipe's TextClassifier load the model unchanged."
)
@click.option(
    "--emit-c", is_flag=True, help="With int8: write model.c and model.h for microcontrollers."
)
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it is there.")
@as_json_option
def export(
    run: Path,
    out: Path,
    recipe: str | None,
    layout: str | None,
    max_size: int | None,
    max_latency: float | None,
    max_accuracy_drop: float | None,
    abstain_accuracy: float | None,
    no_gate: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Quantize RUN to TFLite and prove the bundle on the device's interpreter.

    The dev and test texts of the run are classified by the produced file with the code and the
    interpreter that a device uses, and compared with Keras. What lost more accuracy, labels or
    probability on dev than chance and the recipe allow is not written.

    Given --max-size or --max-latency, recipes, layouts and vocabularies are searched for the most
    accurate bundle within; what you settle by --quantize, --layout, --max-words or --dimensions
    stays settled.
    """
    from .options import Order
    from .report import describe_export
    from .search.budget import Budget

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    searched = max_size is not None or max_latency is not None
    default = 100.0 if searched else 1.0  # what a budget costs is told, not refused
    points = default if max_accuracy_drop is None else max_accuracy_drop
    drop = None if no_gate else points / 100
    if abstain_accuracy is not None:
        choices["abstain_accuracy"] = abstain_accuracy / 100
    order = Order(run, out, recipe or DEFAULT, layout or "conv", max_accuracy_drop=drop, **choices)
    if searched:
        from .search.search import choose_field
        from .search.selection import export_within_budget

        field = choose_field(recipe, layout, order.max_words, order.dimensions)
        done = export_within_budget(order, field, Budget(max_size, max_latency), say)
    else:
        from .export import export_bundle

        done = export_bundle(order, say)
    click.echo(json.dumps(done.as_dict()) if as_json else describe_export(done))


@group.command(
    epilog="""\b
Example:
  glovelite-convert inspect bundles/imdb
"""
)
@click.argument("bundle", type=FOLDER)
@as_json_option
def inspect(bundle: Path, as_json: bool) -> None:
    """Show what BUNDLE holds: operators, tensors, bytes, hashes, accuracy."""
    from .report import describe_contents
    from .verify.inspection import inspect_bundle

    manifest, contents = inspect_bundle(bundle)
    if as_json:
        click.echo(json.dumps({"manifest": manifest, "contents": asdict(contents)}))
    else:
        click.echo(describe_contents(bundle, manifest, contents))


@group.command(
    epilog="""\b
Example:
  glovelite-convert verify bundles/imdb --data reviews.csv
"""
)
@click.argument("bundle", type=FOLDER)
@data_option
@as_json_option
def verify(bundle: Path, data: Path | None, as_json: bool) -> None:
    """Check BUNDLE: its hashes, its golden texts on this machine, its accuracy on your text."""
    from .report import describe_verification
    from .verify.inspection import to_json, verify_bundle

    found = verify_bundle(bundle, data)
    click.echo(to_json(found) if as_json else describe_verification(bundle, found))


@group.command(
    epilog="""\b
Example:
  glovelite-convert compare bundles/imdb bundles/imdb-int8 --data reviews.csv
"""
)
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@data_option
@as_json_option
def compare(first: Path, second: Path, data: Path | None, as_json: bool) -> None:
    """Compare the bundles FIRST and SECOND: size, agreement, accuracy with its interval."""
    from .report import describe_comparison
    from .verify.inspection import compare_bundles, to_json

    found = compare_bundles(first, second, data)
    click.echo(to_json(found) if as_json else describe_comparison(first, second, found))


@group.command(
    epilog="""\b
Example:
  glovelite-convert site bundles/imdb --out site
  python3 -m http.server --directory site
"""
)
@click.argument("bundle", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="The site's folder to write.")
@click.option(
    "--engine",
    type=FOLDER,
    help="Folder of the engine's npm packages.  [default: npm fetches them]",
)
@click.option("--overwrite", is_flag=True, help="Replace the site if it is there.")
@as_json_option
def site(bundle: Path, out: Path, engine: Path | None, overwrite: bool, as_json: bool) -> None:
    """Write a static page that runs BUNDLE in the browser as you type.

    The page needs any web server and, once loaded, no network: engine, model and vocabulary are
    in its folder. It replays the bundle's golden texts when it loads.
    """
    from .report import describe_site
    from .targets.site import write_site

    done = write_site(bundle, out, lambda line: click.echo(line, err=as_json), engine, overwrite)
    click.echo(json.dumps(done.as_dict()) if as_json else describe_site(done))


def main() -> None:
    """Run the command; the library's own errors become one line and exit status 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clean up as after Ctrl-C
    try:
        group.main(prog_name="glovelite-convert")
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: pip install 'glovelite[convert]'")
    except GloveliteError as error:
        click.echo(f"glovelite-convert: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"glovelite-convert: {error.filename or 'output'}: {error.strerror}", err=True)
        sys.exit(1)
