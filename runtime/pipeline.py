"""Text to answer with one bundle: encode, run, read the probabilities."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Union

import numpy as np
import numpy.typing as npt

from .bundle import Bundle
from .errors import BundleDamagedError, InputError
from .interpreter import Model
from .prediction import Prediction
from .tokenizer import tokenize_start
from .vocabulary import Encoded

if TYPE_CHECKING:
    from .explain import Explanation

Texts = Union[str, Iterable[str]]
BLOCK = 256  # texts encoded before the first of them is run


class Pipeline:
    """A bundle and its model: all that one answer depends on, so that it changes at once."""

    def __init__(self, bundle: Bundle, threads: int, abstain_below: float | None) -> None:
        """Load the model and run it once, which proves that it fits the bundle.

        Args:
            bundle: the bundle.
            threads: how many threads one inference may use.
            abstain_below: the least probability of an answer; None takes the bundle's.

        Raises:
            InterpreterError: no interpreter is installed, or it refuses the model.
            BundleDamagedError: the model does not fit the vocabulary's labels.
        """
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
        _give_back_memory()

    def predict(self, texts: list[str]) -> list[Prediction]:
        """Classify texts, in their order."""
        encoded = [self._vocabulary.encode(text) for text in texts]
        return list(map(self._tell, encoded, self._answer(encoded)))

    def _tell(self, encoded: Encoded, probabilities: list[float]) -> Prediction:
        labels, known = self._vocabulary.labels, encoded.known
        probability, unfamiliar = max(probabilities), known < self._least_known
        return Prediction(
            labels[probabilities.index(probability)],
            probability,
            dict(zip(labels, probabilities)),
            encoded.truncated,
            known,
            unfamiliar,
            unfamiliar or probability < self._least_probability,
        )

    def predict_proba(self, texts: Texts) -> npt.NDArray[np.float32]:
        """Give the probabilities of texts, float32 [texts, classes]."""
        rows: list[list[float]] = []
        for block in split(texts):
            rows += self._answer([self._vocabulary.encode(text) for text in block])
        return np.array(rows, np.float32).reshape(-1, len(self._vocabulary.labels))

    def explain(self, text: str) -> Explanation:
        """Split the logit of a text's label over its words."""
        from .explain import Explanation, occlude, split_exactly  # here, and not at every start

        (block,) = split((text,))
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
        logs = np.log(np.maximum(self._run(Encoded(ids, False)), 1e-7))
        against = logs[1 - place] if len(logs) == 2 else logs.mean()
        return float(logs[place] - against)

    def _answer(self, encoded: list[Encoded]) -> list[list[float]]:
        """Give the probabilities of each text, the short ones first: fewer interpreters resized."""
        if len(encoded) == 1:
            return [self._run(encoded[0])]
        answers: list[list[float]] = [[]] * len(encoded)
        for place, each in sorted(enumerate(encoded), key=_length):
            answers[place] = self._run(each)
        return answers

    def _run(self, encoded: Encoded) -> list[float]:
        output: list[float]
        output = self.model.run(encoded.ids, self._vocabulary.trailing_padding).tolist()
        if len(output) == 1:  # a sigmoid: the probability of the second label
            return [1 - output[0], output[0]]
        return output


def _give_back_memory() -> None:
    """Return to the system what parsing took, half a megabyte that glibc would keep."""
    trim = getattr(ctypes.pythonapi, "malloc_trim", None)
    if trim:
        trim(ctypes.c_size_t(0))


def _length(placed: tuple[int, Encoded]) -> int:
    return len(placed[1].ids)


def split(texts: Texts) -> Iterator[list[str]]:
    """Part texts into lists, so that any number of them takes little memory, and check them.

    Args:
        texts: one text, or any iterable of texts.

    Yields:
        Lists of up to `BLOCK` texts.

    Raises:
        InputError: something given is not a string.
    """
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
