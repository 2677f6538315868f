"""A network trained and tested: what the recorded trainings have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from convlab import layers
from convlab.data import Dataset
from convlab.network import Network
from convlab.recipes import Setup
from convlab.training import Result, train

BATCH = 500  # images sent through the network at once


@dataclass(frozen=True)
class Trained:
    """A trained network, how that went, and its scores for the test images."""

    network: Network
    setup: Setup
    result: Result
    scores: np.ndarray  # (M, classes)

    def values(self, dataset: Dataset) -> dict[str, Any]:
        """The settings and the outcome, as JSON values."""
        right = int((self.predictions == dataset.test_labels).sum())
        return {
            "architecture": self.setup.architecture,
            "recipe": asdict(self.setup.recipe),
            "parameters": sum(p.size for p in self.network.parameters.values()),
            "learned_from": len(dataset.train_labels) - self.setup.recipe.held_out,
            "tested": len(dataset.test_labels),
            "classes": list(dataset.classes),
            "history": self.result.history,
            "best_epoch": self.result.best_epoch,
            "training_seconds": round(self.result.seconds, 1),
            "test_right": right,
            "test_accuracy": right / len(dataset.test_labels),
        }

    @property
    def predictions(self) -> np.ndarray:
        """(M,) the class with the highest score."""
        return self.scores.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        """(M,) float32: the probability that the network gives its prediction."""
        scores = self.scores.astype(np.float64)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (powers.max(axis=1) / powers.sum(axis=1)).astype(np.float32)


def trained(dataset: Dataset, setup: Setup, seed: int) -> Trained:
    """Train on the data set by the setup, with this seed; the test images come last."""
    setup = replace(setup, recipe=replace(setup.recipe, seed=seed))
    network = Network(setup.architecture, dataset.image_shape, len(dataset.classes),
                      layers, seed=seed)
    with threadpool_limits(1, user_api="blas"):  # as convlab.train does
        result = train(network, dataset, setup.recipe)
        return Trained(network, setup, result, scores(network, dataset.test_images))


def scores(network: Network, images: np.ndarray) -> np.ndarray:
    """(N, classes), batch by batch."""
    return np.concatenate([network.forward(images[start:start + BATCH])
                           for start in range(0, len(images), BATCH)])


def half_precision(network: Network) -> dict[str, np.ndarray]:
    """Round what decides the scores to float16, in place; return it by name.

    Half the bytes in git, and whoever loads it has the very network that was tested.
    """
    state = {"input.mean": network.mean, "input.std": network.std,
             **network.parameters}
    for array in state.values():
        array[...] = array.astype(np.float16)
    return {name: array.astype(np.float16) for name, array in state.items()}


def rebuilt(record: Mapping[str, Any]) -> Network:
    """The network whose weights a record holds, as `half_precision` gave them."""
    shape = (32, 32, 3)  # of both data sets that the course's experiments train on
    network = Network(record["architecture"], shape, len(record["classes"]), layers)
    network.mean[...], network.std[...] = record["input.mean"], record["input.std"]
    for name, array in network.parameters.items():
        array[...] = record[name]
    return network
