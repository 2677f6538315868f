"""Figures of the way back: what each number of a layer gets of the gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from convlab.arithmetic import Layer, Shape, SizeError, times, trace

from . import palette
from .axes import Axis, powers, ruled
from .numbers import Matrix, Roles, shape, signed, sliding_sum
from .svg import SMALL, Canvas, Drawing

FORWARD, BACKWARD = palette.INPUT, palette.FILTER
TAG = 20  # the height of a value on an edge


def small_graph(w: float, x: float, target: float) -> Drawing:
    """u = w x, s = u + x, L = (s - target)**2 / 2: values there, gradients back."""
    u, s = w * x, w * x + x
    loss, ds = (s - target) ** 2 / 2, s - target
    dw, by_product = ds * x, ds * w
    canvas = Canvas(584, 236)
    _legend(canvas)
    line, below, op = 92, 178, 40
    times_x, plus_x, loss_x = 140, 280, 416
    for left, text, width in ((times_x, "\N{MULTIPLICATION SIGN}", op),
                              (plus_x, "+", op),
                              (loss_x, f"\N{VULGAR FRACTION ONE HALF}(s "
                               f"\N{MINUS SIGN} {signed(target)})\N{SUPERSCRIPT TWO}",
                               92)):
        canvas.box(left, line - op / 2, width, op, palette.PADDING, fill=0.12)
        canvas.text(left + width / 2, line + 6, text, 16)
    edges = ((34, times_x, "w", w, dw), (times_x + op, plus_x, "u", u, ds),
             (plus_x + op, loss_x, "s", s, ds), (loss_x + 92, 584, "L", loss, 1))
    for start, end, name, value, gradient in edges:
        tip = end - 2 if end < canvas.width else end - 6
        canvas.arrow((start + 4, line), (tip, line))
        middle = (start + end) / 2 - 2
        canvas.text(middle, line - 34, name, bold=True)
        _tag(canvas, middle, line - 18, value, FORWARD)
        _tag(canvas, middle, line + 18, gradient, BACKWARD)
    canvas.text(24, line + 5, "w", 16, bold=True)
    canvas.text(24, below + 5, "x", 16, bold=True)
    canvas.line((36, below), (plus_x + op / 2, below), stroke=1.5)
    for left in (times_x, plus_x):
        canvas.arrow((left + op / 2, below), (left + op / 2, line + op / 2 + 2))
    _tag(canvas, 82, below - 16, x, FORWARD)
    _tag(canvas, 82, below + 16, by_product + ds, BACKWARD)
    _tag(canvas, times_x + op / 2 + 26, below - 30, by_product, BACKWARD)
    _tag(canvas, plus_x + op / 2 + 26, below - 30, ds, BACKWARD)
    canvas.text(108, below + 21, f"= {signed(by_product)} + {signed(ds)}",
                anchor="start")
    return canvas.finish(
        f"A graph from left to right: w and x meet in a product u, u and x meet in a "
        f"sum s, and half the square of s minus {signed(target)} is the loss L. Above "
        f"the edges the values: w = {signed(w)}, x = {signed(x)}, u = {signed(u)}, s = "
        f"{signed(s)}, L = {signed(loss)}. Below them, from right to left, how much L "
        f"moves with each: {signed(ds)} for s, {signed(ds)} for u, {signed(dw)} for w. "
        f"Two edges leave x: {signed(by_product)} comes back along the one to the "
        f"product and {signed(ds)} along the one to the sum, "
        f"{signed(by_product + ds)} in all.")


def _legend(canvas: Canvas) -> None:
    for left, colour, text in ((8, FORWARD, "the value, computed forward"),
                               (250, BACKWARD, "how much L moves with it")):
        canvas.box(left, 6, 14, 14, colour, fill=0.25)
        canvas.text(left + 22, 18, text, SMALL + 1, anchor="start")


def _tag(canvas: Canvas, x: float, y: float, value: float, colour: str) -> None:
    """A value in a small box centred on (x, y)."""
    text = signed(value)
    width = 14 + 8.2 * len(text)
    canvas.box(x - width / 2, y - TAG / 2, width, TAG, colour, fill=0.16, stroke=1.2)
    canvas.text(x, y + 5, text)


def there_and_back(image: Shape, layers: Sequence[Layer]) -> Drawing:
    """Layers in a row: volumes forward, gradients of the same shapes back, and the
    gradients of each layer's parameters out at the bottom."""
    rows = trace(layers, image)
    box, gap, top, high = 58, 66, 40, 96
    canvas = Canvas(int(8 + (len(rows) + 1) * (box + gap) + 6), top + high + 76)
    forward, back = top + 26, top + high - 26
    canvas.text(8, 16, "forward: x and y", SMALL + 1, anchor="start")
    canvas.text(8, top + high + 66, "backward: dy and dx", SMALL + 1, anchor="start")
    x = 8.0
    for index in range(len(rows) + 1):
        shape_here = image if index == 0 else rows[index - 1].output_shape
        canvas.arrow((x + 4, forward), (x + gap - 4, forward), FORWARD)
        canvas.text(x + gap / 2, forward - 9, times(shape_here), SMALL)
        canvas.arrow((x + gap - 4, back), (x + 4, back), BACKWARD)
        canvas.text(x + gap / 2, back + 17, times(shape_here), SMALL)
        x += gap
        row = rows[index] if index < len(rows) else None
        canvas.box(x, top, box, high, palette.PADDING, fill=0.12)
        canvas.text(x + box / 2, top + high / 2 + 5,
                    type(row.layer).__name__.upper() if row else "loss", SMALL,
                    bold=True)
        if row and row.parameters:
            canvas.arrow((x + box / 2, top + high + 2),
                         (x + box / 2, top + high + 26), BACKWARD)
            canvas.text(x + box / 2, top + high + 42, "dw, db", SMALL)
        x += box
    told = ", ".join(type(row.layer).__name__.upper() for row in rows)
    return canvas.finish(
        f"Boxes from left to right: {told}, and the loss. Arrows to the right carry "
        f"the volumes: {times(image)}, then "
        f"{', '.join(times(row.output_shape) for row in rows)}. Below them, arrows to "
        "the left carry gradients of the same shapes from the loss back to the image. "
        "At each layer with parameters an arrow leads down and out, to dw and db.")


