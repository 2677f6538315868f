"""How the gradient fades on its way back through a deep network, on real digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from book.experiments.networks import (
    cross_entropy,
    deltas,
    error_delta,
    forward,
    random_network,
)
from convlab.data import digits

IMAGES = 200
UNITS = 30
CLASSES = 10
SEEDS = 5


def fading(kind: str, spread: Callable[[int, int], float], hidden: int,
           seeds: int = SEEDS) -> np.ndarray:
    """The mean size of delta in each hidden layer, the first one first: (hidden,).

    Networks of `hidden` layers of one kind, with random weights of that spread (see
    random_network), shown digits; a mean over units, images and networks.
    """
    data = digits.load()
    x = data.train_images[:IMAGES].reshape(IMAGES, -1) / 255.0
    target = np.eye(CLASSES)[data.train_labels[:IMAGES]]
    sizes = (x.shape[1], *[UNITS] * hidden, CLASSES)
    found = np.zeros(hidden)
    for seed in range(seeds):
        network = random_network(np.random.default_rng(seed), sizes, spread,
                                 [kind] * hidden + ["sigmoid"])
        activations = forward(network, x)
        last = error_delta(activations, target, cross_entropy, "sigmoid")
        found += [np.abs(d).mean() for d in deltas(network, activations, last)[:-1]]
    return found / seeds
