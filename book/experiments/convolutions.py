"""One convolution written in several ways, for the chapter on making it fast.

All take x (N, H, W, C), padded already, w (K, Fh, Fw, C), b (K,), a stride and an
empty y (N, H', W', K), and fill y; the course's layer returns a y of its own instead.
All compute the same sums, in another order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit, prange
from numpy.lib.stride_tricks import sliding_window_view

from convlab.layers import conv2d_forward, direct, products
from convlab.layers.registers import on_stack
from convlab.layers.threads import share


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


def tile_by_tile(x, w, b, stride, y):
    """The matrix a tile at a time, with a part of the batch for each core."""
    slide = direct.Slide(*w.shape[1:3], stride, 0, 0, *y.shape[1:3])
    share(products.forward, len(x), y.size, x, w, b, y, slide)


def the_layer(x, w, b, stride, y):
    """The course's own layer. To copy its output into y would be a good part of its
    time, so y stays as it is."""
    return conv2d_forward(x, w, b, stride)


WAYS: dict[str, Callable] = {
    "seven loops in Python": seven_loops,
    "compiled, across memory": across_memory,
    "compiled, as written": compiled_loops,
    "compiled, along memory": along_memory,
    "... on all cores": in_parallel,
    "one matrix product": one_product,
    "a product a tile": tile_by_tile,
    "the course's layer": the_layer,
}


def eight_pixels(block: int | None, in_registers: bool) -> Callable:
    """The inner loops of the course's layer, with or without what makes them fast.

    block: the number of filters K, which the compiler then knows; None where it has to
    make a loop for any number. in_registers: whether sums stay there, or in `sums`, an
    array of 8*K numbers. The kernel fills y for weights (Fh, Fw, C, K), stride 1, and
    rows of y that are a multiple of 8 pixels long.
    """
    known = 8 * block if block else 0

    @njit(fastmath=direct.LOOSE, error_model="numpy")
    def kernel(x, weights, b, y, sums):
        images, rows, columns, filters = y.shape
        f_h, f_w, channels, _ = weights.shape
        line = x.shape[2] * channels
        size = filters if block is None else block
        held = on_stack(known, x) if in_registers else sums
        for n in range(images):
            pixels = x[n].reshape(-1)
            for p in range(rows):
                for q in range(0, columns, 8):
                    for k in range(8 * size):
                        held[k] = 0
                    for r in range(f_h):
                        x0 = pixels[(p + r) * line + q * channels:]
                        x1, x2 = x0[channels:], x0[2 * channels:]
                        x3, x4 = x0[3 * channels:], x0[4 * channels:]
                        x5, x6 = x0[5 * channels:], x0[6 * channels:]
                        x7, w = x0[7 * channels:], weights[r].reshape(-1)
                        for t in range(f_w * channels):
                            v = w[t * size:(t + 1) * size]
                            a0, a1, a2, a3 = x0[t], x1[t], x2[t], x3[t]
                            a4, a5, a6, a7 = x4[t], x5[t], x6[t], x7[t]
                            for k in range(size):
                                held[k] += a0 * v[k]
                                held[size + k] += a1 * v[k]
                                held[2 * size + k] += a2 * v[k]
                                held[3 * size + k] += a3 * v[k]
                                held[4 * size + k] += a4 * v[k]
                                held[5 * size + k] += a5 * v[k]
                                held[6 * size + k] += a6 * v[k]
                                held[7 * size + k] += a7 * v[k]
                    out = y[n, p, q:q + 8].reshape(-1)
                    for k in range(8 * size):
                        sums[k] = held[k]
                    for k in range(8 * filters):
                        out[k] = sums[k] + b[k % filters]

    return kernel
