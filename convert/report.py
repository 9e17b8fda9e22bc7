"""Describes exports, bundles, evaluations and comparisons as human-readable lines."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from glovelite.evaluation.confusions import MAX_SHOWN, describe_confusions, describe_count
from glovelite.evaluation.scores import Accuracy, Scores, describe_accuracy, describe_classes
from glovelite.runtime.bundle import MANIFEST_FILE, MODEL_FILE
from glovelite.runtime.cli.terminal import one_line, replace_controls
from glovelite.runtime.decision import ABSTAIN_FROM_ALL, NEVER_GIVEN
from glovelite.runtime.errors import BundleDamagedError

from .evaluation import (
    AbstentionEffect,
    CorrectedWords,
    Evaluation,
    Misclassified,
    UnknownWords,
)
from .export import ExportResult
from .foreign.importing import ImportResult
from .inspection import Comparison, Inspection, Verification
from .options import name_metric
from .targets.c_engine import CEngineResult
from .targets.onnx_model import OnnxResult
from .targets.site import SiteResult
from .verify.abstention import show_set

MAX_MATRIX_CLASSES = 8  # more are described by their largest confusions
MAX_TEXT_CHARACTERS = 58
MAX_SHOWN_TENSORS = 8


def describe_evaluation(evaluation: Evaluation) -> str:
    """Describe what a bundle gets right and wrong."""
    scores, calibration = evaluation.scores, evaluation.calibration
    single_label = scores.multi_label is None
    confusions = (
        _describe_matrix(scores)
        if single_label and len(scores.classes) <= MAX_MATRIX_CLASSES
        else describe_confusions(evaluation.confusions, "predicted" if single_label else "given")
    )
    macro_f1 = f", macro F1 {scores.macro_f1:.1%}" if single_label else ""
    lines = [
        f"{describe_accuracy(evaluation.data, scores)}{macro_f1}",
        *describe_classes(scores, "evaluation.json of --out"),
        "",
        *confusions,
        "",
        *_describe_errors(evaluation.errors, evaluation.unit),
        "",
        f"calibration: expected calibration error {calibration.error:.1%}, mean probability "
        f"{calibration.mean_probability:.1%}, {'accuracy' if single_label else 'true'} "
        f"{calibration.accuracy:.1%}",
        *_describe_effect(evaluation.abstention),
        _describe_unknown_words(evaluation.unknown_words),
        *_describe_corrected_words(evaluation.corrected_words),
    ]
    return "\n".join(lines)


def _describe_matrix(scores: Scores) -> Iterator[str]:
    labels = [scored.label for scored in scores.classes]
    counts = {(true, predicted): texts for true, predicted, texts in scores.confusion}
    first = max(map(len, labels))
    widths = [max(7, len(label)) for label in labels]
    yield "confusion: a row for each true class, a column for each predicted class"
    header = "  ".join(f"{label:>{width}}" for label, width in zip(labels, widths))
    yield f"{'':{first}}  {header}"
    for true, label in enumerate(labels):
        row = (f"{counts.get((true, column), 0):{w},}" for column, w in enumerate(widths))
        yield f"{label:{first}}  {'  '.join(row)}"


def _describe_errors(errors: Sequence[Misclassified], unit: str) -> Iterator[str]:
    yield describe_count("errors", len(errors), "most confident")
    for error in errors[:MAX_SHOWN]:
        where = error.source if error.line is None else f"{unit} {error.line}"
        text = one_line(error.text)
        if len(text) > MAX_TEXT_CHARACTERS:
            text = text[: MAX_TEXT_CHARACTERS - 1] + "…"
        predicted, label = error.predicted or "(none)", error.label or "(none)"
        yield f"{error.probability:7.1%}  {predicted}, not {label} ({where}): {text}"


def _describe_effect(abstention: AbstentionEffect) -> Iterator[str]:
    share = abstention.answered_share
    if abstention.answered:
        yield describe_accuracy(f"answers {share:.1%} of the texts", abstention.answered)
    if abstention.abstained:
        yield describe_accuracy(f"abstains from {1 - share:.1%}", abstention.abstained)


def _describe_unknown_words(words: UnknownWords) -> str:
    line = f"unknown words: {words.share:.1%} of {words.tokens:,} tokens"
    if not words.distinct:
        return line
    shown = ", ".join(f"{word} ({count:,})" for word, count in words.most_frequent[:MAX_SHOWN])
    return f"{line}, {words.distinct:,} different; the most frequent: {shown}"


def _describe_corrected_words(words: CorrectedWords) -> Iterator[str]:
    if words.distinct:
        shown = ", ".join(
            f"{token} as {word} ({count:,})"
            for token, word, count in words.most_frequent[:MAX_SHOWN]
        )
        yield (
            f"corrected words: {words.share:.1%} of the tokens, {words.distinct:,} different; "
            f"the most frequent: {shown}"
        )


def describe_export(result: ExportResult) -> str:
    """Describe what was exported and how faithful it is to the float model."""
    lines = [f"chosen: {result.choice}"] if result.choice else []
    if result.thresholds is not None:
        lines.append(f"{result.metric} with the thresholds of the labels:")
    lines += [f"{'':6} {'texts':>7} {'Keras':>8} {'device':>8} {'same label':>11}"]
    for name, part in result.fidelity.items():
        lines.append(
            f"{name:6} {part.texts:7,} {part.keras:8.2%} {part.device:8.2%} {part.agreement:11.2%}"
        )
    if result.thresholds is not None:
        lines.append(_describe_thresholds(result.thresholds))
    lines.append(_describe_abstention(result))
    if result.shortest_corrected is not None:
        lines.append(
            f"misspelt words of {result.shortest_corrected} letters and more are corrected"
        )
    sizes = ", ".join(f"{name} {size:,}" for name, size in result.bytes.items())
    lines.append(f"bundle {result.bundle}: {result.total_bytes:,} bytes ({sizes})")
    mediapipe_bytes = result.bytes[MODEL_FILE] - result.plain_bytes
    if mediapipe_bytes:
        lines.append(
            f"of these, {mediapipe_bytes:,} for MediaPipe: "
            f"{result.total_bytes - mediapipe_bytes:,} bytes without"
        )
    if result.missing_in_micro is not None:
        missing = "; ".join(result.missing_in_micro)
        lines.append(
            f"TFLite Micro lacks {missing}: the C array will not run there"
            if missing
            else "model.c, model.h: TFLite Micro supports every operator and type in it"
        )
    command = shlex.join(("glovelite-run", str(result.bundle), "a text to classify"))
    return "\n".join([*lines, f"next: {command}"])


def _describe_thresholds(thresholds: Mapping[str, float]) -> str:
    given = [value for value in thresholds.values() if value < NEVER_GIVEN]
    line = f"labels are given from probabilities of {min(given):.1%} to {max(given):.1%}"
    never = len(thresholds) - len(given)
    if never:
        line += f", {never:,} of {len(thresholds):,} never"
    return f"{line}: {MANIFEST_FILE} has the threshold of each"


def _describe_abstention(result: ExportResult) -> str:
    abstention = result.abstention
    thresholds = abstention.labels or {"": abstention.probability}
    if not any(thresholds.values()):
        return "--abstain never abstains because of a low confidence"
    if abstention.accuracy is None:
        return "--abstain abstains from every text"
    answered = ", ".join(
        f"answers {part.share:.0%} of {show_set(name)}, {part.accuracy:.1%} correct"
        for name, part in result.answered.items()
    )
    if not abstention.labels:
        return f"--abstain, below a confidence of {abstention.probability:.1%}: {answered}"
    if len(thresholds) > MAX_SHOWN:
        never = sum(threshold >= ABSTAIN_FROM_ALL for threshold in thresholds.values())
        shown = f"{MANIFEST_FILE} has it; {never:,} of {len(thresholds):,} always"
    else:
        shown = ", ".join(
            f"{label} {threshold:.1%}" if threshold < ABSTAIN_FROM_ALL else f"{label} always"
            for label, threshold in thresholds.items()
        )
    return f"--abstain, below the confidence of each label ({shown}): {answered}"


def describe_inspection(bundle: Path, inspection: Inspection) -> str:
    """Describe what a bundle holds.

    Raises:
        BundleDamagedError: the manifest is incomplete.
    """
    try:
        return "\n".join(map(replace_controls, _inspection_lines(bundle, inspection)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleDamagedError(f"{bundle}: the manifest is incomplete: {error!r}") from None


def _inspection_lines(bundle: Path, inspection: Inspection) -> list[str]:
    manifest, contents = inspection.manifest, inspection.contents
    length = manifest["input"]["length"]
    trained = manifest["trained"]
    lines = [
        f"{bundle}: {manifest['architecture']}, recipe {manifest['recipe']}, "
        f"layout {manifest['layout']}, "
        f"loads on TFLite {contents.oldest_runtime} and newer",
        f"trained on {trained['corpus']['name']} with {trained['glove']}, seed {trained['seed']}",
        f"input int32 [1, {length or 'any length'}], output {manifest['output']['dtype']} "
        f"[1, {manifest['output']['size']}] ({manifest['output']['activation']})",
        f"{inspection.listed_words:,} words listed, {inspection.hashed_words:,} hashed",
        "",
    ]
    for name, described in manifest["files"].items():
        lines.append(f"{name:16} {described['bytes']:11,} bytes  sha256 {described['sha256']}")
    lines += ["", f"{'operator':17} {'version':>7} {'count':>6}"]
    for operator in contents.operators:
        lines.append(f"{operator.name:17} {operator.version:7} {operator.count:6}")
    lines += ["", f"{'tensor (largest first)':44} {'type':8} {'shape':18} {'bytes':>11}"]
    for tensor in contents.tensors[:MAX_SHOWN_TENSORS]:
        shape = " × ".join(map(str, tensor.shape)) or "scalar"
        lines.append(f"{tensor.name[-44:]:44} {tensor.dtype:8} {shape:18} {tensor.bytes:11,}")
    metric = name_metric(multi_label="thresholds" in manifest)
    lines += ["", f"{metric} with {manifest['interpreter']}:"]
    for name, part in manifest["accuracy"].items():
        lines.append(
            f"{name:5} {part['texts']:7,} texts: Keras {part['keras']:.2%}, device "
            f"{part['device']:.2%}, same label {part['agreement']:.2%}"
        )
    return [*lines, *_inspect_abstention(manifest["abstention"])]


def _inspect_abstention(abstention: Mapping[str, Any]) -> Iterator[str]:
    """Describe the accuracy that abstention keeps, which bundles of earlier versions lack."""
    if "evidence" not in abstention:
        return
    evidence, accuracy = abstention["evidence"], abstention["accuracy"]
    kept = "relies on no prediction" if accuracy is None else f"keeps {accuracy:.1%}"
    yield (
        f"--abstain {kept}, wanted {abstention['wanted']:.1%}, shown by {evidence['texts']:,} "
        f"{show_set(evidence['set'])} texts"
    )


def describe_verification(bundle: Path, result: Verification) -> str:
    """Describe the result of a check."""
    lines = [f"{bundle}: hashes correct"]
    lines += [
        f"{test.goldens} golden texts replayed on {test.interpreter}, largest difference "
        f"{test.largest_difference:.1e}"
        for test in result.self_tests
    ]
    return "\n".join(lines)


def describe_comparison(first: Path, second: Path, result: Comparison) -> str:
    """Describe how two bundles compare."""
    lines = [f"{path}: {size:,} bytes" for path, size in zip((first, second), result.bytes)]
    for index, micro_f1 in enumerate(result.micro_f1 or ()):
        lines[index] += f", micro F1 {micro_f1:.2%}"
    for index, accuracy in enumerate(result.accuracy or ()):
        lines[index] += f", accuracy {_describe_accuracy(accuracy)}"
    same = f"same label for {result.agreement:.2%} of {result.texts:,} texts"
    if result.micro_f1 is not None:
        same = f"{result.agreement:.2%} of the labels that either gives are given by both"
    lines.append(f"{same}, largest probability difference {result.largest_difference:.4f}")
    if result.p_value is not None:
        what = "accuracy" if result.micro_f1 is None else "right labels"
        lines.append(f"p-value of the difference in {what}: {result.p_value:.1%}")
    return "\n".join(lines)


def describe_import(result: ImportResult) -> str:
    """Describe what the other tokenizer changes."""
    lines = [
        describe_accuracy("dev, the original with its own tokenizer", result.original),
        describe_accuracy("dev, with glovelite's tokenizer", result.imported),
        f"same label for {result.agreement:.1%} of the texts; {result.words:,} of "
        f"{result.all_words:,} words can occur",
    ]
    if result.padding is not None:
        how = f"pad_sequences(padding={result.padding!r})"
        lines.append(f"ids of the original: {how}; the other way is not more accurate")
    export = shlex.join(("glovelite-convert", "export", str(result.path), "--out", "BUNDLE"))
    return "\n".join([*lines, f"run folder {result.path}", f"next: {export}"])


def describe_site(site: SiteResult) -> str:
    """Describe what was written and how to open it."""
    return (
        f"site {site.path}: page {site.code_bytes:,} bytes, model {site.model_bytes:,}\n"
        f"to open it: python3 -m http.server --directory {shlex.quote(str(site.path))}"
    )


def describe_module(module: SiteResult) -> str:
    """Describe what was written and how to import it."""
    return (
        f"module {module.path}: code {module.code_bytes:,} bytes, model {module.model_bytes:,}\n"
        'to use it: import { load } from "./glovelite.js"; const classifier = await load("bundle/")'
    )


def describe_c_engine(written: CEngineResult) -> str:
    """Describe what was written, and how to try it."""
    folder = shlex.quote(str(written.path))
    return (
        f"C engine {written.path}: model {written.model_bytes:,} bytes, memory "
        f"{written.buffer_bytes:,} bytes\n"
        f"to try it: make -C {folder} && {folder}/classify 'a text'; make -C {folder} test"
    )


def describe_onnx(written: OnnxResult) -> str:
    """Describe what was written."""
    return (
        f"ONNX model {written.path}: {written.bytes:,} bytes, ids to probabilities; golden texts "
        f"within {written.largest_difference:.1e}"
    )


def _describe_accuracy(measured: Accuracy) -> str:
    low, high = measured.interval
    return f"{measured.accuracy:.2%} ({low:.2%} to {high:.2%}, {measured.texts:,} texts)"
