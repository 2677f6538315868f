"""Rosenblatt's perceptron: its one unit that learns, and every step that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """One example shown: what the unit said, and its weights afterwards."""

    x: Numbers
    target: int
    total: float  # the sum w x + b, before
    output: int
    w: Numbers
    b: float

    @property
    def mistake(self) -> bool:
        return self.output != self.target


def fires(w: Numbers, b: float, x: Numbers) -> tuple[float, int]:
    """The sum w x + b, and 1 where it is greater than 0, else 0."""
    total = sum(weight * number for weight, number in zip(w, x, strict=True)) + b
    return total, int(total > 0)


def show(w: Numbers, b: float, x: Numbers, target: int) -> Step:
    """One example: add it to the weights, take it away, or leave them (rate 1)."""
    total, output = fires(w, b, x)
    sign = target - output
    return Step(x, target, total, output,
                tuple(weight + sign * number for weight, number in
                      zip(w, x, strict=True)), b + sign)


def learn(examples: Sequence[tuple[Numbers, int]], rounds: int,
          w: Numbers | None = None, b: float = 0) -> list[list[Step]]:
    """The steps of each round through the examples, in their order.

    Begins with w (zeros unless given) and b; stops after a round without a mistake,
    or after `rounds`.
    """
    w = w or (0,) * len(examples[0][0])
    done: list[list[Step]] = []
    while len(done) < rounds and (
            not done or any(step.mistake for step in done[-1])):
        done.append([])
        for x, target in examples:
            done[-1].append(show(w, b, x, target))
            w, b = done[-1][-1].w, done[-1][-1].b
    return done
