"""The fully connected layer: every unit looks at the full input (slides 62-63).

Both passes are matrix products, so BLAS does all the work.
"""

from __future__ import annotations

import numpy as np

from convlab.layers import inputs
from convlab.layers.threads import share


def dense_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """y (N, K): y[n, k] = b[k] + the dot product of w[k] with x[n].

    x (N, D), w (K, D), b (K,): all float32 or all float64, as is y. Raises
    ValueError for sizes that do not fit, TypeError for dtypes.
    """
    x, w = _prepare(x, w)
    b = inputs.bias(b, len(w), x, "units")
    y = np.empty((len(x), len(w)), x.dtype)
    share(_forward, len(x), x.size, x, w, b, y)
    return y


def dense_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx (N, D), dw (K, D), db (K,) from the gradient dy (N, K).

    The last digits of dw depend on how many threads add it up.
    """
    x, w = _prepare(x, w)
    dy = inputs.gradient(dy, (len(x), len(w)), like=x)
    dx = np.empty_like(x)
    dw = sum(share(_backward, len(x), x.size, dy, x, w, dx))
    return dx, dw, dy.sum(axis=0)


def _prepare(x: object, w: object) -> tuple[np.ndarray, np.ndarray]:
    x = inputs.array(x, "x", "N", "D")
    return x, inputs.weights(w, x)


def _forward(first: int, last: int, x: np.ndarray, w: np.ndarray, b: np.ndarray,
             y: np.ndarray) -> None:
    np.dot(x[first:last], w.T, out=y[first:last])
    y[first:last] += b


def _backward(first: int, last: int, dy: np.ndarray, x: np.ndarray, w: np.ndarray,
              dx: np.ndarray) -> np.ndarray:
    """Fill dx for rows first <= n < last; return what they add to dw."""
    np.dot(dy[first:last], w, out=dx[first:last])
    return dy[first:last].T @ x[first:last]
