"""Contenders timed in turn, so that what else the machine does strikes them alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

# BLAS's and OpenMP's threads go on spinning for a while after a call, on the cores
# that the next contender needs: OpenBLAS's for up to 2**26 ticks of the processor,
# about 26 ms at 2.6 GHz, GNU OpenMP's for a few milliseconds. Between two contenders
# nothing runs for that long. Within a sample each has its own threads as it likes
# them, awake, as in a training.
REST = 0.03  # seconds
SAMPLE = 0.02  # seconds that a sample shall take at least

Call = Callable[[], object]


def in_turn(contenders: Mapping[str, Call], repeats: int, rest: float = REST,
            sample: float = SAMPLE, after: Callable[[], object] = lambda: None
            ) -> dict[str, list[float]]:
    """Seconds a call of each contender: A B C A B C ..., `repeats` times.

    Before the first round each is called once, to be compiled, and once more, to
    learn how many calls make a sample: those shorter than `sample` are repeated
    until they fill it, after one call that is not counted and brings data and
    threads back; the median of these calls is the round's time. `after` is called
    after each round (a progress bar).
    """
    calls = {}
    for name, call in contenders.items():
        call()
        calls[name] = max(1, math.ceil(sample / max(seconds_of(call), 1e-9)))
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, call in contenders.items():
            time.sleep(rest)
            if calls[name] > 1:
                call()
            times[name].append(median([seconds_of(call) for _ in range(calls[name])]))
        after()
    return times


def seconds_of(call: Call) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median(times: Sequence[float]) -> float:
    return statistics.median(times)


def both(forward: Sequence[float], backward: Sequence[float]) -> list[float]:
    """Forward and backward together, round by round."""
    return [f + b for f, b in zip(forward, backward, strict=True)]


def geometric_mean(ratios: Iterable[float]) -> float:
    """The mean for ratios: that of x and 1/x is 1."""
    return math.exp(statistics.fmean(map(math.log, ratios)))
