"""The ReLU: max(0, x), element by element (slide 30)."""

from __future__ import annotations

import numpy as np

from convlab.layers import inputs
from convlab.layers.compiled import compiled
from convlab.layers.threads import share


def relu_forward(x: np.ndarray) -> np.ndarray:
    """y = max(0, x), of the shape and dtype of x; a NaN stays one."""
    x = inputs.array(x, "x")
    y = np.empty_like(x)
    share(_relu, x.size, x.size, x.reshape(-1), y.reshape(-1))
    return y


def relu_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dx: dy where x > 0, and 0 where x <= 0 (0 at the kink as well).

    dy and x, the forward pass's input, have the same shape and dtype.
    """
    x = inputs.array(x, "x")
    dy = inputs.gradient(dy, x.shape, like=x)
    dx = np.empty_like(x)
    share(_relu_gradient, x.size, x.size,
          dy.reshape(-1), x.reshape(-1), dx.reshape(-1))
    return dx


# Indices that count from 0 can't be negative, which numba would have to check
# for: without these slices the loops would not be vectorised. And the zero is of the
# arrays' own type: a plain 0 would make numba compute in float64.


@compiled
def _relu(begin, end, x, y):
    x, y, zero = x[begin:end], y[begin:end], x.dtype.type(0)
    for at in range(x.size):
        y[at] = zero if x[at] <= zero else x[at]


@compiled
def _relu_gradient(begin, end, dy, x, dx):
    dy, x, dx, zero = dy[begin:end], x[begin:end], dx[begin:end], x.dtype.type(0)
    for at in range(x.size):
        dx[at] = zero if x[at] <= zero else dy[at]
