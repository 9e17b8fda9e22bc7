"""Searches the training options that suit a text best, within a time.

Optuna's TPE sampler chooses the options of each trial by those before, and its percentile pruner
stops trials that are among the worst quarter at the same point. The first trial has the default
options. When time is nearly used up, the best trials and the default are repeated with another
seed: the best of many trials is partly the luckiest. The default is kept unless another trial is
better by more than the standard error of the difference.

Every trial is saved, and the search depends on nothing else: killed and called again, it continues
as if it had not been interrupted.
"""

from __future__ import annotations

import logging
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from runtime.aliases import Log

from ..errors import OptionsError
from ..model.outputs import count_outputs
from ..options import TrainingOptions
from ..preparation import PreparedData
from ..trials.trial import TrialFile
from .criterion import Measured, average, measure
from .evaluation import Comparison, make_comparison, run_trial
from .records import COMPLETE, PRUNED, Tuned, TuningTrial, explored
from .settings import SEARCHED, Autotune
from .space import SearchSpace, make_space

FINALISTS = 3  # repeated with another seed, besides the default
REPEATS_SHARE = 0.25  # of the time at most
SURE_DIFFERENCE = 1.0  # standard errors that a trial must be better than the default
PRUNING_STARTS_AFTER = 4  # trials
KEPT_PERCENTAGE = 75.0  # of trials at the same point; a high rate is worse until it falls
STEPS = 10  # of a trial, at which it is compared with others
FINISH_SECONDS = 8.0  # calibration, the unknown word's vector, writing the run folder
FINISH_SHARE = 1.1  # of the expected time of the final training
WARMING_UP = 0.15  # of a trial, until its speed is known: the first steps compile the model


class _StoppedError(Exception):
    """A trial was stopped early."""


