"""How weights move: SGD with momentum, Muon, and how the learning rate changes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from convlab.layers.threads import share

# Of the polynomial a*s + b*s**3 + c*s**5 that `orthogonalised` applies to singular
# values: Jordan's, steep at 0, so that small ones grow fast. So often it is applied.
NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315
ITERATIONS = 3


class SGD:
    """Stochastic gradient descent with momentum and weight decay.

    For each parameter p with gradient g, in place:

        g = g + weight_decay * p          (weights only, biases do not decay)
        v = momentum * v + g
        p = p - learning_rate * v                     (momentum)
        p = p - learning_rate * (g + momentum * v)    (Nesterov's)

    as in Sutskever, Martens, Dahl and Hinton 2013, with the learning rate
    outside the velocity v. `velocities` are float arrays by parameter name.
    `rates`, by parameter name, multiply the learning rate of some.
    """

    def __init__(self, parameters: Mapping[str, np.ndarray], momentum: float = 0.9,
                 nesterov: bool = True, weight_decay: float = 0.0,
                 rates: Mapping[str, float] | None = None):
        self.parameters = parameters
        self.momentum, self.nesterov = momentum, nesterov
        self.weight_decay, self.rates = weight_decay, dict(rates or {})
        self.velocities = {name: np.zeros_like(p) for name, p in parameters.items()}
        self._work = {name: (np.empty_like(p), np.empty_like(p))
                      for name, p in parameters.items()}

    def step(self, gradients: Mapping[str, np.ndarray], learning_rate: float) -> None:
        """Move every parameter once."""
        for name, p in self.parameters.items():
            g, v = gradients[name], self.velocities[name]
            # Whatever takes memory anew at each step costs time at each step.
            decayed, move = self._work[name]
            if self.weight_decay and p.ndim > 1:
                np.multiply(p, self.weight_decay, out=decayed)
                decayed += g
                g = decayed
            v *= self.momentum
            v += g
            if self.nesterov:
                np.multiply(v, self.momentum, out=move)
                move += g
                move *= learning_rate * self.rates.get(name, 1.0)
            else:
                np.multiply(v, learning_rate * self.rates.get(name, 1.0), out=move)
            p -= move


class Muon:
    """Momentum whose steps are orthogonal matrices: Muon, after Jordan et al. 2024.

    For filters p (K, ...) with gradient g, taken as matrices of K rows, in place:

        v = momentum * v + g
        p = p * sqrt(K) / |p|                 (a filter has the length 1 on average)
        p = p - learning_rate * orthogonalised(g + momentum * v)

    A plain step moves the filters most in the few directions in which nearly all
    gradients point. This one goes equally far in each direction that the gradients
    have. How long filters are must not matter, as in a layer that a NORM follows.
    `velocities` and `rates` are those of SGD.
    """

    def __init__(self, parameters: Mapping[str, np.ndarray], momentum: float = 0.8,
                 rates: Mapping[str, float] | None = None):
        self.parameters, self.momentum = parameters, momentum
        self.rates = dict(rates or {})
        self.velocities = {name: np.zeros_like(p) for name, p in parameters.items()}

    def step(self, gradients: Mapping[str, np.ndarray], learning_rate: float) -> None:
        """Move every parameter once, some in one thread and some in another."""
        # A few layers have most of the numbers: none of those begins last.
        largest_first = sorted(self.parameters, reverse=True,
                               key=lambda name: self.parameters[name].size)
        size = sum(p.size for p in self.parameters.values())
        share(self._move, len(largest_first), size, largest_first, gradients,
              learning_rate)

    def _move(self, first: int, last: int, names: list[str],
              gradients: Mapping[str, np.ndarray], learning_rate: float) -> None:
        for name in names[first:last]:
            p, g, v = self.parameters[name], gradients[name], self.velocities[name]
            v *= self.momentum
            v += g
            move = orthogonalised((g + self.momentum * v).reshape(len(p), -1))
            p *= math.sqrt(len(p)) / np.linalg.norm(p)
            move *= learning_rate * self.rates.get(name, 1.0)
            p -= move.reshape(p.shape)


def orthogonalised(matrix: np.ndarray) -> np.ndarray:
    """About the nearest matrix whose singular values are all 1; zero stays zero.

    By a few Newton-Schulz iterations, which are matrix products and nothing else.
    Singular values of at least a fiftieth of the matrix's length end between 0.68
    and 1.21, and smaller ones grow up to 40-fold: good enough for a direction.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (np.linalg.norm(wide) + np.finfo(wide.dtype).tiny)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x if wide is matrix else x.T


class Together:
    """Several optimisers of different parameters, as one."""

    def __init__(self, *optimisers: SGD | Muon):
        self.optimisers = optimisers

    @property
    def velocities(self) -> dict[str, np.ndarray]:
        return {k: v for one in self.optimisers for k, v in one.velocities.items()}

    @property
    def rates(self) -> dict[str, float]:
        return {k: rate for one in self.optimisers for k, rate in one.rates.items()}

    def step(self, gradients: Mapping[str, np.ndarray], learning_rate: float) -> None:
        """Move every parameter of each once."""
        for one in self.optimisers:
            one.step(gradients, learning_rate)


def constant(done: float) -> float:
    """The full learning rate all along."""
    return 1.0


def triangular(done: float, start: float = 0.0) -> float:
    """Up in a straight line from `start` for the first fifth, then down to 0."""
    rise = 0.2
    return (start + (1 - start) * done / rise if done < rise
            else (1 - done) / (1 - rise))


def cosine(done: float) -> float:
    """Down from the full rate to 0 along half a cosine (Loshchilov, Hutter 2017)."""
    return 0.5 * (1 + math.cos(math.pi * done))


# The part of the learning rate that is used once a part `done` (0 to 1) of all
# steps is.
SCHEDULES = {"constant": constant, "triangular": triangular, "cosine": cosine}
