"""Which words decided an answer: the label's logit, split over the words of the text.

Every feature of a `conv-pool` model is the maximum of one filter over the text, so it belongs to
the one n-gram where that maximum is; the dense layer weighs the features and adds them up, and the
wide weights are one a word. So the logit splits exactly. The parts are read from the interpreter,
which is asked to keep what it computes on the way; where they do not add up to its own logit
(integer arithmetic) or there is no maximum (an LSTM), each word is replaced by the unknown word in
turn, and what the logit loses is the word's part: occlusion.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .interpreter import find_interpreter
from .vocabulary import UNKNOWN

Floats = npt.NDArray[np.float32]
REST_ALLOWED = 0.05  # of the logit, in or beyond 1: what arithmetic in 8 bits may leave over


@dataclass(frozen=True)
class Explanation:
    """The label's logit, split over the words of a text.

    A logit here is the logarithm of the odds of the label: with two classes against the other, with
    more against the (geometric) mean of all.

    Attributes:
        label: the label explained, the one answered.
        method: `"exact"`, or `"occlusion"` where the model's arithmetic cannot be split.
        tokens: the words looked at, in order.
        parts: what each adds to the logit; an n-gram's part is shared equally by its words.
        rest: what belongs to no word: the bias, and n-grams of padding. By occlusion, all that the
            words' parts leave over.
    """

    label: str
    method: str
    tokens: tuple[str, ...]
    parts: tuple[float, ...]
    rest: float

    def as_dict(self) -> dict[str, Any]:
        """Give the explanation as plain JSON types."""
        words = [[token, round(part, 4)] for token, part in zip(self.tokens, self.parts)]
        return {"label": self.label, "method": self.method, "words": words, "rest": self.rest}


def split_exactly(content: bytes, ids: Sequence[int], length: int, place: int) -> Floats | None:
    """Split a label's logit over the ids of a text by reading the interpreter's own tensors.

    Args:
        content: the flatbuffer.
        ids: the text's ids, without padding.
        length: of the input, padding included.
        place: the label's place among the labels.

    Returns:
        float32 [ids + 1], a part for each id and at the end what belongs to none; None where the
        model is not of a kind that splits.
    """
    try:
        graph = _Graph(content, ids, length)
        parts, logit = _split(graph, len(ids), length, place)
    except (ValueError, RuntimeError, KeyError, IndexError, AttributeError, TypeError):
        return None  # an operator is missing, or the interpreter does not tell of it
    unexplained = logit - parts.sum()
    if not abs(unexplained) <= REST_ALLOWED * max(1.0, abs(logit)):
        return None
    parts[-1] += unexplained
    return parts


def occlude(ids: Sequence[int], logit_of: Callable[[list[int]], float]) -> Floats:
    """Split a label's logit by replacing each word by the unknown word in turn.

    Args:
        ids: the text's ids, without padding.
        logit_of: gives the label's logit for ids.

    Returns:
        float32 [ids + 1], as `split_exactly` gives.
    """
    whole = logit_of(list(ids))
    parts = [whole - logit_of([*ids[:at], UNKNOWN, *ids[at + 1 :]]) for at in range(len(ids))]
    return np.array([*parts, whole - sum(parts)], np.float32)


class _Graph:
    """A model that has run once on a text, all it computed on the way kept."""

    def __init__(self, content: bytes, ids: Sequence[int], length: int) -> None:
        _, interpreter_class = find_interpreter()
        resolver = sys.modules[interpreter_class.__module__].OpResolverType
        self._interpreter = interpreter_class(
            model_content=content,
            experimental_op_resolver_type=resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        input_ = self._interpreter.get_input_details()[0]
        if tuple(input_["shape"]) != (1, length):
            self._interpreter.resize_tensor_input(input_["index"], [1, length])
        self._interpreter.allocate_tensors()
        padded = np.zeros((1, length), np.int32)
        padded[0, : len(ids)] = ids
        self._interpreter.set_tensor(input_["index"], padded)
        self._interpreter.invoke()
        details = self._interpreter.get_tensor_details()
        self._quantization = {each["index"]: each["quantization"] for each in details}
        self._operators = self._interpreter._get_ops_details()

    def find(self, name: str) -> list[tuple[list[int], int]]:
        """Give the inputs and the output of every operator of a name, in order."""
        return [
            ([int(tensor) for tensor in each["inputs"]], int(each["outputs"][0]))
            for each in self._operators
            if each["op_name"] == name
        ]

    def value(self, tensor: int) -> Floats:
        """Give what a tensor holds, as real numbers."""
        found = self._interpreter.get_tensor(tensor).astype(np.float32)
        scale, zero = self._quantization[tensor]
        return np.asarray((found - zero) * scale if scale else found, np.float32)


def _split(graph: _Graph, words: int, length: int, place: int) -> tuple[Floats, float]:
    """Give the parts, [words + 1], and the logit they should add up to."""
    (((features_in, weights_in, *_), _),) = graph.find("FULLY_CONNECTED")
    weights = _against_others(graph.value(weights_in), place)  # [features]
    scores = weights * graph.value(features_in).reshape(-1)
    maps = [graph.value(inputs[0]) for inputs, _ in graph.find("REDUCE_MAX")]
    parts = np.zeros(words + 1, np.float32)
    column = 0
    for each in maps:
        windows = each.reshape(-1, each.shape[-1])
        taps = length - len(windows) + 1
        for score, start in zip(scores[column:], windows.argmax(axis=0)):
            end = min(start + taps, words)
            if start < words:
                parts[start:end] += score / (end - start)
            else:
                parts[-1] += score
        column += windows.shape[1]
    if column != len(scores):
        raise ValueError("the features are not the maxima")
    for (summed, *_), output in graph.find("SUM"):
        rows = graph.value(summed)
        if rows.ndim == 2 and len(rows) == length:  # the wide weights, not the count of words
            scaled = rows * _later_factor(graph, output)
            parts[:words] += _against_others(scaled.T, place)[:words]
    (((logits_in, *_), _),) = graph.find("LOGISTIC") or graph.find("SOFTMAX")
    logits = graph.value(logits_in).reshape(-1, 1)
    ((added, _),) = (each for each in graph.find("ADD") if each[1] == logits_in)
    (bias,) = (value for value in map(graph.value, added) if value.ndim == 1)
    parts[-1] += _against_others(bias[:, None], place)[0]
    return parts, float(_against_others(logits, place)[0])


def _later_factor(graph: _Graph, tensor: int) -> Floats:
    """Give what a tensor is multiplied by afterwards, once or several times."""
    factor: Floats = np.ones((), np.float32)
    for inputs, output in graph.find("MUL"):
        if tensor in inputs:
            (other,) = (each for each in inputs if each != tensor)
            factor, tensor = factor * graph.value(other), output
    return factor


def _against_others(values: Floats, place: int) -> Floats:
    """Take a label's row against the others': [outputs, n] → [n]."""
    if len(values) == 1:  # a sigmoid's: the second label against the first
        return np.asarray(values[0] if place else -values[0], np.float32)
    if len(values) == 2:
        return np.asarray(values[place] - values[1 - place], np.float32)
    return np.asarray(values[place] - values.mean(axis=0), np.float32)
