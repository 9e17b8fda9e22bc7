"""A run folder in, a bundle out: converted, run on the device's interpreter, written atomically."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.data.run_files import OUT_OF_FOLD
from glovelite.evaluation.scores import Thresholds
from glovelite.runtime.aliases import Floats, PathLike
from glovelite.runtime.bundle import DEVICE_FILES, MANIFEST_FILE, MODEL_CARD_FILE
from glovelite.runtime.errors import ConversionError, RunFolderError
from glovelite.runtime.logs import log_lines
from glovelite.runtime.text.vocabulary import Vocabulary

from .candidates import Candidate
from .conversion import ConversionResult
from .manifest import (
    Measurements,
    bundle_bytes,
    golden_texts,
    write_bundle_files,
    write_model_card,
)
from .options import KEEPS_ALL_PIECES, RECIPES, ExportOptions, name_metric
from .run_folder import RunFolder, read_run
from .targets.mediapipe import check_support
from .targets.microcontroller import HEADER_FILE, SOURCE_FILE, missing_in_micro, write_c
from .verify.abstention import (
    Abstention,
    AnsweredShare,
    Answers,
    apply_abstention,
    choose_abstention,
    choose_evidence,
    choose_thresholds_by_precision,
    describe_shortfall,
    text_familiarity,
)
from .verify.device import device_version, run_on_device
from .verify.fidelity import Fidelity, check_fidelity, compare_scores
from .worker import run_in_child

logger = logging.getLogger(__name__)

FRONTIER_PLOT, CANDIDATES_FILE = "frontier.png", "candidates.json"
BUNDLE_FILES = frozenset(
    (*DEVICE_FILES, MODEL_CARD_FILE, SOURCE_FILE, HEADER_FILE, FRONTIER_PLOT, CANDIDATES_FILE)
)
SCORE_TOLERANCE = 0.005  # between Keras here and in training: rounding changes a text or two


@dataclass(frozen=True)
class ExportResult:
    """A bundle that was just written.

    Attributes:
        bundle: its folder.
        recipe: name of the recipe.
        bytes: size of each file that a device needs.
        listed_words: tokens that the vocabulary file lists.
        hashed_words: words in the index of hashed words.
        plain_bytes: size of the model without what MediaPipe needs.
        interpreter: name and version of the device's interpreter.
        fidelity: device against Keras, for `dev`, and for `test` if there is test text.
        abstention: the thresholds of a reliable prediction.
        answered: share of these sets above the threshold, and its accuracy.
        missing_in_micro: operators and types that TFLite Micro lacks; None without a C array.
        candidates: the bundles that a search measured.
        choice: why the search took none of the others; empty without a search.
        thresholds: label -> its threshold in the bundle, of multi-label text; else None.
        shortest_corrected: letters of the shortest words that are corrected; None if none are.
    """

    bundle: Path
    recipe: str
    bytes: dict[str, int]
    listed_words: int
    hashed_words: int
    plain_bytes: int
    interpreter: str
    fidelity: dict[str, Fidelity]
    abstention: Abstention
    answered: dict[str, AnsweredShare]
    missing_in_micro: list[str] | None = None
    candidates: tuple[Candidate, ...] = ()
    choice: str = ""
    thresholds: dict[str, float] | None = None
    shortest_corrected: int | None = None

    def __repr__(self) -> str:
        measured = ", ".join(
            f"{name} {self.metric} {part.device:.1%}" for name, part in self.fidelity.items()
        )
        return (
            f"<ExportResult {self.bundle}: {self.recipe}, {self.total_bytes:,} bytes, {measured} "
            f"on {self.interpreter}>"
        )

    @property
    def metric(self) -> str:
        """Name of the scores in `fidelity`: `"accuracy"` or `"micro F1"`."""
        return name_metric(multi_label=self.thresholds is not None)

    @property
    def total_bytes(self) -> int:
        """Size of all files that a device needs."""
        return sum(self.bytes.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return {
            **asdict(self),
            "bundle": str(self.bundle),
            "total_bytes": self.total_bytes,
            "candidates": [candidate.as_dict() for candidate in self.candidates],
        }


def export_bundle(
    run: PathLike, out: PathLike, options: ExportOptions | None = None, *, overwrite: bool = False
) -> ExportResult:
    """Convert a run folder into a bundle, verified with the TFLite interpreter that devices use.

    Raises:
        RunFolderError: the run cannot be converted.
        ConversionError: TensorFlow's converter failed or crashed, its output would not run on
            tflite-runtime 2.14, or the options do not fit the model.
        DeviceError: the device's interpreter rejects the model.
        FidelityError: the bundle lost more than the options allow.
        InterpreterError: no interpreter is installed.
        OutputError: the bundle exists or cannot be written.

    Example:
        >>> export_bundle("runs/mine", "bundles/mine", ExportOptions(recipe="int4")).total_bytes
    """
    options = options or ExportOptions()
    with reserve_output_folder(Path(out), overwrite, MANIFEST_FILE, BUNDLE_FILES) as target:
        device_version()  # raises before the conversion if there is none
        source = read_run(Path(run))
        check_options(source, options)
        if options.mediapipe:
            share = check_support(source.vocabulary, source.dev.texts)
            logger.info(f"MediaPipe sees {share:.1%} of the dev tokens differently")
        with atomic_folder(target, overwrite) as staging:
            recipe = options.choose_form(len(source.vocabulary.labels)).recipe
            logger.info(f"converting {source.path} with recipe {recipe.name}")
            conversion = run_in_child(convert_in_child, source.path, options)
            result = write_bundle(staging, source, conversion, options)
            write_model_card(staging)
    return replace(result, bundle=Path(out))


def check_options(run: RunFolder, options: ExportOptions) -> None:
    """Raise ConversionError for options that do not fit a run's labels, tokens or n-grams."""
    options.check_labels(run.vocabulary.multi_label)
    chosen = options.listed_words is not None or options.hashed_words is not None
    if run.vocabulary.is_of_pieces and chosen:
        raise ConversionError(KEEPS_ALL_PIECES)
    for name, given in (
        ("--mediapipe", options.mediapipe),
        ("--emit-c", options.emit_c),
        ("--integer-output", options.integer_output),
    ):
        if given and run.ngrams is not None:
            raise ConversionError(
                f"{run.path} reads character n-grams, which are added outside of the model: "
                f"{name} is for models without them: train with --no-ngrams"
            )


