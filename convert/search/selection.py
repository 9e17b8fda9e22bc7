"""Exports the most accurate bundle within a budget, with a record of the alternatives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from runtime.aliases import Log, PathLike
from runtime.bundle import MANIFEST_FILE
from runtime.interpreter import interpreter_version
from runtime.io.output_folder import check_output_folder

from ..errors import BudgetError, ConversionError, FidelityError
from ..export import (
    BUNDLE_FILES,
    CANDIDATES_FILE,
    FRONTIER_PLOT,
    export_bundle,
)
from ..manifest import bundle_bytes
from ..options import ExportOptions, ExportResult
from ..run_folder import RunFolder, read_run
from .budget import Budget, Candidate, describe_budget, pareto_frontier, rank_candidates
from .plot import plot_frontier
from .search import SearchSpace, search

MAX_EXPORTS = 5  # of the best candidates, if some lose too much


def export_within_budget(
    run: PathLike,
    out: PathLike,
    budget: Budget,
    options: ExportOptions | None = None,
    space: SearchSpace | None = None,
    *,
    overwrite: bool = False,
    log: Log = print,
) -> ExportResult:
    """Search for the most accurate bundle within a budget and write it.

    Args:
        run: the folder that `glovelite-train` wrote.
        out: the bundle to write.
        budget: the limits.
        options: the search chooses recipe, layout, words and dimensions; None takes the defaults.
        space: what the search may choose from; None takes all of it.
        overwrite: replace an existing bundle.
        log: receives a line for every step.

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
    check_output_folder(Path(out), overwrite, MANIFEST_FILE, BUNDLE_FILES)
    source = read_run(Path(run))
    candidates = search(source, space or SearchSpace(), budget, log)
    refused = 0
    for best in rank_candidates(candidates, budget)[:MAX_EXPORTS]:
        log(f"best within {describe_budget(budget)}: {best.describe()}")
        chosen = replace(
            options,
            recipe=best.recipe,
            layout=best.layout,
            listed_words=best.words,
            hashed_words=best.hashed_words,
            dimensions=best.dimensions if best.layout == "conv" else None,
        )
        record = _SearchRecord(candidates, best, budget, source)
        try:
            result = export_bundle(
                run, out, chosen, overwrite=overwrite, log=log, finish=record.write
            )
        except FidelityError as error:
            refused += 1
            log(f"refused: {error}")
            continue
        return replace(result, candidates=tuple(record.candidates))
    raise FidelityError(
        f"the {refused} best bundles within {describe_budget(budget)} lost too much: allow more, "
        "or train on more text; --no-gate writes the best anyway"
    )


class _SearchRecord:
    """Writes the record of a search into the bundle."""

    def __init__(
        self, candidates: Sequence[Candidate], best: Candidate, budget: Budget, run: RunFolder
    ) -> None:
        self.candidates, self.best, self.budget, self.run = list(candidates), best, budget, run

    def write(self, folder: Path) -> str:
        """Write `candidates.json` and `frontier.png`; return the model card's section."""
        total_bytes = sum(bundle_bytes(folder).values())
        written = replace(self.best, bytes=total_bytes)
        self.candidates = [written if each == self.best else each for each in self.candidates]
        self.best = written
        if written.relative_cost(Budget(self.budget.max_bytes)) > 1:
            raise BudgetError(f"the finished bundle exceeds the budget: {written.describe()}")
        content = {
            "budget": asdict(self.budget),
            "chosen": self.best.as_dict(),
            "candidates": [each.as_dict() for each in self.candidates],
        }
        (folder / CANDIDATES_FILE).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        plot_frontier(self.candidates, self.best, self.budget, folder / FRONTIER_PLOT)
        return self._model_card_section()

    def _model_card_section(self) -> str:
        trained = self.run.metrics.accuracy["dev"]
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
{self.best.accuracy:.2%}, the trained model's {trained:.2%}. Latency is the median over dev text
from text to label, on one thread of the machine that searched, with {interpreter_version()}. The
table lists the candidates that are more accurate than all smaller ones; all are in
`{CANDIDATES_FILE}` and plotted in `{FRONTIER_PLOT}`.

| recipe | layout | listed words × dimensions | hashed words | bytes | dev | µs |
|---|---|---|---|---|---|---|
{rows}
"""
