"""Pictures of images, filters, maps, training and mistakes.

Every function takes arrays or numbers and returns a matplotlib Figure; nothing
is shown, and neither pyplot nor its settings are touched. Input that does not
fit is refused with a sentence, so that no picture shows something else than it
says.

Figures are transparent, and their text is one grey, INK, so that they read on
white pages and dark ones alike: its contrast is 4.3:1 with white and with
#121212, and no single colour has more with both. Maps and matrices carry their
own background.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Mapping, Sequence
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

INK = "#797979"
# After Okabe and Ito's colours for colour-blind readers, each with a contrast of
# at least 3:1 with white and with #121212. Adjacent ones differ in lightness or
# in hue along blue-yellow; lines differ in their dashes and markers as well.
PALETTE = ("#3b82c4", "#d9641a", "#1b9a72", "#9b6bd3", "#b07d12", "#d6336c")
WRONG = PALETTE[5]
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D")

# Negative blue, zero light, positive orange: blue-orange reads in all common
# kinds of colour blindness.
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#14508c", "#3b82c4", "#f2f2f2", "#d9641a", "#8a3a06"],
).with_extremes(bad=WRONG)
POSITIVE = mpl.colormaps["viridis"].with_extremes(bad=WRONG)

WIDTH = 7.0  # inches, at 96 pixels each about a text column
WRITTEN_OUT = 9  # a map of at most so many rows and columns shows its numbers
MAP_RTOL, MAP_ATOL = 1e-3, 1e-4  # what counts as the same number in `difference`

_STYLE = {
    "font.size": 11, "axes.titlesize": 11, "figure.titlesize": 12,
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK,
    "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "auto",
    "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "image.interpolation": "nearest", "lines.linewidth": 2,
    # Text as outlines of the font that matplotlib brings: the same everywhere.
    "svg.fonttype": "path", "svg.hashsalt": "convlab", "font.family": "DejaVu Sans",
}


class Picture(Figure):
    """A Figure that a notebook shows even where no plotting mode is switched on."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        buffer = io.BytesIO()
        FigureCanvasAgg(self).print_figure(buffer, format="png", dpi=192)
        width, height = (round(96 * inches) for inches in self.get_size_inches())
        return buffer.getvalue(), {"width": width, "height": height}


def _styled(draw):
    """Draw with our settings, whatever the reader's own are, and leave those alone."""
    @wraps(draw)
    def styled(*args, **kwargs) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()  # ticks are made now, in our colours
        return figure
    return styled


# --- images


@_styled
def show_images(
    images: np.ndarray,
    labels: Sequence | None = None,
    classes: Sequence[str] | None = None,
    columns: int = 8,
    title: str = "",
) -> Figure:
    """Images in a grid, row by row, each with its label above.

    images   (N, H, W, C) or (N, H, W), C 1 or 3; uint8, or float from 0 to 1
    labels   (N,) anything that can be printed, or indices into `classes`
    """
    images = _as_pictures(images)
    names = [""] * len(images) if labels is None else _names(labels, classes)
    _same_length("labels", names, "images", images)
    figure, axes = _tiles(len(images), columns, images.shape[1:3], title,
                          bool(any(names)))
    for ax, image, name in zip(axes, images, names, strict=True):
        ax.imshow(image, cmap="gray", norm=_norm_of(images))
        ax.set_title(name, fontsize=9, pad=3)
    return figure


@_styled
def show_filters(
    filters: np.ndarray, columns: int = 8, title: str = "", each: bool = False
) -> Figure:
    """Filters (K, F_h, F_w, C): one picture a filter, all to one scale.

    With three channels (or each=False and one) a filter is a colour picture
    whose mid-grey is weight 0. Otherwise, and with each=True, every channel has
    a picture of its own, blue negative and orange positive: a row a filter, a
    column a channel.
    """
    filters = _numbers("filters", filters, 4)
    k, _, _, channels = filters.shape
    reach = _reach(filters)
    if channels == 3 and not each:
        figure, axes = _tiles(k, columns, filters.shape[1:3], title, True)
        for number, (ax, one) in enumerate(zip(axes, filters, strict=True)):
            ax.imshow(0.5 + 0.5 * one / reach)
            ax.set_title(str(number), fontsize=9, pad=3)
        return figure
    if channels == 1:
        maps, names = filters[..., 0], [str(n) for n in range(k)]
    else:
        columns = channels
        maps = filters.transpose(0, 3, 1, 2).reshape(-1, *filters.shape[1:3])
        names = [f"{n}, {c}" for n in range(k) for c in range(channels)]
    return _maps(maps, names, columns, title, SIGNED, Normalize(-reach, reach))