def weight_gradient(x: Matrix, dy: Matrix, row: int, column: int) -> Drawing:
    """dw of a 2-D convolution at stride 1: x with dy as its filter."""
    return sliding_sum(x, dy, row, column, Roles(
        ("x", "dy", "dw"), (palette.INPUT, palette.OUTPUT, palette.FILTER),
        ("input x", "gradient dy", "gradient dw")))


def input_gradient(dy: Matrix, w: Matrix, row: int, column: int, stride: int = 1
                   ) -> Drawing:
    """dx of a 2-D convolution: dy in zeros, with the filter turned around."""
    spread, zeros = in_zeros(dy, shape(w, "filter"), stride)
    return sliding_sum(spread, turned(w), row, column, Roles(
        ("dy, in zeros", "w, turned", "dx"),
        (palette.OUTPUT, palette.FILTER, palette.INPUT),
        ("gradient dy with zeros around it" + (" and between" if stride > 1 else ""),
         "filter, turned by half a turn", "gradient dx"), frozenset(zeros)))


def turned(w: Matrix) -> list[list]:
    """By half a turn: the last row first, and each row from its end."""
    return [list(reversed(row)) for row in reversed(w)]


def in_zeros(dy: Matrix, filter_size: tuple[int, int], stride: int
             ) -> tuple[list[list], set[tuple[int, int]]]:
    """dy with stride - 1 zeros between two of its numbers and F - 1 around, and the
    places that are such zeros."""
    if stride < 1:
        raise SizeError(f"the stride must be at least 1, got {stride}")
    (rows, columns), (f_h, f_w) = shape(dy, "gradient"), filter_size
    height = (rows - 1) * stride + 1 + 2 * (f_h - 1)
    width = (columns - 1) * stride + 1 + 2 * (f_w - 1)
    spread = [[0] * width for _ in range(height)]
    zeros = {(r, c) for r in range(height) for c in range(width)}
    for p, line in enumerate(dy):
        for q, value in enumerate(line):
            place = f_h - 1 + p * stride, f_w - 1 + q * stride
            spread[place[0]][place[1]] = value
            zeros.discard(place)
    return spread, zeros


