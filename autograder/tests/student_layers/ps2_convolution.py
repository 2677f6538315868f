"""Carried over from ps2_convolution: written by convlab.carry, from its cells."""

__all__ = ['conv2d_forward', 'output_size']

import numpy as np
from numba import njit, prange


def output_size(n, f, stride=1, pad=0):
    room = n + 2 * pad - f
    if pad < 0 or room < 0 or room % stride:
        raise ValueError(f"a filter of {f}, stride {stride} does not fit {n} + 2*{pad}")
    return room // stride + 1

@njit(parallel=True)
def fill_maps(x, w, b, stride, y):
    for n in prange(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for k in range(y.shape[3]):
                    total = b[k]
                    for p in range(w.shape[1]):
                        for q in range(w.shape[2]):
                            for c in range(w.shape[3]):
                                total += (x[n, i * stride + p, j * stride + q, c]
                                          * w[k, p, q, c])
                    y[n, i, j, k] = total

def conv2d_forward(x, w, b, stride=1, pad=0):
    images, rows, columns, channels = x.shape
    if w.shape[3] != channels:
        raise ValueError(f"the filters are {w.shape[3]} deep, x is {channels}")
    y = np.empty((images, output_size(rows, w.shape[1], stride, pad),
                  output_size(columns, w.shape[2], stride, pad), len(w)),
                 dtype=x.dtype)
    wide = np.zeros((images, rows + 2 * pad, columns + 2 * pad, channels),
                    dtype=x.dtype)
    wide[:, pad:pad + rows, pad:pad + columns] = x
    fill_maps(wide, np.ascontiguousarray(w, dtype=x.dtype),
              np.ascontiguousarray(b, dtype=x.dtype), stride, y)
    return y
