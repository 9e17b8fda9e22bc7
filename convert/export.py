"""A run folder in, a bundle out: converted, run on the device's interpreter, written atomically."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.runtime.aliases import Floats, PathLike
from glovelite.runtime.bundle import DEVICE_FILES, MANIFEST_FILE, MODEL_CARD_FILE
from glovelite.runtime.errors import ConversionError, RunFolderError
from glovelite.runtime.text.vocabulary import Vocabulary

from .candidates import Candidate
from .conversion import ConversionRequest, ConversionResult, ConvertedModel
from .manifest import (
    Measurements,
    ModelDescription,
    build_manifest,
    bundle_bytes,
    golden_texts,
    write_bundle_files,
    write_model_card,
)
from .options import RECIPES, ExportOptions, name_metric
from .run_folder import RunFolder, read_run
from .targets.mediapipe import add_metadata, check_support
from .targets.microcontroller import HEADER_FILE, SOURCE_FILE, missing_in_micro, write_c
from .tflite.tflite_file import Contents, check_operators, read_contents
from .verify.abstention import (
    Abstention,
    AnsweredShare,
    DeviceAnswers,
    apply_abstention,
    choose_abstention,
    choose_thresholds_by_precision,
    text_familiarity,
)
from .verify.device import device_version, run_on_device
from .verify.fidelity import Fidelity, check_fidelity, compare_scores
from .worker import run_in_child

logger = logging.getLogger(__name__)

FRONTIER_PLOT, CANDIDATES_FILE = "frontier.png", "candidates.json"
BUNDLE_FILES = frozenset(
    (
        *DEVICE_FILES,
        MODEL_CARD_FILE,
        SOURCE_FILE,
        HEADER_FILE,
        FRONTIER_PLOT,
        CANDIDATES_FILE,
    )
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
        interpreter: what computed the device's predictions, with its version.
        fidelity: device against Keras, for `dev`, and for `test` if there is test text.
        abstention: the thresholds of a reliable prediction.
        answered: how much of each of these is above the threshold.
        missing_in_micro: what TFLite Micro lacks to run a model written in C; None if none was
            written.
        candidates: what a search for a budget measured.
        choice: why the search took none of the others; empty without a search.
        thresholds: label -> its threshold in the bundle, of multi-label text; else None.
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

    @property
    def metric(self) -> str:
        """What the scores of the fidelity are: `"accuracy"` or `"micro F1"`."""
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


@dataclass(frozen=True)
class FinishedModel:
    """A converted model with everything that the options ask for.

    Attributes:
        flatbuffer: the model.
        contents: its operators and tensors.
        description: what the manifest records about it.
    """

    flatbuffer: bytes
    contents: Contents
    description: ModelDescription


def export_bundle(
    run: PathLike, out: PathLike, options: ExportOptions | None = None, *, overwrite: bool = False
) -> ExportResult:
    """Convert a run into a bundle that is verified with the TFLite interpreter that devices use.

    Args:
        run: the folder that `glovelite-train` wrote.
        out: the bundle to write.
        options: how to convert; None takes the defaults.
        overwrite: replace an existing bundle.

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
        if options.mediapipe:
            check_support(source.vocabulary)
        with atomic_folder(target, overwrite) as staging:
            logger.info(f"converting {source.path} with recipe {options.recipe}")
            conversion = run_in_child(convert_in_child, _conversion_request(source, options))
            written = write_bundle(staging, source, conversion, options)
            write_model_card(staging / MODEL_CARD_FILE, written.manifest, written.vocabulary)
    return written.result(Path(out))


