"""Layer functions in plain numpy, as short as they come: what the tests drive a
network with, to show that it needs no layers but those that it is given."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def _windows(x, rows, columns, stride):
    """(N, H', W', C, rows, columns), a view."""
    return sliding_window_view(x, (rows, columns), (1, 2))[:, ::stride, ::stride]


def _pad(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def conv2d_forward(x, w, b, stride=1, pad=0):
    windows = _windows(_pad(x, pad), *w.shape[1:3], stride)
    return np.einsum("npqcij,kijc->npqk", windows, w, optimize=True) + b


def conv2d_backward(dy, x, w, stride=1, pad=0):
    padded = _pad(x, pad)
    windows = _windows(padded, *w.shape[1:3], stride)
    dw = np.einsum("npqk,npqcij->kijc", dy, windows, optimize=True)
    dx = np.zeros_like(padded)
    rows, columns = dy.shape[1:3]
    for i in range(w.shape[1]):
        for j in range(w.shape[2]):
            dx[:, i:i + stride * rows:stride, j:j + stride * columns:stride] += (
                dy @ w[:, i, j])
    h, w_ = x.shape[1:3]
    return dx[:, pad:pad + h, pad:pad + w_], dw, dy.sum((0, 1, 2))


def maxpool_forward(x, size=2, stride=2):
    windows = _windows(x, size, size, stride)
    windows = windows.reshape(*windows.shape[:4], -1)
    return windows.max(-1), windows.argmax(-1)


def maxpool_backward(dy, argmax, x_shape):
    """For windows side by side, as far as these tests need it."""
    size = x_shape[1] // dy.shape[1]
    chosen = argmax[..., np.newaxis] == np.arange(size * size)
    parts = (dy[..., np.newaxis] * chosen).reshape(*dy.shape, size, size)
    return parts.transpose(0, 1, 4, 2, 5, 3).reshape(x_shape)


def avgpool_forward(x, size=2, stride=2):
    return _windows(x, size, size, stride).mean((-2, -1))


def avgpool_backward(dy, x_shape, size=2, stride=2):
    dx = np.zeros(x_shape, dy.dtype)
    rows, columns = dy.shape[1:3]
    for i in range(size):
        for j in range(size):
            dx[:, i:i + stride * rows:stride, j:j + stride * columns:stride] += (
                dy / size ** 2)
    return dx


def relu_forward(x):
    return np.maximum(x, 0)


def relu_backward(dy, x):
    return dy * (x > 0)


def dense_forward(x, w, b):
    return x @ w.T + b


def dense_backward(dy, x, w):
    return dy @ w, dy.T @ x, dy.sum(0)


def batchnorm_forward(x, gamma, beta, eps=1e-5):
    axes = tuple(range(x.ndim - 1))
    mean, inverse_std = x.mean(axes), 1 / np.sqrt(x.var(axes) + x.dtype.type(eps))
    return (x - mean) * inverse_std * gamma + beta, mean, inverse_std


def batchnorm_backward(dy, x, gamma, mean, inverse_std):
    axes, m = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    normed = (x - mean) * inverse_std
    dgamma, dbeta = (dy * normed).sum(axes), dy.sum(axes)
    dx = gamma * inverse_std * (dy - dbeta / m - normed * (dgamma / m))
    return dx, dgamma, dbeta


def batchnorm_predict(x, gamma, beta, mean, variance, eps=1e-5):
    return (x - mean) / np.sqrt(variance + x.dtype.type(eps)) * gamma + beta


def dropout_forward(x, rate, rng):
    kept = rng.random(x.shape) >= rate
    return dropout_backward(x, kept, rate), kept


def dropout_backward(dy, kept, rate):
    return dy * kept / dy.dtype.type(1 - rate)


def softmax_cross_entropy(scores, labels, smoothing=0):
    shifted = scores - scores.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    k = scores.shape[1]
    weights = (1 - smoothing) * np.eye(k, dtype=logs.dtype)[labels] + smoothing / k
    loss = -(weights * logs).sum(1).mean()
    return loss, ((np.exp(logs) - weights) / len(labels)).astype(logs.dtype)