@_styled
def show_activation_maps(
    maps: np.ndarray, columns: int = 8, title: str = ""
) -> Figure:
    """The activation maps (H, W, K) of one image, all to one scale."""
    maps = _numbers("activation maps", maps, 3)
    names = [str(n) for n in range(maps.shape[2])]
    if maps.min() < 0:
        reach = _reach(maps)
        colours, norm = SIGNED, Normalize(-reach, reach)
    else:
        colours, norm = POSITIVE, Normalize(0, maps.max() or 1)
    return _maps(np.moveaxis(maps, 2, 0), names, columns, title, colours, norm)


@_styled
def mistakes(
    images: np.ndarray,
    labels: Sequence[int],
    predictions: Sequence[int],
    classes: Sequence[str],
    count: int = 24,
    columns: int = 8,
) -> Figure:
    """The first `count` images whose prediction is not their label.

    Above each, what it is and, below that, what it was taken for.
    """
    pictures = _as_pictures(images)
    labels, predictions = _pairs(labels, predictions, classes)
    _same_length("labels", labels, "images", pictures)
    wrong = np.flatnonzero(labels != predictions)
    title = f"{len(wrong):,} of {len(labels):,} images are taken for another class"
    if not wrong.size:
        figure = Picture(figsize=(WIDTH, 0.6))
        figure.text(0.5, 0.5, f"All {len(labels):,} images are taken for what they are",
                    ha="center", va="center")
        return figure
    shown = wrong[:count]
    figure, axes = _tiles(len(shown), columns, pictures.shape[1:3], title, 2)
    for ax, n in zip(axes, shown, strict=True):
        ax.imshow(pictures[n], cmap="gray", norm=_norm_of(pictures))
        ax.set_title(f"{classes[labels[n]]}\n→ {classes[predictions[n]]}",
                     fontsize=9, pad=3)
    return figure


# --- training


