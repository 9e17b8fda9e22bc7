"""Exports the most accurate bundle within a budget, with a record of the alternatives."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.bundle import MANIFEST_FILE
from glovelite.runtime.errors import BudgetError, FidelityError

from ..candidates import (
    Budget,
    Candidate,
    describe_budget,
    explain_choice,
    pareto_frontier,
    rank_candidates,
)
from ..conversion import ConversionResult
from ..export import (
    BUNDLE_FILES,
    CANDIDATES_FILE,
    FRONTIER_PLOT,
    ExportResult,
    check_options,
    write_bundle,
)
from ..manifest import write_model_card
from ..options import INTEGER_RECIPES, ExportOptions
from ..run_folder import RunFolder, read_run
from ..targets.mediapipe import check_support
from ..verify.device import device_version
from .plot import plot_frontier
from .search import SearchSpace, search

logger = logging.getLogger(__name__)

MAX_EXPORTS = 5  # of the best candidates, if some lose too much


def export_within_budget(
    run: PathLike,
    out: PathLike,
    budget: Budget,
    options: ExportOptions | None = None,
    space: SearchSpace | None = None,
    *,
    overwrite: bool = False,
) -> ExportResult:
    """Write the most accurate bundle of a run within a budget, with a record of the candidates.

    The search chooses recipe, layout, words and dimensions from `space`, by default from all; the
    other options are taken from `options`. Only recipes of integers are tried where they need one.

    Raises:
        BudgetError: nothing is within the budget; the message names the closest.
        FidelityError: the best candidates lost more than their recipe or the options allow.
        ConversionError: the options do not fit the model, or nothing could be converted.
        RunFolderError: the run cannot be converted.
        OutputError: the bundle exists or cannot be written.
    """
    options = options or ExportOptions(max_accuracy_drop=1.0)
    space = space or SearchSpace()
    if options.needs_integers:
        space = replace(space, recipes=tuple(filter(INTEGER_RECIPES.__contains__, space.recipes)))
    with reserve_output_folder(Path(out), overwrite, MANIFEST_FILE, BUNDLE_FILES) as target:
        device_version()  # raises before the conversions if there is none
        source = read_run(Path(run))
        check_options(source, options)
        if options.mediapipe:
            check_support(source.vocabulary)
        measured = search(source, space, budget, options)
        result = _write_best(source, measured, target, budget, options, overwrite)
    return replace(result, bundle=Path(out))


def _write_best(
    source: RunFolder,
    measured: Mapping[Candidate, ConversionResult],
    target: Path,
    budget: Budget,
    options: ExportOptions,
    overwrite: bool,
) -> ExportResult:
    """Write the best candidate that does not lose too much.

    Raises:
        FidelityError: all of the best lose too much.
    """
    best = rank_candidates(measured, budget)[:MAX_EXPORTS]
    for candidate in best:
        logger.info(f"best within {describe_budget(budget)}: {candidate.describe()}")
        try:
            with atomic_folder(target, overwrite) as staging:
                result = write_bundle(staging, source, measured[candidate], options)
                chosen = replace(candidate, bytes=result.total_bytes)
                if chosen.relative_cost(Budget(budget.max_bytes)) > 1:
                    raise BudgetError(
                        f"the finished bundle exceeds the budget: {chosen.describe()}"
                    )
                candidates = tuple(chosen if found == candidate else found for found in measured)
                choice = explain_choice(chosen, candidates, budget)
                result = replace(result, candidates=candidates, choice=choice)
                _write_record(staging, result, chosen, budget, source.metrics.scores["dev"])
                return result
        except FidelityError as error:
            logger.info(f"refused: {error}")
    raise FidelityError(
        f"the {len(best)} best bundles within {describe_budget(budget)} lost too much: allow more, "
        "or train on more text; --no-gate writes the best anyway"
    )


def _write_record(
    folder: Path, result: ExportResult, best: Candidate, budget: Budget, trained_accuracy: float
) -> None:
    """Write `candidates.json`, `frontier.png` and the model card."""
    content = {
        "budget": asdict(budget),
        "chosen": best.as_dict(),
        "choice": result.choice,
        "candidates": [candidate.as_dict() for candidate in result.candidates],
    }
    (folder / CANDIDATES_FILE).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    plot_frontier(result.candidates, best, budget, folder / FRONTIER_PLOT)
    shown = pareto_frontier(result.candidates)
    if best not in shown:
        shown = sorted([*shown, best], key=lambda candidate: candidate.bytes)
    rows = "\n".join(
        f"| `{candidate.recipe}` | {candidate.layout} "
        f"| {candidate.words:,} × {candidate.dimensions} | {candidate.hashed_words:,} "
        f"| {candidate.bytes:,} | {candidate.accuracy:.2%} | {candidate.microseconds:.0f} |"
        + (" ←" if candidate == best else "")
        for candidate in shown
    )
    section = f"""
## Chosen from {len(result.candidates)} candidates

Among the bundles within {describe_budget(budget)} that no other significantly beats on dev
text, this one keeps most of the trained model's labels. Its dev accuracy is
{best.accuracy:.2%}, the trained model's {trained_accuracy:.2%}. The closest alternative:
{result.choice}.

Latency is the median over dev text from text to label, on one thread of the machine that searched,
with {result.interpreter}. The table lists the candidates that are more accurate than all smaller
ones; all are in `{CANDIDATES_FILE}` and plotted in `{FRONTIER_PLOT}`.

| recipe | layout | listed words × dimensions | hashed words | bytes | dev | µs |
|---|---|---|---|---|---|---|
{rows}
"""
    write_model_card(folder, section)
