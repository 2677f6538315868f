"""Charts of several runs of one experiment: each run, and their mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from convlab.arithmetic import SizeError

from . import palette
from .svg import SMALL, Canvas, Drawing

Runs = Mapping[str, Sequence[Sequence[float]]]
COLOURS = (palette.INPUT, palette.FILTER)
DASHES = ("", "7 4")
WIDTH, HEIGHT, LEFT, TOP = 250, 160, 46, 52


def errors_by_epoch(runs: Runs, title: str) -> Drawing:
    """Lines of the part that is wrong (0 to 1) after each epoch, one kind a colour.

    runs: for each kind, a list of errors for each run. Thin lines are runs, the
    thick one is their mean.
    """
    lengths = {len(run) for kind in runs.values() for run in kind}
    if not 1 <= len(runs) <= len(COLOURS) or len(lengths) != 1 or lengths <= {0, 1}:
        raise SizeError(f"the chart shows up to {len(COLOURS)} kinds of runs, all of "
                        "the same number of epochs, two at least")
    epochs = lengths.pop()
    means = {kind: [sum(at) / len(at) for at in zip(*of_kind, strict=True)]
             for kind, of_kind in runs.items()}
    most = math.ceil(10 * max(max(run) for kind in runs.values() for run in kind)) / 10
    canvas = Canvas(LEFT + WIDTH + 14, TOP + HEIGHT + 44)

    def dots(errors: Sequence[float]) -> list[tuple[float, float]]:
        return [(LEFT + WIDTH * k / (epochs - 1), TOP + HEIGHT * (1 - error / most))
                for k, error in enumerate(errors)]

    _ruled(canvas, epochs, most)
    canvas.text(LEFT, 16, title, anchor="start", bold=True)
    for k, (kind, of_kind) in enumerate(runs.items()):
        for run in of_kind:
            _line(canvas, dots(run), COLOURS[k], "", stroke=1, opacity=0.35)
        _line(canvas, dots(means[kind]), COLOURS[k], DASHES[k], stroke=3)
        x = LEFT + k * 100
        canvas.line((x, 34), (x + 30, 34), COLOURS[k], stroke=3, dash=DASHES[k])
        canvas.text(x + 38, 38, kind, SMALL + 1, anchor="start")
    told = "; ".join(
        f"{kind} {', '.join(percent(error) for error in mean)}"
        for kind, mean in means.items())
    return canvas.finish(
        f"{title}, for each of {epochs} epochs: thin lines are runs, thick ones their "
        f"means. Means: {told}.")


def percent(part: float) -> str:
    """A part of 1, in per cent with one decimal."""
    return f"{100 * part:.1f}%"


def _line(canvas: Canvas, dots: Sequence[tuple[float, float]], colour: str, dash: str,
          stroke: float, opacity: float = 1.0) -> None:
    for start, end in zip(dots, dots[1:], strict=False):
        canvas.line(start, end, colour, stroke=stroke, dash=dash, opacity=opacity)


def _ruled(canvas: Canvas, epochs: int, most: float) -> None:
    """Grid lines, with per cent on the left and epochs below."""
    step = 0.1 if most > 0.3 else 0.05
    for k in range(round(most / step) + 1):
        y = TOP + HEIGHT * (1 - k * step / most)
        canvas.line((LEFT, y), (LEFT + WIDTH, y), opacity=0.25)
        canvas.text(LEFT - 8, y + 4, f"{100 * k * step:.0f}%", SMALL, anchor="end")
    for epoch in range(1, epochs + 1):
        x = LEFT + WIDTH * (epoch - 1) / (epochs - 1)
        canvas.text(x, TOP + HEIGHT + 18, epoch, SMALL)
    canvas.text(LEFT + WIDTH / 2, TOP + HEIGHT + 36, "epochs", SMALL)
