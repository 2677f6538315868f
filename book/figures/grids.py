"""Figures on a grid: where a filter can stand, and what padding changes."""

from __future__ import annotations

from convlab.arithmetic import SizeError, output_size, times, unrounded_size

from . import palette
from .svg import SMALL, Canvas, Drawing

CELL = 20
PITCH = 15  # from one bar of a staircase to the next


def grid(canvas: Canvas, x: float, y: float, n: int, cell: float = CELL,
         colour: str = palette.INPUT) -> None:
    """n x n squares with their top left corner at (x, y)."""
    canvas.box(x, y, n * cell, n * cell, colour, fill=0.13)
    for i in range(1, n):
        canvas.line((x + i * cell, y), (x + i * cell, y + n * cell), colour,
                    opacity=0.6)
        canvas.line((x, y + i * cell), (x + n * cell, y + i * cell), colour,
                    opacity=0.6)


def positions(n: int, f: int, stride: int = 1) -> Drawing:
    """An n x n input, and a bar for each place of the filter along its columns.

    Where the stride does not fit, the next place is drawn too, sticking out,
    and the columns that no place covers are marked.
    """
    count = int(unrounded_size(n, f, stride))
    covered = (count - 1) * stride + f
    left_over = n - covered
    over = count * stride + f - n if left_over else 0
    side, top, margin = n * CELL, 26, 12
    width = margin * 2 + (n + max(over, 0)) * CELL
    bars = count + bool(left_over)
    canvas = Canvas(width, top + side + 16 + bars * PITCH + 26)
    canvas.text(margin + side / 2, 16, f"stride {stride}", bold=True)
    grid(canvas, margin, top, n)
    if left_over:
        canvas.box(margin + covered * CELL, top, left_over * CELL, side,
                   palette.PROBLEM, fill=0.3)
    canvas.box(margin, top, f * CELL, f * CELL, palette.FILTER, fill=0.4)
    y = top + side + 10
    for k in range(bars):
        fits = k < count
        canvas.box(margin + k * stride * CELL + 1, y + k * PITCH, f * CELL - 2,
                   PITCH - 5, palette.FILTER if fits else palette.PROBLEM,
                   fill=0.4 if fits else 0.1, dash="" if fits else "4 3")
    verdict = f"{count} positions" if not left_over else "does not fit"
    canvas.text(margin + side / 2, y + bars * PITCH + 14, verdict)
    return canvas.finish(_positions_alt(n, f, stride, count, left_over))


def _positions_alt(n: int, f: int, stride: int, count: int, left_over: int) -> str:
    starts = ", ".join(str(k * stride) for k in range(count))
    alt = (f"A {n}x{n} grid with the {f}x{f} filter in its top left corner. Bars "
           f"below show the filter's places along the columns at stride {stride}: "
           f"they start at columns {starts}")
    if not left_over:
        return f"{alt}, {count} positions, and the last one ends at the edge."
    verb = "is" if left_over == 1 else "are"
    return (f"{alt}. After the last of them {left_over} of the {n} columns {verb} left "
            f"over, and the next place would stick out of the grid: stride "
            f"{stride} does not fit.")


def padding(n: int, f: int, pad: int) -> Drawing:
    """An n x n input with its border of zeros, and the output it leads to."""
    size = output_size(n, f, 1, pad)
    full = n + 2 * pad
    if pad < 1:
        raise SizeError("the padding figure needs a border: pad is at least 1")
    margin, top, gap = 8, 28, 52
    out_x = margin + full * CELL + gap
    out_y = top + (full - size) * CELL / 2
    canvas = Canvas(int(out_x + size * CELL + margin), top + full * CELL + 12)
    canvas.text(margin + full * CELL / 2, 16, f"{n}x{n} input, padding {pad}",
                bold=True)
    grid(canvas, margin, top, full, colour=palette.PADDING)
    grid(canvas, margin + pad * CELL, top + pad * CELL, n)
    for row in range(full):
        for column in range(full):
            if not (pad <= row < pad + n and pad <= column < pad + n):
                canvas.text(margin + (column + 0.5) * CELL,
                            top + (row + 0.7) * CELL, 0, SMALL)
    canvas.box(margin, top, f * CELL, f * CELL, palette.FILTER, fill=0.25, stroke=2.5)
    middle = top + full * CELL / 2
    canvas.arrow((out_x - gap + 12, middle), (out_x - 12, middle))
    grid(canvas, out_x, out_y, size, colour=palette.OUTPUT)
    canvas.box(out_x, out_y, CELL, CELL, palette.FILTER, fill=0.4)
    canvas.text(out_x + size * CELL / 2, out_y - 12, f"{size}x{size} output",
                bold=True)
    return canvas.finish(
        f"A {n}x{n} input with a border of zeros {pad} wide on every side, "
        f"{full}x{full} in all. The {f}x{f} filter in the top left corner covers "
        f"zeros and inputs, and gives the top left number of a {size}x{size} "
        f"output, next to it.")


def windows_over(n: int, f: int, pad: int) -> list[list[int]]:
    """How many places of the filter cover each input number, at stride 1."""
    along = [sum(start <= i + pad < start + f
                 for start in range(output_size(n, f, 1, pad))) for i in range(n)]
    return [[rows * columns for columns in along] for rows in along]


def coverage(n: int, f: int, pad: int) -> Drawing:
    """An n x n input; each number says how many windows that place is in."""
    counts = windows_over(n, f, pad)
    most = max(map(max, counts))
    cell, margin, top = 28, 8, 28
    canvas = Canvas(n * cell + 2 * margin, n * cell + top + margin)
    canvas.text(margin + n * cell / 2, 16, f"padding {pad}", bold=True)
    for row in range(n):
        for column in range(n):
            share = counts[row][column] / most
            x, y = margin + column * cell, top + row * cell
            canvas.box(x, y, cell, cell, palette.OUTPUT, fill=0.5 * share, stroke=1)
            canvas.text(x + cell / 2, y + cell * 0.66, counts[row][column])
    middle = n // 2
    return canvas.finish(
        f"A {n}x{n} grid for a {f}x{f} filter at stride 1 with padding {pad}. The "
        f"number in each square says how many positions of the filter cover it: "
        f"{counts[0][0]} in the corners, {counts[0][middle]} in the middle of an "
        f"edge, {counts[middle][middle]} in the centre. The output is "
        f"{times((output_size(n, f, 1, pad),) * 2)}.")
