"""Fully connected networks of a few kinds of units, forward and backward.

Plain NumPy, in float64, for the chapters on the perceptron's successors and on deep
networks: small enough to be read in one sitting. A network is a list of layers, and
`activations` is a list too: the input, then what each layer says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convlab.optimisers import SGD


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-z), number by number."""
    return 1 / (1 + np.exp(-np.maximum(z, -700)))


# What a unit says to its sum z, and the slope of that, from what it says.
SAYS: dict[str, Callable] = {
    "sigmoid": sigmoid, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0),
    "linear": lambda z: z}
SLOPE: dict[str, Callable] = {
    "sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a**2,
    "relu": lambda a: (a > 0).astype(a.dtype), "linear": np.ones_like}


@dataclass(eq=False)
class Layer:
    """Weights w (K, D), biases b (K,), and the kind of the K units."""

    w: np.ndarray
    b: np.ndarray
    kind: str = "sigmoid"


Network = list[Layer]


def random_network(
    rng: np.random.Generator, sizes: Sequence[int], spread: Callable[[int, int], float],
    kinds: Sequence[str] | None = None, biases: bool = False,
) -> Network:
    """Normal weights of standard deviation spread(inputs, units), a layer a pair.

    sizes: the numbers of inputs and of each layer's units. kinds: sigmoid units
    unless given. Biases are 0, or drawn as the weights are.
    """
    network = []
    for k, (inputs, units) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        scale = spread(inputs, units)
        w = scale * rng.normal(size=(units, inputs))
        b = scale * rng.normal(size=units) if biases else np.zeros(units)
        network.append(Layer(w, b, kinds[k] if kinds else "sigmoid"))
    return network


def forward(network: Network, x: np.ndarray) -> list[np.ndarray]:
    """The activations for a batch x (N, D): x itself, then (N, K) of each layer."""
    activations = [x]
    for layer in network:
        activations.append(SAYS[layer.kind](activations[-1] @ layer.w.T + layer.b))
    return activations


def squared_error(output: np.ndarray, target: np.ndarray) -> float:
    """Half of the sum of squared differences (Rumelhart, Hinton, Williams 1986)."""
    return 0.5 * float(np.sum((output - target) ** 2))


def cross_entropy(output: np.ndarray, target: np.ndarray) -> float:
    """-sum of t ln y + (1 - t) ln(1 - y), for outputs y between 0 and 1."""
    y = np.clip(output, 1e-12, 1 - 1e-12)
    return -float(np.sum(target * np.log(y) + (1 - target) * np.log(1 - y)))


def deltas(network: Network, activations: Sequence[np.ndarray], delta: np.ndarray
           ) -> list[np.ndarray]:
    """How fast the error grows with each unit's sum: one (N, K) array a layer.

    delta (N, K) is that of the last layer; the others follow from it, backwards.
    """
    found = [delta]
    for layer, below, says in zip(network[:0:-1], network[-2::-1], activations[-2:0:-1],
                                  strict=True):
        found.append(found[-1] @ layer.w * SLOPE[below.kind](says))
    return found[::-1]


def gradients(network: Network, activations: Sequence[np.ndarray], delta: np.ndarray
              ) -> list[tuple[np.ndarray, np.ndarray]]:
    """(dw, db) of each layer, added up over the batch."""
    return [(d.T @ fed, d.sum(axis=0)) for d, fed in
            zip(deltas(network, activations, delta), activations[:-1], strict=True)]


def error_delta(activations: Sequence[np.ndarray], target: np.ndarray, error: Callable,
                kind: str) -> np.ndarray:
    """The last layer's delta for squared_error or, of sigmoid units, cross_entropy."""
    output = activations[-1]
    if error is cross_entropy:
        return output - target
    return (output - target) * SLOPE[kind](output)


def optimiser(network: Network, momentum: float = 0.0) -> SGD:
    """Gradient descent with momentum on the weights and biases, in place."""
    return SGD({f"{part}{k}": getattr(layer, part) for k, layer in enumerate(network)
                for part in "wb"}, momentum, nesterov=False)


def step(network: Network, mover: SGD, x: np.ndarray, target: np.ndarray, *,
         rate: float, error: Callable, mean: bool) -> float:
    """One step down the batch's error, summed or averaged; the error before it."""
    activations = forward(network, x)
    delta = error_delta(activations, target, error, network[-1].kind)
    found = gradients(network, activations, delta / (len(x) if mean else 1))
    mover.step({f"{part}{k}": g for k, pair in enumerate(found)
                for part, g in zip("wb", pair, strict=True)}, rate)
    return error(activations[-1], target)


def descend(network: Network, x: np.ndarray, target: np.ndarray, *, rate: float,
            steps: int, momentum: float = 0.0) -> list[float]:
    """Steps with all examples at once, on the sum of their squared errors, in place.

    Returns that error before each step, and after the last.
    """
    mover = optimiser(network, momentum)
    errors = [step(network, mover, x, target, rate=rate, error=squared_error,
                   mean=False) for _ in range(steps)]
    return [*errors, squared_error(forward(network, x)[-1], target)]


def train(network: Network, x: np.ndarray, target: np.ndarray, *, rate: float,
          epochs: int, rng: np.random.Generator, batch: int = 50,
          momentum: float = 0.9, error: Callable = cross_entropy) -> Iterator[int]:
    """Steps on the mean error of small batches, in place; gives each epoch's number.

    The order of the examples is drawn anew from rng for each epoch, and the rate
    falls in a straight line from `rate` towards 0. Nothing happens until somebody
    asks for the next epoch.
    """
    mover = optimiser(network, momentum)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch):
            some = order[start:start + batch]
            step(network, mover, x[some], target[some], error=error, mean=True,
                 rate=rate * (1 - epoch / epochs))
        yield epoch
