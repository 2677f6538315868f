"""Is a function fast enough? By the grader's clock, as a ratio, on fresh inputs.

The student's time runs from sending the inputs until the whole answer is here,
so nothing in the student's process can stop the clock early. What carrying
the arrays costs is measured too, and allowed on top. While the baseline is
timed, the student's process stands still.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder import wire
from autograder.questions import Case, Speed
from convlab.checks.layout import copied

ROUNDS = 3  # a missed bound is measured again: a busy machine costs nobody
PAUSE = 0.5  # seconds before it is measured again
SLACK = 0.002  # seconds: less than this nobody can tell apart


@dataclass(frozen=True)
class Timing:
    """The best times in seconds, and what was returned at the last try."""

    fast: bool
    student: float
    allowed: float
    baseline: float
    case: Case
    answer: Any

    @property
    def explanation(self) -> str:
        return (f"Its best time was {_ms(self.student)}, ours {_ms(self.baseline)} "
                f"on the same inputs; {_ms(self.allowed)} would have been enough.")


def measure(
    speed: Speed,
    random: np.random.Generator,
    call: Callable[[Case], tuple[Any, float]],
    frozen: Callable[[], AbstractContextManager[None]],
) -> Timing:
    """Time the student's function against the baseline until it is fast enough.

    `call` gives the student's answer to a case and the seconds it took. The
    answer of the try that was fast enough comes back, for its value must be
    right as well.
    """
    best = base = carry = math.inf
    _timed(speed.baseline, speed.case(random))  # compiles
    for attempt in range(ROUNDS * speed.tries):
        if attempt and attempt % speed.tries == 0:
            time.sleep(PAUSE)
        case = speed.case(random)
        with frozen():
            value, seconds = _timed(speed.baseline, case)
            base = min(base, seconds)
            crossing = (case.args, tuple(case.kwargs.values()), value)
            carry = min(carry, _carrying(crossing))
        answer, seconds = call(case)
        best = min(best, seconds)
        allowed = speed.times_slower * base + 2 * carry + SLACK
        if seconds <= allowed:
            return Timing(True, best, allowed, base, case, answer)
    return Timing(False, best, allowed, base, case, answer)


def _timed(function: Callable[..., Any], case: Case) -> tuple[Any, float]:
    args, kwargs = copied(case.args), copied(dict(case.kwargs))
    began = time.perf_counter()
    value = function(*args, **kwargs)
    return value, time.perf_counter() - began


def _carrying(values: tuple[Any, ...]) -> float:
    """Seconds to turn inputs and answer into bytes and back, once."""
    began = time.perf_counter()
    for value in values:
        encoder = wire.Encoder()
        tree = encoder.encode(value)
        wire.decode(tree, b"".join(encoder.chunks))
    return time.perf_counter() - began


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
