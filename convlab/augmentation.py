"""Training images changed in ways that leave their class as it is."""

from __future__ import annotations

import numpy as np


def flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each image (N, H, W, C) mirrored left to right, or not: even chances."""
    return mirrored(images, rng.random(len(images)) < 0.5)


def mirrored(images: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The images (N, H, W, C), those with `which` (N,) bool mirrored left to right."""
    _, _, columns, channels = images.shape
    turned = np.arange(columns * channels).reshape(columns, channels)[::-1].ravel()
    result, chosen = images.copy(), images[which]
    lines = chosen.reshape(-1, columns * channels).take(turned, axis=1)
    result[which] = lines.reshape(chosen.shape)
    return result


def on_diagonal(images: np.ndarray, pixels: int) -> list[np.ndarray]:
    """The images (N, H, W, C) moved by so many pixels down and right, and up and left.

    What comes in at the border is the image reflected there.
    """
    _, rows, columns, _ = images.shape
    wide = _reflected(images, pixels)
    return [wide[:, :rows, :columns], wide[:, 2 * pixels:, 2 * pixels:]]


def shift(images: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Each image (N, H, W, C) moved by up to `most` pixels along each axis.

    What comes in at the border is the image reflected there.
    """
    n, rows, columns, _ = images.shape
    wide = _reflected(images, most)
    moved = np.empty_like(images, order="C")
    places = zip(*rng.integers(0, 2 * most + 1, (2, n)).tolist(), strict=True)
    for image, (down, right) in enumerate(places):
        moved[image] = wide[image, down:down + rows, right:right + columns]
    return moved


def _reflected(images: np.ndarray, pixels: int) -> np.ndarray:
    """The images (N, H, W, C) with so many pixels around them, reflected there."""
    around = ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0))
    return np.pad(images, around, mode="reflect")
