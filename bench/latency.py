"""Times text to label, one thread: glovelite, its floor and its rivals in turn on the same texts.

    python bench/latency.py RIVALS_PYTHON DEVICE_PYTHON PEERS_PYTHON

Bundles and rivals are those of bench-accuracy's seed 0 (made where missing): IMDb's for sentences,
reviews and documents of 10,000 words, emotion's for tweets. Each contender has a process of its own
(`latency_worker.py`); they take turns, a round of all texts each. The floor is what no program on
this interpreter can go below: bare re.findall, bare invoke(). Then 10,000 tweets in a loop and
over two threads. Writes `results/latency.json` and prints the README's table.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from accuracy import WORK, call, run_glovelite, run_rivals
from corpora import LabelledSet, choose_sets, write_split

BENCH = Path(__file__).parent
RESULTS = BENCH / "results"
KEPT = Path("runs/latency")
CONVERT = Path(sys.executable).parent / "glovelite-convert"
DOCUMENT_WORDS = 10_000
SHARED_TEXTS = 10_000
POOL = """
import json, sys, time
from runtime import Classifier
path, texts, rounds = json.load(sys.stdin)
classifier, taken = Classifier.load(path), []
for _ in range(rounds):
    times = []
    for workers in (1, 2):
        begun = time.perf_counter()
        classifier.predict(texts, workers=workers)
        times.append(time.perf_counter() - begun)
    taken.append(times)
print(json.dumps(taken))
"""


@dataclass(frozen=True)
class Contender:
    """What is timed: a name for the table, a Python, what the worker is told, its surroundings."""

    name: str
    python: str
    kind: str
    model: Path
    interpreter: str = ""

    def start(self, texts: list[str]) -> subprocess.Popen:
        """Start its process and wait until it has answered every text once."""
        paths = os.pathsep.join((str(BENCH.parent), str(BENCH)))
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        worker = subprocess.Popen(
            [self.python, str(BENCH / "latency_worker.py"), self.kind, str(self.model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **threads, "PYTHONPATH": paths}
            | ({"GLOVELITE_INTERPRETER": self.interpreter} if self.interpreter else {}),
        )
        worker.stdin.write(json.dumps(texts) + "\n")
        worker.stdin.flush()
        if worker.stdout.readline().strip() != "ready":
            sys.exit(f"{self.name} does not start: {' '.join(map(str, worker.args))}")
        return worker


def split_set(name: str) -> tuple[LabelledSet, Path]:
    """Give a set and the folder of its seed 0's split, written where it is missing."""
    (labelled,) = choose_sets([name])
    return labelled, write_split(labelled, 0, WORK / name / "0" / "split")


def read_texts(name: str) -> list[str]:
    """Give the test texts of a set's seed 0."""
    _, folder = split_set(name)
    return [json.loads(line)["text"] for line in (folder / "test.jsonl").open(encoding="utf-8")]


def make_documents(reviews: list[str], count: int) -> list[str]:
    """Join reviews to documents of 10,000 words."""
    words = iter(cycle(" ".join(reviews).split(" ")))
    return [" ".join(islice(words, DOCUMENT_WORDS)) for _ in range(count)]


def prepare(name: str, rivals: str, device: str) -> dict[str, Path]:
    """Make what is missing of a set's bundles and rivals; give their places."""
    folder, kept = WORK / name / "0", KEPT / name
    labelled, split = split_set(name)
    list(run_glovelite(str(Path(device).parent / "glovelite-run"), "base", 0, folder))
    run_rivals(rivals, labelled, 0, folder)
    run, made = folder / "run-base", {"folded": "--layout=folded", "mediapipe": "--mediapipe"}
    for what, option in made.items():
        if not (kept / what / "manifest.json").is_file():
            call([CONVERT, "export", run, "--out", kept / what, option])
    if not (kept / "linear.pickle").is_file() or not (kept / "model.ftz").is_file():
        command = [rivals, BENCH / "rivals.py", split, 0, folder / "rivals.json", kept]
        call(command, kept / "rivals.json")
    return {"conv": folder / "base-dynamic", "rivals": kept, **{w: kept / w for w in made}}


