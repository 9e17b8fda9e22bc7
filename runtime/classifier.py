"""Text in, labels and probabilities out: the class that a device program uses."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from numbers import Real
from threading import get_ident
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from .aliases import Floats, PathLike
from .bundle import Bundle, read_bundle
from .decision import AbstentionRule, decide_labels
from .errors import BundleDamagedError, InputError, OptionsError
from .interpreter import TFLiteModel
from .self_test import SelfTestResult, run_self_test
from .text.vocabulary import UNKNOWN_ID, Encoded

if TYPE_CHECKING:
    from .explain import Explanation

TextInput = Union[str, Iterable[str]]
BATCH_TEXTS = 256  # texts encoded before the first of them is run


@dataclass(frozen=True)
class Prediction:
    """The prediction for one text.

    Attributes:
        label: the most probable label, even if a multi-label bundle does not give it.
        probability: its probability, 0 to 1.
        probabilities: every label and its probability, in the model's order; those of a
            multi-label bundle are independent and do not sum to 1.
        truncated: whether the text was longer than the model reads.
        known: share of the text's tokens that are listed or hashed words, 0 to 1.
        unfamiliar: whether `known` is below the bundle's minimum, so that the prediction says
            little about the text.
        abstained: whether the prediction should not be relied on: the text is unfamiliar, or
            `confidence` is below the bundle's threshold.
        confidence: `probability`, lowered where the words are unlike those of training text. For a
            multi-label bundle, the probability that `labels` are exactly right, if labels were
            independent, lowered in the same way.
        labels: the labels of the text, most probable first: only `label`, or for a multi-label
            bundle those that reach their thresholds, possibly none.
    """

    label: str
    probability: float
    probabilities: dict[str, float]
    truncated: bool
    known: float
    unfamiliar: bool
    abstained: bool
    confidence: float
    labels: tuple[str, ...]

    def __repr__(self) -> str:
        given = self.label if self.label in self.labels else f"none, most probable {self.label}"
        if len(self.labels) > 1:
            given = ", ".join(self.labels)
        return f"<Prediction: {given}, {self.probability:.1%}{', abstained' * self.abstained}>"

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return up to `count` labels and probabilities, most probable first."""
        ordered = sorted(self.probabilities.items(), key=lambda item: -item[1])
        return ordered[:count]

    def as_dict(self, top: int | None = None) -> dict[str, Any]:
        """Return the prediction as plain JSON types, with up to `top` probabilities or with all."""
        return {
            "label": self.label,
            "labels": list(self.labels),
            "probability": self.probability,
            "probabilities": self.probabilities if top is None else dict(self.top(top)),
            "truncated": self.truncated,
            "known": self.known,
            "unfamiliar": self.unfamiliar,
            "abstained": self.abstained,
            "confidence": self.confidence,
        }


