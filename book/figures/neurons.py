"""The figure of the neuron's view: who looks where."""

from __future__ import annotations

from math import cos, pi, sin

from convlab.arithmetic import Conv, Shape, SizeError, times, volume

from . import palette
from .svg import Canvas, Drawing
from .volumes import UNIT, cuboid, depth_of

SHEET = (13, -11)  # from one sheet of neurons to the next


def disc(canvas: Canvas, x: float, y: float, radius: float, colour: str,
         fill: float = 0.5) -> None:
    """A neuron."""
    points = [(x + radius * cos(2 * pi * k / 24), y + radius * sin(2 * pi * k / 24))
              for k in range(24)]
    canvas.polygon(points, colour, fill=fill)


def same_region(image: Shape, filters: int, size: int, row: int, column: int
                ) -> Drawing:
    """The neurons of one place, one a sheet, and the region they all look at."""
    rows, columns, channels = volume(image, "the image")
    out = Conv(filters, size).output_shape(image)
    if filters > len(palette.FILTERS):
        raise SizeError(f"the figure has colours for {len(palette.FILTERS)} "
                        f"filters, got {filters}")
    if not (0 <= row < out[0] and 0 <= column < out[1]):
        raise SizeError(f"position ({row}, {column}) is outside the "
                        f"{times(out[:2])} sheet")
    dx, dy = depth_of(channels)
    back = (filters - 1) * SHEET[0], (filters - 1) * SHEET[1]
    left, top = 8, 12 - min(dy, back[1])
    right = left + columns * UNIT + dx + 78
    tall, wide = out[0] * UNIT, out[1] * UNIT
    canvas = Canvas(int(right + wide + back[0] + 12), int(top + rows * UNIT + 32))
    cuboid(canvas, left, top, (columns * UNIT, rows * UNIT), channels,
           [palette.INPUT], fill=0.13)
    corner = (left + column * UNIT, top + row * UNIT)
    cuboid(canvas, *corner, (size * UNIT, size * UNIT), channels, [palette.FILTER],
           fill=0.3)
    start = (corner[0] + size * UNIT + dx, corner[1] + size * UNIT / 2 + dy)
    y = top + (rows * UNIT - tall) / 2
    for k in reversed(range(filters)):
        x0, y0 = right + k * SHEET[0], y + k * SHEET[1]
        canvas.box(x0, y0, wide, tall, palette.FILTERS[k], fill=0.08, stroke=1)
    for k in reversed(range(filters)):
        at = (right + k * SHEET[0] + (column + 0.5) * UNIT,
              y + k * SHEET[1] + (row + 0.5) * UNIT)
        canvas.line(start, at, palette.FILTERS[k])
        disc(canvas, *at, 5, palette.FILTERS[k], fill=0.9)
    base = top + rows * UNIT + 22
    canvas.text(left + columns * UNIT / 2, base, f"{times(image)} image")
    canvas.text(right + wide / 2, base, f"{times(out)} neurons")
    return canvas.finish(
        f"A {times(image)} image with one {times((size, size, channels))} region "
        f"marked, at row {row}, column {column}. {filters} lines lead from it to "
        f"{filters} neurons, one on each of {filters} sheets of {times(out[:2])} "
        f"neurons, all at row {row}, column {column}: {times(out)} neurons in all.")
