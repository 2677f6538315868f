"""Filters for a first layer that makes the patches of images look like noise.

Neighbouring pixels are nearly the same, so nearly all that a first layer sees is
how bright a place is, and edges and colours are faint beside it. The covariance
of the patches says in which directions they vary, and how much: its eigenvectors
are filters whose answers are uncorrelated, and divided by the standard deviation
of their answers they are all equally loud. So nothing has to be learned in this
layer, and the next one finds its task easier. Each filter comes with its negative:
a ReLU then lets both signs through.

After the first layer of David Page's DAWNBench network, and of Keller Jordan's
(arXiv:2404.00498), which train in this way.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

EPS = 1e-2  # of the variance: faint directions are mostly noise, and stay faint


def whitening_filters(images: np.ndarray, size: int = 2, eps: float = EPS
                      ) -> np.ndarray:
    """(2*size*size*C, size, size, C) filters of the images' dtype.

    images (M, H, W, C): standardised floats; some thousands are enough. The
    first half are eigenvectors of the patches' covariance, that of the largest
    variance first, divided by sqrt(variance + eps); the second half are their
    negatives. Raises ValueError where size x size does not fit into an image.
    """
    m, rows, columns, channels = images.shape
    if not 1 <= size <= min(rows, columns):
        raise ValueError(f"a patch of {size}x{size} does not fit into images of "
                         f"{rows}x{columns}")
    if not eps > 0:
        raise ValueError(f"eps must be more than 0, got {eps}")
    variances, directions = np.linalg.eigh(_covariance(images, size))
    variances, directions = variances[::-1], directions[:, ::-1].T
    # An eigenvector's sign means nothing: the same on every machine.
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[range(len(directions)), largest,
                                                 None])
    scaled = directions / np.sqrt(np.maximum(variances, 0) + eps)[:, None]
    filters = scaled.reshape(-1, size, size, channels)
    return np.concatenate([filters, -filters]).astype(images.dtype)


def _covariance(images: np.ndarray, size: int) -> np.ndarray:
    """Of all patches as rows of size*size*C numbers; some images at a time."""
    numbers = size * size * images.shape[-1]
    total, products, count = np.zeros(numbers), np.zeros((numbers, numbers)), 0
    for start in range(0, len(images), 500):
        part = images[start:start + 500].astype(np.float64)
        windows = sliding_window_view(part, (size, size), (1, 2))
        patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, numbers)
        total += patches.sum(axis=0)
        products += patches.T @ patches
        count += len(patches)
    mean = total / count
    return products / count - np.outer(mean, mean)
