"""Hidden tests and public checks of ps6_fast_convolution.

Expected values come from index arithmetic (numpy's fancy indexing, and np.add.at
for its adjoint), from sums over the places of a filter and, where it is large, from
Fourier transforms, in float64. Volumes are (N, H, W, C), filters (K, Fh, Fw, C); a
matrix of columns has a row for each position of the filter, ordered (n, i, j), and
in it the chunk, ordered (p, q, c).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import fft

from autograder.mistakes import refusing
from autograder.questions import Case, Check, Misconception, Question, Speed
from autograder.sandbox import Limits
from convlab.layers import conv2d_backward as reference_backward
from convlab.layers import conv2d_forward as reference_forward
from convlab.layers.threads import at_most

# --------------------------------------------------------------------------
# oracles


def _positions(n: int, f: int, stride: int, pad: int) -> int:
    """Counts the positions of a filter along an axis, one by one."""
    if pad < 0:
        raise ValueError("negative padding")
    starts = range(0, n + 2 * pad - f + 1, stride)
    if not starts or starts[-1] + f != n + 2 * pad:
        raise ValueError("the last position does not end where the input ends")
    return len(starts)


def _output(x_shape, f_h, f_w, stride, pad) -> tuple[int, int]:
    return (_positions(x_shape[1], f_h, stride, pad),
            _positions(x_shape[2], f_w, stride, pad))


def _widened(x, pad):
    n, h, w, c = x.shape
    wide = np.zeros((n, h + 2 * pad, w + 2 * pad, c), x.dtype)
    wide[:, pad:pad + h, pad:pad + w] = x
    return wide


def _where(rows, columns, f_h, f_w, stride):
    """Row and column of a padded image, both for (H', W', Fh, Fw)."""
    i, j, p, q = np.ogrid[:rows, :columns, :f_h, :f_w]
    return stride * i + p, stride * j + q


def _chunks(x, f_h, f_w, stride, pad):
    """What is under the filter at each position: (N, H', W', Fh, Fw, C)."""
    place = _where(*_output(x.shape, f_h, f_w, stride, pad), f_h, f_w, stride)
    return _widened(x, pad)[(slice(None), *place)]


def layer_costs(x_shape, w_shape, stride=1, pad=0) -> tuple[int, int]:
    """Counts products and sums, and the bytes of a float32 matrix of columns."""
    size = _output(x_shape, *w_shape[1:3], stride, pad)
    columns = np.broadcast_to(np.float32(0), (x_shape[0], *size, *w_shape[1:]))
    products = np.broadcast_to(columns, (w_shape[0], *columns.shape))
    return 2 * products.size, columns.size * columns.itemsize


def im2col(x, f_h, f_w, stride=1, pad=0):
    """(N,H,W,C) -> (N*H'*W', Fh*Fw*C), in the dtype of x."""
    return _chunks(x, f_h, f_w, stride, pad).reshape(-1, f_h * f_w * x.shape[3])


def col2im(columns, x_shape, f_h, f_w, stride=1, pad=0):
    """The adjoint of im2col: (N*H'*W', Fh*Fw*C) -> (N,H,W,C), overlaps added."""
    n, _, _, c = x_shape
    size = _output(x_shape, f_h, f_w, stride, pad)
    return _add_up(columns.reshape(n, *size, f_h, f_w, c), x_shape, stride, pad)


def _add_up(chunks, x_shape, stride, pad):
    """Chunks (N, H', W', Fh, Fw, C) added up where they came from."""
    n, h, w, c = x_shape
    _, rows, columns, f_h, f_w, _ = chunks.shape
    wide = np.zeros((n, h + 2 * pad, w + 2 * pad, c))
    place = _where(rows, columns, f_h, f_w, stride)
    np.add.at(wide, (slice(None), *place), chunks)
    return wide[:, pad:pad + h, pad:pad + w].astype(chunks.dtype)


def conv2d(x, w, b, stride=1, pad=0):
    """(N,H,W,C), (K,Fh,Fw,C), (K,) -> (N,H',W',K), in the dtype of x."""
    if x.shape[3] != w.shape[3]:
        raise ValueError("the filters are not as deep as the image")
    y = np.tile(b.astype(np.float64),
                (len(x), *_output(x.shape, *w.shape[1:3], stride, pad), 1))
    wide, weights = _widened(x, pad).astype(np.float64), w.astype(np.float64)
    for place, part in _seen_by(wide, w, stride, y):
        y += np.einsum("nijc,kc->nijk", part, weights[place], optimize=True)
    return y.astype(x.dtype)


def conv2d_by_fourier(x, w, b, stride=1, pad=0):
    """conv2d by the convolution theorem: quick for a large image and filter."""
    rows, columns = _output(x.shape, *w.shape[1:3], stride, pad)
    wide = _widened(x, pad).astype(np.float64)
    size, axes = wide.shape[1:3], (1, 2)
    seen = fft.rfft2(wide, axes=axes)
    filters = fft.rfft2(w.astype(np.float64), size, axes)
    products = np.einsum("nuvc,kuvc->nuvk", seen, filters.conj(), optimize=True)
    y = fft.irfft2(products, size, axes)[:, ::stride, ::stride]
    return (y[:, :rows, :columns] + b).astype(x.dtype)


def conv2d_backward(dy, x, w, stride=1, pad=0):
    """dx, dw, db in the dtype of x, from dy (N,H',W',K)."""
    _, h, width, _ = x.shape
    wide, weights = _widened(x, pad).astype(np.float64), w.astype(np.float64)
    dwide, dw = np.zeros_like(wide), np.zeros_like(weights)
    up = dy.astype(np.float64)
    for (place, part), (_, dpart) in zip(_seen_by(wide, w, stride, dy),
                                         _seen_by(dwide, w, stride, dy), strict=True):
        dw[place] = np.einsum("nijk,nijc->kc", up, part, optimize=True)
        dpart += np.einsum("nijk,kc->nijc", up, weights[place], optimize=True)
    dx = dwide[:, pad:pad + h, pad:pad + width]
    return tuple(one.astype(x.dtype) for one in (dx, dw, up.sum(axis=(0, 1, 2))))


def _seen_by(wide, w, stride, y):
    """For each place of a filter: its index in w, and all that it meets in x."""
    _, rows, columns, _ = y.shape
    for p, q in np.ndindex(w.shape[1:3]):
        yield (slice(None), p, q), wide[:, p:p + stride * (rows - 1) + 1:stride,
                                        q:q + stride * (columns - 1) + 1:stride]


# --------------------------------------------------------------------------
# misconceptions: the costs


def _costs(change):
    """Both numbers, changed by a function of (flops, bytes, N, K, C, x numbers)."""
    def wrong(x_shape, w_shape, stride=1, pad=0):
        flops, size = layer_costs(x_shape, w_shape, stride, pad)
        return change(flops, size, x_shape, w_shape)
    return wrong


def _costs_of(stride_of, pad_of):
    """The costs of a layer of another stride or padding, rounded down."""
    def wrong(x_shape, w_shape, stride=1, pad=0):
        stride, pad = stride_of(stride), pad_of(pad)
        cut = [n - (n + 2 * pad - f) % stride
               for n, f in zip(x_shape[1:3], w_shape[1:3], strict=True)]
        return layer_costs((x_shape[0], *cut, x_shape[3]), w_shape, stride, pad)
    return wrong


_COSTS = (
    Misconception(
        "additions_not_counted",
        "You count the multiplications alone. Each product is added to a sum as "
        "well: a multiply-add is two FLOPs.",
        _costs(lambda flops, size, x, w: (flops // 2, size))),
    Misconception(
        "filters_not_counted",
        "Your FLOPs are those of one filter. Each of the K filters makes a dot "
        "product at every position.",
        _costs(lambda flops, size, x, w: (flops // w[0], size))),
    Misconception(
        "one_image_counted",
        "You count one image. The batch has N: each has its own positions, in the "
        "FLOPs and in the matrix.",
        _costs(lambda flops, size, x, w: (flops // x[0], size // x[0]))),
    Misconception(
        "numbers_instead_of_bytes",
        "You count the numbers in the matrix. A float32 takes 4 bytes.",
        _costs(lambda flops, size, x, w: (flops, size // 4))),
    Misconception(
        "float64_bytes",
        "You count 8 bytes for each number: that is float64. The layers use float32, "
        "which takes 4.",
        _costs(lambda flops, size, x, w: (flops, size * 2))),
    Misconception(
        "columns_for_each_filter",
        "You count the matrix once for each filter. All K filters read the same "
        "chunks: the matrix is made once.",
        _costs(lambda flops, size, x, w: (flops, size * w[0]))),
    Misconception(
        "bytes_of_the_images",
        "Your bytes are those of the images. A row of the matrix holds a whole "
        "chunk, so a pixel stands in it once for each chunk that it is in.",
        _costs(lambda flops, size, x, w: (flops, 4 * int(np.prod(x))))),
    Misconception(
        "chunks_without_depth",
        "You count flat chunks. A chunk is as deep as the image: Fh*Fw*C numbers.",
        _costs(lambda flops, size, x, w: (flops // x[3], size // x[3]))),
    Misconception(
        "stride_forgotten",
        "You count the positions of stride 1. Let output_size count them, and hand it "
        "the stride.",
        _costs_of(lambda s: 1, lambda p: p)),
    Misconception(
        "padding_forgotten",
        "You count the positions of no padding. Let output_size count them, and hand "
        "it the padding.",
        _costs_of(lambda s: s, lambda p: 0)),
)

# --------------------------------------------------------------------------
# misconceptions: im2col

_PLACES, _IMAGE = (0, 1, 2), (3, 4, 5)  # axes of the chunks


def _ordered(*axes, rows=3):
    """A matrix whose rows and columns run through the chunks in another order."""
    def wrong(x, f_h, f_w, stride=1, pad=0):
        chunks = _chunks(x, f_h, f_w, stride, pad).transpose(axes)
        return chunks.reshape(int(np.prod(chunks.shape[:rows])), -1)
    return wrong


def _padded_by(widths, mode="constant"):
    """im2col of images that np.pad has widened in another way."""
    def wrong(x, f_h, f_w, stride=1, pad=0):
        wide = np.pad(x, ((0, 0), *widths(pad), (0, 0)), mode=mode)
        return im2col(_cut_to_fit(wide, f_h, f_w, stride), f_h, f_w, stride)
    return wrong


def _cut_to_fit(x, f_h, f_w, stride):
    """x without the last rows and columns that the stride would leave unread."""
    h, w = (n - (n - f) % stride
            for n, f in zip(x.shape[1:3], (f_h, f_w), strict=True))
    return x[:, :h, :w]


def _strided_by(rows, columns):
    def wrong(x, f_h, f_w, stride=1, pad=0):
        chunks = _chunks(_cut_to_fit(_widened(x, pad), f_h, f_w, 1), f_h, f_w, 1, 0)
        chunks = chunks[:, ::rows(stride), ::columns(stride)]
        return chunks.reshape(-1, f_h * f_w * x.shape[3])
    return wrong


def _stride_shrinks_only(x, f_h, f_w, stride=1, pad=0):
    rows, columns = _output(x.shape, f_h, f_w, stride, pad)
    chunks = _chunks(_widened(x, pad), f_h, f_w, 1, 0)[:, :rows, :columns]
    return chunks.reshape(-1, f_h * f_w * x.shape[3])


def _last_positions_empty(x, f_h, f_w, stride=1, pad=0):
    chunks = _chunks(x, f_h, f_w, stride, pad)
    chunks[:, -1] = chunks[:, :, -1] = 0
    return chunks.reshape(-1, f_h * f_w * x.shape[3])


def _side_by_side(x, f_h, f_w, stride=1, pad=0):
    """Chunks that do not overlap: the filter moves by its own size."""
    wide = _widened(x, pad)
    rows, columns = wide.shape[1] // f_h, wide.shape[2] // f_w
    cut = wide[:, :rows * f_h, :columns * f_w]
    cut = cut.reshape(len(x), rows, f_h, columns, f_w, -1).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(len(x) * rows * columns, -1)


_CHANNELS_FIRST = Misconception(
    "columns_channels_first",
    "Your rows hold the chunk channel by channel, (C, Fh, Fw). Ours are in the order "
    "of the filters here: Fh, Fw, C, the channels of a pixel side by side.",
    _ordered(*_PLACES, 5, 3, 4))
_CHUNK_TURNED = Misconception(
    "chunk_rows_and_columns_swapped",
    "You write a chunk down column by column, (Fw, Fh, C). It is read row by row: "
    "the first Fw*C numbers are its first row.",
    _ordered(*_PLACES, 4, 3, 5))
_POSITIONS_TURNED = Misconception(
    "positions_column_by_column",
    "Your positions run down the columns, (N, W', H'). Row after row, please: after "
    "the chunk at (i, j) comes the one at (i, j + 1).",
    _ordered(0, 2, 1, *_IMAGE))
_IMAGES_LAST = Misconception(
    "images_innermost",
    "You go through the images at each position, (H', W', N). All positions of "
    "image 0 come first, then all of image 1: (N, H', W').",
    _ordered(1, 2, 0, *_IMAGE))
_TRANSPOSED = Misconception(
    "matrix_transposed",
    "Your matrix is transposed: its columns are the chunks. Here each chunk is a "
    "row: (N*H'*W', Fh*Fw*C).",
    _ordered(*_IMAGE, *_PLACES))
_FLIPPED_CHUNKS = Misconception(
    "chunks_turned_around",
    "You write each chunk down from its last pixel to its first. It starts at its top "
    "left: nothing is turned around.",
    lambda x, f_h, f_w, stride=1, pad=0: _chunks(
        x, f_h, f_w, stride, pad)[:, :, :, ::-1, ::-1].reshape(
            -1, f_h * f_w * x.shape[3]))
_NOT_OVERLAPPING = Misconception(
    "chunks_side_by_side",
    "Your chunks lie side by side: the filter moves by its own size. It moves by the "
    "stride, so that neighbouring chunks overlap.",
    _side_by_side)
_STRIDE_FORGOTTEN = Misconception(
    "stride_forgotten",
    "Your matrix is that of stride 1. With stride S, the chunk of position (i, j) "
    "starts at row i*S, column j*S.",
    _strided_by(lambda s: 1, lambda s: 1))
_STRIDE_ROWS = Misconception(
    "stride_along_rows_only",
    "You use the stride from row to row, but move by 1 from column to column. The "
    "filter moves by S along both axes.",
    _strided_by(lambda s: s, lambda s: 1))
_STRIDE_SHRINKS = Misconception(
    "stride_shrinks_only",
    "You make as many rows as the stride asks for, but the filter moves by 1. The "
    "chunk of position (i, j) starts at row i*S, column j*S.",
    _stride_shrinks_only)
_PAD_FORGOTTEN = Misconception(
    "padding_forgotten",
    "Your matrix is that of no padding. Put the images into larger ones of zeros, P "
    "wider on each side, and take the chunks from those.",
    _padded_by(lambda p: ((0, 0), (0, 0))))
_PAD_ONE_SIDE = Misconception(
    "padding_on_one_side",
    "You pad at the top and left only. P zeros are added on each side: rows above "
    "and below, columns left and right.",
    _padded_by(lambda p: ((p, 0), (p, 0))))
_PAD_CORNER = Misconception(
    "image_in_the_corner",
    "Your padded images have the right size, but the image sits in their corner. Its "
    "first pixel belongs at row P, column P.",
    _padded_by(lambda p: ((0, 2 * p), (0, 2 * p))))
_PAD_EDGE = Misconception(
    "padding_repeats_the_edge",
    "You pad with copies of the image's edge. Zero padding puts zeros around it, and "
    "nothing else.",
    _padded_by(lambda p: ((p, p), (p, p)), "edge"))
_LAST_MISSING = Misconception(
    "last_positions_missing",
    "You leave the last row and column of positions at zero: a range ends one too "
    "early. There are as many positions as output_size says.",
    _last_positions_empty)
_FIRST_IMAGE = Misconception(
    "first_image_only",
    "You write down the chunks of image 0 alone. The matrix has the chunks of all N "
    "images, one image after the other.",
    lambda x, *more, **named: im2col(x[:1], *more, **named))
_FLOAT64 = Misconception(
    "float64_returned",
    "The values are right, but you return float64 for float32. np.zeros and np.empty "
    "make float64 unless told otherwise: dtype=x.dtype.",
    lambda x, *more, **named: im2col(x, *more, **named).astype(np.float64))
_FLOAT32 = Misconception(
    "float32_always",
    "The values are right, but you return float32 for float64. Gradient checks need "
    "the full precision: use dtype=x.dtype.",
    lambda x, *more, **named: im2col(x, *more, **named).astype(np.float32))

_COLUMNS = (
    _CHANNELS_FIRST, _CHUNK_TURNED, _POSITIONS_TURNED, _IMAGES_LAST, _TRANSPOSED,
    _FLIPPED_CHUNKS, _NOT_OVERLAPPING, _STRIDE_FORGOTTEN, _STRIDE_ROWS,
    _STRIDE_SHRINKS, _PAD_FORGOTTEN, _PAD_ONE_SIDE, _PAD_CORNER, _PAD_EDGE,
    _LAST_MISSING, _FIRST_IMAGE, _FLOAT64, _FLOAT32,
)

# --------------------------------------------------------------------------
# misconceptions: the forward pass


def _multiplied(columns=im2col, filters=lambda w: w.reshape(len(w), -1).T):
    """Columns times filters, one of them in the wrong order."""
    def wrong(x, w, b, stride=1, pad=0):
        size = _output(x.shape, *w.shape[1:3], stride, pad)
        y = columns(x, *w.shape[1:3], stride, pad) @ filters(w) + b
        return y.reshape(len(x), *size, len(w))
    return wrong


def _reshaped(how):
    """The right products, returned by how(matrix, N, H', W', K)."""
    def wrong(x, w, b, stride=1, pad=0):
        y = conv2d(x, w, b, stride, pad)
        return how(y.reshape(-1, len(w)), *y.shape)
    return wrong


def _other_layer(stride_of=lambda s: s, widths=lambda p: ((p, p), (p, p)),
                 mode="constant"):
    """The layer of another stride or padding, rounded down."""
    def wrong(x, w, b, stride=1, pad=0):
        wide = np.pad(x, ((0, 0), *widths(pad), (0, 0)), mode=mode)
        stride = stride_of(stride)
        return conv2d(_cut_to_fit(wide, *w.shape[1:3], stride), w, b, stride)
    return wrong


def _with_bias(of):
    """The layer with of(b, positions), (positions, K), in place of b."""
    def wrong(x, w, b, stride=1, pad=0):
        y = conv2d(x, w, 0 * b, stride, pad)
        return y + of(b, y[..., 0].size).reshape(y.shape)
    return wrong


_FORWARD = refusing(conv2d, (
    Misconception(
        "filters_cut_in_another_order",
        "You reshape the filters to (Fh*Fw*C, K) directly, which mixes up their "
        "numbers. Make each filter one row, (K, Fh*Fw*C), then transpose.",
        _multiplied(filters=lambda w: w.reshape(-1, len(w)))),
    Misconception(
        "columns_channels_first",
        "Your columns are in the order C, Fh, Fw and your filters in the order Fh, "
        "Fw, C, so that a weight meets a number of another place.",
        _multiplied(_CHANNELS_FIRST.wrong)),
    Misconception(
        "chunk_rows_and_columns_swapped",
        "Your columns hold a chunk column by column, the filters row by row, so that "
        "you multiply with each filter mirrored on its diagonal.",
        _multiplied(_CHUNK_TURNED.wrong)),
    Misconception(
        "filter_flipped",
        "Your output is what you get when each filter is turned around, up for down "
        "and left for right. Number 0 of a filter meets number 0 of a chunk.",
        _multiplied(_FLIPPED_CHUNKS.wrong)),
    Misconception(
        "positions_column_by_column",
        "You number the positions down the columns in the matrix, but row by row in "
        "the output. Both have to run through (n, i, j).",
        _multiplied(_POSITIONS_TURNED.wrong)),
    Misconception(
        "images_mixed_up",
        "Your images get into one another: the rows of the matrix run through the "
        "images at each position. All positions of image 0 come first.",
        _multiplied(_IMAGES_LAST.wrong)),
    Misconception(
        "output_cut_in_another_order",
        "You reshape a matrix (K, positions) to (N, H', W', K), which mixes up its "
        "numbers. Multiply so that the filters are the last axis, then reshape.",
        _reshaped(lambda y, *shape: y.T.reshape(shape))),
    Misconception(
        "output_sizes_swapped",
        "You reshape to (N, W', H', K). Rows come first: H' goes with the height of "
        "the filter and the image, W' with the width.",
        _reshaped(lambda y, n, rows, columns, k: y.reshape(n, columns, rows, k))),
    Misconception(
        "maps_before_rows",
        "Your maps come before rows and columns, (N, K, H', W'), as PyTorch has them. "
        "Here depth comes last: y[n, row, column, k].",
        _reshaped(lambda y, *shape: y.reshape(shape).transpose(0, 3, 1, 2))),
    Misconception(
        "matrix_returned",
        "You return the matrix of the product, (N*H'*W', K). Its numbers are right "
        "and in order: reshape it to (N, H', W', K).",
        _reshaped(lambda y, *shape: y)),
    Misconception(
        "bias_forgotten",
        "Your output is right but for the bias: add b to every row of the product, so "
        "that column k gets b[k].",
        _with_bias(lambda b, count: np.zeros((count, len(b)), b.dtype))),
    Misconception(
        "bias_by_position",
        "You add the biases down the positions, one for each row. Filter k is column "
        "k of the product: b[k] goes to all of that column.",
        _with_bias(lambda b, count: np.repeat(
            np.resize(b, count)[:, np.newaxis], len(b), axis=1))),
    Misconception(
        "first_bias_for_all",
        "You add b[0] to every map. Filter k has its own bias, b[k].",
        _with_bias(lambda b, count: np.full((count, len(b)), b[0]))),
    Misconception(
        "stride_forgotten",
        "Your output is that of stride 1. Hand the stride on to im2col and to "
        "output_size.",
        _other_layer(stride_of=lambda s: 1)),
    Misconception(
        "padding_forgotten",
        "Your output is that of no padding. Hand pad on to im2col and to output_size.",
        _other_layer(widths=lambda p: ((0, 0), (0, 0)))),
    Misconception(
        "image_in_the_corner",
        "Your images sit in the corner of the padded ones: all padding comes below "
        "and to the right. The first pixel belongs at row P, column P.",
        _other_layer(widths=lambda p: ((0, 2 * p), (0, 2 * p)))),
    Misconception(
        "padding_repeats_the_edge",
        "You pad with copies of the image's edge. Zero padding puts zeros around it, "
        "and nothing else.",
        _other_layer(mode="edge")),
    Misconception(
        "first_image_only",
        "You return the first image alone. The matrix has rows for all N images, and "
        "so does the product.",
        lambda x, w, b, stride=1, pad=0: conv2d(x[:1], w, b, stride, pad)),
    replace(_FLOAT64, wrong=lambda x, w, b, stride=1, pad=0: conv2d(
        x, w, b, stride, pad).astype(np.float64)),
    replace(_FLOAT32, wrong=lambda x, w, b, stride=1, pad=0: conv2d(
        x, w, b, stride, pad).astype(np.float32)),
))


def _floors(x, w, b, stride=1, pad=0):
    if pad < 0 or x.shape[3] != w.shape[3]:
        raise ValueError("refused")
    wide = _widened(x, pad)
    return conv2d(_cut_to_fit(wide, *w.shape[1:3], stride), w, b, stride)


def _crops(x, w, b, stride=1, pad=0):
    if pad < 0:
        x, pad = x[:, -pad:pad, -pad:pad], 0
    return conv2d(x, w, b, stride, pad)


def _common_depth(x, w, b, stride=1, pad=0):
    depth = min(x.shape[3], w.shape[3])
    return conv2d(x[..., :depth], w[..., :depth], b, stride, pad)


_FORWARD_REFUSED = (
    Misconception(
        "floors_the_size",
        "You round the output size down where the stride does not fit, and leave the "
        "last rows or columns unread. Let output_size decide: it raises ValueError.",
        _floors),
    Misconception(
        "negative_padding_crops",
        "You accept negative padding and cut the border off the image. Raise "
        "ValueError where pad < 0.",
        _crops),
    Misconception(
        "depth_cut_to_fit",
        "You accept filters whose depth is not that of the image, and use the "
        "channels they share. Raise ValueError where w.shape[3] is not x.shape[3].",
        _common_depth),
)

# --------------------------------------------------------------------------
# misconceptions: col2im


def _as_chunks(columns, x_shape, f_h, f_w, stride, pad):
    size = _output(x_shape, f_h, f_w, stride, pad)
    return columns.reshape(x_shape[0], *size, f_h, f_w, x_shape[3])


def _written(columns, x_shape, f_h, f_w, stride=1, pad=0):
    """Where chunks overlap, the last one is left."""
    chunks = _as_chunks(columns, x_shape, f_h, f_w, stride, pad)
    return _overwritten(chunks, x_shape, stride, pad)


def _overwritten(chunks, x_shape, stride, pad):
    _, rows, across, f_h, f_w, _ = chunks.shape
    wide = _widened(np.zeros(x_shape, chunks.dtype), pad)
    for p, q in np.ndindex(f_h, f_w):
        wide[:, p:p + stride * (rows - 1) + 1:stride,
             q:q + stride * (across - 1) + 1:stride] = chunks[:, :, :, p, q]
    return wide[:, pad:pad + x_shape[1], pad:pad + x_shape[2]]


def _written_by_position(columns, x_shape, f_h, f_w, stride=1, pad=0):
    """The same, with a loop over the positions: the last position is left."""
    chunks = _as_chunks(columns, x_shape, f_h, f_w, stride, pad)
    _, rows, across, *_ = chunks.shape
    wide = _widened(np.zeros(x_shape, chunks.dtype), pad)
    for i, j in np.ndindex(rows, across):
        wide[:, i * stride:i * stride + f_h,
             j * stride:j * stride + f_w] = chunks[:, i, j]
    return wide[:, pad:pad + x_shape[1], pad:pad + x_shape[2]]


def _averaged(columns, x_shape, f_h, f_w, stride=1, pad=0):
    counts = col2im(np.ones_like(columns), x_shape, f_h, f_w, stride, pad)
    return col2im(columns, x_shape, f_h, f_w, stride, pad) / np.maximum(counts, 1)


def _wide(columns, x_shape, f_h, f_w, stride=1, pad=0):
    """Nothing cut off: the padded images."""
    n, h, w, c = x_shape
    return col2im(columns, (n, h + 2 * pad, w + 2 * pad, c), f_h, f_w, stride)


def _cut_at_the_end(columns, x_shape, *more, **named):
    return _wide(columns, x_shape, *more, **named)[:, :x_shape[1], :x_shape[2]]


def _read(sizes, axes):
    """The matrix read with its axes in another order."""
    def wrong(columns, x_shape, f_h, f_w, stride=1, pad=0):
        rows, across = _output(x_shape, f_h, f_w, stride, pad)
        shape = {"n": x_shape[0], "i": rows, "j": across, "p": f_h, "q": f_w,
                 "c": x_shape[3]}
        chunks = columns.reshape([shape[one] for one in sizes]).transpose(axes)
        return _add_up(chunks, x_shape, stride, pad)
    return wrong


def _put_by_stride_1(columns, x_shape, f_h, f_w, stride=1, pad=0):
    chunks = _as_chunks(columns, x_shape, f_h, f_w, stride, pad)
    return _add_up(chunks, x_shape, 1, pad)


def _without_last(columns, x_shape, f_h, f_w, stride=1, pad=0):
    chunks = _as_chunks(columns, x_shape, f_h, f_w, stride, pad).copy()
    chunks[:, -1] = chunks[:, :, -1] = 0
    return _add_up(chunks, x_shape, stride, pad)


def _images_added_up(columns, x_shape, *more, **named):
    images = col2im(columns, x_shape, *more, **named)
    return np.repeat(images.sum(axis=0, keepdims=True), len(images), axis=0)


_IMAGES = (
    Misconception(
        "overlaps_overwritten",
        "Your chunks overwrite one another where they overlap. A pixel gets the sum "
        "of all its copies: += in place of =, on an array that starts at zero.",
        _written),
    Misconception(
        "later_positions_overwrite",
        "Each position of yours overwrites what the positions before it left. A "
        "pixel gets the sum of all its copies: += in place of =.",
        _written_by_position),
    Misconception(
        "overlaps_averaged",
        "You divide by how often a pixel was copied. The adjoint adds up: a number "
        "that went into nine chunks gets nine gradients, and their sum is its own.",
        _averaged),
    Misconception(
        "padding_not_cut_off",
        "You return the padded images. What was added to the border of zeros "
        "belongs to no pixel: return the H x W in the middle.",
        _wide),
    Misconception(
        "padding_cut_at_the_end",
        "You cut 2P rows and columns off the end. The image lies in the middle of "
        "the padded one: rows P to P + H, columns P to P + W.",
        _cut_at_the_end),
    Misconception(
        "columns_channels_first",
        "You read each row of the matrix as (C, Fh, Fw). im2col wrote it in the order "
        "Fh, Fw, C.",
        _read("nijcpq", (0, 1, 2, 4, 5, 3))),
    Misconception(
        "chunk_rows_and_columns_swapped",
        "You read each row of the matrix as (Fw, Fh, C). im2col wrote a chunk down "
        "row by row: Fh, Fw, C.",
        _read("nijqpc", (0, 1, 2, 4, 3, 5))),
    Misconception(
        "positions_column_by_column",
        "You take the positions down the columns, (N, W', H'). im2col went row by "
        "row: after (i, j) comes (i, j + 1).",
        _read("njipqc", (0, 2, 1, 3, 4, 5))),
    Misconception(
        "images_innermost",
        "You read the rows as (H', W', N). im2col wrote all positions of image 0 "
        "first, then all of image 1: (N, H', W').",
        _read("ijnpqc", (2, 0, 1, 3, 4, 5))),
    Misconception(
        "stride_forgotten",
        "You put the chunk of position (i, j) at row i, column j. It came from row "
        "i*S, column j*S of the padded image, and goes back there.",
        _put_by_stride_1),
    Misconception(
        "last_positions_missing",
        "Your last row and column of positions are not added: a range ends one too "
        "early.",
        _without_last),
    Misconception(
        "images_added_up",
        "You add all images of the batch into one. Each image gets its own chunks "
        "back.",
        _images_added_up),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for float32. np.zeros makes "
        "float64 unless told otherwise: dtype=columns.dtype.",
        lambda *args, **named: col2im(*args, **named).astype(np.float64)),
    Misconception(
        "float32_always",
        "The values are right, but you return float32 for float64. Gradient checks "
        "need the full precision: dtype=columns.dtype.",
        lambda *args, **named: col2im(*args, **named).astype(np.float32)),
)

# --------------------------------------------------------------------------
# misconceptions: the backward pass


def _backward(dx=None, dw=None, db=None):
    """The right gradients, but for those given as functions of (dy, x, w, s, p)."""
    def wrong(dy, x, w, stride=1, pad=0):
        found = conv2d_backward(dy, x, w, stride, pad)
        return tuple(one if change is None else change(dy, x, w, stride, pad)
                     for one, change in zip(found, (dx, dw, db), strict=True))
    return wrong


def _dx_by(put, filters=lambda w: w.reshape(len(w), -1)):
    """dx from the gradient of the columns, put back by `put`."""
    def dx(dy, x, w, stride, pad):
        dcolumns = dy.reshape(-1, len(w)) @ filters(w)
        return put(dcolumns, x.shape, *w.shape[1:3], stride, pad)
    return dx


def _dw_by(multiply, columns=im2col):
    def dw(dy, x, w, stride, pad):
        return multiply(dy.reshape(-1, len(w)),
                        columns(x, *w.shape[1:3], stride, pad), w)
    return dw


def _right(part):
    return lambda *args: conv2d_backward(*args)[part]


def _all_three(change):
    """change(dy, K) in place of dy, or other arguments, for all gradients."""
    def wrong(dy, x, w, stride=1, pad=0):
        return conv2d_backward(change(dy), x, w, stride, pad)
    return wrong


def _cast(dtype):
    def wrong(*args, **named):
        return tuple(one.astype(dtype) for one in conv2d_backward(*args, **named))
    return wrong


_BACKWARD = (
    Misconception(
        "dw_transposed",
        "You multiply columns.T with dy and reshape that (Fh*Fw*C, K) matrix to the "
        "filters' shape, which mixes up its numbers. Filter k is a row: K comes first.",
        _backward(dw=_dw_by(lambda d, cols, w: (cols.T @ d).reshape(w.shape)))),
    Misconception(
        "dw_not_reshaped",
        "You return dw as the matrix (K, Fh*Fw*C). Its numbers are right: reshape it "
        "to the shape of w.",
        _backward(dw=_dw_by(lambda d, cols, w: d.T @ cols))),
    Misconception(
        "dw_channels_first",
        "You reshape dw from columns in the order C, Fh, Fw. The columns, and w, are "
        "in the order Fh, Fw, C.",
        _backward(dw=_dw_by(lambda d, cols, w: (d.T @ cols).reshape(w.shape),
                            _CHANNELS_FIRST.wrong))),
    Misconception(
        "dw_averaged",
        "You divide dw by the number of images. The loss has done its averaging "
        "already, in dy: here all is added up.",
        _backward(dw=lambda dy, x, *more: _right(1)(dy, x, *more) / x.dtype.type(
            len(x)))),
    Misconception(
        "dw_of_the_last_image",
        "Your dw is that of the last image alone. Every image adds its part: += if "
        "you loop over images, or one product over all rows.",
        _backward(dw=lambda dy, x, *more: _right(1)(dy[-1:], x[-1:], *more))),
    Misconception(
        "dw_stride_forgotten",
        "For dw you take chunks that move by 1. The chunk that belongs to dy[n, i, j] "
        "is the one of the forward pass: hand the stride on to im2col.",
        _backward(dw=_dw_by(lambda d, cols, w: (d.T @ cols).reshape(w.shape),
                            _stride_shrinks_only))),
    Misconception(
        "db_for_each_position",
        "Your db is summed over the images alone. b[k] is added at every row and "
        "column too: sum over those as well, until only (K,) is left.",
        _backward(db=lambda dy, *more: dy.sum(axis=0))),
    Misconception(
        "db_for_each_image",
        "Your db has one row for each image, (N, K). The bias is the same for all of "
        "them: sum over the images as well.",
        _backward(db=lambda dy, *more: dy.sum(axis=(1, 2)))),
    Misconception(
        "db_averaged",
        "You average for db, where the gradients have to be added up: sum in place "
        "of mean.",
        _backward(db=lambda dy, *more: dy.mean(axis=(0, 1, 2)))),
    Misconception(
        "gradients_in_another_order",
        "You return the gradients in another order. It is dx, dw, db: that of the "
        "forward pass's arguments.",
        lambda *args, **named: tuple(
            conv2d_backward(*args, **named)[one] for one in (1, 0, 2))),
    Misconception(
        "dx_overlaps_overwritten",
        "In your dx overlapping chunks overwrite one another. A pixel gets the sum "
        "over all chunks that it is in: that is what col2im does.",
        _backward(dx=_dx_by(_written))),
    Misconception(
        "dx_padding_not_cut_off",
        "Your dx has the size of the padded images. It must have the shape of x: "
        "the zeros around it have no gradient.",
        _backward(dx=_dx_by(_wide))),
    Misconception(
        "dx_padding_cut_at_the_end",
        "Your dx is cut out of the padded one at the wrong place. The image lies in "
        "its middle: rows P to P + H, columns P to P + W.",
        _backward(dx=_dx_by(_cut_at_the_end))),
    Misconception(
        "dx_filters_cut_in_another_order",
        "For dx you multiply with the filters reshaped to (Fh*Fw*C, K) and "
        "transposed, which mixes up their numbers. Each filter is one row.",
        _backward(dx=_dx_by(col2im, lambda w: w.reshape(-1, len(w)).T))),
    Misconception(
        "dx_filter_flipped",
        "For dx you turn the filters around as well as putting the chunks back. "
        "col2im does all the turning there is: use w as it is.",
        _backward(dx=_dx_by(
            col2im, lambda w: w[:, ::-1, ::-1].reshape(len(w), -1)))),
    Misconception(
        "dx_stride_forgotten",
        "In your dx the chunk of position (i, j) is put at row i, column j. It "
        "belongs at row i*S, column j*S: hand the stride on to col2im.",
        _backward(dx=_dx_by(_put_by_stride_1))),
    Misconception(
        "dy_cut_in_another_order",
        "You reshape dy to (K, N*H'*W') and transpose, which mixes up its numbers. "
        "Its last axis is K already: reshape it to (N*H'*W', K).",
        _all_three(lambda dy: dy.reshape(dy.shape[3], -1).T.reshape(dy.shape))),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for float32: somewhere an array "
        "is made without dtype=x.dtype.",
        _cast(np.float64)),
    Misconception(
        "float32_always",
        "The values are right, but you return float32 for float64. Gradient checks "
        "need the full precision: use the dtype of x.",
        _cast(np.float32)),
)

# --------------------------------------------------------------------------
# cases


def _times(shape) -> str:
    return "x".join(map(str, shape))


def _words(image, filters, settings) -> str:
    """"2 images of 7x9x3, 4 filters of 3x2x3, stride 2"."""
    def many(count, word):
        return f"{count} {word}{'' if count == 1 else 's'}"
    text = [f"{many(image[0], 'image')} of {_times(image[1:])}",
            f"{many(filters[0], 'filter')} of {_times(filters[1:])}"]
    return ", ".join(text + [f"{name} {value}" for name, value in settings.items()])


def _normal(rng, shape, dtype=np.float32):
    return rng.normal(size=shape).astype(dtype)


def _channels_first(rng, shape, dtype=np.float32):
    """(N, H, W, C) whose channels are first in memory."""
    n, h, w, c = shape
    return np.moveaxis(_normal(rng, (n, c, h, w), dtype), 1, 3)


def _every_second(rng, shape, dtype=np.float32):
    return _normal(rng, (2 * shape[0], *shape[1:]), dtype)[::2]


def _layer(rng, image, filters, dtype=np.float32):
    return tuple(_normal(rng, shape, dtype) for shape in (image, filters, filters[:1]))


def _cases(make, *sizes):
    """Cases of the same sizes with fresh numbers: (image, filters, settings)."""
    def cases(rng):
        return [make(rng, image, filters, **(more[0] if more else {}))
                for image, filters, *more in sizes]
    return cases


def _costs_case(rng, image, filters, **settings) -> Case:
    return Case(_words(image, filters, settings), (image, filters), settings)


def _costs_cases(rng):
    """Sizes with N, K, C and strides that keep all counts apart."""
    fixed = [((1, 32, 32, 3), (6, 5, 5, 3)), ((1, 56, 56, 64), (32, 1, 1, 64)),
             ((128, 32, 32, 3), (32, 5, 5, 3), {"pad": 2})]
    drawn = []
    for _ in range(3):
        n, k, c, f, stride, pad, i, j = rng.integers(
            (2, 5, 3, 2, 2, 1, 4, 9), (9, 12, 5, 4, 4, 2, 9, 14)).tolist()
        image = (n, f + stride * i - 2 * pad, f + 1 + stride * j - 2 * pad, c)
        drawn.append((image, (k, f, f + 1, c), {"stride": stride, "pad": pad}))
    return _cases(_costs_case, *fixed, *drawn)(rng)


def _columns_case(rng, image, filters, **settings) -> Case:
    """filters: (Fh, Fw)."""
    about = f"{_words(image, (1, *filters, image[3]), settings)}"
    return Case(about, (_normal(rng, image), *filters), settings)


def _columns_dtypes(rng):
    image, size = (2, 5, 7, 3), (3, 2)
    words = _words(image, (1, *size, 3), {})
    return [Case(f"float64: {words}", (_normal(rng, image, np.float64), *size)),
            Case(f"float32, not contiguous in memory: {words}",
                 (_channels_first(rng, image), *size))]


def _images_args(rng, image, size, settings, dtype=np.float32):
    stride, pad = settings.get("stride", 1), settings.get("pad", 0)
    positions = image[0] * np.prod(_output(image, *size, stride, pad))
    return _normal(rng, (positions, np.prod(size) * image[3]), dtype), image, *size


def _images_case(rng, image, size, **settings) -> Case:
    return Case(_words(image, (1, *size, image[3]), settings),
                _images_args(rng, image, size, settings), settings)


def _images_dtypes(rng):
    image, size = (2, 5, 7, 3), (3, 2)
    words = _words(image, (1, *size, 3), {})
    columns, *more = _images_args(rng, image, size, {})
    turned = np.ascontiguousarray(columns.T).T
    return [Case(f"float64: {words}",
                 _images_args(rng, image, size, {}, np.float64)),
            Case(f"float32, not contiguous in memory: {words}", (turned, *more))]


def _forward_case(rng, image, filters, **settings) -> Case:
    return Case(_words(image, filters, settings), _layer(rng, image, filters),
                settings)


def _forward_dtypes(rng):
    image, filters = (2, 6, 8, 3), (4, 3, 2, 3)
    words = _words(image, filters, {})
    return [Case(f"float64: {words}", _layer(rng, image, filters, np.float64)),
            Case(f"float32, not contiguous in memory: {words}",
                 (_channels_first(rng, image), _every_second(rng, filters),
                  _every_second(rng, filters[:1])))]


def _forward_refused(rng):
    def case(about, image, filters, **settings):
        return Case(about, _layer(rng, image, filters), settings, refused=True)
    return [
        case("stride 2 does not fit 8 rows", (2, 8, 9, 3), (4, 3, 3, 3), stride=2),
        case("stride 3 does not fit 8 columns", (2, 9, 8, 3), (4, 3, 3, 3), stride=3),
        case("pad is -1", (2, 8, 9, 3), (4, 3, 2, 3), pad=-1),
        case("the image is 3 deep, the filters 2", (2, 6, 7, 3), (4, 3, 2, 2)),
        case("the image is 3 deep, the filters 4", (2, 6, 7, 3), (4, 3, 2, 4)),
        case("a filter of 7 rows on 6", (2, 6, 9, 3), (4, 7, 2, 3)),
    ]


def _backward_args(rng, image, filters, settings, dtype=np.float32):
    stride, pad = settings.get("stride", 1), settings.get("pad", 0)
    size = _output(image, *filters[1:3], stride, pad)
    return (_normal(rng, (image[0], *size, filters[0]), dtype),
            _normal(rng, image, dtype), _normal(rng, filters, dtype))


def _backward_case(rng, image, filters, **settings) -> Case:
    return Case(_words(image, filters, settings),
                _backward_args(rng, image, filters, settings), settings)


def _backward_dtypes(rng):
    image, filters = (2, 6, 8, 3), (4, 3, 2, 3)
    words = _words(image, filters, {})
    return [Case(f"float64: {words}",
                 _backward_args(rng, image, filters, {}, np.float64)),
            Case(f"float32, not contiguous in memory: {words}",
                 (_channels_first(rng, (2, 4, 7, 4)), _channels_first(rng, image),
                  _every_second(rng, filters)))]


# --------------------------------------------------------------------------
# speed


def _one_after_another(x, w, b, stride=1, pad=0):
    """The plain loop of the notebook: one product after another, in Python."""
    wide = _widened(x, pad)
    y = np.empty((len(x), *_output(x.shape, *w.shape[1:3], stride, pad), len(w)),
                 x.dtype)
    for n, i, j, k in np.ndindex(*y.shape):
        total = b[k]
        for p in range(w.shape[1]):
            for q in range(w.shape[2]):
                for c in range(w.shape[3]):
                    total += wide[n, i * stride + p, j * stride + q, c] * w[k, p, q, c]
        y[n, i, j, k] = total
    return y


def _reference(layer):
    """A reference layer on as many threads as a student's process has."""
    def baseline(*args, **settings):
        with at_most(Limits().threads):
            return layer(*args, **settings)
    return baseline


