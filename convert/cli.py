"""`glovelite-convert`: turns run folders into bundles, and inspects bundles."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

from glovelite.data.commands import (
    parse_size,
    parse_time,
    print_lines,
    print_log,
    run_click_command,
)
from glovelite.data.labelled_text import TextSource
from glovelite.runtime.extras import missing_extra_message
from glovelite.runtime.files.records import FORMATS
from glovelite.runtime.version import __version__

try:
    import click
except ImportError as error:
    sys.exit(f"glovelite-convert: {missing_extra_message(error.name, 'convert')}")

from glovelite.data.option_groups import GroupedCommand

from .options import (
    DEFAULT_MAX_DROP,
    INTEGER_RECIPES,
    LAYOUTS,
    MEDIAPIPE_HASHED_WORDS,
    MIN_LISTED_WORDS,
    RECIPES,
    ExportOptions,
    describe_default,
)

FOLDER = click.Path(path_type=Path)
#: Options of labelled text that are fields of `TextSource` by the same name.
SOURCE_FIELDS = (
    "format", "text_column", "label_column", "encoding", "header", "strip_html", "label_separator"
)  # fmt: skip
#: Heading of `export --help` -> options, by the names of their parameters.
EXPORT_GROUPS = {
    "Form of the model": "recipe layout listed_words hashed_words dimensions no_spelling",
    "Search within a budget": "max_size max_latency",
    "Accuracy": "max_accuracy_drop no_gate",
    "Abstention and thresholds": "abstain_accuracy abstain_by_label label_precision",
    "Targets": "mediapipe emit_c integer_output",
    "Output": "out overwrite as_json",
}
Result = TypeVar("Result")
Report = tuple[Any, ...]  # what `print_result` prints


class ParsedType(click.ParamType):  # type: ignore[type-arg]
    """An option that a function parses, raising ValueError for invalid text."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        """Set the name in `--help` and the parser."""
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: Any, context: Any) -> Any:
        """Parse the value, or fail with the parser's message."""
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, context)


def print_result(command: Callable[..., Report]) -> Callable[..., None]:
    """Add `--json`, and print what a command returns.

    That is its result as plain JSON types, what describes the result, and lines to print after it.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
    @wraps(command)
    def print_returned(as_json: bool, **arguments: Any) -> None:
        with print_log(err=as_json):
            result, describe, *notes = command(**arguments)
        print_lines(json.dumps(result) if as_json else describe())
        for note in notes:
            print_lines(note, err=as_json)

    return print_returned


def data_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """Add the options of labelled text, the same as `glovelite-train`'s.

    The command has a parameter `data` of its own. It takes `source` instead, a `TextSource` or None
    without data, and `skip_bad_rows`.
    """

    @wraps(command)
    def with_source(data: str | None, label_columns: str | None, **arguments: Any) -> Result:
        columns = {name: arguments.pop(name) for name in SOURCE_FIELDS}
        source = None
        if data is not None:
            source = TextSource(data, label_columns=label_columns or (), **columns)
        return command(source=source, **arguments)

    options = (
        click.option(
            "--text-column",
            multiple=True,
            help="Text column: name, or number from 1; repeat to join several.",
        ),
        click.option("--label-column", help="Label column: name, or number from 1."),
        click.option(
            "--label-separator", help="Separator of the labels of a text in the label column."
        ),
        click.option(
            "--label-columns",
            help="Columns of 0 and 1, one per label, separated by commas: names, numbers or "
            "ranges.",
        ),
        click.option("--format", type=click.Choice(FORMATS), help="Input format."),
        click.option("--encoding", help="Encoding of text files, such as cp1252."),
        click.option(
            "--header/--no-header",
            default=None,
            help="Whether the first row of a table names its columns.  [default: guessed]",
        ),
        click.option(
            "--strip-html/--no-strip-html",
            default=None,
            help="Remove HTML tags and decode entities.  [default: as in training]",
        ),
        click.option("--skip-bad-rows", is_flag=True, help="Skip rows that cannot be used."),
    )
    for option in reversed(options):
        option(with_source)
    return with_source


@click.group(
    epilog="""\b
Exit status: 0 success, 1 invalid input, output or bundle, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM
"""
)
@click.version_option(__version__, prog_name="glovelite-convert")
def group() -> None:
    """Turn run folders of glovelite-train into bundles for devices."""


@group.command(
    cls=GroupedCommand,
    groups=EXPORT_GROUPS,
    epilog="""\b
Examples:
  glovelite-convert export runs/imdb --out bundles/imdb --quantize dynamic
  glovelite-convert export runs/imdb --out bundles/small --max-size 300kB
