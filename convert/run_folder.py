"""Reads a run folder, and labelled text to measure bundles on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from glovelite.data.labelled_text import (
    FileList,
    LabelledRows,
    Place,
    TextSource,
    find_place,
    good_rows,
    open_rows,
    strip_rows,
)
from glovelite.data.regular_files import read_regular_file, read_regular_text
from glovelite.data.rows import Rows
from glovelite.data.run_files import (
    CALIBRATION_FILE,
    DEV_FILE,
    KERAS_FILE,
    MAX_RUN_BYTES,
    METRICS_FILE,
    NGRAMS_FILE,
    OUT_OF_FOLD_FILE,
    REQUIRED_FILES,
    RUN_FORMAT,
    TEST_FILE,
    VOCABULARY_FILE,
)
from glovelite.data.sequences import open_sequences
from glovelite.runtime.aliases import Classes, Floats, PathLike
from glovelite.runtime.bundle import Bundle
from glovelite.runtime.errors import BundleError, DataError, RunFolderError
from glovelite.runtime.files.records import BadRow
from glovelite.runtime.files.text_lines import UTF8, read_lines
from glovelite.runtime.ngrams import NgramWeights, parse_ngrams
from glovelite.runtime.text.vocabulary import MAX_LEVEL, Vocabulary, parse_vocabulary
from glovelite.runtime.trained_text import TrainedText, parse_trained_text

from .options import name_metric
from .verify.abstention import Answers

MAX_SHOWN_LABELS = 8  # of those that a row may have
#: What is read from `metrics.json` -> its type.
_REQUIRED_METRICS: dict[str, Any] = {
    "configuration.architecture": str,
    "configuration.glove": str,
    "configuration.seed": int,
    "corpus.name": str,
    "corpus.texts": int,
    "versions": dict,
    "scores.dev.accuracy": (int, float),
}
#: What multi-label runs have besides.
_REQUIRED_OF_MULTI_LABEL: dict[str, Any] = {
    "thresholds": dict,
    "scores.dev.multi_label.micro_f1": (int, float),
}
#: The same of a run with cross-validation, which may replace test text, and of one with test text.
_REQUIRED_WITH_FOLDS: dict[str, Any] = {
    "cross_validation.folds": list,
    "cross_validation.out_of_fold.texts": int,
    "cross_validation.out_of_fold.accuracy": (int, float),
    "cross_validation.out_of_fold.interval": list,
}
_REQUIRED_WITH_TEST: dict[str, Any] = {"scores.test.accuracy": (int, float)}


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their true classes.

    Attributes:
        texts: the texts.
        targets: int64 [texts], index of each text's class among the bundle's labels; bool
            [texts, labels] for a multi-label bundle.
        places: source file and line of each text, or its index in memory.
        numbers: of their rows, which `files` finds.
        files: the files of a folder or pattern; None for other sources.
        name: of their source in messages.
        source: how they were read; None for text from memory.
        unit: what the number of a place is: `line`, or `index` in memory.
    """

    texts: tuple[str, ...]
    targets: Classes
    places: tuple[Place, ...] = ()
    numbers: tuple[int, ...] = ()
    files: FileList | None = None
    name: str = ""
    source: TextSource | None = None
    unit: str = "line"


def read_given(
    data: TextSource | PathLike | Sequence[str],
    labels: Sequence[object] | None,
    bundle: Bundle,
    skip_bad_rows: bool = False,
) -> LabelledTexts:
    """Read labelled text for a bundle, as the text of its training was read.

    Args:
        data: a source, the path of a file, or texts in memory.
        labels: those of texts in memory, in the forms that training takes; None for others.
        bundle: what the texts are for.
        skip_bad_rows: skip rows that cannot be used, with a warning.

    Raises:
        DataError: see `read_labelled`; or texts in memory have no labels, or other data has some.
    """
    if isinstance(data, (str, Path)):
        data = TextSource(str(data))
    source = data.as_trained(bundle.text) if isinstance(data, TextSource) else None
    if source is not None and labels is not None:
        raise DataError(f"{source.path}: labels are of texts in memory: a file has its own")
    if source is not None:
        rows = open_rows(source)
    elif labels is None:
        raise DataError("texts: expected a label for each: give labels too, or a file")
    else:
        rows = open_sequences("texts", cast("Sequence[str]", data), labels)
        if bundle.text.strip_html:
            rows = replace(rows, rows=strip_rows(rows.rows))
    vocabulary = bundle.vocabulary
    texts = read_labelled(rows, vocabulary.labels, skip_bad_rows, vocabulary.multi_label)
    return replace(texts, source=source)


