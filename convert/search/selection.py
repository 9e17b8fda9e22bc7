"""Exports the most accurate bundle within a budget, and leaves a record of what there was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from runtime.bundle import MANIFEST_FILE
from runtime.interpreter import interpreter_version
from runtime.io.output_folder import check_output_folder

from ..errors import BudgetError, ConversionError, GateError
from ..export import BUNDLE_FILES, CANDIDATES, DEVICE_FILES, FRONTIER, Say, export_bundle
from ..options import Export, Order
from ..run_folder import RunFolder, read_run
from .budget import Budget, Candidate, describe_budget, frontier, rank_candidates
from .plot import draw_frontier
from .search import Field, search

MOST_TRIED = 5  # of the best, where the gate refuses them


def export_within_budget(order: Order, field: Field, budget: Budget, say: Say = print) -> Export:
    """Search for the most accurate bundle within a budget and write it.

    Args:
        order: what to convert and where to; recipe, layout, words and dimensions are the search's
            to choose, its accuracy drop is what the gate allows.
        field: what to choose from.
        budget: the bounds.
        say: called with a line for every step.

    Returns:
        Sizes and comparisons, with the candidates.

    Raises:
        BudgetError: nothing is within the budget; the message names the closest.
        GateError: the best that are within lost more than its recipe, or the order, allows.
        ConversionError: the order asks for what a search does not do, or nothing could be
            converted.
        RunFolderError: the run cannot be converted.
        OutputError: the bundle is in the way or cannot be written.
    """
    if order.mediapipe or order.emit_c or order.integer_output:
        raise ConversionError(
            "a budget is searched for plain bundles: search first, then export what was found with "
            "--quantize, --layout, --max-words, --dimensions and what else you want"
        )
    check_output_folder(order.target, order.overwrite, MANIFEST_FILE, BUNDLE_FILES)
    run = read_run(order.run)
    candidates = search(run, field, budget, say)
    refusals = []
    for best in rank_candidates(candidates, budget)[:MOST_TRIED]:
        say(f"best within {describe_budget(budget)}: {best.describe()}")
        chosen = replace(
            order,
            recipe=best.recipe,
            layout=best.layout,
            max_words=best.words,
            dimensions=best.dimensions if best.layout == "conv" else None,
        )
        record = _Record(candidates, best, budget, run)
        try:
            done = export_bundle(chosen, say, record.write)
        except GateError as error:
            refusals.append(error)
            say(f"refused: {error}")
            continue
        return replace(done, candidates=tuple(record.candidates))
    raise GateError(
        f"the {len(refusals)} best bundles within {describe_budget(budget)} lost too much: allow "
        "more, or train on more text; --no-gate writes the best all the same"
    )


class _Record:
    """Writes what was searched beside the bundle's files."""

    def __init__(
        self, candidates: Sequence[Candidate], best: Candidate, budget: Budget, run: RunFolder
    ) -> None:
        self.candidates, self.best, self.budget, self.run = list(candidates), best, budget, run

    def write(self, folder: Path) -> str:
        """Write `candidates.json` and `frontier.png`; give the model card's section."""
        written = replace(self.best, bytes=sum((folder / n).stat().st_size for n in DEVICE_FILES))
        self.candidates = [written if each == self.best else each for each in self.candidates]
        self.best = written
        if written.excess(Budget(self.budget.max_bytes)) > 1:
            raise BudgetError(f"the bundle turned out beyond its budget: {written.describe()}")
        content = {
            "budget": asdict(self.budget),
            "taken": self.best.as_dict(),
            "candidates": [each.as_dict() for each in self.candidates],
        }
        (folder / CANDIDATES).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        draw_frontier(self.candidates, self.best, self.budget, folder / FRONTIER)
        return self._section()

    def _section(self) -> str:
        told = self.run.metrics["scores"]["dev"]["accuracy"]
        shown = frontier(self.candidates)
        if self.best not in shown:
            shown = sorted([*shown, self.best], key=lambda each: each.bytes)
        rows = "\n".join(
            f"| `{each.recipe}` | {each.layout} | {each.words:,} × {each.dimensions} "
            f"| {each.bytes:,} | {each.accuracy:.2%} | {each.microseconds:.0f} |"
            + (" ←" if each == self.best else "")
            for each in shown
        )
        return f"""
## Chosen from {len(self.candidates)} candidates

Of those within {describe_budget(self.budget)} that no other beats on dev text by more than chance,
this one keeps most of the trained model's labels. It has {self.best.accuracy:.2%} right, the
trained model {told:.2%}. Times are from text to label, median over dev text, one thread of the
machine that searched, {interpreter_version()}. Below are the candidates that no smaller one is as
accurate as; all are in `{CANDIDATES}`, drawn in `{FRONTIER}`.

| recipe | layout | words × dimensions | bytes | dev | µs |
|---|---|---|---|---|---|
{rows}
"""
