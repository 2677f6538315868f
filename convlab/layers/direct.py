"""Convolution without a matrix: the loops themselves, in an order that is fast.

A filter's chunk of an image is, for each row of the filter, one run of memory of
Fw*C numbers. So a convolution is, for each output pixel, each row of the filter
and each number of the run: that number times the weights that it has in all
filters, added to the outputs of all filters. The innermost loop therefore goes
over filters, which lie side by side in memory in `packed` weights, and the
compiler turns it into vector instructions. Four more things make it fast, each measured
by `make bench`:

- It goes over a block of 32 filters (16 where there are few): a constant when it
  is compiled, so that it becomes a fixed row of instructions, without a loop.
- Eight pixels are done at once, and their sums for the block stay in registers
  (`registers.py`) from the first product to the last: each weight that is loaded
  is used eight times, and no sum is loaded or stored in between.
- A tile of output pixels is finished before the next is begun, so that its part
  of the images stays in a core's cache while block after block passes over it.
- What a filter sees beyond an image's edge is left out. The eight pixels are at the
  same place of eight images, so that the same rows and columns of the filter count
  for all of them, and nothing in the inner loops has to ask where the image ends.
  Where there are too few images for that, they are copied into a frame of zeros.

The gradient by the weights is the same loop with pixels and numbers exchanged:
eight numbers of the chunk for a block of filters are held while the pixels of a
tile pass by that see them. Images whose depth is a multiple of eight are copied for it,
so that eight numbers lie beside those of the next pixel. The gradient by the images, at
stride 1, is the convolution of dy with the filters turned around and their two depths
exchanged.

Beside x, y and the weights, each thread keeps a number for each pixel and filter of
a tile, where in memory they are, and its frame or copies: FRAMED_BYTES, or one image
with its padding where that is more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from convlab.layers.compiled import compiled
from convlab.layers.registers import on_stack
from convlab.layers.scratch import aligned, work_array

TILE = 256  # output pixels
GRADIENT_TILE = 128  # the same where the gradient by the weights is worked out
# What is held in registers at once: sums of so many pixels, or of so many numbers of
# a run, for a block of filters. With blocks of 32, that is 16 of the 32 registers
# that processors with vectors of 512 bits have.
PIXELS = NUMBERS = 8
STRIP = 16  # numbers of a filter that are packed at a time
FRAMED_BYTES = 1 << 17  # of images that are framed at a time, where one is smaller
# The time that a filter takes in a block of so many.
BLOCKS = {32: 1.0, 16: 1.2}
# Sums may be taken in another order, as vector instructions need it. NaN and
# infinity stay what they are.
LOOSE = {"contract", "nsz", "arcp", "reassoc"}


class Slide(NamedTuple):
    """How a filter slides over an image, and where it stops."""

    f_h: int
    f_w: int
    stride: int
    pad_h: int
    pad_w: int
    h_out: int
    w_out: int


class Tile(NamedTuple):
    """Where the pixels of a tile are.

    The chunk of pixel o begins at number corners[o] of the images, and its output is
    targets[o]-th of all output pixels. Of the filter, the eight pixels from 8*o on need
    parts[o] = (first number, rows, numbers of each row).
    """

    corners: np.ndarray  # (TILE,) uintp
    targets: np.ndarray  # (TILE,) uintp
    parts: np.ndarray  # (TILE/PIXELS, 3) int64


def forward(first: int, last: int, x: np.ndarray, packed: np.ndarray,
            biases: np.ndarray, y: np.ndarray, slide: Slide, relu: bool) -> None:
    """Fill y (N, H', W', K) for images first <= n < last of x (N, H, W, C).

    packed (blocks, Fh*Fw*C, block) and biases (blocks, PIXELS*block), as from `pack`
    and `pack_biases`; with `relu`, what is below 0 becomes 0.
    """
    x, y = x[first:last], y[first:last]
    sums = work_array("sums", (biases.shape[1],), x.dtype)
    abreast = _worth_going_abreast(x.shape, slide)
    frame, slide = (_no_frame(x), slide) if abreast else _framing(x, slide)
    forward_kernel(packed.shape[2])(x, packed, biases, y, slide, frame, _tile(), sums,
                                    abreast, relu)


def weight_gradients(first: int, last: int, dy: np.ndarray, x: np.ndarray, block: int,
                     slide: Slide) -> tuple[np.ndarray, np.ndarray]:
    """What images first <= n < last add to dw and db: for `unpack`, and (K,)."""
    x, dy = x[first:last], dy[first:last]
    filters = dy.shape[3]
    in_eights = _comes_in_eights(x.shape[3])
    frame, slide = (_some_of(x), slide) if in_eights else _framing(x, slide)
    places = _places_in_eights(frame, slide) if in_eights else _places(frame, slide)
    dw = aligned((-(-filters // block), len(places), block), x.dtype)
    db = np.zeros((len(dw), block), x.dtype)
    dw[...] = 0
    rows = work_array("rows", (GRADIENT_TILE * block,), x.dtype)
    rows[...] = 0  # what a last block has no filters for is added up all the same
    lists = slide.f_h * slide.f_w if in_eights else 1
    seen = work_array("seen", (lists, GRADIENT_TILE), np.uintp)
    corners = work_array("corners", (GRADIENT_TILE,), np.uintp)
    weights_kernel(block, in_eights)(dy, x, dw, db, slide, frame, rows, corners, seen,
                                     places)
    return dw, db.reshape(-1)[:filters]


def _comes_in_eights(depth: int) -> bool:
    """Whether all numbers of a pixel can be held NUMBERS at a time."""
    return depth % NUMBERS == 0


def block_for(filters: int) -> int:
    """The length of blocks that takes the least time for so many filters."""
    return min(BLOCKS, key=lambda block: -(-filters // block) * block * BLOCKS[block])


def pack(w: np.ndarray, block: int) -> np.ndarray:
    """Filters (K, Fh, Fw, C) as (blocks, Fh*Fw*C, block); missing ones are 0."""
    rows = w.reshape(len(w), -1)
    packed = aligned((-(-len(w) // block), rows.shape[1], block), w.dtype)
    packed[-1] = 0
    _pack(rows, packed)
    return packed


def pack_turned(w: np.ndarray, block: int) -> np.ndarray:
    """The packed filters of the gradient by the images, from w (K, Fh, Fw, C).

    They are turned by half a circle, there are C of them, and they are K deep:
    (blocks, Fh*Fw*K, block).
    """
    k, f_h, f_w, c = w.shape
    packed = aligned((-(-c // block), f_h * f_w * k, block), w.dtype)
    packed[-1] = 0
    _pack_turned(w, packed)
    return packed


def unpack(dw: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient (K, Fh, Fw, C) from (blocks, Fh*Fw*C and what fills up, block)."""
    w = np.empty(shape, dw.dtype)
    _unpack(dw, w.reshape(shape[0], -1))
    return w


