"""The trainings that `make train` runs where nothing else is asked for.

Chosen by the accuracy on held-out training images.
"""

from __future__ import annotations

from dataclasses import dataclass

from convlab.training import Recipe


@dataclass(frozen=True)
class Setup:
    """An architecture and how to train it."""

    architecture: str
    recipe: Recipe


SETUPS = {
    "cifar10": Setup(
        "[CONV-RELU-POOL]*3-(FC-RELU)*1,SOFTMAX",
        Recipe(epochs=8, learning_rate=0.05, flip=True, shift=2, held_out=5000)),
    "shapes": Setup(
        "[CONV-RELU-POOL]*3-(FC-RELU)*1,SOFTMAX",
        Recipe(epochs=10, batch_size=32, learning_rate=0.02, flip=True, shift=2,
               held_out=1000)),
    "digits": Setup(
        "[CONV{16}-RELU-POOL]*2-(FC{64}-RELU)*1,SOFTMAX",
        Recipe(epochs=20, batch_size=32, learning_rate=0.05, shift=1,
               held_out=200)),
}
