"""Optuna's decisions: the options of the next trial, and which trials are stopped early.

Its TPE sampler chooses options by the trials before; of those that still run elsewhere it assumes
that they turn out badly, so that several workers do not try the same. Its percentile pruner stops
trials that are among the worst quarter at the same point.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from .records import COMPLETE, PRUNED, TuningTrial, explored
from .space import Parameters, SearchSpace

PRUNING_STARTS_AFTER = 4  # trials
KEPT_PERCENTAGE = 75.0  # of trials at the same point; a high rate is worse until it falls
STEPS = 10  # of a trial, at which it is compared with others


def choose_parameters(
    space: SearchSpace,
    finished: Iterable[TuningTrial],
    running: Iterable[TuningTrial],
    number: int,
    seed: int,
) -> dict[str, Any]:
    """Return the options of a trial, the same for the same trials.

    Args:
        number: of the trial; the first ones are given by the space.
        seed: of the search.
    """
    first = space.first_trials()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two of the arguments are called experimental
        sampler = optuna.samplers.TPESampler(
            seed=seed + number,
            n_startup_trials=len(first),
            multivariate=True,
            constant_liar=True,
        )
    study = optuna.create_study(sampler=sampler)
    study.add_trials([_to_optuna(space, trial) for trial in (*_usable(finished), *running)])
    if number < len(first):
        study.enqueue_trial(dict(first[number]))
    return dict(study.ask(space.distributions).params)


class EarlyStopping:
    """Compares a trial with others at the same point."""

    def __init__(
        self, space: SearchSpace, others: Iterable[TuningTrial], parameters: Parameters, parts: int
    ) -> None:
        """Initialize with the parameters of the trial and the finished other trials.

        `parts` is its number of models; a single one is stopped half-way at the earliest.
        """
        warm_up = STEPS // 2 if parts == 1 else 0
        pruner = optuna.pruners.PercentilePruner(KEPT_PERCENTAGE, PRUNING_STARTS_AFTER, warm_up)
        study = optuna.create_study(pruner=pruner)
        study.add_trials([_to_optuna(space, trial) for trial in _usable(others)])
        study.enqueue_trial(dict(parameters))
        self._trial = study.ask(space.distributions)
        self.steps: dict[int, float] = {}  # step -> loss

    def is_bad(self, share: float, loss: float | None) -> bool:
        """Return whether the trial is among the worst.

        Args:
            share: of its work that is done, 0 to 1.
            loss: so far; None if it is not known.
        """
        step = int(share * STEPS + 1e-6)
        if loss is None or step in self.steps or share >= 1:
            return False
        self.steps[step] = loss
        self._trial.report(loss, step)
        return self._trial.should_prune()


def _usable(finished: Iterable[TuningTrial]) -> list[TuningTrial]:
    """Return the trials that can be compared: not one that ended before the default did."""
    return [
        trial for trial in explored(finished) if trial.state == PRUNED or trial.relative is not None
    ]


def _to_optuna(space: SearchSpace, trial: TuningTrial) -> FrozenTrial:
    states = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED}
    return create_trial(
        state=states.get(trial.state, TrialState.RUNNING),
        value=trial.relative,
        params=dict(trial.parameters),
        distributions=space.distributions,
        intermediate_values=dict(trial.steps),
    )
