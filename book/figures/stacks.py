"""Figures of layers on top of one another: windows, reach, paths."""

from __future__ import annotations

from collections.abc import Sequence

from convlab.arithmetic import Conv, Pool, ReceptiveField, SizeError, output_size, times

from . import palette
from .grids import CELL, grid
from .svg import SMALL, Canvas, Drawing

GAP = 46       # between two grids
SQUARE = 18    # a number, in a row of numbers
LEVEL = 46     # from one row of numbers to the next
BAR_HEIGHT = 90


def stacked_windows(n: int, sizes: Sequence[int]) -> Drawing:
    """An n x n input that filters at stride 1 shrink to one number, layer by layer."""
    sides = [n]
    for f in sizes:
        sides.append(output_size(sides[-1], f))
    if sides[-1] != 1:
        raise SizeError(f"filters {', '.join(map(str, sizes))} leave {sides[-1]} "
                        f"numbers of {n} a side: the figure ends with one")
    margin, top = 10, 30
    tall = n * CELL
    width = 2 * margin + sum(sides) * CELL + GAP * len(sizes)
    canvas = Canvas(max(width, 190), top + tall + 32)
    x = margin
    for level, side in enumerate(sides):
        y = top + (tall - side * CELL) / 2
        colour = palette.INPUT if level == 0 else palette.OUTPUT
        grid(canvas, x, y, side, colour=colour)
        if level < len(sizes):
            f, after = sizes[level], sides[level + 1]
            right = x + side * CELL + GAP
            at = top + (tall - after * CELL) / 2
            for corner, paint in ((0, palette.FILTER), (after - 1, palette.EXTRA))[
                    :min(after, 2)]:
                left, up = x + corner * CELL, y + corner * CELL
                canvas.box(left, up, f * CELL, f * CELL, paint, fill=0.2, stroke=2.5)
                cell = (right + corner * CELL, at + corner * CELL)
                canvas.line((left + f * CELL, up), cell, paint)
                canvas.line((left + f * CELL, up + f * CELL),
                            (cell[0], cell[1] + CELL), paint)
                canvas.box(*cell, CELL, CELL, paint, fill=0.4)
            canvas.text(right - GAP / 2, top + tall + 20, times((f, f)))
        x += side * CELL + GAP
    count = sum(f * f for f in sizes)
    canvas.text(canvas.width / 2, 18, f"{count} weights", bold=True)
    path = " -> ".join(times((side, side)) for side in sides)
    return canvas.finish(
        f"Grids joined by lines, {path}: filters of "
        f"{', then '.join(times((f, f)) for f in sizes)} turn a {times((n, n))} patch "
        f"of the input into one number. One channel in and out takes {count} weights.")


def seen_by(layers: Sequence[Conv | Pool], n: int) -> tuple[list[int], list[range]]:
    """(numbers along an axis, those that the middle output depends on) by level.

    Level 0 is the input; the layers follow.
    """
    sizes = [n]
    for layer in layers:
        if layer.pad:
            raise SizeError("the figure shows layers without padding")
        sizes.append(output_size(sizes[-1], layer.size, layer.stride))
    middle = sizes[-1] // 2
    seen = [range(middle, middle + 1)]
    for layer in reversed(layers):
        first, last = seen[0][0], seen[0][-1]
        seen.insert(0, range(first * layer.stride, last * layer.stride + layer.size))
    return sizes, seen


def reach(n: int, layers: Sequence[Conv | Pool]) -> Drawing:
    """Rows of numbers, input at the bottom; filled is what the top one depends on."""
    sizes, seen = seen_by(layers, n)
    margin, label, top = 10, 152, 12
    levels = len(sizes)
    canvas = Canvas(margin + n * SQUARE + label,
                    top + (levels - 1) * LEVEL + SQUARE + 8)
    field, centres = ReceptiveField(), []
    told = []
    for level, (size, part) in enumerate(zip(sizes, seen, strict=True)):
        if level:
            field = field.after(layers[level - 1])
        start = margin + field.size[1] * SQUARE / 2  # the centre of number 0
        centres.append([start + i * field.jump * SQUARE for i in range(size)])
        y = top + (levels - 1 - level) * LEVEL
        if level:
            layer = layers[level - 1]
            for i in part:
                x = centres[level][i]
                window = centres[level - 1][i * layer.stride:
                                            i * layer.stride + layer.size]
                for edge, side in ((window[0], -1), (window[-1], 1)):
                    canvas.line((x + side * SQUARE / 2, y + SQUARE),
                                (edge + side * SQUARE / 2, y + LEVEL), palette.FILTER,
                                opacity=0.7)
        colour = palette.INPUT if level == 0 else palette.OUTPUT
        for i, x in enumerate(centres[level]):
            canvas.box(x - SQUARE / 2, y, SQUARE, SQUARE,
                       palette.FILTER if i in part else colour,
                       fill=0.45 if i in part else 0.08, stroke=1)
        name = "input" if level == 0 else _named(layers[level - 1])
        text = f"{name}: {len(part)} seen" if level == 0 else (
            f"{name}, sees {field.size[1]}")
        canvas.text(margin + n * SQUARE + 10, y + 14, text, SMALL + 1, anchor="start")
        told.append(f"{name}, {size} numbers"
                    + (f", each sees {field.size[1]} of the input" if level else ""))
    return canvas.finish(
        f"{levels} rows of squares, the input at the bottom: {'; '.join(told)}. "
        f"Filled are the squares that the middle square of the top row depends on: "
        f"{', '.join(str(len(part)) for part in seen)} from bottom to top.")


def _named(layer: Conv | Pool) -> str:
    kind = "conv" if isinstance(layer, Conv) else "pool"
    return f"{kind} {times((layer.size, layer.size))}"


def path_counts(size: int, layers: int) -> list[int]:
    """On how many paths each input along one axis reaches one output.

    A path takes one of the `size` places of the window in every layer, stride 1.

    >>> path_counts(3, 2)
    [1, 2, 3, 2, 1]
    """
    if size < 1 or layers < 1:
        raise SizeError("paths need windows of at least 1 and at least one layer")
    counts = [1]
    for _ in range(layers):
        padded = [0] * (size - 1) + counts + [0] * (size - 1)
        counts = [sum(padded[i:i + size]) for i in range(len(counts) + size - 1)]
    return counts


def paths(size: int, layers: int) -> Drawing:
    """Bars: on how many paths each input reaches one number, `layers` further on."""
    counts = path_counts(size, layers)
    bar, margin, top = 22, 12, 42
    width = max(len(counts) * bar + 2 * margin, 150)
    left = (width - len(counts) * bar) / 2
    canvas = Canvas(width, top + BAR_HEIGHT + 14)
    plural = "s" if layers > 1 else ""
    canvas.text(width / 2, 16, f"{layers} layer{plural}", bold=True)
    base = top + BAR_HEIGHT
    for i, count in enumerate(counts):
        height = BAR_HEIGHT * count / max(counts)
        canvas.box(left + i * bar + 2, base - height, bar - 4, height, palette.OUTPUT,
                   fill=0.4, stroke=1)
        canvas.text(left + (i + 0.5) * bar, base - height - 6, count, SMALL)
    canvas.line((left, base), (left + len(counts) * bar, base))
    return canvas.finish(
        f"Bars for {layers} layer{plural} of windows of {size}: the {len(counts)} "
        f"inputs reach one output on {', '.join(map(str, counts))} paths, "
        f"{sum(counts)} in all.")
