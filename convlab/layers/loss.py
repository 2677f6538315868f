"""Softmax and cross-entropy: from class scores to one number to make small."""

from __future__ import annotations

import numpy as np

from convlab.layers import inputs


def softmax_cross_entropy(scores: np.ndarray, labels: np.ndarray,
                          smoothing: float = 0.0) -> tuple[float, np.ndarray]:
    """The mean over the batch of -log(probability of the right class).

    scores (N, K) float, labels (N,) whole numbers 0 <= label < K. Returns the
    loss in nats as a float, and dscores (N, K) of the dtype of scores: the
    probabilities less 1 at the right class, divided by N. Each row is shifted
    by its maximum first, which changes no probability and keeps exp in range.

    With `smoothing`, 0 <= smoothing < 1, the label is not quite believed: that
    part of its weight is spread evenly over all K classes, the right one
    included, and the loss is the mean of -log(probability) under these weights
    (label smoothing, Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2016).
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing is from 0 to below 1, got {smoothing}")
    scores = inputs.array(scores, "scores", "N", "K")
    labels = inputs.class_labels(labels, scores)
    rows = np.arange(len(scores))
    shifted = scores.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    exp = np.exp(shifted)
    total = exp.sum(axis=1, keepdims=True)
    right = shifted[rows, labels]
    if smoothing:
        right = (1 - smoothing) * right + smoothing * shifted.mean(axis=1)
    loss = np.mean(np.log(total[:, 0]) - right)
    dscores = exp / total
    dscores[rows, labels] -= 1 - smoothing
    if smoothing:
        dscores -= smoothing / scores.shape[1]
    return float(loss), (dscores / len(scores)).astype(scores.dtype)
