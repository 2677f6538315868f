"""The convolution layer: worked by hand, against oracles, and its gradients."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from convlab.gradcheck import check_gradients
from convlab.layers import (
    conv2d_backward,
    conv2d_forward,
    conv2d_relu_forward,
    conv2d_weight_gradients,
    direct,
    products,
    relu_forward,
)
from convlab.layers.registers import WIDE_VECTORS, on_stack
from convlab.tests.oracles import conv2d

# One 3x3x1 image and one 2x2x1 filter, small enough to do on paper.
IMAGE = np.array([[1, 2, 3],
                  [4, 5, 6],
                  [7, 8, 9]], np.float64).reshape(1, 3, 3, 1)
FILTER = np.array([[10, 1],
                   [-1, 2]], np.float64).reshape(1, 2, 2, 1)
BIAS = np.array([0.5])


def test_forward_by_hand():
    y = conv2d_forward(IMAGE, FILTER, BIAS)
    assert y.shape == (1, 2, 2, 1)
    assert y[0, :, :, 0].tolist() == [
        [10*1 + 1*2 - 1*4 + 2*5 + 0.5, 10*2 + 1*3 - 1*5 + 2*6 + 0.5],
        [10*4 + 1*5 - 1*7 + 2*8 + 0.5, 10*5 + 1*6 - 1*8 + 2*9 + 0.5]]


def test_forward_with_stride_and_padding_by_hand():
    # Padded, the image is 5x5: rows 0 1 2 3 4 with zeros at 0 and 4.
    y = conv2d_forward(IMAGE, FILTER[:, :1, :1], BIAS, stride=2, pad=1)
    assert y[0, :, :, 0].tolist() == [
        [0.5, 0.5, 0.5],
        [0.5, 10*5 + 0.5, 0.5],
        [0.5, 0.5, 0.5]]


def test_backward_by_hand():
    dy = np.array([[1, 0],
                   [0, 3]], np.float64).reshape(1, 2, 2, 1)
    dx, dw, db = conv2d_backward(dy, IMAGE, FILTER)
    assert dw[0, :, :, 0].tolist() == [[1*1 + 3*5, 1*2 + 3*6],
                                       [1*4 + 3*8, 1*5 + 3*9]]
    assert db.tolist() == [1 + 0 + 0 + 3]
    assert dx[0, :, :, 0].tolist() == [[1*10, 1*1, 0],
                                       [1*-1, 1*2 + 3*10, 3*1],
                                       [0, 3*-1, 3*2]]


def test_one_number_is_a_75_dimensional_dot_product():
    rng = np.random.default_rng(26)
    x = rng.standard_normal((1, 32, 32, 3))
    w = rng.standard_normal((6, 5, 5, 3))
    b = rng.standard_normal(6)
    y = conv2d_forward(x, w, b)
    assert y.shape == (1, 28, 28, 6)
    chunk = x[0, 10:15, 20:25].ravel()
    assert chunk.size == 75
    np.testing.assert_allclose(y[0, 10, 20, 4], chunk @ w[4].ravel() + b[4])


def test_one_by_one_filters_are_a_matrix_product():
    rng = np.random.default_rng(55)
    x, w = rng.standard_normal((1, 56, 56, 64)), rng.standard_normal((32, 1, 1, 64))
    y = conv2d_forward(x, w, np.zeros(32))
    assert y.shape == (1, 56, 56, 32)
    np.testing.assert_allclose(y[0, 7, 9], w[:, 0, 0] @ x[0, 7, 9])


@pytest.mark.parametrize("channels", [1, 3])
def test_forward_is_scipys_correlation(channels):
    rng = np.random.default_rng(channels)
    x = rng.standard_normal((2, 9, 12, channels))
    w = rng.standard_normal((4, 3, 5, channels))
    y = conv2d_forward(x, w, np.zeros(4))
    for n in range(2):
        for k in range(4):
            expected = correlate(x[n], w[k], mode="valid", method="direct")
            np.testing.assert_allclose(y[n, :, :, k], expected[:, :, 0], atol=1e-12)


@st.composite
def layers(draw, most=4):
    """x, w, b, stride, pad that fit, in float64, and a tile size."""
    def size(low, high):
        return draw(st.integers(low, high))

    n, c, k = size(1, 3), size(1, most), size(1, most)
    f_h, f_w, stride, pad = size(1, 4), size(1, 4), size(1, 3), size(0, 3)
    h = (size(1, most) - 1) * stride + f_h - 2 * pad
    w = (size(1, most) - 1) * stride + f_w - 2 * pad
    assume(h >= 1 and w >= 1)
    rng = np.random.default_rng(size(0, 2**32 - 1))
    tile_bytes = draw(st.sampled_from([1, 500, 1 << 20]))
    return (rng.standard_normal((n, h, w, c)), rng.standard_normal((k, f_h, f_w, c)),
            rng.standard_normal(k), stride, pad, tile_bytes)


def by_products(x, w, b, stride, pad):
    """The convolution as matrix products, in one part."""
    y = np.empty(conv2d(x, w, b, stride, pad).shape)
    slide = direct.Slide(*w.shape[1:3], stride, pad, pad, *y.shape[1:3])
    products.forward(0, len(x), x, w, b, y, slide)
    return y


@given(layers())
@settings(max_examples=60, deadline=None)
def test_forward_is_the_oracles_for_any_shape(layer):
    x, w, b, stride, pad, _ = layer
    expected = conv2d(x, w, b, stride, pad)
    np.testing.assert_allclose(
        conv2d_forward(x, w, b, stride, pad), expected, atol=1e-12)
    np.testing.assert_allclose(
        conv2d_relu_forward(x, w, b, stride, pad), np.maximum(expected, 0), atol=1e-12)


@st.composite
def large_layers(draw):
    """x, w, b, stride, pad: several tiles, framed batches and blocks of filters."""
    def size(low, high):
        return draw(st.integers(low, high))

    n, k = size(1, 5), size(1, 70)
    c = draw(st.one_of(st.integers(1, 40), st.sampled_from([8, 16, 24])))
    f_h, f_w, stride, pad = size(1, 5), size(1, 5), size(1, 2), size(0, 2)
    h = (size(8, 18) - 1) * stride + f_h - 2 * pad
    w = (size(8, 18) - 1) * stride + f_w - 2 * pad
    rng = np.random.default_rng(size(0, 2**32 - 1))
    return (rng.standard_normal((n, h, w, c)), rng.standard_normal((k, f_h, f_w, c)),
            rng.standard_normal(k), stride, pad)


@given(large_layers())
@settings(max_examples=15, deadline=None)
def test_many_tiles_and_blocks_are_the_oracles(layer):
    x, w, b, stride, pad = layer
    y = conv2d(x, w, b, stride, pad)
    np.testing.assert_allclose(conv2d_forward(x, w, b, stride, pad), y, atol=1e-10)
    dy = np.random.default_rng(0).standard_normal(y.shape)
    dx, dw, db = conv2d_backward(dy, x, w, stride, pad)
    ex, ew = x[::-1], w[:, ::-1]
    np.testing.assert_allclose(
        np.sum(dx * ex), np.sum(dy * conv2d(ex, w, 0 * b, stride, pad)), rtol=1e-9,
        atol=1e-6)
    np.testing.assert_allclose(
        np.sum(dw * ew), np.sum(dy * conv2d(x, ew, 0 * b, stride, pad)), rtol=1e-9,
        atol=1e-6)
    np.testing.assert_allclose(db, dy.sum(axis=(0, 1, 2)), atol=1e-10)
    alone = conv2d_weight_gradients(dy, x, w, stride, pad)
    assert all(map(np.array_equal, alone, (dw, db)))


@pytest.mark.parametrize("depth", [8, 24])
@pytest.mark.parametrize(("size", "stride", "pad"), [
    ((1, 1), 1, 0), ((1, 1), 1, 1), ((3, 3), 1, 1), ((3, 2), 2, 2), ((5, 5), 1, 0)])
def test_images_in_eights_give_the_gradient_of_framed_ones(
        depth, size, stride, pad, monkeypatch):
    rng = np.random.default_rng(8)
    x = rng.standard_normal((7, 11 * stride + size[0] - 2 * pad,
                             9 * stride + size[1] - 2 * pad, depth))
    w = rng.standard_normal((34, *size, depth))
    dy = rng.standard_normal((7, 12, 10, 34))
    monkeypatch.setattr(direct, "FRAMED_BYTES", 3 * x[0].nbytes)  # three at a time
    found = conv2d_weight_gradients(dy, x, w, stride, pad)
    monkeypatch.setattr(direct, "_comes_in_eights", lambda depth: False)
    expected = conv2d_weight_gradients(dy, x, w, stride, pad)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-11)


def test_kernels_ask_for_vectors_as_long_as_there_are():
    """As far as LLVM is told: what it makes of it is the processor's matter."""
    @numba.njit
    def with_numbers_on_the_stack(x):
        held = on_stack(4, x)
        for k in range(4):
            held[k] = x[k]
        return held[1]

    assert with_numbers_on_the_stack(np.arange(4.0)) == 1
    text, = with_numbers_on_the_stack.inspect_llvm().values()
    assert WIDE_VECTORS in text