""",
)
@click.argument("run", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="Bundle folder to write.")
@click.option(
    "--quantize",
    "recipe",
    type=click.Choice(list(RECIPES)),
    help="; ".join(f"{recipe.name}: {recipe.purpose}" for recipe in RECIPES.values())
    + f".  [default: {describe_default('recipe')}; searched within a budget]",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    help="folded: the convolution folded into the table, fastest without vector units, larger by "
    "taps × filters / dimensions; auto: folded if that is no larger.  [default: conv; searched "
    "within a budget]",
)
@click.option(
    "--listed-words",
    type=click.IntRange(min=MIN_LISTED_WORDS),
    help="Words with a row of their own, those that matter most to the predictions: about 60 bytes "
    f"each by the default recipe.  [default: {describe_default('listed_words')}; searched "
    "within a budget]",
)
@click.option(
    "--hashed-words",
    type=click.IntRange(min=0),
    help="Further words, which share the row of the most similar listed word: 6 bytes each, with "
    f"--mediapipe about 46.  [default: {describe_default('hashed_words')}, with "
    f"--mediapipe {MEDIAPIPE_HASHED_WORDS:,}; searched within a budget]",
)
@click.option(
    "--dimensions",
    type=click.IntRange(min=1),
    help="Dimensions of the word vectors to keep, in the conv layout.  [default: "
    f"{describe_default('dimensions')}, with float32 and float16 all; "
    "searched within a budget]",
)
@click.option(
    "--max-size",
    type=ParsedType("SIZE", parse_size),
    help="Budget: size of all files that a device needs, such as 300kB.",
)
@click.option(
    "--max-latency",
    type=ParsedType("TIME", parse_time),
    help="Budget: median latency over dev text, one thread, this machine, such as 50us.",
)
@click.option(
    "--max-accuracy-drop",
    type=click.FloatRange(0, 100),
    help="Maximum loss of dev accuracy in percentage points; a loss that is not statistically "
    f"significant is accepted.  [default: {100 * DEFAULT_MAX_DROP:g}; unlimited within a budget]",
)
@click.option(
    "--abstain-accuracy",
    type=click.FloatRange(0, 100),
    help="Target accuracy, in percent, of the predictions that `glovelite-run --abstain` keeps.  "
    "[default: halve the error rate]",
)
@click.option(
    "--abstain-by-label",
    is_flag=True,
    help="Choose a threshold for each label, so that the predictions of each label have that "
    "accuracy.",
)
@click.option(
    "--label-precision",
    type=click.FloatRange(0, 100),
    help="For multi-label text: choose the thresholds for this precision of each label on dev, in "
    "percent.  [default: the thresholds of training, which maximize F1]",
)
@click.option(
    "--no-gate", is_flag=True, help="Write the bundle even if it fails the accuracy checks."
)
@click.option(
    "--no-spelling",
    is_flag=True,
    help="Leave misspelt words unknown, even if reading them as the known words that they misspell "
    "helps on dev text.",
)
@click.option("--integer-output", is_flag=True, help="With int8: leave the output int8.")
@click.option(
    "--mediapipe", is_flag=True, help="Let MediaPipe's TextClassifier load the model unchanged."
)
@click.option(
    "--emit-c", is_flag=True, help="With int8: write model.c and model.h for microcontrollers."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@print_result
def export(
    run: Path,
    out: Path,
    recipe: str | None,
    layout: str | None,
    listed_words: int | None,
    hashed_words: int | None,
    max_size: int | None,
    max_latency: float | None,
    max_accuracy_drop: float | None,
    abstain_accuracy: float | None,
    label_precision: float | None,
    no_gate: bool,
    no_spelling: bool,
    overwrite: bool,
    **choices: Any,
) -> Report:
    """Quantize RUN to TFLite and verify the bundle on the device's interpreter.

    The dev and test texts of the run are classified by the written file with the code and the
    interpreter that a device uses, and compared with Keras. A bundle that lost more accuracy,
    labels or probability on dev than chance and the recipe allow is not written.

    With --max-size or --max-latency, recipes, layouts and vocabularies are searched for the most
    accurate bundle within the budget; what --quantize, --layout, --listed-words, --hashed-words
    or --dimensions fix is not searched. With --emit-c or --integer-output the recipe is int8.
    """
    from .report import describe_export

    searched = max_size is not None or max_latency is not None
    if searched and recipe is None and (choices["emit_c"] or choices["integer_output"]):
        (recipe,) = INTEGER_RECIPES
    default_drop = 100.0 if searched else 100 * DEFAULT_MAX_DROP
    points = default_drop if max_accuracy_drop is None else max_accuracy_drop
    options = ExportOptions(
        recipe=recipe,
        layout=layout or "conv",
        listed_words=listed_words,
        hashed_words=hashed_words,
        max_accuracy_drop=None if no_gate else points / 100,
        abstain_accuracy=None if abstain_accuracy is None else abstain_accuracy / 100,
        label_precision=None if label_precision is None else label_precision / 100,
        spelling=not no_spelling,
        **choices,
    )
    if searched:
        from .candidates import Budget
        from .search.search import choose_space
        from .search.selection import export_within_budget

        space = choose_space(recipe, layout, listed_words, hashed_words, options.dimensions)
        budget = Budget(max_size, max_latency)
        result = export_within_budget(run, out, budget, options, space, overwrite=overwrite)
    else:
        from .export import export_bundle

        result = export_bundle(run, out, options, overwrite=overwrite)
    return result.as_dict(), partial(describe_export, result)


@group.command(
    "import",
    epilog="""\b