@dataclass(frozen=True)
class WrittenBundle:
    """The device's files of a bundle, complete and measured.

    Attributes:
        manifest: the content of `manifest.json`.
        bytes: size of each file.
        conversion: the model and the reference for its predictions.
        measurements: what the device computed.
        recipe: name of the recipe.
        missing_in_micro: what TFLite Micro lacks to run the model; None if no C was written.
    """

    manifest: dict[str, Any]
    bytes: dict[str, int]
    conversion: ConversionResult
    measurements: Measurements
    recipe: str
    missing_in_micro: list[str] | None

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the bundle."""
        return self.conversion.model.vocabulary

    def result(self, bundle: Path) -> ExportResult:
        """Return what the export reports about the bundle at this path."""
        return ExportResult(
            bundle=bundle,
            recipe=self.recipe,
            bytes=self.bytes,
            listed_words=len(self.vocabulary.tokens),
            hashed_words=self.vocabulary.hashed_count,
            plain_bytes=len(self.conversion.model.flatbuffer),
            interpreter=self.measurements.interpreter,
            fidelity=self.measurements.fidelity,
            abstention=self.measurements.abstention,
            answered=self.measurements.answered,
            missing_in_micro=self.missing_in_micro,
            thresholds=self.manifest.get("thresholds"),
        )


def write_bundle(
    folder: Path, run: RunFolder, conversion: ConversionResult, options: ExportOptions
) -> WrittenBundle:
    """Write a converted model's files, measured on the device's interpreter.

    Args:
        folder: an empty folder.
        run: the run that was converted.
        conversion: the model and the reference for its predictions.
        options: those of the conversion.

    Raises:
        DeviceError: the device's interpreter rejects the model.
        FidelityError: the bundle lost more than the options allow.
    """
    model = write_draft(folder, run, conversion.model, options)
    vocabulary, interpreter = conversion.model.vocabulary, device_version()
    count = sum(len(part.texts) for part in run.held_out.values())
    logger.info(f"running {count:,} {' and '.join(run.held_out)} texts on {interpreter}")
    measurements = _measure(folder, run, conversion, options, interpreter)
    manifest = build_manifest(
        model.flatbuffer, vocabulary, model.description, run.metrics, measurements
    )
    write_bundle_files(folder, model.flatbuffer, vocabulary, manifest)
    missing = None
    if options.emit_c:
        write_c(
            folder,
            model.flatbuffer,
            model.contents,
            vocabulary,
            measurements.thresholds or (),
        )
        missing = missing_in_micro(model.contents)
    sizes = bundle_bytes(folder)
    return WrittenBundle(manifest, sizes, conversion, measurements, options.recipe, missing)


def write_draft(
    folder: Path, run: RunFolder, converted: ConvertedModel, options: ExportOptions
) -> FinishedModel:
    """Write a bundle that the device can load, without measurements.

    Raises:
        ConversionError: the model would not run on tflite-runtime 2.14.
    """
    model = _finish_model(converted, options)
    draft = build_manifest(model.flatbuffer, converted.vocabulary, model.description, run.metrics)
    write_bundle_files(folder, model.flatbuffer, converted.vocabulary, draft)
    return model


def check_scores(run: RunFolder, fidelity: dict[str, Fidelity]) -> None:
    """Check that `model.keras` is the model that the run folder describes.

    Args:
        run: the run folder.
        fidelity: with Keras's accuracy on its texts, measured here.

    Raises:
        RunFolderError: the accuracy differs from `metrics.json`.
    """
    for name, measured in fidelity.items():
        recorded = run.metrics.scores[name]
        if abs(measured.keras - recorded) > SCORE_TOLERANCE:
            raise RunFolderError(
                f"{run.path}: model.keras has {run.metrics.metric} {measured.keras:.2%} on {name}, "
                f"metrics.json says {recorded:.2%}: train again"
            )


def convert_in_child(request: ConversionRequest) -> ConversionResult:
    """Convert a run, in the child process: only there is TensorFlow imported."""
    from .tf_worker import convert_run

    return convert_run(request)


def _conversion_request(run: RunFolder, options: ExportOptions) -> ConversionRequest:
    return ConversionRequest(
        run=run.path,
        recipe=options.recipe,
        layout=options.layout,
        listed_words=options.listed_words,
        hashed_words=options.chosen_hashed_words,
        dimensions=options.dimensions,
        for_mediapipe=options.mediapipe,
        fixed_length=options.emit_c,
        integer_output=options.integer_output,
    )


def _finish_model(converted: ConvertedModel, options: ExportOptions) -> FinishedModel:
    """Add MediaPipe's metadata if requested, and check the operators."""
    flatbuffer = converted.flatbuffer
    if options.mediapipe:
        flatbuffer = add_metadata(flatbuffer, converted.vocabulary, converted.hashed_tokens)
    contents = read_contents(flatbuffer)
    check_operators(contents.operators)
    description = ModelDescription(
        recipe=options.recipe,
        layout=converted.layout,
        trained_words=converted.trained_words,
        dimensions=converted.dimensions,
        oldest_runtime=contents.oldest_runtime,
        length=converted.length,
        outputs=converted.outputs,
        output_dtype="int8" if options.integer_output else "float32",
    )
    return FinishedModel(flatbuffer, contents, description)


def _measure(
    bundle: Path,
    run: RunFolder,
    conversion: ConversionResult,
    options: ExportOptions,
    interpreter: str,
) -> Measurements:
    """Run dev, test and golden texts on the device, and check the bundle's fidelity."""
    goldens = golden_texts(conversion.model.vocabulary, conversion.model.hashed_tokens)
    held_out, reference = run.held_out, conversion.reference
    texts = [text for part in held_out.values() for text in part.texts]
    all_scores = run_on_device(bundle, [*texts, *goldens])
    ends = np.cumsum([len(part.texts) for part in held_out.values()])
    *parts, golden_scores = np.split(all_scores, ends)
    scores = dict(zip(held_out, parts))
    keras = {"dev": reference.dev, "test": reference.test}
    thresholds, metric = run.metrics.thresholds, run.metrics.metric
    fidelity = {
        name: compare_scores(part.targets, keras[name], scores[name], thresholds)
        for name, part in held_out.items()
    }
    check_scores(run, fidelity)
    dev = run.dev
    if options.max_accuracy_drop is not None:
        dev_kept = compare_scores(dev.targets, reference.dev_kept, scores["dev"], thresholds)
        recipe = RECIPES[options.recipe]
        check_fidelity(fidelity["dev"], dev_kept, recipe, options.max_accuracy_drop, metric)
    vocabulary = conversion.model.vocabulary
    familiarity = {
        name: text_familiarity(part.texts, vocabulary) for name, part in held_out.items()
    }
    if options.label_precision is not None:
        thresholds = _choose_precise(scores["dev"], run, options.label_precision)
    answers = {
        name: DeviceAnswers(scores[name], part.targets, familiarity[name], thresholds)
        for name, part in held_out.items()
    }
    labels = vocabulary.labels
    abstention = choose_abstention(
        answers["dev"], labels, options.abstain_accuracy, options.abstain_by_label
    )
    answered = {name: apply_abstention(each, labels, abstention) for name, each in answers.items()}
    return Measurements(
        interpreter, fidelity, goldens, golden_scores, abstention, answered, thresholds
    )


def _choose_precise(scores: Floats, run: RunFolder, precision: float) -> tuple[float, ...]:
    """Choose thresholds by precision on dev text."""
    if not run.vocabulary.multi_label:
        raise ConversionError(
            "--label-precision is for multi-label text: --abstain-by-label asks for an accuracy of "
            "the predictions of each label"
        )
    answers = DeviceAnswers(scores, run.dev.targets)
    return choose_thresholds_by_precision(answers, run.vocabulary.labels, precision)