@_styled
def training_curves(history: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Loss and accuracy by epoch, from `convlab.training.Result.history`.

    history: a dict an epoch, with epoch, loss, train_accuracy and
    validation_accuracy (None where nothing was held out).
    """
    keys = ("epoch", "loss", "train_accuracy", "validation_accuracy")
    if not history:
        raise ValueError("the history has no epoch: train for one at least")
    missing = [key for key in keys[:3] if key not in history[0]]
    if missing:
        raise ValueError(
            f"an epoch of the history is a dict with {', '.join(keys)}; "
            f"{', '.join(missing)} is missing")
    epochs = [row["epoch"] for row in history]
    figure = Picture(figsize=(WIDTH, 2.9), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _curve(left, epochs, [row["loss"] for row in history], 0, "training")
    left.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
    for number, (key, name) in enumerate(
            ((keys[2], "training"), (keys[3], "validation"))):
        values = [row.get(key) for row in history]
        if None not in values:
            _curve(right, epochs, [100 * v for v in values], number, name)
    right.set(xlabel="epoch", ylabel="accuracy (%)", ylim=(0, 100))
    right.legend(loc="lower right")
    for ax in (left, right):
        ax.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ax.grid(color=INK, alpha=0.25, linewidth=0.6)
    return figure


def _curve(ax: Axes, x: list, y: list, number: int, name: str) -> None:
    ax.plot(x, y, DASHES[number], color=PALETTE[number], label=name,
            marker=MARKERS[number] if len(x) <= 30 else None, markersize=4)


@_styled
def confusion_matrix(
    labels: Sequence[int], predictions: Sequence[int], classes: Sequence[str],
    title: str = "",
) -> Figure:
    """How many images of each class (row) were taken for each class (column).

    A cell's colour is its part of the row, so that the diagonal shows the
    accuracy of each class.
    """
    labels, predictions = _pairs(labels, predictions, classes)
    n = len(classes)
    counts = np.bincount(n * labels + predictions, minlength=n * n).reshape(n, n)
    parts = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(WIDTH, 2 + 0.5 * n)
    figure = Picture(figsize=(size, size), layout="constrained")
    ax = figure.subplots()
    ax.imshow(parts, cmap=POSITIVE, vmin=0, vmax=1)
    right = np.trace(counts)
    ax.set_title(title or f"{right:,} of {len(labels):,} right "
                          f"({right / len(labels):.1%})")
    ax.set(xlabel="taken for", ylabel="is")
    ax.set_xticks(range(n), classes, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(n), classes)
    _bare(ax, keep_labels=True)
    _write_numbers(ax, counts, POSITIVE(parts), "{:,}", 8)
    return figure


# --- where an answer is wrong


@_styled
def difference(
    expected: np.ndarray, got: np.ndarray, title: str = "", *,
    where: np.ndarray | None = None,
) -> Figure:
    """Expected, got, and got - expected, for the first map that is wrong.

    expected, got  arrays of up to four axes: of (N, H, W, C) and (K, F_h, F_w, C)
                   the map is [n, :, :, c], of (H, W, C) it is [:, :, c], of two
                   axes or fewer it is everything
    where          bool, True where got is wrong; by default, where the two differ
                   by more than 0.0001 + 0.001 |expected|

    Wrong places have an outline; small maps show their numbers. Of arrays of
    different shapes, the first map of each is shown and nothing is subtracted.
    """
    expected, got = _plain(expected), _plain(got)
    if expected.shape != got.shape:
        return _side_by_side(
            [(f"expected, shape {expected.shape}", _map(expected)),
             (f"got, shape {got.shape}", _map(got))], title)
    if where is None:
        where = ~np.isclose(got, expected, MAP_RTOL, MAP_ATOL)
    where = np.asarray(where, bool)
    if where.shape != expected.shape:
        raise ValueError(f"where has shape {where.shape} and the arrays "
                         f"{expected.shape}: it says of each number if it is wrong")
    place = _first_wrong_map(where)
    one, other = _map(expected, place), _map(got, place)
    with np.errstate(invalid="ignore", over="ignore"):
        off = other - one
    return _side_by_side(
        [("expected" + _indexing(place), one), ("got" + _indexing(place), other),
         (f"got - expected, up to {_reach(off):.3g}", off)],
        title, _map(where, place).astype(bool))


def _plain(array: np.ndarray) -> np.ndarray:
    """As float64, of at most four axes, finite numbers cut off at 1e100."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf" or array.ndim > 4 or not array.size:
        raise ValueError(
            "a difference is drawn of real numbers in one to four axes, got "
            f"{array.dtype} of shape {array.shape}")
    array = array.astype(np.float64)
    # matplotlib's own arithmetic overflows near the largest float64.
    return np.where(np.isfinite(array), np.clip(array, -1e100, 1e100), array)


def _first_wrong_map(where: np.ndarray) -> tuple:
    """The index of it: (n, :, :, c), (:, :, c) or ()."""
    if where.ndim < 3:
        return ()
    rows_columns = (where.ndim - 3, where.ndim - 2)
    wrong = np.argwhere(where.any(axis=rows_columns))
    outer = wrong[0] if len(wrong) else np.zeros(where.ndim - 2, int)
    *image, channel = map(int, outer)
    return (*image, slice(None), slice(None), channel)


def _map(array: np.ndarray, place: tuple | None = None) -> np.ndarray:
    """Two axes of an array; by default its first map."""
    if place is None:
        place = _first_wrong_map(np.zeros(array.shape, bool))
    return np.atleast_2d(array[place])


def _indexing(place: tuple) -> str:
    """(0, :, :, 2) as it is written in Python."""
    at = [":" if isinstance(one, slice) else str(one) for one in place]
    return f"[{', '.join(at)}]" if at else ""


def _side_by_side(
    panels: list[tuple[str, np.ndarray]], title: str, wrong: np.ndarray | None = None
) -> Figure:
    """Maps beside one another; the first two to the scale of the first."""
    rows = max(values.shape[0] for _, values in panels)
    columns = max(values.shape[1] for _, values in panels)
    wide = WIDTH / len(panels)
    height = min(max(wide * 0.9 * rows / columns, 0.5), 5) + 0.9
    figure = Picture(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(title)
    first = panels[0][1]
    shared = _scale(first)
    for number, (ax, (name, values)) in enumerate(
            zip(figure.subplots(1, len(panels)), panels, strict=True)):
        colours, norm = shared
        if number == 2:
            reach = _reach(values)
            colours, norm = SIGNED, Normalize(-reach, reach)
        _draw_map(ax, values, colours, norm, name)
        if number and wrong is not None:
            _outline(ax, wrong)
    return figure


def _scale(values: np.ndarray) -> tuple[Colormap, Normalize]:
    """Colours for a map: signed around 0, or from 0 up."""
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() < 0:
        reach = _reach(values)
        return SIGNED, Normalize(-reach, reach)
    return POSITIVE, Normalize(0, finite.max(initial=0) or 1)


def _draw_map(
    ax: Axes, values: np.ndarray, colours: Colormap, norm: Normalize, name: str
) -> None:
    ax.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm)
    ax.set_title(name, fontsize=10)
    _bare(ax)
    if max(values.shape) <= WRITTEN_OUT:
        shades = colours(norm(np.ma.masked_invalid(values)))
        size = max(8 - values.shape[1] // 4, 5)
        _write_numbers(ax, values, shades, _form(values), size)


def _form(values: np.ndarray) -> str:
    """How to write the numbers of a map in about five characters."""
    if np.array_equal(values, np.rint(values)) and _reach(values) < 10_000:
        return "{:.0f}"
    return "{:.2f}" if 0.1 <= _reach(values) < 100 else "{:.1g}"


def _outline(ax: Axes, wrong: np.ndarray) -> None:
    """A line around each region of wrong places."""
    padded = np.pad(wrong, 1)
    # An edge lies between two places of which one is wrong: above and left of it.
    above = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]) - 0.5
    left = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]) - 0.5
    lines = [((x, y), (x + 1, y)) for y, x in above]
    lines += [((x, y), (x, y + 1)) for y, x in left]
    ax.add_collection(LineCollection(
        lines, colors=WRONG, linewidths=1.6, capstyle="projecting", clip_on=False))


