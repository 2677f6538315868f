"""Pooling: worked by hand, ties, NaN, overlapping windows, gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlab.gradcheck import check_gradients
from convlab.layers import (
    avgpool_backward,
    avgpool_forward,
    maxpool_backward,
    maxpool_forward,
)
from convlab.tests.oracles import windows

IMAGE = np.array([[1, 5, 2, 0],
                  [3, 4, 9, 1],
                  [0, 0, -1, -2],
                  [0, 6, -4, -3]], np.float64).reshape(1, 4, 4, 1)


def test_maxpool_by_hand():
    y, argmax = maxpool_forward(IMAGE)
    assert y[0, :, :, 0].tolist() == [[5, 9], [6, -1]]
    assert argmax.dtype == np.int64
    assert argmax[0, :, :, 0].tolist() == [[0*4 + 1, 1*4 + 2], [3*4 + 1, 2*4 + 2]]


def test_maxpool_backward_by_hand():
    _, argmax = maxpool_forward(IMAGE)
    dy = np.array([[10, 20], [30, 40]], np.float64).reshape(1, 2, 2, 1)
    dx = maxpool_backward(dy, argmax, IMAGE.shape)
    assert dx[0, :, :, 0].tolist() == [[0, 10, 0, 0],
                                       [0, 0, 20, 0],
                                       [0, 0, 40, 0],
                                       [0, 30, 0, 0]]


def test_avgpool_by_hand():
    y = avgpool_forward(IMAGE)
    assert y[0, :, :, 0].tolist() == [[(1 + 5 + 3 + 4)/4, (2 + 0 + 9 + 1)/4],
                                      [(0 + 0 + 0 + 6)/4, (-1 - 2 - 4 - 3)/4]]


def test_avgpool_backward_by_hand():
    dy = np.array([[4, 8], [12, 16]], np.float64).reshape(1, 2, 2, 1)
    dx = avgpool_backward(dy, IMAGE.shape)
    assert dx[0, :, :, 0].tolist() == [[1, 1, 2, 2],
                                       [1, 1, 2, 2],
                                       [3, 3, 4, 4],
                                       [3, 3, 4, 4]]


def test_a_pixel_in_several_windows_gets_the_sum_of_their_gradients():
    x = np.zeros((1, 5, 5, 1))
    x[0, 2, 2] = 1  # in all four windows of size 3, stride 2
    dy = np.array([[1, 2], [3, 4]], np.float64).reshape(1, 2, 2, 1)
    _, argmax = maxpool_forward(x, 3, 2)
    dx = maxpool_backward(dy, argmax, x.shape)
    assert dx[0, 2, 2, 0] == 1 + 2 + 3 + 4
    assert dx.sum() == dx[0, 2, 2, 0]
    dx = avgpool_backward(dy, x.shape, 3, 2)
    assert dx[0, 2, 2, 0] == pytest.approx((1 + 2 + 3 + 4)/9)
    assert dx[0, 0, 2, 0] == pytest.approx((1 + 2)/9)


def test_a_ties_gradient_goes_to_the_first_in_reading_order():
    x = np.array([[0, 7, 7, 0],
                  [7, 7, 7, 7]], np.float64).reshape(1, 2, 4, 1)
    y, argmax = maxpool_forward(x)
    assert argmax[0, 0, :, 0].tolist() == [1, 2]
    dx = maxpool_backward(np.ones_like(y), argmax, x.shape)
    assert dx[0, :, :, 0].tolist() == [[0, 1, 1, 0], [0, 0, 0, 0]]


def test_a_nan_is_the_maximum_the_first_one_where_there_are_two():
    x = np.array([[np.inf, np.nan, 1, 2],
                  [np.nan, 3, 4, -np.inf]]).reshape(1, 2, 4, 1)
    y, argmax = maxpool_forward(x)
    assert np.isnan(y[0, 0, 0, 0])
    assert y[0, 0, 1, 0] == 4
    assert argmax[0, 0, :, 0].tolist() == [1, 4 + 2]


def test_a_window_of_minus_infinity_has_a_maximum():
    x = np.full((1, 2, 2, 1), -np.inf)
    y, argmax = maxpool_forward(x)
    assert y.item() == -np.inf
    assert argmax.item() == 0


@st.composite
def pools(draw):
    """x of few different values, so with ties, and a size and stride that fit."""
    def number(low, high):
        return draw(st.integers(low, high))

    size, stride = number(1, 4), number(1, 4)
    shape = (number(1, 3), (number(1, 4) - 1) * stride + size,
             (number(1, 4) - 1) * stride + size, number(1, 5))
    rng = np.random.default_rng(number(0, 2**32 - 1))
    return rng.integers(-3, 4, shape).astype(np.float64), size, stride


@given(pools())
@settings(max_examples=60, deadline=None)
def test_pools_are_numpys_over_all_windows(pool):
    x, size, stride = pool
    seen = windows(x, size, size, stride)
    flat = seen.reshape(*seen.shape[:4], -1)
    y, argmax = maxpool_forward(x, size, stride)
    np.testing.assert_array_equal(y, flat.max(-1))
    pixels = np.arange(x[0, :, :, 0].size, dtype=float).reshape(1, *x.shape[1:3], 1)
    pixels = windows(np.broadcast_to(pixels, x.shape), size, size, stride)
    first = flat.argmax(-1)[..., None]
    np.testing.assert_array_equal(
        argmax, np.take_along_axis(pixels.reshape(flat.shape), first, -1)[..., 0])
    np.testing.assert_allclose(
        avgpool_forward(x, size, stride), flat.mean(-1), atol=1e-12)


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_backward_is_the_numerical_gradient(size, stride):
    rng = np.random.default_rng(size)
    shape = (2, 2 * stride + size, stride + size, 3)
    x = rng.permutation(np.prod(shape)).reshape(shape) / 10  # no ties
    y, argmax = maxpool_forward(x, size, stride)
    dy = rng.standard_normal(y.shape)
    for f, dx in ((lambda x: maxpool_forward(x, size, stride)[0],
                   maxpool_backward(dy, argmax, x.shape)),
                  (lambda x: avgpool_forward(x, size, stride),
                   avgpool_backward(dy, x.shape, size, stride))):
        report = check_gradients(
            lambda x, f=f: np.sum(dy * f(x)), {"x": x}, {"x": dx})
        assert report, report


def test_float32_and_any_layout_are_kept_right():
    rng = np.random.default_rng(9)
    x = rng.standard_normal((2, 3, 8, 6)).astype(np.float32).transpose(0, 2, 3, 1)
    straight = np.ascontiguousarray(x)
    y, argmax = maxpool_forward(x)
    np.testing.assert_array_equal(y, maxpool_forward(straight)[0])
    dx = maxpool_backward(y[:, :, ::-1], argmax[:, :, ::-1], x.shape)
    np.testing.assert_array_equal(dx, maxpool_backward(y, argmax, x.shape))
    mean = avgpool_forward(x)
    np.testing.assert_array_equal(mean, avgpool_forward(straight))
    kept = [y, dx, mean, avgpool_backward(mean, x.shape)]
    assert [a.dtype for a in kept] == [np.float32] * 4
