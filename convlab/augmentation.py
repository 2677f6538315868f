"""Training images changed in ways that leave their class as it is."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image (N, H, W, C) mirrored left to right, or not: even chances."""
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def shift(images: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Each image (N, H, W, C) moved by up to `most` pixels along each axis.

    What comes in at the border is the image reflected there.
    """
    n, rows, columns, _ = images.shape
    around = ((0, 0), (most, most), (most, most), (0, 0))
    windows = sliding_window_view(
        np.pad(images, around, mode="reflect"), (rows, columns), (1, 2))
    down, right = rng.integers(0, 2 * most + 1, (2, n))
    moved = windows[np.arange(n), down, right]  # (N, C, H, W)
    return np.ascontiguousarray(moved.transpose(0, 2, 3, 1))
