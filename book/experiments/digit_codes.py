"""Digits through a bottleneck of two numbers: an autoencoder begun in several ways.

The network of Hinton and Salakhutdinov 2006 in small. It is trained on the same
digits, for as many epochs, from a stack of restricted Boltzmann machines and from
random weights, beside principal components of the same number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from book.experiments.networks import Network, forward, random_network, train
from book.experiments.rbm import pretrain, unrolled
from convlab.data import digits

DATA = "scikit-learn's 1,797 handwritten digits of 8x8, 360 of them held out"
SEED = 0
SEEDS = 5
SIZES = (64, 100, 50, 25, 2)  # pixels, three hidden layers, the code
EPOCHS = 200  # through all digits, of backpropagation
PRETRAINING_EPOCHS = 50  # for each machine of the stack
BATCH = 50
LONG = 5  # times as many epochs, for the start that does not learn
# The stack has had epochs of its own before these: four machines, 50 each. So starts
# without it are also given as many more.
EQUAL = len(SIZES[1:]) * PRETRAINING_EPOCHS + EPOCHS
WHITE = 255

Start = Callable[[np.random.Generator, np.ndarray], Network]


def _kinds(hidden: str) -> list[str]:
    """Hidden layers on both sides of a linear code, and pixels from 0 to 1."""
    between = [hidden] * (len(SIZES) - 2)
    return [*between, "linear", *between, "sigmoid"]


def at_random(hidden: str, spread: Callable[[int, int], float]) -> Start:
    """Normal weights, of a standard deviation that may depend on the layer's sizes."""
    return lambda rng, x: random_network(
        rng, SIZES + SIZES[-2::-1], spread, _kinds(hidden))


def pretrained(epochs: int = PRETRAINING_EPOCHS) -> Start:
    """A stack of machines, trained one by one, unrolled."""
    return lambda rng, x: unrolled(pretrain(
        x, SIZES[1:], rng, epochs=epochs, rate=0.1, code_rate=0.001))


def glorot(inputs: int, units: int) -> float:
    """Glorot and Bengio 2010: variance 2 / (inputs + units)."""
    return (2 / (inputs + units)) ** 0.5


def he(inputs: int, units: int) -> float:
    """He, Zhang, Ren and Sun 2015: variance 2 / inputs."""
    return (2 / inputs) ** 0.5


# Each beginning, and the learning rates that are tried for it.
STARTS: dict[str, tuple[Start, tuple[float, ...]]] = {
    "pretrained": (pretrained(), (0.03, 0.1, 0.2)),
    "small": (at_random("sigmoid", lambda inputs, units: 0.1), (0.1, 0.2)),
    "glorot": (at_random("sigmoid", glorot), (0.1, 0.2)),
    "tanh": (at_random("tanh", glorot), (0.01, 0.02, 0.03)),
    "relu": (at_random("relu", he), (0.003, 0.005, 0.01)),
}


def per_image(reconstruction: np.ndarray, x: np.ndarray) -> float:
    """The squared differences of all pixels added up, a mean over the images."""
    return float(np.sum((reconstruction - x) ** 2) / len(x))


def principal(x: np.ndarray, held: np.ndarray, count: int
              ) -> tuple[np.ndarray, np.ndarray]:
    """PCA of x (N, D): codes (M, count) of held-out rows, and the rows from them."""
    mean = x.mean(axis=0)
    _, _, directions = np.linalg.svd(x - mean, full_matrices=False)
    codes = (held - mean) @ directions[:count].T
    return codes, codes @ directions[:count] + mean


def trained(start: Start, rate: float, seed: int, x: np.ndarray, held: np.ndarray,
            epochs: int = EPOCHS) -> tuple[Network, list[float]]:
    """The network, and its error on held-out images at first and after each epoch."""
    rng = np.random.default_rng(seed)
    network = start(rng, x)
    errors = [per_image(forward(network, held)[-1], held)]
    for _ in train(network, x, x, rate=rate, epochs=epochs, rng=rng, batch=BATCH):
        errors.append(per_image(forward(network, held)[-1], held))
    return network, errors


def best_rate(start: Start, rates: tuple[float, ...], seed: int, x: np.ndarray,
              epochs: int) -> float:
    """The rate with the smallest error on a sixth of the training images.

    A rate at which the network comes apart (not a number) is not chosen.
    """
    part = len(x) // 6
    with np.errstate(all="ignore"):
        errors = [trained(start, rate, seed, x[part:], x[:part], epochs)[1][-1]
                  for rate in rates]
    return rates[int(np.argmin(np.nan_to_num(errors, nan=np.inf)))]


def run(seed: int, starts: dict = STARTS, seeds: int = SEEDS, epochs: int = EPOCHS
        ) -> dict:
    """Errors a held-out image, by start and seed; codes and pictures of one seed.

    "equal" has the errors after as many epochs as the stack and what follows it take.
    """
    data = digits.load()
    x, held = (images.reshape(len(images), -1) / 255.0
               for images in (data.train_images, data.test_images))
    codes, components = principal(x, held, SIZES[-1])
    mean = np.broadcast_to(x.mean(axis=0), held.shape)
    found = {"rates": {}, "errors": {}, "equal": {}, "mean": per_image(mean, held),
             "pca": per_image(components, held), "labels": data.test_labels,
             "pca_codes": codes.astype(np.float32)}
    pictures = [held, components]
    for name, (start, rates) in starts.items():
        rate = found["rates"][name] = best_rate(start, rates, seed, x, epochs)
        runs = [trained(start, rate, seed + k, x, held, epochs) for k in range(seeds)]
        curves = np.array([errors for _, errors in runs])
        found["errors"][name] = curves[:, -1].round(3).tolist()
        found[f"{name}_curves"] = curves.astype(np.float32)
        activations = forward(runs[0][0], held)
        found[f"{name}_codes"] = activations[len(SIZES) - 1].astype(np.float32)
        pictures.append(activations[-1])
        if name != "pretrained":
            found["equal"][name] = [round(trained(
                start, rate, seed + k, x, held, EQUAL * epochs // EPOCHS)[1][-1], 3)
                for k in range(seeds)]
    firsts = [np.flatnonzero(data.test_labels == digit)[0] for digit in range(10)]
    found["pictures"] = np.rint(np.clip([rows[firsts] for rows in pictures], 0, 1)
                                * WHITE).astype(np.uint8)
    start = starts["small"][0]
    found["longer"] = round(trained(start, found["rates"]["small"], seed, x, held,
                                    LONG * epochs)[1][-1], 3)
    return found
