"""Figures of the first networks: the Mark I, a perceptron's lines, blame sent back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from book.experiments.networks import (
    Layer,
    deltas,
    error_delta,
    forward,
    squared_error,
)
from book.experiments.perceptron import Numbers, Step, fires, learn
from convlab.arithmetic import SizeError

from . import palette
from .numbers import signed
from .svg import SMALL, Canvas, Drawing, Point

ROUNDS = 20
Examples = Sequence[tuple[Numbers, int]]
SIDE = (palette.INPUT, palette.FILTER)  # the colour of target 0, and of target 1


def mark_one(photocells: tuple[int, int], association: int, responses: int) -> Drawing:
    """The Mark I: photocells, fixed random wires, learned weights, responses."""
    rows, columns = photocells
    if min(rows, columns, association, responses) < 1:
        raise SizeError("each of the Mark I's layers has one unit at least")
    cell, top = 6, 44
    height = rows * cell
    middle, right = 214, 352
    canvas = Canvas(414, top + height + 54)
    for row in range(rows):
        for column in range(columns):
            canvas.box(8 + column * cell, top + row * cell, cell - 1, cell - 1,
                       palette.INPUT, fill=0.3, stroke=0.5)
    shown = 9
    rng = np.random.default_rng(1)
    units = [(middle, top + (k + 0.5) * height / shown) for k in range(shown)]
    for x, y in units:
        for _ in range(4):
            start = (8 + cell * columns * rng.uniform(0.2, 1),
                     top + height * rng.uniform(0.02, 0.98))
            canvas.line(start, (x - 6, y), opacity=0.3)
    answers = [(right, top + (k + 0.5) * height / responses) for k in range(responses)]
    for x, y in units:
        for end, level in answers:
            canvas.line((x + 6, y), (end - 7, level), palette.FILTER, opacity=0.6)
    for x, y in units:
        _dot(canvas, x, y, 6, palette.EXTRA)
    for x, y in answers:
        _dot(canvas, x, y, 6, palette.OUTPUT)
    labels = ((8 + columns * cell / 2, f"{rows * columns} photocells", "S-units"),
              (middle, f"{association} A-units", "a few drawn"),
              (right, f"{responses} R-units", "the answer"))
    for x, first, second in labels:
        canvas.text(x, top + height + 24, first, bold=True)
        canvas.text(x, top + height + 42, second, SMALL)
    canvas.text((8 + columns * cell + middle) / 2, 20, "fixed, at random", SMALL + 1)
    canvas.text((middle + right) / 2, 20, "learned", SMALL + 1, bold=True)
    return canvas.finish(
        f"Three layers from left to right. {rows} by {columns} photocells are joined "
        f"by thin grey wires, drawn at random, to {association} association units, of "
        f"which {shown} are shown. Each of these is joined by an orange line, a weight "
        f"that is learned, to each of {responses} response units.")


def _dot(canvas: Canvas, x: float, y: float, size: float, colour: str,
         fill: float = 0.7) -> None:
    """An octagon, as good as a disc."""
    turns = np.linspace(0, 2 * np.pi, 8, endpoint=False) + np.pi / 8
    canvas.polygon([(x + size * np.cos(t), y + size * np.sin(t)) for t in turns],
                   colour, fill=fill)


# --- the perceptron


def after_mistakes(examples: Examples, count: int) -> Step:
    """The step at the perceptron's count-th mistake, with the weights it led to."""
    made = [step for steps in learn(examples, ROUNDS) for step in steps
            if step.mistake]
    if not 1 <= count <= len(made):
        raise SizeError(f"the perceptron makes {len(made)} mistakes in {ROUNDS} rounds "
                        f"or fewer: there is no mistake number {count}")
    return made[count - 1]


def perceptron_line(examples: Examples, mistakes: int, title: str = "") -> Drawing:
    """Points in a plane, and where the unit fires after so many mistakes."""
    step = after_mistakes(examples, mistakes)
    reach = max(max(x) for x, _ in examples) + 0.5
    low, side, left, top = -0.5, 128, 6, 30
    canvas = Canvas(side + 2 * left, top + side + 66)

    def place(point: Point) -> Point:
        scale = side / (reach - low)
        return (left + (point[0] - low) * scale, top + side - (point[1] - low) * scale)

    corners = [(low, low), (reach, low), (reach, reach), (low, reach)]
    region = where_it_fires(step.w, step.b, corners)
    if region:
        canvas.polygon([place(corner) for corner in region], palette.FILTER, fill=0.18,
                       stroke=1)
    canvas.box(left, top, side, side, palette.PADDING, fill=0, stroke=1)
    wrong = 0
    for point, target in examples:
        x, y = place(point)
        missed = fires(step.w, step.b, point)[1] != target
        wrong += missed
        if target:
            canvas.box(x - 6, y - 6, 12, 12, SIDE[1], fill=0.8)
        else:
            _dot(canvas, x, y, 7, SIDE[0], fill=0.8)
        if point == step.x:
            canvas.box(x - 11, y - 11, 22, 22, palette.PROBLEM, fill=0, stroke=2)
    weights = f"w = ({signed(step.w[0])}, {signed(step.w[1])})"
    canvas.text(left, 18, title or f"mistake {mistakes}", anchor="start", bold=True)
    for line, text in enumerate((weights, f"b = {signed(step.b)}",
                                 f"wrong now: {wrong} of {len(examples)}")):
        canvas.text(left + side / 2, top + side + 20 + 18 * line, text, SMALL + 1)
    told = ", ".join(f"{point} with target {target}" for point, target in examples)
    return canvas.finish(
        f"{title + ': ' if title else ''}{len(examples)} points in a plane, {told}. "
        f"After mistake {mistakes}, on {step.x}, the weights are "
        f"{step.w} and the bias {step.b}; the side of the line on which the unit "
        f"fires is shaded. {wrong} of the points are on the wrong side.")


