"""Dropout: who is left out, and what becomes of the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlab.layers import dropout_backward, dropout_forward


@given(rate=st.floats(0, 0.95), seed=st.integers(0, 2**32 - 1),
       dtype=st.sampled_from([np.float32, np.float64]))
def test_kept_numbers_are_scaled_and_the_others_zero(rate, seed, dtype):
    x = np.random.default_rng(1).normal(size=(3, 5, 4, 2)).astype(dtype).T
    y, kept = dropout_forward(x, rate, np.random.default_rng(seed))
    dx = dropout_backward(x, kept, rate)
    assert (y.dtype, kept.dtype, y.shape, kept.shape) == (
        dtype, bool, x.shape, x.shape)
    np.testing.assert_allclose(y, np.where(kept, x / (1 - rate), 0), rtol=1e-6)
    np.testing.assert_array_equal(dx, y)  # the layer is linear: dy goes the same way


def test_the_part_that_is_left_out_and_the_mean():
    y, kept = dropout_forward(np.ones((1000, 100)), 0.3, np.random.default_rng(0))
    assert 1 - kept.mean() == pytest.approx(0.3, abs=0.01)
    assert y.mean() == pytest.approx(1, abs=0.01)


def test_nothing_is_left_out_at_rate_0_and_the_generator_decides():
    x = np.ones((40, 50), np.float32)
    assert dropout_forward(x, 0, np.random.default_rng(0))[1].all()
    same = [dropout_forward(x, 0.5, np.random.default_rng(7))[1] for _ in range(2)]
    np.testing.assert_array_equal(*same)
    rng = np.random.default_rng(7)
    first, second = (dropout_forward(x, 0.5, rng)[1] for _ in range(2))
    assert (first != second).any()


def test_a_nan_shows_where_it_is_kept():
    y, kept = dropout_forward(np.full((50, 50), np.nan), 0.5, np.random.default_rng(0))
    np.testing.assert_array_equal(np.isnan(y), kept)


def test_refusals():
    x, rng = np.ones((2, 3)), np.random.default_rng(0)
    for rate in (1, -0.1, float("nan")):
        with pytest.raises(ValueError, match="rate is from 0 to below 1"):
            dropout_forward(x, rate, rng)
    with pytest.raises(TypeError, match="rng must be a numpy Generator, got int"):
        dropout_forward(x, 0.5, 3)
    with pytest.raises(TypeError, match="kept must be the bool array"):
        dropout_backward(x, x, 0.5)
    with pytest.raises(ValueError, match="dy has shape"):
        dropout_backward(x[:1], x > 0, 0.5)
    with pytest.raises(TypeError, match="x must be float32 or float64"):
        dropout_forward(x.astype(int), 0.5, rng)