def list_contenders(places: dict[str, Path], pythons: list[str]) -> list[Contender]:
    """Give everything that is timed on a set."""
    rivals, device, peers = pythons
    found = []
    for short, python, interpreter in (
        ("2.14", device, "tflite-runtime"),
        ("LiteRT", sys.executable, "ai-edge-litert"),
    ):
        for layout in ("conv", "folded"):
            what = f"{layout}, {short}"
            for name, kind in (("glovelite", "glovelite"), ("floor", "floor")):
                each = Contender(f"{name}, {what}", python, kind, places[layout], interpreter)
                found.append(each)
    return [
        *found,
        Contender("fastText .ftz, raw text", rivals, "fasttext_raw", places["rivals"]),
        Contender("fastText .ftz, prepared text", rivals, "fasttext_prepared", places["rivals"]),
        Contender("TF-IDF + LR", rivals, "linear", places["rivals"]),
        Contender(
            "MediaPipe, our conv model", peers, "mediapipe", places["mediapipe"] / "model.tflite"
        ),
    ]


def take_turns(contenders: list[Contender], texts: list[str], rounds: int) -> dict[str, dict]:
    """Time every contender on the texts, a round of each in turn."""
    workers = {each.name: each.start(texts) for each in contenders}
    taken: dict[str, list[float]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            taken[name] += json.loads(worker.stdout.readline())
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {
        name: {"median": float(np.median(times)), "p99": float(np.percentile(times, 99))}
        for name, times in taken.items()
    }


def share_out(device: str, bundles: dict[str, Path], texts: list[str]) -> dict[str, float]:
    """Give how many times faster two threads are than a loop, by layout: the median of five."""
    found = {}
    for layout, path in bundles.items():
        question = json.dumps([str(path), list(islice(cycle(texts), SHARED_TEXTS)), 5])
        done = subprocess.run(
            [device, "-c", POOL], input=question, capture_output=True, text=True, check=True
        )
        found[layout] = float(np.median([a / b for a, b in json.loads(done.stdout)]))
    return found


def table(found: dict[str, dict[str, dict]]) -> str:
    """Give median and 99th percentile of every contender in Markdown."""
    lines = ["| µs, median (99th percentile) | " + " | ".join(found) + " |"]
    lines.append("|---" * (len(found) + 1) + "|")
    for name in next(iter(found.values())):
        cells = [
            f"{each[name]['median']:,.0f} ({each[name]['p99']:,.0f})" for each in found.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Time everything, write the results and print the table."""
    pythons = sys.argv[1:4]
    places = {name: prepare(name, pythons[0], pythons[1]) for name in ("emotion", "imdb")}
    contenders = {name: list_contenders(each, pythons) for name, each in places.items()}
    reviews, tweets = read_texts("imdb"), read_texts("emotion")
    asked = {
        "tweets": ("emotion", tweets[:300], 7),
        "sentences": ("imdb", read_texts("rotten-tomatoes")[:300], 7),
        "reviews": ("imdb", reviews[:200], 7),
        "10,000 words": ("imdb", make_documents(reviews, 5), 21),
    }
    found = {}
    for name, (labelled, texts, rounds) in asked.items():
        print(f"timing {len(contenders[labelled])} contenders on {name}", file=sys.stderr)
        found[name] = take_turns(contenders[labelled], texts, rounds)
    two = {layout: places["emotion"][layout] for layout in ("conv", "folded")}
    shared = share_out(pythons[1], two, tweets)
    result = {"microseconds": found, "two_threads_against_loop": shared}
    (RESULTS / "latency.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(table(found))
    conv, folded = shared["conv"], shared["folded"]
    print(
        f"| {SHARED_TEXTS:,} texts, 2 threads against 1 | conv {conv:.2f}×, folded {folded:.2f}× |"
    )


if __name__ == "__main__":
    main()
