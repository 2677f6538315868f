"""Figures of volumes: boxes of height x width x channels, seen at an angle."""

from __future__ import annotations

from collections.abc import Sequence

from convlab.arithmetic import (
    Conv,
    Dense,
    Layer,
    Pool,
    Relu,
    Row,
    Shape,
    SizeError,
    times,
    trace,
    volume,
)

from . import palette
from .svg import SMALL, Canvas, Drawing, Point

UNIT = 4     # pixels a row or column
SLANT = (0.62, -0.46)  # where one step into the depth goes on the page
STEP = 6       # pixels of depth a channel, down to less where there are many
MOST_DEPTH = 90  # pixels of depth
SMALL_UNIT = 2.5  # as UNIT, in a row of volumes
GAP = 72       # between two volumes in a row
COLUMN = 72    # the height of a vector, drawn as a column


def depth_of(channels: int) -> Point:
    """How far a volume's back is shifted from its front, in pixels."""
    return _shift(1, depth(channels))


def depth(channels: int) -> float:
    """Pixels of depth; sheets lie closer where there are many."""
    return min(channels * STEP, MOST_DEPTH)


def _shift(part: float, length: float) -> Point:
    return part * length * SLANT[0], part * length * SLANT[1]


def cuboid(canvas: Canvas, x: float, y: float, size: Point, channels: int,
           colours: Sequence[str], fill: float = 0.2, stroke: float = 1.5) -> None:
    """A volume whose front face has its top left corner at (x, y).

    One sheet a channel, back to front, each in its colour (the last one is
    repeated where there are fewer colours than channels).
    """
    width, height = size
    for channel in reversed(range(channels)):
        colour = colours[min(channel, len(colours) - 1)]
        near, far = (_shift(k / channels, depth(channels))
                     for k in (channel, channel + 1))
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
    bank = left + columns + dx + 44
    out = bank + size * UNIT + dx + 44
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


def sequence(image: Shape, layers: Sequence[Layer]) -> Drawing:
    """Volumes and the layers between them, left to right.

    A Relu keeps its shape, so it shares the arrow of the layer before it.
    """
    steps = layers_with_relu(trace(layers, image))
    shapes = [volume(image, "the image"), *(row.output_shape for row, _ in steps)]
    tall = max(shape[0] for shape in shapes if len(shape) == 3) * SMALL_UNIT
    x, y = 20.0, 14 - min(_slant(shape)[1] for shape in shapes) + tall / 2
    canvas = Canvas(0, int(y + tall / 2 + 32))
    for index, shape in enumerate(shapes):
        colour = palette.INPUT if index == 0 else palette.OUTPUT
        width = _stood(canvas, x, y, shape, colour)
        canvas.text(x + width / 2, y + tall / 2 + 22, times(shape))
        x += width + _slant(shape)[0]
        if index < len(steps):
            _between(canvas, x, y, *steps[index])
            x += GAP
    canvas.width = int(x + 16)
    told = "; ".join(f"{_told(row, relu)} {times(row.output_shape)}"
                     for row, relu in steps)
    return canvas.finish(
        f"A row of boxes from left to right, joined by arrows. It starts with a "
        f"{times(image)} image; {told}.")


def layers_with_relu(rows: Sequence[Row]) -> list[tuple[Row, bool]]:
    """Each row that is not a Relu, and whether a Relu follows it."""
    return [(row, any(isinstance(after.layer, Relu) for after in rows[i + 1:i + 2]))
            for i, row in enumerate(rows) if not isinstance(row.layer, Relu)]


def _slant(shape: Shape) -> Point:
    """The depth of a volume on the page; a vector is drawn flat."""
    return depth_of(shape[2]) if len(shape) == 3 else (0.0, 0.0)


def _stood(canvas: Canvas, x: float, y: float, shape: Shape, colour: str) -> float:
    """Draw a volume, or a vector as a column, around height y; its front's width."""
    if len(shape) == 3:
        height, width = shape[0] * SMALL_UNIT, shape[1] * SMALL_UNIT
        cuboid(canvas, x, y - height / 2, (width, height), shape[2], [colour],
               fill=0.16, stroke=1)
        return width
    cell = min(10.0, COLUMN / shape[0])
    for k in range(shape[0]):
        canvas.box(x, y + (k - shape[0] / 2) * cell, 12, cell, colour, stroke=1)
    return 12


def _between(canvas: Canvas, x: float, y: float, row: Row, relu: bool) -> None:
    """The arrow of a layer, with its name above and its Relu below."""
    layer, middle = row.layer, x + GAP / 2 - 2
    name, detail = type(layer).__name__.upper(), ""
    if isinstance(layer, Conv):
        name = f"CONV {layer.filters}"
        detail = f"of {times((layer.size, layer.size, row.input_shape[2]))}"
    elif isinstance(layer, Pool):
        detail = times((layer.size, layer.size))
    elif isinstance(layer, Dense):
        name = "FC"
    canvas.text(middle, y - 26, name, SMALL, bold=True)
    canvas.text(middle, y - 11, detail, SMALL)
    canvas.arrow((x + 10, y), (x + GAP - 12, y))
    if relu:
        canvas.text(middle, y + 18, "ReLU", SMALL, bold=True)


def _told(row: Row, relu: bool) -> str:
    """A layer as a clause that ends before its output shape."""
    layer = row.layer
    if isinstance(layer, Conv):
        shape = times((layer.size, layer.size, row.input_shape[2]))
        what = f"{layer.filters} filters of {shape}"
    elif isinstance(layer, Pool):
        what = f"pooling over {times((layer.size, layer.size))}"
    else:
        what = "a fully connected layer"
    return (f"{what} and a ReLU make it" if relu
            else f"{what} makes it" if not isinstance(layer, Conv)
            else f"{what} make it")
