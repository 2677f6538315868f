"""Convolution as matrix products, a tile at a time.

All chunks are written out as the rows of a matrix (im2col), so that all dot
products with filters become one matrix product, which BLAS computes near the
machine's peak (Chellapilla, Puri and Simard 2006). The matrix is Fh*Fw times as
large as the images, so it is made and used a tile at a time, small enough for
the cache. The layer computes its gradient by the images in this way where the
stride is more than 1; the rest is here to be measured beside `direct.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convlab.layers.compiled import compiled
from convlab.layers.direct import Slide
from convlab.layers.scratch import work_array

TILE_BYTES = 1 << 20  # of the im2col matrix: it is read back from a core's cache


def forward(first: int, last: int, x: np.ndarray, w: np.ndarray, b: np.ndarray,
            y: np.ndarray, slide: Slide) -> None:
    """Fill y (N, H', W', K) for images first <= n < last of x (N, H, W, C)."""
    w_rows, y_rows = w.reshape(len(w), -1), y[first:last].reshape(-1, len(w))
    for tile, chunks in _tiles(x[first:last], slide):
        np.dot(chunks, w_rows.T, out=y_rows[tile])
        y_rows[tile] += b


def image_gradients(first: int, last: int, dy: np.ndarray, w: np.ndarray,
                    dx: np.ndarray, slide: Slide) -> None:
    """Add to dx (N, H, W, C) what dy (N, H', W', K) sends to images
    first <= n < last."""
    dy, dx = dy[first:last], dx[first:last]
    w_rows, dy_rows = w.reshape(len(w), -1), dy.reshape(-1, len(w))
    for tile, chunks in _empty_tiles(dx, slide):
        np.dot(dy_rows[tile], w_rows, out=chunks)
        _add_chunks(chunks, dx, tile.start // slide.w_out, slide)


def _tiles(x: np.ndarray, slide: Slide) -> Iterator[tuple[slice, np.ndarray]]:
    """The chunks under the filter, a tile at a time.

    Yields (which, chunks): chunks (positions, Fh*Fw*C), one row for each
    position of the filter, in the order of y.reshape(-1, K)[which]. The next
    tile is written over this one.
    """
    for which, chunks in _empty_tiles(x, slide):
        _copy_chunks(x, chunks, which.start // slide.w_out, slide)
        yield which, chunks


def _empty_tiles(x: np.ndarray, slide: Slide) -> Iterator[tuple[slice, np.ndarray]]:
    """As _tiles, with room for the chunks in place of the chunks."""
    rows, chunk = len(x) * slide.h_out, slide.f_h * slide.f_w * x.shape[3]
    rows_a_tile = min(rows, 1 + TILE_BYTES // (slide.w_out * chunk * x.itemsize))
    tile = work_array("tile", (rows_a_tile * slide.w_out, chunk), x.dtype)
    for first in range(0, rows, rows_a_tile):
        which = slice(first * slide.w_out,
                      min(first + rows_a_tile, rows) * slide.w_out)
        yield which, tile[:which.stop - which.start]


# The kernels see all output rows as one list, through the batch: row is row
# p = row % h_out of image row // h_out. What is under one row of the filter is
# one run of memory, Fw*C numbers, of which start <= t < stop lie inside the
# image and the rest in the padding.


@compiled
def _copy_chunks(x, chunks, first, slide):
    """im2col: write the chunks of the output rows from `first` on."""
    n, h, w, c = x.shape
    f_h, f_w, stride, pad_h, pad_w, h_out, w_out = slide
    lines, run = x.reshape(n * h, w * c), f_w * c
    for row in range(len(chunks) // w_out):
        image, p = divmod(first + row, h_out)
        for q in range(w_out):
            left = (q * stride - pad_w) * c
            start, stop = max(0, -left), min(run, w * c - left)
            for i in range(f_h):
                y = p * stride - pad_h + i
                chunk = chunks[row * w_out + q, i * run:(i + 1) * run]
                if y < 0 or y >= h or start >= stop:
                    chunk[:] = 0
                    continue
                pixels = lines[image * h + y, left + start:left + stop]
                for t in range(start):
                    chunk[t] = 0
                for t in range(stop - start):
                    chunk[start + t] = pixels[t]
                for t in range(stop, run):
                    chunk[t] = 0


@compiled
def _add_chunks(chunks, dx, first, slide):
    """col2im: add the chunks' gradients to the pixels that they came from."""
    n, h, w, c = dx.shape
    f_h, f_w, stride, pad_h, pad_w, h_out, w_out = slide
    lines, run = dx.reshape(n * h, w * c), f_w * c
    for row in range(len(chunks) // w_out):
        image, p = divmod(first + row, h_out)
        for q in range(w_out):
            left = (q * stride - pad_w) * c
            start, stop = max(0, -left), min(run, w * c - left)
            for i in range(f_h):
                y = p * stride - pad_h + i
                if y < 0 or y >= h or start >= stop:
                    continue
                chunk = chunks[row * w_out + q, i * run + start:i * run + stop]
                pixels = lines[image * h + y, left + start:left + stop]
                for t in range(stop - start):
                    pixels[t] += chunk[t]
