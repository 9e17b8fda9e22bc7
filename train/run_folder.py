"""The run folder: what `train` leaves for `convert` and for the person.

| file                | what it holds                                                    |
|---------------------|------------------------------------------------------------------|
| `model.keras`       | plain Keras layers; `convert` knows them by name                 |
| `vocab.json`        | the vocabulary file of the device                                |
| `metrics.json`      | configuration, seed, versions, data fingerprint, history, scores |
| `calibration.jsonl` | training texts that show `int8` its ranges                       |
| `dev.jsonl`         | chosen on: stopping, gates, thresholds                           |
| `test.jsonl`        | scored once, chosen on never                                     |
| `curves.png`        | accuracy and loss by epoch                                       |
| `confusion.png`     | the test texts by true and predicted class                       |
| `scratch.json`, `.png` | the same model without GloVe, if that was asked for           |
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import keras

from runtime.io.packages import Say
from runtime.vocabulary import Vocabulary

from .data.corpus import Corpus
from .fitting.from_scratch import Trial
from .fitting.metrics import Scores
from .plots import draw_confusion, draw_curves, draw_scratch


def write_run(
    folder: Path,
    model: keras.Model,
    vocabulary: Vocabulary,
    texts: dict[str, Corpus],
    metrics: dict[str, Any],
    scores: Scores,
    scratch: Sequence[Trial],
    say: Say,
) -> None:
    """Write every file of a run.

    Args:
        folder: an empty folder.
        model: plain Keras layers, ids to probabilities.
        vocabulary: tokens, labels and lengths.
        texts: `calibration`, `dev` and `test`.
        metrics: content of `metrics.json`; its `history` is drawn.
        scores: of the test texts, drawn.
        scratch: trials with and without GloVe, written and drawn where there are any.
        say: told of a drawing that failed; a run is not lost for a picture.
    """
    model.save(folder / "model.keras")
    (folder / "vocab.json").write_text(vocabulary.to_json(), "utf-8")
    for name, corpus in texts.items():
        _write_texts(folder / f"{name}.jsonl", corpus)
    if scratch:
        _write_json(folder / "scratch.json", [asdict(trial) for trial in scratch])
    _write_json(folder / "metrics.json", metrics)
    name = metrics["corpus"]["name"]
    drawings = {
        "curves.png": partial(draw_curves, metrics["history"], name),
        "confusion.png": partial(draw_confusion, scores, f"{scores.texts:,} test texts"),
    }
    if scratch:
        drawings["scratch.png"] = partial(draw_scratch, scratch, name)
    for file, draw in drawings.items():
        try:
            draw(folder / file)
        except Exception as error:  # whatever a drawing library may raise
            say(f"{file} could not be drawn: {' '.join(str(error).split()):.200}")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _write_texts(path: Path, corpus: Corpus) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text, target in zip(corpus.texts, corpus.targets):
            file.write(json.dumps({"text": text, "label": corpus.classes[target]}) + "\n")
