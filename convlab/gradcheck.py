"""Gradients checked against numbers: central differences in float64.

    dy = rng.normal(size=y.shape)
    report = check_gradients(
        lambda x, w, b: np.sum(dy * conv2d_forward(x, w, b)),
        {"x": x, "w": w, "b": b},
        dict(zip("xwb", conv2d_backward(dy, x, w))))
    print(report)

The difference (f(a + h) - f(a - h)) / 2h is off by an amount that shrinks with
h squared, while rounding grows as 1/h: with float64 and h near 1e-5, both are
small. Where a function has a kink (ReLU at 0, a tie in max pooling) within h of
a value, the difference is no gradient: check at values away from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

# Below this part of an array's largest gradient, errors count as if the
# gradient were this large: what is nearly zero is all rounding.
FLOOR = 1e-3


@dataclass(frozen=True)
class Worst:
    """Where one array's gradient is furthest off, relative to its size."""

    name: str
    position: tuple[int, ...]
    given: float
    numerical: float
    error: float
    wrong: int  # numbers whose error is above the tolerance
    size: int


@dataclass(frozen=True)
class Report:
    """The outcome of a check; true where every error is within the tolerance."""

    worst: tuple[Worst, ...]
    tolerance: float

    def __bool__(self) -> bool:
        return all(worst.wrong == 0 for worst in self.worst)

    def __str__(self) -> str:
        return "\n".join(map(self._line, self.worst))

    def _line(self, worst: Worst) -> str:
        if not worst.wrong:
            return (f"{worst.name}: right in all {worst.size} numbers "
                    f"(largest relative error {worst.error:.1e})")
        place = ", ".join(map(str, worst.position))
        return (f"{worst.name}: wrong in {worst.wrong} of {worst.size} numbers, "
                f"furthest off at [{place}]: {worst.given:.6g}, "
                f"numerically {worst.numerical:.6g} "
                f"(relative error {worst.error:.1e}, allowed {self.tolerance:.0e})")


def numerical_gradient(
    f: Callable[[np.ndarray], float], at: np.ndarray, step: float = 1e-5
) -> np.ndarray:
    """The gradient of f, a number from an array, by each number of `at`.

    float64, the shape of `at`, which is not changed. Costs two calls of f for
    each number.
    """
    point = np.array(at, dtype=np.float64)
    gradient = np.empty_like(point)
    for position in np.ndindex(point.shape):
        value = point[position]
        point[position] = value + step
        above = _number(f(point))
        point[position] = value - step
        below = _number(f(point))
        point[position] = value
        gradient[position] = (above - below) / (2 * step)
    return gradient


def _number(value: object) -> float:
    if np.shape(value) != ():
        raise ValueError(
            f"f must give one number, it gave an array of shape {np.shape(value)}: "
            "sum it, times the gradient dy of what comes after")
    return float(value)


def relative_error(given: np.ndarray, numerical: np.ndarray) -> np.ndarray:
    """|given - numerical|, over the larger of the two, element by element.

    What is below FLOOR times the largest number of the array is divided by
    that instead. Not-a-number counts as infinitely wrong.
    """
    given, numerical = (np.asarray(a, np.float64) for a in (given, numerical))
    size = np.maximum(np.abs(given), np.abs(numerical))
    floor = max(FLOOR * np.max(np.abs(numerical), initial=0), np.finfo(float).tiny)
    error = np.abs(given - numerical) / np.maximum(size, floor)
    return np.where(np.isnan(error), np.inf, error)


def check_gradients(
    f: Callable[..., float], arrays: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray], tolerance: float = 1e-5,
    step: float = 1e-5,
) -> Report:
    """Compare gradients of f(**arrays) with central differences.

    `gradients` holds those to check, under the names of `arrays`; f is called
    with float64 copies. Raises ValueError for a name that f does not take and
    for a gradient whose shape is not its array's.
    """
    point = {name: np.array(a, dtype=np.float64) for name, a in arrays.items()}
    worst = []
    for name, given in gradients.items():
        if name not in point:
            raise ValueError(f"{name} is not one of {', '.join(point)}")
        if np.shape(given) != point[name].shape:
            raise ValueError(
                f"the gradient by {name} has shape {np.shape(given)}, "
                f"but {name} has shape {point[name].shape}")
        numerical = numerical_gradient(
            lambda a, name=name: f(**{**point, name: a}), point[name], step)
        worst.append(_worst(name, np.asarray(given), numerical, tolerance))
    return Report(tuple(worst), tolerance)


def _worst(name: str, given: np.ndarray, numerical: np.ndarray, tolerance: float
           ) -> Worst:
    error = relative_error(given, numerical)
    position = np.unravel_index(error.argmax(), error.shape)
    return Worst(name, tuple(map(int, position)), float(given[position]),
                 float(numerical[position]), float(error[position]),
                 int((error > tolerance).sum()), error.size)
