"""The convolution layer: every filter slides over every image.

y[n, p, q, k] = b[k] + the dot product of filter w[k] with the Fh x Fw x C chunk
of image n whose top left corner is at row p*stride - pad, column q*stride - pad
(slides 23-51). This is cross-correlation: the filter is not flipped.

All chunks are written out as the rows of a matrix (im2col), so that all those
dot products become one matrix product, which BLAS computes near the machine's
peak (Chellapilla, Puri and Simard 2006). The matrix is Fh*Fw times as large as
the images, so it is made and used a tile at a time, small enough for the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from convlab.layers import inputs
from convlab.layers.compiled import compiled
from convlab.layers.threads import share

TILE_BYTES = 1 << 20  # of the im2col matrix: it is read back from a core's cache


class Slide(NamedTuple):
    """How a filter slides over an image, and where it stops."""

    f_h: int
    f_w: int
    stride: int
    pad: int
    h_out: int
    w_out: int


def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray,
                   stride: int = 1, pad: int = 0) -> np.ndarray:
    """Activation maps y (N, H', W', K) of images x under K filters.

    x (N, H, W, C), w (K, Fh, Fw, C), b (K,): all float32 or all float64, as
    is y. H' = (H + 2*pad - Fh)/stride + 1, and W' likewise. Raises ValueError
    for sizes that do not fit, TypeError for dtypes.
    """
    x, w, slide = _prepare(x, w, stride, pad)
    b = inputs.bias(b, len(w), x, "filters")
    y = np.empty((len(x), slide.h_out, slide.w_out, len(w)), x.dtype)
    share(_forward, len(x), y.size, x, w, b, y, slide)
    return y


def conv2d_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray,
                    stride: int = 1, pad: int = 0
                    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx, dw, db of a convolution, from the gradient dy (N, H', W', K).

    x, w, stride and pad are those of the forward pass; the gradients have the
    shapes and dtype of x, w and b. Raises as conv2d_forward does. The last
    digits of dw and db depend on how many threads add them up.
    """
    x, w, slide = _prepare(x, w, stride, pad)
    dy = inputs.gradient(dy, (len(x), slide.h_out, slide.w_out, len(w)), like=x)
    dx = np.zeros_like(x)
    parts = share(_backward, len(x), dy.size, dy, x, w, dx, slide)
    return dx, sum(dw for dw, _ in parts), sum(db for _, db in parts)


def _prepare(x: object, w: object, stride: int, pad: int
             ) -> tuple[np.ndarray, np.ndarray, Slide]:
    x = inputs.images(x)
    w = inputs.filters(w, x)
    _, f_h, f_w, _ = w.shape
    h_out, w_out = inputs.positions(x.shape, f_h, f_w, stride, pad)
    return x, w, Slide(f_h, f_w, int(stride), int(pad), h_out, w_out)


def _forward(first: int, last: int, x: np.ndarray, w: np.ndarray, b: np.ndarray,
             y: np.ndarray, slide: Slide) -> None:
    """Fill y for images first <= n < last."""
    w_rows, y_rows = w.reshape(len(w), -1), y[first:last].reshape(-1, len(w))
    for tile, chunks in _tiles(x[first:last], slide):
        np.dot(chunks, w_rows.T, out=y_rows[tile])
        y_rows[tile] += b


def _backward(first: int, last: int, dy: np.ndarray, x: np.ndarray, w: np.ndarray,
              dx: np.ndarray, slide: Slide) -> tuple[np.ndarray, np.ndarray]:
    """Fill dx for images first <= n < last; return what they add to dw and db."""
    w_rows, dy_rows = w.reshape(len(w), -1), dy[first:last].reshape(-1, len(w))
    dw_rows = np.zeros_like(w_rows)
    for tile, chunks in _tiles(x[first:last], slide):
        dw_rows += dy_rows[tile].T @ chunks
        _add_chunks(dy_rows[tile] @ w_rows, dx[first:last],
                    tile.start // slide.w_out, slide)
    return dw_rows.reshape(w.shape), dy_rows.sum(axis=0)


def _tiles(x: np.ndarray, slide: Slide) -> Iterator[tuple[slice, np.ndarray]]:
    """The chunks under the filter, a tile at a time.

    Yields (which, chunks): chunks (positions, Fh*Fw*C), one row for each
    position of the filter, in the order of y.reshape(-1, K)[which]. The next
    tile is written over this one.
    """
    n, _, _, c = x.shape
    rows, chunk = n * slide.h_out, slide.f_h * slide.f_w * c
    if slide[:4] == (1, 1, 1, 0):  # each pixel is its own chunk (slide 55)
        yield slice(0, rows * slide.w_out), x.reshape(-1, c)
        return
    rows_a_tile = min(rows, 1 + TILE_BYTES // (slide.w_out * chunk * x.itemsize))
    buffer = np.empty((rows_a_tile * slide.w_out, chunk), x.dtype)
    for first in range(0, rows, rows_a_tile):
        which = slice(first * slide.w_out,
                      min(first + rows_a_tile, rows) * slide.w_out)
        chunks = buffer[:which.stop - which.start]
        _copy_chunks(x, chunks, first, slide)
        yield which, chunks


# The kernels see all output rows as one list, through the batch: row is row
# p = row % h_out of image row // h_out. What is under one row of the filter is
# one run of memory, Fw*C numbers, of which start <= t < stop lie inside the
# image and the rest in the padding.


@compiled
def _copy_chunks(x, chunks, first, slide):
    """im2col: write the chunks of the output rows from `first` on."""
    n, h, w, c = x.shape
    f_h, f_w, stride, pad, h_out, w_out = slide
    lines, run = x.reshape(n * h, w * c), f_w * c
    for row in range(len(chunks) // w_out):
        image, p = divmod(first + row, h_out)
        for q in range(w_out):
            left = (q * stride - pad) * c
            start, stop = max(0, -left), min(run, w * c - left)
            for i in range(f_h):
                y = p * stride - pad + i
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
    f_h, f_w, stride, pad, h_out, w_out = slide
    lines, run = dx.reshape(n * h, w * c), f_w * c
    for row in range(len(chunks) // w_out):
        image, p = divmod(first + row, h_out)
        for q in range(w_out):
            left = (q * stride - pad) * c
            start, stop = max(0, -left), min(run, w * c - left)
            for i in range(f_h):
                y = p * stride - pad + i
                if y < 0 or y >= h or start >= stop:
                    continue
                chunk = chunks[row * w_out + q, i * run + start:i * run + stop]
                pixels = lines[image * h + y, left + start:left + stop]
                for t in range(stop - start):
                    pixels[t] += chunk[t]