Examples:
  glovelite-convert import my.keras --labels negative,positive --dev dev.csv --out runs/mine
  glovelite-convert import my.h5 --vocabulary words.txt --labels no,yes --dev dev.csv --out runs/my
""",
)
@click.argument("model", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="Run folder to write, for export.")
@click.option(
    "--labels",
    required=True,
    help="Labels in the order of the outputs, separated by commas; of one sigmoid, first that of "
    "0.",
)
@click.option(
    "--dev",
    "data",
    required=True,
    help="Labelled text that the model was not trained on: any SOURCE of glovelite-train.",
)
@data_options
@click.option(
    "--vocabulary",
    type=FOLDER,
    help="Words of the ids: a Tokenizer as JSON, a .keras file with a TextVectorization layer, or "
    "a word a line.  [default: the model's TextVectorization layer]",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing run folder.")
@print_result
def import_model(
    model: Path,
    out: Path,
    labels: str,
    source: TextSource,
    skip_bad_rows: bool,
    vocabulary: Path | None,
    overwrite: bool,
) -> Report:
    """Make a run folder of MODEL, a text classifier that Keras saved (.keras or .h5).

    Its layers are Embedding, one or several Conv1D, GlobalMaxPooling1D and Dense; others are
    refused. From then on glovelite's tokenizer splits the text: what that changes is measured on
    the dev text. Half of it becomes calibration text, the other half the dev text of the run.
    """
    from .foreign.importing import import_keras
    from .report import describe_import

    names = [label.strip() for label in labels.split(",")]
    result = import_keras(
        model, out, names, source, vocabulary, skip_bad_rows=skip_bad_rows, overwrite=overwrite
    )
    return result.as_dict(), partial(describe_import, result)


@group.command(
    epilog="""\b
Example:
  glovelite-convert inspect bundles/imdb
"""
)
@click.argument("bundle", type=FOLDER)
@print_result
def inspect(bundle: Path) -> Report:
    """Show what BUNDLE holds: operators, tensors, bytes, hashes, accuracy."""
    from .inspection import inspect_bundle
    from .report import describe_inspection

    result = inspect_bundle(bundle)
    return asdict(result), partial(describe_inspection, bundle, result)


@group.command(
    epilog="""\b
Example:
  glovelite-convert verify bundles/imdb
"""
)
@click.argument("bundle", type=FOLDER)
@print_result
def verify(bundle: Path) -> Report:
    """Check BUNDLE: its hashes, and its golden texts on each interpreter that is installed."""
    from .inspection import verify_bundle
    from .report import describe_verification

    result = verify_bundle(bundle)
    return asdict(result), partial(describe_verification, bundle, result)


@group.command(
    epilog="""\b
Examples:
  glovelite-convert evaluate bundles/imdb reviews.csv
  glovelite-convert evaluate bundles/imdb reviews.csv --out evaluations/imdb
"""
)
@click.argument("bundle", type=FOLDER)
@click.argument("data", metavar="FILE")
@data_options
@click.option(
    "--out",
    type=FOLDER,
    help="Folder to write: evaluation.json, evaluation.png and all errors in errors.csv.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing evaluation.")
@print_result
def evaluate(
    bundle: Path,
    source: TextSource,
    skip_bad_rows: bool,
    out: Path | None,
    overwrite: bool,
) -> Report:
    """Measure BUNDLE on the labelled text of FILE: any SOURCE of glovelite-train.

    The texts are classified with the code and the interpreter that a device uses. The report has
    accuracy, precision, recall and F1 of each class, the confusions, the most confident errors,
    calibration, abstention and unknown words.
    """
    from .evaluation import evaluate_bundle
    from .report import describe_evaluation

    result = evaluate_bundle(
        bundle, source, out=out, skip_bad_rows=skip_bad_rows, overwrite=overwrite
    )
    notes = [f"evaluation {out}: all errors in {out / 'errors.csv'}"] if out is not None else []
    return result.as_dict(), partial(describe_evaluation, result), *notes


@group.command(
    epilog="""\b
