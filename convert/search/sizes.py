"""The size of a bundle by arithmetic, before anything is converted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from glovelite.data.run_files import OUT_OF_FOLD
from glovelite.runtime.decision import FamiliarityPenalty
from glovelite.runtime.text.hashed_words import BYTES_PER_WORD, HEADER_BYTES
from glovelite.runtime.text.spelling import MIN_SHORTEST, Spelling
from glovelite.runtime.text.vocabulary import SPECIAL_TOKENS, Vocabulary

from ..conversion import ConvertedModel, ModelFacts
from ..manifest import Measurements, encode_manifest, golden_texts
from ..options import RECIPES, Recipe
from ..run_folder import RunFolder
from ..targets.mediapipe import spell
from ..tflite.tflite_file import Contents
from ..verify.abstention import Abstention, AnsweredShare, Evidence
from ..verify.fidelity import Fidelity
from ..verify.spelling import find_letters

_TAP_BYTES = 560  # of each tap in the folded layout
_MEDIAPIPE_BYTES = 1_700  # metadata, padding and a second output in the graph, entries of the zip
_NUMBER = 0.123456  # as long as any number in a manifest


class SizeEstimate:
    """Upper bounds of the sizes of a run's bundles, close enough to plan with."""

    def __init__(self, run: RunFolder, facts: ModelFacts, mediapipe: bool = False) -> None:
        """Compute the parts that all bundles of a run share, of `mediapipe` or not."""
        self._facts = facts
        vocabulary, tokens = run.vocabulary, run.vocabulary.tokens
        if letters := "" if mediapipe else find_letters(vocabulary):
            vocabulary = replace(vocabulary, spelling=Spelling(letters, MIN_SHORTEST))
        ranked = [*range(len(SPECIAL_TOKENS)), *facts.ranked.tolist()]
        rest = 1 if run.vocabulary.familiarity is None else 2  # a comma, and the level's digit
        quoted = (json.dumps(tokens[id_], ensure_ascii=False) for id_ in ranked)
        lengths = [len(token.encode()) + rest for token in quoted]
        self._listed_bytes = np.cumsum(lengths)
        around = len(vocabulary.to_json().encode()) - int(self._listed_bytes[-1])
        hashed = [tokens[id_] for id_ in facts.ranked]
        ngrams = b"" if run.ngrams is None else run.ngrams.to_bytes()
        self._fixed_bytes = around + _manifest_bytes(run, vocabulary, hashed) + len(ngrams)
        self._spellings = None
        if mediapipe:
            self._spellings = np.cumsum([_measure_spellings(tokens[id_]) for id_ in ranked], axis=0)
            labels = len("".join(run.vocabulary.labels).encode())
            self._fixed_bytes += _MEDIAPIPE_BYTES + 3 * labels

    def total(
        self, recipe: Recipe, layout: str, dimensions: int | None, listed: int, hashed: int
    ) -> int:
        """Return an upper bound of the size of all files that a device needs.

        It is for `listed` tokens in the vocabulary file, `hashed` words in the index of hashed
        words, and word vectors of these dimensions, or of all with None.
        """
        index = HEADER_BYTES + BYTES_PER_WORD * hashed if hashed else 0
        model = _model_bytes(self._facts, recipe, layout, dimensions, listed)
        words = int(self._listed_bytes[listed - 1])
        spellings = 0
        if self._spellings is not None:  # a line has a spelling, a space and the id
            length, lines = self._spellings[listed + hashed - 1].tolist()
            spellings = length + lines * (2 + len(str(listed)))
        return self._fixed_bytes + words + index + model + spellings


def _measure_spellings(token: str) -> tuple[int, int]:
    """Return the bytes and the number of the spellings of a token, at most."""
    spellings = {*spell(token)}
    return sum(len(spelling.encode()) for spelling in spellings), len(spellings)


def _model_bytes(
    facts: ModelFacts, recipe: Recipe, layout: str, dimensions: int | None, listed: int
) -> int:
    """Return an upper bound of the size of the flatbuffer."""
    wide_bytes = recipe.weight_bytes if recipe.row_bits is None else 1
    columns = sum(taps * filters for taps, filters in facts.kernels)
    features = sum(filters for _, filters in facts.kernels)
    kept = facts.dimensions
    if dimensions is not None and dimensions < kept:
        kept = min(dimensions, columns)
    row = columns if layout == "folded" else kept
    if recipe.row_bits is None:
        row_bytes = row * recipe.weight_bytes
    elif recipe.row_bits == 8 and layout == "conv":
        row_bytes = row
    else:  # each row has a scale of 16 bits
        row_bytes = -(-row * recipe.row_bits // 8) + 2
    row_bytes += facts.wide_columns * wide_bytes
    kernels = features * facts.feature_columns + facts.outputs + features
    if 0 < facts.wide_columns < facts.outputs:  # outputs share columns
        kernels += (facts.feature_columns + facts.wide_columns) * facts.outputs
    kernels += columns * kept if layout == "conv" else 0
    if layout == "folded":
        graph = recipe.graph_bytes.folded + _TAP_BYTES * sum(taps for taps, _ in facts.kernels)
    else:
        graph = recipe.graph_bytes.conv + recipe.graph_bytes.convolution * len(facts.kernels)
        graph += recipe.graph_bytes.filter * features
    return graph + listed * row_bytes + kernels * recipe.weight_bytes


def _manifest_bytes(run: RunFolder, vocabulary: Vocabulary, hashed: list[str]) -> int:
    """Return the size of a manifest with numbers of the usual length in place of measurements."""
    texts = golden_texts(vocabulary, hashed)
    scores = np.full((len(texts), len(run.vocabulary.labels)), _NUMBER, np.float32)
    fidelity = Fidelity(10**6, _NUMBER, _NUMBER, _NUMBER, _NUMBER, 10**4, 10**4)
    measurements = Measurements(
        interpreter="tflite-runtime 2.14.0",
        fidelity=dict.fromkeys(run.held_out, fidelity),
        goldens=texts,
        golden_scores=scores,
        abstention=Abstention(
            _NUMBER,
            _NUMBER,
            _NUMBER,
            Evidence(OUT_OF_FOLD, 10**6, 10**6, _NUMBER),
            familiarity=FamiliarityPenalty(_NUMBER, _NUMBER),
        ),
        answered=dict.fromkeys((*run.held_out, OUT_OF_FOLD), AnsweredShare(_NUMBER, _NUMBER)),
    )
    model = ConvertedModel(
        flatbuffer=b"",
        plain_bytes=0,
        contents=Contents((), (), oldest_runtime="2.14.0"),
        vocabulary=vocabulary,
        hashed_tokens=(),
        recipe=max(RECIPES, key=len),
        layout="folded",
        dimensions=1_000,
        length=None,
        outputs=len(run.vocabulary.labels),
    )
    files_and_format = 300  # the index of hashed words, which this vocabulary does not have
    return len(encode_manifest(model, run, measurements)) + files_and_format
