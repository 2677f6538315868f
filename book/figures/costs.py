"""Where a network's parameters, work and memory are: one row a layer."""

from __future__ import annotations

from collections.abc import Sequence

from convlab.arithmetic import (
    Conv,
    Dense,
    Layer,
    Shape,
    SizeError,
    numbers_in,
    times,
    trace,
)

from . import palette
from .svg import SMALL, Canvas, Drawing

LABEL = 112  # pixels for a layer's name and output
COLUMN = 98  # and for each of the three columns
BAR = 46      # of a bar of 100 %
PITCH = 24


def shares(image: Shape, layers: Sequence[Layer]) -> list[tuple[str, Shape, tuple]]:
    """(name, output shape, (parameters, MACs, outputs)) of layers with weights.

    The three numbers are parts of the total of those layers, from 0 to 1.
    """
    rows = [row for row in trace(layers, image) if isinstance(row.layer, Conv | Dense)]
    if not rows:
        raise SizeError("no layer has parameters: the figure needs a Conv or a Dense")
    counts = [(row.parameters, row.macs, numbers_in(row.output_shape)) for row in rows]
    totals = [sum(column) for column in zip(*counts, strict=True)]
    seen = {"conv": 0, "fc": 0}
    found = []
    for row, count in zip(rows, counts, strict=True):
        kind = "conv" if isinstance(row.layer, Conv) else "fc"
        seen[kind] += 1
        parts = tuple(n / total for n, total in zip(count, totals, strict=True))
        found.append((f"{kind}{seen[kind]}", row.output_shape, parts))
    return found


def percent(part: float) -> str:
    """A part of 1 in words: "74 %", "under 1 %".

    >>> percent(0.7436), percent(0.004), percent(0)
    ('74 %', 'under 1 %', '0 %')
    """
    return "under 1 %" if 0 < part < 0.005 else f"{100 * part:.0f} %"


def costs(image: Shape, layers: Sequence[Layer]) -> Drawing:
    """Bars for each layer's part of all parameters, all MACs and all outputs."""
    rows = shares(image, layers)
    names = ("parameters", "MACs", "outputs")
    colours = (palette.FILTER, palette.EXTRA, palette.OUTPUT)
    top = 30
    label = max(LABEL, *(int(18 + 0.62 * SMALL * len(name + times(shape)))
                         for name, shape, _ in rows))
    canvas = Canvas(label + 3 * COLUMN + 10, top + len(rows) * PITCH + 8)
    for k, name in enumerate(names):
        canvas.text(label + k * COLUMN, 18, name, anchor="start", bold=True)
    for number, (name, shape, parts) in enumerate(rows):
        y = top + number * PITCH
        canvas.text(4, y + 15, name, SMALL, anchor="start", bold=True)
        canvas.text(label - 6, y + 15, times(shape), SMALL, anchor="end")
        for k, part in enumerate(parts):
            x = label + k * COLUMN
            canvas.box(x, y + 3, max(part * BAR, 0.5), PITCH - 8, colours[k], fill=0.4,
                       stroke=1)
            canvas.text(x + part * BAR + 5, y + 15, percent(part), SMALL,
                        anchor="start")
    told = "; ".join(
        f"{name}, output {times(shape)}: {percent(a)}, {percent(b)}, {percent(c)}"
        for name, shape, (a, b, c) in rows)
    return canvas.finish(
        f"Bars for the {len(rows)} layers with weights of a network on "
        f"{times(image)}: each layer's part of all parameters, of all "
        f"multiply-accumulates and of all outputs. {told}.")
