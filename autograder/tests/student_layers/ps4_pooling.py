"""Carried over from ps4_pooling: written by convlab.carry, from its cells."""

__all__ = ['avgpool_backward', 'avgpool_forward', 'maxpool_backward',
           'maxpool_forward', 'relu_backward', 'relu_forward']

import numpy as np
from numba import njit, prange


def relu_forward(x):
    return np.maximum(x, 0)

def relu_backward(dy, x):
    return dy * (x > 0)

def places(n, size, stride):
    if size > n or (n - size) % stride:
        raise ValueError(f"windows of {size}, stride {stride} do not fit {n}")
    return (n - size) // stride + 1

@njit(parallel=True)
def fill_largest(x, size, stride, y, argmax):
    for n in prange(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                for c in range(y.shape[3]):
                    row, column = i * stride, j * stride
                    best, place = x[n, row, column, c], row * x.shape[2] + column
                    for p in range(row, row + size):
                        for q in range(column, column + size):
                            if x[n, p, q, c] > best:
                                best, place = x[n, p, q, c], p * x.shape[2] + q
                    y[n, i, j, c], argmax[n, i, j, c] = best, place

def maxpool_forward(x, size=2, stride=2):
    shape = (len(x), places(x.shape[1], size, stride),
             places(x.shape[2], size, stride), x.shape[3])
    y, argmax = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    fill_largest(np.ascontiguousarray(x), size, stride, y, argmax)
    return y, argmax

@njit(parallel=True)
def scatter(dy, argmax, dx):
    for n in prange(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for c in range(dy.shape[3]):
                    dx[n, argmax[n, i, j, c], c] += dy[n, i, j, c]

def maxpool_backward(dy, argmax, x_shape):
    n, rows, columns, channels = x_shape
    dx = np.zeros((n, rows * columns, channels), dy.dtype)
    scatter(np.ascontiguousarray(dy), np.ascontiguousarray(argmax), dx)
    return dx.reshape(x_shape)

def avgpool_forward(x, size=2, stride=2):
    rows, columns = places(x.shape[1], size, stride), places(x.shape[2], size, stride)
    y = np.zeros((len(x), rows, columns, x.shape[3]), x.dtype)
    for p in range(size):
        for q in range(size):
            y += x[:, p:p + stride * rows:stride, q:q + stride * columns:stride]
    return y / (size * size)

def avgpool_backward(dy, x_shape, size=2, stride=2):
    dx = np.zeros(x_shape, dy.dtype)
    rows, columns = dy.shape[1:3]
    for p in range(size):
        for q in range(size):
            dx[:, p:p + stride * rows:stride, q:q + stride * columns:stride] += dy
    return dx / (size * size)
