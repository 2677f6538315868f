"""Chapter "Training on CIFAR-10": a training in the lecture's plainest pattern.

Architecture and recipe are those of `convlab.recipes`, whatever they are now.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from book.experiments.trained import trained
from convlab import data
from convlab.recipes import SETUPS

DATA = "CIFAR-10, 50,000 training and 10,000 test photographs"
SEED = 0


def run(seed: int) -> dict[str, Any]:
    """Settings, history and test accuracy; arrays by test image.

    labels, predictions (M,) uint8; confidence (M,) float32, the probability that
    the network gave to its prediction; first_filters (K, Fh, Fw, C) float16.
    """
    dataset = data.load("cifar10")
    done = trained(dataset, SETUPS["cifar10-small"], seed)
    return {
        **done.values(dataset),
        "labels": dataset.test_labels.astype(np.uint8),
        "predictions": done.predictions.astype(np.uint8),
        "confidence": done.confidence,
        "first_filters": done.network.parameters["conv1.w"].astype(np.float16),
    }
