"""Tables in plain text, and how numbers are written in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MISSING = "not installed"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of columns that line up: the first one to the left, others to the right."""
    words = [tuple(heads), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*words, strict=True)]
    lines = ["  ".join(f"{word:{'>' if place else '<'}{width}}" for place, (word, width)
                       in enumerate(zip(row, widths, strict=True))).rstrip()
             for row in words]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def title(text: str) -> list[str]:
    """A heading with a line below it."""
    return ["", text, "=" * len(text)]


def milliseconds(seconds: float) -> str:
    """Three digits, or all those before the point: 0.0123, 1.23, 1,234."""
    value = 1000 * seconds
    digits = 4 if value < 0.1 else 3 if value < 1 else 2 if value < 10 else (
        1 if value < 100 else 0)
    return f"{value:,.{digits}f}"


def ratio(value: float) -> str:
    """How many times as long one takes as the other."""
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
