"""Attributes a label's logit to the words of a text.

Every feature of a `conv-pool` model is the maximum of one filter over the text, so it belongs to
the one n-gram with that maximum. The dense layer is a weighted sum of the features, and the wide
weights are one per word, so the logit splits exactly. What character n-grams add splits exactly
too. The parts are read from the interpreter's intermediate tensors. If they do not add up to its
own logit (integer arithmetic) or there is no maximum (an LSTM), occlusion is used: each word in
turn is replaced by the unknown word, and its part is the decrease of the logit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .aliases import Floats
from .bundle import Bundle
from .interpreter import INTERPRETER_ERRORS, find_interpreter
from .ngrams import NgramWeights, find_ngrams, split_words
from .text.pieces import WORD_START
from .text.tokenizer import Tokenizer
from .text.vocabulary import UNKNOWN_ID

MAX_UNEXPLAINED = 0.05  # of the logit (of 1 for small logits): the error of 8-bit arithmetic
MIN_PROBABILITY = 1e-7  # keeps logarithms finite
LogOdds = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Explanation:
    """A label's logit, split over the words of a text.

    A logit here is the log-odds of the label: against the other label with two classes, against the
    geometric mean of all classes with more, and of a multi-label bundle against not having it.

    Attributes:
        label: the label that is explained.
        method: `"exact"`, or `"occlusion"` where the logit cannot be split.
        tokens: the tokens that were read, in order.
        stand_ins: for each token, the listed word whose id it shares if it is hashed or corrected,
            else None.
        parts: what each token adds to the logit; the tokens of an n-gram share its part equally.
        rest: what belongs to no token: the bias and n-grams of padding. For occlusion, what the
            parts leave over.
    """

    label: str
    method: str
    tokens: tuple[str, ...]
    stand_ins: tuple[str | None, ...]
    parts: tuple[float, ...]
    rest: float

    def __repr__(self) -> str:
        strongest = sorted(zip(self.parts, self.tokens), key=lambda pair: -abs(pair[0]))[:3]
        shown = ", ".join(f"{token} {part:+.2f}" for part, token in strongest)
        return f"<Explanation of {self.label!r}, {self.method}: {shown or 'no words'}>"

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as plain JSON types."""
        return {
            "label": self.label,
            "method": self.method,
            "words": [[token, round(part, 4)] for token, part in zip(self.tokens, self.parts)],
            "stand_ins": {
                token: word for token, word in zip(self.tokens, self.stand_ins) if word is not None
            },
            "rest": self.rest,
        }


def explain_text(
    bundle: Bundle,
    text: str,
    label: str,
    probabilities_of: Callable[[list[int]], list[float]],
) -> Explanation:
    """Explain one label of one text; `probabilities_of` runs the model on ids without padding."""
    vocabulary, multi_label = bundle.vocabulary, bundle.vocabulary.multi_label
    tokens, ids = vocabulary.tokenize(text), vocabulary.encode(text).ids
    length = bundle.fixed_length or len(ids) + vocabulary.trailing_padding
    index = vocabulary.labels.index(label)
    log_odds = partial(_log_odds, index=index, multi_label=multi_label)

    def logit_of(ids: list[int]) -> float:
        probabilities = np.array(probabilities_of(ids))
        logits = np.log(np.maximum(probabilities, MIN_PROBABILITY))
        if multi_label:
            logits -= np.log(np.maximum(1 - probabilities, MIN_PROBABILITY))
        return float(log_odds(logits))

    parts, method = split_logit(bundle.model, ids, length, log_odds), "exact"
    if parts is None:
        parts, method = occlude(ids, logit_of), "occlusion"
    if bundle.ngrams is not None:
        parts = parts + split_ngrams(bundle.ngrams, text, tokens, vocabulary.tokenizer, log_odds)
    *word_parts, rest = parts.tolist()
    stand_ins = tuple(map(vocabulary.stand_in, tokens, ids))
    return Explanation(label, method, tuple(tokens), stand_ins, tuple(word_parts), rest)


def split_logit(model: bytes, ids: Sequence[int], length: int, log_odds: LogOdds) -> Floats | None:
    """Split a label's logit over the ids of a text, from the interpreter's own tensors.

    Args:
        length: of the input, padding included.
        log_odds: returns the label's log-odds: [outputs, …] -> […].

    Returns:
        float32 [ids + 1]: a part per id, then what belongs to none; None if the model's logit
        cannot be split.
    """
    try:
        run = _TracedRun(model, ids, length)
        parts, logit = _read_parts(run, len(ids), length, log_odds)
    except (*INTERPRETER_ERRORS, KeyError):
        return None  # an operator is missing, or the interpreter does not report it
    unexplained = logit - parts.sum()
    if not abs(unexplained) <= MAX_UNEXPLAINED * max(1.0, abs(logit)):
        return None
    parts[-1] += unexplained
    return parts


def split_ngrams(
    ngrams: NgramWeights, text: str, tokens: Sequence[str], tokenizer: Tokenizer, log_odds: LogOdds
) -> Floats:
    """Split what a text's n-grams add to a label's logit over its tokens.

    The tokens that an n-gram touches share its part equally.

    Returns:
        float32 [tokens + 1], as `split_logit` returns.
    """
    words = split_words(text, tokenizer, ngrams.max_characters)
    content, owners, position = f" {' '.join(words)} ", {}, 0
    for number, token in enumerate(tokens):
        start = content.find(token.replace(WORD_START, " "), position)
        if start < 0:  # beyond the characters that are read
            break
        position = start + len(token)
        owners.update(dict.fromkeys(range(start, position), number))
    found = list(find_ngrams(words, ngrams.longest))
    count = sum(len(starts) for _, starts, _ in found)
    parts = np.zeros(len(tokens) + 1, np.float32)
    for size, starts, hashes in found:
        values = log_odds(ngrams.scale(ngrams.levels(hashes), count).T)
        for start, value in zip(starts.tolist(), values.tolist()):
            touched = {owners[at] for at in range(start, start + size) if at in owners} or {-1}
            parts[list(touched)] += value / len(touched)
    if count:
        parts[-1] += log_odds(ngrams.bias)
    return parts