def read_labelled(
    rows: LabelledRows,
    labels: Sequence[str],
    skip_bad_rows: bool = False,
    multi_label: bool = False,
) -> LabelledTexts:
    """Read labelled text, at least one row.

    With `multi_label`, texts may have several labels or none; single-label text is read as well.

    Raises:
        DataError: the source is empty or malformed, holds another label, or is multi-label although
            the bundle is not.
    """
    index = {label: number for number, label in enumerate(labels)}
    checked = replace(rows, rows=_check_labels(rows, labels, skip_bad_rows, multi_label))
    texts, numbers, lines = [], [], []
    for row in good_rows(checked, skip_bad_rows, multi_label):
        if not multi_label and not row.labels:  # a bad row, reported at the end
            continue
        texts.append(row.text)
        numbers.append([index[label] for label in row.labels])
        lines.append(row.line)
    if not texts:
        raise DataError(
            f"{rows.name} is empty, or no row of it can be used: expected labelled texts"
        )
    targets = _as_targets(numbers, len(labels), multi_label)
    places = tuple(find_place(rows.name, line, rows.files) for line in lines)
    return LabelledTexts(
        tuple(texts), targets, places, tuple(lines), rows.files, rows.name, unit=rows.unit
    )


def _as_targets(numbers: Sequence[Sequence[int]], labels: int, multi_label: bool) -> Classes:
    """Return the true classes of texts, given the numbers of each text's labels."""
    if not multi_label:
        return np.array([number for (number,) in numbers], np.int64)
    targets = np.zeros((len(numbers), labels), np.bool_)
    for row, indices in zip(targets, numbers):
        row[indices] = True
    return targets


def _check_labels(
    rows: LabelledRows, labels: Sequence[str], skip_bad_rows: bool, multi_label: bool
) -> Rows:
    """Yield the rows; one with another label is an error, or a bad row if those are skipped."""
    known = frozenset(labels)
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        if row.multi_label and not multi_label:
            raise DataError(
                f"{rows.where(row.line)}: found a set of labels, {list(row.labels)!r:.60}, the "
                "bundle gives each text one label: give single-label text, or name its column "
                "with --label-column"
            )
        unknown = next((label for label in row.labels if label not in known), None)
        if unknown is None:
            yield row
        elif skip_bad_rows:
            yield BadRow(row.line, f"unknown label {unknown!r:.60}")
        else:
            hidden = len(labels) - MAX_SHOWN_LABELS
            more = f" and {hidden} more" if hidden > 0 else ""
            raise DataError(
                f"{rows.where(row.line)}: label {unknown!r:.60} is not one of "
                f"{', '.join(labels[:MAX_SHOWN_LABELS])}{more}: correct it, or skip such rows "
                "with --skip-bad-rows"
            )


@dataclass(frozen=True)
class RunMetrics:
    """The part of `metrics.json` that `convert` reads.

    Attributes:
        architecture: `conv-pool` or `conv-lstm`.
        glove: name of the word vectors and where they came from.
        seed: seed of the training run.
        corpus: the manifest's entry of the corpus.
        versions: package -> version that trained the model.
        scores: accuracy of the saved model, or micro F1 on multi-label text, 0 to 1: on `dev`, and
            on `test` if there is test text.
        cross_validation: the manifest's entry of the cross-validation, None if there was none.
        thresholds: threshold of each label of multi-label text, else None.
        text: how the text was read; None in runs of earlier versions.
    """

    architecture: str
    glove: str
    seed: int
    corpus: dict[str, Any]
    versions: dict[str, str]
    scores: dict[str, float]
    cross_validation: dict[str, Any] | None = None
    thresholds: tuple[float, ...] | None = None
    text: TrainedText | None = None

    @property
    def metric(self) -> str:
        """What the scores are: `"accuracy"` or `"micro F1"`."""
        return name_metric(multi_label=self.thresholds is not None)


