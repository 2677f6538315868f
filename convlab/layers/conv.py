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
from convlab.layers.compiled import compiled, share

TILE_BYTES = 1 << 21  # of the im2col matrix: it is read back from the cache


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
    k = len(w)
    b = inputs.bias(b, k, x, "filters")
    y = np.empty((len(x), slide.h_out, slide.w_out, k), x.dtype)
    y_rows, w_rows = y.reshape(-1, k), w.reshape(k, -1)
    for tile, chunks in _tiles(x, slide):
        np.dot(chunks, w_rows.T, out=y_rows[tile])
        y_rows[tile] += b
    return y


def conv2d_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray,
                    stride: int = 1, pad: int = 0
                    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx, dw, db of a convolution, from the gradient dy (N, H', W', K).

    x, w, stride and pad are those of the forward pass; the gradients have the
    shapes and dtype of x, w and b. Raises as conv2d_forward does.
    """
    x, w, slide = _prepare(x, w, stride, pad)
    k = len(w)
    dy = inputs.gradient(dy, (len(x), slide.h_out, slide.w_out, k), like=x)
    dx, dw_rows = np.zeros_like(x), np.zeros((k, w[0].size), x.dtype)
    dy_rows, w_rows = dy.reshape(-1, k), w.reshape(k, -1)
    for tile, chunks in _tiles(x, slide):
        dw_rows += dy_rows[tile].T @ chunks
        _add_chunks(dy_rows[tile] @ w_rows, dx, tile.start, slide)
    return dx, dw_rows.reshape(w.shape), dy_rows.sum(axis=0)


def _prepare(x: object, w: object, stride: int, pad: int
             ) -> tuple[np.ndarray, np.ndarray, Slide]:
    x = inputs.images(x)
    w = inputs.filters(w, x)
    _, f_h, f_w, _ = w.shape
    h_out, w_out = inputs.positions(x.shape, f_h, f_w, stride, pad)
    return x, w, Slide(f_h, f_w, int(stride), int(pad), h_out, w_out)


def _tiles(x: np.ndarray, slide: Slide) -> Iterator[tuple[slice, np.ndarray]]:
    """The chunks under the filter, a tile at a time.

    Yields (which, chunks): chunks (positions, Fh*Fw*C), one row for each
    position of the filter, in the order of y.reshape(-1, K)[which]. The next
    tile is written over this one.
    """
    n, _, _, c = x.shape
    rows, row = n * slide.h_out, slide.f_h * slide.f_w * c
    if slide[:4] == (1, 1, 1, 0):  # each pixel is its own chunk (slide 55)
        yield slice(0, rows * slide.w_out), x.reshape(-1, c)
        return
    rows_a_tile = min(rows, 1 + TILE_BYTES // (slide.w_out * row * x.itemsize))
    buffer = np.empty((rows_a_tile * slide.w_out, row), x.dtype)
    for first in range(0, rows, rows_a_tile):
        count = min(rows_a_tile, rows - first)
        chunks = buffer[:count * slide.w_out]
        share(_copy_chunks, count, chunks.size, x, chunks, first, slide)
        start = first * slide.w_out
        yield slice(start, start + len(chunks)), chunks


def _add_chunks(chunks: np.ndarray, dx: np.ndarray, start: int, slide: Slide
                ) -> None:
    """Add each chunk's gradient to the pixels that it came from (col2im)."""
    _, h, _, c = dx.shape
    if slide[:4] == (1, 1, 1, 0):
        dx.reshape(-1, c)[start:start + len(chunks)] = chunks
        return
    first = start // slide.w_out
    last = first + len(chunks) // slide.w_out
    # The rows of dx that these output rows reach, counted through the batch.
    top = (first // slide.h_out * h
           + max(0, first % slide.h_out * slide.stride - slide.pad))
    n, p = divmod(last - 1, slide.h_out)
    bottom = n * h + min(h, p * slide.stride - slide.pad + slide.f_h)
    share(_gather_rows, bottom - top, chunks.size,
          chunks, dx, top, first, last, slide)


@compiled
def _copy_chunks(begin, end, x, chunks, first, slide):
    """Write the chunks of output rows first + begin <= row < first + end.

    What is under one row of the filter is one run of memory, Fw*C long; of
    it, start <= t < stop lies inside the image and the rest is padding.
    """
    n, h, w, c = x.shape
    f_h, f_w, stride, pad, h_out, w_out = slide
    lines, run = x.reshape(n * h, w * c), f_w * c
    for row in range(begin, end):
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
def _gather_rows(begin, end, chunks, dx, top, first, last, slide):
    """Add to rows top + begin <= row < top + end of dx (rows of all images)
    what the chunks of output rows first <= row < last hold for them."""
    n, h, w, c = dx.shape
    f_h, f_w, stride, pad, h_out, w_out = slide
    lines, run = dx.reshape(n * h, w * c), f_w * c
    for row in range(top + begin, top + end):
        image, y = divmod(row, h)
        for i in range(f_h):
            p, rest = divmod(y + pad - i, stride)
            source = image * h_out + p
            if rest or p < 0 or p >= h_out or source < first or source >= last:
                continue
            for q in range(w_out):
                left = (q * stride - pad) * c
                start, stop = max(0, -left), min(run, w * c - left)
                if start >= stop:
                    continue
                chunk = chunks[(source - first) * w_out + q, i * run + start:]
                pixels = lines[row, left + start:left + stop]
                for t in range(stop - start):
                    pixels[t] += chunk[t]