def test_a_layer_keeps_its_work_arrays_and_no_result_lies_in_them():
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((2, 9, 9, 3)), rng.standard_normal((5, 3, 3, 3))
    b = np.zeros(5)
    first = conv2d_forward(x, w, b, pad=1)
    kept = first.copy()
    results = conv2d_backward(first, x, w, pad=1)
    copies = [result.copy() for result in results]
    conv2d_backward(conv2d_forward(x + 1, w, b, pad=1), x - 1, w, pad=1)
    for result, copy in zip((first, *results), (kept, *copies), strict=True):
        np.testing.assert_array_equal(result, copy)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_shows(value):
    x, w, b = np.ones((1, 12, 12, 2)), np.ones((3, 3, 3, 2)), np.zeros(3)
    x[0, 5, 5, 1] = value
    seen = ~np.isfinite(conv2d_forward(x, w, b))[0, :, :, 0]
    expected = np.zeros((10, 10), bool)
    expected[3:6, 3:6] = True
    np.testing.assert_array_equal(seen, expected)
    rectified = conv2d_relu_forward(x, w, b)
    np.testing.assert_array_equal(rectified, relu_forward(conv2d_forward(x, w, b)))


@given(layers())
@settings(max_examples=60, deadline=None)
def test_products_are_the_oracles_for_any_shape_and_tile(layer):
    x, w, b, stride, pad, tile_bytes = layer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "TILE_BYTES", tile_bytes)
        y = by_products(x, w, b, stride, pad)
    np.testing.assert_allclose(y, conv2d(x, w, b, stride, pad), atol=1e-12)


