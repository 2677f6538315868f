"""Batch normalisation: each channel to mean 0 and variance 1 over the batch.

y = gamma * (x - mean) / sqrt(variance + eps) + beta, where mean and variance of
a channel are those of its numbers in the whole batch while the network learns,
and averages that it kept of them at test time (Ioffe and Szegedy 2015). Channels
are the last axis: x is (N, H, W, C) or (N, D); gamma, beta and the statistics
are (C,).

There is little arithmetic for each number, so memory decides the speed: both
directions go twice through the batch, once for the sums and once to write. A
ReLU after it would go once more, so that the two together have functions of
their own, with the same results as the pair.
"""

from __future__ import annotations

import numpy as np

from convlab.layers import inputs
from convlab.layers.compiled import compiled
from convlab.layers.threads import share

EPS = 1e-5
WIDE = 1024  # numbers in a row that the kernels go along, about
BLOCK = 32  # rows that are added up in the batch's own dtype

Statistics = tuple[np.ndarray, np.ndarray]


def batchnorm_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray,
                      eps: float = EPS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y of x's shape, and the batch's mean (C,) and inverse_std (C,).

    x (N, H, W, C) or (N, D), gamma and beta (C,): all float32 or all float64, as
    is all that is returned. inverse_std is 1/sqrt(variance + eps), the variance
    that divides by the count. Raises ValueError for sizes that do not fit or a
    channel of one number, TypeError for dtypes.
    """
    return _forward(x, gamma, beta, eps, relu=False)


def batchnorm_backward(dy: np.ndarray, x: np.ndarray, gamma: np.ndarray,
                       mean: np.ndarray, inverse_std: np.ndarray
                       ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx, dgamma, dbeta from the gradient dy, of x's shape.

    x and gamma as in the forward pass, mean and inverse_std as it returned them.
    dx has three parts: what dy says, and that the mean and the variance depend
    on every number of the batch. The last digits of the sums depend on how many
    threads add them up.
    """
    x = _batch(x)
    gamma = _channels(gamma, "gamma", x)
    unused = np.zeros_like(gamma)
    return _backward(dy, x, gamma, unused, mean, inverse_std, relu=False)


def batchnorm_predict(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray,
                      mean: np.ndarray, variance: np.ndarray, eps: float = EPS
                      ) -> np.ndarray:
    """y at test time, with a mean (C,) and variance (C,) from elsewhere.

    The batch does not matter: each image comes out the same in any company.
    """
    return _predict(x, gamma, beta, mean, variance, eps, relu=False)


def batchnorm_relu_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray,
                           eps: float = EPS
                           ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As batchnorm_forward and relu_forward of its y, in one go."""
    return _forward(x, gamma, beta, eps, relu=True)


def batchnorm_relu_backward(dy: np.ndarray, x: np.ndarray, gamma: np.ndarray,
                            beta: np.ndarray, mean: np.ndarray,
                            inverse_std: np.ndarray
                            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As relu_backward and batchnorm_backward of its dx, in one go.

    What the ReLU was given is not kept: it is worked out again from x.
    """
    x = _batch(x)
    gamma = _channels(gamma, "gamma", x)
    beta = _channels(beta, "beta", x)
    return _backward(dy, x, gamma, beta, mean, inverse_std, relu=True)


def batchnorm_relu_predict(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray,
                           mean: np.ndarray, variance: np.ndarray, eps: float = EPS
                           ) -> np.ndarray:
    """As batchnorm_predict and relu_forward of its y, in one go."""
    return _predict(x, gamma, beta, mean, variance, eps, relu=True)


