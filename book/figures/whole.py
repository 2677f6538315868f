"""Figures of a whole network: image to scores, layer by layer, and who holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlab.arithmetic import (
    Conv,
    Dense,
    Layer,
    Pool,
    Row,
    Shape,
    SizeError,
    numbers_in,
    times,
    trace,
    volume,
)

from . import palette
from .svg import SMALL, Canvas, Drawing
from .volumes import cuboid, depth_of, layers_with_relu

WIDTH = 420    # fits a phone after a little shrinking
UNIT = 1.7     # pixels a row or column
MIDDLE = 84    # where the volumes of a ladder stand
COLUMN = 160   # where their texts begin
GAP = 46       # between two volumes, for the layer's name
BAR = 20       # pitch of a chart's bars


def image_to_scores(image: Shape, scores: Mapping[str, float]) -> Drawing:
    """An image, a network that is not looked into, and a score for each class."""
    volume(image, "the image")
    if len(scores) < 2:
        raise SizeError(f"scores of at least two classes, got {len(scores)}")
    best = max(scores, key=scores.get)
    unit, top = 64 / max(image[:2]), 14
    high = top + BAR * len(scores) + 30
    canvas = Canvas(WIDTH, high)
    middle = top + BAR * len(scores) / 2
    size = image[1] * unit, image[0] * unit
    cuboid(canvas, 8, middle - size[1] / 2, size, image[2], [palette.INPUT])
    canvas.text(8 + size[0] / 2, middle + size[1] / 2 + 20, times(image))
    right = 8 + size[0] + depth_of(image[2])[0]
    canvas.arrow((right + 6, middle), (right + 28, middle))
    canvas.box(right + 32, middle - 26, 78, 52, palette.FILTER, fill=0.3)
    canvas.text(right + 71, middle + 5, "ConvNet", bold=True)
    canvas.arrow((right + 114, middle), (right + 136, middle))
    _bars_of_scores(canvas, right + 142, top, scores, best)
    told = ", ".join(f"{name} {score:.1f}" for name, score in scores.items())
    return canvas.finish(
        f"A {times(image)} image, an arrow into a box named ConvNet, and an arrow to "
        f"{len(scores)} bars, the score of each class: {told}. The highest is that of "
        f"{best}.")


def _bars_of_scores(canvas: Canvas, x: float, top: float,
                    scores: Mapping[str, float], best: str) -> None:
    """Bars from a common zero line, names on their left, numbers on their right."""
    left, right = x + 62, WIDTH - 40
    low, high = min(*scores.values(), 0), max(*scores.values(), 0)
    scale = (right - left) / ((high - low) or 1)
    zero = left - low * scale
    for row, (name, score) in enumerate(scores.items()):
        y = top + row * BAR
        start = zero + min(score, 0) * scale
        canvas.text(x + 58, y + 14, name, SMALL, anchor="end", bold=name == best)
        canvas.box(start, y + 3, max(abs(score) * scale, 1), BAR - 6,
                   palette.OUTPUT if name == best else palette.INPUT,
                   fill=0.6 if name == best else 0.25, stroke=1)
        canvas.text(WIDTH - 4, y + 14, _signed(score), SMALL, anchor="end",
                    bold=name == best)
    canvas.line((zero, top - 2), (zero, top + BAR * len(scores) + 2))


def _signed(score: float) -> str:
    return f"{score:.1f}".replace("-", "\N{MINUS SIGN}")


def ladder(image: Shape, layers: Sequence[Layer]) -> Drawing:
    """Every volume of a network, top to bottom, with the layer between two of them.

    What stands before the first fully connected layer is marked as feature
    extraction, the rest as classification.
    """
    steps = layers_with_relu(trace(layers, image))
    shapes = [volume(image, "the image"), *(row.output_shape for row, _ in steps)]
    firsts = [i for i, (row, _) in enumerate(steps) if isinstance(row.layer, Dense)]
    if not firsts or firsts[0] == 0:
        raise SizeError("the figure shows volumes and then fully connected layers: "
                        "there must be some of each")
    canvas, y = Canvas(WIDTH, 0), 34.0
    begins = {0: ("feature extraction", palette.FILTER),
              firsts[0]: ("classification", palette.EXTRA)}
    sections: list[tuple[float, float, str]] = []
    _heading(canvas, y - 20, *begins[0])
    started, colour = y - 14, begins[0][1]
    for index, shape in enumerate(shapes):
        y = _stand(canvas, y, shape, palette.OUTPUT if index else palette.INPUT)
        if index == len(steps):
            break
        if index and index in begins:
            sections.append((started, y + 4, colour))
            y += 40
            colour, started = begins[index][1], y - 14
            _heading(canvas, y - 20, *begins[index])
        _rung(canvas, y, *steps[index])
        y += GAP
    sections.append((started, y + 4, colour))
    for start, end, paint in sections:
        canvas.box(4, start, 4, end - start, paint, fill=0.8, stroke=0)
    canvas.height = int(y + 12)
    told = "; ".join(f"{_layer_name(row, relu)}, then {times(row.output_shape)}"
                     for row, relu in steps)
    return canvas.finish(
        f"A network from top to bottom. It starts with a {times(image)} image; {told}. "
        f"The layers up to the {times(shapes[firsts[0]])} volume are marked as feature "
        "extraction, what follows as classification.")


def _heading(canvas: Canvas, y: float, text: str, colour: str) -> None:
    canvas.box(4, y - 9, 10, 10, colour, fill=0.8, stroke=0)
    canvas.text(20, y, text, anchor="start", bold=True)


def _stand(canvas: Canvas, y: float, shape: Shape, colour: str) -> float:
    """One volume, or a vector as a row of boxes, below y; the height reached."""
    if len(shape) == 3:
        dx, dy = depth_of(shape[2])
        width, height = shape[1] * UNIT, shape[0] * UNIT
        cuboid(canvas, MIDDLE - (width + dx) / 2, y - dy, (width, height), shape[2],
               [colour], fill=0.16, stroke=1)
        high = height - dy
    else:
        high, cell = 14.0, min(10.0, 120 / shape[0])
        for k in range(shape[0]):
            canvas.box(MIDDLE + (k - shape[0] / 2) * cell, y, cell, high, colour,
                       stroke=1)
    count = numbers_in(shape)
    canvas.text(COLUMN, y + high / 2 + 5, times(shape), anchor="start", bold=True)
    if len(shape) == 3:
        canvas.text(COLUMN + 92, y + high / 2 + 5, f"{count:,} numbers", anchor="start")
    else:
        canvas.text(COLUMN + 92, y + high / 2 + 5, "scores", anchor="start")
    return y + high


def _rung(canvas: Canvas, y: float, row: Row, relu: bool) -> None:
    """The arrow of a layer below y, its name and its parameters beside it."""
    canvas.arrow((MIDDLE, y + 8), (MIDDLE, y + GAP - 8))
    canvas.text(COLUMN, y + 20, _layer_name(row, relu), SMALL + 1, anchor="start")
    canvas.text(COLUMN, y + 36, f"{row.parameters:,} parameters" if row.parameters
                else "nothing to learn", SMALL, anchor="start")


def _layer_name(row: Row, relu: bool) -> str:
    layer = row.layer
    if isinstance(layer, Conv):
        filters = times((layer.size, layer.size, row.input_shape[2]))
        name = f"CONV, {layer.filters} filters of {filters}"
    elif isinstance(layer, Pool):
        name = f"POOL {times((layer.size, layer.size))}"
    else:
        name = f"FC, {layer.units} units"
    return name + (", ReLU" if relu else "")


def budget(title: str, parts: Sequence[tuple[str, int]],
           marked: Sequence[str] = ()) -> Drawing:
    """How a total is shared out: a bar a part, to scale, with its number.

    parts: (name, whole number). marked: the names of those in the second colour.
    """
    names = [name for name, _ in parts]
    if not parts or any(count < 0 for _, count in parts):
        raise SizeError("a chart needs parts, and none of them below 0")
    if not set(marked) <= set(names):
        raise SizeError(f"marked parts that are not there: {set(marked) - set(names)}")
    largest = max(count for _, count in parts) or 1
    label = 10 + max(map(len, names)) * SMALL * 0.62
    room = WIDTH - label - 10 - len(f"{largest:,}") * SMALL * 0.64
    canvas = Canvas(WIDTH, 34 + BAR * len(parts) + 8)
    canvas.text(label, 18, title, anchor="start", bold=True)
    for row, (name, count) in enumerate(parts):
        y = 28 + row * BAR
        length = room * count / largest
        paint = palette.EXTRA if name in marked else palette.FILTER
        canvas.text(label - 6, y + 14, name, SMALL, anchor="end")
        if count:
            canvas.box(label, y + 3, max(length, 1.0), BAR - 6, paint, fill=0.45,
                       stroke=1)
        canvas.text(label + length + 6, y + 14, f"{count:,}", SMALL, anchor="start")
    canvas.line((label, 26), (label, 30 + BAR * len(parts)))
    told = ", ".join(f"{name} {count:,}" for name, count in parts)
    return canvas.finish(
        f"Bars to one scale, one below the other, under the title {title}: {told}.")
