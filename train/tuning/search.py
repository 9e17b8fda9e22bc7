"""Searches the training options that suit a text best, within a time.

Optuna chooses the options of each trial by those before and stops bad trials early (`study.py`).
The first trial has the default options. When time is nearly used up, the best trials and the
default are repeated with another seed: the best of many trials is partly the luckiest. The default
is kept unless another trial is better by more than the standard error of the difference.

Every trial is saved, and the search depends on nothing else: killed and called again, it continues
as if it had not been interrupted. Trials may run on several workers at the same time; then which
ones are tried also depends on the order in which they end.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from glovelite.runtime.text.vocabulary import count_outputs

from ..options import TrainingOptions
from ..preparation import PreparedData
from ..request import SEARCHED, Autotune
from ..unfinished import TrialFile
from .criterion import Measured, average
from .evaluation import make_comparison
from .records import RUNNING, Tuned, TuningTrial, explored
from .space import make_space
from .study import choose_parameters
from .trial_job import Clock, LocalWorkers, TrialJob, TrialText, TrialWorkers

logger = logging.getLogger(__name__)

FINALISTS = 3  # repeated with another seed, besides the default
REPEATS_SHARE = 0.25  # of the time at most
SURE_DIFFERENCE = 1.0  # standard errors that a trial must be better than the default


def tune(
    data: PreparedData,
    settings: Autotune,
    trial_file: TrialFile,
    workers: TrialWorkers | None = None,
    clock: Clock = time.monotonic,
) -> Tuned:
    """Search the options of a training.

    Args:
        data: the prepared text; its options are those of the first trial.
        trial_file: where finished trials are saved.
        workers: run the trials; None runs them here, one after the other.
    """
    logging.getLogger("optuna").setLevel(logging.ERROR)
    trials = trial_file.load(TuningTrial.parse)
    start = clock() - (trials[-1].at if trials else 0.0)
    classes, texts = len(data.vocabulary.labels), len(data.split.train)
    multi_label = data.split.train.multi_label
    outputs = count_outputs(classes, multi_label)
    space = make_space(data.run.options, settings, texts, outputs, multi_label)
    seed = data.run.options.seed
    text = TrialText(make_comparison(data, seed), data.table, classes, space, texts)
    workers = workers or LocalWorkers(clock)
    search = _Search(data, settings, text, workers, trial_file, clock, start, trials)
    logger.info(f"searching {', '.join(space.distributions)} on {text.comparison.describe()}")
    if trials:
        logger.info(f"resuming after trial {len(trials)}")
    workers.share(text)
    search.explore()
    if finalists := search.finalists():
        if text.comparison.drawn:
            workers.share(replace(text, comparison=make_comparison(data, seed + 1)))
        search.repeat(finalists)
    result = search.choose()
    logger.info(describe_choice(result))
    return result


@dataclass
class _Search:
    """The state of a search: its trials and its clock."""

    data: PreparedData
    settings: Autotune
    text: TrialText
    workers: TrialWorkers
    trial_file: TrialFile
    clock: Clock
    start: float
    trials: list[TuningTrial] = field(default_factory=list)
    running: dict[int, TuningTrial] = field(default_factory=dict)

    @property
    def elapsed(self) -> float:
        """Seconds from the start of the search; interruptions do not count."""
        return self.clock() - self.start

    @property
    def complete(self) -> list[TuningTrial]:
        """The complete trials with options of their own, the best first."""
        done = [trial for trial in explored(self.trials) if trial.relative is not None]
        return sorted(done, key=lambda trial: (trial.relative, trial.number))

    @property
    def default(self) -> TuningTrial:
        """The trial with the default options."""
        return next(trial for trial in self.trials if trial.number == 0)

    def has_time_to_explore(self) -> bool:
        """Return whether another trial may start."""
        done = self.complete
        number = sum(1 for _ in explored(self.trials)) + len(self.running)
        if self.settings.max_trials is not None and number >= self.settings.max_trials:
            return False
        if any(trial.repeats is not None for trial in self.trials):
            return False  # the search is over
        if not done:
            return True
        typical = statistics.median(trial.seconds for trial in done)
        rounds = -(-(FINALISTS + 1) // self.workers.count)
        repeats = min(REPEATS_SHARE * self.settings.seconds, rounds * typical)
        if len(done) <= FINALISTS:
            repeats = 0.0
        return self.elapsed + typical + repeats + self._slowest_final() <= self.settings.seconds

    def _slowest_final(self) -> float:
        """Return how long the final training takes with the options of one of the best trials."""
        best = self.complete[: FINALISTS + 1]
        return self.text.final_seconds(max((trial.seconds for trial in best), default=0.0))

    def finalists(self) -> list[TuningTrial]:
        """Return the trials to repeat with another seed that are left: the default, the best."""
        done = self.complete
        better = [trial for trial in done if trial.relative is not None and trial.relative < 1]
        chosen = [self.default, *better[:FINALISTS]] if better else []
        repeated = {trial.repeats for trial in self.trials}
        left = list[TuningTrial]()
        start, count = self.elapsed, self.workers.count
        if not count:  # all were given up
            return []
        for trial in chosen:
            if trial.number in repeated:
                continue
            times = [repeat.seconds for repeat in (*left, trial)]
            end = start + max(sum(times) / count, *times, 0.0)
            final = self.text.final_seconds(max(other.seconds for other in chosen))
            if end + final > self.settings.seconds:
                break
            left.append(trial)
        if self.default.number not in repeated and len(left) < 2:
            return []  # nothing to compare the default with
        return left

    def explore(self) -> None:
        """Run trials whose options Optuna chooses, as long as there is time."""
        while True:
            while len(self.running) < self.workers.count and self.has_time_to_explore():
                self._start(self._choose_trial())
            if not self.running:
                return
            self._wait()

    def repeat(self, finalists: list[TuningTrial]) -> None:
        """Run trials again with another seed."""
        left = list(finalists)
        while left or self.running:
            while left and len(self.running) < self.workers.count:
                again = left.pop(0)
                number = max(self._used_numbers()) + 1
                trial = TuningTrial(number, RUNNING, again.parameters, again.options, again.number)
                self._start(trial)
            self._wait()

    def _used_numbers(self) -> set[int]:
        return {trial.number for trial in (*self.trials, *self.running.values())}

    def _choose_trial(self) -> TuningTrial:
        used = self._used_numbers()
        number = next(free for free in range(len(used) + 1) if free not in used)
        space, seed = self.text.space, self.data.run.options.seed
        parameters = choose_parameters(space, self.trials, self.running.values(), number, seed)
        options = space.make_options(parameters, self.text.texts)
        return TuningTrial(number, RUNNING, parameters, _searched(options))

    def _start(self, trial: TuningTrial) -> None:
        must_finish = 0 in (trial.number, trial.repeats)  # the others are relative to it
        others = () if trial.repeats is not None else tuple(self.trials)
        seconds = None if must_finish else self.settings.seconds - self.elapsed
        self.running[trial.number] = trial
        self.workers.start(TrialJob(trial, int(trial.repeats is not None), others, seconds))

    def _wait(self) -> None:
        """Wait for the next trial to end; give up those that would end too late."""
        left = self.settings.seconds - self.elapsed - self._slowest_final()
        ended = self.workers.wait(max(1.0, left))
        if ended is not None:
            del self.running[ended.number]
            self._add(replace(ended, at=self.elapsed))
            return
        for number, trial in list(self.running.items()):
            if 0 not in (trial.number, trial.repeats):
                logger.info(f"trial {number:2}   given up: it was not finished in time")
                del self.running[number]
                self.workers.give_up(number)

    def _add(self, trial: TuningTrial) -> None:
        self.trials.append(trial)
        self.trials[:] = map(self._relate, self.trials)
        self.trial_file.save([asdict(ended) for ended in self.trials])
        logger.info(self.describe(self.trials[-1]))

    def _relate(self, trial: TuningTrial) -> TuningTrial:
        """Add how good a trial is relative to the default with the same seed, when that is known.

        Others may end before the default.
        """
        if trial.measured is None or trial.relative is not None:
            return trial
        same_seed = (
            other for other in self.trials if (other.repeats is None) == (trial.repeats is None)
        )
        defaults = [other.measured for other in same_seed if 0 in (other.number, other.repeats)]
        if not defaults or defaults[0] is None:
            return trial
        return replace(trial, relative=trial.measured.relative_to(defaults[0]))

    def choose(self) -> Tuned:
        """Choose the best trial, or the default if none is better beyond chance."""
        over_seeds = self._average_repeated()
        repeated = len(over_seeds) > 1
        if not repeated:
            over_seeds = {trial.number: trial.measured for trial in self.complete if trial.measured}
        default = over_seeds[0]
        best = min(over_seeds, key=lambda number: (over_seeds[number].relative_to(default), number))
        margin = SURE_DIFFERENCE * over_seeds[best].standard_error(default, default)
        if over_seeds[best].relative_to(default) > 1 - margin:
            best = 0
        chosen = next(trial for trial in self.trials if trial.number == best)
        return Tuned(
            self.text.space.make_options(chosen.parameters, self.text.texts),
            tuple(self.trials),
            best,
            self.text.comparison.describe(),
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
        second = {trial.repeats: trial.measured for trial in self.trials if trial.measured}
        return {
            trial.number: average([trial.measured, again])
            for trial in sorted(self.complete, key=lambda trial: trial.number)
            if trial.measured and (again := second.get(trial.number))
        }

    def describe(self, trial: TuningTrial) -> str:
        """Describe a trial on a line."""
        space = self.text.space
        default = _searched(space.make_options(space.first_trials()[0], self.text.texts))
        shown = _describe_changes(trial.options, default)
        if trial.repeats is not None:
            shown = f"trial {trial.repeats} with another seed"
        outcome = "stopped early"
        if trial.measured is not None:
            name = "F1" if self.data.split.train.multi_label else "accuracy"
            outcome = f"{name} {trial.measured.score:6.1%}   loss {trial.measured.loss:.3f}"
        if trial.relative is not None:
            outcome += f"   relative {trial.relative:.3f}"
        best = " (best)" if self.complete and self.complete[0] is trial and trial.number else ""
        time_ = f"{trial.at:5.0f}/{self.settings.seconds:.0f} s"
        return f"trial {trial.number:2}   {outcome:42} {time_}   {shown or 'default'}{best}"


def describe_choice(result: Tuned) -> str:
    """Describe which options were chosen, and how much better they are."""
    if not result.chosen:
        return "autotune: no trial is better than the default options beyond chance: they are kept"
    changes = _describe_changes(_searched(result.options), result.trials[0].options)
    seeds = " over two seeds" if result.repeated else ""
    return (
        f"autotune: trial {result.chosen} is chosen: {changes}; on {result.compared_on}{seeds} "
        f"loss {result.default.loss:.3f} -> {result.best.loss:.3f}, errors "
        f"{result.default.error:.1%} -> {result.best.error:.1%}"
    )


def _describe_changes(options: Mapping[str, object], default: Mapping[str, object]) -> str:
    return ", ".join(
        f"{name} {_show(value)}" for name, value in options.items() if value != default.get(name)
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