def _forward(x: object, gamma: object, beta: object, eps: float, relu: bool
             ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = _batch(x)
    gamma, beta = _channels(gamma, "gamma", x), _channels(beta, "beta", x)
    eps = _positive(eps)
    mean, variance = _statistics(x)
    inverse_std = (1 / np.sqrt(variance + eps)).astype(x.dtype)
    mean = mean.astype(x.dtype)
    return _scaled(x, gamma, beta, mean, inverse_std, relu), mean, inverse_std


def _predict(x: object, gamma: object, beta: object, mean: object,
             variance: object, eps: float, relu: bool) -> np.ndarray:
    x = _batch(x, at_least=1)
    gamma, beta = _channels(gamma, "gamma", x), _channels(beta, "beta", x)
    mean, variance = _channels(mean, "mean", x), _channels(variance, "variance", x)
    if (variance < 0).any():
        raise ValueError(f"variance is never negative, got {variance.min()}")
    inverse_std = 1 / np.sqrt(variance.astype(np.float64) + _positive(eps))
    return _scaled(x, gamma, beta, mean, inverse_std.astype(x.dtype), relu)


def _statistics(x: np.ndarray) -> Statistics:
    """Mean and variance (C,) of each channel, float64.

    Sums and sums of squares are of each number less the first of its channel:
    where a channel's numbers are large and close together, the squares of the
    numbers themselves would have no digits left for the differences.
    """
    rows, c = _wide(x), x.shape[-1]
    pivot = rows[0, :c].copy()
    parts = share(_sums, len(rows), x.size, rows, _along(pivot, rows))
    first, second = sum(parts).reshape(2, -1, c).sum(axis=1) / (x.size // c)
    return pivot + first, np.maximum(second - first ** 2, 0)


def _scaled(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray,
            inverse_std: np.ndarray, relu: bool) -> np.ndarray:
    rows, y = _wide(x), np.empty_like(x)
    share(_write_relu if relu else _write, len(rows), x.size, rows, _wide(y),
          *(_along(one, rows) for one in (gamma * inverse_std, mean, beta)))
    return y


def _backward(dy: object, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray,
              mean: object, inverse_std: object, relu: bool
              ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dy = inputs.gradient(dy, x.shape, like=x)
    mean = _channels(mean, "mean", x)
    inverse_std = _channels(inverse_std, "inverse_std", x)
    rows, slopes, dx = _wide(x), _wide(dy), np.empty_like(x)
    scale, c = gamma * inverse_std, x.shape[-1]
    scale_, mean_, beta_ = (_along(one, rows) for one in (scale, mean, beta))
    parts = share(_slope_sums, len(rows), x.size, slopes, rows, scale_, mean_, beta_,
                  relu)
    dbeta, dgamma = sum(parts).reshape(2, -1, c).sum(axis=1)
    dgamma *= inverse_std
    # dx = scale * (dy - mean of dy - xhat * mean of dy*xhat)
    level = (scale * dbeta / (x.size // c)).astype(x.dtype)
    tilt = (scale * inverse_std * dgamma / (x.size // c)).astype(x.dtype)
    share(_write_slopes, len(rows), x.size, slopes, rows, _wide(dx), scale_, mean_,
          beta_, _along(level, rows), _along(tilt, rows), relu)
    return dx, dgamma.astype(x.dtype), dbeta.astype(x.dtype)


def _batch(x: object, at_least: int = 2) -> np.ndarray:
    """A batch (N, H, W, C) or (N, D) with enough numbers in each channel."""
    if isinstance(x, np.ndarray) and x.ndim == 2:
        x = inputs.array(x, "x", "N", "D")
    else:
        x = inputs.images(x)
    if x.size // x.shape[-1] < at_least:
        raise ValueError(
            f"x has shape {x.shape}: one number for each channel has no variance; "
            "batch normalisation learns from at least two")
    return x


def _channels(value: object, name: str, x: np.ndarray) -> np.ndarray:
    """One number (C,) for each channel."""
    value = inputs.array(value, name, "C", like=x)
    if value.size != x.shape[-1]:
        raise ValueError(
            f"{name} holds {value.size} numbers for {x.shape[-1]} channels: "
            "each has one")
    return value


def _positive(eps: float) -> float:
    if not eps > 0:
        raise ValueError(f"eps must be more than 0, got {eps}")
    return float(eps)


# The kernels go along wide rows, several pixels side by side: a loop over a few
# channels alone would end before it is up to speed. Statistics are laid out as
# often side by side. Nothing is done in another order than it is written, so that
# the sign of what the ReLU gets is the same in both directions.


def _wide(x: np.ndarray) -> np.ndarray:
    """The same numbers as (rows, pixels * C), a view; pixels of one image row."""
    c = x.shape[-1]
    pixels = x.shape[2] if x.ndim == 4 else 1
    beside = max((n for n in range(1, pixels + 1)
                  if pixels % n == 0 and n * c <= WIDE), default=1)
    return x.reshape(-1, beside * c)


def _along(one: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """One number a channel, repeated along a wide row."""
    return np.tile(one, rows.shape[1] // one.size)


@compiled
def _sums(begin, end, x, pivot):
    """Sums of x - pivot and of its square, by place in the row: (2, width)."""
    width = x.shape[1]
    totals = np.zeros((2, width))
    sums, squares = np.zeros(width, x.dtype), np.zeros(width, x.dtype)
    for first in range(begin, end, BLOCK):
        block = x[first:min(first + BLOCK, end)]
        sums[:] = 0
        squares[:] = 0
        for r in range(len(block)):
            row = block[r]
            for t in range(width):
                apart = row[t] - pivot[t]
                sums[t] += apart
                squares[t] += apart * apart
        for t in range(width):
            totals[0, t] += sums[t]
            totals[1, t] += squares[t]
    return totals


@compiled
def _write(begin, end, x, y, scale, mean, beta):
    x, y = x[begin:end], y[begin:end]
    for r in range(len(x)):
        row, out = x[r], y[r]
        for t in range(row.size):
            out[t] = (row[t] - mean[t]) * scale[t] + beta[t]


@compiled
def _write_relu(begin, end, x, y, scale, mean, beta):
    zero = x.dtype.type(0)  # a bare 0 would make float64 of all
    x, y = x[begin:end], y[begin:end]
    for r in range(len(x)):
        row, out = x[r], y[r]
        for t in range(row.size):
            value = (row[t] - mean[t]) * scale[t] + beta[t]
            out[t] = zero if value <= 0 else value


@compiled
def _slope_sums(begin, end, dy, x, scale, mean, beta, relu):
    """Sums of dy and of dy * (x - mean), by place in the row: (2, width).

    With a ReLU, dy counts as 0 where its input was not positive.
    """
    zero = x.dtype.type(0)
    width = x.shape[1]
    totals = np.zeros((2, width))
    sums, products = np.zeros(width, x.dtype), np.zeros(width, x.dtype)
    for first in range(begin, end, BLOCK):
        block = x[first:min(first + BLOCK, end)]
        slopes = dy[first:min(first + BLOCK, end)]
        sums[:] = 0
        products[:] = 0
        for r in range(len(block)):
            row, slope = block[r], slopes[r]
            if relu:
                for t in range(width):
                    apart = row[t] - mean[t]
                    passed = zero if apart * scale[t] + beta[t] <= 0 else slope[t]
                    sums[t] += passed
                    products[t] += passed * apart
            else:
                for t in range(width):
                    sums[t] += slope[t]
                    products[t] += slope[t] * (row[t] - mean[t])
        for t in range(width):
            totals[0, t] += sums[t]
            totals[1, t] += products[t]
    return totals


@compiled
def _write_slopes(begin, end, dy, x, dx, scale, mean, beta, level, tilt, relu):
    zero = x.dtype.type(0)
    dy, x, dx = dy[begin:end], x[begin:end], dx[begin:end]
    for r in range(len(x)):
        row, slope, out = x[r], dy[r], dx[r]
        if relu:
            for t in range(row.size):
                apart = row[t] - mean[t]
                passed = zero if apart * scale[t] + beta[t] <= 0 else slope[t]
                out[t] = scale[t] * passed - level[t] - apart * tilt[t]
        else:
            for t in range(row.size):
                out[t] = scale[t] * slope[t] - level[t] - (row[t] - mean[t]) * tilt[t]
