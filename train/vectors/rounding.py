"""Rounds word vectors to few bits before training, so that training makes up for what is lost."""

from __future__ import annotations

import numpy as np

from .cache import Floats


def round_vectors(vectors: Floats, bits: int) -> Floats:
    """Round vectors to what a bundle of so many bits keeps of them.

    Args:
        vectors: float32 [words, dimensions].
        bits: 8 or 4.

    Returns:
        float32 [words, dimensions]: multiples, from -7 to 7 for 4 bits, of a scale of each row's
        own that its largest value sets; rounding them again changes nothing.
    """
    limit = np.float32(2 ** (bits - 1) - 1)
    scales = np.abs(vectors).max(axis=1, keepdims=True) / limit
    scales[scales < np.finfo(np.float32).tiny] = 1  # a row of nothing; no scale is exact below
    rounded: Floats = np.clip(np.rint(vectors / scales), -limit, limit) * scales
    return rounded
