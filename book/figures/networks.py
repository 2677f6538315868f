"""Figures of published networks: their volumes, blocks, counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from convlab.arithmetic import (
    Conv,
    Layer,
    Norm,
    Pool,
    Relu,
    Row,
    Shape,
    SizeError,
    times,
)
from convlab.blocks import (
    Block,
    GroupedConv,
    Parallel,
    PartialConv,
    Thinned,
    uneven_size,
)
from convlab.published import Published

from . import palette
from .svg import SMALL, Canvas, Drawing

LABEL, COLUMN, BAR, PITCH = 62, 180, 96, 24  # pixels, of a profile


def profile(network: Published) -> Drawing:
    """A network's volumes: how large their maps are, and how many.

    Bars for channels and units are to the scale of their roots, so that 3 and
    4,096 can be seen together; bars for maps are to plain scale.
    """
    shapes = [("image", network.input_shape)] + [
        (part.name, part.output_shape) for part in network.parts.values()]
    sides = [shape[0] if len(shape) == 3 else 0 for _, shape in shapes]
    depths = [shape[-1] for _, shape in shapes]
    top = 30
    canvas = Canvas(LABEL + 2 * COLUMN, top + len(shapes) * PITCH + 6)
    for k, title in enumerate(("maps", "channels, units")):
        canvas.text(LABEL + k * COLUMN, 18, title, anchor="start", bold=True)
    for row, (name, shape) in enumerate(shapes):
        y = top + row * PITCH
        canvas.text(LABEL - 8, y + 15, name, SMALL, anchor="end", bold=True)
        lengths = (BAR * sides[row] / max(sides),
                   BAR * math.sqrt(depths[row] / max(depths)))
        texts = (times(shape[:2]) if len(shape) == 3 else "", f"{depths[row]:,}")
        for k, (length, text) in enumerate(zip(lengths, texts, strict=True)):
            x = LABEL + k * COLUMN
            if text:
                canvas.box(x, y + 3, max(length, 1), PITCH - 8,
                           (palette.INPUT, palette.OUTPUT)[k], fill=0.4, stroke=1)
                canvas.text(x + length + 6, y + 15, text, SMALL, anchor="start")
    told = ", ".join(f"{name} {times(shape)}" for name, shape in shapes)
    return canvas.finish(
        f"Bars for each volume of {network.name}, from the image down: the size of its "
        f"maps, and how many channels or units it has: {told}.")


def partial_connections(layer: PartialConv, channels: int) -> Drawing:
    """Which input map each filter of a partly connected layer sees."""
    layer.output_shape((layer.size, layer.size, channels))
    cell, left, top = 22, 52, 50
    count = len(layer.table)
    canvas = Canvas(left + count * cell + 8, top + channels * cell + 40)
    canvas.text(left + count * cell / 2, 16, "maps of the output", bold=True)
    canvas.text(6, 16, "input", anchor="start", bold=True)
    for k, seen in enumerate(layer.table):
        x = left + k * cell
        canvas.text(x + cell / 2, top - 10, k, SMALL)
        canvas.text(x + cell / 2, top + channels * cell + 22, len(seen), SMALL)
        for channel in range(channels):
            joined = channel in seen
            canvas.box(x + 2, top + channel * cell + 2, cell - 4, cell - 4,
                       palette.FILTER if joined else palette.PADDING,
                       fill=0.75 if joined else 0.04, stroke=1)
    for channel in range(channels):
        canvas.text(left - 12, top + (channel + 0.66) * cell, channel, SMALL,
                    anchor="end")
    canvas.text(6, top + channels * cell + 22, "seen", SMALL, anchor="start")
    sizes = sorted({len(seen) for seen in layer.table})
    told = ", ".join(f"{sum(len(seen) == size for seen in layer.table)} see {size}"
                     for size in sizes)
    return canvas.finish(
        f"A table with a row for each of {channels} input maps and a column for each "
        f"of {count} output maps. A square is filled where the output map sees the "
        f"input map. Of the {count} maps, {told} input maps.")


def last_places(n: int, f: int, stride: int, before: int = 0, after: int = 0,
                title: str = "") -> Drawing:
    """The right edge of an input of n columns, and the last places of a filter.

    `before` and `after` are columns of zeros. Columns that no place covers are
    marked, and so is the place that would stick out.
    """
    full = n + before + after
    if full < f:
        raise SizeError(f"a filter of size {f} is larger than {full}")
    count = (full - f) // stride + 1
    left_over = full - ((count - 1) * stride + f)
    if not left_over:
        count = uneven_size(n, f, stride, before, after)
    first = max(count - 2, 0)
    start = first * stride - 2              # the first column drawn, in padded columns
    end = max(full, count * stride + f if left_over else 0)
    cell, top, margin = 9, 44, 10
    width = margin * 2 + (end - start) * cell
    bars = count - first + bool(left_over)
    canvas = Canvas(max(width, 200), top + 40 + bars * 15 + 30)

    def x(column: int) -> float:
        return margin + (column - start) * cell

    canvas.text(margin, 16, title or f"{n} columns", anchor="start", bold=True)
    canvas.text(margin, 34, f"zeros: {before} left, {after} right", SMALL,
                anchor="start")
    for column in range(start, full):
        zero = not before <= column < before + n
        lost = column >= full - left_over
        colour = (palette.PROBLEM if lost else
                  palette.PADDING if zero else palette.INPUT)
        canvas.box(x(column), top, cell, 24, colour, fill=0.4 if lost else 0.15,
                   stroke=1)
    for k in range(bars):
        fits = first + k < count
        canvas.box(x((first + k) * stride) + 1, top + 34 + k * 15, f * cell - 2, 10,
                   palette.FILTER if fits else palette.PROBLEM,
                   fill=0.4 if fits else 0.1, dash="" if fits else "4 3")
    says = (f"{count} places, {left_over} column{'s' * (left_over > 1)} left"
            if left_over else f"{count} places, all covered")
    canvas.text(margin, top + 34 + bars * 15 + 18, says, SMALL, anchor="start")
    end_of_it = (f"{left_over} at the end covered by none, and the next place would "
                 "stick out" if left_over else "the last one ends at the edge")
    return canvas.finish(
        f"The right end of an input of {n} columns with {before} columns of zeros on "
        f"its left and {after} on its right. Bars show the last places of a filter of "
        f"size {f} at stride {stride}: {count} places in all, {end_of_it}.")


def two_gpus(network: Published) -> Drawing:
    """A network split in two: which half of a layer sees which half of the last."""
    parts = [part for part in network.parts.values() if part.parameters]
    wide, tall, pitch, top = 74, 26, 58, 34
    lanes = (78.0, 224.0)
    canvas = Canvas(400, top + len(parts) * pitch - 20)
    for lane, name in zip(lanes, ("GPU 1", "GPU 2"), strict=True):
        canvas.text(lane + wide / 2, 18, name, bold=True)
    crossing = []
    for k, part in enumerate(parts):
        y, seen = top + k * pitch, part.rows[0]
        if part.output_shape[-1] % 2:
            raise SizeError(f"{part.name} has {part.output_shape[-1]} maps or units: "
                            "they can't be halved")
        canvas.text(lanes[0] - 14, y + 18, part.name, anchor="end", bold=True)
        canvas.text(lanes[1] + wide + 12, y + 18, _filter_of(seen), SMALL,
                    anchor="start")
        crosses = k > 0 and _groups(seen) == 1
        crossing += [part.name] * crosses
        for here, start in enumerate(lanes):
            canvas.box(start, y, wide, tall, palette.OUTPUT, fill=0.2)
            canvas.text(start + wide / 2, y + 18, f"{part.output_shape[-1] // 2:,}")
            for there, end in enumerate(lanes):
                if k and (crosses or here == there):
                    canvas.line((start + wide / 2, y - pitch + tall),
                                (end + wide / 2, y),
                                palette.PROBLEM if here != there else palette.FILTER,
                                stroke=2)
    halves = ", ".join(f"{part.name} {part.output_shape[-1] // 2:,}" for part in parts)
    return canvas.finish(
        f"{network.name} from top to bottom in two columns of boxes, one for each "
        f"graphics processor, with half of each layer's maps or units: {halves}. Lines "
        f"go straight down each column; only into {', '.join(crossing)} do lines also "
        "cross from one column to the other.")


def _filter_of(row: Row) -> str:
    """The shape of one filter; nothing for a fully connected layer."""
    if not isinstance(row.layer, Conv):
        return ""
    return times((row.layer.size, row.layer.size, row.input_shape[2] // _groups(row)))


def _groups(row: Row) -> int:
    return row.layer.groups if isinstance(row.layer, GroupedConv) else 1


# --- blocks

BOX_HEIGHT, BOX_GAP = 40, 26
WAYS = {2: 150, 4: 106}  # pixels a way through a block, by how many there are


def block(shape: Shape, layer: Block) -> Drawing:
    """The ways through a block, from its input at the top to its output below."""
    chains = [_boxes(rows) for rows in layer.traced(shape)]
    if len(chains) not in WAYS:
        raise SizeError(f"the figure is for blocks of {' or '.join(map(str, WAYS))} "
                        f"ways, got {len(chains)}")
    column = WAYS[len(chains)]
    output = layer.output_shape(shape)
    tallest = max(len(chain) for chain in chains)
    width = len(chains) * column
    canvas = Canvas(width + 16, (tallest + 2) * (BOX_HEIGHT + BOX_GAP) + 14)
    middle, step = 8 + width / 2, BOX_HEIGHT + BOX_GAP
    join = 8 + (tallest + 1) * step
    wide = column - 8
    _box(canvas, middle, 8, wide, "input", times(shape), palette.INPUT)
    stacked = isinstance(layer, Parallel)
    for k, boxes in enumerate(chains):
        x = 8 + (k + 0.5) * column
        bend = 8 + BOX_HEIGHT + BOX_GAP / 2 - 4
        canvas.line((middle, 8 + BOX_HEIGHT), (middle, bend), stroke=1.5)
        canvas.line((middle, bend), (x, bend), stroke=1.5)
        y = bend
        for j, (name, shown, colour) in enumerate(boxes):
            top = 8 + (j + 1) * step
            canvas.arrow((x, y), (x, top))
            _box(canvas, x, top, wide, name, shown, colour)
            y = top + BOX_HEIGHT
        canvas.line((x, y), (x, join - 12), stroke=1.5)
        canvas.line((x, join - 12), (middle, join - 12), stroke=1.5)
    canvas.arrow((middle, join - 12), (middle, join))
    _box(canvas, middle, join, wide, "stacked" if stacked else "added", times(output),
         palette.OUTPUT)
    ways = "; ".join(f"way {k}: " + (", ".join(f"{name} to {shown}" for name, shown, _
                                              in boxes) or "nothing, the input itself")
                     for k, boxes in enumerate(chains, start=1))
    return canvas.finish(
        f"A {times(shape)} input at the top goes {len(chains)} ways at once. {ways}. "
        f"Below, what they give is {'stacked' if stacked else 'added'}: "
        f"{times(output)}.")


def _boxes(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """(name, output shape, colour) of each layer that is drawn."""
    return [(_named(row.layer), times(row.output_shape),
             palette.FILTER if isinstance(row.layer, Conv) else palette.EXTRA)
            for row in rows if not isinstance(row.layer, Relu | Norm)]


def _named(layer: Layer) -> str:
    if isinstance(layer, Conv):
        stride = f", stride {layer.stride}" if layer.stride > 1 else ""
        return f"{layer.filters} of {layer.size}x{layer.size}{stride}"
    if isinstance(layer, Pool):
        return f"{layer.kind} pool {layer.size}x{layer.size}"
    if isinstance(layer, Thinned):
        return "thinned, zeros"
    raise SizeError(f"the figure of a block has no name for {layer}")


def _box(canvas: Canvas, x: float, y: float, wide: float, name: str, shown: str,
         colour: str) -> None:
    """A box around x with two lines of text."""
    canvas.box(x - wide / 2, y, wide, BOX_HEIGHT, colour, fill=0.2)
    canvas.text(x, y + 16, name, SMALL, bold=True)
    canvas.text(x, y + 33, shown, SMALL)


# --- several networks


def comparison(networks: Sequence[Published]) -> Drawing:
    """Parameters against MACs, a point a network, both axes in powers of ten."""
    points = [(one.name, math.log10(one.parameters), math.log10(one.macs))
              for one in networks]
    left, top, width, height = 90, 14, 300, 280
    (x0, x1), (y0, y1) = (_powers([point[axis] for point in points])
                          for axis in (1, 2))
    canvas = Canvas(left + width + 36, top + height + 52)

    def place(a: float, b: float) -> tuple[float, float]:
        return (left + width * (a - x0) / (x1 - x0),
                top + height * (1 - (b - y0) / (y1 - y0)))

    for power in range(x0, x1 + 1):
        x, _ = place(power, y0)
        canvas.line((x, top), (x, top + height), opacity=0.25)
        canvas.text(x, top + height + 20, _amount(power), SMALL)
    for power in range(y0, y1 + 1):
        _, y = place(x0, power)
        canvas.line((left, y), (left + width, y), opacity=0.25)
        canvas.text(left - 8, y + 4, _amount(power), SMALL, anchor="end")
    canvas.text(left + width / 2, top + height + 42, "parameters", bold=True)
    canvas.text(left + 6, top + 12, "MACs an image", anchor="start", bold=True)
    placed = [place(a, b) for _, a, b in points]
    reach = max(x + 14 + 0.62 * SMALL * len(name)
                for (name, _, _), (x, _) in zip(points, placed, strict=True))
    canvas.width = max(canvas.width, math.ceil(reach))
    for k, ((name, _, _), (x, y)) in enumerate(zip(points, placed, strict=True)):
        # A neighbour on the right would stand on the name: write it on the left.
        left_side = any(0 < u - x < 90 and abs(v - y) < 15 for u, v in placed)
        colour = palette.FILTERS[k % len(palette.FILTERS)]
        canvas.polygon([(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)], colour,
                       fill=0.7)
        canvas.text(x + (-11 if left_side else 11), y + 4, name, SMALL,
                    anchor="end" if left_side else "start")
    told = "; ".join(f"{one.name} {one.parameters:,} and {one.macs:,}"
                     for one in networks)
    return canvas.finish(
        f"{len(points)} networks as points, parameters to the right and "
        f"multiply-accumulates for an image upwards, both in powers of ten: {told}.")


def _powers(logarithms: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around some numbers, given by their logarithms."""
    return math.floor(min(logarithms)), math.ceil(max(logarithms))


def _amount(power: int) -> str:
    """A power of ten in words: 10,000, 1 million, 10 billion."""
    for least, name in ((9, "billion"), (6, "million")):
        if power >= least:
            return f"{10 ** (power - least)} {name}"
    return f"{10 ** power:,}"
