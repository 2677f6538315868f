"""Pooling layers: each channel is made smaller by itself (slides 60-61).

Windows are size x size, stride apart, and may overlap (size 3, stride 2).
There is no padding and nothing to learn.
"""

from __future__ import annotations

import numpy as np

from convlab.layers import inputs
from convlab.layers.compiled import compiled
from convlab.layers.threads import share


def maxpool_forward(x: np.ndarray, size: int = 2, stride: int = 2
                    ) -> tuple[np.ndarray, np.ndarray]:
    """The largest number of each window of x (N, H, W, C), and where it is.

    Returns y (N, H', W', C) of x's dtype, H' = (H - size)/stride + 1, and
    argmax, int64 of y's shape: the pixel row*W + column of image n's channel
    c at which y[n, p, q, c] was found; the first in reading order where there
    is a tie. A NaN counts as larger than every number, so that it shows in y.
    """
    x = inputs.images(x)
    h_out, w_out = inputs.positions(x.shape, size, size, stride, 0)
    y = np.empty((x.shape[0], h_out, w_out, x.shape[3]), x.dtype)
    argmax = np.empty(y.shape, np.int64)
    share(_maxpool, len(x) * h_out, x.size, x, y, argmax, int(size), int(stride))
    return y, argmax


def maxpool_backward(dy: np.ndarray, argmax: np.ndarray,
                     x_shape: tuple[int, int, int, int]) -> np.ndarray:
    """dx of shape x_shape: each window's gradient goes to its maximum alone.

    dy and argmax (N, H', W', C), as returned by maxpool_forward; a pixel that
    is the maximum of several windows gets the sum of their gradients.
    """
    n, h, w, c = x_shape = inputs.volume_shape(x_shape)
    inputs.argmax_of(argmax, x_shape)
    dy = inputs.gradient(dy, argmax.shape)
    dx = np.empty(x_shape, dy.dtype)
    share(_maxpool_gradient, n, dy.size,
          dy.reshape(n, -1, c), np.ascontiguousarray(argmax).reshape(n, -1, c),
          dx.reshape(n, h * w, c))
    return dx


def avgpool_forward(x: np.ndarray, size: int = 2, stride: int = 2) -> np.ndarray:
    """The mean y (N, H', W', C) of each window of x (N, H, W, C)."""
    x = inputs.images(x)
    h_out, w_out = inputs.positions(x.shape, size, size, stride, 0)
    y = np.empty((x.shape[0], h_out, w_out, x.shape[3]), x.dtype)
    share(_avgpool, len(x) * h_out, x.size, x, y, int(size), int(stride))
    return y


def avgpool_backward(dy: np.ndarray, x_shape: tuple[int, int, int, int],
                     size: int = 2, stride: int = 2) -> np.ndarray:
    """dx of shape x_shape: each window's gradient, shared equally.

    dy (N, H', W', C); a pixel in several windows gets the sum of its shares.
    """
    n, _, _, c = x_shape = inputs.volume_shape(x_shape)
    h_out, w_out = inputs.positions(x_shape, size, size, stride, 0)
    dy = inputs.gradient(dy, (n, h_out, w_out, c))
    dx = np.empty(x_shape, dy.dtype)
    share(_avgpool_gradient, n, dx.size, dy, dx, int(size), int(stride))
    return dx


@compiled
def _maxpool(begin, end, x, y, argmax, size, stride):
    """Output rows begin <= row < end, counted through the batch."""
    _, h_out, w_out, channels = y.shape
    width = x.shape[2]
    for row in range(begin, end):
        n, p = row // h_out, row % h_out
        for q in range(w_out):
            best, where = y[n, p, q], argmax[n, p, q]
            pixel = p * stride * width + q * stride
            for c in range(channels):
                best[c] = x[n, p * stride, q * stride, c]
                where[c] = pixel
            for i in range(size):
                for j in range(size):
                    pixel = (p * stride + i) * width + q * stride + j
                    here = x[n, p * stride + i, q * stride + j]
                    for c in range(channels):
                        larger = here[c] > best[c] or (
                            here[c] != here[c] and best[c] == best[c])  # NaN
                        best[c] = here[c] if larger else best[c]
                        where[c] = pixel if larger else where[c]


@compiled
def _maxpool_gradient(begin, end, dy, argmax, dx):
    """Images begin <= n < end; positions and pixels counted in reading order."""
    _, positions, channels = dy.shape
    for n in range(begin, end):
        dx[n] = 0  # here, so that the image is still in the cache
        for position in range(positions):
            for c in range(channels):
                dx[n, argmax[n, position, c], c] += dy[n, position, c]


@compiled
def _avgpool(begin, end, x, y, size, stride):
    """Output rows begin <= row < end, counted through the batch."""
    _, h_out, w_out, channels = y.shape
    for row in range(begin, end):
        n, p = row // h_out, row % h_out
        for q in range(w_out):
            mean = y[n, p, q]
            mean[:] = 0
            for i in range(size):
                for j in range(size):
                    here = x[n, p * stride + i, q * stride + j]
                    for c in range(channels):
                        mean[c] += here[c]
            for c in range(channels):
                mean[c] /= size * size


@compiled
def _avgpool_gradient(begin, end, dy, dx, size, stride):
    """Images begin <= n < end."""
    _, h_out, w_out, channels = dy.shape
    for n in range(begin, end):
        dx[n] = 0
        for p in range(h_out):
            for q in range(w_out):
                part = dy[n, p, q]
                for i in range(size):
                    for j in range(size):
                        here = dx[n, p * stride + i, q * stride + j]
                        for c in range(channels):
                            here[c] += part[c] / (size * size)