@given(layers(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_backward_is_the_adjoint_of_the_oracle_for_any_shape_and_tile(layer, seed):
    """Convolution is linear in x and in w: sum(dy * conv(ex, w)) = sum(dx * ex)."""
    x, w, b, stride, pad, tile_bytes = layer
    rng = np.random.default_rng(seed)
    no_bias = np.zeros_like(b)
    dy = rng.standard_normal(conv2d(x, w, b, stride, pad).shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "TILE_BYTES", tile_bytes)
        dx, dw, db = conv2d_backward(dy, x, w, stride, pad)
    ex, ew = rng.standard_normal(x.shape), rng.standard_normal(w.shape)
    np.testing.assert_allclose(
        np.sum(dx * ex), np.sum(dy * conv2d(ex, w, no_bias, stride, pad)), atol=1e-9)
    np.testing.assert_allclose(
        np.sum(dw * ew), np.sum(dy * conv2d(x, ew, no_bias, stride, pad)), atol=1e-9)
    np.testing.assert_allclose(db, dy.sum(axis=(0, 1, 2)), atol=1e-12)


@pytest.mark.parametrize(("filter_size", "stride", "pad"), [
    ((3, 3), 1, 1), ((3, 2), 1, 0), ((1, 1), 1, 0), ((1, 1), 2, 0), ((5, 3), 2, 2),
])
def test_backward_is_the_numerical_gradient(filter_size, stride, pad):
    rng = np.random.default_rng(7)
    f_h, f_w = filter_size
    x = rng.standard_normal((2, 2 * stride + f_h - 2 * pad + 4 % stride,
                             3 * stride + f_w - 2 * pad, 3))
    w, b = rng.standard_normal((2, f_h, f_w, 3)), rng.standard_normal(2)
    dy = rng.standard_normal(conv2d_forward(x, w, b, stride, pad).shape)
    report = check_gradients(
        lambda x, w, b: np.sum(dy * conv2d(x, w, b, stride, pad)),
        {"x": x, "w": w, "b": b},
        dict(zip("xwb", conv2d_backward(dy, x, w, stride, pad), strict=True)))
    assert report, report


def test_float32_stays_float32_and_close_on_a_real_size():
    rng = np.random.default_rng(32)
    x = rng.standard_normal((16, 32, 32, 16)).astype(np.float32)
    w = rng.standard_normal((24, 3, 3, 16)).astype(np.float32)
    b = rng.standard_normal(24).astype(np.float32)
    y = conv2d_forward(x, w, b, pad=1)
    assert y.dtype == np.float32
    expected = conv2d(*(a.astype(np.float64) for a in (x, w, b)), pad=1)
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.abs(expected).max())
    gradients = conv2d_backward(y, x, w, pad=1)
    assert [g.dtype for g in gradients] == [np.float32] * 3
    assert [g.shape for g in gradients] == [x.shape, w.shape, b.shape]
    in_float64 = conv2d_backward(*(a.astype(np.float64) for a in (y, x, w)), pad=1)
    for ours, expected in zip(gradients, in_float64, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(ours / scale, expected / scale, atol=1e-5)


def test_inputs_of_any_layout_are_read_right_and_left_alone():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2, 3, 8, 6)).transpose(0, 2, 3, 1)  # from N, C, H, W
    w = rng.standard_normal((4, 3, 6, 3))[:, :, ::-2]
    b = rng.standard_normal(8)[::2]
    dy = rng.standard_normal((4, 4, 6, 2)).T
    for a in (x, w, b, dy):
        a.flags.writeable = False
    np.testing.assert_allclose(conv2d_forward(x, w, b), conv2d(x, w, b), atol=1e-12)
    straight = conv2d_backward(*map(np.ascontiguousarray, (dy, x, w)))
    for ours, expected in zip(conv2d_backward(dy, x, w), straight, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_a_one_by_one_layer_leaves_its_inputs_alone():
    rng = np.random.default_rng(11)
    x, w = rng.standard_normal((2, 4, 5, 3)), rng.standard_normal((2, 1, 1, 3))
    dy = rng.standard_normal((2, 4, 5, 2))
    before = [a.copy() for a in (x, w, dy)]
    conv2d_forward(x, w, np.ones(2))
    conv2d_backward(dy, x, w)
    for now, then in zip((x, w, dy), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_nan_stays_under_the_filters_that_see_it():
    x = np.zeros((2, 5, 5, 1))
    x[0, 0, 0] = np.nan
    y = conv2d_forward(x, np.ones((1, 3, 3, 1)), np.zeros(1))
    assert np.argwhere(np.isnan(y)).tolist() == [[0, 0, 0, 0]]