@dataclass(frozen=True)
class RunFolder:
    """A run folder whose model is not yet loaded.

    Attributes:
        path: the folder.
        metrics: from `metrics.json`.
        vocabulary: the content of `vocab.json`.
        calibration: training texts to which reduced models are fitted, and from which `int8`
            takes its ranges.
        dev: texts for choices.
        test: texts for the report; empty if the run had none, as with cross-validation.
        ngrams: weights of character n-grams, which are added to the model's logits, or None.
    """

    path: Path
    metrics: RunMetrics
    vocabulary: Vocabulary
    calibration: LabelledTexts
    dev: LabelledTexts
    test: LabelledTexts
    ngrams: NgramWeights | None = None

    @property
    def held_out(self) -> dict[str, LabelledTexts]:
        """The sets on which bundles are measured: `dev`, and `test` if there is test text."""
        return {"dev": self.dev, **({"test": self.test} if self.test.texts else {})}

    @cached_property
    def out_of_fold(self) -> Answers | None:
        """Cross-validation's predictions of texts, each by a model that was trained without it.

        None if there was none, or if it recorded no familiarity, as earlier versions did not.
        """
        path = self.path / OUT_OF_FOLD_FILE
        if self.metrics.cross_validation is None or not path.is_file():
            return None
        answers = _read_out_of_fold(path, self.vocabulary, self.metrics.thresholds)
        lacks_familiarity = answers.familiarity is None and self.vocabulary.familiarity is not None
        return None if lacks_familiarity else answers

    @property
    def model(self) -> Path:
        """The Keras file."""
        return self.path / KERAS_FILE

    def add_ngrams(self, scores: Floats, texts: Sequence[str]) -> Floats:
        """Return the model's scores of texts, float32 [texts, classes], with their n-grams."""
        if self.ngrams is None:
            return scores
        tokenizer, multi_label = self.vocabulary.tokenizer, self.vocabulary.multi_label
        return self.ngrams.add_to(scores.tolist(), texts, tokenizer, multi_label)


def read_run(path: Path) -> RunFolder:
    """Read the folder that `glovelite-train` wrote.

    Raises:
        RunFolderError: a file is missing or malformed, or the run is of another version.
    """
    missing = [name for name in REQUIRED_FILES if not (path / name).is_file()]
    if missing:
        problem = "does not exist" if not path.exists() else f"lacks {', '.join(missing)}"
        raise RunFolderError(f"{path} {problem}: give a run folder that glovelite-train finished")
    try:
        source = str(path / VOCABULARY_FILE)
        vocabulary = parse_vocabulary(_read_text(path / VOCABULARY_FILE), source)
        ngrams = _read_ngrams(path / NGRAMS_FILE, vocabulary)
    except BundleError as error:
        raise RunFolderError(str(error)) from None
    has_test = (path / TEST_FILE).stat().st_size > 0
    content = _read_json(path / METRICS_FILE)
    metrics = _parse_metrics(content, vocabulary, has_test, path / METRICS_FILE)
    test = LabelledTexts((), np.zeros(0, np.int64))
    if "test" in metrics.scores:
        test = _read_texts(path / TEST_FILE, vocabulary)
    calibration, dev = (
        _read_texts(path / name, vocabulary) for name in (CALIBRATION_FILE, DEV_FILE)
    )
    return RunFolder(path, metrics, vocabulary, calibration, dev, test, ngrams)


def _read_ngrams(path: Path, vocabulary: Vocabulary) -> NgramWeights | None:
    if not path.is_file():
        return None
    try:
        content = read_regular_file(path, MAX_RUN_BYTES[path.name], follow_links=True)
    except ValueError as error:
        raise RunFolderError(f"{path} {error}: train again") from None
    return parse_ngrams(content, vocabulary.outputs, str(path))


def _parse_metrics(content: Any, vocabulary: Vocabulary, has_test: bool, path: Path) -> RunMetrics:
    version = content.get("format") if isinstance(content, dict) else None
    if version != RUN_FORMAT:
        raise RunFolderError(
            f"{path}: run format {version!r}, this version reads {RUN_FORMAT}: "
            "train again, or convert with the version that trained"
        )
    folds = content.get("cross_validation")
    required = {
        **_REQUIRED_METRICS,
        **(_REQUIRED_WITH_TEST if has_test else {}),
        **({} if folds is None else _REQUIRED_WITH_FOLDS),
        **(_REQUIRED_OF_MULTI_LABEL if vocabulary.multi_label else {}),
    }
    for name, kind in required.items():
        value = content
        for key in name.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not isinstance(value, kind):
            raise RunFolderError(f"{path} lacks {name}: train again")
    try:
        return _make_metrics(content, vocabulary, path)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise RunFolderError(f"{path} is damaged ({error!r:.100}): train again") from None


