"""Chapter "The fully connected layer": one such layer on the pixels of shapes.

The lecture's 10 x 3072, trained. There is no hidden layer, so each row of the
weights can be looked at as a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from book.experiments.trained import trained
from convlab import data
from convlab.data import Dataset
from convlab.recipes import Setup
from convlab.training import Recipe, accuracy

DATA = "shapes, 10,000 training and 2,000 test images, drawn with seed 0"
SEED = 0
SETUP = Setup("SOFTMAX", Recipe(epochs=10, learning_rate=0.001, weight_decay=0.01,
                                held_out=1000))


def run(seed: int) -> dict[str, Any]:
    """Settings and accuracy, on the images learned from as well; the weights."""
    return learn(data.load("shapes"), SETUP, seed)


def learn(dataset: Dataset, setup: Setup, seed: int) -> dict[str, Any]:
    """What `run` returns, for any images and any recipe.

    w (K, H, W, C): each row of the weights as an image. b (K,).
    """
    done = trained(dataset, setup, seed)
    w, b = done.network.parameters.values()
    return {**done.values(dataset),
            "seen_accuracy": accuracy(done.network, dataset.train_images,
                                      dataset.train_labels),
            "w": np.ascontiguousarray(w.reshape(-1, *dataset.image_shape)), "b": b}
