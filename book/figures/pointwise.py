"""The figure of a 1x1 convolution: a matrix product at each pixel."""

from __future__ import annotations

from convlab.arithmetic import Conv, Shape, numbers_in, times, volume

from . import palette
from .svg import SMALL, Canvas, Drawing, Point

UNIT = 1.8     # pixels a row or column
DEPTH = 0.9    # pixels of depth a channel
SLANT = (0.62, -0.46)
STRIP = 1.4    # pixels a number of a stretched pixel
THICK = 12     # of a strip
PIXEL = 9      # side of the marked pixel, larger than it is


def pixel(image: Shape, filters: int, row: int, column: int) -> Drawing:
    """A volume, a pixel of it through all channels, and what 1x1 filters make of it."""
    rows, columns, channels = volume(image, "the input")
    out = Conv(filters, 1).output_shape(image)
    height, width = rows * UNIT, columns * UNIT
    deep, shallow = _slant(channels), _slant(filters)
    left, top, gap = 10, 12 - deep[1], 84
    right = left + width + deep[0] + gap
    base = top + height
    matrix = (filters * STRIP, channels * STRIP)
    canvas = Canvas(int(right + max(width + shallow[0], 104) + 12),
                    int(base + 66 + max(matrix) + 36))
    places = []
    for x, depth, colour, shape in ((left, deep, palette.INPUT, image),
                                    (right, shallow, palette.OUTPUT, out)):
        _block(canvas, x, top, (width, height), depth, colour, 0.16)
        at = (x + column * UNIT - PIXEL / 2, top + row * UNIT - PIXEL / 2)
        _block(canvas, *at, (PIXEL, PIXEL), depth, palette.FILTER, 0.4)
        places.append(at)
        canvas.text(x + width / 2, base + 20, times(shape))
    canvas.text(right - gap / 2, top + height / 2 - 24, f"CONV {filters}", SMALL,
                bold=True)
    canvas.text(right - gap / 2, top + height / 2 - 9, f"of {times((1, 1, channels))}",
                SMALL)
    canvas.arrow((right - gap + 10, top + height / 2),
                 (right - 10, top + height / 2))
    middle = base + 66 + max(matrix) / 2
    x_in, x_out = left + width / 2, right + width / 2
    for x, count, colour, at in ((x_in, channels, palette.INPUT, places[0]),
                                 (x_out, filters, palette.OUTPUT, places[1])):
        strip = middle - count * STRIP / 2
        canvas.box(x - THICK / 2, strip, THICK, count * STRIP, colour, fill=0.4)
        canvas.line((at[0] + PIXEL / 2, at[1] + PIXEL), (x, strip), palette.FILTER,
                    dash="4 3")
        canvas.text(x, middle + max(matrix) / 2 + 22, f"{count} numbers", SMALL + 1)
    centre = (x_in + x_out) / 2
    canvas.box(centre - matrix[1] / 2, middle - matrix[0] / 2, matrix[1], matrix[0],
               palette.FILTER, fill=0.2)
    canvas.text(centre, middle + 5, times((filters, channels)))
    canvas.text(centre, middle + max(matrix) / 2 + 22, "weights, and biases", SMALL + 1)
    canvas.arrow((x_in + THICK, middle), (centre - matrix[1] / 2 - 6, middle))
    canvas.arrow((centre + matrix[1] / 2 + 6, middle), (x_out - THICK, middle))
    table = times((filters, channels))
    return canvas.finish(
        f"A {times(image)} volume becomes {times(out)} through {filters} filters of "
        f"{times((1, 1, channels))}. One pixel is marked in both, through all "
        f"channels: below, its {channels} numbers go into a {table} matrix, "
        f"of {numbers_in((filters, channels)):,} weights, and {filters} numbers come "
        "out.")


def _slant(channels: int) -> Point:
    return channels * DEPTH * SLANT[0], channels * DEPTH * SLANT[1]


def _block(canvas: Canvas, x: float, y: float, size: Point, slant: Point, colour: str,
           fill: float) -> None:
    """A box with its front's top left corner at (x, y), drawn without its sheets."""
    (w, h), (dx, dy) = size, slant
    canvas.polygon([(x, y), (x + dx, y + dy), (x + w + dx, y + dy), (x + w, y)], colour,
                   fill=fill)
    canvas.polygon([(x + w, y), (x + w + dx, y + dy), (x + w + dx, y + h + dy),
                    (x + w, y + h)], colour, fill=fill * 1.8)
    canvas.box(x, y, w, h, colour, fill=fill * 1.4)
