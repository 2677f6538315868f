"""Chapter "What is a ConvNet?": the small network that it reads from end to end.

Chosen to be read, not to be the best: three times CONV-RELU-POOL, then one fully
connected layer.
"""

from __future__ import annotations

from typing import Any

from book.experiments.trained import trained
from convlab import data
from convlab.data import Dataset
from convlab.recipes import Setup
from convlab.training import Recipe

DATA = "shapes, 10,000 training and 2,000 test images, drawn with seed 0"
SEED = 0
SETUP = Setup(
    "CONV{8}-RELU-POOL-CONV{16}-RELU-POOL-CONV{32}-RELU-POOL,SOFTMAX",
    Recipe(epochs=15, batch_size=32, learning_rate=0.02, flip=True, shift=2,
           held_out=1000))


def run(seed: int) -> dict[str, Any]:
    """Settings and accuracy; the weights, and the mean and standard deviation of the
    channels, by the names of `Network`; `scores` (20, 10) of the first test images."""
    return learn(data.load("shapes"), SETUP, seed)


def learn(dataset: Dataset, setup: Setup, seed: int) -> dict[str, Any]:
    """What `run` returns, for any images and any recipe."""
    done = trained(dataset, setup, seed)
    network = done.network
    return {**done.values(dataset), "scores": done.scores[:20],
            "input.mean": network.mean, "input.std": network.std,
            **network.parameters}
