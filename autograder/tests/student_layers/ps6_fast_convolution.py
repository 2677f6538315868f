"""Carried over from ps6_fast_convolution: written by convlab.carry, from its cells."""

__all__ = ['col2im', 'conv2d_backward_gemm', 'conv2d_forward_gemm', 'im2col']

import numpy as np


def sizes(x, rows, columns, stride, pad):
    found = []
    for n, f in zip(x.shape[1:3], (rows, columns), strict=True):
        room = n + 2 * pad - f
        if pad < 0 or room < 0 or room % stride:
            raise ValueError(f"a filter of {f}, stride {stride} does not fit {n}")
        found.append(room // stride + 1)
    return found

def im2col(x, rows, columns, stride=1, pad=0):
    high, wide = sizes(x, rows, columns, stride, pad)
    padded = np.zeros((len(x), x.shape[1] + 2 * pad, x.shape[2] + 2 * pad, x.shape[3]),
                      x.dtype)
    padded[:, pad:pad + x.shape[1], pad:pad + x.shape[2]] = x
    found = np.empty((len(x), high, wide, rows, columns, x.shape[3]), x.dtype)
    for p in range(rows):
        for q in range(columns):
            found[:, :, :, p, q] = padded[:, p:p + stride * high:stride,
                                          q:q + stride * wide:stride]
    return found.reshape(len(x) * high * wide, -1)

def col2im(columns_of, x_shape, rows, columns, stride=1, pad=0):
    n, height, width, channels = x_shape
    high = (height + 2 * pad - rows) // stride + 1
    wide = (width + 2 * pad - columns) // stride + 1
    chunks = columns_of.reshape(n, high, wide, rows, columns, channels)
    padded = np.zeros((n, height + 2 * pad, width + 2 * pad, channels),
                      columns_of.dtype)
    for p in range(rows):
        for q in range(columns):
            padded[:, p:p + stride * high:stride,
                   q:q + stride * wide:stride] += chunks[:, :, :, p, q]
    return padded[:, pad:pad + height, pad:pad + width]

def conv2d_forward_gemm(x, w, b, stride=1, pad=0):
    if w.shape[3] != x.shape[3]:
        raise ValueError("the filters are not as deep as the images")
    high, wide = sizes(x, w.shape[1], w.shape[2], stride, pad)
    rows = im2col(x, w.shape[1], w.shape[2], stride, pad)
    return (rows @ w.reshape(len(w), -1).T + b).reshape(len(x), high, wide, len(w))

def conv2d_backward_gemm(dy, x, w, stride=1, pad=0):
    rows = im2col(x, w.shape[1], w.shape[2], stride, pad)
    flat = dy.reshape(-1, len(w))
    dw = (flat.T @ rows).reshape(w.shape)
    dx = col2im(flat @ w.reshape(len(w), -1), x.shape, w.shape[1], w.shape[2],
                stride, pad)
    return dx, dw, flat.sum(axis=0)
