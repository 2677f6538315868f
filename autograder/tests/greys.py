"""Ten greys, and a network that tells them apart without having been trained.

It takes the mean of an image and finds the nearest of ten means, so that tests of
the capstone have a classifier whose accuracy is known.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from autograder.tests import student_layers
from convlab import layers
from convlab.network import Network

ARCHITECTURE = "CONV{1 size=1}-RELU-POOL{32 kind=average},SOFTMAX"
LAYERS = Path(student_layers.__file__).parent


def network(architecture: str = ARCHITECTURE) -> Network:
    """With another architecture, random weights."""
    net = Network(architecture, (32, 32, 3), 10, layers)
    shades = 25.0 * np.arange(10)
    if architecture == ARCHITECTURE:
        net.parameters["conv1.w"][...] = 1 / 3
        net.parameters["scores.w"][...] = 2 * shades[:, None]
        net.parameters["scores.b"][...] = -shades ** 2
    return net


def greys(
    data: str, rng: np.random.Generator, count: int = 200
) -> tuple[np.ndarray, np.ndarray]:
    """In the place of held-back images: (count, 32, 32, 3) uint8, and labels."""
    labels = rng.integers(0, 10, count)
    images = np.empty((count, 32, 32, 3), np.uint8)
    images[...] = 25 * labels[:, None, None, None]
    return images, labels


def hand_in(folder: Path) -> None:
    """Lay what goes with a capstone's notebook: carried modules, and weights."""
    shutil.copytree(LAYERS, folder / "carried",
                    ignore=shutil.ignore_patterns("__*"))
    hand_in_weights(folder)


def hand_in_weights(folder: Path) -> None:
    """The weights alone."""
    network().save_weights(folder / "weights.npz", data="shapes", history=[
        {"epoch": 1, "loss": 0.1, "train_accuracy": 1.0, "validation_accuracy": 1.0}])
