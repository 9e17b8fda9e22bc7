"""Exports the most accurate bundle within a budget, with a record of the alternatives."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.runtime.aliases import PathLike
from glovelite.runtime.bundle import MANIFEST_FILE, MODEL_CARD_FILE
from glovelite.runtime.errors import BudgetError, ConversionError, FidelityError

from ..candidates import (
    Budget,
    Candidate,
    describe_budget,
    explain_choice,
    pareto_frontier,
    rank_candidates,
)
from ..export import (
    BUNDLE_FILES,
    CANDIDATES_FILE,
    FRONTIER_PLOT,
    ExportResult,
    WrittenBundle,
    write_bundle,
)
from ..manifest import write_model_card
from ..options import ExportOptions
from ..run_folder import RunFolder, read_run
from ..verify.device import device_version
from .plot import plot_frontier
from .search import MeasuredBundle, SearchSpace, search

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
    """Search for the most accurate bundle within a budget and write it.

    Args:
        run: the folder that `glovelite-train` wrote.
        out: the bundle to write.
        budget: the limits.
        options: the search chooses recipe, layout, words and dimensions; None takes the defaults.
        space: what the search may choose from; None takes all of it.
        overwrite: replace an existing bundle.

    Returns:
        The result, with the measured candidates.

    Raises:
        BudgetError: nothing is within the budget; the message names the closest.
        FidelityError: the best candidates lost more than their recipe or the options allow.
        ConversionError: the options do not fit a search, or nothing could be converted.
        RunFolderError: the run cannot be converted.
        OutputError: the bundle exists or cannot be written.
    """
    options = options or ExportOptions(max_accuracy_drop=1.0)
    if options.mediapipe or options.emit_c or options.integer_output:
        raise ConversionError(
            "a search finds plain bundles: search first, then export its result with --quantize, "
            "--layout, --listed-words, --hashed-words, --dimensions and the other options"
        )
    with reserve_output_folder(Path(out), overwrite, MANIFEST_FILE, BUNDLE_FILES) as target:
        device_version()  # raises before the conversions if there is none
        source = read_run(Path(run))
        measured = search(source, space or SearchSpace(), budget)
        written, record = _write_best(source, measured, target, budget, options, overwrite)
    return replace(written.result(Path(out)), candidates=record.candidates, choice=record.choice)


def _write_best(
    source: RunFolder,
    measured: Sequence[MeasuredBundle],
    target: Path,
    budget: Budget,
    options: ExportOptions,
    overwrite: bool,
) -> tuple[WrittenBundle, _SearchRecord]:
    """Write the best candidate that does not lose too much.

    Raises:
        FidelityError: all of the best lose too much.
    """
    by_candidate = {each.candidate: each for each in measured}
    ranked = rank_candidates(by_candidate, budget)
    refused = 0
    for best in ranked[:MAX_EXPORTS]:
        logger.info(f"best within {describe_budget(budget)}: {best.describe()}")
        bundle = by_candidate[best]
        chosen = replace(options, recipe=bundle.request.recipe)
        try:
            with atomic_folder(target, overwrite) as staging:
                written = write_bundle(staging, source, bundle.conversion, chosen)
                record = _SearchRecord.of(measured, best, written, budget)
                record.write(staging, source.metrics.scores["dev"], written)
        except FidelityError as error:
            refused += 1
            logger.info(f"refused: {error}")
            continue
        return written, record
    raise FidelityError(
        f"the {refused} best bundles within {describe_budget(budget)} lost too much: allow more, "
        "or train on more text; --no-gate writes the best anyway"
    )


@dataclass(frozen=True)
class _SearchRecord:
    """What a search measured and chose.

    Attributes:
        candidates: all that were measured.
        best: the chosen one, with the size of its finished bundle.
        choice: why none of the others was taken.
        budget: the limits.
    """

    candidates: tuple[Candidate, ...]
    best: Candidate
    choice: str
    budget: Budget

    @classmethod
    def of(
        cls,
        measured: Sequence[MeasuredBundle],
        best: Candidate,
        written: WrittenBundle,
        budget: Budget,
    ) -> _SearchRecord:
        """Record a choice.

        Raises:
            BudgetError: the finished bundle exceeds the budget.
        """
        finished = replace(best, bytes=sum(written.bytes.values()))
        if finished.relative_cost(Budget(budget.max_bytes)) > 1:
            raise BudgetError(f"the finished bundle exceeds the budget: {finished.describe()}")
        candidates = [each.candidate for each in measured]
        candidates = [finished if each == best else each for each in candidates]
        return cls(
            tuple(candidates), finished, explain_choice(finished, candidates, budget), budget
        )

    def write(self, folder: Path, trained_accuracy: float, written: WrittenBundle) -> None:
        """Write `candidates.json`, `frontier.png` and the model card.

        Args:
            folder: of the bundle.
            trained_accuracy: of the trained model on dev text, 0 to 1.
            written: the bundle.
        """
        content = {
            "budget": asdict(self.budget),
            "chosen": self.best.as_dict(),
            "choice": self.choice,
            "candidates": [each.as_dict() for each in self.candidates],
        }
        (folder / CANDIDATES_FILE).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        plot_frontier(self.candidates, self.best, self.budget, folder / FRONTIER_PLOT)
        section = self._model_card_section(trained_accuracy)
        write_model_card(folder / MODEL_CARD_FILE, written.manifest, written.vocabulary, section)

    def _model_card_section(self, trained_accuracy: float) -> str:
        shown = pareto_frontier(self.candidates)
        if self.best not in shown:
            shown = sorted([*shown, self.best], key=lambda each: each.bytes)
        rows = "\n".join(
            f"| `{each.recipe}` | {each.layout} | {each.words:,} × {each.dimensions} "
            f"| {each.hashed_words:,} "
            f"| {each.bytes:,} | {each.accuracy:.2%} | {each.microseconds:.0f} |"
            + (" ←" if each == self.best else "")
            for each in shown
        )
        return f"""
## Chosen from {len(self.candidates)} candidates

Among the bundles within {describe_budget(self.budget)} that no other significantly beats on dev
text, this one keeps most of the trained model's labels. Its dev accuracy is
{self.best.accuracy:.2%}, the trained model's {trained_accuracy:.2%}. The closest alternative:
{self.choice}.

Latency is the median over dev text from text to label, on one thread of the machine that searched,
with {device_version()}. The table lists the candidates that are more accurate than all smaller
ones; all are in `{CANDIDATES_FILE}` and plotted in `{FRONTIER_PLOT}`.

| recipe | layout | listed words × dimensions | hashed words | bytes | dev | µs |
|---|---|---|---|---|---|---|
{rows}
"""
