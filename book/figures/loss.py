"""Figures of the loss: scores, probabilities, what is lost, and the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from convlab.arithmetic import SizeError

from . import palette
from .svg import SMALL, Canvas, Drawing

BAR, STEP = 26, 40   # the width of a bar, and from one bar to the next
HEIGHT = 96          # of a bar of the size that its panel calls full
GAP = 20             # between two panels


@dataclass(frozen=True)
class Panel:
    """A group of bars, one a class; `full` is the value of the largest bar there is."""

    title: str
    values: Sequence[float]
    colour: str
    full: float
    form: str = ".2f"

    @property
    def below(self) -> float:
        """Pixels below the base line."""
        return max(-min(self.values), 0) * HEIGHT / self.full

    def written(self, value: float) -> str:
        return f"{value:{self.form}}".replace("-", "\N{MINUS SIGN}")


def softmax(scores: Sequence[float], temperature: float = 1) -> list[float]:
    """The probabilities of scores, shifted by the largest one first."""
    if not scores or not temperature > 0:
        raise SizeError("softmax needs at least one score, and a temperature above 0")
    shifted = [exp((score - max(scores)) / temperature) for score in scores]
    return [value / sum(shifted) for value in shifted]


def panels(parts: Sequence[Panel], names: Sequence[str]) -> Canvas:
    """Groups of bars side by side, on one base line, with values and names."""
    wide, top = len(names) * STEP, 46
    fall = max(part.below for part in parts)
    foot = fall + (34 if fall else 18)  # the names stand below all bars
    canvas = Canvas(int(len(parts) * wide + (len(parts) - 1) * GAP + 16),
                    int(top + HEIGHT + foot + 14))
    base = top + HEIGHT
    for number, part in enumerate(parts):
        left = 8 + number * (wide + GAP)
        canvas.text(left + wide / 2, 18, part.title, bold=True)
        canvas.line((left, base), (left + wide, base))
        for k, value in enumerate(part.values):
            x, length = left + k * STEP + (STEP - BAR) / 2, value * HEIGHT / part.full
            canvas.box(x, base - max(length, 0), BAR, abs(length), part.colour,
                       fill=0.4)
            at = base - length - 6 if value >= 0 else base - length + 15
            canvas.text(x + BAR / 2, at, part.written(value), SMALL)
            canvas.text(x + BAR / 2, base + foot, names[k], SMALL)
    return canvas


def scores_to_probabilities(scores: Sequence[float], names: Sequence[str]) -> Drawing:
    """Scores, their exponentials, and those divided by their sum."""
    _check(scores, names)
    powers, parts = [exp(score) for score in scores], softmax(scores)
    largest = max(map(abs, scores)) or 1
    canvas = panels([Panel("score", scores, palette.INPUT, largest, "g"),
                     Panel("exponential", powers, palette.FILTER, max(powers)),
                     Panel("probability", parts, palette.OUTPUT, 1)], names)
    return canvas.finish(
        f"Three groups of bars for {_listed(names)}. The scores are "
        f"{_listed([f'{score:g}' for score in scores])}; their exponentials "
        f"{_two(powers)}; divided by their sum, the probabilities {_two(parts)}.")


def tempered(scores: Sequence[float], names: Sequence[str], temperature: float
             ) -> Drawing:
    """The probabilities of scores divided by a temperature."""
    _check(scores, names)
    parts = softmax(scores, temperature)
    canvas = panels([Panel(f"T = {temperature:g}", parts, palette.OUTPUT, 1)], names)
    return canvas.finish(
        f"Bars for the probabilities of {_listed(names)} at temperature "
        f"{temperature:g}: {_two(parts)}.")


def pull(scores: Sequence[float], names: Sequence[str], label: int) -> Drawing:
    """Probabilities, the target, and their difference: the gradient by the scores."""
    _check(scores, names)
    if not 0 <= label < len(names):
        raise SizeError(f"label {label} is none of {len(names)} classes")
    parts = softmax(scores)
    target = [int(k == label) for k in range(len(names))]
    gradient = [p - y for p, y in zip(parts, target, strict=True)]
    canvas = panels([Panel("probability p", parts, palette.OUTPUT, 1),
                     Panel("target y", target, palette.PADDING, 1, "d"),
                     Panel("p \N{MINUS SIGN} y", gradient, palette.FILTER, 1)], names)
    return canvas.finish(
        f"Three groups of bars for {_listed(names)}, where {names[label]} is right. "
        f"The probabilities are {_two(parts)}, the target "
        f"{_listed(list(map(str, target)))}, and the gradient, one less the other, "
        f"{_two(gradient)}: only the bar of {names[label]} points down.")


def surprise(marks: Sequence[float], lowest: float = 0.004) -> Drawing:
    """The curve of the loss, -ln p, with points at some probabilities."""
    if not marks or not all(lowest < mark <= 1 for mark in marks):
        raise SizeError(f"probabilities to mark lie above {lowest} and up to 1")
    left, top, wide, tall = 34, 34, 330, 190
    most = -log(lowest)
    canvas = Canvas(left + wide + 40, top + tall + 46)

    def place(p: float) -> tuple[float, float]:
        return left + wide * p, top + tall * (1 + log(p) / most)

    base = top + tall
    canvas.line((left, base), (left + wide, base))
    canvas.line((left, top), (left, base))
    for tenths in range(0, 11, 2):
        x = left + wide * tenths / 10
        canvas.line((x, base), (x, base + 4))
        canvas.text(x, base + 18, f"{tenths / 10:g}", SMALL)
    for loss in range(int(most) + 1):
        y = base - tall * loss / most
        canvas.line((left - 4, y), (left, y))
        canvas.text(left - 9, y + 4, loss, SMALL, anchor="end")
    canvas.text(left + wide / 2, base + 38, "probability of the right class", SMALL + 1)
    canvas.text(8, 18, "loss", SMALL + 1, anchor="start", bold=True)
    curve = [lowest ** (1 - k / 60) for k in range(61)]
    for start, end in zip(curve, curve[1:], strict=False):
        canvas.line(place(start), place(end), palette.OUTPUT, stroke=2.5)
    losses = [f"{abs(log(p)):.2f}" for p in marks]
    for p, loss in zip(marks, losses, strict=True):
        x, y = place(p)
        canvas.box(x - 4, y - 4, 8, 8, palette.FILTER, fill=0.9)
        canvas.text(x + 9, y - 7, loss, SMALL, anchor="start")
    told = ", ".join(f"{p:g} gives {loss}"
                     for p, loss in zip(marks, losses, strict=True))
    return canvas.finish(
        f"A curve of the loss over the probability of the right class. It falls "
        f"steeply at first and reaches 0 at probability 1. Marked: {told}.")


def _two(values: Sequence[float]) -> str:
    return _listed([f"{value:.2f}" for value in values])


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}"


def _check(scores: Sequence[float], names: Sequence[str]) -> None:
    if len(scores) != len(names) or len(names) < 2:
        raise SizeError(f"{len(scores)} scores for {len(names)} names: a figure needs "
                        "two classes at least, and one score for each")
