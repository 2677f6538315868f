"""Figures of a deconvolution: from one activation back to the image."""

from __future__ import annotations

from convlab.arithmetic import SizeError, times

from . import palette
from .numbers import CELL, Matrix, matrix, shape, signed
from .svg import SMALL, Canvas, Drawing

SIGNAL = palette.EXTRA  # what travels back


def laid_down(signal: Matrix, w: Matrix) -> list[list[float]]:
    """The transposed convolution at stride 1: a copy of w for each number."""
    (rows, columns), (f_rows, f_columns) = shape(signal, "signal"), shape(w, "filter")
    out = [[0] * (columns + f_columns - 1) for _ in range(rows + f_rows - 1)]
    for r, line in enumerate(signal):
        for c, value in enumerate(line):
            for i, weights in enumerate(w):
                for j, weight in enumerate(weights):
                    out[r + i][c + j] += value * weight
    return out


def stamps(signal: Matrix, w: Matrix, row: int, column: int) -> Drawing:
    """A transposed convolution in numbers, with the copy of one number outlined."""
    out = laid_down(signal, w)
    (rows, columns), (f_rows, f_columns) = shape(signal, "signal"), shape(w, "filter")
    if not (0 <= row < rows and 0 <= column < columns):
        raise SizeError(f"({row}, {column}) is outside the {times((rows, columns))} "
                        "signal")
    margin, top, gap = 6, 28, 38
    high = len(out) * CELL
    left_w = margin + columns * CELL + gap
    left_y = left_w + f_columns * CELL + gap
    canvas = Canvas(left_y + len(out[0]) * CELL + margin, top + high + 12)
    middle = top + high / 2
    for name, left, values, colour in (
            ("signal", margin, signal, SIGNAL), ("filter", left_w, w, palette.FILTER),
            ("output", left_y, out, palette.OUTPUT)):
        y = middle - len(values) * CELL / 2
        width = len(values[0]) * CELL
        canvas.text(left + width / 2, y - 10, name, bold=True)
        matrix(canvas, left, y, values, colour)
    canvas.box(margin + column * CELL, middle - rows * CELL / 2 + row * CELL, CELL,
               CELL, SIGNAL, fill=0.2, stroke=3)
    canvas.box(left_y + column * CELL, top + row * CELL, f_columns * CELL,
               f_rows * CELL, SIGNAL, fill=0.12, stroke=3)
    canvas.text(left_w - gap / 2, middle + 6, "\N{MULTIPLICATION SIGN}", 20)
    canvas.arrow((left_y - gap + 8, middle), (left_y - 8, middle))
    value = signed(signal[row][column])
    told = "; ".join(" ".join(map(signed, line)) for line in out)
    return canvas.finish(
        f"A {times((rows, columns))} signal, a {times((f_rows, f_columns))} filter and "
        f"the {times((len(out), len(out[0])))} output of the transposed convolution. "
        f"The signal's number at row {row}, column {column}, {value}, is outlined, and "
        f"so is the part of the output where {value} times the filter is laid down. "
        f"Where copies overlap they are added. The output's rows: {told}.")


BLOCK = ("convolution", "ReLU", "max pooling")
BACK = ("transposed convolution", "ReLU", "unpooling")
SHARED = ("the same filters", "", "switches")


def up_and_back(blocks: int) -> Drawing:
    """A ConvNet upwards on the left, its deconvolution downwards on the right."""
    if blocks < 1:
        raise SizeError(f"the figure needs one block of layers at least, got {blocks}")
    width, high, pitch, gap = 172, 26, 42, 124
    count = 3 * blocks
    bottom = 42 + (count + 1) * pitch
    canvas = Canvas(2 * width + gap + 12, bottom + high + 12)
    left, right = 6, 6 + width + gap
    canvas.text(left + width / 2, 18, "up", bold=True)
    canvas.text(right + width / 2, 18, "back", bold=True)

    def at(level: int) -> float:
        return bottom - level * pitch

    def cell(x: float, level: int, text: str, colour: str) -> None:
        canvas.box(x, at(level), width, high, colour, fill=0.15)
        canvas.text(x + width / 2, at(level) + 18, text, SMALL + 1)

    cell(left, 0, "image", palette.INPUT)
    cell(right, 0, "projection", SIGNAL)
    for level in range(1, count + 1):
        kind = (level - 1) % 3
        cell(left, level, BLOCK[kind], palette.FILTER)
        cell(right, level, BACK[kind], palette.FILTER)
        if SHARED[kind]:
            canvas.line((left + width + 4, at(level) + high / 2),
                        (right - 4, at(level) + high / 2), palette.PADDING,
                        stroke=1.5, dash="5 4")
            canvas.text(left + width + gap / 2, at(level) + high / 2 - 6,
                        SHARED[kind], SMALL)
        canvas.arrow((left + width / 2, at(level - 1)),
                     (left + width / 2, at(level) + high))
        canvas.arrow((right + width / 2, at(level) + high),
                     (right + width / 2, at(level - 1)))
    top = count + 1
    cell(left, top, "maps", palette.OUTPUT)
    cell(right, top, "one activation", SIGNAL)
    canvas.arrow((left + width / 2, at(count)), (left + width / 2, at(top) + high))
    canvas.arrow((right + width / 2, at(top) + high), (right + width / 2, at(count)))
    level = at(top) + high / 2
    canvas.arrow((left + width + 6, level), (right - 6, level))
    canvas.text(left + width + gap / 2, level - 6, "all others 0", SMALL)
    return canvas.finish(
        f"Two columns of boxes. The left one leads upwards from the image through "
        f"{blocks} times {', '.join(BLOCK)}, to maps. At the top an arrow leads to the "
        f"right: one activation is kept, all others are set to zero. The right column "
        f"leads downwards through {blocks} times {', '.join(reversed(BACK))}, to a "
        f"projection of the size of the image. Dashed lines join each pooling to its "
        f"unpooling, which uses its switches, and each convolution to its transposed "
        f"convolution, which uses the same filters.")