def pack_biases(b: np.ndarray, block: int) -> np.ndarray:
    """Biases (K,) as (blocks, PIXELS*block), once a pixel; missing ones are 0."""
    packed = np.zeros((-(-len(b) // block), block), b.dtype)
    packed.reshape(-1)[:len(b)] = b
    return np.tile(packed, (1, PIXELS))


def _no_frame(x: np.ndarray) -> np.ndarray:
    return work_array("frame", (0, *x.shape[1:]), x.dtype)


def _some_of(x: np.ndarray) -> np.ndarray:
    """Room for a few of the images."""
    return _frame(len(x), x.shape[1:], x.dtype)


def _frame(images: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Room for so many images of a shape, or as many as FRAMED_BYTES hold."""
    fitting = max(1, FRAMED_BYTES // (math.prod(shape) * dtype.itemsize))
    return work_array("frame", (min(images, fitting), *shape), dtype)


def _framing(x: np.ndarray, slide: Slide) -> tuple[np.ndarray, Slide]:
    """Room for a few images with their padding, and the slide over them, which needs
    none; no room where there is no padding."""
    n, h, w, c = x.shape
    if not slide.pad_h and not slide.pad_w:
        return _no_frame(x), slide
    frame = _frame(n, (h + 2 * slide.pad_h, w + 2 * slide.pad_w, c), x.dtype)
    frame[:, :slide.pad_h] = frame[:, h + slide.pad_h:] = 0
    frame[:, :, :slide.pad_w] = frame[:, :, w + slide.pad_w:] = 0
    return frame, slide._replace(pad_h=0, pad_w=0)


def _places(frame: np.ndarray, slide: Slide) -> np.ndarray:
    """Where the Fh*Fw*C numbers of a chunk lie, from its corner on, in an image.

    The last one is repeated to fill up to a multiple of NUMBERS. Unsigned: such an
    index needs no check whether it counts from the end.
    """
    _, _, width, depth = frame.shape
    rows = width * depth * np.arange(slide.f_h)[:, None]
    places = (rows + np.arange(slide.f_w * depth)).reshape(-1).astype(np.uintp)
    return np.pad(places, (0, -len(places) % NUMBERS), mode="edge")


def _places_in_eights(frame: np.ndarray, slide: Slide) -> np.ndarray:
    """The same of images that `_in_eights` has copied: (Fh*Fw*C,) uintp."""
    _, height, width, depth = frame.shape
    pixel = width * np.arange(slide.f_h)[:, None, None] + np.arange(slide.f_w)[:, None]
    eight, number = np.divmod(np.arange(depth), NUMBERS)
    places = (eight * height * width + pixel) * NUMBERS + number
    return places.reshape(-1).astype(np.uintp)


def _worth_going_abreast(x_shape: tuple[int, ...], slide: Slide) -> bool:
    """Whether what is left out is more than what the last, incomplete eight images
    add: so many images are done as the next multiple of eight."""
    n, h, w, _ = x_shape
    inside = multiplications(h, w, slide)
    every = slide.f_h * slide.h_out * slide.f_w * slide.w_out
    return inside * (-(-n // PIXELS) * PIXELS) < every * n


def multiplications(h: int, w: int, slide: Slide) -> int:
    """Of one filter on one channel of an image: the pixels that all positions see."""
    return (_inside(h, slide.f_h, slide.stride, slide.pad_h, slide.h_out)
            * _inside(w, slide.f_w, slide.stride, slide.pad_w, slide.w_out))


def _inside(size: int, filter_size: int, stride: int, pad: int, outputs: int) -> int:
    """How many of the pixels that all positions see lie within `size` pixels."""
    first = stride * np.arange(outputs) - pad
    seen = np.minimum(first + filter_size, size) - np.maximum(first, 0)
    return int(np.maximum(seen, 0).sum())


def _tile() -> Tile:
    return Tile(work_array("corners", (TILE,), np.uintp),
                work_array("targets", (TILE,), np.uintp),
                work_array("parts", (TILE // PIXELS, 3), np.int64))


@compiled
def _pack(rows, packed):
    filters, numbers = rows.shape
    block = packed.shape[2]
    for j in range(len(packed)):
        for begin in range(0, numbers, STRIP):  # stays in the cache as it is turned
            for k in range(min(block, filters - j * block)):
                for t in range(begin, min(begin + STRIP, numbers)):
                    packed[j, t, k] = rows[j * block + k, t]


@compiled
def _unpack(packed, rows):
    filters, numbers = rows.shape
    block = packed.shape[2]
    for j in range(len(packed)):
        for begin in range(0, numbers, STRIP):
            for k in range(min(block, filters - j * block)):
                for t in range(begin, min(begin + STRIP, numbers)):
                    rows[j * block + k, t] = packed[j, t, k]


@compiled
def _pack_turned(w, packed):
    filters, f_h, f_w, depth = w.shape
    block = packed.shape[2]
    for b in range(len(packed)):
        here = min(block, depth - b * block)
        for i in range(f_h):
            for j in range(f_w):
                for k in range(filters):
                    to = packed[b, (i * f_w + j) * filters + k, :here]
                    of = w[k, f_h - 1 - i, f_w - 1 - j, b * block:b * block + here]
                    for c in range(here):
                        to[c] = of[c]


@compiled
def _framed(x, first, last, frame):
    """Images first <= n < last in their frames, as one run of memory; or without, if
    there is none."""
    _, h, w, c = x.shape
    if len(frame) == 0:
        return x[first:last].reshape(-1)
    pad_h, pad_w = (frame.shape[1] - h) // 2, (frame.shape[2] - w) // 2
    line, row = frame.shape[2] * c, w * c
    flat, pixels = frame.reshape(-1), x.reshape(-1)
    for n in range(last - first):
        for i in range(h):
            at = ((n * frame.shape[1] + i + pad_h) * frame.shape[2] + pad_w) * c
            to = flat[at:at + row]
            of = pixels[((first + n) * h + i) * row:((first + n) * h + i + 1) * row]
            for t in range(row):
                to[t] = of[t]
    return flat[:(last - first) * frame.shape[1] * line]


@compiled
def _in_eights(x, first, last, frame):
    """Images first <= n < last, copied to the frame's memory as (n, C/8, H, W, 8).

    Numbers that the same pixels' gradients are multiplied with follow each other from
    pixel to pixel. Where they are a power of two apart, as many depths are, they
    drive each other out of the cache.
    """
    _, h, w, c = x.shape
    flat, images = frame.reshape(-1), x.reshape(-1)
    eights = c // NUMBERS
    for n in range(last - first):
        for pixel in range(h * w):
            for eight in range(eights):
                to = flat[((n * eights + eight) * h * w + pixel) * NUMBERS:]
                of = images[((first + n) * h * w + pixel) * c + eight * NUMBERS:]
                for t in range(NUMBERS):
                    to[t] = of[t]
    return flat[:(last - first) * h * w * c]


@compiled
def _find_corners(corners, begin, size, slide, image, line, pixel):
    """Where the chunks of output pixels begin <= o < begin + size begin.

    In images, which may be framed, of `image` numbers, `line` of them in a row and
    `pixel` in a pixel; modulo 2**64 where that is before the first one.
    """
    row, q = divmod(begin, slide.w_out)
    n, p = divmod(row, slide.h_out)
    for o in range(size):
        top, left = p * slide.stride - slide.pad_h, q * slide.stride - slide.pad_w
        corners[o] = np.uintp(n * image + top * line + left * pixel)
        q += 1
        if q == slide.w_out:
            q, p = 0, p + 1
            if p == slide.h_out:
                p, n = 0, n + 1


@compiled
def _follow(tile, begin, size, slide, height, width, depth):
    """Fill the tile with output pixels begin <= o < begin + size of framed images; the
    last one's corner is repeated up to a multiple of PIXELS."""
    line = width * depth
    _find_corners(tile.corners, begin, size, slide, height * line, line, depth)
    for o in range(size):
        tile.targets[o] = begin + o
    for o in range(size, (size + PIXELS - 1) // PIXELS * PIXELS):
        tile.corners[o] = tile.corners[size - 1]
    for o in range(0, size, PIXELS):
        part = tile.parts[o // PIXELS]
        part[0], part[1], part[2] = 0, slide.f_h, slide.f_w * depth


@compiled
def _go_abreast(tile, begin, size, slide, images, height, width, depth):
    """Fill the tile with places begin <= o < begin + size in the order: eight images,
    pixel, image; the last image is repeated where there are fewer."""
    pixels = slide.h_out * slide.w_out
    for o in range(0, size, PIXELS):
        eight, pixel = divmod((begin + o) // PIXELS, pixels)
        p, q = divmod(pixel, slide.w_out)
        top, left = p * slide.stride - slide.pad_h, q * slide.stride - slide.pad_w
        i, j = max(-top, 0), max(-left, 0)
        rows = max(min(slide.f_h, height - top) - i, 0)
        columns = max(min(slide.f_w, width - left) - j, 0)
        part = tile.parts[o // PIXELS]
        part[0], part[1], part[2] = (i * slide.f_w + j) * depth, rows, columns * depth
        for k in range(PIXELS):
            n = min(eight * PIXELS + k, images - 1)
            at = ((n * height + top + i) * width + left + j) * depth
            tile.corners[o + k] = at if rows * columns else 0
            tile.targets[o + k] = n * pixels + pixel


@compiled
def _find_seen(seen, counts, begin, size, slide, height, width):
    """List for each pixel of the filter the tile's pixels that see an image there.

    seen[i*Fw + j, :counts[i*Fw + j]] are those of begin <= o < begin + size, counted
    from begin. Where there is but one list, it takes all of them.
    """
    counts[:] = 0
    for o in range(size):
        row, q = divmod(begin + o, slide.w_out)
        p = row % slide.h_out
        top, left = p * slide.stride - slide.pad_h, q * slide.stride - slide.pad_w
        if len(seen) < slide.f_h * slide.f_w:
            seen[0, o] = o
            counts[0] += 1
            continue
        for i in range(max(-top, 0), min(slide.f_h, height - top)):
            for j in range(max(-left, 0), min(slide.f_w, width - left)):
                pixel = i * slide.f_w + j
                seen[pixel, counts[pixel]] = o
                counts[pixel] += 1


@cache
def forward_kernel(block: int) -> Callable:
    """The kernel for blocks of so many filters.

    It fills y, of x, packed filters and biases; frame, tile and sums are room to work
    in. `abreast` is whether images are done eight at a time, or framed.
    """
    held_at_once = PIXELS * block

    @compiled(fastmath=LOOSE)
    def forward(x, packed, biases, y, slide, frame, tile, sums, abreast, relu):
        filters = y.shape[3]
        height, width, depth = frame.shape[1:]
        line = width * depth
        corners, targets, parts = tile
        pixels = slide.h_out * slide.w_out
        outputs, zero = y.reshape(-1), y.dtype.type(0)
        held = on_stack(held_at_once, x)
        together = len(frame) if len(frame) else len(x)
        for first in range(0, len(x), together):
            last = min(first + together, len(x))
            images = _framed(x, first, last, frame)
            places = (last - first) * pixels
            if abreast:
                places = (len(x) + PIXELS - 1) // PIXELS * PIXELS * pixels
            for begin in range(0, places, TILE):
                size = min(TILE, places - begin)
                if abreast:
                    _go_abreast(tile, begin, size, slide, len(x), height, width, depth)
                else:
                    _follow(tile, begin, size, slide, height, width, depth)
                for j in range(len(packed)):
                    here = min(block, filters - j * block)
                    weights = packed[j].reshape(-1)
                    column = np.uintp(first * pixels * filters + j * block)
                    for o in range(0, size, PIXELS):
                        for k in range(held_at_once):
                            held[k] = biases[j, k]
                        x0, x1 = images[corners[o]:], images[corners[o + 1]:]
                        x2, x3 = images[corners[o + 2]:], images[corners[o + 3]:]
                        x4, x5 = images[corners[o + 4]:], images[corners[o + 5]:]
                        x6, x7 = images[corners[o + 6]:], images[corners[o + 7]:]
                        g = np.uintp(o // PIXELS)
                        skipped, rows, run = parts[g, 0], parts[g, 1], parts[g, 2]
                        for i in range(rows):
                            row = np.uintp((skipped + i * slide.f_w * depth) * block)
                            for t in range(run):
                                at = np.uintp(i * line + t)
                                a0, a1, a2, a3 = x0[at], x1[at], x2[at], x3[at]
                                a4, a5, a6, a7 = x4[at], x5[at], x6[at], x7[at]
                                for k in range(block):
                                    v = weights[row + np.uintp(k)]
                                    held[k] += a0 * v
                                    held[block + k] += a1 * v
                                    held[2 * block + k] += a2 * v
                                    held[3 * block + k] += a3 * v
                                    held[4 * block + k] += a4 * v
                                    held[5 * block + k] += a5 * v
                                    held[6 * block + k] += a6 * v
                                    held[7 * block + k] += a7 * v
                                row += np.uintp(block)
                        # By way of an array: an index into `held` that is not a
                        # constant would put it back into memory.
                        for k in range(held_at_once):
                            sums[k] = held[k]
                        if relu:
                            for k in range(held_at_once):
                                sums[k] = zero if sums[k] <= zero else sums[k]
                        for p in range(min(PIXELS, size - o)):
                            at = targets[o + p] * np.uintp(filters) + column
                            to, s = outputs[at:], sums[p * block:]
                            if here == block:  # of known length: a few instructions
                                for k in range(block):
                                    to[k] = s[k]
                            else:
                                for k in range(here):
                                    to[k] = s[k]

    return forward


@compiled(inline="always")
def _place(places, t, step, beside):
    """places[t + step], which is known from places[t] where they lie side by side."""
    return places[t] + np.uintp(step) if beside else places[t + step]


@cache
def weights_kernel(block: int, in_eights: bool) -> Callable:
    """The kernel of the weights' gradients, for blocks of so many filters.

    `in_eights` is whether the numbers of a pixel can be held eight at a time: then
    `_in_eights` copies the images, and a single register says where the eight are.
    It adds to dw (blocks, len(places), block) and db (blocks, block); frame, rows,
    corners and seen are room to work in. With as many lists in `seen` as the filter
    has pixels, what is beyond the image's edge is left out; with one, it is framed.
    """
    held_at_once = NUMBERS * block

    @compiled(fastmath=LOOSE)
    def weight_gradients(dy, x, dw, db, slide, frame, rows, corners, seen, places):
        filters = dy.shape[3]
        height, width, depth = frame.shape[1:]
        pixels = slide.h_out * slide.w_out
        gradients, outputs = dw.reshape(-1), dy.reshape(-1)
        held = on_stack(held_at_once, x)
        counts = np.zeros(len(seen), np.int64)
        numbers = len(places) // len(seen)  # of a list
        pixel = NUMBERS if in_eights else depth
        together = len(frame) if len(frame) else len(x)
        for first in range(0, len(x), together):
            last = min(first + together, len(x))
            # Not by a function that is chosen outside the kernel: if it refers to a
            # compiled one by a variable, the next process does not find it on disk.
            if in_eights:
                images = _in_eights(x, first, last, frame)
            else:
                images = _framed(x, first, last, frame)
            for begin in range(0, (last - first) * pixels, len(corners)):
                size = min(len(corners), (last - first) * pixels - begin)
                _find_corners(corners, begin, size, slide, height * width * depth,
                              width * pixel, pixel)
                _find_seen(seen, counts, begin, size, slide, height, width)
                for j in range(len(dw)):
                    here = min(block, filters - j * block)
                    for o in range(size):
                        at = (first * pixels + begin + o) * filters + j * block
                        of, row = outputs[at:at + here], rows[o * block:]
                        for k in range(here):
                            row[k] = of[k]
                            db[j, k] += of[k]
                    for t in range(0, len(places), NUMBERS):
                        at = (j * len(places) + t) * block
                        s = gradients[at:at + held_at_once]
                        t0, t1 = places[t], _place(places, t, 1, in_eights)
                        t2 = _place(places, t, 2, in_eights)
                        t3 = _place(places, t, 3, in_eights)
                        t4 = _place(places, t, 4, in_eights)
                        t5 = _place(places, t, 5, in_eights)
                        t6 = _place(places, t, 6, in_eights)
                        t7 = _place(places, t, 7, in_eights)
                        for k in range(held_at_once):
                            held[k] = s[k]
                        which = seen[t // numbers]
                        for m in range(counts[t // numbers]):
                            o = which[m]
                            at, row = corners[o], o * np.uintp(block)
                            a0, a1 = images[at + t0], images[at + t1]
                            a2, a3 = images[at + t2], images[at + t3]
                            a4, a5 = images[at + t4], images[at + t5]
                            a6, a7 = images[at + t6], images[at + t7]
                            for k in range(block):
                                v = rows[row + np.uintp(k)]
                                held[k] += a0 * v
                                held[block + k] += a1 * v
                                held[2 * block + k] += a2 * v
                                held[3 * block + k] += a3 * v
                                held[4 * block + k] += a4 * v
                                held[5 * block + k] += a5 * v
                                held[6 * block + k] += a6 * v
                                held[7 * block + k] += a7 * v
                        for k in range(held_at_once):
                            s[k] = held[k]

    return weight_gradients
