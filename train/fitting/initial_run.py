"""The weights of training that a run folder keeps, and the run that another one starts from.

`training.npz` holds what `model.keras`, in which the weights are merged, has lost:

| array | content |
|---|---|
| `format` | version of the file |
| `weights/LAYER/NAME` | float32; rows of `vectors/learned` and `wide/wide` are of words |
| `weights/wide/mixing` | of many classes: by it the rows of `wide/wide` are multiplied |
| `weights/bottleneck/kernel` | of many classes: features to the columns that outputs share |
| `learned` | position in `vocab.json` of the word of each row of `vectors/learned` |
| `training_words` | that many words, from the first of `vocab.json`, have a row of `wide/wide` |
| `train`, `dev`, `test` | hashes of the texts; `train` includes those of earlier initial runs |
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glovelite.data.array_archive import read_arrays, read_count, read_row
from glovelite.data.regular_files import read_regular_text
from glovelite.data.run_files import MAX_RUN_BYTES, METRICS_FILE, TRAINING_FILE, VOCABULARY_FILE
from glovelite.runtime.aliases import Floats, PathLike
from glovelite.runtime.errors import BundleError, OptionsError
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary, parse_vocabulary

from ..config import TrainingConfig, read_config
from ..data.splitting.initial_texts import InitialTexts
from ..data.splitting.split import Split
from ..model.wide import WideWeights
from ..options import TrainingOptions

TRAINING_FORMAT = 1
LEARNED_ROWS, WIDE_ROWS, WIDE_MIXING = "vectors/learned", "wide/wide", "wide/mixing"
LOGIT_KERNEL, BOTTLENECK_KERNEL = "logits/kernel", "bottleneck/kernel"
OUTPUT_WEIGHTS = frozenset((LOGIT_KERNEL, "logits/bias"))  # an output each
#: Options that fix the shapes of the weights, and what a token is.
FIXED_OPTIONS = ("punctuation", "architecture", "filters", "kernel_sizes", "wide", "adapter")
_PREFIX = "weights/"


@dataclass(frozen=True)
class TrainingWeights:
    """The weights of a training model, with the words that rows of them belong to.

    Attributes:
        arrays: `LAYER/NAME` -> float32 weights.
        words: tokens of the rows of `WIDE_ROWS`; without wide weights the training words too.
        learned: tokens of the rows of `LEARNED_ROWS`.
    """

    arrays: Mapping[str, Floats]
    words: tuple[str, ...]
    learned: tuple[str, ...]

    @property
    def wide(self) -> WideWeights | None:
        """The wide weights of `words`, if there are any."""
        rows = self.arrays.get(WIDE_ROWS)
        return None if rows is None else WideWeights(rows, self.arrays.get(WIDE_MIXING))

    def count_known(self, tokens: tuple[str, ...]) -> int:
        """Return how many of these tokens are words of the run."""
        return len({*tokens} & {*self.words} - {*SPECIAL_TOKENS})


@dataclass(frozen=True)
class InitialSummary:
    """The entry about the initial run in `metrics.json`.

    Attributes:
        name: of its folder, without the path.
        weights: SHA-256 of its `training.npz`, in hexadecimal.
    """

    name: str
    weights: str


@dataclass(frozen=True)
class InitialRun:
    """A finished run that another training starts from.

    Attributes:
        path: of its folder.
        config: options and vectors; no input length is set.
    """

    path: Path
    config: TrainingConfig
    vocabulary: Vocabulary
    weights: TrainingWeights
    texts: InitialTexts
    summary: InitialSummary

    def check_options(self, options: TrainingOptions) -> None:
        """Raise OptionsError if these options need weights of other shapes, or other tokens."""
        for name in FIXED_OPTIONS:
            expected, found = getattr(self.config.options, name), getattr(options, name)
            if expected != found:
                raise OptionsError(
                    f"{name}: expected {expected} as in {self.path}, found {found}: leave it out, "
                    "or train without --init"
                )

    def check_vectors(self, source: str) -> None:
        """Raise OptionsError if these are other vectors by `WordVectors.source`."""
        if source != self.config.vectors:
            raise OptionsError(
                f"--vectors: expected {self.config.vectors} as in {self.path}, found {source}: "
                "give the vectors of the initial run, or train without --init"
            )


def read_initial_config(path: PathLike) -> TrainingConfig:
    """Read the options of the run that a training starts from, and the name of its vectors.

    The input length is left to be chosen from the new text.

    Raises:
        OptionsError: it is no finished run, or one of an earlier version.
    """
    folder = Path(path)
    if not (folder / METRICS_FILE).is_file():
        raise OptionsError(f"--init: expected the folder of a finished run, found {folder}")
    if not (folder / TRAINING_FILE).is_file():
        raise OptionsError(
            f"{folder} lacks {TRAINING_FILE}, which earlier versions did not write: train it again "
            "with this version"
        )
    config = read_config(folder)
    return replace(config, options=replace(config.options, max_tokens=None))


def read_initial_run(path: PathLike) -> InitialRun:
    """Read the run that a training starts from.

    Raises:
        OptionsError: it is no finished run, one of an earlier version, or damaged.
    """
    folder = Path(path)
    config = read_initial_config(folder)
    try:
        path = folder / VOCABULARY_FILE
        text = read_regular_text(path, MAX_RUN_BYTES[path.name])
        vocabulary = parse_vocabulary(text, str(path))
        weights, texts = _parse_training(folder, vocabulary)
    except BundleError as error:
        raise OptionsError(str(error)) from None
    except (OSError, ValueError) as error:
        raise OptionsError(
            f"{folder} cannot be continued ({' '.join(str(error).split()):.100}): train it again"
        ) from None
    digest = hashlib.sha256((folder / TRAINING_FILE).read_bytes()).hexdigest()
    summary = InitialSummary(folder.resolve().name, digest)
    return InitialRun(folder, config, vocabulary, weights, texts, summary)


def write_training(
    path: Path,
    weights: TrainingWeights,
    tokens: tuple[str, ...],
    split: Split,
    initial: InitialTexts | None,
) -> None:
    """Write `training.npz`; `initial` has the texts of the initial run, if there is one."""
    position = {token: id_ for id_, token in enumerate(tokens)}
    trained = [split.train.hashes, *([] if initial is None else [initial.train])]
    np.savez(
        path,
        format=np.array(TRAINING_FORMAT),
        learned=np.array([position[token] for token in weights.learned], np.int32),
        training_words=np.array(len(weights.words)),
        train=np.unique(np.concatenate(trained)),
        dev=np.unique(split.dev.hashes),
        test=np.unique(split.test.hashes),
        **{_PREFIX + name: array for name, array in weights.arrays.items()},
    )


def match_rows(
    tokens: tuple[str, ...], values: Floats, saved_tokens: tuple[str, ...], saved: Floats
) -> Floats:
    """Return `values`, a row for each token, with the saved rows of tokens that have one.

    Saved rows may be shorter: they are of the first outputs.
    """
    row_of = {token: row for row, token in enumerate(saved_tokens)}
    rows = np.array([row_of.get(token, -1) for token in tokens], np.int64)
    matched = np.array(values)
    matched[rows >= 0, : saved.shape[1]] = saved[rows[rows >= 0]]
    return matched


def match_outputs(values: Floats, saved: Floats) -> Floats:
    """Return `values`, weights whose last axis is the outputs, with the saved ones of the first.

    New labels come after those of the initial run.
    """
    matched = np.array(values)
    matched[..., : saved.shape[-1]] = saved
    return matched


def split_single_output(saved: Floats, outputs: int) -> Floats:
    """Return the weights of one output for two classes as those of two, if there are more now.

    The probabilities of the two classes, relative to each other, stay the same: the softmax of
    -z / 2 and z / 2 is the sigmoid of z.
    """
    if saved.shape[-1] == 1 and outputs > 1:
        return np.concatenate([-saved / 2, saved / 2], axis=-1)
    return saved


def _parse_training(folder: Path, vocabulary: Vocabulary) -> tuple[TrainingWeights, InitialTexts]:
    tokens, file = vocabulary.tokens, read_arrays(folder / TRAINING_FILE)
    found = read_count(file, "format")
    if found != TRAINING_FORMAT:
        raise ValueError(f"format {found}, this version reads {TRAINING_FORMAT}")
    arrays = {
        name.removeprefix(_PREFIX): array
        for name, array in file.items()
        if name.startswith(_PREFIX)
    }
    if any(array.dtype != np.float32 or array.ndim == 0 for array in arrays.values()):
        raise ValueError("its weights are no arrays of float32")
    words, ids = tokens[: read_count(file, "training_words")], read_row(file, "learned", np.int32)
    if len(ids) and not 0 <= ids.min() <= ids.max() < len(tokens):
        raise ValueError(f"{TRAINING_FILE} and {VOCABULARY_FILE} do not fit each other")
    weights = TrainingWeights(arrays, words, tuple(tokens[id_] for id_ in ids))
    parts = (read_row(file, part, np.uint64) for part in ("train", "dev", "test"))
    texts = InitialTexts(str(folder), *parts)
    rows = {LEARNED_ROWS: len(weights.learned), WIDE_ROWS: len(words)}
    for name, count in rows.items():
        if name in arrays and len(arrays[name]) != count:
            raise ValueError(f"{TRAINING_FILE} and {VOCABULARY_FILE} do not fit each other")
    last = WIDE_MIXING if WIDE_MIXING in arrays else WIDE_ROWS
    for name in (OUTPUT_WEIGHTS | {last}) & arrays.keys():
        if arrays[name].shape[-1] != vocabulary.outputs:
            raise ValueError(f"{TRAINING_FILE} and {VOCABULARY_FILE} have different labels")
    if last == WIDE_MIXING and arrays[WIDE_ROWS].shape[1:] != arrays[WIDE_MIXING].shape[:1]:
        raise ValueError(f"{WIDE_ROWS} and {WIDE_MIXING} do not fit each other")
    return weights, texts
