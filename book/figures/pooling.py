"""Figures of pooling: one window, what is kept of it, and what goes back."""

from __future__ import annotations

from collections.abc import Sequence

from convlab.arithmetic import POOL_KINDS, SizeError, output_size, times

from . import palette
from .numbers import CELL, Matrix, matrix, shape, signed
from .svg import SMALL, Canvas, Drawing


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


def gradient(x: Matrix, dy: Matrix, size: int, stride: int, kind: str) -> list:
    """What each number of x gets of the gradient dy of its pooled map, as rows."""
    height, width = shape(x, "input")
    places = tuple(output_size(n, size, stride) for n in (height, width))
    if shape(dy, "gradient") != places:
        raise SizeError(f"the gradient has the shape of the output, "
                        f"{times(places)}, got {times(shape(dy, 'gradient'))}")
    if kind not in POOL_KINDS:
        raise SizeError(f"pooling is {' or '.join(POOL_KINDS)}, got {kind!r}")
    dx = [[0] * width for _ in range(height)]
    for row, line in enumerate(dy):
        for column, given in enumerate(line):
            numbers = window(x, size, stride, row, column)
            first = numbers.index(max(numbers))
            for k in range(size * size):
                part = given / size**2 if kind == "average" else given * (k == first)
                dx[row * stride + k // size][column * stride + k % size] += part
    return dx


def pooling_gradient(x: Matrix, dy: Matrix, size: int = 2, stride: int = 2,
                     kind: str = "max") -> Drawing:
    """The gradient of a pooled map, and where in the input it goes.

    Average pooling does not need to know the input, so it is not drawn there.
    """
    dx = gradient(x, dy, size, stride, kind)
    height, width = shape(x, "input")
    rows, columns = shape(dy, "gradient")
    shown = kind == "max"
    margin, top, gap, cell = 6, 46, 40, CELL if shown else CELL + 10
    out = margin + shown * (width * CELL + 24)
    to = out + columns * CELL + gap
    canvas = Canvas(to + width * cell + margin, top + height * CELL + 8)
    canvas.text(canvas.width / 2, 16, f"{kind} pooling", bold=True)
    got = {(r, c) for r in range(height) for c in range(width) if dx[r][c]}
    if shown:
        canvas.text(margin + width * CELL / 2, top - 10, "input", SMALL + 1)
        matrix(canvas, margin, top, x, palette.INPUT)
        for r, c in got:
            canvas.box(margin + c * CELL, top + r * CELL, CELL, CELL, palette.FILTER,
                       fill=0.12, stroke=2.5)
    y = top + (height - rows) * CELL / 2
    canvas.text(out + columns * CELL / 2, y - 10, "dy", SMALL + 1)
    matrix(canvas, out, y, dy, palette.OUTPUT)
    middle = top + height * CELL / 2
    canvas.arrow((to - gap + 6, middle), (to - 8, middle))
    canvas.text(to + width * cell / 2, top - 10, "dx", SMALL + 1)
    matrix(canvas, to, top, dx, palette.INPUT, width=cell)
    for r, c in got if shown else ():
        canvas.box(to + c * cell, top + r * CELL, cell, CELL, palette.FILTER,
                   fill=0.12, stroke=2.5)
    told = "; ".join(", ".join(map(signed, line)) for line in dx)
    way = ("goes to the largest number of its window, the first where there are "
           "several" if shown else "is shared equally by all numbers of its window")
    return canvas.finish(
        f"The gradient dy of a {times((rows, columns))} map that {kind} pooling made "
        f"of a {times((height, width))} input. Each of its numbers {way}. The rows "
        f"of dx: {told}.")


def shifted_pooling(signal: Sequence[int], moves: Sequence[int], size: int = 2,
                    stride: int = 2) -> Drawing:
    """A row of numbers, moved to the right step by step, and its pooled maxima."""
    count = output_size(len(signal), size, stride)
    margin, pitch, gap = 6, 70, 44
    out = margin + len(signal) * CELL + gap
    canvas = Canvas(out + count * CELL + margin, 8 + len(moves) * pitch)
    told = []
    for k, move in enumerate(moves):
        if not 0 <= move < len(signal):
            raise SizeError(f"a row of {len(signal)} numbers can be moved by 0 to "
                            f"{len(signal) - 1}, got {move}")
        row = [0] * move + list(signal[:len(signal) - move])
        windows = [row[p * stride:p * stride + size] for p in range(count)]
        largest = [max(one) for one in windows]
        top = 24 + k * pitch
        canvas.text(margin, top - 7, f"moved by {move}" if move else "as it is",
                    SMALL + 1, anchor="start", bold=True)
        matrix(canvas, margin, top, [row], palette.INPUT)
        for p in range(count):
            canvas.box(margin + p * stride * CELL + 1.5, top + 1.5, size * CELL - 3,
                       CELL - 3, palette.FILTER, fill=0, stroke=2)
        canvas.arrow((out - gap + 8, top + CELL / 2), (out - 8, top + CELL / 2))
        matrix(canvas, out, top, [largest], palette.OUTPUT)
        told.append(f"moved by {move}, the row {', '.join(map(signed, row))} gives "
                    f"{', '.join(map(signed, largest))}")
    return canvas.finish(
        f"A row of {len(signal)} numbers, max pooled with windows of {size} at stride "
        f"{stride}, {len(moves)} times. {'; '.join(told).capitalize()}.")
