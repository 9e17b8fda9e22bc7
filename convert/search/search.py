"""Converts and measures the candidates for a budget.

Sizes are arithmetic, so only what fits is converted. Every candidate is run on dev text by the
device's interpreter. Conversions use both cores; latency is measured while nothing else runs, all
candidates in turns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from glovelite.data.short_repr import ShortRepr
from glovelite.evaluation.scores import decide
from glovelite.runtime.aliases import Floats
from glovelite.runtime.errors import BudgetError, ConversionError, GloveliteError
from glovelite.runtime.files.output import scratch_folder

from ..candidates import ADVICE, Budget, Candidate, describe_budget
from ..conversion import ConversionResult, ConvertedModel, ModelFacts
from ..export import choose_and_apply, collect_answers, convert_in_child
from ..manifest import Measurements, bundle_bytes, golden_texts, write_bundle_files
from ..model.weights import FOLDED_KEEPS_DIMENSIONS, LSTM_KEEPS_ALL, LSTM_NOT_FOLDED
from ..options import (
    KEEPS_ALL_PIECES,
    RECIPES,
    ExportOptions,
    Recipe,
)
from ..run_folder import RunFolder
from ..verify.device import device_version, run_on_device
from ..verify.fidelity import compare_scores, count_right
from ..verify.timing import time_bundles
from ..worker import run_in_child, worker_pool
from .sizes import SizeEstimate

logger = logging.getLogger(__name__)

PARALLEL_CONVERSIONS = 2
TIMED_TEXTS = 100  # of dev, evenly spaced
DIMENSIONS = (12, 16, 24, 32, 48)
HASHED_PER_LISTED = (1, 3)  # hashed words for each listed token
MIN_LISTED = 256  # tokens


@dataclass(frozen=True, repr=False)
class SearchSpace(ShortRepr):
    """The choices of a search; None leaves a number to it.

    Attributes:
        recipes: names of recipes.
        layouts: `"conv"`, `"folded"` or both.
        listed_words: number of tokens to list.
        hashed_words: number of further words to hash.
        dimensions: dimensions of the word vectors in the `conv` layout.
    """

    recipes: tuple[str, ...] = tuple(RECIPES)
    layouts: tuple[str, ...] = ("conv", "folded")
    listed_words: int | None = None
    hashed_words: int | None = None
    dimensions: int | None = None


def choose_space(
    recipe: str | None,
    layout: str | None,
    listed_words: int | None,
    hashed_words: int | None,
    dimensions: int | None,
) -> SearchSpace:
    """Return the search space; None and `"auto"` leave a choice to the search.

    Raises:
        ConversionError: the choices contradict each other.
    """
    if layout == "folded" and dimensions is not None:
        raise ConversionError(FOLDED_KEEPS_DIMENSIONS)
    recipes = tuple(RECIPES) if recipe is None else (recipe,)
    layouts = ("conv", "folded") if dimensions is None else ("conv",)
    if layout in ("conv", "folded"):
        layouts = (layout,)
    return SearchSpace(recipes, layouts, listed_words, hashed_words, dimensions)


def search(
    run: RunFolder, space: SearchSpace, budget: Budget, options: ExportOptions
) -> dict[Candidate, ConversionResult]:
    """Convert and measure the candidates that fit a budget, at least one.

    Bundles that are too large are not converted. Candidates are what `options` ask for besides the
    choices of the search, such as models for MediaPipe.

    Raises:
        BudgetError: nothing fits the size; the message names the smallest bundle.
        ConversionError: nothing could be converted.
    """
    with worker_pool():
        facts = run_in_child(describe_in_child, run.path)
        planned = plan_conversions(run, facts, space, budget, options)
        logger.info(f"converting {len(planned)} candidates")
        conversions = list(_convert_all(run, planned))
    if not conversions:
        raise ConversionError(f"{run.path}: no recipe could convert it")
    measured = _measure_all(run, conversions, facts.dev, options)
    for number, candidate in enumerate(measured, 1):
        logger.info(f"{number:3}/{len(measured)}  {candidate.describe()}")
    return measured


def plan_conversions(
    run: RunFolder,
    facts: ModelFacts,
    space: SearchSpace,
    budget: Budget,
    options: ExportOptions,
) -> list[ExportOptions]:
    """Return the conversions that fit a budget's size, by arithmetic.

    Raises:
        BudgetError: nothing fits; the message names the smallest bundle.
        ConversionError: the model does not allow the choices.
    """
    if run.metrics.architecture == "conv-lstm":
        return _plan_lstm(space, options)
    if run.vocabulary.is_of_pieces:
        if space.listed_words is not None or space.hashed_words is not None:
            raise ConversionError(KEEPS_ALL_PIECES)
        space = replace(space, listed_words=len(run.vocabulary.tokens), hashed_words=0)
    planner = _Planner(run, facts, space, budget, options)
    planned = [
        conversion
        for recipe in map(RECIPES.__getitem__, space.recipes)
        for layout in space.layouts
        for dimensions in _dimensions_to_try(recipe, layout, facts, space)
        for conversion in planner.plan(recipe, layout, dimensions)
    ]
    if not planned:
        raise BudgetError(
            f"no bundle is within {describe_budget(budget)}: the smallest has about "
            f"{planner.smallest:,} bytes. {ADVICE}"
        )
    return list(dict.fromkeys(planned))


class _Planner:
    """Plans the numbers of words for a recipe, layout and dimensions."""

    def __init__(
        self,
        run: RunFolder,
        facts: ModelFacts,
        space: SearchSpace,
        budget: Budget,
        options: ExportOptions,
    ) -> None:
        self._space, self._budget, self._options = space, budget, options
        self._estimate = SizeEstimate(run, facts, options.mediapipe)
        self._words = len(run.vocabulary.tokens)
        self._default = options.choose_form(len(run.vocabulary.labels))
        self.smallest = 1 << 62  # bytes of the smallest bundle so far

    def plan(self, recipe: Recipe, layout: str, dimensions: int | None) -> Iterator[ExportOptions]:
        """Yield the largest vocabularies that fit, with few and with many hashed words."""
        many = recipe.row_bits is not None and layout == "conv"
        ratios = HASHED_PER_LISTED if many else HASHED_PER_LISTED[-1:]
        for ratio in ratios:

            def size(listed: int, ratio: int = ratio) -> int:
                hashed = self._hashed(listed, ratio)
                return self._estimate.total(recipe, layout, dimensions, listed, hashed)

            listed = self._largest(size)
            self.smallest = min(self.smallest, size(self._smallest_listed()))
            if listed is not None:
                hashed = self._hashed(listed, ratio)
                yield replace(
                    self._options,
                    recipe=recipe.name,
                    layout=layout,
                    listed_words=listed,
                    hashed_words=hashed,
                    dimensions=dimensions,
                )

    def _hashed(self, listed: int, ratio: int) -> int:
        wanted = self._space.hashed_words
        if wanted is None:
            unlimited = self._budget.max_bytes is None
            wanted = self._default.hashed_words if unlimited else ratio * listed
        return min(wanted, self._words - listed)

    def _smallest_listed(self) -> int:
        return min(self._space.listed_words or MIN_LISTED, self._words)

    def _largest(self, size: Callable[[int], int]) -> int | None:
        """Return the largest number of listed tokens that fits, or None."""
        limit = self._budget.max_bytes
        if limit is None:
            return min(self._space.listed_words or self._default.listed_words, self._words)
        smallest = self._smallest_listed()
        if size(smallest) > limit:
            return None
        if self._space.listed_words is not None:
            return smallest
        fits, exceeds = smallest, self._words + 1
        while exceeds - fits > 1:
            middle = (fits + exceeds) // 2
            if size(middle) <= limit:
                fits = middle
            else:
                exceeds = middle
        return fits


def _dimensions_to_try(
    recipe: Recipe, layout: str, facts: ModelFacts, space: SearchSpace
) -> tuple[int | None, ...]:
    if layout == "folded":
        return (None,)
    if space.dimensions is not None:
        return (space.dimensions,)
    if recipe.row_bits is None:  # no smaller and no faster than rows of the same bits
        return (recipe.dimensions or facts.dimensions,)
    return tuple(count for count in DIMENSIONS if count < facts.dimensions) or (facts.dimensions,)


def _plan_lstm(space: SearchSpace, options: ExportOptions) -> list[ExportOptions]:
    """Plan for conv-lstm, where only the recipes differ."""
    if "conv" not in space.layouts:
        raise ConversionError(LSTM_NOT_FOLDED)
    if space.listed_words is not None or space.dimensions is not None:
        raise ConversionError(LSTM_KEEPS_ALL)
    return [replace(options, recipe=recipe) for recipe in space.recipes]


def describe_in_child(run: Path) -> ModelFacts:
    """Describe a run's model, in the child process."""
    from ..tf_worker import describe_run

    return describe_run(run)


