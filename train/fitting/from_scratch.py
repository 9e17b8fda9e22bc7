"""What GloVe brings: the same model with its vectors, and with random ones, frozen and trained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.io.packages import Say
from runtime.vocabulary import Vocabulary

from ..data.split import Split, sample
from ..options import Settings
from ..vectors.cache import Glove
from ..vectors.embedding_table import Table, build_table, count_tokens

if TYPE_CHECKING:
    import keras

KINDS = ("GloVe, frozen", "random, frozen", "random, trained")
SIZES = (250, 1_000, 4_000)  # and all there is


@dataclass(frozen=True)
class Trial:
    """One training with one kind of vectors on some of the text.

    Attributes:
        kind: one of `KINDS`.
        texts: how many were trained on.
        history: accuracy and loss by epoch.
        accuracy: on the test texts, with the weights that were best on dev, 0 to 1.
        interval: its 95 % interval.
    """

    kind: str
    texts: int
    history: dict[str, list[float]]
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class TrialFile:
    """Keeps finished trials, so that a killed comparison goes on where it was.

    Attributes:
        path: the file.
        identity: hash of all that the trials depend on.
    """

    path: Path
    identity: str

    def load(self) -> list[Trial]:
        """Give the finished trials of this very comparison."""
        try:
            content = json.loads(self.path.read_text("utf-8"))
            if content["identity"] != self.identity:
                return []
            trials = content["trials"]
            return [Trial(**{**each, "interval": tuple(each["interval"])}) for each in trials]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def save(self, trials: Sequence[Trial]) -> None:
        """Keep trials, replacing what was kept."""
        content = {"identity": self.identity, "trials": [asdict(trial) for trial in trials]}
        partial = self.path.with_suffix(".partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(content), "utf-8")
        partial.replace(self.path)


def compare_scratch(
    split: Split,
    vocabulary: Vocabulary,
    glove: Glove,
    settings: Settings,
    kept: TrialFile,
    say: Say,
) -> Sequence[Trial]:
    """Train every kind at every size; each size has the vocabulary of its own texts.

    Args:
        split: the texts; dev decides when each training stops, test is scored once a trial.
        vocabulary: labels and lengths.
        glove: the word vectors.
        settings: as for the real training.
        kept: where finished trials are kept.
        say: called with a line a trial.

    Returns:
        The trials, smallest size first.
    """
    total = len(split.train)
    trials = kept.load()
    done = {(trial.texts, trial.kind) for trial in trials}
    for size in [*(size for size in SIZES if size < total), total]:
        kinds = [kind for kind in KINDS if (size, kind) not in done]
        part = replace(split, train=sample(split.train, settings.seed, size))
        for trial in _try_kinds(kinds, part, vocabulary, glove, settings):
            say(f"{size:7,} texts, {trial.kind:16} test accuracy {trial.accuracy:.1%}")
            trials.append(trial)
            kept.save(trials)
    return trials


def _try_kinds(
    kinds: Sequence[str], split: Split, vocabulary: Vocabulary, glove: Glove, settings: Settings
) -> Iterator[Trial]:
    from ..data.batches import encode_split
    from ..model.build import plain_model
    from .fit import fit, run_model
    from .metrics import classify, score

    table = build_table(count_tokens(split.train.texts)[0], glove, settings)
    vocabulary = replace(vocabulary, tokens=table.tokens)
    train, dev, test = encode_split(split, vocabulary, settings.architecture)
    for kind in kinds:
        vectors = None if kind == KINDS[0] else _random(table, kind == KINDS[2], settings.seed)
        classes = len(vocabulary.labels)
        fitted = fit(table, train, dev, classes, settings, lambda _: None, vectors=vectors)
        model = plain_model(fitted.model, settings)
        scores = score(test.targets, classify(run_model(model, test)), vocabulary.labels)
        yield Trial(kind, len(train), fitted.history, scores.accuracy, scores.interval)


def _random(table: Table, trainable: bool, seed: int) -> keras.layers.Layer:
    """Make random vectors: Keras's own start where they are trained, GloVe's scale where not."""
    import keras

    from ..model.build import TABLE

    start = keras.initializers.RandomUniform(-0.05, 0.05, seed)
    if not trainable:
        start = keras.initializers.RandomNormal(0.0, float(table.vectors.std()), seed)
    return keras.layers.Embedding(
        *table.vectors.shape, embeddings_initializer=start, trainable=trainable, name=TABLE
    )
