"""Text in, labels and probabilities out: the class a device program uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Union

import numpy as np
import numpy.typing as npt

from .bundle import Bundle, PathLike, read_bundle
from .errors import BundleDamagedError, InputError
from .goldens import Replay, replay
from .interpreter import Model
from .prediction import Prediction
from .vocabulary import Encoded

Texts = Union[str, Iterable[str]]


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
        self._options = threads, abstain_below
        self._ready = _Ready(bundle, *self._options)

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

    def reload(self, path: PathLike | None = None) -> Replay:
        """Change to another bundle if it passes its self-test here; else keep the one there is.

        A call of another thread that is under way ends with the bundle it began with.

        Args:
            path: the bundle's folder; None reads the present one's again.

        Returns:
            What the self-test found.

        Raises:
            BundleError: the bundle is missing, damaged or too new.
            InterpreterError: the interpreter refuses the model.
            SelfTestError: it answers otherwise here than where it was made.
        """
        ready = _Ready(read_bundle(self.bundle.path if path is None else path), *self._options)
        found = replay(ready.bundle, ready.predict_proba)
        self._ready = ready
        return found

    def close(self) -> None:
        """Free the model's memory; the classifier answers no more. Done at the end of a `with`."""
        self._ready.model.close()

    def __enter__(self) -> Classifier:
        """Begin a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End a `with` block."""
        self.close()

    @property
    def bundle(self) -> Bundle:
        """The bundle that answers."""
        return self._ready.bundle

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return self.bundle.vocabulary.labels

    def predict(self, texts: Texts) -> list[Prediction]:
        """Classify a text or several.

        Args:
            texts: one text, or any iterable of texts.

        Returns:
            Always a list, one prediction a text.

        Raises:
            InputError: something given is not a string.
        """
        return self._ready.predict(texts)

    def predict_proba(self, texts: Texts) -> npt.NDArray[np.float32]:
        """Give the probabilities alone, as an array.

        Args:
            texts: one text, or any iterable of texts.

        Returns:
            float32 [texts, classes], columns in the order of `labels`.

        Raises:
            InputError: something given is not a string.
        """
        return self._ready.predict_proba(texts)

    def self_test(self) -> Replay:
        """Replay the bundle's golden texts: does it answer here as where it was made?

        Returns:
            How many texts there are and how far the probabilities are off.

        Raises:
            BundleDamagedError: the bundle has no golden texts.
            SelfTestError: ids or probabilities are others here; the message names the text.
        """
        ready = self._ready
        return replay(ready.bundle, ready.predict_proba)


class _Ready:
    """A bundle and its model: all that one answer depends on, so that it changes at once."""

    def __init__(self, bundle: Bundle, threads: int, abstain_below: float | None) -> None:
        self.bundle = bundle
        self._vocabulary = bundle.vocabulary
        self._least_probability, self._least_known = bundle.abstention
        if abstain_below is not None:
            self._least_probability = abstain_below
        self.model = Model(bundle.model, bundle.fixed_length, threads)
        last_id = len(self._vocabulary.tokens) - 1  # fails where the model has fewer rows
        outputs = len(self.model.run([last_id], self._vocabulary.trailing_padding))
        expected = len(self._vocabulary.labels)
        if outputs != expected and (outputs, expected) != (1, 2):
            raise BundleDamagedError(
                f"{bundle.path}: the model answers {outputs} values for {expected} labels"
            )

    def predict(self, texts: Texts) -> list[Prediction]:
        labels = self._vocabulary.labels
        predictions = []
        for encoded in self._encode(texts):
            probabilities = self._probabilities(encoded).tolist()
            best = max(range(len(probabilities)), key=probabilities.__getitem__)
            unfamiliar = encoded.known < self._least_known
            predictions.append(
                Prediction(
                    label=labels[best],
                    probability=probabilities[best],
                    probabilities=dict(zip(labels, probabilities)),
                    truncated=encoded.truncated,
                    known=encoded.known,
                    unfamiliar=unfamiliar,
                    abstained=unfamiliar or probabilities[best] < self._least_probability,
                )
            )
        return predictions

    def predict_proba(self, texts: Texts) -> npt.NDArray[np.float32]:
        rows = [self._probabilities(encoded) for encoded in self._encode(texts)]
        return np.stack(rows) if rows else np.zeros((0, len(self._vocabulary.labels)), np.float32)

    def _encode(self, texts: Texts) -> Iterable[Encoded]:
        if isinstance(texts, (bytes, Mapping)) or not isinstance(texts, Iterable):
            raise InputError(f"expected a text or texts, found {type(texts).__name__}")
        for row, text in enumerate([texts] if isinstance(texts, str) else texts):
            if not isinstance(text, str):
                raise InputError(f"text {row} is {type(text).__name__}, expected str")
            yield self._vocabulary.encode(text)

    def _probabilities(self, encoded: Encoded) -> npt.NDArray[np.float32]:
        output = self.model.run(encoded.ids, self._vocabulary.trailing_padding)
        if len(output) == 1:  # a sigmoid: the probability of the second label
            return np.array([1 - output[0], output[0]], np.float32)
        return output