def _convert_all(run: RunFolder, planned: Sequence[ExportOptions]) -> Iterator[ConversionResult]:
    with ThreadPoolExecutor(PARALLEL_CONVERSIONS) as pool:
        futures = {
            pool.submit(run_in_child, convert_in_child, run.path, options): options
            for options in planned
        }
        try:
            progress = tqdm(
                as_completed(futures), "converting", len(futures), unit=" bundles",
                disable=None, leave=False,
            )  # fmt: skip
            for future in progress:
                options = futures[future]
                try:
                    yield future.result()
                except GloveliteError as error:  # the other candidates may still work
                    logger.info(f"     {options.recipe} {options.layout}: {error}")
        finally:  # on Ctrl-C, do not start the remaining conversions
            pool.shutdown(wait=False, cancel_futures=True)


def _measure_all(
    run: RunFolder,
    conversions: Sequence[ConversionResult],
    reference: Floats,
    options: ExportOptions,
) -> dict[Candidate, ConversionResult]:
    """Run bundles on dev text, then time all of them in turns."""
    with scratch_folder() as root:
        folders = [root / str(number) for number in range(len(conversions))]
        candidates = []
        pairs = zip(folders, conversions)
        progress = tqdm(
            pairs, "measuring", len(folders), unit=" bundles", disable=None, leave=False
        )
        for folder, conversion in progress:
            folder.mkdir()
            candidates.append(_measure(folder, run, conversion.model, reference, options))
        texts = run.dev.texts[:: -(-len(run.dev.texts) // TIMED_TEXTS)]
        times = time_bundles(folders, texts)
    return {
        replace(candidate, microseconds=microseconds): conversion
        for candidate, microseconds, conversion in zip(candidates, times, conversions)
    }


def _measure(
    folder: Path,
    run: RunFolder,
    model: ConvertedModel,
    reference: Floats,
    options: ExportOptions,
) -> Candidate:
    """Write a bundle and run it on dev text; its latency is not measured yet."""
    vocabulary = model.vocabulary
    write_bundle_files(folder, model, run)
    goldens = golden_texts(vocabulary, model.hashed_tokens)
    scores = run_on_device(folder, [*goldens, *run.dev.texts])
    dev, targets = scores[len(goldens) :], run.dev.targets
    thresholds = run.metrics.thresholds
    fidelity = compare_scores(targets, reference, dev, thresholds)
    answers = collect_answers(run, {"dev": dev}, vocabulary, thresholds)
    abstention, answered = choose_and_apply(answers, vocabulary.labels, options)
    # The size of the finished manifest: test text's numbers are as long as dev text's.
    measurements = Measurements(
        interpreter=device_version(),
        fidelity=dict.fromkeys(run.held_out, fidelity),
        goldens=goldens,
        golden_scores=scores[: len(goldens)],
        abstention=abstention,
        answered={**dict.fromkeys(run.held_out, answered["dev"]), **answered},
        thresholds=thresholds,
    )
    write_bundle_files(folder, model, run, measurements)
    return Candidate(
        recipe=model.recipe,
        layout=model.layout,
        words=len(vocabulary.tokens),
        hashed_words=vocabulary.hashed_count,
        dimensions=model.dimensions,
        bytes=sum(bundle_bytes(folder).values()),
        accuracy=fidelity.device,
        agreement=fidelity.agreement,
        difference=float(np.mean(np.abs(dev - reference).max(axis=1))),
        microseconds=0.0,
        right=tuple(count_right(targets, decide(dev, thresholds)).tolist()),
    )
