"""The fully connected layer: every unit looks at the full input (slides 62-63).

Both passes are matrix products, so BLAS does all the work.
"""

from __future__ import annotations

import numpy as np

from convlab.layers import inputs


def dense_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """y (N, K): y[n, k] = b[k] + the dot product of w[k] with x[n].

    x (N, D), w (K, D), b (K,): all float32 or all float64, as is y. Raises
    ValueError for sizes that do not fit, TypeError for dtypes.
    """
    x, w = _prepare(x, w)
    y = x @ w.T
    y += inputs.bias(b, len(w), x, "units")
    return y


def dense_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray
                   ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx (N, D), dw (K, D), db (K,) from the gradient dy (N, K)."""
    x, w = _prepare(x, w)
    dy = inputs.gradient(dy, (len(x), len(w)), like=x)
    return dy @ w, dy.T @ x, dy.sum(axis=0)


def _prepare(x: object, w: object) -> tuple[np.ndarray, np.ndarray]:
    x = inputs.array(x, "x", "N", "D")
    return x, inputs.weights(w, x)
