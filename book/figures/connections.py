"""Figures of which output looks at which input, and with whose weight."""

from __future__ import annotations

from collections.abc import Sequence

from convlab.arithmetic import SizeError, output_size

from . import palette
from .numbers import signed
from .svg import SMALL, Canvas, Drawing

BOX = 22
PITCH = 38
KINDS = {
    "full": "every output looks at every input",
    "local": "every output looks at its neighbourhood",
    "shared": "the same neighbourhood weights everywhere",
}
LETTERS = "abcdefg"
CELL = 24


def windows(n: int, f: int) -> list[range]:
    """Which of n inputs each output of a filter of f weights looks at."""
    return [range(place, place + f) for place in range(output_size(n, f))]


def weights(kind: str, n: int, f: int) -> list[list[int | None]]:
    """weights[output][input]: which weight joins the two, None where none does.

    full: one for each pair; local: one for each pair within a window; shared:
    the filter's, counted from 0.
    """
    if kind not in KINDS:
        raise SizeError(f"connections are {', '.join(KINDS)}, got {kind!r}")
    table = []
    for place, window in enumerate(windows(n, f)):
        own = {"full": [place * n + i for i in range(n)],
               "local": [place * f + i - place if i in window else None
                         for i in range(n)],
               "shared": [i - place if i in window else None for i in range(n)]}
        table.append(own[kind])
    return table


def distinct(table: Sequence[Sequence[int | None]]) -> int:
    """How many different weights a table of them has."""
    return len({w for row in table for w in row if w is not None})


def wires(kind: str, n: int, f: int) -> Drawing:
    """n inputs, the outputs above them, and a line for each weight between two."""
    table = weights(kind, n, f)
    shown = len(table) // 2  # the output whose lines stand out
    colours = palette.FILTERS
    if kind == "shared" and f > len(colours):
        raise SizeError(f"the figure has colours for {len(colours)} weights, got {f}")
    side = 14
    canvas = Canvas(int(2 * side + (n - 1) * PITCH + BOX), 190)
    top, bottom = 34, 126
    shift = (n - len(table)) * PITCH / 2
    at = [side + i * PITCH for i in range(n)]
    out = [side + shift + k * PITCH for k in range(len(table))]
    canvas.text(canvas.width / 2, 18, _title(kind), bold=True)
    for k, row in enumerate(table):
        for i, weight in enumerate(row):
            if weight is None:
                continue
            strong = k == shown or kind == "shared"
            paint = (colours[weight] if kind == "shared" else
                     palette.FILTER if k == shown else None)
            canvas.line((at[i] + BOX / 2, bottom), (out[k] + BOX / 2, top + BOX), paint,
                        stroke=2 if strong else 1, opacity=1 if strong else 0.35)
    for k, x in enumerate(out):
        canvas.box(x, top, BOX, BOX, palette.OUTPUT,
                   fill=0.7 if k == shown else 0.25)
    for x in at:
        canvas.box(x, bottom, BOX, BOX, palette.INPUT, fill=0.25)
    lines = sum(weight is not None for row in table for weight in row)
    canvas.text(canvas.width / 2, bottom + 46,
                f"{lines} lines, {distinct(table)} weights")
    return canvas.finish(
        f"{n} boxes in a row, the inputs, and {len(table)} boxes above them, the "
        f"outputs: {KINDS[kind]}. There are {lines} lines between them, with "
        f"{distinct(table)} different weights.")


def _title(kind: str) -> str:
    return {"full": "fully connected", "local": "local",
            "shared": "local and shared"}[kind]


def weight_table(kind: str, n: int, f: int) -> Drawing:
    """The weights as a table, a row an output; kind is full or shared."""
    if kind not in ("full", "shared"):
        raise SizeError(f"a table of weights is full or shared, got {kind!r}")
    table = weights(kind, n, f)
    if kind == "shared" and f > min(len(LETTERS), len(palette.FILTERS)):
        raise SizeError(f"the figure has no letters for a filter of {f} weights")
    canvas = Canvas(20 + n * CELL, 58 + len(table) * CELL)
    canvas.text(canvas.width / 2, 18, _title(kind) if kind == "full" else "a filter",
                bold=True)
    for k, row in enumerate(table):
        for i, weight in enumerate(row):
            x, y = 10 + i * CELL, 28 + k * CELL
            if weight is None:
                canvas.box(x, y, CELL, CELL, palette.PADDING, fill=0.04, stroke=0.6)
                text = "0"
            elif kind == "full":
                canvas.box(x, y, CELL, CELL, palette.INPUT, fill=0.2, stroke=1)
                text = str(weight + 1)
            else:
                canvas.box(x, y, CELL, CELL, palette.FILTERS[weight], fill=0.45,
                           stroke=1)
                text = LETTERS[weight]
            canvas.text(x + CELL / 2, y + 16, text, SMALL)
    count = distinct(table)
    canvas.text(canvas.width / 2, 28 + len(table) * CELL + 20, f"{count} weights")
    if kind == "full":
        told = "Every cell has a number of its own"
    else:
        told = (f"The letters {', '.join(LETTERS[:f])} stand along a diagonal, in each "
                "row one column further to the right; every other cell is 0")
    return canvas.finish(
        f"A table of {len(table)} rows, one an output, and {n} columns, one an input. "
        f"{told}: {count} different weights.")


def slid(x: Sequence[float], w: Sequence[float]) -> list[float]:
    """The one-dimensional activation map of a filter at stride 1."""
    return [sum(x[i] * w[i - place] for i in window)
            for place, window in enumerate(windows(len(x), len(w)))]


def moved(x: Sequence[float], w: Sequence[float], by: int) -> Drawing:
    """A row of numbers and its map, and the same after the row is moved `by` places.

    The row needs zeros at both ends, so that nothing is lost at an edge.
    """
    if not 0 < by < len(x) or any(x[-by:]) or any(x[:len(w) - 1]):
        raise SizeError(f"moving {list(x)} by {by} would lose more than zeros: it "
                        f"needs {len(w) - 1} of them left and {by} right")
    shifted = [0] * by + list(x[:-by])
    rows = [("input", x, palette.INPUT), ("map", slid(x, w), palette.OUTPUT),
            ("moved input", shifted, palette.INPUT),
            ("its map", slid(shifted, w), palette.OUTPUT)]
    cell, left = 30, 114
    canvas = Canvas(left + len(x) * cell + 8, 232)
    canvas.text(8, 20, "filter", anchor="start", bold=True)
    for k, value in enumerate(w):
        canvas.box(left + k * cell, 4, cell, 24, palette.FILTER, fill=0.3, stroke=1)
        canvas.text(left + (k + 0.5) * cell, 21, signed(value))
    for row, (name, values, paint) in enumerate(rows):
        y = 50 + row * 36 + (30 if row > 1 else 0)
        canvas.text(8, y + 18, name, anchor="start", bold=row % 2 == 0)
        inset = (len(x) - len(values)) * cell / 2
        for k, value in enumerate(values):
            canvas.box(left + inset + k * cell, y, cell, 26, paint,
                       fill=0.5 if value else 0.1, stroke=1)
            canvas.text(left + inset + (k + 0.5) * cell, y + 18, signed(value))
    plain = [", ".join(map(str, values)) for _, values, _ in rows]
    return canvas.finish(
        f"A filter of weights {', '.join(map(str, w))}. The input {plain[0]} gives the "
        f"map {plain[1]}. Moved to the right by {by}, the input {plain[2]} gives the "
        f"map {plain[3]}: the same numbers, moved by {by} too.")
