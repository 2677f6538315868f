"""Charts of recorded times: how fast, by how much memory, and how near the limits.

`layers` is what `book.experiments.fast_convolution` records under that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import palette
from .axes import Axis, in_bytes, plain, powers, ruled, steps
from .svg import SMALL, Canvas, Drawing


def speeds(layers: Mapping[str, Mapping], most: float) -> Drawing:
    """GFLOP/s of each way, a mark for each layer; `most` is one large product's."""
    ways = list(next(iter(layers.values()))["gflops"])
    found = {way: [layer["gflops"][way] for layer in layers.values()] for way in ways}
    marks = powers([v for values in found.values() for v in values] + [most])
    left, right, top, track = 20, 470, 16, 46
    bottom = top + track * len(ways)
    canvas = Canvas(right + 24, bottom + 50)
    x, y = Axis(marks[0], marks[-1], left, right, True), Axis(0, 1, bottom, top)
    ruled(canvas, x, y, marks, [])
    canvas.line((x(most), top), (x(most), bottom), palette.PROBLEM, 1.5, "5 4")
    for number, (way, values) in enumerate(found.items()):
        base = top + track * number + 34
        canvas.text(left, base - 14, f"{way}: {_range(values)}", anchor="start")
        canvas.line((x(min(values)), base), (x(max(values)), base), palette.INPUT, 2)
        for value in values:
            canvas.box(x(value) - 3, base - 6, 6, 12, palette.INPUT, fill=0.5,
                       stroke=1)
    canvas.text((left + right) / 2, bottom + 40,
                "billions of operations a second (GFLOP/s)", SMALL + 1)
    told = "; ".join(f"{way} {_range(values)}" for way, values in found.items())
    return canvas.finish(
        f"A chart with one line for each of {len(ways)} ways to compute a convolution "
        f"and a mark for each of {len(layers)} layers, by GFLOP/s. From top to bottom: "
        f"{told}. A dashed line shows what one large matrix product reaches: "
        f"{_three(most)}.")


def _three(value: float) -> str:
    """Three digits: 0.00412, 1.93, 97.2, 104."""
    rounded = float(f"{value:.3g}")
    return plain(rounded)


def _range(values: Sequence[float]) -> str:
    return f"{_three(min(values))} to {_three(max(values))}"


def by_size(sizes: Sequence[int], values: Sequence[float], what: str, of: str,
            mark: int | None = None, by_factors: bool = False) -> Drawing:
    """A measured curve over sizes in bytes, each a factor from the next.

    what: of the values, with their unit; of: of the sizes. mark: a size of note.
    by_factors: values are drawn by powers of ten instead of from 0 up.
    """
    up = powers(list(values)) if by_factors else steps(max(values))
    left, right, top, bottom = 52, 520, 34, 230
    canvas = Canvas(right + 30, bottom + 50)
    x = Axis(sizes[0], sizes[-1], left + 10, right, True)
    y = Axis(up[0], up[-1], bottom, top, by_factors)
    ruled(canvas, x, y, list(sizes[::2]), up, write_x=_short)
    if mark is not None:
        canvas.line((x(mark), top), (x(mark), bottom), palette.OUTPUT, 2, "5 4")
        canvas.text(x(mark), top - 4, in_bytes(mark), SMALL + 1)
    points = [(x(s), y(v)) for s, v in zip(sizes, values, strict=True)]
    for start, end in zip(points, points[1:], strict=False):
        canvas.line(start, end, palette.INPUT, 2)
    for px, py in points:
        canvas.box(px - 3, py - 3, 6, 6, palette.INPUT, fill=0.8, stroke=1)
    canvas.text(8, 16, what, SMALL + 1, anchor="start", bold=True)
    canvas.text((left + right) / 2, bottom + 40, of, SMALL + 1)
    told = ", ".join(f"{in_bytes(s)} {_three(v)}"
                     for s, v in zip(sizes, values, strict=True))
    end = f" A dashed line marks {in_bytes(mark)}." if mark is not None else ""
    return canvas.finish(f"A curve of {what}, over {of}: {told}.{end}")


