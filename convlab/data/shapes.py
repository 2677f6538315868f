"""shapes: ten drawn figures on 32x32x3 images, made from a seed, no download.

Each image shows one figure at a random place, size and angle, in a random
colour on a background that shades from one colour to another, with thin lines
of clutter and grain. The figure may be lighter or darker than what is behind
it, so no pixel by itself says anything about the class: what does is how the
edges lie to one another.

A figure is a function of (u, v), its own coordinates: inside is negative,
outside positive, and near the edge the value is the distance to it, about, so
that an edge pixel is covered in proportion (anti-aliasing).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from convlab.data.dataset import Dataset

SIDE = 32
LINES = 3  # thin lines of clutter an image
CHUNK = 500  # images drawn at once: about 25 MB of working memory

Figure = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _box(u: np.ndarray, v: np.ndarray, half_u: float, half_v: float) -> np.ndarray:
    return np.maximum(np.abs(u) - half_u, np.abs(v) - half_v)


def _radius(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.sqrt(u * u + v * v)


def _sides(u: np.ndarray, v: np.ndarray, count: int, inner: float) -> list[np.ndarray]:
    """Distances to `count` lines that lie around the centre, `inner` away."""
    turns = _coarse(np.arange(count) / count)
    return [u * c + v * s - inner for c, s in zip(*turns, strict=True)]


def _disc(u, v):
    return _radius(u, v) - 0.85


def _ring(u, v):
    return np.abs(_radius(u, v) - 0.7) - 0.2


def _square(u, v):
    return _box(u, v, 0.72, 0.72)


def _frame(u, v):
    return np.abs(_box(u, v, 0.62, 0.62)) - 0.18


def _triangle(u, v):
    return np.maximum.reduce(_sides(u, v, 3, 0.5))


def _cross(u, v):
    return np.minimum(_box(u, v, 0.9, 0.25), _box(u, v, 0.25, 0.9))


def _star(u, v):
    """A pentagram: inside all of its five lines but at most one."""
    return np.sort(np.stack(_sides(u, v, 5, 0.38)), axis=0)[-2]


def _crescent(u, v):
    return np.maximum(_radius(u, v) - 0.9, 0.75 - _radius(u - 0.42, v))


def _arrow(u, v):
    shaft = _box(u + 0.4, v, 0.6, 0.18)
    head = np.maximum(-u, 0.7 * (u + np.abs(v)) - 0.65)
    return np.minimum(shaft, head)


def _bars(u, v):
    return np.maximum(np.abs(np.abs(np.abs(v) - 0.35) - 0.35) - 0.17, np.abs(u) - 0.85)


FIGURES: dict[str, Figure] = {
    "disc": _disc, "ring": _ring, "square": _square, "frame": _frame,
    "triangle": _triangle, "cross": _cross, "star": _star, "crescent": _crescent,
    "arrow": _arrow, "bars": _bars,
}
CLASSES = tuple(FIGURES)


def load(train: int = 10_000, test: int = 2_000, seed: int = 0) -> Dataset:
    """Draw `train` and `test` images; the same seed gives the same bytes anywhere.

    Every 500 images from the start hold 50 of each class. The first n training
    images do not depend on how many are asked for.
    """
    for name, count in (("train", train), ("test", test)):
        if count < 1:
            raise ValueError(f"{name} must be at least 1 image, got {count}")
    return Dataset(
        "shapes", *draw(train, (seed, 0)), *draw(test, (seed, 1)), CLASSES,
        "Ten kinds of figure drawn by code from a seed, 32x32 in colour; not "
        "photographs, and not CIFAR-10.")


def draw(count: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(images, labels): (count, 32, 32, 3) uint8 and (count,) int64, shuffled."""
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    labels = np.empty(count, np.int64)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        # A stream a chunk, and whole chunks drawn, so that asking for more
        # images leaves the first ones as they were.
        rng = np.random.default_rng((*seed, start))
        chunk_labels = rng.permutation(np.arange(CHUNK) % len(CLASSES))
        labels[part] = chunk_labels[:count - start]
        images[part] = _draw_chunk(rng, chunk_labels)[:count - start]
    return images, labels


