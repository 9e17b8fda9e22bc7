"""A trained classifier in memory: it predicts, can be pickled, and is written only when asked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glovelite.data.labelled_text import TextSource
from glovelite.data.output_folder import atomic_folder, reserve_output_folder
from glovelite.data.run_files import (
    KERAS_FILE,
    METRICS_FILE,
    NGRAMS_FILE,
    RUN_FILES,
    VOCABULARY_FILE,
)
from glovelite.runtime.aliases import Floats, PathLike
from glovelite.runtime.files.output import scratch_folder
from glovelite.runtime.native_logs import hide_native_logs
from glovelite.runtime.ngrams import NgramWeights, parse_ngrams
from glovelite.runtime.text.vocabulary import Vocabulary, parse_vocabulary

from .data.inputs import read_sequences
from .options import TrainingOptions
from .preparation import prepare
from .request import TrainingRequest
from .trainer import fit_prepared


class MemoryRun:
    """A finished training.

    Attributes:
        vocabulary: of the model; its labels are in the order of the probabilities.
        thresholds: of each label of multi-label text; empty otherwise.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        thresholds: Sequence[float],
        model: Any,
        ngrams: NgramWeights | None,
        write: Callable[[Path, bool], None],
    ) -> None:
        """Take a plain Keras model, and what writes the run folder."""
        self.vocabulary, self.thresholds = vocabulary, tuple(thresholds)
        self._model, self._ngrams, self._write = model, ngrams, write

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """Return the probabilities of texts, float32 [texts, labels]."""
        from .data.batches import encode_texts
        from .fitting.final_model import predict

        vocabulary = self.vocabulary
        if not len(texts):
            return np.zeros((0, len(vocabulary.labels)), np.float32)
        recurrent = any(layer.name == "lstm" for layer in self._model.layers)
        encoded = encode_texts(texts, vocabulary, vocabulary.max_tokens if recurrent else None)
        return predict(self._model, self._ngrams, encoded, texts, vocabulary.tokenizer)

    def write(self, out: PathLike, overwrite: bool = False) -> None:
        """Write the run folder.

        Raises:
            OutputError: it exists or cannot be written.
        """
        with reserve_output_folder(Path(out), overwrite, METRICS_FILE, RUN_FILES) as target:
            self._write(target, overwrite)

    def __reduce__(self) -> tuple[object, ...]:
        """Return the files of the run folder, from which another process loads the run."""
        with scratch_folder() as folder:
            self.write(folder / "run")
            files = {path.name: path.read_bytes() for path in (folder / "run").iterdir()}
        return _load_run, (files,)


def fit_in_memory(
    texts: Sequence[str],
    labels: Sequence[object],
    options: TrainingOptions,
    vectors: PathLike | None = None,
) -> MemoryRun:
    """Train without writing anything; a tenth of the texts is dev text, none is test text.

    For the arguments and what is raised, see `train_classifier`. Python's and NumPy's own random
    numbers go on as if nothing had been drawn.
    """
    request = TrainingRequest((TextSource("texts"),), Path(), vectors=vectors, draw_test=False)
    data = prepare(read_sequences(texts, labels), request, options)
    with hide_native_logs():  # imported after the input was checked: it takes seconds
        from .fitting import fit as _  # noqa: F401
    from .run_folder import write_run

    with _kept_random_states():
        final, metrics = fit_prepared(data)

    def write(target: Path, overwrite: bool) -> None:
        write_run(target, overwrite, data, final, metrics, (), None)

    thresholds = final.thresholds or ()
    return MemoryRun(data.vocabulary, thresholds, final.model, final.ngrams, write)


@contextmanager
def _kept_random_states() -> Iterator[None]:
    """Restore the global random states that a reproducible training sets."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _load_run(files: Mapping[str, bytes]) -> MemoryRun:
    """Load a run from the files of its folder."""
    with hide_native_logs():
        import keras
    vocabulary = parse_vocabulary(files[VOCABULARY_FILE].decode(), VOCABULARY_FILE)
    metrics = json.loads(files[METRICS_FILE])
    ngrams = None
    if NGRAMS_FILE in files:
        ngrams = parse_ngrams(files[NGRAMS_FILE], vocabulary.outputs, NGRAMS_FILE)
    with scratch_folder() as folder:
        (folder / KERAS_FILE).write_bytes(files[KERAS_FILE])
        model = keras.saving.load_model(folder / KERAS_FILE, compile=False)
    thresholds = metrics.get("thresholds", {})
    ordered = [thresholds[label] for label in vocabulary.labels if label in thresholds]
    return MemoryRun(vocabulary, ordered, model, ngrams, partial(_write_files, files))


def _write_files(files: Mapping[str, bytes], target: Path, overwrite: bool) -> None:
    with atomic_folder(target, overwrite) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)
