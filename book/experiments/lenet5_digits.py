"""Chapter "From LeNet-5 to AlexNet": a network like LeNet-5 on real digits.

Scikit-learn's digits are 8x8. Each pixel becomes a block of 3x3, and a dark border
of 4 goes around it: 32x32 with room around the digit, as LeNet-5 wants it. The
layers are the course's own, with two of LeNet-5's peculiarities put around them: the
scaled tanh in the place of the ReLU, and the table that says which maps of S2 each map
of C3 sees. Pooling is a plain average, and the output is ten scores and a softmax.

The question: what do tanh and ReLU, everything else equal, make of it? Each gets the
learning rate that does best for it on training digits held out for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from book.experiments.trained import half_precision
from convlab import layers
from convlab.data import Dataset, digits, hold_out
from convlab.network import Network
from convlab.published import C3_TABLE
from convlab.training import Recipe, Training

DATA = ("scikit-learn's 1,797 real 8x8 digits, enlarged to 32x32, 360 of them for "
        "testing; five runs, each with its own weights and order")
SEED = 0
RUNS = 5
ENLARGED, BORDER = 3, 4
ARCHITECTURE = ("CONV{6 size=5 pad=0}-RELU-POOL{average}-CONV{16 size=5 pad=0}-RELU"
                "-POOL{average}-FC{120}-RELU-FC{84}-RELU,SOFTMAX")
RECIPE = Recipe(epochs=12, batch_size=32, held_out=0)
RATES = (0.005, 0.01, 0.02, 0.04, 0.08)
HELD_OUT = 200
HEIGHT, SLOPE = 1.7159, 2 / 3  # LeCun et al. 1998, equation 6 and appendix A

# 1 where a filter of C3 has a weight: (16, 1, 1, 6).
C3_MASK = np.array([[[[channel in seen for channel in range(6)]]] for seen in C3_TABLE])


def run(seed: int) -> dict[str, Any]:
    """What each kind of unit came to, by its name; arrays of the first tanh network.

    rates: held-out loss by learning rate. rate: the best of them. training, test:
    lists of errors (parts of 1), one list a run, one error an epoch.
    """
    dataset = enlarged(digits.load())
    kinds: dict[str, dict[str, Any]] = {}
    first: dict[str, np.ndarray] = {}
    for kind in UNITS:
        rates = {rate: held_out_loss(dataset, kind, rate, seed) for rate in RATES}
        rate = min(rates, key=rates.get)
        runs = [learn(dataset, kind, rate, seed + number) for number in range(RUNS)]
        kinds[kind] = {
            "rates": {str(one): loss for one, loss in rates.items()}, "rate": rate,
            "training": [errors for _, errors, _ in runs],
            "test": [errors for _, _, errors in runs]}
        if not first:
            first = half_precision(runs[0][0])
    return {"architecture": ARCHITECTURE, "runs": RUNS, "epochs": RECIPE.epochs,
            "learned_from": len(dataset.train_labels),
            "tested": len(dataset.test_labels), "kinds": kinds, **first}


def enlarged(dataset: Dataset) -> Dataset:
    """Digits of 8x8 as 32x32, in the middle of a dark border."""
    return replace(dataset, train_images=enlarge(dataset.train_images),
                   test_images=enlarge(dataset.test_images))


def enlarge(images: np.ndarray) -> np.ndarray:
    """(N, 8, 8, 1) -> (N, 32, 32, 1)."""
    blocks = images.repeat(ENLARGED, axis=1).repeat(ENLARGED, axis=2)
    return np.pad(blocks, [(0, 0), (BORDER, BORDER), (BORDER, BORDER), (0, 0)])


def lenet5(kind: str, seed: int) -> Network:
    """The network with tanh or with ReLU units, its weights drawn by the seed."""
    network = Network(ARCHITECTURE, (32, 32, 1), 10, functions(kind), seed=seed)
    for name, weights in network.parameters.items():
        # Variance 2/n suits ReLUs, which stop half of what comes; tanh wants 1/n.
        if kind == "tanh" and weights.ndim > 1 and name != "scores.w":
            weights *= np.sqrt(0.5, dtype=weights.dtype)
        if weights.shape[:1] == (16,) and weights.ndim == 4:
            weights *= C3_MASK
    return network


def learn(dataset: Dataset, kind: str, rate: float, seed: int
          ) -> tuple[Network, list[float], list[float]]:
    """Train; the error on the training digits as they were learned from, and on the
    test digits, after each epoch."""
    network = lenet5(kind, seed)
    training = Training(network, dataset, replace(
        RECIPE, learning_rate=rate, seed=seed))
    tested = []
    with threadpool_limits(1, user_api="blas"):  # small products: faster on one core
        while not training.finished:
            if training.step():
                wrong = network.predict(dataset.test_images) != dataset.test_labels
                tested.append(float(wrong.mean()))
    return network, [1 - epoch["train_accuracy"]
                     for epoch in training.progress.history], tested


def held_out_loss(dataset: Dataset, kind: str, rate: float, seed: int) -> float:
    """Mean loss on training digits that were held out, at the end of a training."""
    part = hold_out(dataset, HELD_OUT, seed)
    network, _, _ = learn(part, kind, rate, seed)
    loss, _ = network.loss_and_gradients(part.test_images, part.test_labels)
    return loss


def functions(kind: str) -> dict[str, Callable]:
    """The course's layer functions, with these units and with C3's table."""
    return {name: getattr(layers, name) for name in layers.__all__} | UNITS[kind] | {
        "conv2d_backward": partial_backward}


def partial_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray, **places: int
                     ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """conv2d_backward, with no gradient where C3 has no weight: it stays 0."""
    dx, dw, db = layers.conv2d_backward(dy, x, w, **places)
    return dx, dw * C3_MASK if len(w) == len(C3_TABLE) else dw, db


def tanh_forward(x: np.ndarray) -> np.ndarray:
    """1.7159 tanh(2x/3), which is -1 at -1 and 1 at 1."""
    return (HEIGHT * np.tanh(SLOPE * x)).astype(x.dtype)


def tanh_backward(dy: np.ndarray, x: np.ndarray) -> np.ndarray:
    """dx, from the forward pass's input x."""
    return (dy * HEIGHT * SLOPE * (1 - np.tanh(SLOPE * x) ** 2)).astype(x.dtype)


UNITS: dict[str, dict[str, Callable]] = {
    "tanh": {"relu_forward": tanh_forward, "relu_backward": tanh_backward},
    "relu": {}}
