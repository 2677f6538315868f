"""Dropout: while the network learns, each number is left out at random.

What is kept is divided by the part that is kept, so that sums stay what they are
on average and nothing is to be done at test time ("inverted" dropout; Srivastava,
Hinton, Krizhevsky, Sutskever and Salakhutdinov 2014).
"""

from __future__ import annotations

import numpy as np

from convlab.layers import inputs


def dropout_forward(x: np.ndarray, rate: float, rng: np.random.Generator
                    ) -> tuple[np.ndarray, np.ndarray]:
    """y, of the shape and dtype of x, and the bool mask `kept` of its shape.

    Each number is left out (0) with probability `rate`, 0 <= rate < 1, as `rng`
    draws, and divided by 1 - rate otherwise. Raises ValueError for another rate,
    TypeError for dtypes and for an rng that is no numpy Generator.
    """
    x = inputs.array(x, "x")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy Generator, got {type(rng).__name__}: "
                        "make one with np.random.default_rng(seed)")
    _check_rate(rate)
    kept = rng.random(x.shape, np.float32) >= np.float32(rate)
    return _masked(x, kept, rate), kept


def dropout_backward(dy: np.ndarray, kept: np.ndarray, rate: float) -> np.ndarray:
    """dx: dy/(1 - rate) where the number was kept, 0 where it was left out."""
    if not isinstance(kept, np.ndarray) or kept.dtype != np.bool_:
        kind = getattr(kept, "dtype", type(kept).__name__)
        raise TypeError(
            f"kept must be the bool array that dropout_forward returned, got {kind}")
    _check_rate(rate)
    return _masked(inputs.gradient(dy, kept.shape), kept, rate)


def _masked(x: np.ndarray, kept: np.ndarray, rate: float) -> np.ndarray:
    return np.where(kept, x * x.dtype.type(1 / (1 - rate)), x.dtype.type(0))


def _check_rate(rate: float) -> None:
    if not 0 <= rate < 1:
        raise ValueError(f"rate is from 0 to below 1, got {rate}")
