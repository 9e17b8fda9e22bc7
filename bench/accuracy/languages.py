"""Compares training without word vectors with rivals in eight languages; prints a Markdown table.

    python -m bench.accuracy.languages RIVALS DEVICE_RUN [--seeds N] [--untimed] [NAME]…

For each language and seed: `glovelite-train --vectors none`, `glovelite-convert` with its defaults,
predictions by the device environment's `glovelite-run`; and the rivals (`language_rivals.py`) on
the same files: fastText and logistic regression, each on words and on characters. Rivals search
their settings on the dev text of seed 0 and keep them for the other seeds. Then the time of a text
with seed 0, of ours and of the rivals on characters. Results in `runs/languages` are reused. Writes
`results/languages.json`.
"""

import argparse
from pathlib import Path

from bench.accuracy.compare import Ours, compare, save_rivals
from bench.accuracy.summary import Summary
from bench.datasets import language_dataset, read_texts
from bench.reporting import RESULTS, log, print_table, read_json, write_json
from bench.speed.latency import Contender, time_in_turn

WORK = Path("runs/languages")
OURS = Ours("base--vectors=none")
SCRIPT = "language_rivals.py"
TIMED_TEXTS, ROUNDS = 300, 7
RIVALS = ("fastText words", "fastText characters", "TF-IDF words", "TF-IDF characters")
NAMES = (
    "zh_thucnews",
    "ja_hotel_pn",
    "th_wisesight",
    "ko_3i4k",
    "de_sb10k",
    "tr_movies",
    "ar_sentiment",
    "fr_xlmt",
)


def main() -> None:
    """Run what is missing and compare."""
    options = parse_arguments()
    path = RESULTS / "languages.json"
    summaries = read_json(path, {})
    for name in options.names or NAMES:
        dataset = language_dataset(name)
        if not dataset.available:
            log(f"{name} skipped: {dataset.train} does not exist (SHARED_DATA sets its folder)")
            continue
        found = compare(dataset, WORK, {"glovelite": OURS}, options, SCRIPT, RIVALS)
        for classifier, about in found.items():  # times of an earlier run stay
            earlier = summaries.get(name, {}).get(classifier, {})
            if "microseconds" in earlier:
                about["microseconds"] = earlier["microseconds"]
        summaries[name] = found
        write_json(path, summaries)
    for name in options.names or NAMES:
        if name in summaries and not options.untimed:
            for classifier, latency in time_texts(WORK / name, options).items():
                summaries[name][classifier]["microseconds"] = latency["median"]
    write_json(path, summaries)
    print_table(*make_table(summaries))


def time_texts(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return the time from text to label in µs, median and 99th percentile, by classifier."""
    split, models = folder / "0" / "split", folder / "models"
    if not (models / "linear.pickle").is_file():  # of the last rivals: those on characters
        save_rivals(options.rivals, split, folder / "0" / "rivals.json", models, SCRIPT)
    device, bundle = (
        str(Path(options.device_run).parent / "python"),
        folder / "0" / OURS.bundle,
    )
    contenders = [
        Contender("glovelite", device, "glovelite", bundle),
        Contender("fastText characters .ftz", options.rivals, "fasttext_raw", models),
        Contender("TF-IDF characters", options.rivals, "linear", models),
    ]
    return time_in_turn(contenders, read_texts(split / "test.jsonl")[:TIMED_TEXTS], ROUNDS)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("names", nargs="*", help="names of data sets")
    parser.add_argument("--seeds", type=int, default=3, help="number of training runs")
    parser.add_argument("--untimed", action="store_true", help="do not measure the time of a text")
    return parser.parse_intermixed_args()


def make_table(summaries: dict[str, Summary]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table: a language each, and their mean."""
    classifiers = ("glovelite", *RIVALS)
    seeds = max(len(summary["glovelite"]["test_by_seed"]) for summary in summaries.values())
    timed = any("microseconds" in summary["glovelite"] for summary in summaries.values())
    header = [f"set, {seeds} seed{'s' * (seeds > 1)}", "test texts", *classifiers]
    header += ["lead over the best rival", "kB", *["µs"] * timed]
    sized = ("glovelite", "fastText characters .ftz", "TF-IDF characters")
    rows = []
    for name, summary in summaries.items():
        ours = summary["glovelite"]
        best = max(RIVALS, key=lambda rival: summary[rival]["test"])
        lead = ours["lead"][best]
        cells = [f"{summary[classifier]['test']:.1%}" for classifier in classifiers]
        cells.append(f"{lead['mean']:+.1%} ({lead['low']:+.1%} to {lead['high']:+.1%})")
        cells.append(" / ".join(f"{summary[key]['bytes'] / 1000:,.0f}" for key in sized))
        times = [summary[key].get("microseconds") for key in sized]
        shown = " / ".join("–" if time is None else f"{time:,.0f}" for time in times)
        cells += [shown] * timed
        rows.append([name, f"{ours['test_texts']:,}", *cells])
    means = [
        f"{sum(summary[classifier]['test'] for summary in summaries.values()) / len(summaries):.1%}"
        for classifier in classifiers
    ]
    return header, [*rows, ["mean", "", *means, "", *[""] * (1 + timed)]]


if __name__ == "__main__":
    main()
