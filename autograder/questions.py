"""What a hidden test is: inputs, an oracle, a tolerance, known mistakes.

A question is data. The judge draws its cases from a seed, sends the inputs to
the student's process, and compares what comes back with the oracle, outside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Cases = Callable[[np.random.Generator], Sequence["Case"]]


@dataclass(frozen=True)
class Case:
    """One call of the student's function.

    Arguments are numpy arrays, ints, floats, strings, None, or tuples of ints.
    An array keeps its memory layout on its way to the student: what is
    non-contiguous here is non-contiguous there.
    """

    about: str  # for people: "a 7x9x3 image, four 3x2 filters, stride 2"
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    refused: bool = False  # the right answer is to raise ValueError


@dataclass(frozen=True)
class Misconception:
    """A known wrong implementation, and the hint for who wrote it."""

    name: str  # "flipped_filter"
    hint: str  # "Your output is what you get when ..."
    wrong: Callable[..., Any]  # same arguments as the student's function


@dataclass(frozen=True)
class Question:
    """A graded question: all of its cases right, or no points."""

    name: str  # the grade_id of its cell: "conv2d_forward_values"
    function: str  # the student's function: "conv2d_forward"
    points: float
    checked: str  # what is checked, in words, shown to the student
    cases: Cases
    oracle: Callable[..., Any]  # float64; shares no code with convlab.layers
    misconceptions: tuple[Misconception, ...] = ()
    rtol: float = 1e-3
    atol: float = 1e-4
    dtype: bool = False  # the answer must have the oracle's dtype as well
    seconds: float = 30.0  # the longest that one call may take
    speed: Speed | None = None  # judged as well, once the values are right
    bonus: bool = False  # extra credit: its cell has 0 points in the notebook
    carried: bool = False  # the function of an earlier assignment, called alone
    # Judged by held-back images instead: the part to be right, by data set.
    accuracy: Mapping[str, float] | None = None

    @property
    def cell_points(self) -> float:
        """The points of its cell: what counts towards the maximum."""
        return 0 if self.bonus else self.points


@dataclass(frozen=True)
class Speed:
    """How fast is fast enough: a ratio to a baseline timed in the same minute.

    `case` draws the timed input; `baseline` runs in the grader on the same
    input. The best of `tries` student times must be at most `times_slower`
    times the best baseline time. The bound is generous, and missed bounds are
    measured again, so that a busy machine costs nobody a point.
    """

    case: Callable[[np.random.Generator], Case]
    baseline: Callable[..., Any]
    times_slower: float
    tries: int = 5


@dataclass(frozen=True)
class Check:
    """A public check: what a student runs while working.

    Its cases, the expected outputs and each misconception's outputs are
    written into convlab/checks/cases as data, so that neither a right nor a
    wrong implementation stands in a student's kit as code.
    """

    name: str  # "ps2/conv2d_forward"
    function: str
    cases: Cases
    oracle: Callable[..., Any]
    misconceptions: tuple[Misconception, ...] = ()
    rtol: float = 1e-3
    atol: float = 1e-4
    dtype: bool = False
