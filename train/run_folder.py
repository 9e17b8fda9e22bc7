"""The run folder: what `train` leaves for `convert` and for the person.

model.keras         plain Keras layers; `convert` knows them by name
vocab.json          the vocabulary file of the device
metrics.json        configuration, seed, versions, data fingerprint, history, scores
calibration.jsonl   training texts that show `int8` its ranges
dev.jsonl           chosen on: stopping, gates, thresholds
test.jsonl          scored once, chosen on never
curves.png          accuracy and loss by epoch
confusion.png       the test texts by true and predicted class
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras

from runtime.vocabulary import Vocabulary

from .corpus import Corpus
from .drawings import draw_confusion, draw_curves
from .scores import Scores

FORMAT = 1


def write_run(
    folder: Path,
    model: keras.Model,
    vocabulary: Vocabulary,
    texts: dict[str, Corpus],
    metrics: dict[str, Any],
    scores: Scores,
) -> None:
    """Write every file of a run.

    Args:
        folder: an empty folder.
        model: plain Keras layers, ids to probabilities.
        vocabulary: tokens, labels and lengths.
        texts: `calibration`, `dev` and `test`.
        metrics: content of `metrics.json`; its `history` is drawn.
        scores: of the test texts, drawn.
    """
    model.save(folder / "model.keras")
    (folder / "vocab.json").write_text(vocabulary.to_json(), "utf-8")
    for name, corpus in texts.items():
        _write_texts(folder / f"{name}.jsonl", corpus)
    draw_curves(metrics["history"], metrics["corpus"]["name"], folder / "curves.png")
    draw_confusion(scores, f"{scores.texts:,} test texts", folder / "confusion.png")
    content = json.dumps({"format": FORMAT, **metrics}, indent=1, ensure_ascii=False)
    (folder / "metrics.json").write_text(content + "\n", "utf-8")


def _write_texts(path: Path, corpus: Corpus) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text, label in zip(corpus.texts, corpus.labels):
            file.write(json.dumps({"text": text, "label": label}) + "\n")
