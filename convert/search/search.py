"""Converts and measures the candidates for a budget.

Every candidate is run on dev text by the device's interpreter. Conversions use both cores; latency
is measured while nothing else runs.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from runtime.aliases import Floats, Log
from runtime.errors import GloveliteError

from ..conversion import CandidateRequest, ConvertedModel
from ..errors import ConversionError
from ..export import describe_model
from ..manifest import (
    build_manifest,
    encode_manifest,
    golden_entries,
    golden_texts,
    vocabulary_files,
    write_bundle_files,
)
from ..model.folding import FOLDED_KEEPS_DIMENSIONS, LSTM_KEEPS_ALL, LSTM_NOT_FOLDED
from ..run_folder import RunFolder
from ..tflite.recipes import RECIPES
from ..tflite.tflite_file import check_operators, read_contents
from ..verify.device import time_on_device
from ..worker import run_in_child, worker_pool
from .budget import Budget, Candidate

PARALLEL_CONVERSIONS = 2
ACCURACY_BYTES = 450  # what a finished manifest says about accuracy


@dataclass(frozen=True)
class SearchSpace:
    """What a search may choose from.

    Attributes:
        recipes: names of recipes.
        layouts: `"conv"`, `"folded"` or both.
        listed_words: tokens to list, if that is fixed.
        hashed_words: words to hash, if that is fixed.
        dimensions: numbers of dimensions of the `conv` layout; None is all.
    """

    recipes: tuple[str, ...] = tuple(RECIPES)
    layouts: tuple[str, ...] = ("conv", "folded")
    listed_words: int | None = None
    hashed_words: int | None = None
    dimensions: tuple[int | None, ...] = (None, 64, 48, 32, 16)


def choose_space(
    recipe: str | None,
    layout: str | None,
    listed_words: int | None,
    hashed_words: int | None,
    dimensions: int | None,
) -> SearchSpace:
    """Return the search space with what the user fixed; None and `"auto"` are left to the search.

    Raises:
        ConversionError: the choices contradict each other.
    """
    if layout == "folded" and dimensions is not None:
        raise ConversionError(FOLDED_KEEPS_DIMENSIONS)
    space = SearchSpace(listed_words=listed_words, hashed_words=hashed_words)
    if recipe is not None:
        space = replace(space, recipes=(recipe,))
    if dimensions is not None:
        space = replace(space, layouts=("conv",), dimensions=(dimensions,))
    if layout in ("conv", "folded"):
        space = replace(space, layouts=(layout,))
    return space


def search(run: RunFolder, space: SearchSpace, budget: Budget, log: Log) -> list[Candidate]:
    """Convert and measure every candidate that may be within a budget.

    Args:
        run: the run folder.
        space: what to choose from.
        budget: the limits; unless the vocabulary size is fixed, larger bundles are not tried,
            except for the smallest of each kind.
        log: receives a line for every step.

    Returns:
        At least one candidate, in no particular order.

    Raises:
        ConversionError: nothing could be converted.
    """
    if run.metrics.architecture == "conv-lstm":
        space = _lstm_space(space)
    with worker_pool():
        reference = run_in_child(score_dev_text, run.path)
        converted = list(_convert_all(run, space, budget, log))
    if not converted:
        raise ConversionError(f"{run.path}: no recipe could convert it")
    candidates = []
    for recipe, model in tqdm(converted, unit=" bundles", disable=None, leave=False):
        candidates.append(_measure(run, recipe, model, reference))
        log(f"{len(candidates):3}/{len(converted)}  {candidates[-1].describe()}")
    return candidates


def score_dev_text(run: Path) -> Floats:
    """Score a run's dev text with Keras, in the child process: float32 [texts, classes]."""
    from ..tflite.tf_worker import score_dev

    return score_dev(run)


def _convert_candidates(request: CandidateRequest) -> tuple[ConvertedModel, ...]:
    """Convert a run to several sizes, in the child process."""
    from .tf_candidates import convert_candidates

    return convert_candidates(request)


def _lstm_space(space: SearchSpace) -> SearchSpace:
    """Return the part of a search space that applies to conv-lstm: only the recipes."""
    if "conv" not in space.layouts:
        raise ConversionError(LSTM_NOT_FOLDED)
    if space.listed_words is not None or None not in space.dimensions:
        raise ConversionError(LSTM_KEEPS_ALL)
    return replace(space, layouts=("conv",), dimensions=(None,))


def _convert_all(
    run: RunFolder, space: SearchSpace, budget: Budget, log: Log
) -> Iterator[tuple[str, ConvertedModel]]:
    """Yield recipe and model of every candidate."""
    kinds = [(recipe, layout) for recipe in space.recipes for layout in space.layouts]
    log(f"converting with {len(kinds)} recipes and layouts")
    with ThreadPoolExecutor(PARALLEL_CONVERSIONS) as pool:
        futures = {
            pool.submit(_convert_kind, run, recipe, layout, space, budget): (recipe, layout)
            for recipe, layout in kinds
        }
        try:
            for future in as_completed(futures):
                recipe, layout = futures[future]
                try:
                    models = future.result()
                except GloveliteError as error:  # the other recipes may still work
                    log(f"     {recipe} {layout}: {error}")
                    continue
                log(f"     {recipe} {layout}: {len(models)} candidates")
                yield from ((recipe, model) for model in models)
        finally:  # on Ctrl-C, do not start the remaining conversions
            pool.shutdown(wait=False, cancel_futures=True)


def _convert_kind(
    run: RunFolder, recipe: str, layout: str, space: SearchSpace, budget: Budget
) -> Sequence[ConvertedModel]:
    request = CandidateRequest(
        run=run.path,
        recipe=recipe,
        layout=layout,
        dimensions=space.dimensions if layout == "conv" else (None,),
        listed_words=space.listed_words,
        hashed_words=space.hashed_words,
        max_bytes=budget.max_bytes,
    )
    models = run_in_child(_convert_candidates, request)
    for model in models:
        check_operators(read_contents(model.flatbuffer).operators)
    return models


def _measure(run: RunFolder, recipe: str, model: ConvertedModel, reference: Floats) -> Candidate:
    """Run a candidate on dev text, and compute the size of its finished bundle."""
    vocabulary = model.vocabulary
    description = describe_model(model, read_contents(model.flatbuffer), recipe)
    draft = build_manifest(model.flatbuffer, vocabulary, description, run.metrics)
    texts = golden_texts(vocabulary, model.hashed_tokens)
    with tempfile.TemporaryDirectory() as folder:
        write_bundle_files(Path(folder), model.flatbuffer, vocabulary, draft)
        scores, times = time_on_device(Path(folder), [*texts, *run.dev.texts])
    manifest = {**draft, "goldens": golden_entries(vocabulary, texts, scores[: len(texts)])}
    sizes = (
        len(model.flatbuffer),
        *map(len, vocabulary_files(vocabulary).values()),
        len(encode_manifest(manifest)),
        ACCURACY_BYTES,
    )
    dev_scores = scores[len(texts) :]
    labels = dev_scores.argmax(axis=1)
    correct = labels == run.dev.targets
    return Candidate(
        recipe=recipe,
        layout=model.layout,
        words=len(vocabulary.tokens),
        hashed_words=vocabulary.hashed_count,
        dimensions=model.dimensions,
        bytes=sum(sizes),
        accuracy=float(np.mean(correct)),
        agreement=float(np.mean(labels == reference.argmax(axis=1))),
        difference=float(np.mean(np.abs(dev_scores - reference).max(axis=1))),
        microseconds=statistics.median(times[len(texts) :]),
        correct=tuple(correct.tolist()),
    )
