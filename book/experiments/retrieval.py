"""Chapter "ConvNets are everywhere": nearest neighbours of drawn shapes.

Images are looked up by another image, once by the distance between their pixels and
once by the distance between their features: the numbers after the last hidden layer
of a network. One network has learned all ten classes, one has random weights, and
one has never seen three of the classes, by which it is then asked.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from book.experiments.trained import trained
from convlab import layers
from convlab.data import Dataset, shapes
from convlab.network import Network
from convlab.recipes import Setup
from convlab.training import Recipe

LEARNED, STORED, ASKED = 6000, 1000, 300
DATA = (f"shapes, {LEARNED:,} training images to learn from; of the test images "
        f"{STORED:,} to look among and {ASKED} others to look up")
SEED = 0
NEIGHBOURS = 6  # as many as Krizhevsky et al. 2012 show, figure 4
UNSEEN = (7, 8, 9)
SETUP = Setup(
    "CONV{16}-RELU-POOL-CONV{32}-RELU-POOL-CONV{64}-RELU-POOL-FC{64}-RELU,SOFTMAX",
    Recipe(epochs=12, batch_size=32, learning_rate=0.02, flip=True, shift=2,
           held_out=0))


def run(seed: int) -> dict[str, Any]:
    """Precisions by feature space, and the trained network's features.

    features (STORED + ASKED, 64) float16: of the test images, in their order.
    """
    data = shapes.load(train=LEARNED, test=STORED + ASKED)
    untrained = Network(SETUP.architecture, data.image_shape, len(data.classes),
                        layers, seed)
    untrained.standardise(data.train_images)
    whole = trained(data, SETUP, seed)
    partial = trained(without(data, UNSEEN), SETUP, seed)
    spaces = {
        "pixels": data.test_images.reshape(STORED + ASKED, -1).astype(np.float32),
        "untrained": features(untrained, data.test_images),
        "trained": features(whole.network, data.test_images),
        "partial": features(partial.network, data.test_images)}
    unseen = np.isin(data.test_labels[STORED:], UNSEEN)
    right = {name: precisions(space, data.test_labels)
             for name, space in spaces.items()}
    return {
        "architecture": SETUP.architecture, "recipe": asdict(SETUP.recipe),
        "neighbours": NEIGHBOURS, "learned": LEARNED, "stored": STORED,
        "asked": ASKED,
        "unseen": [data.classes[label] for label in UNSEEN],
        "asked_unseen": int(unseen.sum()),
        "accuracy": float(np.mean(whole.predictions == data.test_labels)),
        "precision": {name: float(each.mean()) for name, each in right.items()},
        "precision_unseen": {
            name: float(each[unseen].mean()) for name, each in right.items()},
        "features": spaces["trained"].astype(np.float16)}


def without(data: Dataset, labels: tuple[int, ...]) -> Dataset:
    """The data set without the training images of these classes."""
    kept = ~np.isin(data.train_labels, labels)
    return replace(data, train_images=data.train_images[kept],
                   train_labels=data.train_labels[kept])


def features(network: Network, images: np.ndarray, at_once: int = 100) -> np.ndarray:
    """What goes into the layer of the scores, (N, D), for images (N, H, W, C)."""
    parts = []
    for start in range(0, len(images), at_once):
        *_, (_, hidden, _), _ = network.walk(images[start:start + at_once])
        parts.append(hidden)
    return np.concatenate(parts)


def nearest(asked: np.ndarray, stored: np.ndarray, count: int) -> np.ndarray:
    """For each row of asked (A, D), the indices (A, count) of the closest rows of
    stored (S, D), the closest first, by Euclidean distance."""
    asked, stored = asked.astype(np.float64), stored.astype(np.float64)
    squares = ((asked ** 2).sum(axis=1)[:, None] - 2 * asked @ stored.T
               + (stored ** 2).sum(axis=1))
    return np.argsort(squares, axis=1, kind="stable")[:, :count]


def precisions(space: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """For each image asked for, the part of its neighbours that are of its class.

    space (STORED + ASKED, D), labels (STORED + ASKED,): the stored ones first.
    """
    found = nearest(space[STORED:], space[:STORED], NEIGHBOURS)
    return np.mean(labels[found] == labels[STORED:, None], axis=1)
