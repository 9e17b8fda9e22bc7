"""Text in, labels and probabilities out: the class a device program uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .bundle import Bundle, PathLike, read_bundle
from .pipeline import Pipeline, Texts, split
from .prediction import Prediction
from .self_test import Replay, replay

if TYPE_CHECKING:
    from .explain import Explanation


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
        self._ready = Pipeline(bundle, *self._options)

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
        ready = Pipeline(read_bundle(self.bundle.path if path is None else path), *self._options)
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

    def predict(self, texts: Texts, workers: int = 1) -> list[Prediction]:
        """Classify a text or several.

        Args:
            texts: one text, or any iterable of texts.
            workers: threads to share many texts among, each with interpreters of its own.

        Returns:
            Always a list, one prediction a text, in their order.

        Raises:
            InputError: something given is not a string.
        """
        ready = self._ready
        if isinstance(texts, str):
            return ready.predict([texts])
        blocks = split(texts)
        if workers == 1:
            return [prediction for block in blocks for prediction in ready.predict(block)]
        from concurrent.futures import ThreadPoolExecutor  # here, and not at every start

        with ThreadPoolExecutor(workers) as pool:
            answers = pool.map(ready.predict, blocks)
            return [prediction for answer in answers for prediction in answer]

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

    def explain(self, text: str) -> Explanation:
        """Tell which words of a text decided its label.

        Args:
            text: one text.

        Returns:
            The label's logit, split over the words: exactly, or by occlusion where the model does
            not split.

        Raises:
            InputError: it is not a string.
        """
        return self._ready.explain(text)

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