def _draw_chunk(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """One image a label. Sums, products and roots of float32 alone from here on,
    which IEEE 754 makes equal on every machine."""
    n = len(labels)
    row, column = np.meshgrid(*2 * [np.arange(SIDE, dtype=np.float32)], indexing="ij")
    behind, figure_colour, line_colour = _colours(rng, n, row, column)
    image = _paint(behind, _clutter(rng, n, row, column), line_colour)
    image = _paint(image, _cover(rng, labels, row, column), figure_colour)
    grain = rng.integers(-12, 13, image.shape).astype(np.float32) / 255
    return np.rint(np.clip(image + grain, 0, 1) * 255).astype(np.uint8)


def _paint(image: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> np.ndarray:
    cover = cover[..., np.newaxis]
    return image * (1 - cover) + colour * cover


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int):
    return rng.uniform(low, high, shape).astype(np.float32)


def _each(*values: np.ndarray) -> list[np.ndarray]:
    """(n,) numbers as (n, 1, 1): one an image."""
    return [value[:, np.newaxis, np.newaxis] for value in values]


def _coarse(turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of an angle in turns, to 1/4096: the last bit of a library's
    cosine differs between machines, and rounding takes that away."""
    angle = 2 * np.pi * turns
    return tuple((np.rint(f(angle) * 4096) / 4096).astype(np.float32)
                 for f in (np.cos, np.sin))


def _colours(rng, n, row, column):
    """Shading background, a figure's colour apart from it, the clutter's colour."""
    corner = _uniform(rng, 0, 1, n, 1, 1, 3)
    shade = _uniform(rng, -0.25, 0.25, 2, n, 1, 1, 3)
    place = [(axis[..., np.newaxis] / (SIDE - 1) - 0.5) for axis in (row, column)]
    behind = np.clip(corner + shade[0] * place[0] + shade[1] * place[1], 0, 1)
    step = _uniform(rng, 0.2, 0.55, n, 1, 1, 3)
    figure = np.where(corner < 0.5, corner + step, corner - step)
    line = _uniform(rng, 0, 1, n, 1, 1, 3)
    return behind, figure, line


def _cover(rng, labels, row, column):
    """How much of each pixel the figure covers, 0 to 1, (n, 32, 32)."""
    n = len(labels)
    scale = _uniform(rng, 6.5, 12, n)
    room = (SIDE - 1) / 2 - scale * 0.9  # the figure may touch the border
    centre_row, centre_column = (
        (SIDE - 1) / 2 + _uniform(rng, -1, 1, n) * room for _ in range(2))
    cosine, sine = _coarse(rng.uniform(0, 1, n))
    cr, cc, c, s, size = _each(
        centre_row.astype(np.float32), centre_column.astype(np.float32),
        cosine, sine, scale)
    u = ((column - cc) * c + (row - cr) * s) / size
    v = ((row - cr) * c - (column - cc) * s) / size
    distance = np.empty((n, SIDE, SIDE), np.float32)
    for label, figure in enumerate(FIGURES.values()):
        of_class = labels == label
        distance[of_class] = figure(u[of_class], v[of_class])
    return np.clip(np.float32(0.5) - distance * size, 0, 1)


def _clutter(rng, n, row, column):
    """How much of each pixel thin straight lines cover, 0 to 1, (n, 32, 32)."""
    cover = np.zeros((n, SIDE, SIDE), np.float32)
    for _ in range(LINES):
        c, s, along, reach, width = _each(
            *_coarse(rng.uniform(0, 1, n)),
            *_uniform(rng, 4, 28, 1, n), *_uniform(rng, 2, 9, 1, n),
            *_uniform(rng, 0.3, 0.8, 1, n))
        start = _uniform(rng, 4, 28, n, 1, 1)
        across = np.abs((column - start) * c + (row - along) * s) - width
        length = np.abs((row - along) * c - (column - start) * s) - reach
        cover = np.maximum(cover, np.clip(0.5 - np.maximum(across, length), 0, 1))
    return cover