class Classifier:
    """A loaded bundle.

    Thread-safe, usable in child processes after a fork, and picklable with its bundle.

    Example:
        >>> classifier = Classifier.load("bundles/imdb")
        >>> classifier.predict("A moving, funny, beautifully acted film.")[0].label
        'positive'
    """

    def __init__(
        self, bundle: Bundle, threads: int = 1, abstain_below: float | None = None
    ) -> None:
        """Load the model of a bundle that was already read; most callers use `Classifier.load`.

        Raises:
            InterpreterError: no interpreter is installed, or it rejects the model.
            BundleDamagedError: the model does not fit the vocabulary's labels.
            OptionsError: `abstain_below` is no number from 0 to 1.
        """
        if abstain_below is not None:
            abstain_below = _check_share(abstain_below, "abstain_below")
        self._threads, self._abstain_below = threads, abstain_below
        self._usage = UsageCounter()
        self._predictor = _Predictor(bundle, threads, abstain_below)

    @classmethod
    def load(
        cls, path: PathLike, threads: int = 1, abstain_below: float | None = None
    ) -> Classifier:
        """Load a bundle folder.

        Args:
            threads: threads per inference; 1 is fastest for models this small.
            abstain_below: confidence below which a prediction is marked as abstained; None takes
                the bundle's thresholds, which export chose on dev text.

        Raises:
            BundleError: the bundle is missing, damaged or too new; the message names the file.
            InterpreterError: no interpreter is installed, or it rejects the model.
            OptionsError: `abstain_below` is no number from 0 to 1.
        """
        return cls(read_bundle(path), threads, abstain_below)

    def reload(self, path: PathLike | None = None) -> SelfTestResult:
        """Switch to another bundle if it passes its self-test here; otherwise keep the current one.

        Calls that are running in other threads finish with the bundle they started with.

        Args:
            path: the bundle's folder; None reads the current folder again.

        Raises:
            BundleError: the bundle is missing, damaged or too new.
            InterpreterError: the interpreter rejects the model.
            SelfTestError: its predictions differ from where it was exported.
        """
        bundle = read_bundle(self.bundle.path if path is None else path)
        predictor = _Predictor(bundle, self._threads, self._abstain_below)
        result = run_self_test(predictor.bundle, predictor.predict_proba)
        self._predictor = predictor
        return result

    def __reduce__(self) -> tuple[object, ...]:
        """Return what another process loads the classifier from: the bundle, not its folder."""
        return Classifier, (self.bundle, self._threads, self._abstain_below)

    def close(self) -> None:
        """Free the model's memory; further calls raise InterpreterError."""
        self._predictor.model.close()

    def __repr__(self) -> str:
        return f"<Classifier of {self.bundle!r}>"

    def __enter__(self) -> Classifier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def bundle(self) -> Bundle:
        """The current bundle."""
        return self._predictor.bundle

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities."""
        return self.bundle.vocabulary.labels

    @property
    def abstain_below(self) -> float | None:
        """The threshold given instead of the bundle's, or None."""
        return self._abstain_below

    @property
    def abstention(self) -> AbstentionRule:
        """When a prediction is marked as abstained: the bundle's rule, or that of the caller."""
        return self._predictor.abstention

    @property
    def usage(self) -> Usage:
        """What `predict` has classified since the classifier was loaded, also before a reload."""
        return self._usage.total()

    def predict(self, texts: TextInput) -> list[Prediction]:
        """Classify one text or several.

        Returns:
            Always a list: one prediction per text, in order.

        Raises:
            InputError: an item is not a string.
        """
        predictor, usage = self._predictor, self._usage
        if isinstance(texts, str):
            return predictor.predict([texts], usage)
        batches = split_batches(texts)
        return [answer for batch in batches for answer in predictor.predict(batch, usage)]

    def predict_proba(self, texts: TextInput) -> Floats:
        """Return only the probabilities.

        Returns:
            float32 [texts, classes], columns in the order of `labels`.

        Raises:
            InputError: an item is not a string.
        """
        return self._predictor.predict_proba(texts)

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Attribute a label's logit to the words of a text.

        The attribution is exact, or by occlusion where the model's logit cannot be split.

        Args:
            label: which label to explain; None takes the most probable one.

        Raises:
            InputError: `text` is not a string, or `label` is not a label of the bundle.
        """
        return self._predictor.explain(text, label)

    def evaluate(self, texts: Sequence[str], labels: Sequence[object]) -> Any:
        """Classify labelled texts in memory and score the answers; needs the extra `convert`.

        Args:
            texts: strings, such as a list or a column of a DataFrame.
            labels: a label for each, or for a multi-label bundle a list of labels, or a DataFrame
                of 0 and 1 with a column for each label.

        Returns:
            An `Evaluation`, as of `glovelite.convert.evaluate_bundle`.

        Raises:
            DataError: the texts or labels cannot be used, or the bundle lacks a label.

        Example:
            >>> classifier.evaluate(frame["text"], frame["label"]).scores.accuracy
        """
        from .extras import load_public_name  # imported late: devices do not evaluate

        name = "evaluate_classifier"
        evaluate = load_public_name("glovelite.convert", {name: "evaluation"}, name, "convert")
        return evaluate(self, texts, labels)

    def self_test(self) -> SelfTestResult:
        """Check that the bundle's golden texts get the predictions recorded at export.

        Raises:
            BundleDamagedError: the bundle has no golden texts.
            SelfTestError: ids or probabilities differ; the message names the text.
        """
        return run_self_test(self._predictor.bundle, self._predictor.predict_proba)


class _Predictor:
    """A bundle and its loaded model, replaced as one object when a classifier reloads."""

    def __init__(self, bundle: Bundle, threads: int, abstain_below: float | None) -> None:
        self.bundle = bundle
        self._vocabulary = bundle.vocabulary
        self.abstention, self._thresholds = bundle.abstention, bundle.thresholds
        if abstain_below is not None:
            self.abstention = replace(
                self.abstention, probability=abstain_below, labels={}, accuracy=None, wanted=None
            )
        self.model = TFLiteModel(bundle.model, bundle.fixed_length, threads)
        last_id = len(self._vocabulary.tokens) - 1  # fails if the model has fewer rows
        outputs = len(self.model.run([last_id], self._vocabulary.trailing_padding))
        classes = len(self._vocabulary.labels)
        if outputs not in (classes, self._vocabulary.outputs):
            raise BundleDamagedError(
                f"{bundle.path}: the model outputs {outputs} values for {classes} labels"
            )
        _release_parser_memory()

    def predict(self, texts: list[str], usage: UsageCounter | None = None) -> list[Prediction]:
        encoded = [self._vocabulary.encode(text) for text in texts]
        rows = self._add_ngrams(texts, self._run_all(encoded))
        predictions = list(map(self._to_prediction, encoded, rows))
        if usage is not None:
            usage.add(encoded, predictions)
        return predictions

    def predict_proba(self, texts: TextInput) -> Floats:
        rows: list[list[float]] = []
        for batch in split_batches(texts):
            encoded = [self._vocabulary.encode(text) for text in batch]
            rows += self._add_ngrams(batch, self._run_all(encoded))
        return np.array(rows, np.float32).reshape(-1, len(self._vocabulary.labels))

    def explain(self, text: str, label: str | None) -> Explanation:
        from .explain import explain_text  # imported late for a fast cold start

        (batch,) = split_batches((text,))
        if label is None:
            label = self.predict(batch)[0].label
        elif label not in self._vocabulary.labels:
            raise InputError(f"expected a label of {self.bundle.path}, found {label!r:.60}")
        return explain_text(self.bundle, text, label, lambda ids: self._run(Encoded(ids, False)))

    def _add_ngrams(self, texts: list[str], rows: list[list[float]]) -> list[list[float]]:
        """Return the probabilities of texts with their character n-grams, if the bundle has any."""
        ngrams, vocabulary = self.bundle.ngrams, self._vocabulary
        if ngrams is None:
            return rows
        added: list[list[float]] = ngrams.add_to(
            rows, texts, vocabulary.tokenizer, vocabulary.multi_label
        ).tolist()
        return added

    def _to_prediction(self, encoded: Encoded, probabilities: list[float]) -> Prediction:
        labels, known = self._vocabulary.labels, encoded.known
        certainty = probability = max(probabilities)
        unfamiliar = known < self.abstention.known
        label = labels[probabilities.index(probability)]
        given: tuple[str, ...] = (label,)
        if self._thresholds:
            indices, certainty = decide_labels(probabilities, self._thresholds)
            given = tuple(map(labels.__getitem__, indices))
        confidence = self.abstention.confidence(certainty, encoded.familiarity)
        return Prediction(
            label,
            probability,
            dict(zip(labels, probabilities)),
            encoded.truncated,
            known,
            unfamiliar,
            unfamiliar or self.abstention.abstains(label, confidence),
            confidence,
            given,
        )

    def _run_all(self, encoded: list[Encoded]) -> list[list[float]]:
        """Run the texts sorted by length, so that interpreters are resized less often."""
        if len(encoded) == 1:
            return [self._run(encoded[0])]
        results: list[list[float]] = [[]] * len(encoded)
        for index, text in sorted(enumerate(encoded), key=lambda item: len(item[1].ids)):
            results[index] = self._run(text)
        return results

    def _run(self, encoded: Encoded) -> list[float]:
        output: list[float]
        output = self.model.run(encoded.ids, self._vocabulary.trailing_padding).tolist()
        if len(output) == 1:  # a sigmoid: the probability of the second label
            return [1 - output[0], output[0]]
        return output


def _release_parser_memory() -> None:
    """Return freed memory to the system: glibc keeps 0.5 MB of parsing, 15 % of a loaded bundle."""
    trim = getattr(ctypes.pythonapi, "malloc_trim", None)
    if trim:
        trim(ctypes.c_size_t(0))


def split_batches(texts: TextInput) -> Iterator[list[str]]:
    """Split texts into lists of up to `BATCH_TEXTS`, checking each; bounds memory for any input.

    Raises:
        InputError: `texts` or an item is not text.
    """
    if isinstance(texts, str):
        texts = (texts,)
    elif isinstance(texts, (bytes, Mapping)) or not isinstance(texts, Iterable):
        raise InputError(f"expected a text or texts, found {type(texts).__name__}")
    batch = []
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {row} is {type(text).__name__}, expected str")
        batch.append(text)
        if len(batch) == BATCH_TEXTS:
            yield batch
            batch = []
    if batch:
        yield batch


@dataclass(frozen=True)
class Usage:
    """What a classifier has classified since it was loaded; no number ever decreases.

    Attributes:
        abstained: those whose prediction should not be relied on.
        unfamiliar: those with too few known words.
        tokens: tokens of the texts, as far as the model reads them.
        unknown_tokens: those that are neither listed nor hashed words, nor corrected.
        corrected_tokens: those that are read as their nearest spelling.
        without_labels: texts to which a multi-label bundle gave no label.
    """

    texts: int = 0
    abstained: int = 0
    unfamiliar: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    corrected_tokens: int = 0
    without_labels: int = 0


_NOTHING = astuple(Usage())


class UsageCounter:
    """Counts for any number of threads.

    Each thread has a count of its own, so no lock is needed, which a fork could copy while it is
    held. It is replaced as a whole, so that a reader sees one state of it.
    """

    def __init__(self) -> None:
        self._by_thread: dict[int, tuple[int, ...]] = {}  # the fields of `Usage`

    def add(self, texts: Sequence[Encoded], predictions: Sequence[Prediction]) -> None:
        """Count texts and their predictions."""
        thread = get_ident()
        count, abstained, unfamiliar, tokens, unknown, corrected, bare = self._by_thread.get(
            thread, _NOTHING
        )
        for text, prediction in zip(texts, predictions):
            abstained += prediction.abstained
            unfamiliar += prediction.unfamiliar
            tokens += len(text.ids)
            unknown += text.ids.count(UNKNOWN_ID)
            corrected += text.corrected
            bare += not prediction.labels
        counts = (count + len(texts), abstained, unfamiliar, tokens, unknown, corrected, bare)
        self._by_thread[thread] = counts

    def total(self) -> Usage:
        """Return the counts of all threads."""
        return Usage(*map(sum, zip(_NOTHING, *self._by_thread.copy().values())))


def _check_share(value: object, name: str) -> float:
    """Return a number from 0 to 1 as a float; raise OptionsError for anything else."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else -1
    if not 0 <= number <= 1:  # neither is NaN
        raise OptionsError(f"{name}: expected a number from 0 to 1, found {value!r:.40}")
    return number
