"""A scikit-learn estimator; needs the extras `train` and `sklearn`, its `export` also `convert`.

>>> from glovelite.sklearn import TextClassifier
>>> cross_val_score(TextClassifier("small"), texts, labels)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .runtime.extras import load_public_name, missing_extra_message

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        missing_extra_message(error.name, "sklearn"), name=error.name
    ) from None

from .data.rows import is_missing, read_label
from .data.sequences import check_texts, is_set
from .evaluation.scores import decide
from .runtime.aliases import PathLike
from .runtime.decision import NEVER_GIVEN
from .runtime.errors import DataError
from .runtime.files.output import scratch_folder
from .train.options import DEFAULT_PRESET, TrainingOptions, make_options

if TYPE_CHECKING:
    from .convert import ExportOptions, ExportResult
    from .train.memory_run import MemoryRun

__all__ = ["TextClassifier"]
_MIN_PROBABILITY = 1e-7  # keeps logarithms finite


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A text classifier for pipelines, cross-validation and searches of scikit-learn.

    `fit` writes nothing. A tenth of the texts decides which epoch is kept; none is test text, which
    is scikit-learn's to split off.

    Args:
        preset: name of a preset, or what `glovelite.train.make_options` returned.
        vectors: name of known vectors, path of a file of vectors, or `"none"`; None takes
            `glove.6B.100d`.
        random_state: seed, or a `RandomState` to draw one from; None takes the preset's, so that
            every `fit` on the same texts gives the same weights.
        epochs, filters, kernel_sizes, learning_rate, dropout, word_dropout, adapter, wide,
            balanced: options that replace the preset's, see `glovelite.train.TrainingOptions`; None
            keeps it.

    Attributes:
        classes_: the labels, sorted, in the order of the columns of probabilities.
        multilabel_: whether a text has a set of labels. Then `predict` returns an array of 0 and 1
            with a column for each of `classes_`.

    Example:
        >>> classifier = TextClassifier("small", random_state=1).fit(texts, labels)
        >>> classifier.predict(["a small wild bird"])
        >>> classifier.export("bundles/mine")
    """

    def __init__(
        self,
        preset: str | TrainingOptions = DEFAULT_PRESET,
        vectors: PathLike | None = None,
        random_state: Any = None,
        *,
        epochs: int | None = None,
        filters: int | None = None,
        kernel_sizes: tuple[int, ...] | None = None,
        learning_rate: float | None = None,
        dropout: float | None = None,
        word_dropout: float | None = None,
        adapter: int | None = None,
        wide: bool | None = None,
        balanced: bool | None = None,
    ) -> None:
        self.preset = preset
        self.vectors = vectors
        self.random_state = random_state
        self.epochs = epochs
        self.filters = filters
        self.kernel_sizes = kernel_sizes
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.adapter = adapter
        self.wide = wide
        self.balanced = balanced

    def fit(self, X: Sequence[str], y: Any) -> TextClassifier:
        """Train on texts and labels.

        Args:
            X: texts: a list, an array or a column of a DataFrame.
            y: a label for each; or for multi-label text a list of labels for each, an array of 0
                and 1, or a DataFrame of 0 and 1 whose columns name the labels.

        Raises:
            DataError: the texts or labels cannot be used.
            OptionsError: a parameter is invalid.
            VectorsError: the vectors cannot be read.
            DownloadError: the vectors cannot be fetched.
        """
        name = "fit_in_memory"  # needs the extra `train`
        fit_in_memory = load_public_name("glovelite.train", {name: "memory_run"}, name, "train")
        texts, targets = check_texts("X", X), _read_targets(y)
        run = fit_in_memory(texts, targets.labels, self._make_options(), self.vectors)
        numbers = {label: number for number, label in enumerate(run.vocabulary.labels)}
        names = map(read_label, targets.classes)
        self.classes_, self.multilabel_ = targets.classes, targets.multilabel
        # The model has no column for a label that no text has.
        self._columns = np.array([numbers.get(name, -1) for name in names], np.int64)
        self._run: MemoryRun = run
        return self

    def _make_options(self) -> TrainingOptions:
        seed = self.random_state
        if seed is not None and not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        given = self.get_params(deep=False)
        for name in ("preset", "vectors", "random_state"):
            del given[name]
        return make_options(self.preset, seed=None if seed is None else int(seed), **given)

    def predict_proba(self, X: Sequence[str]) -> Any:
        """Return the probability of each class, float32 [texts, classes]."""
        check_is_fitted(self)
        found = self._run.predict_proba(check_texts("X", X))
        return self._arrange(found, 0)

    def _arrange(self, values: Any, missing: float) -> Any:
        """Return values of the model's labels, [..., labels], in the order of `classes_`."""
        known = self._columns >= 0
        arranged = np.full((*values.shape[:-1], len(known)), missing, values.dtype)
        arranged[..., known] = values[..., self._columns[known]]
        return arranged

    @property
    def _thresholds(self) -> Any:
        """The threshold of each class of multi-label text, float64 [classes]."""
        return self._arrange(np.array(self._run.thresholds, np.float64), NEVER_GIVEN)

    def decision_function(self, X: Sequence[str]) -> Any:
        """Return logits, whose largest or positive ones are predicted.

        Returns:
            The log-odds of the second of two classes, [texts]; the logarithms of the probabilities
            of more, [texts, classes]; of multi-label text the log-odds of each label above its
            threshold, [texts, classes].
        """
        probabilities = self.predict_proba(X).astype(np.float64)
        if self.multilabel_:
            return _log_odds(probabilities) - _log_odds(self._thresholds)
        logits = _log(probabilities)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X: Sequence[str]) -> Any:
        """Return the class of each text, or for multi-label text an array of 0 and 1."""
        probabilities = self.predict_proba(X)
        if self.multilabel_:
            return decide(probabilities, self._thresholds).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]

    def score(self, X: Sequence[str], y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; of multi-label text, the share with exactly the right labels."""
        check_is_fitted(self)
        if self.multilabel_:
            y = _read_targets(y).as_flags(self.classes_)
        return float(super().score(X, y, sample_weight))

    def save(self, out: PathLike, *, overwrite: bool = False) -> None:
        """Write the run folder, for `glovelite-convert`.

        Raises:
            OutputError: it exists or cannot be written.
        """
        check_is_fitted(self)
        self._run.write(out, overwrite)

    def export(
        self, out: PathLike, options: ExportOptions | None = None, *, overwrite: bool = False
    ) -> ExportResult:
        """Write a bundle for devices; see `glovelite.convert.export_bundle`."""
        from .convert import export_bundle

        with scratch_folder() as folder:
            self.save(folder / "run")
            return export_bundle(folder / "run", out, options, overwrite=overwrite)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_run")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags


@dataclass(frozen=True)
class _Targets:
    """Labels as they were given.

    Attributes:
        labels: of each text: a value, or a list of values.
        classes: the different values, in the order of the columns of probabilities.
        multilabel: whether a text has a list.
    """

    labels: Any
    classes: Any
    multilabel: bool

    def as_flags(self, classes: Any) -> Any:
        """Return lists as an array of 0 and 1, int64 [texts, classes]."""
        names = list(map(read_label, classes))
        given = [set(map(read_label, values)) for values in self.labels]
        return np.array([[name in found for name in names] for found in given], np.int64)


def _read_targets(y: Any) -> _Targets:
    """Read labels in any form that scikit-learn or training takes.

    Raises:
        DataError: they are of several types, or an array is not of 0 and 1.
        ValueError: they are numbers with fractions, or no labels at all.
    """
    if hasattr(y, "toarray"):  # a sparse matrix
        y = y.toarray()
    shape = np.shape(y) if hasattr(y, "shape") else ()
    if len(shape) == 2 and shape[1] > 1:
        return _read_flags(y)
    if isinstance(y, Iterable) and any(map(is_set, y)):
        values = {value for given in y if is_set(given) for value in given}
        return _Targets(y, _sort_classes(values), multilabel=True)
    values = column_or_1d(y, warn=True)
    missing = (index for index, value in enumerate(values) if is_missing(value))
    if (index := next(missing, None)) is not None:
        raise DataError(f"y, index {index}: the label is missing")
    check_classification_targets(values)
    return _Targets(values, _sort_classes(values), multilabel=False)


def _read_flags(y: Any) -> _Targets:
    """Read an array or DataFrame of 0 and 1 with a column for each label."""
    flags = np.asarray(y)
    if not np.isin(flags, (0, 1)).all():
        raise DataError("y: expected a column of labels, or an array of 0 and 1 with a column each")
    classes = np.array(list(getattr(y, "columns", range(flags.shape[1]))))
    return _Targets([list(classes[row == 1]) for row in flags], classes, multilabel=True)


def _sort_classes(values: Any) -> Any:
    try:
        return np.unique(list(values))
    except TypeError:
        raise DataError("y: expected labels of one type, found several") from None


def _log_odds(probabilities: Any) -> Any:
    return _log(probabilities) - _log(1 - probabilities)


def _log(probabilities: Any) -> Any:
    return np.log(np.maximum(probabilities, _MIN_PROBABILITY))
