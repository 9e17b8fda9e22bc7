"""Searches with fastText's autotune on a split, and predicts test text.

    RIVALS_PYTHON -m bench.autotune.rival SPLIT SEED SECONDS BYTES

Prints JSON: predictions, the bytes of the quantized model, seconds and trials. Text is prepared as
in `rivals.py`. Runs where glovelite is not installed.
"""

import ctypes
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import fasttext

from bench.accuracy.rivals import THREADS, prepare_for_fasttext, read_part

VERBOSE = 3  # each trial is printed


def main(split, seed, seconds, size):
    """Search, predict, and print the result."""
    train, dev, test = (read_part(split / f"{name}.jsonl") for name in ("train", "dev", "test"))
    numbers = {label: f"__label__{n}" for n, label in enumerate(sorted(set(train.labels)))}
    names = {number: label for label, number in numbers.items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("train", train), ("dev", dev)):
            rows = zip(part.texts, part.labels)
            lines = (f"{numbers[label]} {prepare_for_fasttext(text)}\n" for text, label in rows)
            Path(folder, name).write_text("".join(lines), "utf-8")
        start = time.monotonic()
        model, printed = capture_output(
            lambda: fasttext.train_supervised(
                str(Path(folder, "train")),
                autotuneValidationFile=str(Path(folder, "dev")),
                autotuneDuration=int(seconds),
                autotuneModelSize=f"{size // 1000}K",
                seed=seed,
                thread=THREADS,
                verbose=VERBOSE,
            )
        )
        spent = time.monotonic() - start
        path = Path(folder, "model")
        model.save_model(str(path))
        found = model.predict([prepare_for_fasttext(text) for text in test.texts])[0]
        result = {
            "predicted": [names[best[0]] if best else "" for best in found],
            "bytes": path.stat().st_size,
            "seconds": round(spent, 1),
            "trials": max(map(int, re.findall(r"Trial = +(\d+)", printed)), default=0),
        }
    print(json.dumps(result))


def capture_output(call):
    """Return what a function returns and what native code prints meanwhile."""
    with tempfile.TemporaryFile() as file:
        sys.stdout.flush()
        saved = {number: os.dup(number) for number in (1, 2)}
        for number in saved:
            os.dup2(file.fileno(), number)
        try:
            result = call()
        finally:
            ctypes.CDLL(None).fflush(None)  # what C holds back, before the file is closed
            for number, copy in saved.items():
                os.dup2(copy, number)
                os.close(copy)
        file.seek(0)
        return result, file.read().decode("utf-8", "replace")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