STEPS = tuple(10.0**-n for n in range(1, 10))


def step_errors(point: float) -> Drawing:
    """How far a central difference of exp is off, by its step and its dtype."""
    errors = {name: difference_errors(point, dtype) for name, dtype in
              (("float32", np.float32), ("float64", np.float64))}
    ups = powers([e for of in errors.values() for e in of])[::2]
    left, right, top, bottom = 60, 500, 34, 270
    canvas = Canvas(right + 24, bottom + 50)
    x = Axis(STEPS[-1], STEPS[0], left + 10, right, True)
    y = Axis(ups[0], max(ups[-1], 10), bottom, top, True)
    ruled(canvas, x, y, list(STEPS), ups, _power, _power)
    for (name, of), colour, dash in zip(errors.items(), (FORWARD, BACKWARD),
                                        ("", "6 4"), strict=True):
        points = [(x(h), y(e)) for h, e in zip(STEPS, of, strict=True)]
        for start, end in zip(points, points[1:], strict=False):
            canvas.line(start, end, colour, 2.2, dash)
        for px, py in points:
            canvas.box(px - 3, py - 3, 6, 6, colour, fill=0.8, stroke=1)
        canvas.text(points[-2][0], points[-2][1] - 10, name, bold=True)
    canvas.text(8, 16, "relative error", SMALL + 1, anchor="start", bold=True)
    canvas.text((left + right) / 2, bottom + 40, "step h", SMALL + 1)
    told = "; ".join(
        f"{name} is best at a step of {STEPS[of.index(min(of))]:.0e}, with an error "
        f"of {min(of):.0e}, and at {STEPS[-1]:.0e} it is off by {of[-1]:.0e}"
        for name, of in errors.items())
    return canvas.finish(
        f"Two curves of the relative error of a numerical gradient, over steps from "
        f"{STEPS[-1]:.0e} to {STEPS[0]:.0e}, both by factors of ten. Each falls as the "
        f"step gets smaller, down to a lowest point, and rises again: {told}.")


def difference_errors(point: float, dtype: type) -> list[float]:
    """Relative errors of (exp(a + h) - exp(a - h)) / 2h against exp(a), by STEPS."""
    a, found = dtype(point), []
    for h in map(dtype, STEPS):
        slope = (np.exp(a + h) - np.exp(a - h)) / (2 * h)
        found.append(abs(float(slope) / math.exp(point) - 1))
    return found


def _power(value: float) -> str:
    """0.001 -> 10 with a raised -3."""
    raised = str.maketrans("-0123456789", "\N{SUPERSCRIPT MINUS}"
                           "\N{SUPERSCRIPT ZERO}\N{SUPERSCRIPT ONE}"
                           "\N{SUPERSCRIPT TWO}\N{SUPERSCRIPT THREE}"
                           "\N{SUPERSCRIPT FOUR}\N{SUPERSCRIPT FIVE}"
                           "\N{SUPERSCRIPT SIX}\N{SUPERSCRIPT SEVEN}"
                           "\N{SUPERSCRIPT EIGHT}\N{SUPERSCRIPT NINE}")
    return f"10{str(round(math.log10(value))).translate(raised)}"
