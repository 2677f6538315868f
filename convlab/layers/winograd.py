"""Convolution with a quarter of the multiplications, by filters of 3x3 or 5x5.

Sixteen outputs of a 3x3 filter, 4x4 of them, see 6x6 pixels of the image. The
definition takes 16*9 = 144 multiplications for them, for each channel and filter;
Winograd's way (Lavin and Gray 2016) takes 36. Numbers of the tile, B' d B (6x6), and of
the filter, G g G' (6x6), are multiplied one by one and added up over the channels, and
A' m A (4x4) of the sums are the outputs:

    y = A' [ sum over channels of (G g G') * (B' d B) ] A

The matrices are such that polynomials are multiplied by their values at the points
0, 1, -1, 2, -2 and "infinity": A polynomial of degree 5 needs 6 of them, where the
product of its coefficients needs 12. A 5x5 filter and 2x2 of its outputs see 6x6 pixels
too, and make polynomials of that degree: with the same B, 36 multiplications do for
4*25 = 100. B and A are mostly small whole numbers, and all
three steps but the sum are work for each number of the tile and not for each pair of
channel and filter, so with many of both they cost little. The sums over channels
are, for each of the 36 places, a product of matrices: (tiles, C) by (C, K).

The gradients follow by the chain rule. That by the images is, as in `direct.py`, the
convolution of dy with the filters turned around. That by the filters is G' u G of
u = sum over tiles of (B' d B) * (A dy A'): again 36 products of matrices, (C, tiles) by
(tiles, K).

What it costs is precision: the numbers of a tile are multiplied by up to 25 and added
up, and what remains is smaller, so that rounding errors of float32 are three to five
times those of the definition. And NaN or infinity in the images gets into all outputs
of the tiles that see it.

A thread works on some tiles at a time, so that their numbers at all 36 places stay in
its core's cache: CHUNK_BYTES of them, or more where the filters' own numbers are many
and each chunk has to read them all. Beside these, a call keeps the transformed filters,
four times the filters' own memory, and for the gradient by the filters each thread as
much again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache
from typing import NamedTuple

import numpy as np

from convlab.layers import direct
from convlab.layers.compiled import compiled
from convlab.layers.direct import LOOSE, Slide
from convlab.layers.registers import on_stack
from convlab.layers.scratch import CACHE_LINE, work_array
from convlab.layers.winograd_matrices import (
    A_TURNED,
    G_TURNED,
    PLUS,
    PUT,
    TAKE,
    A,
    G,
    b_turned,
)

SEEN = 6  # a side of what a tile sees
PLACES = SEEN * SEEN
# What it needs to be worth it: so many channels of images and outputs, so many tiles
# for which filters are transformed once, and so few multiplications.
LEAST_DEPTH, LEAST_TILES, WORTH = 16, 64, 2
# What is held in registers at once: sums of so many tiles, or of so many channels,
# for a block of filters.
TILES = CHANNELS = 8
CHUNK_BYTES = 3 << 18
U_SHARE = 0.45  # a chunk is at least this large beside the filters
WIDTHS = (16, 24, 8)  # channels that are transformed at once: the first that divides

_left_out: ContextVar[bool] = ContextVar("left out", default=False)


@contextlib.contextmanager
def left_out() -> Iterator[None]:
    """Convolve by the loops of `direct` alone, to measure them."""
    token = _left_out.set(True)
    try:
        yield
    finally:
        _left_out.reset(token)


class Tiling(NamedTuple):
    """How maps are cut into tiles of outputs x outputs, and what is added around the
    images, by filters of weights x weights."""

    weights: int
    outputs: int
    rows: int
    columns: int
    pad_h: int
    pad_w: int


def suits(x: np.ndarray, slide: Slide, filters: int) -> bool:
    """Whether these images are convolved faster in this way."""
    n, h, w, depth = x.shape
    if (_left_out.get() or x.dtype != np.float32 or slide.f_h != slide.f_w
            or slide.f_h not in G or slide.stride != 1 or depth % CHANNELS
            or min(depth, filters) < LEAST_DEPTH):
        return False
    tiling = _tiling(slide)
    tiles = tiling.rows * tiling.columns
    # Small maps fill their tiles badly, and beside them the loops leave out the edge.
    by_definition = direct.multiplications(h, w, slide)
    return tiles * n >= LEAST_TILES and WORTH * PLACES * tiles <= by_definition


def forward(first: int, last: int, x: np.ndarray, u: np.ndarray, biases: np.ndarray,
            y: np.ndarray, slide: Slide, relu: bool) -> None:
    """Fill y (N, H', W', K) for images first <= n < last of x (N, H, W, C).

    u (PLACES, blocks, C, block), as from `transform_filters`, and biases
    (blocks, PIXELS*block), as from `direct.pack_biases`; with `relu`, what is below
    0 becomes 0.
    """
    x, y = x[first:last], y[first:last]
    _, blocks, depth, block = u.shape
    tiling, width = _tiling(slide), _width(depth)
    tiles = len(x) * tiling.rows * tiling.columns
    at_once = _tiles_at_once(tiles, depth, blocks * block)
    v = _places("v", at_once * depth)
    m = _places("m", at_once * blocks * block)
    for begin in range(0, tiles, at_once):
        size = min(at_once, tiles - begin)
        images_kernel(width)(x, begin, size, tiling, v)
        products_kernel(block, width)(v, u, m, size)
        outputs_kernel(block, tiling.outputs)(m, biases, y, begin, size, tiling, relu)


def weight_gradients(first: int, last: int, dy: np.ndarray, x: np.ndarray, block: int,
                     slide: Slide) -> tuple[np.ndarray, np.ndarray]:
    """What images first <= n < last add to dw and db: for `direct.unpack`, and (K,)."""
    x, dy = x[first:last], dy[first:last]
    depth, filters = x.shape[3], dy.shape[3]
    blocks = -(-filters // block)
    tiling, width = _tiling(slide), _width(depth)
    tiles = len(x) * tiling.rows * tiling.columns
    at_once = _tiles_at_once(tiles, depth, blocks * block)
    v = _places("v", at_once * depth)
    m = _places("m", at_once * blocks * block)
    u = work_array("u", (PLACES, blocks, depth, block), x.dtype)
    u[...] = 0
    db = np.zeros(blocks * block, x.dtype)
    for begin in range(0, tiles, at_once):
        size = min(at_once, tiles - begin)
        images_kernel(width)(x, begin, size, tiling, v)
        gradients_kernel(block, tiling.outputs)(dy, begin, size, tiling, m, db)
        gradient_products_kernel(block, width)(v, m, u, size)
    dw = np.empty((blocks, tiling.weights ** 2 * depth, block), x.dtype)
    filter_gradients_kernel(block, tiling.weights)(u, dw)
    return dw, db[:filters]


def transform_filters(packed: np.ndarray, weights: int) -> np.ndarray:
    """G g G' (PLACES, blocks, C, block) of filters of weights x weights, as
    `direct.pack` has them: (blocks, weights*weights*C, block)."""
    blocks, numbers, block = packed.shape
    u = work_array("filters", (PLACES, blocks, numbers // weights ** 2, block),
                   packed.dtype)
    filters_kernel(block, weights)(packed, u)
    return u


def _tiling(slide: Slide) -> Tiling:
    outputs = SEEN + 1 - slide.f_h
    return Tiling(slide.f_h, outputs, -(-slide.h_out // outputs),
                  -(-slide.w_out // outputs), slide.pad_h, slide.pad_w)


def _width(depth: int) -> int:
    return next(width for width in WIDTHS if depth % width == 0)


def _tiles_at_once(tiles: int, depth: int, filters: int) -> int:
    """A multiple of TILES."""
    each = PLACES * 4
    room = max(CHUNK_BYTES, U_SHARE * each * depth * filters)
    fitting = int(room / (each * (depth + filters)))
    return max(min(-(-tiles // TILES), fitting // TILES), 1) * TILES


def _places(name: str, numbers: int) -> np.ndarray:
    """Room for so many numbers at each place (PLACES, numbers and some more).

    A power of two apart, the same number of all places would get a few lines of the
    cache: they are an odd number of lines apart.
    """
    line = CACHE_LINE // 4
    return work_array(name, (PLACES, (numbers // line | 1) * line + 2 * line),
                      np.float32)


@compiled(inline="always")
def _corner(tile, tiling, pad_h, pad_w):
    """Image, and row and column of the first pixel, of a tile."""
    strip, column = divmod(tile, tiling.columns)
    n, row = divmod(strip, tiling.rows)
    return n, row * tiling.outputs - pad_h, column * tiling.outputs - pad_w


# A vector gets from images and maps to the stack, and back, by an array of its own: the
# compiler can not know that the two do not overlap, and would copy number by number.

@cache
def images_kernel(width: int) -> Callable:
    """The kernel that fills v[place] (C/width, tiles, width) with B' d B of tiles
    begin <= t < begin + size of x."""
    line, room = SEEN * width, PLACES * width
    take, put = TAKE[SEEN], PUT[SEEN]

    @compiled(fastmath=LOOSE)
    def images(x, begin, size, tiling, v):
        _, h, w, depth = x.shape
        patch, half = on_stack(room, x), on_stack(room, x)
        out, here = on_stack(line, x), on_stack(width, x)
        pixels, places = x.reshape(-1), v.reshape(-1)
        apart, pixel = np.uintp(v.shape[1]), np.uintp(depth)
        for t in range(size):
            n, top, left = _corner(begin + t, tiling, tiling.pad_h, tiling.pad_w)
            i0, i1 = max(-top, 0), min(SEEN, h - top)
            j0, j1 = max(-left, 0), min(SEEN, w - left)
            if i0 > 0 or j0 > 0 or i1 < SEEN or j1 < SEEN:
                for k in range(room):
                    patch[k] = 0
            for b in range(depth // width):
                for i in range(i0, i1):
                    of = np.uintp(((n * h + top + i) * w + left + j0) * depth
                                  + b * width)
                    to = np.uintp((i * SEEN + j0) * width)
                    for _ in range(j1 - j0):
                        for k in range(width):
                            here[k] = pixels[of + np.uintp(k)]
                        for k in range(width):
                            patch[to + np.uintp(k)] = here[k]
                        of += pixel
                        to += np.uintp(width)
                for j in range(SEEN):
                    for k in range(width):
                        c = np.uintp(j * width + k)
                        column = take(patch, c, np.uintp(line))
                        put(b_turned(column), half, c, np.uintp(line))
                to = np.uintp((b * size + t) * width)
                for i in range(SEEN):
                    for k in range(width):
                        row = take(half, np.uintp(i * line + k), np.uintp(width))
                        put(b_turned(row), out, np.uintp(k), np.uintp(width))
                    for j in range(SEEN):
                        for k in range(width):
                            places[to + np.uintp(k)] = out[j * width + k]
                        to += apart

    return images


@cache
def products_kernel(block: int, width: int) -> Callable:
    """The kernel of m[place] (tiles, K) = v[place] (tiles, C) by u[place] (C, K).

    In memory, v[place] is (C/width, tiles, width), m[place] is (blocks, tiles, block).
    """
    held_at_once = TILES * block

    @compiled(fastmath=LOOSE)
    def products(v, u, m, size):
        _, blocks, depth, _ = u.shape
        held = on_stack(held_at_once, v)
        images, weights, sums = v.reshape(-1), u.reshape(-1), m.reshape(-1)
        zero = v.dtype.type(0)
        for p in range(PLACES):
            for j in range(blocks):
                for t in range(0, size, TILES):
                    for k in range(held_at_once):
                        held[k] = zero
                    row = np.uintp((p * blocks + j) * depth * block)
                    at = np.uintp(p * v.shape[1] + t * width)
                    for _ in range(depth // width):
                        for c in range(width):
                            x = at + np.uintp(c)
                            a0, a1 = images[x], images[x + np.uintp(width)]
                            a2 = images[x + np.uintp(2 * width)]
                            a3 = images[x + np.uintp(3 * width)]
                            a4 = images[x + np.uintp(4 * width)]
                            a5 = images[x + np.uintp(5 * width)]
                            a6 = images[x + np.uintp(6 * width)]
                            a7 = images[x + np.uintp(7 * width)]
                            for k in range(block):
                                w = weights[row + np.uintp(k)]
                                held[k] += a0 * w
                                held[block + k] += a1 * w
                                held[2 * block + k] += a2 * w
                                held[3 * block + k] += a3 * w
                                held[4 * block + k] += a4 * w
                                held[5 * block + k] += a5 * w
                                held[6 * block + k] += a6 * w
                                held[7 * block + k] += a7 * w
                            row += np.uintp(block)
                        at += np.uintp(size * width)
                    to = np.uintp(p * m.shape[1] + (j * size + t) * block)
                    for k in range(held_at_once):
                        sums[to + np.uintp(k)] = held[k]

    return products


@cache
def outputs_kernel(block: int, outputs: int) -> Callable:
    """The kernel that fills y with A' m A + b at tiles begin <= t < begin + size."""
    line, room, room_out = SEEN * block, SEEN * outputs * block, outputs * block
    take, transform = TAKE[SEEN], A_TURNED[outputs]
    plus, put = PLUS[outputs], PUT[outputs]

    @compiled(fastmath=LOOSE)
    def fill(m, biases, y, begin, size, tiling, relu):
        _, h, w, filters = y.shape
        half, out = on_stack(room, m), on_stack(room_out, m)
        done = on_stack(block, m)
        zero = y.dtype.type(0)
        sums, values, outs = m.reshape(-1), biases.reshape(-1), y.reshape(-1)
        apart = np.uintp(m.shape[1])
        rows_apart = np.uintp(SEEN) * apart
        for t in range(size):
            n, top, left = _corner(begin + t, tiling, 0, 0)
            rows, columns = min(outputs, h - top), min(outputs, w - left)
            for b in range(len(biases)):
                here = min(block, filters - b * block)
                bias = np.uintp(b * biases.shape[1])
                of = np.uintp((b * size + t) * block)
                for j in range(SEEN):
                    for k in range(block):
                        column = take(sums, of + np.uintp(k), rows_apart)
                        put(transform(column), half, np.uintp(j * block + k),
                            np.uintp(line))
                    of += apart
                for i in range(rows):
                    for k in range(block):
                        row = take(half, np.uintp(i * line + k), np.uintp(block))
                        line_out = plus(transform(row), values[bias + np.uintp(k)])
                        put(line_out, out, np.uintp(k), np.uintp(block))
                    if relu:
                        for k in range(room_out):
                            out[k] = zero if out[k] <= zero else out[k]
                    to = np.uintp(((n * h + top + i) * w + left) * filters + b * block)
                    for q in range(columns):
                        at = np.uintp(q * block)
                        if here == block:  # of known length: a few instructions
                            for k in range(block):
                                done[k] = out[at + np.uintp(k)]
                            for k in range(block):
                                outs[to + np.uintp(k)] = done[k]
                        else:
                            for k in range(here):
                                outs[to + np.uintp(k)] = out[at + np.uintp(k)]
                        to += np.uintp(filters)

    return fill


