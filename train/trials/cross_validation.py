"""Cross-validation, and texts whose labels are probably wrong.

A tenth of a few hundred texts says little about accuracy. Here every text is classified once, by a
model that was trained without its fold; the model that is kept is then trained on all texts.

Wrong labels are found with confident learning (Northcutt, Jiang and Chuang, "Confident Learning:
Estimating Uncertainty in Dataset Labels", 2021). A model is on average less sure of some classes
than of others. So each class has a threshold of its own: its mean probability on the texts that are
labelled with it. A text is probably mislabelled if another class is the most probable one and above
its threshold. Each label of multi-label text is given or not, which are two classes; a text is
probably mislabelled if one of its labels is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from glovelite.evaluation.scores import (
    Accuracy,
    Scores,
    choose_thresholds,
    decide,
    score,
    score_sources,
)
from glovelite.runtime.aliases import Bools, Classes, Floats, Longs
from glovelite.runtime.text.vocabulary import Vocabulary

from ..data.corpus import Corpus
from ..data.splitting.folds import Folds
from ..data.splitting.split import Split
from ..fitting.calibration import Calibration, calibrate_folds
from ..options import TrainingOptions
from ..unfinished import TrialFile
from ..vectors.cache import WordVectors
from ..vectors.embedding_table import build_table, count_tokens, measure_familiarity
from .trial import fit_trial

logger = logging.getLogger(__name__)
LEVEL = 0.95


@dataclass(frozen=True)
class LabelErrors:
    """Texts whose labels are probably wrong, the most probable errors first.

    Attributes:
        rows: int64 [errors], index of each text.
        suggested: int64 [errors], the class that it probably has, or bool [errors, labels].
        given_probability: float32 [errors], of the given class; of multi-label text, the product of
            the probabilities that each label is as given.
        suggested_probability: the same of the suggested class or labels.
        thresholds: float32 [classes], mean probability of each class on the texts labelled with it.
    """

    rows: Longs
    suggested: Classes
    given_probability: Floats
    suggested_probability: Floats
    thresholds: Floats

    def __len__(self) -> int:
        return len(self.rows)


def find_label_errors(probabilities: Floats, targets: Classes) -> LabelErrors:
    """Find the texts for which another class is the most probable one and above its threshold.

    They are ranked by the normalized margin: the probability of the given label minus that of the
    suggested one.

    Args:
        probabilities: float32 [texts, classes], each text's from a model trained without it.
        targets: int [texts], the given classes, or bool [texts, labels]; every class has a text.
    """
    if targets.ndim == 2:
        return _find_wrong_sets(probabilities, targets.astype(np.bool_))
    counts = np.bincount(targets, minlength=probabilities.shape[1])
    given = probabilities[np.arange(len(targets)), targets]
    thresholds = np.bincount(targets, weights=given, minlength=len(counts)) / counts
    suggested = probabilities.argmax(axis=1)
    largest = probabilities.max(axis=1)
    rows = np.flatnonzero((suggested != targets) & (largest >= thresholds[suggested]))
    rows = rows[np.argsort(given[rows] - largest[rows], kind="stable")]
    return LabelErrors(
        rows, suggested[rows], given[rows], largest[rows], thresholds.astype(np.float32)
    )


def _find_wrong_sets(probabilities: Floats, targets: Bools) -> LabelErrors:
    """Find the texts that have a label too many or too few; ranked like single labels."""
    as_given = np.where(targets, probabilities, 1 - probabilities)
    counts = targets.sum(axis=0), (~targets).sum(axis=0)
    with_label = (as_given * targets).sum(axis=0) / np.maximum(counts[0], 1)
    without = (as_given * ~targets).sum(axis=0) / np.maximum(counts[1], 1)
    otherwise = 1 - as_given
    wrong = (otherwise > as_given) & (otherwise >= np.where(targets, without, with_label))
    rows = np.flatnonzero(wrong.any(axis=1))
    given = as_given[rows].prod(axis=1)
    suggested = np.where(wrong, otherwise, as_given)[rows].prod(axis=1)
    order = np.argsort(given - suggested, kind="stable")
    rows = rows[order]
    return LabelErrors(
        rows,
        targets[rows] ^ wrong[rows],
        given[order].astype(np.float32),
        suggested[order].astype(np.float32),
        with_label.astype(np.float32),
    )


@dataclass(frozen=True)
class MeanScore:
    """The mean of a score over folds.

    Attributes:
        mean: 0 to 1.
        interval: its 95 % t interval. It takes the folds for independent; as they share training
            text, it is somewhat too narrow.
    """

    mean: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class FoldScore:
    """The score of a fold by the model that was trained without it.

    Attributes:
        texts: number of texts in the fold.
        training_texts: number of texts trained on: nine tenths of the other folds, the rest being
            dev text.
        best_epoch: the epoch whose weights were kept, from 1.
        accuracy: on the fold, 0 to 1.
        macro_f1: mean F1 of its classes, 0 to 1.
        micro_f1: F1 of all decisions about multi-label text, 0 to 1, else None.
    """

    texts: int
    training_texts: int
    best_epoch: int
    accuracy: float
    macro_f1: float
    micro_f1: float | None = None


@dataclass(frozen=True)
class CrossValidation:
    """The result of a cross-validation.

    Attributes:
        accuracy: mean over the folds.
        macro_f1: mean over the folds.
        out_of_fold: scores of all texts together, each by the model that was trained without it.
        micro_f1: of multi-label text, mean over the folds, else None.
    """

    accuracy: MeanScore
    macro_f1: MeanScore
    folds: tuple[FoldScore, ...]
    out_of_fold: Scores
    micro_f1: MeanScore | None = None


@dataclass(frozen=True)
class OutOfFold:
    """All texts, each classified by the model that was trained without its fold.

    Attributes:
        folds: int64 [texts], fold of each, from 0.
        probabilities: float32 [texts, classes].
        calibration: of the logits behind them: the temperature is for the model that is trained on
            all texts; a fold's probabilities have the temperature of the other folds.
        source_scores: source -> score, if there are several.
        familiarity: float64 [texts], mean level of each text's words in the training text of that
            model; None if the vocabulary has no levels.
        label_errors: texts whose labels are probably wrong, or None if that was not asked.
    """

    corpus: Corpus
    folds: Longs
    probabilities: Floats
    calibration: Calibration
    summary: CrossValidation
    source_scores: dict[str, Accuracy]
    familiarity: Floats | None = None
    label_errors: LabelErrors | None = None


@dataclass(frozen=True)
class _FoldTrial:
    """A finished fold.

    Attributes:
        logits: of its texts, float32 [texts, 1 or classes].
        familiarity: of its texts, float64 [texts]; see `OutOfFold`.
    """

    score: FoldScore
    logits: Floats
    familiarity: Floats | None

    def as_json(self) -> dict[str, Any]:
        """Return what is saved of the fold until all are finished."""
        familiarity = None if self.familiarity is None else self.familiarity.tolist()
        return {
            "score": asdict(self.score),
            "logits": self.logits.tolist(),
            "familiarity": familiarity,
        }


def cross_validate(
    folds: Folds,
    vocabulary: Vocabulary,
    vectors: WordVectors,
    options: TrainingOptions,
    trial_file: TrialFile,
) -> OutOfFold:
    """Train a model without each fold, with the vocabulary of its own texts.

    A tenth of the other folds is dev text, as for the model that is kept: a whole fold as dev text
    would leave much less to train on.

    Args:
        vocabulary: labels and lengths.
        trial_file: where finished folds are saved.
    """
    logger.info(f"cross-validating on {len(folds)} folds of {len(folds.corpus):,} texts")
    trials = trial_file.load(_parse_fold)
    if trials:
        logger.info(f"resuming after fold {len(trials)}")
    for split in folds.splits[len(trials) :]:
        trials.append(_run_fold(split, vocabulary, vectors, options))
        trial_file.save([trial.as_json() for trial in trials])
        logger.info(f"fold {len(trials)}/{len(folds)}: {_describe_fold(trials[-1].score)}")
    scores = tuple(trial.score for trial in trials)
    logits = _join(folds, [trial.logits for trial in trials])
    levels = [trial.familiarity for trial in trials if trial.familiarity is not None]
    targets = folds.corpus.targets
    probabilities, calibration = calibrate_folds(logits, targets, folds.numbers)
    thresholds = None
    if folds.corpus.multi_label:
        thresholds = choose_thresholds(probabilities, targets)
    predicted = decide(probabilities, thresholds)
    source_scores = score_sources(targets, predicted, folds.corpus.rows_by_source())
    micro_f1 = [fold.micro_f1 for fold in scores if fold.micro_f1 is not None]
    summary = CrossValidation(
        mean_score([fold.accuracy for fold in scores]),
        mean_score([fold.macro_f1 for fold in scores]),
        scores,
        score(targets, probabilities, vocabulary.labels, thresholds),
        mean_score(micro_f1) if micro_f1 else None,
    )
    return OutOfFold(
        folds.corpus,
        folds.numbers,
        probabilities,
        calibration,
        summary,
        source_scores,
        _join(folds, levels) if levels else None,
    )


def _join(folds: Folds, parts: Sequence[Floats]) -> Floats:
    """Return what is known of each fold's texts in the order of all texts."""
    joined = np.zeros((len(folds.corpus), *parts[0].shape[1:]), parts[0].dtype)
    for number, part in enumerate(parts):
        joined[folds.numbers == number] = part
    return joined