def _an_eighth(x, w, b, stride=1, pad=0):
    """The reference on an eighth of the rows: an eighth of its time, or less."""
    return reference_forward(x[:, :x.shape[1] // 8], w, b, stride, pad)


def _timed(make, image, filters, **settings):
    return lambda rng: make(rng, image, filters, **settings)


# The course's own layer keeps its sums in registers and needs no im2col: a good answer
# with im2col, whose matrix goes through memory, takes five times as long.
_SLOW = (4, 14, 18, 3), (8, 3, 3, 3)
_LARGE = (64, 16, 16, 32), (32, 3, 3, 32)
# One image, whose columns are larger than a student's process may be.
_HUGE = (1, 256, 256, 64), (4, 13, 13, 64)
# Float32 sums of thousands of products are off by so much, and sums near 0 too.
_LONG_SUMS = 0.02

# --------------------------------------------------------------------------
# the graded questions


def _asks(function, oracle, misconceptions):
    def question(name, points, checked, cases, **more) -> Question:
        more = {"misconceptions": misconceptions, **more}
        return Question(f"{function}_{name}", function, points, checked, cases,
                        oracle, **more)
    return question


_im2col = _asks("im2col", im2col, _COLUMNS)
_forward = _asks("conv2d_forward_gemm", conv2d, _FORWARD)
_col2im = _asks("col2im", col2im, _IMAGES)
_back = _asks("conv2d_backward_gemm", conv2d_backward, _BACKWARD)
_DTYPES = ("float64 gives float64, float32 gives float32, and arrays that are not "
           "contiguous in memory")

QUESTIONS = (
    Question("layer_costs_values", "layer_costs", 4,
             "FLOPs and bytes of the matrix, for the lecture's layers and others",
             _costs_cases, layer_costs, _COSTS),
    _im2col("values", 4, "stride 1, no padding; images and filters not square",
            _cases(_columns_case, ((1, 4, 6, 2), (3, 2)), ((3, 5, 4, 3), (2, 3)))),
    _im2col("stride_and_padding", 3, "strides 2 and 3, padding of 1 and 2",
            _cases(_columns_case, ((2, 7, 10, 3), (3, 4), {"stride": 2}),
                   ((1, 4, 3, 2), (3, 2), {"pad": 1}),
                   ((2, 7, 9, 3), (5, 4), {"stride": 3, "pad": 2}))),
    _im2col("dtypes_and_layouts", 2, _DTYPES, _columns_dtypes, dtype=True),
    _forward("values", 3, "one image, several filters, stride 1, no padding",
             _cases(_forward_case, ((1, 6, 8, 3), (4, 3, 2, 3)),
                    ((1, 5, 4, 2), (3, 2, 3, 2)))),
    _forward("stride_and_padding", 3, "strides 2 and 3, padding of 1 and 2",
             _cases(_forward_case, ((1, 9, 12, 3), (4, 3, 4, 3), {"stride": 2}),
                    ((1, 5, 7, 2), (5, 3, 2, 2), {"pad": 1}),
                    ((1, 7, 9, 3), (4, 5, 4, 3), {"stride": 3, "pad": 2}))),
    _forward("batch", 2, "several images at once, filters of 1x1 too",
             _cases(_forward_case, ((3, 7, 11, 3), (4, 3, 5, 3)),
                    ((2, 4, 5, 6), (3, 1, 1, 6)))),
    _forward("dtypes_and_layouts", 2, _DTYPES, _forward_dtypes, dtype=True),
    _forward("refuses", 2,
             "ValueError for a stride that does not fit, negative padding, a filter "
             "of another depth than the image, a filter too large",
             _forward_refused, misconceptions=_FORWARD_REFUSED),
    _forward("thirty_times", 2,
             "at least 30 times as fast as the plain loop in Python",
             _cases(_forward_case, _SLOW),
             speed=Speed(_timed(_forward_case, *_SLOW, pad=1), _one_after_another,
                         times_slower=1 / 30)),
    _forward("fast", 2,
             "at least 0.1 times as fast as the course's own layer (half of that is "
             "enough here, as the machine that grades may be busy)",
             _cases(_forward_case, ((2, 6, 7, 32), (32, 3, 3, 32), {"pad": 1})),
             atol=_LONG_SUMS,
             speed=Speed(_timed(_forward_case, *_LARGE, pad=1),
                         _reference(reference_forward), times_slower=20)),
    _col2im("values", 3, "overlapping chunks, no padding; images not square",
            _cases(_images_case, ((1, 4, 6, 2), (3, 2)), ((3, 5, 4, 3), (2, 3)))),
    _col2im("stride_and_padding", 3, "strides 2 and 3, padding of 1 and 2",
            _cases(_images_case, ((2, 7, 10, 3), (3, 4), {"stride": 2}),
                   ((1, 4, 3, 2), (3, 2), {"pad": 1}),
                   ((2, 7, 9, 3), (5, 4), {"stride": 3, "pad": 2}))),
    _col2im("dtypes_and_layouts", 1, _DTYPES, _images_dtypes, dtype=True),
    _back("values", 3, "dx, dw and db, stride 1, no padding",
          _cases(_backward_case, ((1, 4, 6, 3), (4, 3, 2, 3)),
                 ((3, 5, 4, 2), (3, 2, 3, 2)))),
    _back("stride_and_padding", 2, "strides 2 and 3, padding of 1 and 2",
          _cases(_backward_case, ((2, 7, 10, 3), (4, 3, 4, 3), {"stride": 2}),
                 ((2, 4, 3, 2), (5, 3, 2, 2), {"pad": 1}),
                 ((2, 7, 9, 3), (4, 5, 4, 3), {"stride": 3, "pad": 2}))),
    _back("dtypes_and_layouts", 2, _DTYPES, _backward_dtypes, dtype=True),
    _back("fast", 2,
          "at least 0.1 times as fast as the course's own layer (a third of that is "
          "enough here, as the machine that grades may be busy)",
          _cases(_backward_case, ((2, 6, 7, 32), (32, 3, 3, 32), {"pad": 1})),
          atol=_LONG_SUMS,
          speed=Speed(_timed(_backward_case, *_LARGE, pad=1),
                      _reference(reference_backward), times_slower=30)),
    Question("conv2d_forward_tiled_large", "conv2d_forward_tiled", 3,
             "the values of the layer, also for an image of 256x256x64 under filters "
             "of 13x13, whose columns would take 2.8 GB: in 2 GiB of memory, and at "
             "least a tenth as fast as the course's own layer",
             _cases(_forward_case, ((1, 9, 8, 3), (4, 3, 4, 3)),
                    ((3, 7, 11, 3), (4, 3, 5, 3), {"stride": 2, "pad": 2})),
             # No known mistakes: each would be tried on the huge image as well.
             conv2d_by_fourier, atol=_LONG_SUMS, bonus=True,
             speed=Speed(_timed(_forward_case, *_HUGE, pad=6),
                         _reference(_an_eighth), times_slower=8 * 10, tries=1)),
)

# --------------------------------------------------------------------------
# the public checks: small whole numbers first, to be read and redone by hand


def _small(rng, *shape):
    return rng.integers(-3, 4, size=shape).astype(np.float32)


def _first(case, *args):
    """The same case with small whole numbers in place of its arrays."""
    return replace(case, args=args)


def _check_costs(rng):
    return _cases(_costs_case, ((1, 7, 7, 1), (1, 3, 3, 1)),
                  ((1, 32, 32, 3), (6, 5, 5, 3)),
                  ((2, 7, 9, 4), (5, 3, 3, 4), {"stride": 2}),
                  ((3, 6, 8, 2), (5, 3, 3, 2), {"pad": 1}),
                  ((64, 32, 32, 3), (32, 5, 5, 3), {"pad": 2}))(rng)


def _check_columns(rng):
    image = _small(rng, 1, 3, 4, 1)
    return [_first(_columns_case(rng, image.shape, (2, 2)), image, 2, 2),
            *_cases(_columns_case, ((1, 4, 5, 3), (3, 2)), ((2, 4, 5, 2), (2, 3)),
                    ((2, 6, 7, 2), (2, 3), {"stride": 2}),
                    ((1, 3, 5, 2), (3, 2), {"pad": 1}),
                    ((2, 5, 6, 2), (3, 4), {"stride": 2, "pad": 1}))(rng),
            *_columns_dtypes(rng)]


def _check_forward(rng):
    image, filters = (1, 4, 5, 1), (2, 3, 2, 1)
    return [_first(_forward_case(rng, image, filters), _small(rng, *image),
                   _small(rng, *filters), np.array([1, 2], np.float32)),
            *_cases(_forward_case, ((1, 9, 12, 3), (4, 3, 4, 3), {"stride": 2}),
                    ((1, 5, 7, 3), (5, 3, 2, 3), {"pad": 1}),
                    ((3, 7, 9, 3), (4, 3, 5, 3), {"stride": 2, "pad": 1}))(rng),
            *_forward_dtypes(rng), *_forward_refused(rng)]


def _check_images(rng):
    image, columns = (1, 3, 4, 1), _small(rng, 6, 4)
    return [_first(_images_case(rng, image, (2, 2)), columns, image, 2, 2),
            *_cases(_images_case, ((1, 4, 5, 3), (3, 2)), ((2, 4, 5, 2), (2, 3)),
                    ((2, 6, 7, 2), (2, 3), {"stride": 2}),
                    ((1, 3, 5, 2), (3, 2), {"pad": 1}),
                    ((2, 5, 6, 2), (3, 4), {"stride": 2, "pad": 1}))(rng),
            *_images_dtypes(rng)]


def _check_backward(rng):
    image, filters = (1, 3, 4, 1), (2, 2, 2, 1)
    return [_first(_backward_case(rng, image, filters), _small(rng, 1, 2, 3, 2),
                   _small(rng, *image), _small(rng, *filters)),
            *_cases(_backward_case, ((2, 4, 5, 3), (4, 3, 2, 3)),
                    ((2, 6, 7, 2), (3, 2, 3, 2), {"stride": 2}),
                    ((2, 3, 5, 2), (3, 3, 2, 2), {"pad": 1}))(rng),
            *_backward_dtypes(rng)]


CHECKS = (
    Check("ps6/layer_costs", "layer_costs", _check_costs, layer_costs, _COSTS),
    Check("ps6/im2col_slow", "im2col_slow", _check_columns, im2col, _COLUMNS,
          dtype=True),
    Check("ps6/im2col", "im2col", _check_columns, im2col, _COLUMNS, dtype=True),
    Check("ps6/conv2d_forward_gemm", "conv2d_forward_gemm", _check_forward, conv2d,
          _FORWARD + _FORWARD_REFUSED, dtype=True),
    Check("ps6/col2im", "col2im", _check_images, col2im, _IMAGES, dtype=True),
    Check("ps6/conv2d_backward_gemm", "conv2d_backward_gemm", _check_backward,
          conv2d_backward, _BACKWARD, dtype=True),
    Check("ps6/conv2d_forward_tiled", "conv2d_forward_tiled", _check_forward, conv2d,
          _FORWARD + _FORWARD_REFUSED, dtype=True),
)
