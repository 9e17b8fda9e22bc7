"""What finished runs hold."""

import keras
import numpy as np

from tests.helpers import read_json, read_json_lines


def read_metrics(folder):
    """Return the content of a run's metrics.json."""
    return read_json(folder / "metrics.json")


def read_texts(folder, *names):
    """Return the texts of parts of a run, such as `"dev"`."""
    return [row["text"] for name in names for row in read_json_lines(folder / f"{name}.jsonl")]


def same_weights(*runs):
    """Return whether two models have equal weights."""
    models = [keras.saving.load_model(folder / "model.keras").get_weights() for folder in runs]
    return all(np.array_equal(one, other) for one, other in zip(*models, strict=True))
