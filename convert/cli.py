"""`glovelite-convert`: run folders to bundles."""

from __future__ import annotations

import json
import sys
from pathlib import Path

try:
    import click
except ImportError:
    sys.exit("glovelite-convert needs more than the runtime: pip install 'glovelite[convert]'")

from runtime.errors import GloveliteError

from .export import Export, export_bundle
from .recipes import DEFAULT, RECIPES


@click.group(
    epilog="""\b
Exit status: 0 done, 1 the run or the target is at fault, 2 wrong usage
"""
)
@click.version_option(package_name="glovelite")
def group() -> None:
    """Turn run folders of glovelite-train into bundles for devices."""


@group.command(
    epilog="""\b
Example:
  glovelite-convert export runs/imdb --out bundles/imdb --quantize dynamic
"""
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The bundle's folder to write."
)
@click.option(
    "--quantize",
    "recipe",
    type=click.Choice(list(RECIPES)),
    default=DEFAULT,
    show_default=True,
    help="; ".join(f"{each.name}: {each.purpose}" for each in RECIPES.values()) + ".",
)
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it is there.")
@click.option("--json", "as_json", is_flag=True, help="End with the result as JSON on stdout.")
def export(run: Path, out: Path, recipe: str, overwrite: bool, as_json: bool) -> None:
    """Quantize RUN to TFLite and prove the bundle on the device's interpreter.

    The dev and test texts of the run are classified by the produced file with the code and the
    interpreter that a device uses, and compared with Keras.
    """
    done = export_bundle(
        run, out, recipe, overwrite, say=lambda line: click.echo(line, err=as_json)
    )
    click.echo(json.dumps(done.as_dict()) if as_json else describe(done))


def describe(done: Export) -> str:
    """Say what was exported, for a person."""
    lines = [f"{'':6} {'texts':>7} {'Keras':>8} {'device':>8} {'same label':>11}"]
    for name, each in done.fidelity.items():
        lines.append(
            f"{name:6} {each.texts:7,} {each.keras:8.2%} {each.device:8.2%} {each.agreement:11.2%}"
        )
    sizes = ", ".join(f"{name} {size:,}" for name, size in done.bytes.items())
    lines.append(f"bundle {done.bundle}: {done.total_bytes:,} bytes ({sizes})")
    return "\n".join(lines)


def main() -> None:
    """Run the command; the library's own errors become one line and exit status 1."""
    try:
        group.main(prog_name="glovelite-convert")
    except GloveliteError as error:
        click.echo(f"glovelite-convert: {error}", err=True)
        sys.exit(1)
