"""Figures of a volume stretched to a vector, and of what is done with it."""

from __future__ import annotations

from convlab.arithmetic import Shape, SizeError, numbers_in, times, volume

from . import palette
from .svg import SMALL, Canvas, Drawing

CELL = 26
MOST = 14  # numbers in one row of the picture, so that it fits a phone


def stretching(shape: Shape) -> Drawing:
    """The numbers of a small volume, counted in the order of their stretching.

    A colour a channel; a pixel's channels stand side by side.
    """
    rows, columns, channels = volume(shape, "stretching")
    count = numbers_in(shape)
    if count > MOST or channels > len(palette.FILTERS):
        raise SizeError(f"the figure has room for {MOST} numbers in at most "
                        f"{len(palette.FILTERS)} channels, got {times(shape)}")
    gap = 10
    canvas = Canvas(16 + max(count * CELL, columns * (channels * CELL + gap)),
                    74 + rows * (CELL + gap) + CELL + 22)
    canvas.text(8, 18, f"a volume of {times(shape)}", anchor="start", bold=True)
    for number in range(count):
        channel = number % channels
        column, row = number // channels % columns, number // channels // columns
        x = 8 + column * (channels * CELL + gap) + channel * CELL
        y = 30 + row * (CELL + gap)
        for left, top in ((x, y), (8 + number * CELL, 52 + rows * (CELL + gap) + 6)):
            canvas.box(left, top, CELL, CELL, palette.FILTERS[channel], fill=0.3,
                       stroke=1)
            canvas.text(left + CELL / 2, top + 18, number)
    canvas.text(8, 46 + rows * (CELL + gap), f"stretched: {count} numbers",
                anchor="start", bold=True)
    return canvas.finish(
        f"A volume of {times(shape)}, its pixels as groups of {channels} boxes in "
        f"{channels} colours, one a channel. The boxes are counted from 0 to "
        f"{count - 1}: along the channels of a pixel first, then from pixel to pixel "
        f"along a row, then row by row. Below, the same boxes in one line of {count}.")


def matrix_times_vector(image: Shape, units: int) -> Drawing:
    """A stretched image, the weights with a row a unit, and the activations."""
    length = numbers_in(volume(image, "the image"))
    if not 1 < units <= 20:
        raise SizeError(f"the figure has room for 2 to 20 units, got {units}")
    wide, cell, top = 190, 11, 40
    high = units * cell
    canvas = Canvas(420, top + max(high, 150) + 34)
    middle = top + max(high, 150) / 2
    left, w_top = 10, middle - high / 2
    row = units // 3
    for k in range(units):
        canvas.box(left, w_top + k * cell, wide, cell, palette.FILTER,
                   fill=0.6 if k == row else 0.15, stroke=1)
    canvas.text(left + wide / 2, w_top - 10, "W", bold=True)
    canvas.text(left + wide / 2, w_top + high + 20, times((units, length)))
    x = left + wide + 42
    canvas.text(x - 22, middle + 6, "\N{DOT OPERATOR}", 22)
    canvas.box(x, middle - 75, 14, 150, palette.INPUT, fill=0.4)
    canvas.text(x + 7, middle - 85, "x", bold=True)
    canvas.text(x + 7, middle + 93, f"{length:,}")
    canvas.text(x + 35, middle + 6, "+", 18)
    b, y = x + 56, x + 112
    for at, paint, name in ((b, palette.EXTRA, "b"), (y, palette.OUTPUT, "y")):
        for k in range(units):
            canvas.box(at, w_top + k * cell, 14, cell, paint,
                       fill=0.7 if k == row else 0.2, stroke=1)
        canvas.text(at + 7, w_top - 10, name, bold=True)
        canvas.text(at + 7, w_top + high + 20, units)
    canvas.text(b + 35, middle + 6, "=", 18)
    canvas.text(left, 18, f"x: the {times(image)} image, stretched", SMALL + 1,
                anchor="start")
    return canvas.finish(
        f"A wide table W of {units} rows and {length} columns, times a tall column x "
        f"of {length} numbers, which is the {times(image)} image stretched, plus a "
        f"column b of {units}, gives a column y of {units}. One row of W, one number "
        "of b and one of y stand out: that row alone makes that activation.")
