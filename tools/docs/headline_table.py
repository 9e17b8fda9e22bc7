"""Prints the README's table from the results of `make bench-accuracy` and `make bench-runtime`.

python -m tools.docs.headline_table
"""

from __future__ import annotations

import json
from typing import Any

from tools.docs.pages import ROOT

RESULTS = ROOT / "bench" / "results"
SETS = {
    "imdb": "film reviews",
    "emotion": "tweets, 6 emotions",
    "trec": "questions, 6 types",
    "sst2-200": "200 training texts",
}
OURS = "glovelite base"
#: Dataset and part of its test text -> title; after `SETS`.
MISSPELT = {("emotion", "misspelt-10"): "tweets, 10 % of words misspelt"}
#: Title -> name in accuracy.json (None: the same predictions as glovelite) and in latency.json.
CLASSIFIERS = {
    "**glovelite**": (OURS, "glovelite, conv, 2.14"),
    "fastText `.ftz`": ("fastText .ftz", "fastText .ftz, raw text"),
    "TF-IDF + LR (scikit-learn)": ("TF-IDF + LR", "TF-IDF + LR"),
    "MediaPipe, with glovelite's model": (None, "MediaPipe, our conv model"),
}


def table_rows(accuracy: dict[str, Any], latency: dict[str, Any]) -> list[list[str]]:
    """Return the table's cells, the header first."""
    columns = ("bytes, film reviews", "µs, a tweet", "µs, a review")
    header = ["", *SETS.values(), *MISSPELT.values(), *columns]
    before = [f"{accuracy[name][OURS]['keras']:.1%}" for name in SETS]
    empty = [""] * (len(MISSPELT) + len(columns))
    rows = [header, ["glovelite before export (Keras)", *before, *empty]]
    for title, (name, timed) in CLASSIFIERS.items():
        if name is None:
            cells = ["as glovelite"] * len(SETS) + [""] * len(MISSPELT)
            size = latency["mediapipe_bytes"]
        else:
            cells = [f"{accuracy[dataset][name]['test']:.1%}" for dataset in SETS]
            cells += [f"{accuracy[of][name]['parts'][part]:.1%}" for of, part in MISSPELT]
            size = accuracy["imdb"][name]["bytes"]
        times = [latency["microseconds"][texts][timed]["median"] for texts in ("tweets", "reviews")]
        rows.append([title, *cells, f"{size:,}", *(f"{time:,.0f}" for time in times)])
    return rows


def main() -> None:
    """Print the table."""
    files = ("accuracy.json", "latency.json")
    rows = table_rows(*(json.loads((RESULTS / name).read_text("utf-8")) for name in files))
    rows.insert(1, ["---"] * len(rows[0]))
    print("\n".join(f"| {' | '.join(cells)} |" for cells in rows))


if __name__ == "__main__":
    main()
