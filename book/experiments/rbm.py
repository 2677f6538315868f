"""Restricted Boltzmann machines, and deep autoencoders that begin as a stack of them.

After Hinton and Salakhutdinov 2006 and their published settings: one step of
contrastive divergence, probabilities in the place of reconstructed pixels, a code
layer of linear units with noise. Plain NumPy, in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from book.experiments.networks import SAYS, Layer, Network, sigmoid


@dataclass(eq=False)
class Rbm:
    """Weights w (H, V) between H hidden and V visible units, their biases b and a.

    kind: of the hidden units, "sigmoid" (they are 0 or 1) or "linear" (any number,
    with normal noise of variance 1).
    """

    w: np.ndarray
    b: np.ndarray
    a: np.ndarray
    kind: str = "sigmoid"

    def up(self, v: np.ndarray) -> np.ndarray:
        """What the hidden units expect, (N, H), from visible ones v (N, V).

        The probability of being 1, or the mean where they are linear.
        """
        return SAYS[self.kind](v @ self.w.T + self.b)

    def down(self, h: np.ndarray) -> np.ndarray:
        """The probabilities of the visible units, (N, V), from hidden ones (N, H)."""
        return sigmoid(h @ self.w + self.a)

    def draw(self, expected: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Hidden states: 1 where uniform noise is below the probability, else 0.

        For linear units: the mean plus normal noise.
        """
        if self.kind == "linear":
            return expected + noise
        return (noise < expected).astype(expected.dtype)


@dataclass(frozen=True, eq=False)
class Contrast:
    """One step of contrastive divergence, up, down and up again."""

    v0: np.ndarray  # the data
    p0: np.ndarray  # hidden probabilities for the data
    h0: np.ndarray  # states drawn from them
    v1: np.ndarray  # the reconstruction
    p1: np.ndarray  # hidden probabilities for that

    def changes(self) -> dict[str, np.ndarray]:
        """Which way w, b and a go: met with the data, less met when dreaming."""
        n = len(self.v0)
        return {"w": (self.p0.T @ self.v0 - self.p1.T @ self.v1) / n,
                "b": (self.p0 - self.p1).mean(axis=0),
                "a": (self.v0 - self.v1).mean(axis=0)}


def contrast(rbm: Rbm, v0: np.ndarray, noise: np.ndarray) -> Contrast:
    """Up, down, up: from data v0 (N, V), with the noise (N, H) given."""
    p0 = rbm.up(v0)
    h0 = rbm.draw(p0, noise)
    v1 = rbm.down(h0)
    return Contrast(v0, p0, h0, v1, rbm.up(v1))


def train_rbm(
    v: np.ndarray, hidden: int, rng: np.random.Generator, *, epochs: int, rate: float,
    kind: str = "sigmoid", batch: int = 20, decay: float = 2e-4,
) -> Rbm:
    """A machine for data v (N, V), numbers from 0 to 1, by contrastive divergence.

    Weights begin near 0. Momentum is 0.5 for five epochs, then 0.9.
    """
    rbm = Rbm(0.1 * rng.normal(size=(hidden, v.shape[1])), np.zeros(hidden),
              np.zeros(v.shape[1]), kind)
    speed = {name: np.zeros_like(getattr(rbm, name)) for name in "wba"}
    draw = rng.normal if kind == "linear" else rng.uniform
    for epoch in range(epochs):
        order = rng.permutation(len(v))
        for start in range(0, len(v), batch):
            some = v[order[start:start + batch]]
            change = contrast(rbm, some, draw(size=(len(some), hidden))).changes()
            change["w"] -= decay * rbm.w
            for name, velocity in speed.items():
                velocity *= 0.5 if epoch < 5 else 0.9
                velocity += rate * change[name]
                parameter = getattr(rbm, name)
                parameter += velocity
    return rbm


def pretrain(
    x: np.ndarray, sizes: Sequence[int], rng: np.random.Generator, *, epochs: int,
    rate: float, code_rate: float,
) -> list[Rbm]:
    """A stack of machines: each learns what the one below it says to the data.

    sizes: of the hidden layers, the code last; the code's units are linear, and
    learn at code_rate.
    """
    stack = []
    for size in sizes:
        code = size is sizes[-1] and len(stack) == len(sizes) - 1
        stack.append(train_rbm(
            x, size, rng, epochs=epochs, rate=code_rate if code else rate,
            kind="linear" if code else "sigmoid"))
        x = stack[-1].up(x)
    return stack


def unrolled(stack: Sequence[Rbm]) -> Network:
    """The autoencoder that a stack begins: up through it, and down again.

    Each machine's weights are used twice, then each copy learns for itself.
    """
    encoder = [Layer(rbm.w.copy(), rbm.b.copy(), rbm.kind) for rbm in stack]
    decoder = [Layer(rbm.w.T.copy(), rbm.a.copy()) for rbm in reversed(stack)]
    return encoder + decoder