def _make_metrics(content: Any, vocabulary: Vocabulary, path: Path) -> RunMetrics:
    """Return what is read from metrics whose required entries have the right types.

    Raises:
        ValueError: a value is impossible; for other entries also what their types lack.
    """
    configuration, scores = content["configuration"], content["scores"]
    folds = content.get("cross_validation")
    return RunMetrics(
        architecture=configuration["architecture"],
        glove=content.get("vectors", configuration["glove"]),  # one entry in older runs
        seed=configuration["seed"],
        corpus=content["corpus"],
        versions=content["versions"],
        scores={name: _headline(scores[name]) for name in ("dev", "test") if name in scores},
        cross_validation=None if folds is None else _summarize_folds(folds),
        thresholds=_parse_thresholds(content, vocabulary, path) if vocabulary.multi_label else None,
        text=_parse_text(content, path) if "text" in content else None,
    )


def _headline(scores: dict[str, Any]) -> float:
    """Return the score that a model is judged by: accuracy, or micro F1 of multi-label text."""
    multi_label = scores.get("multi_label")
    score = float(multi_label["micro_f1"] if multi_label else scores["accuracy"])
    if not 0 <= score <= 1:  # NaN would pass any comparison with the model's own score
        raise ValueError(f"a score of {score}")
    return score


def _parse_thresholds(content: Any, vocabulary: Vocabulary, path: Path) -> tuple[float, ...]:
    thresholds = content["thresholds"]
    if {*thresholds} != {*vocabulary.labels}:
        raise RunFolderError(f"{path}: expected a threshold for each label: train again")
    return tuple(float(thresholds[label]) for label in vocabulary.labels)


def _parse_text(content: dict[str, Any], path: Path) -> TrainedText:
    try:
        return parse_trained_text(content["text"])
    except ValueError as error:
        raise RunFolderError(f"{path}: {error}: train again") from None


def _summarize_folds(content: Any) -> dict[str, Any]:
    all_texts = content["out_of_fold"]
    summary = {name: all_texts[name] for name in ("texts", "accuracy", "interval")}
    return {"folds": len(content["folds"]), **summary}


def _read_text(path: Path) -> str:
    try:
        return read_regular_text(path, MAX_RUN_BYTES[path.name])
    except ValueError as error:
        raise RunFolderError(f"{path} {error}: train again") from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is not JSON: {error}") from None


def _read_out_of_fold(
    path: Path, vocabulary: Vocabulary, thresholds: Sequence[float] | None
) -> Answers:
    rows = []
    with path.open("rb") as file:
        for number, line in enumerate(read_lines(file, str(path), UTF8), start=1):
            try:
                rows.append(_parse_out_of_fold(line, vocabulary))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                problem = f"{path}, line {number}: {error!r:.200}"
                raise RunFolderError(f"{problem}: train again") from None
    if not rows:
        raise RunFolderError(f"{path} is empty, expected the texts of all folds: train again")
    scores, numbers, familiarity = zip(*rows)
    return Answers(
        np.stack(scores),
        _as_targets(numbers, len(vocabulary.labels), vocabulary.multi_label),
        None if None in familiarity else np.array(familiarity, np.float64),
        thresholds,
    )


def _parse_out_of_fold(line: str, vocabulary: Vocabulary) -> tuple[Floats, list[int], float | None]:
    """Return the scores of a text, the numbers of its labels, and its familiarity if it is known.

    Raises:
        ValueError: it is malformed, or of other labels; also KeyError and TypeError.
    """
    record = json.loads(line)
    scores = np.array(record["scores"], np.float32)
    if scores.shape != (len(vocabulary.labels),) or not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"expected {len(vocabulary.labels)} scores from 0 to 1")
    labels = record["labels"] if vocabulary.multi_label else [record["label"]]
    familiarity = record.get("familiarity")
    if familiarity is not None and not 0 <= familiarity <= MAX_LEVEL:
        raise ValueError(f"expected a familiarity from 0 to {MAX_LEVEL}")
    return scores, [vocabulary.labels.index(label) for label in labels], familiarity


def _read_texts(path: Path, vocabulary: Vocabulary) -> LabelledTexts:
    column = "labels" if vocabulary.multi_label else "label"
    source = TextSource(str(path), "jsonl", "text", column)
    try:
        rows = open_rows(source, log=False)
        return read_labelled(rows, vocabulary.labels, multi_label=vocabulary.multi_label)
    except DataError as error:
        raise RunFolderError(f"{error}: train again") from None