def write_bundle(
    folder: Path, run: RunFolder, conversion: ConversionResult, options: ExportOptions
) -> ExportResult:
    """Write a converted model into an empty folder, measured on the device's interpreter.

    Raises:
        DeviceError: the device's interpreter rejects the model.
        FidelityError: the bundle lost more than the options allow.
    """
    model, vocabulary = conversion.model, conversion.model.vocabulary
    write_bundle_files(folder, model, run)  # a draft that the device can load
    measured = _measure(folder, run, conversion, options)
    write_bundle_files(folder, model, run, measured)
    thresholds = measured.thresholds
    if options.emit_c:
        write_c(folder, model.flatbuffer, model.contents, vocabulary, thresholds or ())
    return ExportResult(
        bundle=folder,
        recipe=model.recipe,
        bytes=bundle_bytes(folder),
        listed_words=len(vocabulary.tokens),
        hashed_words=vocabulary.hashed_count,
        plain_bytes=model.plain_bytes,
        interpreter=measured.interpreter,
        fidelity=measured.fidelity,
        abstention=measured.abstention,
        answered=measured.answered,
        missing_in_micro=missing_in_micro(model.contents) if options.emit_c else None,
        thresholds=None if thresholds is None else dict(zip(vocabulary.labels, thresholds)),
        shortest_corrected=None if vocabulary.spelling is None else vocabulary.spelling.shortest,
    )


