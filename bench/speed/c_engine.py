"""Measures the C engine from text to label on one thread, beside fastText.

    python -m bench.speed.c_engine RIVALS_PYTHON DEVICE_PYTHON PEERS_PYTHON [DATASET]…

Models and texts are those of `latency.py`. The engine is compiled with `cc -O2`; its cache is
warmed on other texts of the same kind and emptied between rounds. fastText is called from Python,
on the text as it is. The contenders take turns, a round of all texts each. Writes
`results/c_engine.json` and prints a Markdown table.
"""

import shutil
import statistics
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.reporting import BENCH, RESULTS, log, print_table, write_json
from bench.speed.latency import (
    WORK,
    Contender,
    Environments,
    test_texts,
    time_in_turn,
    train_models,
)
from glovelite.convert.model_bin.model_file import build_model_file
from glovelite.convert.targets.c_engine import ENGINE_FOLDER
from glovelite.runtime.bundle import read_bundle

CACHES = {"no cache": 0, "cache of 1 MB": 1 << 20, "cache of 4 MB": 4 << 20}
RIVAL = "fastText .ftz, raw text"
ROUNDS, COLD_STARTS = 7, 21
#: Texts -> dataset of the model, dataset of the texts, how many are timed; others warm the cache.
WORKLOADS = {
    "tweets": ("emotion", "emotion", 300),
    "sentences": ("imdb", "rotten-tomatoes", 300),
    "reviews": ("imdb", "imdb", 200),
}


@dataclass(frozen=True)
class CContender:
    """The C engine with a cache.

    Attributes:
        name: its name in the table.
        program: the compiled `c_worker.c`.
        model: `model.bin`.
        cache_bytes: of the cache.
        others: file of texts that warm the cache.
        texts: file of the texts that are timed.
    """

    name: str
    program: Path
    model: Path
    cache_bytes: int
    others: Path
    texts: Path

    def start(self, _: list[str]) -> subprocess.Popen[str]:
        """Start its process."""
        files = map(str, (self.others, self.texts))
        worker = subprocess.Popen(
            [str(self.program), str(self.model), str(self.cache_bytes), *files],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        worker.stdout.readline()  # its cold start
        return worker


def write_frames(path: Path, texts: list[str]) -> Path:
    """Write texts with their lengths; return the file."""
    encoded = [text.encode() for text in texts]
    path.write_bytes(b"".join(struct.pack("<I", len(text)) + text for text in encoded))
    return path


def compile_worker(folder: Path) -> Path:
    """Compile the engine and the program that times it."""
    compiler = shutil.which("cc") or sys.exit("no C compiler is installed")
    folder.mkdir(parents=True, exist_ok=True)
    sources = [BENCH / "speed" / "c_worker.c", ENGINE_FOLDER / "glovelite.c"]
    options = ["-std=c99", "-O2", f"-I{ENGINE_FOLDER}", "-lm", "-o", folder / "worker"]
    subprocess.run([compiler, *sources, *options], check=True)
    return folder / "worker"


def measure_cold_start(program: Path, model: Path) -> float:
    """Return the median ms from a new process's start of `main` to its first answer."""
    command = [str(program), str(model), "0", str(model), str(model)]
    seconds = [
        float(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).stdout)
        for _ in range(COLD_STARTS)
    ]
    return 1e3 * statistics.median(seconds)


def describe(latencies: dict[str, dict[str, float]], name: str) -> str:
    """Describe a contender's median, and how it compares: `"3.2 µs; 0.57"`."""
    median, rival = latencies[name]["median"], latencies[RIVAL]["median"]
    return f"{median:,.1f} µs; {median / rival:.2f}"


def main() -> None:
    """Time everything, write the results and print the table."""
    environments = Environments(*sys.argv[1:4])
    datasets = sys.argv[4:] or ["emotion", "imdb"]
    program = compile_worker(WORK / "c")
    results, cold = {}, {}
    for name, (trained_on, source, count) in WORKLOADS.items():
        if trained_on not in datasets:
            continue
        models = train_models(trained_on, environments)
        path = WORK / "c" / f"{trained_on}.bin"
        path.write_bytes(build_model_file(read_bundle(models.conv)).content)
        texts = test_texts(source)
        others = write_frames(WORK / "c" / f"{name}.others", texts[count:])
        timed = write_frames(WORK / "c" / f"{name}.texts", texts[:count])
        contenders = [
            *(
                CContender(f"C, {cache}", program, path, size, others, timed)
                for cache, size in CACHES.items()
            ),
            Contender(RIVAL, environments.rivals, "fasttext_raw", models.rivals),
        ]
        log(f"timing {len(contenders)} contenders on {name}")
        results[name] = time_in_turn(contenders, texts[:count], ROUNDS)
        cold[trained_on] = {
            "model_bytes": path.stat().st_size,
            "milliseconds": measure_cold_start(program, path),
        }
    write_json(RESULTS / "c_engine.json", {"microseconds": results, "cold_start": cold})
    names = [*next(iter(results.values()))]
    rows = [[name, *(describe(found, name) for found in results.values())] for name in names]
    print_table(["median; times fastText's", *results], rows)
    print()
    for dataset, found in cold.items():
        print(
            f"From a mapped file of {found['model_bytes']:,} bytes ({dataset}) to the first answer "
            f"without a cache: {found['milliseconds']:.1f} ms."
        )


if __name__ == "__main__":
    main()
