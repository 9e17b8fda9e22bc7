"""A table rounded before training is what a bundle of so many bits keeps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convert.model.folding import quantize_rows, restore_rows
from train.vectors.rounding import round_vectors

vectors = arrays.arrays(
    np.float32,
    (5, 7),
    elements=st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
)


@given(vectors, st.sampled_from([8, 4]))
def test_rounding_again_changes_nothing(table, bits):
    once = round_vectors(table, bits)
    assert np.allclose(round_vectors(once, bits), once, rtol=1e-5)


@given(vectors, st.sampled_from([8, 4]))
def test_a_bundle_of_so_many_bits_loses_nothing_more(table, bits):
    once = round_vectors(table, bits)
    assert np.allclose(restore_rows(quantize_rows(once, bits)), once, rtol=1e-5, atol=1e-6)


@given(vectors, st.sampled_from([8, 4]))
def test_a_row_is_near_what_it_was(table, bits):
    limit = 2 ** (bits - 1) - 1
    step = np.abs(table).max(axis=1, keepdims=True) / limit
    assert np.all(np.abs(round_vectors(table, bits) - table) <= 0.501 * step)
