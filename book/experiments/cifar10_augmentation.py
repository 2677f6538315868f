"""Chapter "Training on CIFAR-10": few photographs, as they are and changed.

The same small network learns from the same photographs three times: as they are,
mirrored at random, mirrored and shifted at random.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from book.experiments.trained import trained
from convlab import data
from convlab.recipes import Setup
from convlab.training import Recipe

DATA = ("CIFAR-10, 5,000 training photographs to learn from and 5,000 others held "
        "out, no test photographs")
SEED = 0
PHOTOGRAPHS = 10_000
SETUP = Setup(
    "CONV{16}-RELU-POOL-CONV{32}-RELU-POOL-CONV{64}-RELU-POOL-FC-RELU,SOFTMAX",
    Recipe(epochs=20, learning_rate=0.05, held_out=PHOTOGRAPHS // 2))
WAYS = {"as they are": {}, "mirrored": {"flip": True},
        "mirrored and shifted": {"flip": True, "shift": 2}}


def run(seed: int) -> dict[str, Any]:
    """The settings, and the history of each way."""
    whole = data.load("cifar10")
    first = slice(PHOTOGRAPHS)
    # A test image has to be there, and its score is not recorded.
    part = replace(
        whole, train_images=whole.train_images[first],
        train_labels=whole.train_labels[first],
        test_images=whole.test_images[:1], test_labels=whole.test_labels[:1])
    histories = {
        way: trained(part, replace(SETUP, recipe=replace(SETUP.recipe, **changes)),
                     seed).result.history
        for way, changes in WAYS.items()}
    return {"architecture": SETUP.architecture, "recipe": asdict(SETUP.recipe),
            "learned_from": PHOTOGRAPHS - SETUP.recipe.held_out,
            "histories": histories}
