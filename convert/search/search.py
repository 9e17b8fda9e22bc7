"""Searches recipes, layouts and vocabularies for the most accurate bundle within a budget.

Every candidate is converted, then run on dev text by the device's interpreter. Conversions take
both cores; measurements run alone, so that their times mean something.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from runtime.bundle import MANIFEST_FILE, MODEL_FILE, VOCABULARY_FILE
from runtime.errors import GloveliteError
from runtime.vocabulary import parse_vocabulary

from ..errors import ConversionError
from ..manifest import first_manifest, golden_entries, golden_texts, write_manifest
from ..model.folding import LSTM_KEEPS_ALL, LSTM_NOT_FOLDED, NO_DIMENSIONS
from ..run_folder import RunFolder
from ..tflite.recipes import RECIPES
from ..tflite.tflite_file import check_operators, read_contents
from ..verify.device import time_on_device
from ..verify.fidelity import Scores
from ..worker import call
from .budget import Budget, Candidate

Say = Callable[[str], None]
CONVERSIONS_AT_ONCE = 2
ACCURACY_BYTES = 450  # of the manifest: what a finished bundle says of its accuracy


@dataclass(frozen=True)
class Field:
    """What a search may choose from.

    Attributes:
        recipes: names of recipes.
        layouts: `"conv"`, `"folded"` or both.
        max_words: size of the vocabulary, if it is settled.
        dimensions: numbers of dimensions of the `conv` layout; None is all.
    """

    recipes: tuple[str, ...] = tuple(RECIPES)
    layouts: tuple[str, ...] = ("conv", "folded")
    max_words: int | None = None
    dimensions: tuple[int | None, ...] = (None, 64, 48, 32, 16)


def choose_field(
    recipe: str | None, layout: str | None, max_words: int | None, dimensions: int | None
) -> Field:
    """Make a field of what is settled; None, and the layout `"auto"`, are left to the search."""
    if layout == "folded" and dimensions is not None:
        raise ConversionError(NO_DIMENSIONS)
    field = Field(max_words=max_words)
    if recipe is not None:
        field = replace(field, recipes=(recipe,))
    if dimensions is not None:
        field = replace(field, layouts=("conv",), dimensions=(dimensions,))
    if layout in ("conv", "folded"):
        field = replace(field, layouts=(layout,))
    return field


def search(run: RunFolder, field: Field, budget: Budget, say: Say = print) -> list[Candidate]:
    """Convert and measure every candidate that may be within a budget.

    Args:
        run: what training left.
        field: what to choose from.
        budget: the bounds; where the words are not settled, larger bundles are not tried, but for
            the smallest of each kind.
        say: called with a line for every step.

    Returns:
        The candidates, in no order that matters; at least one.

    Raises:
        ConversionError: nothing could be converted.
    """
    if run.metrics["configuration"]["architecture"] == "conv-lstm":
        field = _without_choice(field)
    kinds = [(recipe, layout) for recipe in field.recipes for layout in field.layouts]
    with tempfile.TemporaryDirectory() as scratch:
        keras_dev = Path(scratch) / "keras_dev.npy"
        call("convert.search.tf_candidates:score_dev", run=str(run.path), target=str(keras_dev))
        reference = np.load(keras_dev)
        folders: list[tuple[str, Path]] = []
        for kind, found in _convert_all(run, kinds, field, budget, Path(scratch), say):
            folders += [(kind[0], folder) for folder in found]
        if not folders:
            raise ConversionError(f"{run.path}: no recipe could convert it")
        candidates = []
        for number, (recipe, folder) in enumerate(folders, start=1):
            candidates.append(_measure(run, recipe, folder, reference))
            say(f"{number:3}/{len(folders)}  {candidates[-1].describe()}")
    return candidates


def _without_choice(field: Field) -> Field:
    """Leave a conv-lstm what it has: recipes. ConversionError where more is settled."""
    if "conv" not in field.layouts:
        raise ConversionError(LSTM_NOT_FOLDED)
    if field.max_words is not None or None not in field.dimensions:
        raise ConversionError(LSTM_KEEPS_ALL)
    return replace(field, layouts=("conv",), dimensions=(None,))


def _convert_all(
    run: RunFolder,
    kinds: Sequence[tuple[str, str]],
    field: Field,
    budget: Budget,
    scratch: Path,
    say: Say,
) -> Iterator[tuple[tuple[str, str], list[Path]]]:
    """Convert every recipe and layout to vocabularies of several sizes."""
    say(f"converting by {len(kinds)} recipes and layouts")
    with ThreadPoolExecutor(CONVERSIONS_AT_ONCE) as pool:
        futures = {
            pool.submit(_convert_kind, run, kind, field, budget, scratch): kind for kind in kinds
        }
        try:
            for future in as_completed(futures):
                recipe, layout = futures[future]
                try:
                    found = future.result()
                except GloveliteError as error:  # one recipe that fails leaves the others
                    say(f"     {recipe} {layout}: {error}")
                    continue
                say(f"     {recipe} {layout}: {len(found)} candidates")
                yield (recipe, layout), found
        finally:  # where the user breaks off, what has not begun is not begun
            pool.shutdown(wait=False, cancel_futures=True)


def _convert_kind(
    run: RunFolder,
    kind: tuple[str, str],
    field: Field,
    budget: Budget,
    scratch: Path,
) -> list[Path]:
    recipe, layout = kind
    folder = scratch / f"{recipe}-{layout}"
    folder.mkdir()
    facts = call(
        "convert.search.tf_candidates:convert_candidates",
        run=str(run.path),
        folder=str(folder),
        recipe=recipe,
        layout=layout,
        dimensions=field.dimensions if layout == "conv" else (None,),
        max_words=field.max_words,
        max_bytes=budget.max_bytes,
    )
    bundles = [folder / name for name in facts["made"]]
    for bundle in bundles:
        _complete(bundle, recipe, facts, run)
    return bundles


def _complete(bundle: Path, recipe: str, facts: dict[str, Any], run: RunFolder) -> None:
    """Make a bundle the runtime loads of a converted model."""
    contents = read_contents((bundle / MODEL_FILE).read_bytes())
    check_operators(contents.operators)
    told = {
        **facts,
        "dimensions": int(bundle.name.split("-")[1]),
        "oldest_runtime": contents.oldest_runtime,
        "output_dtype": "float32",
    }
    write_manifest(bundle, first_manifest(bundle, RECIPES[recipe], told, run.metrics))


def _measure(run: RunFolder, recipe: str, bundle: Path, reference: Scores) -> Candidate:
    """Run a candidate on dev text; count its bytes as they will be."""
    vocabulary = parse_vocabulary((bundle / VOCABULARY_FILE).read_text("utf-8"))
    texts = golden_texts(vocabulary)
    scores, times = time_on_device(bundle, [*texts, *run.dev.texts])
    manifest = json.loads((bundle / MANIFEST_FILE).read_text("utf-8"))
    manifest["goldens"] = golden_entries(vocabulary, scores[: len(texts)])
    write_manifest(bundle, manifest)
    sizes = (
        (bundle / name).stat().st_size for name in (MODEL_FILE, VOCABULARY_FILE, MANIFEST_FILE)
    )
    of_dev = scores[len(texts) :]
    right = of_dev.argmax(axis=1) == run.dev.targets
    return Candidate(
        recipe=recipe,
        layout=manifest["layout"],
        words=len(vocabulary.tokens),
        dimensions=manifest["dimensions"],
        bytes=sum(sizes) + ACCURACY_BYTES,
        accuracy=float(np.mean(right)),
        agreement=float(np.mean(of_dev.argmax(axis=1) == reference.argmax(axis=1))),
        difference=float(np.mean(np.abs(of_dev - reference).max(axis=1))),
        microseconds=statistics.median(times[len(texts) :]),
        right=tuple(right.tolist()),
    )
