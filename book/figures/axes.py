"""Axes for charts: values to pixels, with their ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .svg import SMALL, Canvas

GREY = 0.35  # how strong a grid line is


@dataclass(frozen=True)
class Axis:
    """From `low` at pixel `start` to `high` at pixel `end`; evenly, or by factors."""

    low: float
    high: float
    start: float
    end: float
    by_factors: bool = False

    def __call__(self, value: float) -> float:
        if self.by_factors:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def powers(values: list[float], base: int = 10) -> list[float]:
    """The powers of the base from just below the values to just above."""
    first = math.floor(math.log(min(values), base) + 1e-9)
    last = math.ceil(math.log(max(values), base) - 1e-9)
    return [float(base) ** n for n in range(first, max(last, first + 1) + 1)]


def steps(most: float, about: int = 4) -> list[float]:
    """Round numbers from 0 to the first above `most`."""
    raw = most / about
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= raw)
    return [step * n for n in range(math.ceil(most / step - 1e-9) + 1)]


def plain(value: float) -> str:
    """0.001, 10, 1,000: no exponents, no trailing zeros."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def in_bytes(value: float) -> str:
    """16384 -> "16 KiB"."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= size:
            return f"{plain(value / size)} {unit}"
    return f"{plain(value)} bytes"


def ruled(canvas: Canvas, x: Axis, y: Axis, across: list[float], up: list[float],
          write_x=plain, write_y=plain) -> None:
    """Grid lines and their labels, below and on the left."""
    for value in across:
        canvas.line((x(value), y.start), (x(value), y.end), opacity=GREY * 0.6)
        canvas.text(x(value), y.start + 18, write_x(value), SMALL)
    for value in up:
        canvas.line((x.start, y(value)), (x.end, y(value)), opacity=GREY)
        canvas.text(x.start - 8, y(value) + 4, write_y(value), SMALL, anchor="end")