Example:
  glovelite-convert compare bundles/imdb bundles/imdb-int8 --data reviews.csv
"""
)
@click.argument("first", type=FOLDER)
@click.argument("second", type=FOLDER)
@click.option("--data", help="Labelled text to measure on: any SOURCE of glovelite-train.")
@data_options
@print_result
def compare(first: Path, second: Path, source: TextSource | None, skip_bad_rows: bool) -> Report:
    """Compare the bundles FIRST and SECOND: size, agreement, accuracy with its interval."""
    from .inspection import compare_bundles
    from .report import describe_comparison

    result = compare_bundles(first, second, source, skip_bad_rows=skip_bad_rows)
    return asdict(result), partial(describe_comparison, first, second, result)


@group.command(
    epilog="""\b
Examples:
  glovelite-convert site bundles/imdb --out site
  python3 -m http.server --directory site
  glovelite-convert site bundles/imdb --module imdb-classifier
"""
)
@click.argument("bundle", type=FOLDER)
@click.option("--out", type=FOLDER, help="Site folder to write.")
@click.option(
    "--module",
    type=FOLDER,
    help="Folder to write as a JavaScript module, for browsers, workers, Node and Deno.",
)
@click.option("--title", help="Title of the page.  [default: the labels]")
@click.option(
    "--sample", help="Text that the page shows first.  [default: one of the bundle's golden texts]"
)
@click.option("--overwrite", is_flag=True, help="Replace an existing site or module.")
@print_result
def site(
    bundle: Path,
    out: Path | None,
    module: Path | None,
    title: str | None,
    sample: str | None,
    overwrite: bool,
) -> Report:
    """Write a static page that runs BUNDLE in the browser as you type.

    Any web server can serve it. Code and model are in its folder, so once loaded it works without a
    network. It replays the bundle's golden texts when it loads. With --module, the same code is
    written for JavaScript of your own. conv-lstm and int8 are refused.
    """
    from .report import describe_module, describe_site
    from .targets.site import write_module, write_site

    if out is None and module is None:
        raise click.UsageError("Missing option '--out' or '--module'.")
    if out is None and not (title is None and sample is None):
        raise click.UsageError("--title and --sample are of a page: give --out too.")
    results, lines = {}, []
    if out is not None:
        written = write_site(bundle, out, title=title, sample=sample, overwrite=overwrite)
        results["site"] = written.as_dict()
        lines.append(describe_site(written))
    if module is not None:
        written = write_module(bundle, module, overwrite=overwrite)
        results["module"] = written.as_dict()
        lines.append(describe_module(written))
    return results, partial("\n".join, lines)


@group.command(
    "c",
    epilog="""\b
Example:
  glovelite-convert c bundles/imdb --out c/imdb
  make -C c/imdb && c/imdb/classify "A moving, funny, beautifully acted film."
""",
)
@click.argument("bundle", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="Folder to write.")
@click.option("--overwrite", is_flag=True, help="Replace an existing folder of C.")
@print_result
def c_engine(bundle: Path, out: Path, overwrite: bool) -> Report:
    """Write BUNDLE as C99 without dependencies, from UTF-8 text to label and probability.

    The engine allocates no memory, and reads the model where it is: compiled in, in flash or in a
    mapped file. The folder has a program to try, and the bundle's golden texts as a test. conv-lstm
    and int8 are refused.
    """
    from .report import describe_c_engine
    from .targets.c_engine import write_c_engine

    result = write_c_engine(bundle, out, overwrite=overwrite)
    return result.as_dict(), partial(describe_c_engine, result)


@group.command(
    epilog="""\b
Example:
  glovelite-convert onnx bundles/imdb --out imdb.onnx
"""
)
@click.argument("bundle", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="File to write.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@print_result
def onnx(bundle: Path, out: Path, overwrite: bool) -> Report:
    """Write the model of BUNDLE as ONNX, from ids to probabilities.

    The vocabulary of the bundle makes ids of text. The bundle's golden texts are replayed before
    the file is written. conv-lstm, int8 and models with character n-grams are refused.
    """
    from .report import describe_onnx
    from .targets.onnx_model import write_onnx

    result = write_onnx(bundle, out, overwrite=overwrite)
    return result.as_dict(), partial(describe_onnx, result)


def main() -> None:
    """Run the command; glovelite's own errors become one line and exit status 1."""
    run_click_command(group, "glovelite-convert", "convert")