def mean_score(values: Sequence[float]) -> MeanScore:
    """Return the mean of a score over two folds or more, with its interval."""
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    margin = float(student_t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return MeanScore(mean, (max(0.0, mean - margin), min(1.0, mean + margin)))


def _parse_fold(saved: Any) -> _FoldTrial:
    familiarity = saved["familiarity"]
    return _FoldTrial(
        FoldScore(**saved["score"]),
        np.array(saved["logits"], np.float32),
        None if familiarity is None else np.array(familiarity),
    )


def _run_fold(
    split: Split, vocabulary: Vocabulary, vectors: WordVectors, options: TrainingOptions
) -> _FoldTrial:
    counts, _ = count_tokens(split.train.texts, vocabulary.tokenizer)
    table = build_table(counts, vectors, options)
    familiarity = None
    if vocabulary.familiarity is not None:
        levels = measure_familiarity(table.tokens, counts, vectors)
        of_fold = replace(vocabulary, tokens=table.tokens, familiarity=levels)
        familiarity = np.array([of_fold.encode(text).familiarity for text in split.test.texts])
    trial = fit_trial(split, table, vocabulary, options)
    found = trial.scores
    fold = FoldScore(
        found.texts,
        trial.texts,
        trial.fitted.best_epoch,
        found.accuracy,
        found.macro_f1,
        found.micro_f1,
    )
    return _FoldTrial(fold, trial.logits, familiarity)


def _describe_fold(fold: FoldScore) -> str:
    micro_f1 = "" if fold.micro_f1 is None else f"micro F1 {fold.micro_f1:.1%}, "
    return (
        f"{micro_f1}accuracy {fold.accuracy:.1%}, macro F1 {fold.macro_f1:.1%} "
        f"({fold.texts:,} texts, trained on {fold.training_texts:,}, epoch {fold.best_epoch})"
    )
