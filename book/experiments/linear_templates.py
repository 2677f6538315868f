"""One fully connected layer on the pixels of shapes: the lecture's 10 x 3072.

It has no hidden layer, so each row of its weights can be looked at as a picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from book.experiments.first_network import DATA, TEST, TRAIN
from convlab import layers
from convlab.data import Dataset, shapes
from convlab.network import Network
from convlab.training import Recipe, accuracy, train

__all__ = ["DATA", "SEED", "run"]

SEED = 0
RECIPE = Recipe(epochs=10, learning_rate=0.003, weight_decay=0.01, held_out=1000)


def run(seed: int) -> dict[str, Any]:
    """The weights and the accuracy on the images trained on and on test images."""
    return learn(shapes.load(TRAIN, TEST), RECIPE, seed)


def learn(dataset: Dataset, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What `run` returns, for any images and any recipe.

    w (K, H, W, C) float32: a row of the weights as an image. b (K,).
    """
    network = Network("SOFTMAX", dataset.image_shape, len(dataset.classes), layers,
                      seed=seed)
    train(network, dataset, recipe, progress=False)
    w, b = network.parameters.values()
    return {
        "classes": list(dataset.classes),
        "train_accuracy": accuracy(network, dataset.train_images,
                                   dataset.train_labels),
        "test_accuracy": accuracy(network, dataset.test_images, dataset.test_labels),
        "w": np.ascontiguousarray(w.reshape(-1, *dataset.image_shape)), "b": b}
