"""Trains one of several models that are compared or averaged, and keeps what is finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from glovelite.evaluation.scores import Scores, choose_thresholds, score
from glovelite.runtime.aliases import Floats
from glovelite.runtime.files.output import atomic_file, partial_path
from glovelite.runtime.text.vocabulary import Vocabulary

from ..data.splitting.split import Split
from ..fitting.calibration import to_probabilities
from ..fitting.checkpoint import Identity, describe_other
from ..options import TrainingOptions
from ..vectors.embedding_table import EmbeddingTable

if TYPE_CHECKING:
    import keras

    from ..fitting.fit import FittedModel

Trial = TypeVar("Trial")


@dataclass(frozen=True)
class TrialFile:
    """Finished trials, so that killed work can resume; trials of other work say what differs.

    Attributes:
        path: the file.
        identity: everything that the trials depend on.
    """

    path: Path
    identity: Identity

    def load(self, parse: Callable[[Any], Trial]) -> list[Trial]:
        """Return the finished trials of this work.

        Args:
            parse: turns what was saved of a trial into the trial.
        """
        content = self._read()
        if content is None or content["identity"] != self.identity:
            return []
        try:
            return [parse(trial) for trial in content["trials"]]
        except (ValueError, KeyError, TypeError):
            return []

    def save(self, trials: Sequence[Mapping[str, Any]]) -> None:
        """Replace the saved trials, given as plain JSON types."""
        content = {"identity": self.identity, "trials": trials}
        with atomic_file(self.path) as file:
            file.write(json.dumps(content).encode())

    def saved_trials(self) -> int:
        """Return how many finished trials of this work are saved."""
        return len(self.load(lambda trial: trial))

    def describe_other(self) -> str | None:
        """Return why the saved trials cannot be resumed, such as `"had epochs 60, not 10"`.

        Returns:
            None if they can be resumed, or nothing is saved.
        """
        if not self.path.exists():
            return None
        content = self._read()
        return describe_other(content and content["identity"], self.identity)

    def remove(self) -> None:
        """Delete the saved trials."""
        self.path.unlink(missing_ok=True)
        partial_path(self.path).unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        try:
            content = json.loads(self.path.read_text("utf-8"))
            return {name: content[name] for name in ("identity", "trials")}
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class FittedTrial:
    """A model fitted on one split, and its scores on the split's test text.

    Attributes:
        fitted: the model.
        texts: number of training texts.
        logits: of test text, float32 [texts, 1 or classes].
        scores: on test text.
    """

    fitted: FittedModel
    texts: int
    logits: Floats
    scores: Scores


def fit_trial(
    split: Split,
    table: EmbeddingTable,
    vocabulary: Vocabulary,
    options: TrainingOptions,
    vectors: keras.layers.Layer | None = None,
) -> FittedTrial:
    """Fit a model on a split without a word; dev text decides which epoch's weights are kept.

    Args:
        split: the texts.
        table: the vectors of its training text's vocabulary.
        vocabulary: labels and lengths; its tokens are replaced by the table's.
        options: all other choices.
        vectors: a layer that looks up words instead of the table's.
    """
    from ..data.batches import encode_split
    from ..fitting.fit import fit, run_model

    vocabulary = replace(vocabulary, tokens=table.tokens, familiarity=None)  # of other words
    train, dev, test = encode_split(split, vocabulary, options)
    classes = len(vocabulary.labels)
    fitted = fit(table, train, dev, classes, options, vectors=vectors)
    logits = run_model(fitted.model, test)
    probabilities, thresholds = to_probabilities(logits, train.multi_label), None
    if train.multi_label:
        of_dev = to_probabilities(run_model(fitted.model, dev), multi_label=True)
        thresholds = choose_thresholds(of_dev, dev.targets)
    scores = score(test.targets, probabilities, vocabulary.labels, thresholds)
    return FittedTrial(fitted, len(train), logits, scores)