def tune(
    data: PreparedData,
    settings: Autotune,
    trial_file: TrialFile,
    log: Log,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Search the options of a training.

    Args:
        data: the prepared text; its options are those of the first trial.
        settings: time, size and what is fixed.
        trial_file: where finished trials are saved.
        log: receives a line per trial.
        clock: returns seconds.
    """
    logging.getLogger("optuna").setLevel(logging.ERROR)
    trials = trial_file.load(TuningTrial.parse)
    start = clock() - (trials[-1].at if trials else 0.0)
    split, classes = data.split, len(data.vocabulary.labels)
    multi_label = split.train.multi_label
    outputs = count_outputs(classes, multi_label)
    space = make_space(data.run.options, settings, len(split.train), outputs, multi_label)
    seed = data.run.options.seed
    search = _Search(data, settings, space, make_comparison(data, seed), clock, start, trials)
    log(f"searching {', '.join(space.distributions)} on {search.comparison.describe()}")
    if trials:
        log(f"resuming after trial {len(trials)}")
    while search.has_time_to_explore():
        trial = search.explore()
        trial_file.save([each.as_dict() for each in trials])
        log(search.describe(trial))
    finalists = search.finalists()
    again = search.comparison
    if finalists and again.drawn:
        again = make_comparison(data, seed + 1)
    for finalist in finalists:
        repeat = search.repeat(finalist, again)
        trial_file.save([each.as_dict() for each in trials])
        log(search.describe(repeat))
    result = search.choose()
    log(describe_choice(result))
    return result


@dataclass
class _Search:
    """The state of a search: its trials and its clock."""

    data: PreparedData
    settings: Autotune
    space: SearchSpace
    comparison: Comparison
    clock: Callable[[], float]
    start: float
    trials: list[TuningTrial] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        """Seconds from the start of the search; interruptions do not count."""
        return self.clock() - self.start

    @property
    def complete(self) -> list[TuningTrial]:
        """The complete trials with options of their own, the best first."""
        done = [each for each in explored(self.trials) if each.measured is not None]
        return sorted(done, key=lambda trial: (trial.relative, trial.number))

    @property
    def default(self) -> TuningTrial:
        """The trial with the default options."""
        return next(each for each in self.trials if each.number == 0)

    def final_seconds(self, trial_seconds: float) -> float:
        """Return how long a trial's final training takes."""
        trained = sum(len(part.train) for part in self.comparison.parts)
        share = len(self.data.split.train) / trained
        return trial_seconds * share * FINISH_SHARE + FINISH_SECONDS

    def has_time_to_explore(self) -> bool:
        """Return whether another trial may start."""
        done = self.complete
        number = sum(1 for _ in explored(self.trials))
        if self.settings.max_trials is not None and number >= self.settings.max_trials:
            return False
        if any(trial.repeats is not None for trial in self.trials):
            return False  # the search is over
        if not done:
            return True
        typical = statistics.median(trial.seconds for trial in done)
        slowest_final = self.final_seconds(max(trial.seconds for trial in done[: FINALISTS + 1]))
        repeats = min(REPEATS_SHARE * self.settings.seconds, (FINALISTS + 1) * typical)
        if len(done) <= FINALISTS:
            repeats = 0.0
        return self.elapsed + typical + repeats + slowest_final <= self.settings.seconds

    def finalists(self) -> list[TuningTrial]:
        """Return the trials to repeat with another seed that are left: the default, the best."""
        done = self.complete
        better = [trial for trial in done if trial.relative is not None and trial.relative < 1]
        chosen = [self.default, *better[:FINALISTS]] if better else []
        repeated = {trial.repeats for trial in self.trials}
        left, planned = list[TuningTrial](), self.elapsed
        for trial in chosen:
            if trial.number in repeated:
                continue
            planned += trial.seconds
            final = self.final_seconds(max(each.seconds for each in chosen))
            if planned + final > self.settings.seconds:
                break
            left.append(trial)
        if self.default.number not in repeated and len(left) < 2:
            return []  # nothing to compare the default with
        return left

    def explore(self) -> TuningTrial:
        """Train a trial whose options Optuna chooses."""
        number = sum(1 for _ in explored(self.trials))
        study = self._make_study(number)
        first = self.space.first_trials()
        if number < len(first):
            study.enqueue_trial(dict(first[number]))
        asked = study.ask(self.space.distributions)
        parameters = dict(asked.params)

        def may_stop(share: float, loss: float | None, steps: dict[int, float]) -> bool:
            step = int(share * STEPS + 1e-6)
            if loss is None or step in steps or share >= 1:
                return False
            steps[step] = loss
            asked.report(loss, step)
            return asked.should_prune()

        texts = len(self.data.split.train)
        options = self.space.make_options(parameters, texts)
        trial = TuningTrial(number, PRUNED, parameters, _searched(options))
        return self._run(trial, self.comparison, 0, may_stop)

    def repeat(self, trial: TuningTrial, comparison: Comparison) -> TuningTrial:
        """Train a trial's options with another seed."""
        number = max(each.number for each in self.trials) + 1
        again = TuningTrial(number, PRUNED, trial.parameters, trial.options, repeats=trial.number)
        return self._run(again, comparison, 1, lambda *_: False)

    def _run(
        self,
        trial: TuningTrial,
        comparison: Comparison,
        seed: int,
        may_stop: Callable[[float, float | None, dict[int, float]], bool],
    ) -> TuningTrial:
        started, steps = self.clock(), dict[int, float]()
        first = trial.number == 0 or trial.repeats == 0

        def report(share: float, loss: float | None) -> None:
            if first:
                return
            if may_stop(share, loss, steps) or self._is_late(self.clock() - started, share):
                raise _StoppedError

        def options(texts: int) -> TrainingOptions:
            chosen = self.space.make_options(trial.parameters, texts)
            return replace(chosen, seed=chosen.seed + seed)

        measured = None
        try:
            classes = len(self.data.vocabulary.labels)
            logits = run_trial(comparison, self.data.table, classes, options, report)
            measured = measure(logits, comparison.targets, comparison.folds)
        except _StoppedError:
            pass
        except OptionsError:  # the loss is not finite: a bad choice of options
            if first:
                raise
        seconds = self.clock() - started
        trial = replace(trial, steps=steps, seconds=seconds, at=self.elapsed)
        if measured is not None:
            default = measured if trial.number == 0 else self._default_of(trial)
            trial = replace(
                trial,
                state=COMPLETE,
                measured=measured,
                relative=measured.relative_to(default or measured),
            )
        self.trials.append(trial)
        return trial

    def _default_of(self, trial: TuningTrial) -> Measured | None:
        """Return what a trial is relative to: the default with the same seed."""
        if trial.repeats is None:
            return self.default.measured
        return next((each.measured for each in self.trials if each.repeats == 0), None)

    def _is_late(self, spent: float, share: float) -> bool:
        """Return whether a trial would leave too little time for its own final training."""
        if share < WARMING_UP:
            return False
        expected = spent / share
        end = self.elapsed + expected - spent + self.final_seconds(expected)
        return end > self.settings.seconds

    def _make_study(self, number: int) -> optuna.Study:
        """Return a study of the trials so far, the same whether it was interrupted or not."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `multivariate` is called experimental
            sampler = optuna.samplers.TPESampler(
                seed=self.data.run.options.seed + number,
                n_startup_trials=len(self.space.first_trials()),
                multivariate=True,
            )
        warm_up = STEPS // 2 if len(self.comparison.parts) == 1 else 0
        pruner = optuna.pruners.PercentilePruner(KEPT_PERCENTAGE, PRUNING_STARTS_AFTER, warm_up)
        study = optuna.create_study(sampler=sampler, pruner=pruner)
        study.add_trials([self._to_optuna(trial) for trial in explored(self.trials)])
        return study

    def _to_optuna(self, trial: TuningTrial) -> FrozenTrial:
        return create_trial(
            state=TrialState.COMPLETE if trial.state == COMPLETE else TrialState.PRUNED,
            value=trial.relative,
            params=dict(trial.parameters),
            distributions=self.space.distributions,
            intermediate_values=dict(trial.steps),
        )

    def choose(self) -> Tuned:
        """Choose the best trial, or the default if none is better beyond chance."""
        over_seeds = self._average_repeated()
        repeated = len(over_seeds) > 1
        if not repeated:
            over_seeds = {each.number: each.measured for each in self.complete if each.measured}
        default = over_seeds[0]
        best = min(over_seeds, key=lambda number: (over_seeds[number].relative_to(default), number))
        margin = SURE_DIFFERENCE * over_seeds[best].standard_error(default, default)
        if over_seeds[best].relative_to(default) > 1 - margin:
            best = 0
        chosen = next(trial for trial in self.trials if trial.number == best)
        return Tuned(
            self.space.make_options(chosen.parameters, len(self.data.split.train)),
            tuple(self.trials),
            best,
            self.comparison.describe(),
            default,
            over_seeds[best],
            over_seeds[best].relative_to(default),
            repeated,
            self.trials[-1].at,
            self.settings.max_bytes,
            self.data.split.train.multi_label,
        )

    def _average_repeated(self) -> dict[int, Measured]:
        """Return the mean over both seeds of each trial that was repeated."""
        second = {each.repeats: each.measured for each in self.trials if each.measured}
        return {
            trial.number: average([trial.measured, again])
            for trial in sorted(self.complete, key=lambda trial: trial.number)
            if trial.measured and (again := second.get(trial.number))
        }

    def describe(self, trial: TuningTrial) -> str:
        """Describe a trial on a line."""
        changed = {
            name: value
            for name, value in trial.options.items()
            if value != self.default.options.get(name)
        }
        shown = ", ".join(f"{name} {_show(value)}" for name, value in changed.items())
        if trial.repeats is not None:
            shown = f"trial {trial.repeats} with another seed"
        if trial.measured is None or trial.relative is None:
            outcome = "stopped early"
        else:
            name = "F1" if self.data.split.train.multi_label else "accuracy"
            measured = trial.measured
            outcome = f"{name} {measured.score:6.1%}   loss {measured.loss:.3f}"
            outcome += f"   relative {trial.relative:.3f}"
        best = " (best)" if self.complete and self.complete[0] is trial and trial.number else ""
        time_ = f"{trial.at:5.0f}/{self.settings.seconds:.0f} s"
        return f"trial {trial.number:2}   {outcome:42} {time_}   {shown or 'default'}{best}"


def describe_choice(result: Tuned) -> str:
    """Describe which options were chosen, and how much better they are."""
    if not result.chosen:
        return "autotune: no trial is better than the default options beyond chance: they are kept"
    shown = {
        name: value
        for name, value in _searched(result.options).items()
        if value != result.trials[0].options.get(name)
    }
    changes = ", ".join(f"{name} {_show(value)}" for name, value in shown.items())
    seeds = " over two seeds" if result.repeated else ""
    return (
        f"autotune: trial {result.chosen} is chosen: {changes}; on {result.compared_on}{seeds} "
        f"loss {result.default.loss:.3f} -> {result.best.loss:.3f}, errors "
        f"{result.default.error:.1%} -> {result.best.error:.1%}"
    )


def _searched(options: TrainingOptions) -> dict[str, object]:
    """Return the options that may be searched, as plain JSON types."""
    values = asdict(options)
    return {
        name: list(values[name]) if isinstance(values[name], tuple) else values[name]
        for name in SEARCHED
    }


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "default" if value is None else str(value)
