"""Slow, plain and independent ways to compute what the layers compute."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def windows(x: np.ndarray, f_h: int, f_w: int, stride: int, pad: int = 0
            ) -> np.ndarray:
    """All windows (N, H', W', C, Fh, Fw) of x (N, H, W, C), as numpy slides them."""
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    return sliding_window_view(padded, (f_h, f_w), axis=(1, 2))[
        :, ::stride, ::stride]


def conv2d(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1,
           pad: int = 0) -> np.ndarray:
    """A convolution layer's output in float64, by einsum over all windows."""
    seen = windows(x.astype(np.float64), *w.shape[1:3], stride, pad)
    return np.einsum("npqcij,kijc->npqk", seen, w.astype(np.float64)) + b