@cache
def gradients_kernel(block: int, outputs: int) -> Callable:
    """The kernel that fills m[place] (blocks, tiles, block) with A dy A' of tiles
    begin <= t < begin + size, and adds dy itself to db."""
    line, room = outputs * block, outputs * outputs * block
    room_half, room_out = SEEN * outputs * block, SEEN * block
    take, transform, put = TAKE[outputs], A[outputs], PUT[SEEN]

    @compiled(fastmath=LOOSE)
    def gradients(dy, begin, size, tiling, m, db):
        _, h, w, filters = dy.shape
        patch, half = on_stack(room, dy), on_stack(room_half, dy)
        out, whole = on_stack(room_out, dy), on_stack(block, dy)
        given, places = dy.reshape(-1), m.reshape(-1)
        apart, pixel = np.uintp(m.shape[1]), np.uintp(filters)
        for t in range(size):
            n, top, left = _corner(begin + t, tiling, 0, 0)
            rows, columns = min(outputs, h - top), min(outputs, w - left)
            for b in range(len(db) // block):
                here = min(block, filters - b * block)
                if rows < outputs or columns < outputs or here < block:
                    for k in range(room):
                        patch[k] = 0
                for i in range(rows):
                    of = np.uintp(((n * h + top + i) * w + left) * filters + b * block)
                    to = np.uintp(i * line)
                    for _ in range(columns):
                        if here == block:
                            for k in range(block):
                                whole[k] = given[of + np.uintp(k)]
                            for k in range(block):
                                patch[to + np.uintp(k)] = whole[k]
                        else:
                            for k in range(here):
                                patch[to + np.uintp(k)] = given[of + np.uintp(k)]
                        of += pixel
                        to += np.uintp(block)
                for j in range(outputs):
                    for k in range(block):
                        c = np.uintp(j * block + k)
                        column = transform(take(patch, c, np.uintp(line)))
                        put(column, half, c, np.uintp(line))
                        db[b * block + k] += column[1]  # the sum of all
                to = np.uintp((b * size + t) * block)
                for i in range(SEEN):
                    for k in range(block):
                        row = take(half, np.uintp(i * line + k), np.uintp(block))
                        put(transform(row), out, np.uintp(k), np.uintp(block))
                    for j in range(SEEN):
                        for k in range(block):
                            places[to + np.uintp(k)] = out[j * block + k]
                        to += apart

    return gradients


@cache
def gradient_products_kernel(block: int, width: int) -> Callable:
    """The kernel that adds v[place] (C, tiles) by m[place] (tiles, K) to u[place].

    In memory, v[place] is (C/width, tiles, width), m[place] is (blocks, tiles, block).
    """
    held_at_once = CHANNELS * block

    @compiled(fastmath=LOOSE)
    def products(v, m, u, size):
        _, blocks, depth, _ = u.shape
        held = on_stack(held_at_once, v)
        images, gradients, sums = v.reshape(-1), m.reshape(-1), u.reshape(-1)
        for p in range(PLACES):
            for j in range(blocks):
                for c in range(0, depth, CHANNELS):
                    to = np.uintp(((p * blocks + j) * depth + c) * block)
                    x = np.uintp(p * v.shape[1] + c // width * width * size + c % width)
                    row = np.uintp(p * m.shape[1] + j * size * block)
                    for k in range(held_at_once):
                        held[k] = sums[to + np.uintp(k)]
                    for _ in range(size):
                        a0, a1 = images[x], images[x + np.uintp(1)]
                        a2, a3 = images[x + np.uintp(2)], images[x + np.uintp(3)]
                        a4, a5 = images[x + np.uintp(4)], images[x + np.uintp(5)]
                        a6, a7 = images[x + np.uintp(6)], images[x + np.uintp(7)]
                        for k in range(block):
                            w = gradients[row + np.uintp(k)]
                            held[k] += a0 * w
                            held[block + k] += a1 * w
                            held[2 * block + k] += a2 * w
                            held[3 * block + k] += a3 * w
                            held[4 * block + k] += a4 * w
                            held[5 * block + k] += a5 * w
                            held[6 * block + k] += a6 * w
                            held[7 * block + k] += a7 * w
                        x += np.uintp(width)
                        row += np.uintp(block)
                    for k in range(held_at_once):
                        sums[to + np.uintp(k)] = held[k]

    return products


@cache
def filters_kernel(block: int, weights: int) -> Callable:
    """The kernel that fills u (PLACES, blocks, C, block) with G g G' of packed g."""
    line, room, room_out = weights * block, SEEN * weights * block, SEEN * block
    take, transform, put = TAKE[weights], G[weights], PUT[SEEN]

    @compiled(fastmath=LOOSE)
    def filters(packed, u):
        _, blocks, depth, _ = u.shape
        half, out = on_stack(room, packed), on_stack(room_out, packed)
        given, places = packed.reshape(-1), u.reshape(-1)
        pixel, apart = np.uintp(depth * block), np.uintp(blocks * depth * block)
        rows_apart = np.uintp(weights) * pixel
        for b in range(blocks):
            for c in range(depth):
                of = np.uintp((b * weights * weights * depth + c) * block)
                for j in range(weights):
                    for k in range(block):
                        column = take(given, of + np.uintp(k), rows_apart)
                        put(transform(column), half, np.uintp(j * block + k),
                            np.uintp(line))
                    of += pixel
                to = np.uintp((b * depth + c) * block)
                for i in range(SEEN):
                    for k in range(block):
                        row = take(half, np.uintp(i * line + k), np.uintp(block))
                        put(transform(row), out, np.uintp(k), np.uintp(block))
                    for j in range(SEEN):
                        for k in range(block):
                            places[to + np.uintp(k)] = out[j * block + k]
                        to += apart

    return filters


@cache
def filter_gradients_kernel(block: int, weights: int) -> Callable:
    """The kernel that fills dw (blocks, weights*weights*C, block) with G' u G."""
    line, room, room_out = SEEN * block, weights * SEEN * block, weights * block
    take, transform, put = TAKE[SEEN], G_TURNED[weights], PUT[weights]

    @compiled(fastmath=LOOSE)
    def filter_gradients(u, dw):
        _, blocks, depth, _ = u.shape
        half, out = on_stack(room, dw), on_stack(room_out, dw)
        places, results = u.reshape(-1), dw.reshape(-1)
        pixel, apart = np.uintp(depth * block), np.uintp(blocks * depth * block)
        rows_apart = np.uintp(SEEN) * apart
        for b in range(blocks):
            for c in range(depth):
                of = np.uintp((b * depth + c) * block)
                for j in range(SEEN):
                    for k in range(block):
                        column = take(places, of + np.uintp(k), rows_apart)
                        put(transform(column), half, np.uintp(j * block + k),
                            np.uintp(line))
                    of += apart
                to = np.uintp((b * weights * weights * depth + c) * block)
                for i in range(weights):
                    for k in range(block):
                        row = take(half, np.uintp(i * line + k), np.uintp(block))
                        put(transform(row), out, np.uintp(k), np.uintp(block))
                    for j in range(weights):
                        for k in range(block):
                            results[to + np.uintp(k)] = out[j * block + k]
                        to += pixel

    return filter_gradients