def occlude(ids: Sequence[int], logit_of: Callable[[list[int]], float]) -> Floats:
    """Attribute a label's logit by replacing each word in turn by the unknown word.

    Returns:
        float32 [ids + 1], as `split_logit` returns.
    """
    logit = logit_of(list(ids))
    parts = [
        logit - logit_of([*ids[:index], UNKNOWN_ID, *ids[index + 1 :]]) for index in range(len(ids))
    ]
    return np.array([*parts, logit - sum(parts)], np.float32)


class _TracedRun:
    """One run of a model on a text, with all intermediate tensors kept."""

    def __init__(self, model: bytes, ids: Sequence[int], length: int) -> None:
        _, interpreter_class = find_interpreter()
        resolver = sys.modules[interpreter_class.__module__].OpResolverType
        self._interpreter = interpreter_class(
            model_content=model,
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
        self._quantization = {tensor["index"]: tensor["quantization"] for tensor in details}
        self._operators = self._interpreter._get_ops_details()

    def find(self, name: str) -> list[tuple[list[int], int]]:
        """Return the input tensors and the output tensor of every operator of a name, in order."""
        return [
            ([int(tensor) for tensor in operator["inputs"]], int(operator["outputs"][0]))
            for operator in self._operators
            if operator["op_name"] == name
        ]

    def value(self, tensor: int) -> Floats:
        """Return a tensor's values, dequantized."""
        values = self._interpreter.get_tensor(tensor).astype(np.float32)
        scale, zero_point = self._quantization[tensor]
        return np.asarray((values - zero_point) * scale if scale else values, np.float32)


def _read_parts(
    run: _TracedRun, word_count: int, length: int, log_odds: LogOdds
) -> tuple[Floats, float]:
    """Return the parts, [words + 1], and the logit that they should add up to."""
    features, weights, mixing = _read_dense(run, log_odds)
    parts = np.zeros(word_count + 1, np.float32)
    for (summed, *_), output in run.find("SUM"):
        rows = run.value(summed)
        if rows.ndim == 2 and len(rows) == length:  # the wide weights, not the token count
            factor, _ = _later_factor(run, output)
            wide = rows * factor  # [length, outputs], or columns that many outputs share
            shares = log_odds(wide.T) if mixing is None else wide @ mixing[-wide.shape[1] :]
            parts[:word_count] += shares[:word_count]
    contributions = weights * features
    window_maps = [run.value(inputs[0]) for inputs, _ in run.find("REDUCE_MAX")]
    column = 0
    for window_map in window_maps:
        windows = window_map.reshape(-1, window_map.shape[-1])
        taps = length - len(windows) + 1
        for contribution, start in zip(contributions[column:], windows.argmax(axis=0)):
            end = min(start + taps, word_count)
            if start < word_count:
                parts[start:end] += contribution / (end - start)
            else:
                parts[-1] += contribution
        column += windows.shape[1]
    if column != len(contributions):
        raise ValueError("the features are not the maxima")
    (((logits_in, *_), _),) = run.find("LOGISTIC") or run.find("SOFTMAX")
    logits = run.value(logits_in).reshape(-1)
    makers = run.find("ADD") + run.find("FULLY_CONNECTED")
    ((inputs, _),) = (maker for maker in makers if maker[1] == logits_in)
    (bias,) = (value for value in map(run.value, inputs) if value.ndim == 1)
    parts[-1] += log_odds(bias)
    return parts, float(log_odds(logits))


def _read_dense(run: _TracedRun, log_odds: LogOdds) -> tuple[Floats, Floats, Floats | None]:
    """Return the features and how each counts, [features]; of shared columns how each counts."""
    dense = run.find("FULLY_CONNECTED")
    joined = {output: inputs for inputs, output in run.find("CONCATENATION")}
    from_dense = {output for _, output in dense}
    mixing = None
    for (source, weights, *_), _ in dense:
        if from_dense.intersection(joined.get(source, ())):  # of many classes
            mixing = log_odds(run.value(weights))  # [columns]
            dense = [layer for layer in dense if layer[0][0] != source]
    (((source, weights, *_), _),) = dense
    values = run.value(weights)
    of_features = log_odds(values) if mixing is None else mixing[: len(values)] @ values
    return run.value(source).reshape(-1), of_features, mixing


def _later_factor(run: _TracedRun, tensor: int) -> tuple[Floats, int]:
    """Return the product of all that a tensor is multiplied by afterwards, and the last product."""
    factor: Floats = np.ones((), np.float32)
    for inputs, output in run.find("MUL"):
        if tensor in inputs:
            (other,) = (operand for operand in inputs if operand != tensor)
            factor, tensor = factor * run.value(other), output
    return factor, tensor


def _log_odds(values: Floats, index: int, multi_label: bool) -> Floats:
    """Return a label's share of logits, relative to the other labels: [outputs, …] -> […]."""
    if multi_label:  # a sigmoid for each label
        return np.asarray(values[index], np.float32)
    if len(values) == 1:  # a sigmoid: the second label against the first
        return np.asarray(values[0] if index else -values[0], np.float32)
    if len(values) == 2:
        return np.asarray(values[index] - values[1 - index], np.float32)
    return np.asarray(values[index] - values.mean(axis=0), np.float32)