# --- files


def save_svg(figure: Figure, path: str | os.PathLike, alt: str) -> None:
    """Write a figure as an SVG file that says what is on it.

    alt is what a reader who does not see the picture is told: its first sentence
    becomes the title, all of it the description. The same figure gives the same
    bytes. The file is written beside and renamed.
    """
    alt = " ".join(alt.split())
    if not alt:
        raise ValueError(
            f"{path} needs an alt text: a sentence or two that say what is on the "
            "picture, for those who do not see it")
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={
            "Date": None, "Creator": None, "Format": None, "Type": None})
    svg = _with_alt(buffer.getvalue(), alt)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(svg, encoding="utf-8")
    os.replace(beside, path)


def _with_alt(svg: str, alt: str) -> str:
    name = "alt-" + hashlib.sha256(alt.encode()).hexdigest()[:12]
    title = re.split(r"(?<=[.!?]) ", alt)[0]
    told = (f'<title id="{name}-title">{escape(title)}</title>\n'
            f'<desc id="{name}">{escape(alt)}</desc>\n')
    head, tag, rest = re.split(r"(<svg [^>]*>\n?)", svg, maxsplit=1)
    tag = tag.replace(
        "<svg ", f'<svg role="img" aria-labelledby="{name}-title" '
                 f'aria-describedby="{name}" ', 1)
    return head + tag + " " + told + rest


# --- what they share


def _tiles(
    count: int, columns: int, size: tuple[int, int], title: str, lines: int
) -> tuple[Figure, list[Axes]]:
    """`count` axes of pictures of `size` (rows, columns), `lines` of text on each."""
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    across = max(columns, 1)
    rows = -(-count // across)
    wide = WIDTH / max(across, 4)
    high = (wide - 0.08) * size[0] / size[1] + 0.17 * lines + 0.12
    figure = Picture(figsize=(wide * across, high * rows + (0.35 if title else 0.04)),
                     layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.05, wspace=0.02, hspace=0)
    figure.suptitle(title)
    axes = figure.subplots(rows, across, squeeze=False).ravel().tolist()
    for ax in axes:
        _bare(ax)
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]


