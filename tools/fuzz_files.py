"""Damages run folders, checkpoints, workbooks and Parquet, and reads each in a child process.

    python -m tools.fuzz_files RUN [--count 500] [--first 0] [--keep FOLDER]

Each must be read, or refused with a glovelite exception. Anything else is a failure: another
exception, a crash, more than 60 s of CPU time, or more memory than 1 GB besides the size of the
files. Failures are printed with the number that repeats them: `--first NUMBER --count 1 --keep
FOLDER`. The counts are printed as a Markdown table. RUN is a run of this version.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tools.damages import SPECIAL_FILES, change_content
from tools.fuzz import MAX_MESSAGE, LoaderProcess, measure_loads

MAX_SECONDS, MAX_BYTES = 60, 1 << 30
LEGACY_RUN = Path(__file__).parent.parent / "tests/data/legacy/run-1"
RUN_FOLDERS, CHECKPOINTS, WORKBOOKS, PARQUET = "run folders", "checkpoints", "workbooks", "Parquet"
CHECKPOINT, IDENTITY = ".run.training", {"epochs": 3}
ROWS = [(f"a {'long ' * (n % 9)}text {n}", "ab"[n % 2], n / 7) for n in range(300)]


def make_intact(part, run, folder):
    """Make the intact files of a part; yield the folders."""
    import numpy as np
    import polars

    from glovelite.train.unfinished import Checkpoint, TrainingState

    folder.mkdir()
    table = polars.DataFrame(ROWS, schema=["text", "label", "number"], orient="row")
    if part == RUN_FOLDERS:
        yield from (shutil.copytree(source, folder / source.name) for source in (LEGACY_RUN, run))
    elif part == CHECKPOINTS:
        copy = folder / "run"
        copy.mkdir()
        for name in ("metrics.json", "vocab.json", "training.npz"):
            shutil.copy(run / name, copy)
        arrays = [np.arange(12, dtype=np.float32).reshape(3, 4), np.array(5), np.array(["a"])]
        history = {"loss": [0.5, 0.25], "accuracy": [0.5, 1.0]}
        Checkpoint(copy / CHECKPOINT, IDENTITY).save(TrainingState(history, arrays, arrays[:1], 2))
        yield copy
    elif part == WORKBOOKS:
        (folder / "one").mkdir()
        table.write_excel(folder / "one/data.xlsx")
        yield folder / "one"
    else:
        for compression in ("zstd", "uncompressed"):
            (folder / compression).mkdir()
            labels = table.with_columns(polars.col("label").cast(polars.Categorical))
            labels.write_parquet(folder / compression / "data.parquet", compression=compression)
            yield folder / compression


def damage(number, source, target):
    """Copy a folder with one damaged file; return what was damaged."""
    rng = random.Random(number)
    shutil.copytree(source, target)
    path = rng.choice(sorted(target.iterdir()))
    if rng.random() < 0.1:
        kind = rng.choice([*SPECIAL_FILES])
        path.unlink()
        SPECIAL_FILES[kind](path)
        return f"{path.name} is {kind}"
    detail, content = change_content(rng, path.name, path.read_bytes())
    path.write_bytes(content)
    return f"{path.name}: {detail}"


def read_run_folder(folder):
    """Load a run as an export does."""
    from glovelite.convert.tf_worker import open_run

    open_run(folder)


def read_checkpoints(folder):
    """Read what a training starts from, and what it resumes from."""
    from glovelite.train.fitting.initial_run import read_initial_run
    from glovelite.train.unfinished import Checkpoint

    checkpoint = Checkpoint(folder / CHECKPOINT, IDENTITY)
    checkpoint.describe_other()
    if checkpoint.saved_epochs():
        checkpoint.load()
    read_initial_run(folder)


def read_table(folder):
    """Read all records of a table."""
    from glovelite.runtime.files.columns import ColumnNames
    from glovelite.runtime.files.records import open_records

    for path in folder.iterdir():
        for _ in open_records(str(path), ColumnNames(), labelled=False):
            pass


READERS = {
    RUN_FOLDERS: read_run_folder,
    CHECKPOINTS: read_checkpoints,
    WORKBOOKS: read_table,
    PARQUET: read_table,
}


def load(part, path):
    """Read a folder; return nothing, or how it was refused."""
    from glovelite import GloveliteError

    try:
        READERS[part](Path(path))
        return {}
    except GloveliteError as error:
        return {"message": str(error)}
    except BaseException as error:
        return {"broke": f"{type(error).__name__}: {error}"[:300]}


def find_fault(found, size):
    """Return what is wrong with how a damaged folder was read, or None."""
    message = found.get("message", "")
    if "died" in found or "broke" in found:
        return found.get("died") or found["broke"]
    if found["seconds"] > MAX_SECONDS or found["bytes"] > MAX_BYTES + size:
        return f"took {found['seconds']:.1f} s and {found['bytes'] >> 20} MB"
    if len(message) > MAX_MESSAGE or "\n" in message:
        return f"has a message of {len(message)} characters: {message[:100]!r}"
    return None


def fuzz_part(part, options, scratch):
    """Try damages of a part; return its row of the table, and the number of failures."""
    intact = list(make_intact(part, options.run, scratch / "intact"))
    process = LoaderProcess(command=("tools.fuzz_files", "--child", part))
    for folder in intact:
        found = process.load(folder)
        if find_fault(found, 0) or "message" in found:
            sys.exit(f"intact {part} cannot be read: {found}")
    outcomes, failures, seconds, memory = Counter(), 0, 0.0, 0
    for number in range(options.first, options.first + options.count):
        target = Path(options.keep) if options.keep else scratch / "damaged"
        source = intact[number % len(intact)]
        detail = damage(number, source, target)
        found = process.load(target)
        size = sum(path.stat().st_size for path in source.iterdir())
        if not options.keep:
            shutil.rmtree(target)
        outcomes["refused" if "message" in found else "read"] += 1
        if fault := find_fault(found, size):
            failures += 1
            print(f"{part}, {number}: {detail:.200}: {fault}", file=sys.stderr)
            continue
        seconds, memory = max(seconds, found["seconds"]), max(memory, found["bytes"])
    process.close()
    numbers = (options.count, outcomes["refused"], outcomes["read"], seconds * 1000, memory >> 20)
    return f"| {part} | {' | '.join(f'{number:,.0f}' for number in numbers)} |", failures


def main(options):
    """Try damages of each part and print the table, or the failures."""
    rows, failures = [], 0
    for part in READERS:
        with tempfile.TemporaryDirectory() as scratch:
            row, failed = fuzz_part(part, options, Path(scratch))
        rows.append(row)
        failures += failed
    if failures:
        sys.exit(f"{failures} damaged inputs failed")
    print("| input | damaged | refused | read | max ms | max MB |\n|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        sys.exit(measure_loads(lambda path: load(sys.argv[2], path), 4 * MAX_BYTES))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep", help="keep the damaged folder here (with --count 1)")
    main(parser.parse_args())
