"""Figures of volumes: boxes of height x width x channels, seen at an angle."""

from __future__ import annotations

from collections.abc import Sequence

from convlab.arithmetic import Conv, Layer, Relu, Shape, SizeError, times, trace, volume

from . import palette
from .svg import SMALL, Canvas, Drawing, Point

UNIT = 4.6     # pixels a row or column
SLANT = (0.62, -0.46)  # where one step into the depth goes on the page
STEP = 8       # pixels of depth a channel


def depth_of(channels: int) -> Point:
    """How far a volume's back is shifted from its front, in pixels."""
    return channels * STEP * SLANT[0], channels * STEP * SLANT[1]


def cuboid(canvas: Canvas, x: float, y: float, size: Point, channels: int,
           colours: Sequence[str], fill: float = 0.2, stroke: float = 1.5) -> None:
    """A volume whose front face has its top left corner at (x, y).

    One sheet a channel, back to front, each in its colour (the last one is
    repeated where there are fewer colours than channels).
    """
    width, height = size
    for channel in reversed(range(channels)):
        colour = colours[min(channel, len(colours) - 1)]
        near, far = (depth_of(k) for k in (channel, channel + 1))
        front = [(x + near[0], y + near[1]), (x + width + near[0], y + near[1]),
                 (x + width + near[0], y + height + near[1]),
                 (x + near[0], y + height + near[1])]
        back = [(px - near[0] + far[0], py - near[1] + far[1]) for px, py in front]
        canvas.polygon([front[0], back[0], back[1], front[1]], colour, fill=fill,
                       stroke=stroke)
        canvas.polygon([front[1], back[1], back[2], front[2]], colour, fill=fill * 2,
                       stroke=stroke)
        if channel == 0:
            canvas.polygon(front, colour, fill=fill * 1.4, stroke=stroke)


def activation_map(image: Shape, size: int, row: int, column: int) -> Drawing:
    """One filter over an image: a chunk gives one number of one map."""
    rows, columns, channels = volume(image, "the image")
    out_rows, out_columns, _ = Conv(1, size).output_shape(image)
    if not (0 <= row < out_rows and 0 <= column < out_columns):
        raise SizeError(f"position ({row}, {column}) is outside the "
                        f"{times((out_rows, out_columns))} map")
    dx, dy = depth_of(channels)
    left, top = 8, 34
    y = top - dy
    right = left + columns * UNIT + dx + 96
    canvas = Canvas(int(right + out_columns * UNIT + depth_of(1)[0] + 10),
                    int(y + rows * UNIT + 30))
    cuboid(canvas, left, y, (columns * UNIT, rows * UNIT), channels,
           [palette.INPUT], fill=0.13)
    corner = (left + column * UNIT, y + row * UNIT)
    cuboid(canvas, *corner, (size * UNIT, size * UNIT), channels, [palette.FILTER],
           fill=0.3)
    out_y = y + (rows - out_rows) * UNIT / 2
    cuboid(canvas, right, out_y, (out_columns * UNIT, out_rows * UNIT), 1,
           [palette.OUTPUT])
    cell = (right + column * UNIT, out_y + row * UNIT)
    edge = (corner[0] + size * UNIT + dx, corner[1] + dy)
    for start, end in ((edge, cell),
                       ((edge[0], edge[1] + size * UNIT), (cell[0], cell[1] + UNIT))):
        canvas.line(start, end, palette.FILTER)
    canvas.box(*cell, UNIT, UNIT, palette.FILTER, fill=0.9)
    base = y + rows * UNIT + 20
    canvas.text(left + columns * UNIT / 2, base, f"{times(image)} image")
    canvas.text(right + out_columns * UNIT / 2, base,
                f"{times((out_rows, out_columns, 1))} map")
    canvas.text(left, 16, f"{times((size, size, channels))} filter", anchor="start")
    canvas.line((left + 40, 21), (corner[0] + size * UNIT / 2 + dx / 2,
                                  corner[1] + dy / 2), opacity=0.5)
    return canvas.finish(
        f"A {times(image)} image drawn as a box of {channels} sheets. A "
        f"{times((size, size, channels))} filter, as deep as the image, covers a "
        f"small part of it with its corner at row {row}, column {column}. Lines lead "
        f"from there to one number, at row {row}, column {column} of a "
        f"{times((out_rows, out_columns, 1))} activation map.")


