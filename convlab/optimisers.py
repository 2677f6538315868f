"""How weights move: SGD with momentum, and how the learning rate changes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


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
