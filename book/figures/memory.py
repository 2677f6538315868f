"""Figures of arrays in memory: orders of reading, chunks laid out as rows, and sums
that are in no memory at all."""

from __future__ import annotations

from collections.abc import Sequence

from convlab.arithmetic import SizeError, output_size, times

from . import palette
from .numbers import CELL, Matrix, matrix, shape, signed
from .svg import SMALL, Canvas, Drawing

STRIP = 15  # pixels of one number in a strip of memory


def memory_order(rows: int, columns: int, line: int, along: bool) -> Drawing:
    """An array, the first reads in one order, and the memory lines they fetch.

    As many reads as a line holds numbers.
    """
    if line > rows or (rows * columns) % line:
        raise SizeError(f"{rows}x{columns} numbers do not come in lines of {line}")
    reads = [divmod(k, columns) if along else (k % rows, k // rows)
             for k in range(line)]
    at = [r * columns + c for r, c in reads]
    fetched = {place // line for place in at}
    left, top, cell = 8, 34, 26
    strip, below = rows * columns * STRIP, top + rows * cell + 46
    canvas = Canvas(max(strip, columns * cell) + 2 * left + 2, below + 62)
    canvas.text(left, 16, "along the rows" if along else "down the columns",
                anchor="start", bold=True)
    for r in range(rows):
        for c in range(columns):
            read = (r, c) in reads
            canvas.box(left + c * cell, top + r * cell, cell, cell,
                       palette.FILTER if read else palette.INPUT,
                       fill=0.45 if read else 0.1, stroke=1)
            if read:
                canvas.text(left + (c + 0.5) * cell, top + (r + 0.7) * cell,
                            reads.index((r, c)) + 1)
    canvas.text(left, below - 10, "in memory", SMALL + 1, anchor="start")
    for place in range(rows * columns):
        mine = place in at
        got = place // line in fetched
        canvas.box(left + place * STRIP, below, STRIP, 24,
                   palette.FILTER if mine else palette.INPUT,
                   fill=0.45 if mine else 0.3 if got else 0.05, stroke=0.8)
    for start in range(0, rows * columns, line):
        if start // line in fetched:
            canvas.box(left + start * STRIP, below - 3, line * STRIP, 30,
                       palette.OUTPUT, fill=0, stroke=2.5)
    lines = f"{len(fetched)} line" + "s" * (len(fetched) != 1)
    canvas.text(left, below + 50, f"{line} numbers read, {lines} of memory fetched",
                anchor="start")
    order = "along the first row" if along else "down the first column"
    return canvas.finish(
        f"An array of {rows} rows and {columns} columns, and below it the same numbers "
        f"as they lie in memory: row after row, in lines of {line}. The first {line} "
        f"reads go {order}. They lie in {lines} of memory, "
        f"{len(fetched) * line} numbers, which must all be fetched.")


def chunk_rows(x: Matrix, filters: Sequence[Matrix], row: int, column: int) -> Drawing:
    """im2col and the product: chunks as rows, filters as columns, maps as columns."""
    (height, width), (f_h, f_w) = shape(x, "input"), shape(filters[0], "filter")
    rows, columns = output_size(height, f_h), output_size(width, f_w)
    if not (0 <= row < rows and 0 <= column < columns):
        raise SizeError(f"position ({row}, {column}) is outside the "
                        f"{times((rows, columns))} output")
    chunks = [[x[p + r][q + s] for r in range(f_h) for s in range(f_w)]
              for p in range(rows) for q in range(columns)]
    as_columns = [list(one) for one in zip(
        *[[v for line in w for v in line] for w in filters], strict=True)]
    y = [[sum(a * b for a, b in zip(chunk, one, strict=True))
          for one in zip(*as_columns, strict=True)] for chunk in chunks]
    marked = row * columns + column
    wide = [width, f_h * f_w, len(filters), len(filters)]
    gaps, margin, top = (46, 30, 30), 6, 34
    high = max(height, rows * columns)
    canvas = Canvas(2 * margin + sum(wide) * CELL + sum(gaps),
                    top + high * CELL + 30)
    left = margin
    for number, (name, values, colour) in enumerate((
            ("input", x, palette.INPUT), ("chunks", chunks, palette.INPUT),
            ("filters", as_columns, palette.FILTER), ("maps", y, palette.OUTPUT))):
        at = top + (high - len(values)) * CELL / 2
        canvas.text(left + wide[number] * CELL / 2, at - 10, name, bold=True)
        matrix(canvas, left, at, values, colour)
        if number == 0:
            canvas.box(left + column * CELL, at + row * CELL, f_w * CELL, f_h * CELL,
                       palette.FILTER, fill=0.2, stroke=3)
        elif number != 2:
            canvas.box(left, at + marked * CELL, wide[number] * CELL, CELL,
                       palette.FILTER, fill=0.2, stroke=3)
        canvas.text(left + wide[number] * CELL / 2, at + len(values) * CELL + 20,
                    times((len(values), wide[number])), SMALL + 1)
        left += wide[number] * CELL + (*gaps, 0)[number]
        middle = top + high * CELL / 2
        if number == 0:
            canvas.arrow((left - gaps[0] + 8, middle), (left - 8, middle))
        elif number < 3:
            canvas.text(left - gaps[number] / 2, middle + 6,
                        "\N{DOT OPERATOR}" if number == 1 else "=", 22)
    chunk = ", ".join(map(signed, chunks[marked]))
    return canvas.finish(
        f"A {times((height, width))} input with the chunk at row {row}, column "
        f"{column} marked. Next to it a matrix of {times((len(chunks), f_h * f_w))} "
        f"numbers, one row a chunk: the marked chunk is row {marked}, {chunk}. It is "
        f"multiplied by a matrix of {times((f_h * f_w, len(filters)))}, one column a "
        "filter, and gives "
        f"{times((len(chunks), len(filters)))}, one column a map; the marked row is "
        f"{', '.join(map(signed, y[marked]))}.")


def held_sums(pixels: int, filters: int, vector: int) -> Drawing:
    """A table of sums, and the column and the row whose products are added to it.

    One number of each pixel, one weight of each filter. Every `vector` sums of a row
    are one register; a register holds as many of the weights.
    """
    if filters % vector:
        raise SizeError(f"{filters} filters do not come in vectors of {vector}")
    cell, high, left, top, gap = 12, 24, 76, 78, 14
    wide = filters * cell
    canvas = Canvas(left + wide + 8, top + pixels * high + 34)
    canvas.text(left, 18, f"a weight of each of {filters} filters", anchor="start",
                bold=True)
    for k in range(filters):
        canvas.box(left + k * cell, top - gap - high, cell, high, palette.FILTER,
                   fill=0.3, stroke=0.6)
    for row in range(pixels):
        y = top + row * high
        canvas.box(left - gap - high, y, high, high, palette.INPUT, fill=0.3, stroke=1)
        canvas.text(left - gap - high / 2, y + high * 0.7, row + 1)
        for k in range(filters):
            canvas.box(left + k * cell, y, cell, high, palette.OUTPUT, fill=0.13,
                       stroke=0.6)
    for start in range(0, filters, vector):
        x = left + start * cell
        canvas.box(x, top - gap - high, vector * cell, high, palette.FILTER, fill=0,
                   stroke=2.5)
        for row in range(pixels):
            canvas.box(x, top + row * high, vector * cell, high, palette.OUTPUT,
                       fill=0, stroke=2.5)
    registers, loaded = pixels * filters // vector, filters // vector
    canvas.text(8, top - gap, "pixels", SMALL + 1, anchor="start")
    canvas.text(left, top + pixels * high + 22,
                f"{pixels * filters} sums, in {registers} registers", anchor="start")
    return canvas.finish(
        f"A column of {pixels} boxes, one number for each of {pixels} pixels, and a "
        f"row of {filters} boxes, one weight for each of {filters} filters, in "
        f"{loaded} groups of {vector}. Between them a table of {pixels} rows and "
        f"{filters} columns, the sums. It is outlined in {registers} groups of "
        f"{vector}: each is one register, to which the product of its row's number "
        "and its columns' weights is added.")
