"""Carried over from ps3_conv_backward: written by convlab.carry, from its cells."""

__all__ = ['conv2d_backward']

import numpy as np
from numba import njit, prange


@njit(parallel=True)
def weight_slopes(dy, x, stride, dw):
    for k in prange(dw.shape[0]):
        for n in range(dy.shape[0]):
            for i in range(dy.shape[1]):
                for j in range(dy.shape[2]):
                    slope = dy[n, i, j, k]
                    for p in range(dw.shape[1]):
                        for q in range(dw.shape[2]):
                            for c in range(dw.shape[3]):
                                dw[k, p, q, c] += (
                                    slope * x[n, i * stride + p, j * stride + q, c])

@njit(parallel=True)
def input_slopes(dy, w, stride, dx):
    for n in prange(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for k in range(dy.shape[3]):
                    slope = dy[n, i, j, k]
                    for p in range(w.shape[1]):
                        for q in range(w.shape[2]):
                            for c in range(w.shape[3]):
                                dx[n, i * stride + p, j * stride + q, c] += (
                                    slope * w[k, p, q, c])

def conv2d_backward(dy, x, w, stride=1, pad=0):
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dy, w = np.ascontiguousarray(dy), np.ascontiguousarray(w)
    dw, dx = np.zeros(w.shape, w.dtype), np.zeros(wide.shape, x.dtype)
    weight_slopes(dy, wide, stride, dw)
    input_slopes(dy, w, stride, dx)
    rows, columns = x.shape[1:3]
    return dx[:, pad:pad + rows, pad:pad + columns], dw, dy.sum(axis=(0, 1, 2))
