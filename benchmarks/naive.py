"""A convolution as a beginner writes it: the definition, loop by loop, under @njit.

One thread, and numba's own settings.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit
def forward(x, w, b, stride, pad):
    """y (N, H', W', K)."""
    n_images, height, width, channels = x.shape
    filters, f_h, f_w, _ = w.shape
    h_out = (height + 2 * pad - f_h) // stride + 1
    w_out = (width + 2 * pad - f_w) // stride + 1
    y = np.empty((n_images, h_out, w_out, filters), x.dtype)
    for n in range(n_images):
        for p in range(h_out):
            for q in range(w_out):
                for k in range(filters):
                    total = b[k]
                    for i in range(f_h):
                        for j in range(f_w):
                            row = p * stride - pad + i
                            column = q * stride - pad + j
                            if 0 <= row < height and 0 <= column < width:
                                for c in range(channels):
                                    total += x[n, row, column, c] * w[k, i, j, c]
                    y[n, p, q, k] = total
    return y


@njit
def backward(dy, x, w, stride, pad):
    """dx, dw, db."""
    n_images, height, width, channels = x.shape
    filters, f_h, f_w, _ = w.shape
    _, h_out, w_out, _ = dy.shape
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(filters, x.dtype)
    for n in range(n_images):
        for p in range(h_out):
            for q in range(w_out):
                for k in range(filters):
                    gradient = dy[n, p, q, k]
                    db[k] += gradient
                    for i in range(f_h):
                        for j in range(f_w):
                            row = p * stride - pad + i
                            column = q * stride - pad + j
                            if 0 <= row < height and 0 <= column < width:
                                for c in range(channels):
                                    dx[n, row, column, c] += gradient * w[k, i, j, c]
                                    dw[k, i, j, c] += gradient * x[n, row, column, c]
    return dx, dw, db
