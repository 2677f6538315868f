"""Chapter "What filters see": 32 filters of 5x5x3, learned from photographs."""

from __future__ import annotations

from typing import Any

import numpy as np

from book.experiments.trained import trained
from convlab import data, layers
from convlab.network import Network
from convlab.recipes import Setup
from convlab.training import Recipe

DATA = "CIFAR-10, 50,000 training and 10,000 test photographs"
SEED = 0
SETUP = Setup(
    "CONV{32 size=5}-RELU-POOL-CONV{48}-RELU-POOL-CONV{64}-RELU-POOL-FC{64}-RELU,"
    "SOFTMAX",
    # More weight decay than usual: what is left of the first random weights fades.
    Recipe(epochs=8, learning_rate=0.05, weight_decay=2e-3, flip=True, shift=2,
           held_out=5000))


def run(seed: int) -> dict[str, Any]:
    """Settings and accuracy; filters (32, 5, 5, 3) float16, as they are trained and
    as they were drawn before."""
    dataset = data.load("cifar10")
    first = Network(SETUP.architecture, dataset.image_shape, len(dataset.classes),
                    layers, seed=seed)  # the same numbers as the one that is trained
    done = trained(dataset, SETUP, seed)
    return {
        **done.values(dataset),
        "filters": done.network.parameters["conv1.w"].astype(np.float16),
        "at_first": first.parameters["conv1.w"].astype(np.float16),
    }
