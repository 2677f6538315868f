"""Figures that work with numbers: one position, and one dot product."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from convlab.arithmetic import SizeError, numbers_in, output_size, times, volume

from . import palette
from .svg import SMALL, Canvas, Drawing, number

CELL = 30
Matrix = Sequence[Sequence[float]]


def matrix(canvas: Canvas, x: float, y: float, values: Matrix, colour: str,
           show: set[tuple[int, int]] | None = None, width: float = CELL,
           other: tuple[str, Collection[tuple[int, int]]] = ("", ())) -> None:
    """Boxes with a number in each; outside `show`, the box stays empty.

    other: another colour, and the places (row, column) that have it.
    """
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            canvas.box(x + c * width, y + r * CELL, width, CELL,
                       other[0] if (r, c) in other[1] else colour,
                       fill=0.13, stroke=1)
            if show is None or (r, c) in show:
                canvas.text(x + (c + 0.5) * width, y + (r + 0.66) * CELL,
                            signed(value))


def signed(value: float) -> str:
    """A number with a true minus sign."""
    return number(value).replace("-", "\N{MINUS SIGN}")


def shape(values: Matrix, name: str) -> tuple[int, int]:
    """(rows, columns), the same number of columns in each row."""
    if len({len(row) for row in values}) != 1:
        raise SizeError(f"the rows of the {name} differ in length")
    return len(values), len(values[0])


def products(x: Matrix, w: Matrix, row: int, column: int) -> list[tuple[int, int]]:
    """(input, weight) of every pair under the filter with its corner there."""
    rows, columns = shape(w, "filter")
    return [(x[row + r][column + c], w[r][c])
            for r in range(rows) for c in range(columns)]


def correlate(x: Matrix, w: Matrix) -> list[list[int]]:
    """The whole map of a 2-D filter at stride 1, no padding, no bias."""
    (h, width), (fh, fw) = shape(x, "input"), shape(w, "filter")
    return [[sum(a * b for a, b in products(x, w, r, c))
             for c in range(output_size(width, fw))]
            for r in range(output_size(h, fh))]


@dataclass(frozen=True)
class Roles:
    """What the three matrices of a sliding sum are called, and in which colour."""

    names: tuple[str, str, str] = ("input", "filter", "output")
    colours: tuple[str, str, str] = (palette.INPUT, palette.FILTER, palette.OUTPUT)
    told: tuple[str, str, str] = ("input", "filter", "output")
    padding: frozenset[tuple[int, int]] = frozenset()  # places of the first one


def one_position(x: Matrix, w: Matrix, row: int, column: int) -> Drawing:
    """Input, filter and output of a 2-D convolution at one position, in numbers.

    The output shows the numbers computed up to and including that position.
    """
    return sliding_sum(x, w, row, column, Roles())


def sliding_sum(x: Matrix, w: Matrix, row: int, column: int, roles: Roles) -> Drawing:
    """One position of w on x, its products written out, and the sums so far."""
    y = correlate(x, w)
    (h, width), (fh, fw) = shape(x, "input"), shape(w, "filter")
    if not (0 <= row < len(y) and 0 <= column < len(y[0])):
        raise SizeError(f"position ({row}, {column}) is outside the "
                        f"{times((len(y), len(y[0])))} output")
    margin, top, gap = 6, 28, 38
    of_x, of_w, of_y = roles.colours
    left_w = margin + width * CELL + gap
    left_y = left_w + fw * CELL + gap
    canvas = Canvas(left_y + len(y[0]) * CELL + margin, top + h * CELL + 62)
    matrix(canvas, margin, top, x, of_x, other=(palette.PADDING, roles.padding))
    canvas.box(margin + column * CELL, top + row * CELL, fw * CELL, fh * CELL,
               palette.FILTER, fill=0.2, stroke=3)
    middle = top + h * CELL / 2
    w_top, y_top = middle - fh * CELL / 2, middle - len(y) * CELL / 2
    matrix(canvas, left_w, w_top, w, of_w)
    done = {(r, c) for r in range(len(y)) for c in range(len(y[0]))
            if (r, c) <= (row, column)}
    matrix(canvas, left_y, y_top, y, of_y, done)
    canvas.box(left_y + column * CELL, y_top + row * CELL, CELL, CELL,
               palette.FILTER, fill=0.2, stroke=3)
    for label, left, columns, at in zip(
            roles.names, (margin, left_w, left_y), (width, fw, len(y[0])),
            (top, w_top, y_top), strict=True):
        canvas.text(left + columns * CELL / 2, at - 10, label, bold=True)
    canvas.text(left_w - gap / 2, middle + 6, "\N{ASTERISK OPERATOR}", 22)
    canvas.text(left_y - gap / 2, middle + 6, "=", 20)
    pairs = products(x, w, row, column)
    terms = [f"{signed(a)}\N{MULTIPLICATION SIGN}{_factor(b)}" for a, b in pairs]
    half = (len(terms) + 1) // 2
    canvas.text(margin, top + h * CELL + 28, " + ".join(terms[:half]), anchor="start")
    canvas.text(margin, top + h * CELL + 50,
                "+ " + " + ".join(terms[half:]) + f" = {signed(y[row][column])}",
                anchor="start")
    spoken = " + ".join(f"{a}*{b}" for a, b in pairs)
    first, second, third = roles.told
    return canvas.finish(
        f"A {times((h, width))} {first}, a {times((fh, fw))} {second} and their "
        f"{times((len(y), len(y[0])))} {third}. The {second} stands at row {row}, "
        f"column {column} of the {first}; each of its numbers is multiplied by the "
        f"number below it: {spoken} = {y[row][column]}, which is the {third} at row "
        f"{row}, column {column}.")


def _factor(value: int) -> str:
    return f"({signed(value)})" if value < 0 else str(value)


def dot_product(filter_shape: tuple[int, int, int]) -> Drawing:
    """A chunk and a filter, stretched out into vectors, and their one number."""
    rows, columns, channels = volume(filter_shape, "a dot product of volumes")
    length = numbers_in(filter_shape)
    per_channel = rows * columns
    cell = 4.4
    strip, left, top = length * cell, 74, 30
    colours = palette.FILTERS
    if channels > len(colours):
        raise SizeError(f"the figure has {len(colours)} colours, "
                        f"one a channel; got {channels} channels")
    canvas = Canvas(int(left + strip + 8), 168)
    for name, y in (("image", top), ("filter", top + 44)):
        canvas.text(left - 10, y + 18, name, anchor="end", bold=True)
        for k in range(length):
            canvas.box(left + k * cell, y, cell, 26, colours[k // per_channel],
                       fill=0.28 if name == "image" else 0.5, stroke=0.6)
    for channel in range(channels):
        canvas.text(left + (channel + 0.5) * per_channel * cell, top - 10,
                    f"channel {channel}: {per_channel}", SMALL)
    for k in range(0, length, 5):
        canvas.line((left + (k + 0.5) * cell, top + 27),
                    (left + (k + 0.5) * cell, top + 43), opacity=0.5)
    canvas.text(left + strip / 2, top + 92,
                f"{length} products, added up, and the bias:", SMALL + 1)
    canvas.arrow((left + strip / 2, top + 98), (left + strip / 2, top + 112))
    canvas.box(left + strip / 2 - 46, top + 112, 92, 24, palette.OUTPUT, fill=0.25)
    canvas.text(left + strip / 2, top + 129, "one number")
    return canvas.finish(
        f"Two rows of {length} small squares: the {times(filter_shape)} chunk of the "
        f"image and the {times(filter_shape)} filter, each stretched out, "
        f"{per_channel} numbers a channel for {channels} channels. Lines join the "
        f"squares in pairs; the {length} products and the bias add up to one number.")