def filter_bank(image: Shape, filters: int, size: int) -> Drawing:
    """Several filters, each making one map; the maps stacked into a volume."""
    _, _, channels = volume(image, "the image")
    maps = Conv(filters, size).output_shape(image)
    if filters > len(palette.FILTERS):
        raise SizeError(f"the figure has colours for {len(palette.FILTERS)} "
                        f"filters, got {filters}")
    rows, columns = image[0] * UNIT, image[1] * UNIT
    dx, dy = depth_of(channels)
    ox, oy = depth_of(filters)
    left, top = 8, 12
    y = top - oy
    bank = left + columns + dx + 62
    out = bank + size * UNIT + dx + 62
    canvas = Canvas(int(out + maps[1] * UNIT + ox + 10), int(y + rows + 50))
    cuboid(canvas, left, y, (columns, rows), channels, [palette.INPUT], fill=0.13)
    pitch = rows / filters
    side = size * UNIT * 0.8
    for k in range(filters):
        cuboid(canvas, bank, y + k * pitch + 4, (side, side), channels,
               [palette.FILTERS[k]], fill=0.3)
    out_y = y + (rows - maps[0] * UNIT) / 2
    cuboid(canvas, out, out_y, (maps[1] * UNIT, maps[0] * UNIT), filters,
           palette.FILTERS, fill=0.3)
    middle = y + rows / 2
    canvas.arrow((left + columns + dx + 12, middle), (bank - 12, middle))
    canvas.arrow((bank + size * UNIT + dx + 4, middle), (out - 12, middle))
    base = y + rows + 22
    canvas.text(left + columns / 2, base, "image")
    canvas.text(left + columns / 2, base + 18, times(image))
    canvas.text(bank + side / 2 + 6, base, f"{filters} filters")
    canvas.text(bank + side / 2 + 6, base + 18, times((size, size, channels)))
    canvas.text(out + maps[1] * UNIT / 2, base, f"{filters} maps, stacked")
    canvas.text(out + maps[1] * UNIT / 2, base + 18, times(maps))
    return canvas.finish(
        f"A {times(image)} image, then {filters} filters of "
        f"{times((size, size, channels))} in {filters} colours, then their "
        f"{filters} activation maps in the same colours, one behind the other: "
        f"together a volume of {times(maps)}.")


def _name(layer: Layer, shape: Shape) -> tuple[str, str]:
    """A layer's label and its second line."""
    if isinstance(layer, Conv):
        return (f"CONV {layer.filters}",
                f"of {times((layer.size, layer.size, shape[2]))}")
    return type(layer).__name__.upper(), ""


def sequence(image: Shape, layers: Sequence[Layer]) -> Drawing:
    """Volumes and the layers between them, left to right.

    A Relu keeps its shape, so it shares the arrow of the layer before it.
    """
    traced = trace(layers, image)
    rows_shown = [row for row in traced if not isinstance(row.layer, Relu)]
    volumes = [image, *(row.output_shape for row in rows_shown)]
    unit, gap, top = 3.2, 84, 14
    y = top - min(depth_of(v[2])[1] for v in volumes)
    tallest = max(v[0] for v in volumes) * unit
    canvas = Canvas(0, int(y + tallest + 30))
    x, middle = 22.0, y + tallest / 2
    for index, shape in enumerate(volumes):
        height, width = shape[0] * unit, shape[1] * unit
        cuboid(canvas, x, middle - height / 2, (width, height), shape[2],
               [palette.INPUT if index == 0 else palette.OUTPUT], fill=0.16, stroke=1)
        canvas.text(x + width / 2, y + tallest + 22, times(shape))
        x += width + depth_of(shape[2])[0]
        if index < len(rows_shown):
            row = rows_shown[index]
            first, second = _name(row.layer, row.input_shape)
            after = traced[traced.index(row) + 1:][:1]
            canvas.text(x + gap / 2, middle - 26, first, SMALL, bold=True)
            canvas.text(x + gap / 2, middle - 11, second, SMALL)
            canvas.arrow((x + 10, middle), (x + gap - 8, middle))
            if after and isinstance(after[0].layer, Relu):
                canvas.text(x + gap / 2, middle + 18, "ReLU", SMALL, bold=True)
            x += gap
    canvas.width = int(x + 12)
    steps = "; ".join(
        f"{row.layer.filters} filters of "
        f"{times((row.layer.size, row.layer.size, row.input_shape[2]))} and a ReLU "
        f"make it {times(row.output_shape)}" if isinstance(row.layer, Conv)
        else f"then {times(row.output_shape)}" for row in rows_shown)
    return canvas.finish(
        f"A row of boxes that get smaller in height and width and deeper in "
        f"channels. It starts with a {times(image)} image; {steps}.")