def _maps(
    maps: np.ndarray, names: list[str], columns: int, title: str,
    colours: Colormap, norm: Normalize,
) -> Figure:
    """Maps (N, H, W) in a grid to one scale, which is drawn beside them."""
    figure, axes = _tiles(len(maps), columns, maps.shape[1:], title, 1)
    for ax, values, name in zip(axes, maps, names, strict=True):
        shown = ax.imshow(values, cmap=colours, norm=norm)
        ax.set_title(name, fontsize=9, pad=3)
    bar = figure.colorbar(shown, ax=figure.axes, fraction=0.03, pad=0.01)
    bar.outline.set_visible(False)
    return figure


def _bare(ax: Axes, keep_labels: bool = False) -> None:
    """No frame and no tick marks."""
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    if not keep_labels:
        ax.set_xticks([])
        ax.set_yticks([])


def _write_numbers(
    ax: Axes, values: np.ndarray, shades: np.ndarray, form: str, size: float
) -> None:
    """Each number on its cell, black or white, whichever reads better there."""
    light = shades[..., :3] @ (0.2126, 0.7152, 0.0722)
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, form.format(value + 0), ha="center", va="center",
                fontsize=size, color="black" if light[row, column] > 0.45 else "white")


def _as_pictures(images: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) or (N, H, W), uint8 or float from 0 to 1."""
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise ValueError(
            "images have shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), got "
            f"{images.shape}" + (
                ": one image alone is images[np.newaxis]" if images.ndim == 2 else ""))
    if not images.size:
        raise ValueError(f"there is no image to show: the shape is {images.shape}")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f" or not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            "images are uint8, or floats from 0 to 1, got "
            f"{images.dtype} from {images.min():.4g} to {images.max():.4g}")
    return images


def _norm_of(images: np.ndarray) -> Normalize:
    """Black to white for grey images of that type."""
    return Normalize(0, 255 if images.dtype == np.uint8 else 1)


def _numbers(what: str, array: np.ndarray, axes: int) -> np.ndarray:
    array = np.asarray(array)
    shape = {3: "(H, W, K)", 4: "(K, F_h, F_w, C)"}[axes]
    if array.ndim != axes or array.dtype.kind not in "biuf" or not array.size:
        raise ValueError(
            f"{what} are numbers of shape {shape}, got {array.dtype} of shape "
            f"{array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what} hold numbers that are infinite or not a number")
    return array.astype(np.float64)


def _reach(values: np.ndarray) -> float:
    """The largest finite distance from 0, or 1 where there is none."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0


def _names(labels: Sequence, classes: Sequence[str] | None) -> list[str]:
    if classes is None:
        return [str(label) for label in labels]
    _check_labels("labels", np.asarray(labels), classes)
    return [classes[label] for label in labels]


def _pairs(
    labels: Sequence[int], predictions: Sequence[int], classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    for name, values in (("labels", labels), ("predictions", predictions)):
        _check_labels(name, values, classes)
    _same_length("predictions", predictions, "labels", labels)
    return labels.astype(np.int64), predictions.astype(np.int64)


def _check_labels(name: str, values: np.ndarray, classes: Sequence[str]) -> None:
    if values.ndim != 1 or values.dtype.kind not in "iu" or not values.size:
        raise ValueError(
            f"{name} are whole numbers of shape (N,), N at least 1, got "
            f"{values.dtype} of shape {values.shape}")
    if values.min() < 0 or values.max() >= len(classes):
        raise ValueError(
            f"{name} run from {values.min()} to {values.max()}, but "
            f"{len(classes)} classes take 0 to {len(classes) - 1}")


def _same_length(what: str, values: Sequence, of: str, others: Sequence) -> None:
    if len(values) != len(others):
        raise ValueError(f"there are {len(values)} {what} for {len(others)} {of}")
