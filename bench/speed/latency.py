"""Measures latency from text to label on one thread: glovelite, its lower bound and its rivals.

    python -m bench.speed.latency RIVALS_PYTHON DEVICE_PYTHON PEERS_PYTHON

Bundles and rivals are those of bench-accuracy's seed 0 (created if missing): IMDb's for sentences,
reviews and documents of 10,000 words, emotion's for tweets. Each contender runs in its own process
(`latency_worker.py`); they take turns, a round of all texts each. The lower bound is what no
program on this interpreter can beat: re.findall and invoke() alone. Then 10,000 tweets in a loop
and with two threads. Writes `results/latency.json` and prints a Markdown table.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from bench.accuracy.compare import WORK as ACCURACY
from bench.accuracy.compare import Ours, run_glovelite, run_rivals, save_rivals
from bench.datasets import Dataset, choose_datasets, read_texts, write_split
from bench.reporting import BENCH, BIN, RESULTS, log, print_table, run_command, write_json

WORK = Path("runs/latency")
DOCUMENT_WORDS = 10_000


@dataclass(frozen=True)
class Environments:
    """The Pythons that contenders run in."""

    rivals: str
    device: str
    peers: str


@dataclass(frozen=True)
class Models:
    """The trained models of a dataset: bundles, and the folder of the rivals' models."""

    conv: Path
    folded: Path
    mediapipe: Path
    rivals: Path


@dataclass(frozen=True)
class Contender:
    """A classifier to time.

    Attributes:
        name: its name in the table.
        python: the Python that it runs in.
        kind: the function of `latency_worker.py` that loads it.
        model: its model.
        interpreter: name of the interpreter, or "".
    """

    name: str
    python: str
    kind: str
    model: Path
    interpreter: str = ""

    def start(self, texts: list[str]) -> subprocess.Popen[str]:
        """Start its process and wait until it has classified every text once."""
        environment = dict(os.environ)
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        environment["PYTHONPATH"] = str(BENCH.parent / "src")
        if self.interpreter:
            environment["GLOVELITE_INTERPRETER"] = self.interpreter
        worker = subprocess.Popen(
            [self.python, str(BENCH / "speed" / "latency_worker.py"), self.kind, str(self.model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        worker.stdin.write(json.dumps(texts) + "\n")
        worker.stdin.flush()
        if worker.stdout.readline().strip() != "ready":
            sys.exit(f"{self.name} does not start: {' '.join(map(str, worker.args))}")
        return worker


def open_split(name: str) -> tuple[Dataset, Path]:
    """Return a dataset and the folder of its split for seed 0, written if missing."""
    (dataset,) = choose_datasets([name])
    return dataset, write_split(dataset, 0, ACCURACY / name / "0" / "split")


def test_texts(name: str) -> list[str]:
    """Return a dataset's test texts for seed 0."""
    return read_texts(open_split(name)[1] / "test.jsonl")


def make_documents(reviews: list[str], count: int) -> list[str]:
    """Join reviews into documents of 10,000 words."""
    words = iter(cycle(" ".join(reviews).split(" ")))
    return [" ".join(islice(words, DOCUMENT_WORDS)) for _ in range(count)]


def train_models(name: str, environments: Environments) -> Models:
    """Create the missing bundles and rivals of a dataset."""
    folder, models = ACCURACY / name / "0", WORK / name
    _, split = open_split(name)
    device_run = Path(environments.device).parent / "glovelite-run"
    run_glovelite(str(device_run), Ours("base"), 0, folder)
    run_rivals(environments.rivals, 0, folder, None)
    for variant, option in (("folded", "--layout=folded"), ("mediapipe", "--mediapipe")):
        if not (models / variant / "manifest.json").is_file():
            export = [BIN / "glovelite-convert", "export", folder / "run-base"]
            run_command([*export, "--out", models / variant, option])
    if not (models / "linear.pickle").is_file() or not (models / "model.ftz").is_file():
        save_rivals(environments.rivals, split, folder / "rivals.json", models, "rivals.py")
    return Models(folder / "bundle-base", models / "folded", models / "mediapipe", models)


def list_contenders(models: Models, environments: Environments) -> list[Contender]:
    """Return everything that is timed on a dataset."""
    contenders = []
    for short, python, interpreter in (
        ("2.14", environments.device, "tflite-runtime"),
        ("LiteRT", sys.executable, "ai-edge-litert"),
    ):
        for layout, bundle in (("conv", models.conv), ("folded", models.folded)):
            for name, kind in (("glovelite", "glovelite"), ("floor", "lower_bound")):
                full_name = f"{name}, {layout}, {short}"
                contenders.append(Contender(full_name, python, kind, bundle, interpreter))
    for layout, bundle in (("conv", models.conv), ("folded", models.folded)):
        name = f"glovelite, {layout}, numpy"
        contenders.append(Contender(name, environments.device, "glovelite", bundle, "numpy"))
    rivals = environments.rivals
    model = models.mediapipe / "model.tflite"
    return [
        *contenders,
        Contender("fastText .ftz, raw text", rivals, "fasttext_raw", models.rivals),
        Contender("fastText .ftz, prepared text", rivals, "fasttext_prepared", models.rivals),
        Contender("TF-IDF + LR", rivals, "linear", models.rivals),
        Contender("MediaPipe, our conv model", environments.peers, "mediapipe", model),
    ]


def time_in_turn(
    contenders: list[Contender], texts: list[str], rounds: int
) -> dict[str, dict[str, float]]:
    """Time every contender on the texts, a round of each in turn."""
    workers = {contender.name: contender.start(texts) for contender in contenders}
    times: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            times[name] += json.loads(worker.stdout.readline())
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {
        name: {"median": float(np.median(values)), "p99": float(np.percentile(values, 99))}
        for name, values in times.items()
    }


def describe_latency(latency: dict[str, float]) -> str:
    """Describe median and 99th percentile in µs."""
    return f"{latency['median']:,.0f} ({latency['p99']:,.0f})"


def main() -> None:
    """Time everything, write the results and print the table."""
    environments = Environments(*sys.argv[1:4])
    models = {name: train_models(name, environments) for name in ("emotion", "imdb")}
    contenders = {name: list_contenders(model, environments) for name, model in models.items()}
    reviews, tweets = test_texts("imdb"), test_texts("emotion")
    workloads = {
        "tweets": ("emotion", tweets[:300], 7),
        "sentences": ("imdb", test_texts("rotten-tomatoes")[:300], 7),
        "reviews": ("imdb", reviews[:200], 7),
        "10,000 words": ("imdb", make_documents(reviews, 5), 21),
    }
    results = {}
    for name, (dataset, texts, rounds) in workloads.items():
        log(f"timing {len(contenders[dataset])} contenders on {name}")
        results[name] = time_in_turn(contenders[dataset], texts, rounds)
    content = {
        "microseconds": results,
        "mediapipe_bytes": (models["imdb"].mediapipe / "model.tflite").stat().st_size,
    }
    write_json(RESULTS / "latency.json", content)
    rows = [
        [
            name,
            *(
                f"{result[name]['median']:,.0f} ({result[name]['p99']:,.0f})"
                for result in results.values()
            ),
        ]
        for name in results["tweets"]
    ]
    print_table(["µs, median (99th percentile)", *results], rows)


if __name__ == "__main__":
    main()
