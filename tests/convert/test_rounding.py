"""Row quantization: what training rounds is exactly what a bundle stores."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from glovelite.convert.model.reduction import dequantize_rows, quantize_rows

vectors = arrays.arrays(
    np.float32,
    (5, 7),
    elements=st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
)


def round_rows(table, bits):
    return dequantize_rows(quantize_rows(table, bits))


@given(vectors, st.sampled_from([8, 4]))
def test_rounding_twice_equals_rounding_once(table, bits):
    once = round_rows(table, bits)
    assert np.allclose(round_rows(once, bits), once, rtol=1e-5, atol=1e-6)


@given(vectors, st.sampled_from([8, 4]))
def test_rounding_moves_a_value_by_half_a_step_at_most(table, bits):
    limit = 2 ** (bits - 1) - 1
    step = np.abs(table).max(axis=1, keepdims=True) / limit
    assert np.all(np.abs(round_rows(table, bits) - table) <= 0.501 * step)