def where_it_fires(w: Numbers, b: float, corners: Sequence[Point]) -> list[Point]:
    """The part of a polygon on which the sum w x + b is not below 0."""
    kept = []
    for here, there in zip(corners, [*corners[1:], corners[0]], strict=True):
        (one, _), (other, _) = fires(w, b, here), fires(w, b, there)
        if one >= 0:
            kept.append(here)
        if one * other < 0:
            part = one / (one - other)
            kept.append(tuple(a + part * (c - a)
                              for a, c in zip(here, there, strict=True)))
    return kept


# --- two layers


def blame(x: Sequence[float], w1: Sequence[Sequence[float]], b1: Sequence[float],
          w2: Sequence[float], b2: float, target: float) -> Drawing:
    """A network of two inputs, two hidden units and an output, in numbers.

    What each unit says stands in it; below it, how fast the error grows with its sum.
    """
    network = [Layer(np.array(w1, float), np.array(b1, float)),
               Layer(np.array([w2], float), np.array([b2], float))]
    if network[0].w.shape != (2, 2) or len(w2) != 2 or len(x) != 2:
        raise SizeError("the figure has two inputs, two hidden units and one output")
    activations = forward(network, np.array([x], float))
    wanted = np.array([[target]], float)
    delta = error_delta(activations, wanted, squared_error, "sigmoid")
    first, last = (each[0] for each in deltas(network, activations, delta))
    canvas = Canvas(416, 268)
    columns = (40, 196, 358)
    rows = (70, 186)
    ends = (columns[2], 128)
    for j in range(2):
        for i in range(2):
            _wire(canvas, (columns[0], rows[i]), (columns[1], rows[j]), w1[j][i])
        _wire(canvas, (columns[1], rows[j]), ends, w2[j])
    for i in range(2):
        _unit(canvas, columns[0], rows[i], signed(x[i]), palette.INPUT)
        _unit(canvas, columns[1], rows[i], _four(activations[1][0, i]), palette.EXTRA)
        canvas.text(columns[1], rows[i] + 40, f"\N{GREEK SMALL LETTER DELTA} = "
                    f"{_four(first[i])}", SMALL + 1, bold=True)
    _unit(canvas, *ends, _four(activations[2][0, 0]), palette.OUTPUT)
    canvas.text(ends[0], ends[1] + 40,
                f"\N{GREEK SMALL LETTER DELTA} = {_four(last[0])}", SMALL + 1,
                bold=True)
    canvas.text(ends[0], ends[1] - 30, f"target {signed(target)}", SMALL + 1)
    for name, column in zip(("inputs", "hidden", "output"), columns, strict=True):
        canvas.text(column, 20, name, bold=True)
    canvas.arrow((columns[2] - 20, 252), (columns[0] + 20, 252), palette.FILTER)
    canvas.text(columns[1], 246, "blame goes back", SMALL + 1)
    return canvas.finish(
        f"Two inputs, {signed(x[0])} and {signed(x[1])}, two hidden units that say "
        f"{_four(activations[1][0, 0])} and {_four(activations[1][0, 1])}, and one "
        f"output that says {_four(activations[2][0, 0])} where "
        f"{signed(target)} was wanted. Each wire carries its weight. The output's "
        f"delta is {_four(last[0])}; sent back through the weights {signed(w2[0])} and "
        f"{signed(w2[1])} it makes the hidden units' deltas {_four(first[0])} and "
        f"{_four(first[1])}.")


def _four(value: float) -> str:
    """Four decimals, with a true minus sign."""
    return f"{value:.4f}".replace("-", "\N{MINUS SIGN}")


def _unit(canvas: Canvas, x: float, y: float, says: str, colour: str) -> None:
    _dot(canvas, x, y, 28, colour, fill=0.2)
    canvas.text(x, y + 5, says)


def _wire(canvas: Canvas, start: Point, end: Point, weight: float) -> None:
    """A line between two units, with its weight nearer to its start."""
    (x1, y1), (x2, y2) = (start[0] + 28, start[1]), (end[0] - 28, end[1])
    canvas.line((x1, y1), (x2, y2), stroke=1.5, opacity=0.6)
    part = 0.3
    canvas.text(x1 + part * (x2 - x1), y1 + part * (y2 - y1) - 6, signed(weight),
                SMALL + 1)
