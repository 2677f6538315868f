"""Gradients, memory and measured times: what is drawn is what was computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d

from book import figures
from book.figures.axes import Axis, in_bytes, plain, powers, steps
from book.figures.gradients import difference_errors, in_zeros, turned
from book.figures.numbers import correlate
from book.figures.speed import intensity
from convlab.arithmetic import SizeError
from convlab.layers import conv2d_backward

X = [[2, 0, 1, 3], [1, 4, 0, 2], [0, 1, 2, 1]]
W = [[1, 2], [0, -1]]
DY = [[1, 2, 0], [3, -1, 1]]
LAYER = {"title": "8x8x1, 2 of 3x3", "flops": 400,
         "numbers": {"input": 10, "weights": 6, "columns": 30, "output": 4},
         "gflops": {"one matrix product": 20.0, "the course's layer": 40.0}}


def test_the_small_graph_by_hand():
    alt = figures.small_graph(3, 2, 5).alt
    # s = 3*2 + 2 = 8; ds = 8 - 5; dw = 3*2; dx = 3*3 + 3.
    assert "L = 4.5" in alt
    assert "3 for s, 3 for u, 6 for w" in alt
    assert "9 comes back along the one to the product and 3 along" in alt
    assert alt.endswith("12 in all.")


def test_gradients_of_a_convolution_as_scipy_has_them():
    assert correlate(X, DY) == correlate2d(X, DY, "valid").tolist()
    spread, zeros = in_zeros(DY, (2, 2), 1)
    assert correlate(spread, turned(W)) == convolve2d(DY, W, "full").tolist()
    assert len(zeros) == 4 * 5 - 6


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_zeros_between_are_what_a_stride_needs(stride):
    w = [[1, 2, 0, 5], [0, 1, -1, 2], [2, 0, 1, -3]]
    spread, _ = in_zeros(DY, (3, 4), stride)
    shape = (1, stride + 3, 2 * stride + 4, 1)
    dx, _, _ = conv2d_backward(
        np.array(DY, float).reshape(1, 2, 3, 1), np.zeros(shape),
        np.array(w, float).reshape(1, 3, 4, 1), stride)
    assert correlate(spread, turned(w)) == dx[0, :, :, 0].tolist()


def test_differences_are_best_where_they_should_be():
    single, double = (difference_errors(1.0, kind)
                      for kind in (np.float32, np.float64))
    # A tenth of the step, a hundredth of the error, until rounding takes over.
    assert double[0] / double[1] == pytest.approx(100, rel=0.01)
    assert 1e-6 < min(single) < 1e-4
    assert min(double) < 1e-9
    assert single[8] > 0.1


def test_lines_of_memory_fetched():
    assert "4 numbers read, 1 line of" in figures.memory_order(4, 8, 4, True).svg
    assert "4 numbers read, 4 lines of" in figures.memory_order(4, 8, 4, False).svg
    # Two columns: two rows share a line of four.
    assert "4 numbers read, 2 lines of" in figures.memory_order(4, 2, 4, False).svg


def test_chunks_as_rows_and_their_product():
    x = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    alt = figures.chunk_rows(x, [[[1, 0], [0, 1]], [[0, -1], [1, 0]]], 1, 1).alt
    assert "matrix of 6x4" in alt
    assert "row 4, 5, 6, 9, 10" in alt
    assert alt.endswith("the marked row is 15, 3.")  # 5 + 10, 9 - 6


def test_sums_held_in_registers():
    drawing = figures.held_sums(4, 24, 8)
    assert "96 sums, in 12 registers" in drawing.svg
    assert "in 3 groups of 8" in drawing.alt
    assert "outlined in 12 groups of 8" in drawing.alt


def test_operations_a_byte_by_hand():
    assert intensity(LAYER, columns=False) == 400 / (4 * (10 + 6 + 4))
    assert intensity(LAYER, columns=True) == 400 / (4 * (10 + 6 + 4 + 2 * 30))


def test_roofline_says_where_its_corner_is():
    alt = figures.roofline({"a": LAYER}, 100.0, 20.0).alt
    assert "20 gigabytes a second up to 5 operations a byte" in alt
    assert "1.25 operations a byte and 20 GFLOP/s with one matrix product" in alt


def test_axes_by_factors_and_evenly():
    even, factors = Axis(0, 10, 100, 200), Axis(1, 100, 0, 50, True)
    assert [even(v) for v in (0, 5, 10)] == [100, 150, 200]
    assert [factors(v) for v in (1, 10, 100)] == [0, 25, 50]
    assert powers([0.02, 30]) == [0.01, 0.1, 1, 10, 100]
    assert powers([10, 10]) == [10, 100]
    assert steps(23) == [0, 10, 20, 30]
    assert (plain(1234.50), in_bytes(3 * 2**19), in_bytes(512)) == (
        "1,234.5", "1.5 MiB", "512 bytes")


@pytest.mark.parametrize("wrong", [
    lambda: figures.memory_order(3, 8, 4, True),
    lambda: figures.memory_order(4, 7, 3, False),
    lambda: figures.chunk_rows(X, [W], 2, 0),
    lambda: figures.held_sums(8, 32, 12),
    lambda: figures.weight_gradient(X, DY, 2, 0),
    lambda: figures.input_gradient(DY, W, 0, 0, stride=0),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()
