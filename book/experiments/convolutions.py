"""One convolution written in several ways, for the chapter on making it fast.

All take x (N, H, W, C), padded already, w (K, Fh, Fw, C), b (K,), a stride and an
empty y (N, H', W', K), and fill y. All compute the same sums, in another order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit, prange
from numpy.lib.stride_tricks import sliding_window_view

from convlab.layers import conv2d_forward


def seven_loops(x, w, b, stride, y):
    images, rows, columns, filters = y.shape
    f_h, f_w, channels = w.shape[1:]
    for n in range(images):
        for p in range(rows):
            for q in range(columns):
                for k in range(filters):
                    total = b[k]
                    for r in range(f_h):
                        for s in range(f_w):
                            for c in range(channels):
                                total += (x[n, p * stride + r, q * stride + s, c]
                                          * w[k, r, s, c])
                    y[n, p, q, k] = total


compiled_loops = njit(seven_loops)


@njit
def across_memory(x, w, b, stride, y):
    """Image innermost: from one number to the next is a whole image's way."""
    images, rows, columns, filters = y.shape
    f_h, f_w, channels = w.shape[1:]
    y[:] = b
    for k in range(filters):
        for r in range(f_h):
            for s in range(f_w):
                for c in range(channels):
                    weight = w[k, r, s, c]
                    for q in range(columns):
                        for p in range(rows):
                            for n in range(images):
                                y[n, p, q, k] += (
                                    weight * x[n, p * stride + r, q * stride + s, c])


def along_memory(x, w, b, stride, y):
    """Filter innermost, with the weights of all filters side by side."""
    _along_memory(x, np.ascontiguousarray(w.transpose(1, 2, 3, 0)), b, stride, y)


@njit
def _along_memory(x, w, b, stride, y):
    images, rows, columns, filters = y.shape
    f_h, f_w, channels, _ = w.shape
    for n in range(images):
        for p in range(rows):
            for q in range(columns):
                out = y[n, p, q]
                out[:] = b
                for r in range(f_h):
                    for s in range(f_w):
                        for c in range(channels):
                            pixel = x[n, p * stride + r, q * stride + s, c]
                            weights = w[r, s, c]
                            for k in range(filters):
                                out[k] += pixel * weights[k]


def in_parallel(x, w, b, stride, y):
    """As along_memory, with the rows of all outputs shared among the cores."""
    _in_parallel(x, np.ascontiguousarray(w.transpose(1, 2, 3, 0)), b, stride, y)


@njit(parallel=True)
def _in_parallel(x, w, b, stride, y):
    images, rows, columns, filters = y.shape
    f_h, f_w, channels, _ = w.shape
    for row in prange(images * rows):
        n, p = row // rows, row % rows
        for q in range(columns):
            out = y[n, p, q]
            out[:] = b
            for r in range(f_h):
                for s in range(f_w):
                    for c in range(channels):
                        pixel = x[n, p * stride + r, q * stride + s, c]
                        weights = w[r, s, c]
                        for k in range(filters):
                            out[k] += pixel * weights[k]


def chunks_as_rows(x: np.ndarray, f_h: int, f_w: int, stride: int) -> np.ndarray:
    """im2col: what lies under the filter at each position (N*H'*W', Fh*Fw*C)."""
    windows = sliding_window_view(x, (f_h, f_w), axis=(1, 2))[:, ::stride, ::stride]
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, f_h * f_w * x.shape[3])


def one_product(x, w, b, stride, y):
    """The whole im2col matrix, then one product by BLAS."""
    filters, f_h, f_w, _ = w.shape
    out = y.reshape(-1, filters)
    np.dot(chunks_as_rows(x, f_h, f_w, stride), w.reshape(filters, -1).T, out=out)
    out += b


def the_layer(x, w, b, stride, y):
    """The course's own layer."""
    y[:] = conv2d_forward(x, w, b, stride)


WAYS: dict[str, Callable] = {
    "seven loops in Python": seven_loops,
    "compiled, across memory": across_memory,
    "compiled, as written": compiled_loops,
    "compiled, along memory": along_memory,
    "... on all cores": in_parallel,
    "one matrix product": one_product,
    "the course's layer": the_layer,
}
