"""Compares glovelite with its rivals on the same splits, and prints the README's table.

    python bench/accuracy.py RIVALS_PYTHON DEVICE_RUN [--preset P]… [--seeds N] [SET | CSV]…

For every set and seed: `glovelite-train` with each preset, `glovelite-convert` to float32 and
dynamic, both answered by the device environment's `glovelite-run`; the rivals (`rivals.py`) on the
same files. Rivals search their settings on the dev text of seed 0 and keep them for the others.
What is done already (`runs/accuracy`) is not done again. Writes `results/accuracy.json` and
`results/accuracy.png`; the table goes to standard output.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from comparison import Answers, draw, summarize, table
from corpora import LabelledSet, choose_sets, read_labels, write_split

from convert.export import DEVICE_FILES

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
WORK = Path("runs/accuracy")
BIN = Path(sys.executable).parent
RECIPES = ("float32", "dynamic")


def main() -> None:
    """Run what is missing, then compare."""
    options = parse()
    found: dict[str, dict[str, list[Answers]]] = {}
    sets = choose_sets(options.sets)
    for labelled in sets:
        for seed in range(min(labelled.seeds, options.seeds)):
            folder = WORK / labelled.name / str(seed)
            split = write_split(labelled, seed, folder / "split")
            answers = {
                **run_rivals(options.rivals, labelled, seed, folder),
                **{
                    name: each
                    for preset in options.preset
                    for name, each in run_glovelite(options.device_run, preset, seed, folder)
                },
            }
            truth = read_labels(split / "test.jsonl")
            for name, each in answers.items():
                done = Answers(each, [a == b for a, b in zip(each["predicted"], truth)])
                found.setdefault(labelled.name, {}).setdefault(name, []).append(done)
    summary = {each.name: summarize(found[each.name], each.drawn) for each in sets}
    kept = RESULTS / "accuracy.json"
    if kept.is_file():  # sets of an earlier run stay
        summary = {**json.loads(kept.read_text("utf-8")), **summary}
    kept.write_text(json.dumps(summary, indent=1) + "\n", "utf-8")
    draw(summary, RESULTS / "accuracy.png")
    print(table(summary))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rivals", help="Python that has fastText and scikit-learn")
    parser.add_argument("device_run", help="the device environment's glovelite-run")
    parser.add_argument("sets", nargs="*", help="names of sets, or CSV files")
    parser.add_argument("--preset", action="append", help="of glovelite, may be repeated")
    parser.add_argument("--seeds", type=int, default=5, help="at the most")
    options = parser.parse_intermixed_args()
    options.preset = options.preset or ["base", "best"]
    return options


def run_rivals(python: str, labelled: LabelledSet, seed: int, folder: Path) -> dict[str, dict]:
    """Train the rivals, or give what they answered before."""
    kept = folder / "rivals.json"
    if not kept.is_file():
        command = [python, str(BENCH / "rivals.py"), str(folder / "split"), str(seed)]
        first = WORK / labelled.name / "0" / "rivals.json"
        call([*command, str(first)] if seed else command, kept)
    return json.loads(kept.read_text("utf-8"))


def run_glovelite(device_run: str, preset: str, seed: int, folder: Path):
    """Train, export and ask the device, or give what it answered before; a pair a recipe."""
    split, run = folder / "split", folder / f"run-{preset}"
    if not (run / "metrics.json").is_file():
        held_out = ["--dev", split / "dev.jsonl", "--test", split / "test.jsonl"]
        settings = ["--preset", preset, "--seed", seed, "--out", run]
        call([BIN / "glovelite-train", split / "train.jsonl", *held_out, *settings])
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    for recipe in RECIPES:
        bundle, kept = folder / f"{preset}-{recipe}", folder / f"{preset}-{recipe}.jsonl"
        if not (bundle / "manifest.json").is_file():
            call([BIN / "glovelite-convert", "export", run, "--out", bundle, "--quantize", recipe])
        if not kept.is_file():
            with (split / "test.jsonl").open() as texts:
                call([device_run, bundle, "--jsonl"], kept, texts)
        manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
        answers = [json.loads(line)["prediction"] for line in kept.open(encoding="utf-8")]
        yield (
            f"glovelite {preset} {recipe}",
            {
                "dev": manifest["accuracy"]["dev"]["device"],
                "choice": f"--preset {preset}",
                "bytes": sum((bundle / name).stat().st_size for name in DEVICE_FILES),
                "seconds": metrics["seconds"],
                "calibration_error": metrics["calibration"]["error"]["test"],
                "predicted": [each["label"] for each in answers],
            },
        )


def call(command, output: Path | None = None, texts=None) -> None:
    """Run a command, telling of it; its output is kept whole or not at all."""
    words = [str(part) for part in command]
    print("$", *words, file=sys.stderr, flush=True)
    begun = time.monotonic()
    if output is None:
        subprocess.run(words, check=True, stdout=sys.stderr)
    else:
        partial = output.with_suffix(".partial")
        with partial.open("w") as file:
            subprocess.run(words, check=True, stdout=file, stdin=texts)
        partial.replace(output)
    print(f"  {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
