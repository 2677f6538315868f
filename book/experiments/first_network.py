"""The small ConvNet of the first chapter, trained on shapes.

Its architecture was chosen to be read from end to end, not to be the best: three
times CONV-RELU-POOL, then one fully connected layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convlab import layers
from convlab.data import Dataset, shapes
from convlab.network import Network
from convlab.training import Recipe, accuracy, train

TRAIN, TEST = 10_000, 2_000
DATA = (f"{TRAIN:,} training and {TEST:,} test images of shapes, drawn by code, "
        "32x32 in colour, ten classes")
SEED = 0
ARCHITECTURE = ("CONV{8}-RELU-POOL-CONV{16}-RELU-POOL-CONV{32}-RELU-POOL,SOFTMAX")
RECIPE = Recipe(epochs=15, batch_size=32, learning_rate=0.02, flip=True, shift=2,
                held_out=1000)


def run(seed: int) -> dict[str, Any]:
    """The trained weights by name, the history, and the accuracy on test images."""
    return learn(shapes.load(TRAIN, TEST), RECIPE, seed)


def learn(dataset: Dataset, recipe: Recipe, seed: int) -> dict[str, Any]:
    """What `run` returns, for any images and any recipe."""
    network = Network(ARCHITECTURE, dataset.image_shape, len(dataset.classes), layers,
                      seed=seed)
    result = train(network, dataset, recipe, progress=False)
    return {
        "architecture": ARCHITECTURE,
        "input_shape": list(dataset.image_shape),
        "classes": list(dataset.classes),
        "history": result.history,
        "test_accuracy": accuracy(network, dataset.test_images, dataset.test_labels),
        "mean": network.mean, "std": network.std, **network.parameters}


def trained(record: Mapping[str, Any], layers: Any) -> Network:
    """The network of the record, with its weights, on any layer functions."""
    network = Network(record["architecture"], tuple(record["input_shape"]),
                      len(record["classes"]), layers)
    network.mean[:], network.std[:] = record["mean"], record["std"]
    for name, array in network.parameters.items():
        array[...] = record[name]
    return network
