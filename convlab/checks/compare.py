"""Where an answer differs from the expected one, in words.

One piece of code for the checks a student runs and for the grader, so that
both say the same about the same answer.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

AXES = {
    1: ("index",),
    2: ("row", "column"),
    3: ("row", "column", "channel"),
    4: ("image", "row", "column", "channel"),
}
LONGEST = 60  # characters shown of a value that is not a number


@dataclass(frozen=True)
class Difference:
    """How an answer differs from the expected one."""

    message: str  # one or two sentences
    where: np.ndarray | None = None  # bool, the expected shape: True = wrong
    part: int | None = None  # which of a tuple's values this is about, from 0


def difference(
    expected: Any,
    got: Any,
    rtol: float = 1e-3,
    atol: float = 1e-4,
    dtype: bool = False,
) -> Difference | None:
    """None where got is right, else what is different.

    expected: an int, a float, an array, or a tuple of these.
    got: anything; a 0-d array counts as a number.
    Two numbers are the same where |got - expected| <= atol + rtol |expected|.
    An expected int wants a whole number of an integer type. With dtype, an
    array must have the dtype of the expected one as well.
    """
    if got is None:
        return Difference(
            f"Expected {describe(expected)}, got None: is the `return` missing?")
    if isinstance(expected, tuple):
        return _tuples(expected, got, rtol, atol, dtype)
    if np.ndim(expected) == 0:
        return _numbers(expected, got, rtol, atol)
    return _arrays(np.asarray(expected), got, rtol, atol, dtype)


def describe(value: Any) -> str:
    """A value in a few words: "an array of shape (5, 7), float32"."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}, {value.dtype}"
    if isinstance(value, (np.ndarray, np.generic)):
        return f"the {value.dtype} number {_short(value.item())}"
    if isinstance(value, (bool, int, float, complex)):
        return f"the {type(value).__name__} {_short(value)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _short(value: Any) -> str:
    text = repr(value)
    if isinstance(value, float):
        text = f"{value:.1f}" if value.is_integer() else f"{value:.6g}"
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _tuples(expected, got, rtol, atol, dtype) -> Difference | None:
    if not isinstance(got, tuple) or len(got) != len(expected):
        return Difference(
            f"Expected a tuple of {len(expected)}, got {describe(got)}.")
    for number, (one, other) in enumerate(zip(expected, got, strict=True), start=1):
        found = difference(one, other, rtol, atol, dtype)
        if found:
            return Difference(f"Of what is returned, number {number}: "
                              f"{found.message}", found.where, number - 1)
    return None


def _numbers(expected, got, rtol, atol) -> Difference | None:
    if not _is_numeric(got):
        return Difference(f"Expected one number, got {describe(got)}.")
    if np.ndim(got):
        return Difference(
            f"Expected one number, got an array of shape {np.shape(got)}.")
    wanted, answer = np.asarray(expected)[()], np.asarray(got)[()]
    whole = np.issubdtype(wanted.dtype, np.integer)
    if whole and answer.dtype == np.bool_:
        return Difference(f"Expected {wanted}, got {answer}.")
    if whole and not np.issubdtype(answer.dtype, np.integer) and answer == wanted:
        return Difference(
            f"Expected the int {wanted}, got {describe(got)}: the value is "
            "right, but a count must be a whole number of type int.")
    if whole and answer != wanted:
        return Difference(f"Expected {wanted}, got {_short(answer.item())}.")
    if not _close(wanted, answer, rtol, atol):
        return Difference(f"Expected {_short(float(wanted))}, got "
                          f"{_short(answer.item())}.")
    return None


def _arrays(expected, got, rtol, atol, dtype) -> Difference | None:
    if not isinstance(got, np.ndarray):
        return Difference(f"Expected an array of shape {expected.shape}, got "
                          f"{describe(got)}.")
    if not _is_numeric(got) or np.iscomplexobj(got):
        return Difference(f"Expected numbers of dtype {expected.dtype}, got "
                          f"dtype {got.dtype}.")
    got = np.asarray(got)  # no matrix, no mask
    if got.shape != expected.shape:
        return Difference(_shapes(expected, got, rtol, atol))
    wrong = ~_close(expected, got, rtol, atol)
    if wrong.any():
        return Difference(_values(expected, got, wrong, rtol, atol), wrong)
    if dtype and got.dtype != expected.dtype:
        return Difference(
            f"The values are right, but the dtype is not: expected "
            f"{expected.dtype}, got {got.dtype}.")
    return None


def _is_numeric(value: Any) -> bool:
    if isinstance(value, (bool, int, float)):
        return True
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc"


def _close(expected, got, rtol: float, atol: float):
    """Elementwise; NaN and infinity are right only where they are expected.

    No right answer holds NaN, but that of a known mistake may: 0/0.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(np.asarray(got, dtype=np.float64) - expected)
        same = off <= atol + rtol * np.abs(expected)
    finite = np.isfinite(got) & np.isfinite(expected)
    nans = np.isnan(got) & np.isnan(expected)
    return (same & finite) | (got == expected) | nans


def _shapes(expected, got, rtol, atol) -> str:
    text = f"Expected shape {expected.shape}, got {got.shape}."
    if got.size == expected.size and got.shape == expected.shape[1:]:
        return text + " The axis of the images is missing."
    if sorted(got.shape) != sorted(expected.shape):
        return text
    order = _reordering(expected, got, rtol, atol)
    if order is None:
        return text + " The same sizes in another order: are axes swapped?"
    return (text + " The values are right, but the axes are in another order: "
            f"what you return is the right answer transposed {order}.")


def _values(expected, got, wrong, rtol, atol) -> str:
    order = _reordering(expected, got, rtol, atol)
    if order is not None:
        return ("The values are right, but the axes are in another order: what "
                f"you return is the right answer transposed {order}.")
    unusual = _count_unusual(expected, got)
    many = (f"All {wrong.size} values are wrong" if wrong.all() else
            f"{wrong.sum()} of {wrong.size} values are wrong")
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(got.astype(np.float64) - expected)
    off[~wrong] = -1
    place = np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)),
                             off.shape)
    return (f"{many}{unusual}. The largest difference is at {_place(place)}: "
            f"expected {expected[place]:.6g}, got {got[place]:.6g}.")


def _count_unusual(expected, got) -> str:
    """", 3 of them NaN": what is not a number where one was expected."""
    nans = np.isnan(got).sum()
    infinite = (np.isinf(got) & ~np.isinf(expected)).sum()
    parts = [f"{n} of them {name}" for n, name in
             ((nans, "NaN"), (infinite, "infinite")) if n]
    return "".join(f", {part}" for part in parts)


def _reordering(expected, got, rtol, atol) -> tuple[int, ...] | None:
    """The order of axes with which expected.transpose(order) is got."""
    if expected.ndim > 4:
        return None
    for order in itertools.permutations(range(expected.ndim)):
        turned = expected.transpose(order)
        if (order != tuple(range(expected.ndim)) and turned.shape == got.shape
                and _close(turned, got, rtol, atol).all()):
            return order
    return None


def _place(place: tuple[int, ...]) -> str:
    names = AXES.get(len(place)) or [f"axis {axis}" for axis in range(len(place))]
    pairs = zip(names, place, strict=True)
    return ", ".join(f"{name} {index}" for name, index in pairs)
