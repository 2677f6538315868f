"""Try a question on one's own function: what the source notebooks' graded cells do.

For an instructor, on trusted code, in this process. A class is graded by the
judge, which runs no student code in the process that knows the answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from autograder import hidden
from autograder.accuracy import Accuracy, NotMeasured, held_back
from autograder.comparison import answer_of, judge_answers
from autograder.questions import Speed
from convlab.checks.layout import copied


def verdict(
    assignment: str, question: str, function: Callable[..., Any], seed: int = 0,
    data: str = ""
) -> float:
    """Print what grading would say of this function; return the points.

    A step of accuracy wants a function from images to classes, and `data`.
    """
    asked = hidden.questions(assignment)[question]
    if asked.accuracy is not None:
        try:
            found = _accuracy(function, data, seed)
        except NotMeasured as error:
            print(f"{question}: {error}")
            return 0.0
        print(f"{question}: {found.words}")
        return asked.points if found.reaches(asked.accuracy[data]) else 0.0
    cases = list(asked.cases(np.random.default_rng(seed)))
    judged = judge_answers(asked, cases, [answer_of(function, one) for one in cases])
    print(judged.explanation)
    if not judged.right:
        return 0.0
    if asked.speed and not _fast_enough(asked.speed, function, seed):
        return 0.0
    return asked.points


@lru_cache(maxsize=1)
def _accuracy(predict: Callable[..., Any], data: str, seed: int) -> Accuracy:
    """Measured once for all steps, as the judge does."""
    images, labels = held_back(data, np.random.default_rng(seed))
    return Accuracy(data, int(np.sum(predict(images) == labels)), len(labels))


def _fast_enough(speed: Speed, function: Callable[..., Any], seed: int) -> bool:
    """Best time of the function against the best of the baseline, and say both."""
    case = speed.case(np.random.default_rng(seed))
    seconds = {}
    for who, run in (("yours", function), ("baseline", speed.baseline)):
        answer_of(run, case)  # compiles
        seconds[who] = min(_time(run, case) for _ in range(speed.tries))
    ratio = seconds["yours"] / seconds["baseline"]
    print(f"Speed: {seconds['yours'] * 1e3:.3g} ms, baseline "
          f"{seconds['baseline'] * 1e3:.3g} ms: {ratio:.2g} times its time, at most "
          f"{speed.times_slower:g} allowed.")
    return ratio <= speed.times_slower


def _time(function: Callable[..., Any], case) -> float:
    args, kwargs = copied(case.args), copied(dict(case.kwargs))
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start
