"""Text in, labels and probabilities out: the class a device program uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from .bundle import Bundle, PathLike, read_bundle
from .errors import BundleDamagedError, InputError
from .goldens import Replay, replay
from .interpreter import Model
from .vocabulary import Encoded

Texts = Union[str, Iterable[str]]


@dataclass(frozen=True)
class Prediction:
    """The answer for one text.

    Attributes:
        label: the most probable class.
        probability: its probability, 0 to 1.
        probabilities: every class and its probability, in the model's order.
        truncated: whether the text was longer than the model looks at.
        known: share of the words looked at that the model knows, 0 to 1.
        unfamiliar: whether that is less than the manifest's `abstention` asks for, so that the
            answer says little of the text.
        abstained: whether not to rely on the answer: the text is unfamiliar, or the answer less
            probable than `abstention` asks for.
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    truncated: bool
    known: float
    unfamiliar: bool
    abstained: bool

    def top(self, count: int) -> list[tuple[str, float]]:
        """Give the most probable classes, best first.

        Args:
            count: how many, or all where there are fewer.

        Returns:
            Labels and probabilities.
        """
        ordered = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return ordered[:count]

    def as_dict(self) -> dict[str, Any]:
        """Give the prediction as plain JSON types."""
        return {
            "label": self.label,
            "probability": self.probability,
            "probabilities": self.probabilities,
            "truncated": self.truncated,
            "known": self.known,
            "unfamiliar": self.unfamiliar,
            "abstained": self.abstained,
        }


class Classifier:
    """A bundle, loaded and ready.

    Example:
        >>> classifier = Classifier.load("bundles/imdb")
        >>> classifier.predict("A moving, funny, beautifully acted film.")[0].label
        'positive'

    Safe to share between threads and to use after a fork.
    """

    def __init__(
        self, bundle: Bundle, threads: int = 1, abstain_below: float | None = None
    ) -> None:
        """Make a classifier of a bundle already read; `Classifier.load` does both.

        Args:
            bundle: the bundle.
            threads: how many threads one inference may use.
            abstain_below: the probability below which an answer is marked as abstained from.

        Raises:
            InterpreterError: no interpreter is installed, or it refuses the model.
            BundleDamagedError: the model does not fit the vocabulary's labels.
        """
        self.bundle = bundle
        self._vocabulary = bundle.vocabulary
        self._least_probability, self._least_known = bundle.abstention
        if abstain_below is not None:
            self._least_probability = abstain_below
        self._model = Model(bundle.model, bundle.fixed_length, threads)
        outputs = len(self._model.run([], self._vocabulary.trailing_padding))
        expected = len(self.labels)
        if outputs != expected and (outputs, expected) != (1, 2):
            raise BundleDamagedError(
                f"{bundle.path}: the model answers {outputs} values for {expected} labels"
            )

    @classmethod
    def load(
        cls, path: PathLike, threads: int = 1, abstain_below: float | None = None
    ) -> Classifier:
        """Load a bundle.

        Args:
            path: the bundle's folder.
            threads: how many threads one inference may use; 1 is fastest for models this small.
            abstain_below: the probability below which an answer is marked as abstained from; None
                takes the bundle's own, which export chose on dev text.

        Returns:
            The classifier.

        Raises:
            BundleError: the bundle is missing, damaged or too new; the message says which file.
            InterpreterError: no interpreter is installed, or it refuses the model.
        """
        return cls(read_bundle(path), threads, abstain_below)

    def close(self) -> None:
        """Free the model's memory; the classifier answers no more. Done at the end of a `with`."""
        self._model.close()

    def __enter__(self) -> Classifier:
        """Begin a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End a `with` block."""
        self.close()

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return self._vocabulary.labels

    def predict(self, texts: Texts) -> list[Prediction]:
        """Classify a text or several.

        Args:
            texts: one text, or any iterable of texts.

        Returns:
            Always a list, one prediction a text.

        Raises:
            InputError: something given is not a string.
        """
        predictions = []
        for encoded in self._encode(texts):
            probabilities = self._probabilities(encoded).tolist()
            best = max(range(len(probabilities)), key=probabilities.__getitem__)
            unfamiliar = encoded.known < self._least_known
            predictions.append(
                Prediction(
                    label=self.labels[best],
                    probability=probabilities[best],
                    probabilities=dict(zip(self.labels, probabilities)),
                    truncated=encoded.truncated,
                    known=encoded.known,
                    unfamiliar=unfamiliar,
                    abstained=unfamiliar or probabilities[best] < self._least_probability,
                )
            )
        return predictions

    def predict_proba(self, texts: Texts) -> npt.NDArray[np.float32]:
        """Give the probabilities alone, as an array.

        Args:
            texts: one text, or any iterable of texts.

        Returns:
            float32 [texts, classes], columns in the order of `labels`.

        Raises:
            InputError: something given is not a string.
        """
        rows = [self._probabilities(encoded) for encoded in self._encode(texts)]
        return np.stack(rows) if rows else np.zeros((0, len(self.labels)), np.float32)

    def self_test(self) -> Replay:
        """Replay the bundle's golden texts: does it answer here as where it was made?

        Returns:
            How many texts there are and how far the probabilities are off.

        Raises:
            BundleDamagedError: the bundle has no golden texts.
            SelfTestError: ids or probabilities are others here; the message names the text.
        """
        return replay(self.bundle, self.predict_proba)

    def _encode(self, texts: Texts) -> Iterable[Encoded]:
        if isinstance(texts, (bytes, Mapping)) or not isinstance(texts, Iterable):
            raise InputError(f"expected a text or texts, found {type(texts).__name__}")
        for row, text in enumerate([texts] if isinstance(texts, str) else texts):
            if not isinstance(text, str):
                raise InputError(f"text {row} is {type(text).__name__}, expected str")
            yield self._vocabulary.encode(text)

    def _probabilities(self, encoded: Encoded) -> npt.NDArray[np.float32]:
        output = self._model.run(encoded.ids, self._vocabulary.trailing_padding)
        if len(output) == 1:  # a sigmoid: the probability of the second label
            return np.array([1 - output[0], output[0]], np.float32)
        return output
