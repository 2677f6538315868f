"""What each trick of the layers is worth: the same work with it and without.

A trick is a function under @trick that returns the two as calls, inputs and all.
Their results are compared before they are timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from benchmarks import timing
from benchmarks.contenders import TOLERANCE, WrongResult
from benchmarks.shapes import problems
from benchmarks.tables import milliseconds, ratio, table, title
from benchmarks.timing import Call, median
from convlab import layers
from convlab.layers.threads import at_most


class Pair(NamedTuple):
    """The same work, done with a trick and without it."""

    with_it: Call
    without: Call


TRICKS: dict[str, Callable[[], Pair]] = {}


def trick(name: str) -> Callable[[Callable[[], Pair]], Callable[[], Pair]]:
    """Register what makes a pair, under the name that the table shows."""
    def register(make: Callable[[], Pair]) -> Callable[[], Pair]:
        TRICKS[name] = make
        return make
    return register


@trick("each thread computes a part of the batch (convolution forward)")
def threads() -> Pair:
    problem = problems()[-1]
    given, places = problem.inputs, problem.places
    convolve = partial(layers.conv2d_forward, given.x, given.w, given.b, *places)

    def alone() -> np.ndarray:
        with at_most(1):
            return convolve()

    return Pair(convolve, alone)


@trick("NORM and RELU in the same pass over memory (forward)")
def one_pass() -> Pair:
    x = problems()[-1].inputs.x
    gamma, beta = np.ones((2, x.shape[-1]), x.dtype)
    return Pair(
        lambda: layers.batchnorm_relu_forward(x, gamma, beta)[0],
        lambda: layers.relu_forward(layers.batchnorm_forward(x, gamma, beta)[0]))


def measure(repeats: int, tricks: Mapping[str, Callable[[], Pair]] = TRICKS,
            **timed: float) -> list[dict[str, Any]]:
    """A dict a trick; raises WrongResult where it changes what comes out."""
    found = []
    with tqdm(total=len(tricks) * repeats, unit="round", desc="tricks") as bar:
        for name, make in tricks.items():
            pair = make()
            _check(name, pair)
            times = timing.in_turn({"with": pair.with_it, "without": pair.without},
                                   repeats, after=bar.update, **timed)
            found.append({"name": name, "seconds": times})
    return found


def _check(name: str, pair: Pair) -> None:
    """The results, arrays or tuples of arrays, agree within rounding."""
    results = [value if isinstance(value, tuple) else (value,)
               for value in (pair.with_it(), pair.without())]
    for ours, plain in zip(*results, strict=True):
        off = np.abs(np.asarray(ours, np.float64) - plain).max()
        if not off <= TOLERANCE * np.abs(plain).max():
            raise WrongResult(f"with and without it, results differ by {off:.2g}: "
                              f"{name}")


def lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in found:
        with_it, without = (median(one["seconds"][key]) for key in ("with", "without"))
        rows.append((one["name"], milliseconds(with_it), milliseconds(without),
                     ratio(without / with_it)))
    return [*title("Tricks"), *table(
        ("trick", "ms with it", "without", "times as fast"), rows)]