def _short(size: float) -> str:
    """16384 -> "16K"."""
    return in_bytes(size).replace(" ", "").removesuffix("iB")


def roofline(layers: Mapping[str, Mapping], gflops: float, gigabytes: float
             ) -> Drawing:
    """Layers under what arithmetic and memory allow.

    Each layer has two marks: through the whole im2col matrix, where that matrix is
    written to memory and read again, and the course's layer, which makes none.
    """
    whole, tiled = {}, {}
    for name, layer in layers.items():
        whole[name] = (intensity(layer, True), layer["gflops"]["one matrix product"])
        tiled[name] = (intensity(layer, False), layer["gflops"]["the course's layer"])
    points = [*whole.values(), *tiled.values()]
    xs = powers([p[0] for p in points] + [gflops / gigabytes])
    ys = powers([p[1] for p in points] + [gflops])
    left, right, top, bottom = 46, 500, 30, 316
    canvas = Canvas(right + 26, bottom + 60 + 20 * len(layers) + 26)
    x = Axis(xs[0], xs[-1], left, right, True)
    y = Axis(ys[0], ys[-1], bottom, top, True)
    ruled(canvas, x, y, xs, ys)
    corner = gflops / gigabytes
    foot = max(xs[0], ys[0] / gigabytes)
    canvas.line((x(foot), y(foot * gigabytes)), (x(corner), y(gflops)),
                palette.PROBLEM, 2.5)
    canvas.line((x(corner), y(gflops)), (right, y(gflops)), palette.PROBLEM, 2.5)
    for number, name in enumerate(layers):
        (wx, wy), (tx, ty) = ((x(p[0]), y(p[1])) for p in (whole[name], tiled[name]))
        canvas.line((wx, wy), (tx, ty), palette.PADDING, 1, "3 3")
        canvas.box(wx - 8, wy - 8, 16, 16, palette.INPUT, fill=0.3, stroke=1.2)
        canvas.text(wx, wy + 4, number + 1, SMALL)
        _diamond(canvas, tx, ty)
        canvas.text(tx, ty + 4, number + 1, SMALL)
    canvas.text((left + right) / 2, bottom + 38,
                "operations for each byte to or from memory", SMALL + 1)
    canvas.text(8, 16, "GFLOP/s", SMALL + 1, anchor="start", bold=True)
    for number, layer in enumerate(layers.values()):
        canvas.text(left, bottom + 62 + 20 * number, f"{number + 1}  {layer['title']}",
                    SMALL + 1, anchor="start")
    base = bottom + 62 + 20 * len(layers)
    canvas.box(left, base - 8, 14, 14, palette.INPUT, fill=0.3, stroke=1.2)
    canvas.text(left + 22, base + 4, "one matrix product", SMALL + 1, anchor="start")
    _diamond(canvas, left + 190, base)
    canvas.text(left + 210, base + 4, "the course's layer", SMALL + 1, anchor="start")
    told = "; ".join(
        f"{layer['title']}: {_three(whole[name][0])} operations a byte and "
        f"{_three(whole[name][1])} GFLOP/s with one matrix product, "
        f"{_three(tiled[name][0])} and {_three(tiled[name][1])} with the course's layer"
        for name, layer in layers.items())
    return canvas.finish(
        f"A chart of GFLOP/s over operations for each byte, both by factors of ten. A "
        f"roof rises at {_three(gigabytes)} gigabytes a second up to {_three(corner)} "
        f"operations a byte, and is flat at {_three(gflops)} GFLOP/s from there. Below "
        f"it the layers: {told}.")


def _diamond(canvas: Canvas, x: float, y: float) -> None:
    canvas.polygon([(x, y - 11), (x + 11, y), (x, y + 11), (x - 11, y)],
                   palette.OUTPUT, fill=0.3, stroke=1.2)


def intensity(layer: Mapping, columns: bool) -> float:
    """Operations for each byte of float32 that goes to or from memory.

    columns: whether the im2col matrix is written there and read again.
    """
    numbers = layer["numbers"]
    moved = numbers["input"] + numbers["weights"] + numbers["output"]
    return layer["flops"] / (4 * (moved + columns * 2 * numbers["columns"]))
