"""Imports a Keras text classifier that glovelite did not train: a run folder for `export`.

Its words keep their vectors, but text is split by glovelite's tokenizer from then on. What that
changes is measured on dev text: the imported model against the original one with its own tokenizer.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.data.labelled_text import TextSource, open_rows
from glovelite.data.labels import show_labels
from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.data.rows import read_label
from glovelite.data.run_files import (
    CALIBRATION_FILE,
    DEV_FILE,
    KERAS_FILE,
    METRICS_FILE,
    RUN_FILES,
    RUN_FORMAT,
    TEST_FILE,
    VOCABULARY_FILE,
    write_labelled,
)
from glovelite.evaluation.scores import Scores, choose_thresholds, decide, score
from glovelite.runtime.aliases import Bools, Classes, Floats, Ids, PathLike
from glovelite.runtime.errors import DataError
from glovelite.runtime.text.tokenizer import WORDS
from glovelite.runtime.text.vocabulary import MAX_TOKENS, SPECIAL_TOKENS, Vocabulary
from glovelite.runtime.trained_text import TrainedText

from ..model.weights import NumpyModel, Weights
from ..run_folder import LabelledTexts, read_labelled
from ..verify.fidelity import measure_agreement
from ..worker import run_in_child, worker_pool
from .vectorizer import PADDINGS, ForeignModel, Vectorizer, pad, read_words

logger = logging.getLogger(__name__)
#: The punctuation that a TextVectorization layer removes, and so joins what it separates.
STRIPPED = str.maketrans("", "", "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'")


@dataclass(frozen=True)
class ImportResult:
    """An imported model.

    Attributes:
        path: the run folder.
        words: words of the model that have a token.
        all_words: words that it had; no text can have the others, because it is split differently.
        original: scores of the original model on dev text, with its own tokenizer.
        imported: those of the run.
        agreement: share of dev texts with the same label, 0 to 1.
        padding: `pre` or `post`, how the original was given ids; None if it pads itself.
    """

    path: Path
    words: int
    all_words: int
    original: Scores
    imported: Scores
    agreement: float
    padding: str | None

    def __repr__(self) -> str:
        return (
            f"<ImportResult {self.path}: dev accuracy {self.imported.accuracy:.1%}, "
            f"{self.original.accuracy:.1%} with its own tokenizer>"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return {**asdict(self), "path": str(self.path)}


def import_keras(
    model: PathLike,
    out: PathLike,
    labels: Sequence[object],
    dev: TextSource | PathLike,
    vocabulary: PathLike | None = None,
    *,
    skip_bad_rows: bool = False,
    overwrite: bool = False,
) -> ImportResult:
    """Write a run folder of a Keras model: Embedding, Conv1D, GlobalMaxPooling1D, Dense.

    Half of the dev text becomes the run's calibration text, the other half its dev text.

    Args:
        model: a `.keras` or `.h5` file.
        out: the run folder to write.
        labels: in the order of the model's outputs; of one sigmoid, first that of 0.
        dev: labelled text that the model was not trained on.
        vocabulary: the words of the ids: a `Tokenizer` saved as JSON, a `.keras` file with a
            TextVectorization layer, or a text file with a word a line as `get_vocabulary` lists
            them; None for a model that starts with a TextVectorization layer.
        skip_bad_rows: skip rows of dev text that cannot be used, with a warning.
        overwrite: replace an existing run folder.

    Raises:
        ConversionError: a layer cannot be imported; the message names it.
        DataError: dev text or words cannot be read, or do not fit the model.
        OutputError: the run folder exists or cannot be written.
    """
    path = Path(model)
    source = dev if isinstance(dev, TextSource) else TextSource(str(dev))
    with (
        reserve_output_folder(Path(out), overwrite, METRICS_FILE, RUN_FILES) as target,
        worker_pool(),
    ):
        foreign = run_in_child(_read_in_child, path)
        weights, vectorizer = foreign.weights, _choose_vectorizer(foreign, vocabulary, path)
        names = _check_labels(weights, labels, path)
        rows = open_rows(source)
        texts = read_labelled(rows, names, skip_bad_rows, weights.multi_label)
        matched, weights = match_words(foreign, vectorizer, names, texts.texts)
        original, padding = _score_original(path, foreign, vectorizer, texts)
        ids = [np.array(matched.encode(text).ids, np.int64) for text in texts.texts]
        imported = NumpyModel(weights).scores(ids)
        thresholds = choose_thresholds(imported, texts.targets) if weights.multi_label else None
        with atomic_folder(target, overwrite) as folder:
            (folder / VOCABULARY_FILE).write_text(matched.to_json(), "utf-8")
            run_in_child(_save_in_child, weights, folder / KERAS_FILE)
            half = _write_halves(folder, texts, names)
            scored = score(texts.targets[half], imported[half], names, thresholds)
            text = TrainedText(rows.text_columns, bool(source.strip_html))
            content = _describe_run(path, scored, dict(zip(names, thresholds or ())), text)
            (folder / METRICS_FILE).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    decided = [decide(scores, thresholds) for scores in (original, imported)]
    if not weights.multi_label:
        _warn_of_chance(texts.targets, decided[0])
    return ImportResult(
        path=Path(out),
        words=sum(map(bool, map(_as_token, vectorizer.words))),
        all_words=sum(map(bool, vectorizer.words)),
        original=score(texts.targets, original, names, thresholds),
        imported=score(texts.targets, imported, names, thresholds),
        agreement=measure_agreement(*decided),
        padding=padding,
    )


def match_words(
    foreign: ForeignModel, vectorizer: Vectorizer, labels: Sequence[str], texts: Sequence[str]
) -> tuple[Vocabulary, Weights]:
    """Return the words as tokens, and the weights with a row for each of them.

    A word is a token if the tokenizer returns it whole. Where punctuation was removed from words,
    so is a token of `texts` that becomes one of them without its punctuation.
    """
    weights, words = foreign.weights, vectorizer.words[: len(foreign.weights.table)]
    aliases: defaultdict[str, dict[str, None]] = defaultdict(dict)  # sets in order
    if vectorizer.strips:
        for token in (token for text in texts for token in WORDS.tokenize(text)):
            aliases[token.translate(STRIPPED)][token] = None
    rows = dict(zip(SPECIAL_TOKENS, (0, vectorizer.unknown or 0)))
    for id_, word in enumerate(words):
        if id_ not in (0, vectorizer.unknown):
            for token in (*_as_token(word), *aliases[word]):
                rows.setdefault(token, id_)
    length = vectorizer.length or foreign.length
    if length is None:
        length = max(1, *(len(WORDS.tokenize(text)) for text in texts))
    taps = max(map(len, weights.kernels))
    vocabulary = Vocabulary(
        tuple(rows),
        tuple(labels),
        min(length, MAX_TOKENS),
        taps,
        multi_label=weights.multi_label,
    )
    return vocabulary, replace(weights, table=weights.table[list(rows.values())])


def _as_token(word: str) -> list[str]:
    """Return the token of a word, none if the tokenizer splits it or drops a part."""
    tokens = WORDS.tokenize(word)
    return tokens if len(tokens) == 1 and tokens[0] == WORDS.normalize(word) else []


def _check_labels(weights: Weights, given: Sequence[object], path: Path) -> tuple[str, ...]:
    """Return labels as text, as many different ones as the outputs have."""
    try:
        labels = tuple(map(read_label, given))
    except ValueError as error:
        raise DataError(f"--labels: {error}") from None
    outputs = weights.kernel.shape[1]
    expected = 2 if outputs == 1 else outputs
    if len(labels) != expected or len({*labels}) != expected:
        raise DataError(
            f"{path}: expected {expected} different labels for its outputs, found "
            f"{len(labels)}: {show_labels(labels)}"
        )
    return labels


def _choose_vectorizer(
    foreign: ForeignModel, vocabulary: PathLike | None, path: Path
) -> Vectorizer:
    """Return what turns text into ids: a layer of the model, or what a file says.

    Raises:
        DataError: none or both are given, or the file cannot be used.
    """
    if (foreign.vectorizer is None) == (vocabulary is None):
        problem = "has no TextVectorization layer: name the words of its ids"
        if vocabulary is not None:
            problem = "has a TextVectorization layer with its words: leave them out"
        raise DataError(f"{path} {problem} (--vocabulary)")
    if vocabulary is None:
        assert foreign.vectorizer is not None
        return foreign.vectorizer
    file = Path(vocabulary)
    if file.suffix.lower() in (".keras", ".h5"):
        found = run_in_child(_read_vectorizer_in_child, file)
    else:
        found = read_words(file)
    rows = len(foreign.weights.table)
    used = len(found.words) if found.tokenizer is None else 0  # a Tokenizer lists all its words
    if used > rows:
        raise DataError(
            f"{file}: expected at most {rows:,} words with padding and the unknown word, as many "
            f"as rows of the embedding, found {used:,}"
        )
    return replace(found, length=found.length or foreign.length)


def _score_original(
    path: Path, foreign: ForeignModel, vectorizer: Vectorizer, texts: LabelledTexts
) -> tuple[Floats, str | None]:
    """Return the original model's probabilities of texts, and how its ids were padded.

    A `Tokenizer` does not say how: the way that gives the higher accuracy is taken.
    """

    def run(ids: Ids | None) -> Floats:
        outputs = run_in_child(_score_in_child, path, texts.texts, ids, vectorizer)
        return outputs if outputs.shape[1] > 1 else np.hstack([1 - outputs, outputs])

    if vectorizer.tokenizer is None:
        return run(None), None
    rows = vectorizer.encode(texts.texts)
    length = foreign.length or max(1, *map(len, rows))
    scores = {padding: run(pad(rows, length, padding)) for padding in PADDINGS}
    targets = texts.targets

    def count_right(padding: str) -> int:
        thresholds = [0.5] * targets.shape[1] if targets.ndim == 2 else None
        return int((decide(scores[padding], thresholds) == targets).sum())

    best = max(PADDINGS, key=count_right)
    return scores[best], best


def _warn_of_chance(targets: Classes, predicted: Classes) -> None:
    """Log a warning if always predicting the most frequent label would be as accurate."""
    right = int((targets == predicted).sum())
    if right <= np.bincount(targets).max():
        logger.warning(
            f"the original is right about {right:,} of {len(targets):,} dev texts, no more than "
            "the most frequent label alone: are --labels in the order of its outputs, and the "
            "words those of its ids?"
        )


def _write_halves(folder: Path, texts: LabelledTexts, labels: Sequence[str]) -> Bools:
    """Write half of the texts for calibration and half as dev text; return which are dev text."""
    count = len(texts.texts)
    if count < 2:
        raise DataError(f"{texts.name}: expected two dev texts or more, found one")
    half: Bools = np.random.default_rng(0).permutation(count) % 2 == 1
    for name, chosen in ((CALIBRATION_FILE, ~half), (DEV_FILE, half)):
        rows = np.flatnonzero(chosen)
        named = (_name_labels(target, labels) for target in texts.targets[rows])
        write_labelled(folder / name, zip((texts.texts[row] for row in rows), named))
    (folder / TEST_FILE).write_text("", "utf-8")
    return half


def _name_labels(target: Classes, labels: Sequence[str]) -> str | list[str]:
    """Return the label of a text, or for multi-label text the list of its labels."""
    if target.ndim:
        return [labels[number] for number in np.flatnonzero(target)]
    return labels[int(target)]


def _describe_run(
    path: Path, scored: Scores, thresholds: Mapping[str, float], text: TrainedText
) -> dict[str, Any]:
    """Return the content of `metrics.json`."""
    names = ("glovelite", "tensorflow", "keras", "numpy")
    return {
        "format": RUN_FORMAT,
        "configuration": {"architecture": "conv-pool", "glove": path.name, "seed": 0},
        "vectors": f"of {path.name}, which was imported",
        "corpus": {"name": f"the text of {path.name}", "texts": 0},
        "versions": {name: metadata.version(name) for name in names},
        "text": text.as_json(),
        "scores": {"dev": asdict(scored)},
        **({"thresholds": thresholds} if thresholds else {}),
    }


def _read_in_child(path: Path) -> ForeignModel:
    from .keras_model import read_foreign

    return read_foreign(path)


def _read_vectorizer_in_child(path: Path) -> Vectorizer:
    from .keras_model import read_vectorizer

    return read_vectorizer(path)


def _score_in_child(
    path: Path, texts: Sequence[str], ids: Ids | None, vectorizer: Vectorizer
) -> Floats:
    from .keras_model import score_foreign

    return score_foreign(path, texts, ids, vectorizer)


def _save_in_child(weights: Weights, path: Path) -> None:
    from .keras_model import save_plain

    save_plain(weights, path)
