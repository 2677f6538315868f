"""Chapter "Pooling": three ways to halve a map, in networks that are else the same.

Max pooling, average pooling, and a convolution of 2x2 filters at stride 2 make the
same shapes of the same input. Each network learns from the same images several
times, and then sees the test images, moved a little.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from book.experiments.trained import trained
from convlab.data import Dataset, shapes
from convlab.recipes import Setup
from convlab.training import Recipe

LEARNED, TESTED = 6000, 1000
DATA = f"shapes, {LEARNED:,} training images and {TESTED:,} test images"
SEED = 0
RUNS = 2
HALVINGS = {"max": "POOL", "average": "POOL{average}",
            "convolution": "CONV{FILTERS size=2 stride=2 pad=0}-RELU"}
FILTERS = (16, 32, 64)
MOVES = (1, 2, 3, 4)
RECIPE = Recipe(epochs=12, batch_size=32, learning_rate=0.015, flip=True, held_out=0)


def run(seed: int) -> dict[str, Any]:
    """By way of halving: parameters, and a list with a number a run of each measure."""
    data = shapes.load(train=LEARNED, test=TESTED)
    return {"architectures": {name: architecture(name) for name in HALVINGS},
            "recipe": asdict(RECIPE), "runs": RUNS, "moves": list(MOVES),
            "ways": {name: measured(name, data, seed) for name in HALVINGS}}


def architecture(halving: str) -> str:
    """Three times a convolution and this way of halving, then the classifier."""
    blocks = [f"CONV{{{filters}}}-RELU-"
              + HALVINGS[halving].replace("FILTERS", str(filters))
              for filters in FILTERS]
    return "-".join([*blocks, "FC{64}-RELU,SOFTMAX"])


def measured(halving: str, data: Dataset, seed: int) -> dict[str, Any]:
    """Accuracy on the test images, and how many predictions stay as they were when
    each is moved by each of MOVES; a number a run."""
    accuracies, kept = [], []
    for each in range(RUNS):
        done = trained(data, Setup(architecture(halving), RECIPE), seed + each)
        before = done.predictions
        accuracies.append(float(np.mean(before == data.test_labels)))
        kept.append([float(np.mean(done.network.predict(moved(data.test_images, by))
                                   == before)) for by in MOVES])
    return {"parameters": sum(row.parameters for row in done.network.rows),
            "accuracies": accuracies, "kept": kept}


def moved(images: np.ndarray, by: int) -> np.ndarray:
    """Images (N, H, W, C) moved to the right; what comes in is the edge, mirrored."""
    wider = np.pad(images, ((0, 0), (0, 0), (by, 0), (0, 0)), mode="reflect")
    return wider[:, :, :images.shape[2]]
