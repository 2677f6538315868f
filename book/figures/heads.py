"""Figures of what can stand on the features of a ConvNet: six kinds of answer.

Blocks are schematic: their sides grow with the logarithm of the sizes, so that an
image and a map of 7x7 fit into one figure. The sizes themselves are written below.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2, sqrt

from convlab.arithmetic import (
    Layer,
    Shape,
    SizeError,
    numbers_in,
    output_size,
    times,
    trace,
    volume,
)

from . import palette
from .svg import SMALL, Canvas, Drawing
from .volumes import SLANT

ARROW = 58  # from one block to the next
BAR = 12    # the width of a vector, drawn as a column

# A standing figure: each joint's (column, row), 0 to 1, in the order and number of
# the Leeds Sports Poses data; and which joints a limb joins.
JOINTS = ((0.36, 0.95), (0.40, 0.74), (0.45, 0.54), (0.57, 0.54), (0.64, 0.73),
          (0.66, 0.95), (0.22, 0.56), (0.28, 0.41), (0.40, 0.27), (0.61, 0.27),
          (0.76, 0.36), (0.80, 0.17), (0.50, 0.22), (0.51, 0.06))
LIMBS = ((0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (8, 12),
         (9, 12), (2, 12), (3, 12), (2, 3), (12, 13))


def side(size: int) -> float:
    """Pixels that a height or a width is drawn with."""
    return 6 + 9 * log2(size)


def slant(channels: int) -> tuple[float, float]:
    """How far the back of a block lies from its front, in pixels."""
    depth = 6 + 5 * log2(channels)
    return depth * SLANT[0], depth * SLANT[1]


def block(canvas: Canvas, x: float, y: float, shape: Shape, colour: str,
          name: str = "") -> float:
    """A volume or a vector around height y, its sizes below, its name above.

    Returns where it ends on the right.
    """
    if len(shape) == 1:
        return _column(canvas, x, y, shape[0], colour, name)
    height, width = side(shape[0]), side(shape[1])
    dx, dy = slant(shape[2])
    top = y - height / 2
    canvas.polygon([(x, top), (x + dx, top + dy), (x + width + dx, top + dy),
                    (x + width, top)], colour, fill=0.12)
    canvas.polygon([(x + width, top), (x + width + dx, top + dy),
                    (x + width + dx, top + height + dy), (x + width, top + height)],
                   colour, fill=0.35)
    canvas.box(x, top, width, height, colour, fill=0.22)
    middle = x + width / 2
    canvas.text(middle, top + height + 17, times(shape), SMALL + 1)
    if name:
        canvas.text(middle + dx / 2, top + dy - 7, name, SMALL, bold=True)
    return x + width + dx


def _column(canvas: Canvas, x: float, y: float, length: int, colour: str,
            name: str) -> float:
    height = side(length)
    top = y - height / 2
    canvas.box(x, top, BAR, height, colour, fill=0.3)
    for k in range(1, min(length, 8)):
        at = top + k * height / min(length, 8)
        canvas.line((x, at), (x + BAR, at), colour, opacity=0.7)
    canvas.text(x + BAR / 2, top + height + 17, f"{length:,}", SMALL + 1)
    if name:
        canvas.text(x + BAR / 2, top - 7, name, SMALL, bold=True)
    return x + BAR


def lead(canvas: Canvas, x: float, y: float, above: str = "", below: str = "",
         length: float = ARROW) -> float:
    """An arrow with words; returns where the next block begins."""
    canvas.arrow((x + 6, y), (x + length - 6, y))
    if above:
        canvas.text(x + length / 2, y - 9, above, SMALL)
    if below:
        canvas.text(x + length / 2, y + 18, below, SMALL)
    return x + length


def neighbours(image: Shape, features: int, stored: int, count: int) -> Drawing:
    """Features, their distances to stored ones, and the nearest images."""
    volume(image, "the image")
    numbers_in((features, stored))
    if not 1 <= count <= min(stored, 8):
        raise SizeError(f"the figure shows 1 to 8 of the {stored} stored images, "
                        f"got {count}")
    y, canvas = 84, Canvas(452, 168)
    x = block(canvas, 10, y, image, palette.INPUT, "asked for")
    x = lead(canvas, x, y, "ConvNet")
    x = block(canvas, x, y, (features,), palette.FILTER, "features")
    x = lead(canvas, x, y, "distance")
    rows, width = 9, 64
    height = side(stored)
    for k in range(rows):
        canvas.box(x, y - height / 2 + k * height / rows, width, height / rows,
                   palette.FILTER, fill=0.35 if k in (2, 5, 6) else 0.08, stroke=1)
    canvas.text(x + width / 2, y - height / 2 - 7, "stored features", SMALL, bold=True)
    canvas.text(x + width / 2, y + height / 2 + 17, f"{stored:,}x{features:,}",
                SMALL + 1)
    x = lead(canvas, x + width, y, "sort")
    cell = 22
    across = (count + 1) // 2
    for k in range(count):
        canvas.box(x + k % across * (cell + 4), y - cell - 2 + k // across * (cell + 4),
                   cell, cell, palette.OUTPUT, fill=0.5 - 0.05 * k)
    canvas.text(x + across * (cell + 4) / 2, y + 48, f"{count} nearest", SMALL + 1)
    return canvas.finish(
        f"A {times(image)} image goes through a ConvNet, which gives {features:,} "
        f"features. Their distance to each of {stored:,} stored rows of {features:,} "
        f"features is taken, the distances are sorted, and the {count} images with "
        f"the smallest ones are the answer.")


def anchors(image: Shape, stride: int, sides: Sequence[int],
            ratios: Sequence[float]) -> Drawing:
    """The boxes that a detector tries at one position of its feature map."""
    height, width, _ = volume(image, "the image")
    rows, columns = (output_size(n, stride, stride) for n in (height, width))
    scale = 330 / width
    boxes = [(size * sqrt(ratio) * scale, size / sqrt(ratio) * scale, colour)
             for size, colour in zip(sides, palette.FILTERS, strict=False)
             for ratio in ratios]
    if len(boxes) != len(sides) * len(ratios):
        raise SizeError(f"the figure has colours for {len(palette.FILTERS)} sizes of "
                        f"boxes, got {len(sides)}")
    tallest, widest = (max(box[axis] for box in boxes) for axis in (0, 1))
    left = max(12, (widest - width * scale) / 2 + 8)
    top = max(12, (tallest - height * scale) / 2 + 8)
    canvas = Canvas(int(2 * left + width * scale), int(2 * top + height * scale + 58))
    canvas.box(left, top, width * scale, height * scale, palette.INPUT, fill=0.06)
    step = stride * scale
    for k in range(1, columns):
        canvas.line((left + k * step, top), (left + k * step, top + height * scale),
                    palette.INPUT, stroke=0.5, opacity=0.35)
    for k in range(1, rows):
        canvas.line((left, top + k * step), (left + width * scale, top + k * step),
                    palette.INPUT, stroke=0.5, opacity=0.35)
    x, y = left + (columns // 2 + 0.5) * step, top + (rows // 2 + 0.5) * step
    for tall, wide, colour in boxes:
        canvas.box(x - wide / 2, y - tall / 2, wide, tall, colour, fill=0, stroke=2)
    canvas.box(x - step / 2, y - step / 2, step, step, fill=1, stroke=0)
    base = 2 * top + height * scale
    each = len(boxes)
    canvas.text(canvas.width / 2, base + 18,
                f"{times((rows, columns))} positions, {each} boxes at each:", SMALL + 1)
    canvas.text(canvas.width / 2, base + 38,
                f"{rows * columns * each:,} boxes", SMALL + 1, bold=True)
    return canvas.finish(
        f"A {times(image[:2])} image with a grid of {times((rows, columns))} cells of "
        f"{times((stride, stride))} pixels. Around one cell near the middle stand "
        f"{each} boxes of {len(sides)} sizes, each as {len(ratios)} shapes: wide, "
        f"square and tall. As many stand around every other cell, "
        f"{rows * columns * each:,} in all.")


def every_pixel(image: Shape, layers: Sequence[Layer], scales: int,
                classes: int) -> Drawing:
    """One network at several scales of an image, and a class for every place."""
    height, width, channels = volume(image, "the image")
    inputs = [(output_size(height, 2 ** k, 2 ** k), output_size(width, 2 ** k, 2 ** k),
               channels) for k in range(scales)]
    maps = [trace(layers, shape)[-1].output_shape for shape in inputs]
    stacked = (*maps[0][:2], sum(one[2] for one in maps))
    pitch, top = 132, 84
    canvas = Canvas(0, int(top + (scales - 1) * pitch + 64))
    ends = []
    for k in range(scales):
        y = top + k * pitch
        name = "image" if k == 0 else f"1/{2 ** k} of it"
        x = block(canvas, 10, y, inputs[k], palette.INPUT, name)
        x = max(x, 10 + side(width) + 14)
        x = lead(canvas, x, y, "ConvNet")
        ends.append((block(canvas, x, y, maps[k], palette.FILTER), y))
    middle = top + (scales - 1) * pitch / 2
    x = max(end for end, _ in ends) + 36
    for end, y in ends:
        canvas.line((end + 4, y), (x - 4, middle + (y - middle) * 0.15))
    x = block(canvas, x, middle, stacked, palette.FILTER, "stacked")
    x = lead(canvas, x, middle, "classify", length=66)
    x = block(canvas, x, middle, (*maps[0][:2], 1), palette.OUTPUT, "labels")
    canvas.width = int(x + 12)
    canvas.text(canvas.width - 12, middle + side(maps[0][0]) / 2 + 37,
                f"one of {classes} classes each", SMALL + 1, anchor="end")
    return canvas.finish(
        f"Rows of blocks, one for each of {scales} scales of an image: "
        f"{', '.join(map(times, inputs))}. The same ConvNet makes of them maps of "
        f"{', '.join(map(times, maps))}. They are brought to the size of the first and "
        f"stacked into {times(stacked)}, and each place of that gets one of {classes} "
        f"classes.")


def pose(image: Shape, features: int) -> Drawing:
    """Features, two numbers a joint, and the figure that they are."""
    volume(image, "the image")
    numbers_in((features,))
    y, canvas = 88, Canvas(430, 190)
    x = block(canvas, 10, y, image, palette.INPUT, "image")
    x = lead(canvas, x, y, "ConvNet")
    x = block(canvas, x + 8, y, (features,), palette.FILTER, "features")
    x = lead(canvas, x + 8, y, "FC")
    x = block(canvas, x + 10, y, (2 * len(JOINTS),), palette.OUTPUT, "coordinates")
    x = lead(canvas, x + 14, y, length=40)
    height, width = 150, 96
    top = y - height / 2
    canvas.box(x, top, width, height, palette.INPUT, fill=0.08)
    places = [(x + column * width, top + row * height) for column, row in JOINTS]
    for start, end in LIMBS:
        canvas.line(places[start], places[end], stroke=2, opacity=0.7)
    for px, py in places:
        canvas.box(px - 3, py - 3, 6, 6, palette.OUTPUT, fill=0.9, stroke=1)
    canvas.text(x + width / 2, top + height + 17, f"{len(JOINTS)} joints", SMALL + 1)
    return canvas.finish(
        f"A {times(image)} image goes through a ConvNet, which gives {features:,} "
        f"features. A fully connected layer makes {2 * len(JOINTS)} numbers of them, "
        f"a column and a row for each of {len(JOINTS)} joints, which are drawn as a "
        f"standing figure of limbs.")


def captioned(image: Shape, features: int, vocabulary: int,
              words: Sequence[str]) -> Drawing:
    """Features that start a recurrent network, which gives a word a step."""
    volume(image, "the image")
    numbers_in((features, vocabulary))
    if not 2 <= len(words) <= 6:
        raise SizeError(f"the figure has room for 2 to 6 words, got {len(words)}")
    y, step, wide = 118, 62, 44
    canvas = Canvas(0, 190)
    x = block(canvas, 10, y, image, palette.INPUT, "image")
    x = lead(canvas, x, y, "ConvNet")
    x = block(canvas, x, y, (features,), palette.FILTER, "features")
    for k, word in enumerate(words):
        before = x
        x = before + (28 if k == 0 else step - wide)
        canvas.arrow((before + 3, y), (x - 2, y))
        canvas.box(x, y - 17, wide, 34, palette.EXTRA, fill=0.2)
        canvas.text(x + wide / 2, y + 4, "RNN", SMALL)
        canvas.arrow((x + wide / 2, y - 18), (x + wide / 2, y - 42))
        canvas.text(x + wide / 2, y - 50, word, SMALL + 1, bold=True)
        if k:
            canvas.arrow((x + wide / 2, y + 42), (x + wide / 2, y + 18))
            canvas.text(x + wide / 2, y + 56, words[k - 1], SMALL)
        x += wide
    canvas.width = int(x + 12)
    canvas.text(canvas.width - 12, 18, f"each word: the best of {vocabulary:,} scores",
                SMALL + 1, anchor="end")
    return canvas.finish(
        f"A {times(image)} image goes through a ConvNet, which gives {features:,} "
        f"features. They enter the first of {len(words)} steps of a recurrent network. "
        f"Each step scores {vocabulary:,} words and gives one, which enters the next "
        f"step: {' '.join(words)}.")


def two_streams(frame: Shape, flow: Shape, classes: int) -> Drawing:
    """A network for how things look and one for how they move, and their mean."""
    volume(frame, "the frame")
    volume(flow, "the flow")
    ends, rows, canvas = [], (78, 222), Canvas(424, 290)
    for y, shape, name, word in ((rows[0], frame, "one frame", "spatial"),
                                 (rows[1], flow, "motion", "temporal")):
        x = block(canvas, 10, y, shape, palette.INPUT, name)
        x = lead(canvas, max(x, 124), y, word, "ConvNet", length=74)
        ends.append(block(canvas, x, y, (classes,), palette.FILTER, "scores"))
    middle, x = sum(rows) / 2, max(ends) + 60
    for end, y in zip(ends, rows, strict=True):
        canvas.line((end + 5, y), (x - 4, middle))
    canvas.box(x - 4, middle - 17, 60, 34, palette.PADDING, fill=0.15)
    canvas.text(x + 26, middle + 4, "mean", SMALL)
    x = lead(canvas, x + 56, middle, length=40)
    block(canvas, x, middle, (classes,), palette.OUTPUT, "scores")
    return canvas.finish(
        f"Two rows of blocks. Above, a {times(frame)} frame goes through the spatial "
        f"ConvNet; below, {times(flow)} of motion go through the temporal ConvNet. "
        f"Each gives {classes} scores, and the mean of the two is the answer, "
        f"{classes} scores again.")
