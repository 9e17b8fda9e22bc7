"""Text in, labels and probabilities out: the class a device program uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Union

import numpy as np
import numpy.typing as npt

from .bundle import Bundle, PathLike, read_bundle
from .errors import BundleDamagedError, InputError
from .goldens import Replay, replay
from .interpreter import APART_UP_TO, Model
from .prediction import Prediction
from .tokenizer import tokenize_start
from .vocabulary import Encoded

if TYPE_CHECKING:
    from .explain import Explanation

Texts = Union[str, Iterable[str]]
BLOCK = 256  # texts encoded before the first of them is run
_NONE = np.zeros(0, np.float32)


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
        blocks = _split(texts)
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


class _Ready:
    """A bundle and its model: all that one answer depends on, so that it changes at once."""

    def __init__(self, bundle: Bundle, threads: int, abstain_below: float | None) -> None:
        self.bundle = bundle
        self._vocabulary = bundle.vocabulary
        self._least_probability, self._least_known = bundle.abstention
        if abstain_below is not None:
            self._least_probability = abstain_below
        # Interpreters expand float16 weights for themselves: one of them is enough to hold.
        apart_up_to = 0 if bundle.manifest.get("recipe") == "float16" else APART_UP_TO
        self.model = Model(bundle.model, bundle.fixed_length, threads, apart_up_to)
        outputs = len(self.model.run([], self._vocabulary.trailing_padding))
        expected = len(self._vocabulary.labels)
        if outputs != expected and (outputs, expected) != (1, 2):
            raise BundleDamagedError(
                f"{bundle.path}: the model answers {outputs} values for {expected} labels"
            )

    def predict(self, texts: list[str]) -> list[Prediction]:
        labels = self._vocabulary.labels
        predictions = []
        encoded = [self._vocabulary.encode(text) for text in texts]
        for each, answer in zip(encoded, self._answer(encoded)):
            probabilities = answer.tolist()
            probability, known = max(probabilities), each.known
            unfamiliar = known < self._least_known
            predictions.append(
                Prediction(
                    labels[probabilities.index(probability)],
                    probability,
                    dict(zip(labels, probabilities)),
                    each.truncated,
                    known,
                    unfamiliar,
                    unfamiliar or probability < self._least_probability,
                )
            )
        return predictions

    def predict_proba(self, texts: Texts) -> npt.NDArray[np.float32]:
        rows: list[npt.NDArray[np.float32]] = []
        for block in _split(texts):
            rows += self._answer([self._vocabulary.encode(text) for text in block])
        return np.stack(rows) if rows else np.zeros((0, len(self._vocabulary.labels)), np.float32)

    def explain(self, text: str) -> Explanation:
        from .explain import Explanation, occlude, split_exactly  # here, and not at every start

        (block,) = _split((text,))
        ids = self._vocabulary.encode(block[0]).ids
        label = self.predict(block)[0].label
        place = self._vocabulary.labels.index(label)
        padding = self._vocabulary.trailing_padding
        length = self.bundle.fixed_length or len(ids) + padding
        parts, method = split_exactly(self.bundle.model, ids, length, place), "exact"
        if parts is None:
            parts, method = occlude(ids, lambda each: self._logit(each, place)), "occlusion"
        *of_words, rest = parts.tolist()
        tokens = tokenize_start(text, self._vocabulary.max_tokens)
        return Explanation(label, method, tuple(tokens), tuple(of_words), rest)

    def _logit(self, ids: list[int], place: int) -> float:
        (answer,) = self._answer([Encoded(ids, False)])
        logs = np.log(np.maximum(answer, 1e-7))
        against = logs[1 - place] if len(logs) == 2 else logs.mean()
        return float(logs[place] - against)

    def _answer(self, encoded: list[Encoded]) -> list[npt.NDArray[np.float32]]:
        """Give the probabilities of each text, the short ones first: fewer interpreters resized."""
        answers = [_NONE] * len(encoded)
        for place, each in sorted(enumerate(encoded), key=_length):
            output = self.model.run(each.ids, self._vocabulary.trailing_padding)
            if len(output) == 1:  # a sigmoid: the probability of the second label
                output = np.array([1 - output[0], output[0]], np.float32)
            answers[place] = output
        return answers


def _length(placed: tuple[int, Encoded]) -> int:
    return len(placed[1].ids)


def _split(texts: Texts) -> Iterator[list[str]]:
    """Part texts into lists, so that any number of them takes little memory, and check them."""
    if isinstance(texts, str):
        texts = (texts,)
    elif isinstance(texts, (bytes, Mapping)) or not isinstance(texts, Iterable):
        raise InputError(f"expected a text or texts, found {type(texts).__name__}")
    block = []
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {row} is {type(text).__name__}, expected str")
        block.append(text)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block
