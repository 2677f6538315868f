"""Figures of pooling: one window, and what is kept of it."""

from __future__ import annotations

from convlab.arithmetic import SizeError, output_size, times

from . import palette
from .numbers import CELL, Matrix, matrix, shape, signed
from .svg import Canvas, Drawing


def window(x: Matrix, size: int, stride: int, row: int, column: int) -> list[int]:
    """The numbers under the window, in reading order."""
    return [x[row * stride + i][column * stride + j]
            for i in range(size) for j in range(size)]


def pooled(x: Matrix, size: int, stride: int) -> tuple[list, list]:
    """The maps of maxima and of means, as rows."""
    height, width = shape(x, "input")
    rows, columns = (output_size(n, size, stride) for n in (height, width))
    windows = [[window(x, size, stride, r, c) for c in range(columns)]
               for r in range(rows)]
    return ([[max(one) for one in line] for line in windows],
            [[sum(one) / len(one) for one in line] for line in windows])


def pooling(x: Matrix, size: int = 2, stride: int = 2, row: int = 0,
            column: int = 0) -> Drawing:
    """An input, one window of it, and its max and average pooled maps."""
    largest, means = pooled(x, size, stride)
    height, width = shape(x, "input")
    rows, columns = shape(largest, "output")
    if not (0 <= row < rows and 0 <= column < columns):
        raise SizeError(f"position ({row}, {column}) is outside the "
                        f"{times((rows, columns))} output")
    margin, top, gap, cell = 6, 28, 44, CELL + 8
    in_rows, out = height * CELL, margin + width * CELL + gap
    canvas = Canvas(out + 2 * columns * cell + gap // 2 + margin,
                    top + max(in_rows, rows * CELL) + 12)
    canvas.text(margin + width * CELL / 2, top - 10, "input", bold=True)
    matrix(canvas, margin, top, x, palette.INPUT)
    canvas.box(margin + column * stride * CELL, top + row * stride * CELL,
               size * CELL, size * CELL, palette.FILTER, fill=0.2, stroke=3)
    y = top + (in_rows - rows * CELL) / 2
    canvas.arrow((out - gap + 8, top + in_rows / 2), (out - 8, top + in_rows / 2))
    for name, values in (("max", largest), ("average", means)):
        canvas.text(out + columns * cell / 2, y - 10, name, bold=True)
        matrix(canvas, out, y, values, palette.OUTPUT, width=cell)
        canvas.box(out + column * cell, y + row * CELL, cell, CELL, palette.FILTER,
                   fill=0.2, stroke=3)
        out += columns * cell + gap // 2
    spoken = ", ".join(map(signed, window(x, size, stride, row, column)))
    return canvas.finish(
        f"A {times((height, width))} input of numbers, with a {times((size, size))} "
        f"window over the numbers {spoken}. Max pooling at stride {stride} keeps the "
        f"largest, {signed(largest[row][column])}, and average pooling their mean, "
        f"{signed(means[row][column])}; each makes a map of {times((rows, columns))}.")
