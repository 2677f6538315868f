"""Figures of training: batches, steps down a valley, schedules, curves, classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convlab.arithmetic import SizeError
from convlab.optimisers import SCHEDULES, SGD

from . import palette
from .axes import Axis, ruled, steps
from .svg import SMALL, Canvas, Drawing, Point

DASHES = ("6 3", "2 3", "9 3", "4 2")
LEARNED, HELD_OUT = palette.INPUT, palette.FILTER


def one_epoch(images: int, held_out: int, batch: int) -> Drawing:
    """The training images: some held out, the others shuffled and cut into batches."""
    if not 0 < held_out < images or not 0 < batch <= images - held_out:
        raise SizeError(f"{images} images with {held_out} held out make no batch of "
                        f"{batch}")
    learned = images - held_out
    count, last = math.ceil(learned / batch), learned % batch or batch
    width, left, high = 500, 8, 34
    canvas = Canvas(width + 2 * left, 190)
    split = left + width * learned / images
    canvas.text(left, 18, f"{images:,} training images", anchor="start", bold=True)
    canvas.box(left, 28, split - left, high, LEARNED, fill=0.2)
    canvas.text((left + split) / 2, 50, f"{learned:,} to learn from")
    canvas.box(split, 28, left + width - split, high, HELD_OUT, fill=0.35)
    canvas.text(left + width, 80, f"{held_out:,} held out", SMALL, anchor="end")
    canvas.arrow((left + 150, 66), (left + 150, 104))
    canvas.text(left + 160, 90, "in a new random order", SMALL, anchor="start")
    shown, pitch = 8, 50
    for k in range(shown):
        x = left + k * pitch
        canvas.box(x, 110, pitch - 8, high, LEARNED, fill=0.2)
        canvas.text(x + (pitch - 8) / 2, 132, f"{batch:,}")
    dots = left + shown * pitch
    canvas.text(dots + 16, 130, "\N{HORIZONTAL ELLIPSIS}", 18)
    canvas.box(left + width - 54, 110, 54, high, LEARNED, fill=0.1)
    canvas.text(left + width - 27, 132, f"{last:,}")
    canvas.text(left, 172, f"one epoch: {count:,} batches, {count:,} steps",
                anchor="start")
    return canvas.finish(
        f"A bar for {images:,} training images. {held_out:,} of them are held out. The "
        f"other {learned:,} are put in a new random order and cut into {count:,} "
        f"batches of {batch:,}, the last of {last:,}: an epoch of {count:,} steps.")


def walked(curvatures: Point, start: Point, rate: float, momentum: float, count: int
           ) -> list[Point]:
    """Where SGD stands, at first and after each step, on a bowl.

    The bowl is (c0 x**2 + c1 y**2)/2 with the two curvatures c.
    """
    place = {"p": np.array(start, float)}
    optimiser = SGD(place, momentum, nesterov=False)
    found = [tuple(place["p"])]
    for _ in range(count):
        optimiser.step({"p": np.array(curvatures) * place["p"]}, rate)
        found.append(tuple(place["p"]))
    return found


def valley(curvatures: Point, start: Point, rate: float, momentum: float, count: int
           ) -> Drawing:
    """The steps of SGD down a long valley, from above, with lines of equal loss."""
    path = walked(curvatures, start, rate, momentum, count)
    reach = max(abs(start[0]), 1e-9) * 1.12
    width, height, top = 300, 118, 30
    tall = reach * height / width
    if max(abs(y) for _, y in path) > tall or max(abs(x) for x, _ in path) > reach:
        raise SizeError(f"the steps leave the picture: rate {rate} is too large")
    canvas = Canvas(width + 12, top + height + 32)
    across = Axis(-reach, reach, 6, 6 + width)
    down = Axis(-tall, tall, top + height, top)

    def loss(at: Point) -> float:
        return (curvatures[0] * at[0] ** 2 + curvatures[1] * at[1] ** 2) / 2

    for part in (0.04, 0.18, 0.42, 0.75):
        level = part * curvatures[0] * reach ** 2 / 2
        radius = [math.sqrt(2 * level / c) for c in curvatures]
        ring = [(radius[0] * math.cos(t), radius[1] * math.sin(t))
                for t in np.linspace(0, 2 * math.pi, 48, endpoint=False)]
        canvas.polygon([(across(x), down(max(min(y, tall), -tall))) for x, y in ring],
                       palette.PADDING, fill=0.05, stroke=1)
    dots = [(across(x), down(y)) for x, y in path]
    colour = palette.FILTER if momentum else palette.INPUT
    canvas.path(dots, colour, stroke=2)
    for x, y in dots:
        canvas.box(x - 2.5, y - 2.5, 5, 5, colour, fill=1, stroke=0)
    title = f"momentum {momentum:g}" if momentum else "no momentum"
    canvas.text(6 + width / 2, 18, title, bold=True)
    part = loss(path[-1]) / loss(path[0])
    canvas.text(6 + width / 2, top + height + 22,
                f"loss after that: {percent(part)}")
    return canvas.finish(
        f"A long valley seen from above, drawn as nested ellipses, and the way of "
        f"{count} steps of gradient descent with {title} at learning rate {rate:g}. "
        f"{_told(path)} The loss after the last step is {percent(part)} of the loss at "
        f"the start.")


def _told(path: Sequence[Point]) -> str:
    """How often the steps cross the valley, and how far along it they come."""
    crossings = sum(a[1] * b[1] < 0 for a, b in zip(path, path[1:], strict=False))
    travelled = 1 - abs(path[-1][0] / path[0][0])
    return (f"The way crosses the floor of the valley {crossings} times and ends "
            f"{percent(travelled)} of the way along it.")


def percent(part: float) -> str:
    """A part of 1 as the figures write it: 0.123 -> "12 %", 0.0042 -> "0.42 %"."""
    value = 100 * part
    return f"{value:.0f} %" if abs(value) >= 10 else f"{value:.2g} %"


def schedules(rate: float, chosen: str) -> Drawing:
    """The learning rate over a training, for each schedule there is."""
    if chosen not in SCHEDULES:
        raise SizeError(f"there is no schedule {chosen!r}: {', '.join(SCHEDULES)}")
    canvas = Canvas(488, 218)
    x, y = Axis(0, 1, 56, 350), Axis(0, rate, 176, 34)
    ruled(canvas, x, y, [0, 0.5, 1], [0, rate / 2, rate],
          write_x=lambda part: f"{part:.0%}".replace("%", " %"))
    canvas.text(203, 212, "of all steps", SMALL)
    canvas.text(12, 18, "learning rate", anchor="start", bold=True)
    places = np.linspace(0, 1, 61)
    for number, (name, schedule) in enumerate(SCHEDULES.items()):
        is_chosen = name == chosen
        colour = palette.FILTER if is_chosen else palette.PADDING
        style = {"stroke": 3 if is_chosen else 2,
                 "dash": "" if is_chosen else DASHES[number]}
        canvas.path([(x(done), y(rate * schedule(done))) for done in places], colour,
                    **style)
        canvas.line((362, 50 + 24 * number), (386, 50 + 24 * number), colour, **style)
        canvas.text(392, 54 + 24 * number, name, bold=is_chosen, anchor="start")
    told = "; ".join(
        f"{name} is {100 * schedule(0):.0f} % of it at the start, "
        f"{100 * schedule(0.2):.0f} % after a fifth and {100 * schedule(1):.0f} % at "
        f"the end" for name, schedule in SCHEDULES.items())
    return canvas.finish(
        f"Lines for the learning rate over a training, up to {rate:g}: {told}. The one "
        f"called {chosen} is drawn strongest.")


History = Sequence[Mapping[str, Any]]
SERIES = (("train_accuracy", "while learning", LEARNED, ""),
          ("validation_accuracy", "held out", HELD_OUT, "6 3"))


def accuracies(history: History, title: str = "") -> Drawing:
    """Accuracy by epoch, of the images learned from and of those held out."""
    _check(history)
    canvas = Canvas(300, 250)
    x = Axis(1, max(len(history), 2), 48, 286)
    low = min(row[key] for row in history for key, *_ in SERIES)
    floor = math.floor(10 * low) / 10
    y = Axis(floor, 1, 190, 38)
    up = [floor + 0.1 * k for k in range(round((1 - floor) * 10) + 1)]
    ruled(canvas, x, y, _epochs(len(history)), up,
          write_y=lambda part: f"{100 * part:.0f} %")
    canvas.text(167, 18, title or "accuracy", bold=True)
    canvas.text(167, 226, "epoch", SMALL)
    for number, (key, name, colour, dash) in enumerate(SERIES):
        dots = [(x(row["epoch"]), y(row[key])) for row in history]
        _line(canvas, dots, colour, dash)
        left = 40 + 130 * number
        canvas.line((left, 242), (left + 22, 242), colour, stroke=2.5, dash=dash)
        canvas.text(left + 28, 246, name, SMALL, anchor="start")
    return canvas.finish(_accuracies_alt(history, title))


def _check(history: History) -> None:
    if not history or any(row.get("validation_accuracy") is None for row in history):
        raise SizeError("the curves need an epoch at least, and held-out images")


def _epochs(count: int) -> list[float]:
    """Which epochs to write: all of a few, or the first and every fifth, tenth, ..."""
    if count <= 10:
        return list(range(1, count + 1))
    gap = 5 * math.ceil(count / 40)
    return [1, *range(gap, count + 1, gap)]


def _line(canvas: Canvas, dots: Sequence[Point], colour: str, dash: str) -> None:
    canvas.path(dots, colour, dash=dash)
    if len(dots) <= 12:
        for px, py in dots:
            canvas.box(px - 3, py - 3, 6, 6, colour, fill=1, stroke=0)


def _accuracies_alt(history: History, title: str) -> str:
    first, last = history[0], history[-1]
    best = max(history, key=lambda row: row["validation_accuracy"])
    kind = f" for images learned {title}" if title else ""
    return (
        f"Accuracy by epoch{kind}. While learning it goes from "
        f"{first['train_accuracy']:.1%} in the first epoch to "
        f"{last['train_accuracy']:.1%} in epoch {last['epoch']}; on held-out images "
        f"from {first['validation_accuracy']:.1%} to "
        f"{last['validation_accuracy']:.1%}, with its highest value, "
        f"{best['validation_accuracy']:.1%}, in epoch {best['epoch']}.")


def losses(history: History) -> Drawing:
    """The mean loss of each epoch."""
    _check(history)
    canvas = Canvas(300, 250)
    up = steps(max(row["loss"] for row in history))
    x = Axis(1, max(len(history), 2), 48, 286)
    y = Axis(0, up[-1], 190, 38)
    ruled(canvas, x, y, _epochs(len(history)), up, write_y=lambda v: f"{v:g}")
    canvas.text(167, 18, "loss", bold=True)
    canvas.text(167, 226, "epoch", SMALL)
    _line(canvas, [(x(row["epoch"]), y(row["loss"])) for row in history], LEARNED, "")
    told = ", ".join(f"{row['loss']:.2f}" for row in history)
    return canvas.finish(f"The mean loss of each of {len(history)} epochs, one after "
                         f"another: {told}.")


def by_class(names: Sequence[str], right: Sequence[float]) -> Drawing:
    """A bar a class for the part of its images that are right, the best on top."""
    if not names or len(names) != len(right) or not all(0 <= p <= 1 for p in right):
        raise SizeError("a name and a part from 0 to 1 for each class are needed")
    rows = sorted(zip(right, names, strict=True), reverse=True)
    label, width, pitch = 96, 202, 24
    canvas = Canvas(label + width + 62, len(rows) * pitch + 10)
    for number, (part, name) in enumerate(rows):
        y = 4 + number * pitch
        canvas.text(label - 8, y + 16, name, anchor="end")
        canvas.box(label, y + 3, width, pitch - 8, palette.PADDING, fill=0.08, stroke=0)
        canvas.box(label, y + 3, max(width * part, 0.5), pitch - 8, palette.OUTPUT,
                   fill=0.4, stroke=1)
        canvas.text(label + width + 8, y + 16, f"{100 * part:.1f} %", anchor="start")
    told = ", ".join(f"{name} {part:.1%}" for part, name in rows)
    return canvas.finish(f"Bars for the part of each class's images that the network "
                         f"gets right, from the most to the least: {told}.")
