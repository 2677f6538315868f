"""Winograd's way to convolve: its matrices, and the layer against oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlab.layers import (
    conv2d_backward,
    conv2d_forward,
    conv2d_relu_forward,
    conv2d_weight_gradients,
    direct,
    winograd,
)
from convlab.layers import winograd_matrices as matrices
from convlab.layers.direct import Slide
from convlab.layers.threads import at_most
from convlab.tests.oracles import conv2d

POINTS = (0, 1, -1, 2, -2)
SIZES = ((3, 4), (5, 2))  # of a filter, and how many outputs a tile has in a row


def matrix(transform, columns):
    """The matrix of a linear function of so many numbers."""
    return np.array([transform(tuple(row)) for row in np.eye(columns)]).T


B_T = matrix(matrices.b_turned, 6)
A_T = {outputs: matrix(matrices.A_TURNED[outputs], 6) for _, outputs in SIZES}
G = {weights: matrix(matrices.G[weights], weights) for weights, _ in SIZES}


@pytest.mark.parametrize(("weights", "outputs"), [
    ([2, 7, 1], [3*2 + 1*7 + 4*1, 1*2 + 4*7 + 1*1, 4*2 + 1*7 + 5*1, 1*2 + 5*7 + 9*1]),
    ([2, 7, 1, 8, 2], [3*2 + 1*7 + 4*1 + 1*8 + 5*2, 1*2 + 4*7 + 1*1 + 5*8 + 9*2])])
def test_six_products_make_all_outputs_of_a_row(weights, outputs):
    d = np.array([3, 1, 4, 1, 5, 9.])
    y = A_T[len(outputs)] @ ((G[len(weights)] @ weights) * (B_T @ d))
    np.testing.assert_allclose(y, outputs, rtol=1e-5)


@pytest.mark.parametrize(("weights", "outputs"), SIZES)
def test_filters_and_outputs_are_values_of_polynomials_at_the_points(weights, outputs):
    """A's rows are powers of the points; G's are the filter's values there, over
    numbers that B makes up for; the last place is that of the highest power."""
    for power, row in enumerate(A_T[outputs]):
        expected = [point ** power for point in POINTS] + [power == outputs - 1]
        np.testing.assert_array_equal(row, expected)
    powers = np.arange(weights)
    for point, row in zip(POINTS, G[weights][:5], strict=True):
        np.testing.assert_allclose(row, row[0] * float(point) ** powers, rtol=1e-6)
    np.testing.assert_array_equal(G[weights][5], powers == weights - 1)


@pytest.mark.parametrize(("weights", "outputs"), SIZES)
def test_the_gradients_matrices_are_the_others_turned(weights, outputs):
    np.testing.assert_array_equal(matrix(matrices.A[outputs], outputs),
                                  A_T[outputs].T)
    np.testing.assert_array_equal(matrix(matrices.G_TURNED[weights], 6), G[weights].T)


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def assert_close(found, expected):
    """As float32 can be here: `winograd` says what it costs."""
    assert found.dtype == np.float32
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=2e-5)


def in_float64(function, *arrays, **places):
    return function(*(a.astype(np.float64) for a in arrays), **places)


@st.composite
def suited_layers(draw):
    """x, w, b, pad that are done in this way, with tiles cut off at the edges,
    blocks of filters that are not full, and every width that channels come in."""
    weights, outputs = draw(st.sampled_from(SIZES))
    size = st.integers(8, 21)
    n, h, w = draw(st.integers(1, 5)), draw(size), draw(size)
    depth = draw(st.sampled_from([16, 24, 32, 40]))
    filters, pad = draw(st.integers(16, 70)), draw(st.integers(0, 2))
    tiles = math.prod(-(-(side + 2 * pad - weights + 1) // outputs) for side in (h, w))
    n = max(n, -(-winograd.LEAST_TILES // tiles))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return (normal(rng, n, h, w, depth), normal(rng, filters, weights, weights, depth),
            normal(rng, filters), pad, draw(st.sampled_from([1, 1 << 18, 3 << 18])))


@given(suited_layers())
@settings(max_examples=30, deadline=None)
def test_it_is_the_oracles_for_any_shape_and_chunk(layer):
    x, w, b, pad, chunk_bytes = layer
    y = in_float64(conv2d, x, w, b, stride=1, pad=pad)
    dy = normal(np.random.default_rng(0), *y.shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(winograd, "U_SHARE", 0)
        patch.setattr(winograd, "WORTH", 0)
        assert winograd.suits(x, Slide(*w.shape[1:3], 1, pad, pad, *y.shape[1:3]),
                              len(w))
        assert_close(conv2d_forward(x, w, b, pad=pad), y)
        assert_close(conv2d_relu_forward(x, w, b, pad=pad), np.maximum(y, 0))
        found = conv2d_backward(dy, x, w, pad=pad)
        alone = conv2d_weight_gradients(dy, x, w, pad=pad)
    # In float64 the loops do it, which other tests hold against the oracles.
    for ours, theirs in zip(found, in_float64(conv2d_backward, dy, x, w, pad=pad),
                            strict=True):
        assert_close(ours, theirs)
    assert all(map(np.array_equal, alone, found[1:]))


def test_outputs_are_the_same_bit_for_bit_with_one_thread_and_two():
    rng = np.random.default_rng(2)
    x, w, b = normal(rng, 6, 15, 15, 32), normal(rng, 48, 3, 3, 32), normal(rng, 48)
    with at_most(1):
        alone = conv2d_forward(x, w, b, pad=1)
    np.testing.assert_array_equal(conv2d_forward(x, w, b, pad=1), alone)


def test_gradients_are_the_same_bit_for_bit_each_time():
    rng = np.random.default_rng(3)
    x, w = normal(rng, 6, 15, 15, 32), normal(rng, 48, 3, 3, 32)
    dy = normal(rng, 6, 15, 15, 48)
    for ours, again in zip(conv2d_backward(dy, x, w, pad=1),
                           conv2d_backward(dy, x, w, pad=1), strict=True):
        np.testing.assert_array_equal(ours, again)


def test_what_is_left_in_work_arrays_changes_nothing():
    """Tiles are done eight at a time, the last of them with whatever is there."""
    rng = np.random.default_rng(4)
    x, w, b = normal(rng, 7, 13, 13, 16), normal(rng, 20, 3, 3, 16), normal(rng, 20)
    dy = normal(rng, 7, 13, 13, 20)
    first = conv2d_forward(x, w, b, pad=1), *conv2d_backward(dy, x, w, pad=1)
    conv2d_forward(x * np.nan, w, b, pad=1)
    conv2d_backward(dy * np.nan, x * np.nan, w, pad=1)
    again = conv2d_forward(x, w, b, pad=1), *conv2d_backward(dy, x, w, pad=1)
    for ours, expected in zip(again, first, strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_what_is_no_number_shows_where_it_is_seen_and_only_in_its_image():
    x, w = np.ones((8, 12, 12, 16), np.float32), np.ones((16, 3, 3, 16), np.float32)
    x[3, 5, 5, 1] = np.nan
    y = conv2d_forward(x, w, np.zeros(16, np.float32), pad=1)
    assert np.isnan(y[3, 4:7, 4:7]).all()
    assert np.isfinite(np.delete(y, 3, axis=0)).all()


@pytest.mark.parametrize(("shape", "filters", "slide", "answer"), [
    ((8, 15, 15, 64), 64, Slide(3, 3, 1, 1, 1, 15, 15), True),
    ((32, 7, 7, 64), 64, Slide(3, 3, 1, 1, 1, 7, 7), True),
    ((1, 15, 15, 64), 64, Slide(3, 3, 1, 1, 1, 15, 15), False),  # few tiles
    ((99, 3, 3, 64), 64, Slide(3, 3, 1, 1, 1, 3, 3), False),  # 36 for 49
    ((8, 15, 15, 3), 64, Slide(3, 3, 1, 1, 1, 15, 15), False),
    ((8, 15, 15, 20), 64, Slide(3, 3, 1, 1, 1, 15, 15), False),
    ((8, 15, 15, 64), 10, Slide(3, 3, 1, 1, 1, 15, 15), False),
    ((8, 15, 15, 64), 64, Slide(5, 5, 1, 2, 2, 15, 15), True),
    ((8, 15, 15, 64), 64, Slide(5, 5, 1, 0, 0, 11, 11), True),
    ((99, 3, 3, 64), 64, Slide(5, 5, 1, 2, 2, 3, 3), False),  # 144 for 121
    ((8, 15, 15, 64), 64, Slide(3, 5, 1, 1, 2, 15, 15), False),
    ((8, 15, 15, 64), 64, Slide(7, 7, 1, 3, 3, 15, 15), False),
    ((8, 15, 15, 64), 64, Slide(3, 3, 2, 1, 1, 8, 8), False)])
def test_what_it_is_used_for(shape, filters, slide, answer):
    x = np.zeros(shape, np.float32)
    assert winograd.suits(x, slide, filters) is answer
    assert not winograd.suits(x.astype(np.float64), slide, filters)
    with winograd.left_out():
        assert not winograd.suits(x, slide, filters)
    assert winograd.suits(x, slide, filters) is answer


def test_padding_beyond_the_filter_is_zeros_too():
    rng = np.random.default_rng(5)
    x, w, b = normal(rng, 9, 9, 9, 16), normal(rng, 16, 3, 3, 16), normal(rng, 16)
    assert_close(conv2d_forward(x, w, b, pad=7),
                 in_float64(conv2d, x, w, b, stride=1, pad=7))


@pytest.mark.parametrize("weights", [3, 5])
def test_packed_filters_keep_their_order(weights):
    rng = np.random.default_rng(6)
    w = normal(rng, 20, weights, weights, 8)
    u = winograd.transform_filters(direct.pack(w, 16), weights)
    assert u.shape == (36, 2, 8, 16)
    g = G[weights]
    expected = np.einsum("ai,kijc,bj->abkc", g, w.astype(np.float64), g)
    found = u.reshape(6, 6, 2, 8, 16).transpose(0, 1, 2, 4, 3).reshape(6, 6, 32, 8)
    np.testing.assert_allclose(found[:, :, :20], expected, atol=1e-5)
    np.testing.assert_array_equal(found[:, :, 20:], 0)
