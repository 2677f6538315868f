"""Figures of deep networks: fading gradients, and machines stacked and unrolled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from book.experiments.digit_codes import glorot, he
from book.experiments.fading import fading
from book.experiments.rbm import Rbm, contrast
from convlab.arithmetic import SizeError

from . import palette
from .axes import Axis, powers, ruled
from .svg import SMALL, Canvas, Drawing

DASHES = ("", "7 4", "2 4", "9 3 2 3", "4 3")
# Each kind of network that `fading_gradients` can draw: its units and its weights.
FADING = {"sigmoid": ("sigmoid", glorot), "tanh": ("tanh", glorot),
          "ReLU": ("relu", he)}


def fading_gradients(kinds: Sequence[str], hidden: int) -> Drawing:
    """The size of delta in each hidden layer, in powers of ten."""
    if unknown := set(kinds) - FADING.keys():
        raise SizeError(f"no such network: {', '.join(unknown)}; there are "
                        f"{', '.join(FADING)}")
    if hidden < 2:
        raise SizeError(f"a gradient fades over two layers at least, got {hidden}")
    sizes = {kind: fading(*FADING[kind], hidden) for kind in kinds}
    ticks = powers([value for one in sizes.values() for value in one])
    left, top, width, height = 96, 44, 290, 170
    canvas = Canvas(left + width + 22, top + height + 46)
    x = Axis(1, hidden, left, left + width)
    y = Axis(ticks[0], ticks[-1], top + height, top, by_factors=True)
    ruled(canvas, x, y, list(range(1, hidden + 1)), ticks[::max(1, len(ticks) // 5)],
          write_y=lambda value: f"{value:.{max(0, -round(np.log10(value)))}f}")
    canvas.text(left + width / 2, top + height + 38, "hidden layer", SMALL + 1)
    for k, (kind, values) in enumerate(sizes.items()):
        colour = palette.FILTERS[k]
        canvas.path([(x(layer), y(value)) for layer, value in
                     enumerate(values, start=1)], colour, dash=DASHES[k])
        _key(canvas, left + k * 104, 18, kind, k)
    told = "; ".join(f"{kind} {', '.join(f'{value:.1e}' for value in values)}"
                     for kind, values in sizes.items())
    return canvas.finish(
        f"The mean size of the blame that reaches each of {hidden} hidden layers, in "
        f"powers of ten, the first layer on the left: {told}.")


def _key(canvas: Canvas, x: float, y: float, name: str, k: int) -> None:
    """What a line means."""
    canvas.line((x, y - 4), (x + 28, y - 4), palette.FILTERS[k], stroke=2.5,
                dash=DASHES[k])
    canvas.text(x + 34, y, name, SMALL + 1, anchor="start")


# --- restricted Boltzmann machines


def up_down_up(w: Sequence[Sequence[float]], b: Sequence[float], a: Sequence[float],
               v: Sequence[float], dice: Sequence[float]) -> Drawing:
    """One step of contrastive divergence on one example, in numbers."""
    rbm = Rbm(np.array(w, float), np.array(b, float), np.array(a, float))
    if rbm.w.shape != (len(b), len(a)) or len(v) != len(a) or len(dice) != len(b):
        raise SizeError(f"weights of {rbm.w.shape} need {rbm.w.shape[1]} visible and "
                        f"{rbm.w.shape[0]} hidden numbers")
    made = contrast(rbm, np.array([v], float), np.array([dice], float))
    columns = (("data", made.v0[0], palette.INPUT), ("hidden", made.p0[0],
               palette.EXTRA), ("drawn", made.h0[0], palette.EXTRA),
               ("dreamt", made.v1[0], palette.OUTPUT), ("hidden", made.p1[0],
               palette.EXTRA))
    pitch, box, top, row = 88, 56, 40, 54
    canvas = Canvas(pitch * 4 + box + 20, top + max(len(v), len(b)) * row + 34)
    tall = max(len(v), len(b)) * row

    def places(count: int) -> list[float]:
        return [top + tall / 2 + (k - (count - 1) / 2) * row for k in range(count)]

    arrows = ("up", "dice", "down", "up")
    for k, (name, values, colour) in enumerate(columns):
        x = 10 + k * pitch
        canvas.text(x + box / 2, 18, name, bold=True)
        for value, y in zip(values, places(len(values)), strict=True):
            canvas.box(x, y - 15, box, 30, colour, fill=0.2)
            canvas.text(x + box / 2, y + 5, f"{value:.4f}".rstrip("0").rstrip("."))
        if k < 4:
            for start in places(len(values)):
                for end in places(len(columns[k + 1][1])):
                    if arrows[k] != "dice" or start == end:
                        canvas.line((x + box, start), (x + pitch, end), opacity=0.5)
            canvas.text(x + box + (pitch - box) / 2, top + tall + 22, arrows[k],
                        SMALL + 1)
    told = "; ".join(f"{name}: {', '.join(f'{value:.4f}' for value in values)}"
                     for name, values, _ in columns)
    return canvas.finish(
        f"Five columns of numbers joined by lines, from left to right. {told}. The way "
        "up and the way down use the same weights.")


def unrolling(sizes: Sequence[int]) -> Drawing:
    """A stack of machines, trained one by one, and the autoencoder they begin."""
    if len(sizes) < 3:
        raise SizeError(f"a stack has two machines at least: three sizes, got {sizes}")
    row, wide, top = 44, 120, 48
    deepest = len(sizes) - 1
    full = [*sizes, *sizes[-2::-1]]
    canvas = Canvas(420, top + len(full) * row + 8)

    def bar(x: float, y: float, size: int, colour: str) -> None:
        length = 26 + (wide - 26) * size / max(sizes)
        canvas.box(x - length / 2, y - 12, length, 24, colour, fill=0.22)
        canvas.text(x, y + 5, size)

    left, right = 110, 320
    canvas.text(left, 20, "one machine at a time", bold=True)
    canvas.text(right, 20, "unrolled", bold=True)
    base = top + (len(full) - 0.5) * row
    for k in range(deepest):
        low = base - k * 2 * row
        canvas.box(left - 74, low - row - 17, 148, row + 34, palette.PADDING, fill=0.05,
                   stroke=1, dash="4 3")
        bar(left, low, sizes[k], palette.INPUT if k == 0 else palette.EXTRA)
        bar(left, low - row, sizes[k + 1], palette.EXTRA)
        canvas.line((left, low - 13), (left, low - row + 13), palette.FILTER, stroke=3)
        canvas.text(left - 88, low - row / 2 + 5, f"{k + 1}.", anchor="end")
    for k, size in enumerate(full):
        y = base - k * row
        colour = (palette.INPUT if k == 0 else palette.OUTPUT if k == len(full) - 1
                  else palette.FILTER if k == deepest else palette.EXTRA)
        bar(right, y, size, colour)
        if k:
            canvas.line((right, y + 13), (right, y + row - 13), palette.FILTER,
                        stroke=3)
    canvas.text(right + 30, base - deepest * row + 5, "code", SMALL + 1,
                anchor="start")
    pairs = ", ".join(f"{low} with {high}" for low, high in
                      zip(sizes, sizes[1:], strict=False))
    return canvas.finish(
        f"On the left {deepest} separate machines of two layers each, from the bottom "
        f"up: {pairs} units. On the right one network of all of these layers: "
        f"{sizes[0]} pixels at the bottom, up to a code of {sizes[-1]} numbers in the "
        f"middle and back through the same sizes to {sizes[0]} pixels at the top.")


def ways_to_begin(runs: Mapping[str, np.ndarray], levels: Mapping[str, float]
                  ) -> Drawing:
    """Held-out error by epoch: the mean of several runs a beginning, and levels.

    runs: for each, (runs, epochs + 1). levels: errors of what is not trained so.
    """
    means = {name: np.asarray(curves, float).mean(axis=0)
             for name, curves in runs.items()}
    lengths = {len(mean) for mean in means.values()}
    if len(lengths) != 1 or not 1 <= len(runs) <= len(DASHES):
        raise SizeError(f"the chart shows up to {len(DASHES)} beginnings, all of the "
                        "same number of epochs")
    epochs = lengths.pop() - 1
    most = 5
    rows = -(-len(runs) // 2)
    left, width, height, top = 34, 300, 210, 24 + rows * 20
    canvas = Canvas(left + width + 84, top + height + 46)
    x, y = Axis(0, epochs, left, left + width), Axis(0, most, top + height, top)
    ruled(canvas, x, y, [epochs * k / 4 for k in range(5)], list(range(most + 1)),
          write_x=lambda value: f"{value:.0f}")
    canvas.text(left + width / 2, top + height + 38, "epochs", SMALL + 1)
    for name, level in levels.items():
        canvas.line((left, y(level)), (left + width, y(level)), stroke=1.5)
        canvas.text(left + width + 6, y(level) + 4, name, SMALL, anchor="start")
    for k, (name, mean) in enumerate(means.items()):
        stride = max(1, epochs // 100)
        kept = [*range(0, epochs, stride), epochs]
        canvas.path([(x(epoch), y(min(mean[epoch], most))) for epoch in kept],
                    palette.FILTERS[k], dash=DASHES[k])
        _key(canvas, left + k % 2 * 190, 16 + k // 2 * 20, name, k)
    told = "; ".join(f"{name} from {mean[0]:.2f} to {mean[-1]:.2f}"
                     for name, mean in means.items())
    flat = "; ".join(f"{name} {level:.2f}" for name, level in levels.items())
    return canvas.finish(
        f"The error on held-out digits over {epochs} epochs, one line for each way to "
        f"begin: {told}. Level lines: {flat}.")


def sound_to_states(frames: int, numbers: int, layers: int, units: int, states: int
                    ) -> Drawing:
    """Frames of sound into a deep network, and a probability for each state out."""
    if min(frames, numbers, layers, units, states) < 1:
        raise SizeError("the acoustic model has one frame, layer, unit and state at "
                        "least")
    left, top, tall = 14, 44, 150
    pitch = 30
    deep = left + frames * 11 + 36
    canvas = Canvas(int(deep + layers * pitch + 112), top + tall + 66)
    heights = np.random.default_rng(3).uniform(0.15, 1, size=(frames, 9))
    for k in range(frames):
        middle = k == frames // 2
        for j in range(9):
            canvas.box(left + k * 11, top + 20 + j * 12, 9, 10,
                       palette.FILTER if middle else palette.INPUT,
                       fill=0.75 * heights[k, j], stroke=0.5)
    canvas.text(left + frames * 5.5, top + tall + 22, f"{frames} frames", bold=True)
    canvas.text(left + frames * 5.5, top + tall + 40, f"of {numbers} numbers", SMALL)
    canvas.arrow((left + frames * 11 + 8, top + tall / 2), (deep - 8, top + tall / 2))
    for k in range(layers):
        canvas.box(deep + k * pitch, top, 14, tall, palette.EXTRA, fill=0.22)
        if k:
            canvas.arrow((deep + (k - 1) * pitch + 15, top + tall / 2),
                         (deep + k * pitch - 1, top + tall / 2))
    canvas.text(deep + (layers * pitch - 16) / 2, top + tall + 22,
                f"{layers} hidden layers", bold=True)
    canvas.text(deep + (layers * pitch - 16) / 2, top + tall + 40,
                f"of {units:,} units", SMALL)
    out = deep + layers * pitch + 22
    canvas.arrow((deep + (layers - 1) * pitch + 16, top + tall / 2),
                 (out - 4, top + tall / 2))
    chances = (0.06, 0.1, 0.72, 0.16, 0.08, 0.05)
    for k, chance in enumerate(chances):
        canvas.box(out, top + 14 + k * 21, 6 + 60 * chance, 14, palette.OUTPUT,
                   fill=0.4)
    canvas.text(out + 34, top + tall + 22, f"{states} states", bold=True)
    canvas.text(out + 34, top + tall + 40, "how likely each", SMALL)
    canvas.text(left, 18, "sound", anchor="start", bold=True)
    return canvas.finish(
        f"From left to right: {frames} neighbouring frames of sound, each a column of "
        f"{numbers} numbers, the middle one marked; a network of {layers} hidden "
        f"layers of {units:,} units; and bars for how likely each of {states} states "
        "is for the middle frame.")
