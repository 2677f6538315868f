"""Chapter "What filters see": the network whose inside that chapter looks at."""

from __future__ import annotations

from typing import Any

import numpy as np

from book.experiments.trained import half_precision, scores, trained
from convlab import data
from convlab.recipes import Setup
from convlab.training import Recipe

DATA = "shapes, 10,000 training and 2,000 test images, drawn with seed 0"
SEED = 0
SETUP = Setup(
    "CONV{32 size=5}-RELU-POOL-CONV{48}-RELU-POOL-CONV{64}-RELU-POOL-FC{64}-RELU,"
    "SOFTMAX",
    Recipe(epochs=12, batch_size=32, learning_rate=0.02, flip=True, shift=2,
           held_out=1000))


def run(seed: int) -> dict[str, Any]:
    """Settings and accuracy; every weight, the mean and the standard deviation of
    the channels as float16, by the names of `Network`.

    The test accuracy is that of the weights as they are recorded.
    """
    dataset = data.load("shapes")
    done = trained(dataset, SETUP, seed)
    weights = half_precision(done.network)
    rounded = scores(done.network, dataset.test_images).argmax(axis=1)
    right = int(np.sum(rounded == dataset.test_labels))
    return {**done.values(dataset), "test_right": right,
            "test_accuracy": right / len(rounded), **weights}