def convert_in_child(run: Path, options: ExportOptions) -> ConversionResult:
    """Convert a run, in the child process: only there is TensorFlow imported."""
    from .tf_worker import convert_run

    return convert_run(run, options)


def _measure(
    bundle: Path, run: RunFolder, conversion: ConversionResult, options: ExportOptions
) -> Measurements:
    """Run dev, test and golden texts on the device, and check the bundle's fidelity."""
    vocabulary, interpreter = conversion.model.vocabulary, device_version()
    goldens = golden_texts(vocabulary, conversion.model.hashed_tokens)
    held_out, thresholds, metric = run.held_out, run.metrics.thresholds, run.metrics.metric
    texts = [text for part in held_out.values() for text in part.texts]
    logger.info(f"running {len(texts):,} {' and '.join(held_out)} texts on {interpreter}")
    all_scores = run_on_device(bundle, [*texts, *goldens])
    ends = np.cumsum([len(part.texts) for part in held_out.values()])
    *parts, golden_scores = np.split(all_scores, ends)
    scores = dict(zip(held_out, parts))
    fidelity = {
        name: compare_scores(part.targets, conversion.keras[name], scores[name], thresholds)
        for name, part in held_out.items()
    }
    _check_scores(run, fidelity)
    if options.max_accuracy_drop is not None:
        targets, recipe = run.dev.targets, RECIPES[conversion.model.recipe]
        dev_kept = compare_scores(targets, conversion.dev_kept, scores["dev"], thresholds)
        check_fidelity(fidelity["dev"], dev_kept, recipe, options.max_accuracy_drop, metric)
    answers = collect_answers(run, scores, vocabulary, thresholds)
    if options.label_precision is not None:
        thresholds = choose_thresholds_by_precision(
            answers[choose_evidence(answers)], vocabulary.labels, options.label_precision
        )
        answers = {name: replace(part, thresholds=thresholds) for name, part in answers.items()}
    abstention, answered = choose_and_apply(answers, vocabulary.labels, options)
    explicit = options.abstain_accuracy is not None
    folds = run.metrics.cross_validation is not None
    log_lines(logger, describe_shortfall(abstention, explicit, folds))
    return Measurements(
        interpreter, fidelity, goldens, golden_scores, abstention, answered, thresholds
    )


def collect_answers(
    run: RunFolder,
    scores: Mapping[str, Floats],
    vocabulary: Vocabulary,
    thresholds: Thresholds | None,
) -> dict[str, Answers]:
    """Return the device's answers on `dev` and `test`, and cross-validation's if there are some."""
    answers = {}
    if run.out_of_fold is not None:
        answers[OUT_OF_FOLD] = replace(run.out_of_fold, thresholds=thresholds)
    for name, found in scores.items():
        texts = run.held_out[name]
        familiarity = text_familiarity(texts.texts, vocabulary)
        answers[name] = Answers(found, texts.targets, familiarity, thresholds)
    return answers


def choose_and_apply(
    answers: Mapping[str, Answers], labels: Sequence[str], options: ExportOptions
) -> tuple[Abstention, dict[str, AnsweredShare]]:
    """Choose when the bundle abstains, and measure what that does to each set of texts."""
    abstention = choose_abstention(
        answers, labels, options.abstain_accuracy, options.abstain_by_label
    )
    answered = {name: apply_abstention(part, labels, abstention) for name, part in answers.items()}
    return abstention, answered


def _check_scores(run: RunFolder, fidelity: dict[str, Fidelity]) -> None:
    """Raise RunFolderError unless `model.keras` has the scores that `metrics.json` records."""
    for name, measured in fidelity.items():
        recorded = run.metrics.scores[name]
        if abs(measured.keras - recorded) > SCORE_TOLERANCE:
            raise RunFolderError(
                f"{run.path}: model.keras has {run.metrics.metric} {measured.keras:.2%} on {name}, "
                f"metrics.json says {recorded:.2%}: train again"
            )
