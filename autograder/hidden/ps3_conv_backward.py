"""Hidden tests and public checks of ps3_conv_backward.

The oracles, in float64: db is a sum, dw einsum over sliding windows, and dx what
each place of the filters gives back, all outputs at once. The tests hold them
against central differences of the forward oracle of ps2_convolution, and dx
against scipy's convolution of dy, zeros between (Dumoulin and Visin 2016, section
4). A misconception is an oracle, or the same sum written with loops, with one
thing done wrong. Volumes are (N, H, W, C), filters (K, Fh, Fw, C), dy (N, H', W', K).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograder.questions import Case, Check, Misconception, Question, Speed

# --------------------------------------------------------------------------
# oracles


def bias_gradient(dy):
    """(N, H', W', K) -> db (K,), in the dtype of dy."""
    return np.einsum("nijk->k", dy.astype(np.float64)).astype(dy.dtype)


def filters_gradient(dy, x, w_shape, stride=1, pad=0):
    """(N, H', W', K), (N, H, W, C) -> dw (K, Fh, Fw, C), in the dtype of x."""
    windows = _windows(_framed(x, pad), w_shape, stride)[
        :, :dy.shape[1], :dy.shape[2]]
    dw = np.einsum("nijk,nijcpq->kpqc", dy.astype(np.float64), windows, optimize=True)
    return dw.astype(x.dtype)


def input_gradient(dy, w, x_shape, stride=1, pad=0):
    """(N, H', W', K), (K, Fh, Fw, C) -> dx (N, H, W, C), in the dtype of w."""
    return _cut(_wide_input_gradient(dy, w, stride), x_shape, pad).astype(w.dtype)


def conv2d_backward(dy, x, w, stride=1, pad=0):
    """dx, dw, db, in the dtype of x. Raises ValueError for what does not fit."""
    refuse_misfits(dy, x, w, stride, pad)
    dx = input_gradient(dy, w, x.shape, stride, pad)
    return dx, filters_gradient(dy, x, w.shape, stride, pad), bias_gradient(dy)


def row_backward_filter(dy, x, f, stride=1):
    """(n',), (n,) -> (f,): a picture of one row and one channel."""
    return filters_gradient(_line(dy), _line(x), (1, 1, f, 1), stride)[0, 0, :, 0]


def row_matrix(w, n, stride=1):
    """(f,) -> (n', n): row i is what output i does to each number read."""
    outputs = np.eye(n)[:, np.newaxis, :, np.newaxis]  # one number of n is 1
    windows = _windows(outputs, (1, 1, len(w), 1), stride)
    return np.einsum("jiaq,q->ij", windows[:, 0, :, 0], w.astype(np.float64))


def row_backward_input(dy, w, n, stride=1):
    """(n',), (f,) -> (n,): a picture of one row and one channel."""
    return input_gradient(_line(dy), _line(w), (1, 1, n, 1), stride)[0, 0, :, 0]


def conv2d_transpose(x, w, b, stride=1, pad=0):
    """(N, H, W, K), (K, Fh, Fw, C), (C,) -> (N, H', W', C)."""
    wide = _wide_input_gradient(x, w, stride)
    return (_inside(wide, pad) + b).astype(x.dtype)


def refuse_misfits(dy, x, w, stride, pad, but=""):
    """Raise ValueError where shapes cannot belong together; `but` names one check."""
    checks = {
        "padding": pad >= 0,
        "depth": x.shape[3] == w.shape[3],
        "images": len(dy) == len(x),
        "filters": dy.shape[3] == len(w),
        "size": all((out - 1) * stride + f == n + 2 * pad for out, n, f in
                    zip(dy.shape[1:3], x.shape[1:3], w.shape[1:3], strict=True)),
    }
    failed = [name for name, fits in checks.items() if not fits and name != but]
    if failed:
        raise ValueError(f"these do not fit: {', '.join(failed)}")


def _line(values):
    """A row of numbers as one image, or one filter, of one row and channel."""
    return values[np.newaxis, np.newaxis, :, np.newaxis]


def _framed(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))).astype(np.float64)


def _windows(x, w_shape, stride):
    """(N, H', W', C, Fh, Fw): what lies under a filter at each position."""
    windows = sliding_window_view(x, w_shape[1:3], axis=(1, 2))
    return windows[:, ::stride, ::stride]


def _wide_input_gradient(dy, w, stride):
    """The gradient of the padded images that the filters read."""
    (n, rows, columns, k), (_, fh, fw, channels) = dy.shape, w.shape
    high, broad = (rows - 1) * stride + 1, (columns - 1) * stride + 1
    flat, w = dy.astype(np.float64).reshape(-1, k), w.astype(np.float64)
    wide = np.zeros((n, high + fh - 1, broad + fw - 1, channels))
    for p, q in np.ndindex(fh, fw):
        back = (flat @ w[:, p, q]).reshape(n, rows, columns, channels)
        wide[:, p:p + high:stride, q:q + broad:stride] += back
    return wide


def _cut(wide, x_shape, pad):
    """The images' own part of the padded ones; what no filter read is 0."""
    rows, columns = x_shape[1:3]
    dx = np.zeros(x_shape)
    own = wide[:, pad:pad + rows, pad:pad + columns]
    dx[:, :own.shape[1], :own.shape[2]] = own
    return dx


def _inside(wide, pad):
    return wide[:, pad:wide.shape[1] - pad, pad:wide.shape[2] - pad]


# --------------------------------------------------------------------------
# misconceptions: db

_BIAS = (
    Misconception(
        "averaged_over_the_batch",
        "You divide by the number of images. The loss may be a mean; then dy holds "
        "that division already. Every output of every image moves by 1: add up.",
        lambda dy: bias_gradient(dy) / len(dy)),
    Misconception(
        "averaged_over_everything",
        "You take the mean over images and positions. The bias is added at every "
        "one of them, so all of their gradients add up: a sum, nothing divided.",
        lambda dy: bias_gradient(dy) / dy[..., 0].size),
    Misconception(
        "averaged_over_the_positions",
        "You take the mean over the positions of a map. The bias is added at each "
        "of them in full, so your gradients have to add up.",
        lambda dy: bias_gradient(dy) / dy[0, ..., 0].size),
    Misconception(
        "first_image_only",
        "You add up over image 0 alone. The same bias is used for every image of "
        "the batch: sum over that axis too.",
        lambda dy: bias_gradient(dy[:1])),
    Misconception(
        "last_image_only",
        "What you return is that of the last image: each image seems to overwrite "
        "the one before. Begin with zeros once, then use +=.",
        lambda dy: bias_gradient(dy[-1:])),
    Misconception(
        "one_number_for_the_layer",
        "You add up everything into one number. Each filter has its own bias: keep "
        "the last axis of dy, and sum over the other three.",
        lambda dy: dy.sum()),
    Misconception(
        "one_for_each_image",
        "You return one row for each image. The bias is shared by all images: sum "
        "over the first axis too.",
        lambda dy: dy.sum(axis=(1, 2))),
    Misconception(
        "one_for_each_position",
        "You return one number for each position of the map. The same bias is used "
        "at all of them: sum over rows and columns too.",
        lambda dy: dy.sum(axis=0)),
    Misconception(
        "axes_of_length_one_kept",
        "The values are right, but you keep axes of length 1. db has the shape of "
        "b, (K,): leave keepdims out, or take [0, 0, 0].",
        lambda dy: dy.sum(axis=(0, 1, 2), keepdims=True)),
    Misconception(
        "filters_added_up_instead_of_images",
        "You sum over the last three axes and keep the first. It is the last axis "
        "of dy that counts the filters: your sum belongs over the other three.",
        lambda dy: dy.sum(axis=(1, 2, 3))),
    Misconception(
        "dy_not_used",
        "You count how often the bias is used. That is how much the outputs move; "
        "how much the loss moves with each of them is in dy: add those up.",
        lambda dy: np.full(dy.shape[3], dy[..., 0].size, dy.dtype)),
)


# --------------------------------------------------------------------------
# misconceptions: a row


def _row_sum(dy, x, f, stride, term):
    dw = np.zeros(f)
    for i in range(len(dy)):
        for p in range(f):
            dw[p] += term(dy[i], x, i, p)
    return dw


_ROW_FILTER = (
    Misconception(
        "stride_ignored",
        "Your sum reads x[i + p]. Output i does not begin at number i of the row "
        "but at i * stride: that is where the forward pass read it from.",
        lambda dy, x, f, stride=1: _row_sum(
            dy, x, f, stride, lambda d, x, i, p: d * x[i + p])),
    Misconception(
        "filter_flipped",
        "You return the right numbers in reverse order. Weight p meets x[i * stride "
        "+ p]: nothing turns around in dw.",
        lambda dy, x, f, stride=1: row_backward_filter(dy, x, f, stride)[::-1]),
    Misconception(
        "dy_not_used",
        "You add up how much the outputs move. The loss moves by dy[i] for each "
        "unit that output i does: every term needs its dy[i].",
        lambda dy, x, f, stride=1: row_backward_filter(
            np.ones_like(dy), x, f, stride)),
    Misconception(
        "x_not_used",
        "You give every weight the sum of dy. That is the bias's gradient: when a "
        "weight moves, output i moves by the number that the weight meets there.",
        lambda dy, x, f, stride=1: np.full(f, dy.sum())),
    Misconception(
        "averaged",
        "You divide by the number of outputs. A weight is used by each of them in "
        "full, so your terms add up, and nothing is divided.",
        lambda dy, x, f, stride=1: row_backward_filter(dy, x, f, stride) / len(dy)),
    Misconception(
        "last_output_only",
        "What you return comes from the last output alone: each round overwrites "
        "the one before. Begin with zeros, and use +=.",
        lambda dy, x, f, stride=1: row_backward_filter(
            dy[-1:], x[(len(dy) - 1) * stride:], f, stride)),
    Misconception(
        "last_output_missing",
        "Your sum stops before the last output. range(len(dy)) has them all.",
        lambda dy, x, f, stride=1: row_backward_filter(dy[:-1], x, f, stride)),
)


def _shifted_rows(w, n, stride, start):
    """A matrix whose row i holds the weights from column start(i) on."""
    matrix = np.zeros(((n - len(w)) // stride + 1, n))
    for i in range(len(matrix)):
        matrix[i, start(i):start(i) + len(w)] = w
    return matrix


_MATRIX = (
    Misconception(
        "stride_ignored",
        "The size is right, but your row i begins at column i. Output i begins to "
        "read at i * stride.",
        lambda w, n, stride=1: _shifted_rows(w, n, stride, lambda i: i)),
    Misconception(
        "rows_at_every_place",
        "You have a row for every place of stride 1. At stride S there are "
        "(n - f) // S + 1 outputs, each with one row.",
        lambda w, n, stride=1: row_matrix(w, n, 1)),
    Misconception(
        "transposed",
        "Rows and columns are swapped in what you return. Row i belongs to output "
        "i, and column j to number j of x: then matrix @ x is y.",
        lambda w, n, stride=1: row_matrix(w, n, stride).T),
    Misconception(
        "filter_flipped",
        "Your rows hold the weights in reverse. In the forward pass w[0] meets the "
        "first number that is read; only look at the columns to see it turned.",
        lambda w, n, stride=1: row_matrix(w[::-1], n, stride)),
    Misconception(
        "every_row_the_first",
        "All of your rows are the first one. From one output to the next the "
        "weights move stride columns to the right.",
        lambda w, n, stride=1: _shifted_rows(w, n, stride, lambda i: 0)),
    Misconception(
        "ones_instead_of_weights",
        "You put 1 where a weight belongs. Entry [i, j] is the weight by which "
        "output i multiplies x[j].",
        lambda w, n, stride=1: row_matrix(np.ones_like(w), n, stride)),
    Misconception(
        "one_row_short",
        "Your last row is missing. The first output is there before any step is "
        "taken: (n - f) // stride + 1 of them.",
        lambda w, n, stride=1: row_matrix(w, n, stride)[:-1]),
)


def _row_pour(dy, w, n, start, add=True):
    """Each dy[i] times the weights, added (or put) to n zeros from start(i) on."""
    dx = np.zeros(n)
    for i, d in enumerate(dy):
        place = slice(start(i), start(i) + len(w))
        dx[place] = d * w + (dx[place] if add else 0)
    return dx


_ROW_INPUT = (
    Misconception(
        "stride_ignored",
        "You give dy[i] back from place i on. Output i had read from i * stride on, "
        "and that is where its gradient belongs.",
        lambda dy, w, n, stride=1: _row_pour(dy, w, n, lambda i: i)),
    Misconception(
        "filter_flipped",
        "The weights are turned around the wrong way in your sum. Whatever x[j] "
        "was multiplied by on the way forward, w[p] with p = j - i * stride, "
        "multiplies dy[i] on the way back.",
        lambda dy, w, n, stride=1: row_backward_input(dy, w[::-1], n, stride)),
    Misconception(
        "overlaps_overwritten",
        "Where several outputs have read the same number, you keep only the last. "
        "Each moves the loss: add up with +=.",
        lambda dy, w, n, stride=1: _row_pour(
            dy, w, n, lambda i: i * stride, add=False)),
    Misconception(
        "overlaps_averaged",
        "You divide by how many outputs read a number. Their effects add up: "
        "nothing is divided.",
        lambda dy, w, n, stride=1: row_backward_input(dy, w, n, stride) / np.maximum(
            row_backward_input(np.ones_like(dy), np.ones_like(w), n, stride), 1)),
    Misconception(
        "dy_not_used",
        "You add up the weights alone. Each has to be multiplied by dy[i], which "
        "says how much the loss moves with output i.",
        lambda dy, w, n, stride=1: row_backward_input(
            np.ones_like(dy), w, n, stride)),
    Misconception(
        "first_weight_only",
        "You give dy[i] back to one number, by w[0]. Output i has read len(w) "
        "numbers, and each of them gets its share: loop over p as well.",
        lambda dy, w, n, stride=1: row_backward_input(
            dy, w * (np.arange(len(w)) == 0), n, stride)),
    Misconception(
        "last_output_missing",
        "Your last output gives nothing back. range(len(dy)) has them all.",
        lambda dy, w, n, stride=1: row_backward_input(dy[:-1], w, n, stride)),
)


# --------------------------------------------------------------------------
# misconceptions: dw


def _dw_steps(rows, columns):
    """dw with the positions on x taken at other strides along rows and columns."""
    def wrong(dy, x, w_shape, stride=1, pad=0):
        windows = _windows(_framed(x, pad), w_shape, 1)
        windows = windows[:, ::rows(stride), ::columns(stride)]
        windows = windows[:, :dy.shape[1], :dy.shape[2]]
        return np.einsum("nijk,nijcpq->kpqc", dy, windows).astype(x.dtype)
    return wrong


def _dw_padded(widths, mode="constant"):
    """dw of images that have been widened in another way."""
    def wrong(dy, x, w_shape, stride=1, pad=0):
        wide = np.pad(x, ((0, 0), widths(pad), widths(pad), (0, 0)), mode=mode)
        return filters_gradient(dy, wide, w_shape, stride)
    return wrong


def _dw_turned(turn):
    """dw with something done to it at the end."""
    def wrong(dy, x, w_shape, stride=1, pad=0):
        return turn(filters_gradient(dy, x, w_shape, stride, pad), dy)
    return wrong


def _dw_of(change):
    """dw of other dy and x."""
    def wrong(dy, x, w_shape, stride=1, pad=0):
        return filters_gradient(*change(dy, x), w_shape, stride, pad)
    return wrong


def _last_position(dy, x):
    """dy that is zero but for the last position of the last image."""
    last = np.zeros_like(dy)
    last[-1, -1, -1] = dy[-1, -1, -1]
    return last, x


def _without_last(dy, x):
    """dy whose last row and column are zero."""
    less = dy.copy()
    less[:, -1] = less[:, :, -1] = 0
    return less, x


def _first_of(array, axis):
    """Only the first along an axis, the others zero."""
    kept = np.zeros_like(array)
    first = (slice(None),) * axis + (slice(0, 1),)
    kept[first] = array[first]
    return kept


_FILTERS = (
    Misconception(
        "averaged_over_the_batch",
        "You divide by the number of images. Where the loss is a mean, dy is "
        "divided already: here the images' shares add up.",
        _dw_turned(lambda dw, dy: dw / len(dy))),
    Misconception(
        "averaged_over_the_positions",
        "You divide by the number of positions. A weight is used at each position "
        "in full, so your terms add up.",
        _dw_turned(lambda dw, dy: dw / dy[0, ..., 0].size)),
    Misconception(
        "last_image_only",
        "What you return is dw of the last image alone. Make the zeros once, before "
        "the loop over the images, and add to them.",
        _dw_of(lambda dy, x: (dy[-1:], x[-1:]))),
    Misconception(
        "first_image_only",
        "What you return is dw of image 0 alone. The filters are shared by the "
        "whole batch: every image adds its share.",
        _dw_of(lambda dy, x: (dy[:1], x[:1]))),
    Misconception(
        "last_position_only",
        "What you return comes from the last position of the last image: each "
        "round overwrites the one before. Use += where you have =.",
        _dw_of(_last_position)),
    Misconception(
        "last_positions_missing",
        "Your sum leaves out the last row and column of dy. Let the loops run over "
        "range(dy.shape[1]) and range(dy.shape[2]).",
        _dw_of(_without_last)),
    Misconception(
        "dy_not_used",
        "You add up the chunks alone. Each has to be multiplied by dy[n, i, j, k], "
        "which says how much the loss moves with that output.",
        _dw_of(lambda dy, x: (np.ones_like(dy), x))),
    Misconception(
        "filter_flipped",
        "Each of your filters is turned around, up for down and left for right. "
        "Turning belongs to dx, if anywhere: w[k, p, q] meets x[i*S + p, j*S + q].",
        _dw_turned(lambda dw, dy: dw[:, ::-1, ::-1])),
    Misconception(
        "stride_ignored",
        "Your chunks begin at row i, column j. At stride S output [i, j] has read "
        "from row i*S, column j*S on.",
        _dw_steps(lambda s: 1, lambda s: 1)),
    Misconception(
        "stride_along_rows_only",
        "Your chunks begin at row i*S but at column j. The filter moves by the "
        "stride along both.",
        _dw_steps(lambda s: s, lambda s: 1)),
    Misconception(
        "padding_at_the_end",
        "You read as if all the zeros stood at the bottom and right. Chunks are "
        "counted on the padded image: pad x as the forward pass does, first.",
        _dw_padded(lambda p: (0, 2 * p))),
    Misconception(
        "padding_at_the_start",
        "You have all the zeros at the top and left. Half of them belong below and "
        "on the right: P on each side.",
        _dw_padded(lambda p: (2 * p, 0))),
    Misconception(
        "padding_repeats_the_edge",
        "You pad with copies of the edge. The forward pass had zeros there, so "
        "weights that lie on them get nothing.",
        _dw_padded(lambda p: (p, p), "edge")),
    Misconception(
        "first_channel_only",
        "You fill only the first channel of each filter. A chunk is C deep, and so "
        "is its share of dw[k].",
        _dw_turned(lambda dw, dy: _first_of(dw, 3))),
    Misconception(
        "channels_added_up",
        "You add up the chunk's channels before you multiply, so all channels of a "
        "filter get the same. Each weight meets just one channel.",
        _dw_turned(lambda dw, dy: np.repeat(
            dw.sum(axis=3, keepdims=True), dw.shape[3], axis=3))),
    Misconception(
        "first_filter_only",
        "Only your filter 0 has a gradient. Loop over all filters: dw[k] gets its "
        "share from dy[..., k].",
        _dw_turned(lambda dw, dy: _first_of(dw, 0))),
    Misconception(
        "all_filters_the_same",
        "Every filter of yours gets the sum over all filters. Filter k made map k "
        "and no other: dw[k] needs dy[..., k] alone.",
        _dw_turned(lambda dw, dy: np.repeat(
            dw.sum(axis=0, keepdims=True), len(dw), axis=0))),
    Misconception(
        "filters_and_channels_swapped",
        "Filters and channels are swapped: what you return is (C, Fh, Fw, K). dw "
        "has the shape of w, (K, Fh, Fw, C).",
        _dw_turned(lambda dw, dy: dw.transpose(3, 1, 2, 0))),
    Misconception(
        "rows_and_columns_swapped",
        "Rows and columns of your filters are swapped. dw[k, p, q] belongs to row p "
        "and column q of filter k.",
        _dw_turned(lambda dw, dy: dw.transpose(0, 2, 1, 3))),
)


# --------------------------------------------------------------------------
# misconceptions: dx


def _pour(dy, w, x_shape, stride, pad, rows, columns, add=True):
    """Each output's gradient times its filters, added (or put) to a padded dx."""
    n, height, width, depth = x_shape
    wide = np.zeros((n, height + 2 * pad, width + 2 * pad, depth))
    for i in range(dy.shape[1]):
        for j in range(dy.shape[2]):
            top, left = i * rows(stride), j * columns(stride)
            place = (slice(None), slice(top, top + w.shape[1]),
                     slice(left, left + w.shape[2]))
            share = np.einsum("nk,kpqc->npqc", dy[:, i, j].astype(np.float64), w)
            wide[place] = share + (wide[place] if add else 0)
    return wide


def _dx_steps(rows, columns, add=True, wanted=lambda dy, w: (dy, w)):
    def wrong(dy, w, x_shape, stride=1, pad=0):
        wide = _pour(*wanted(dy, w), x_shape, stride, pad, rows, columns, add)
        return _cut(wide, x_shape, pad).astype(w.dtype)
    return wrong


def _dx_cut(cut):
    """dx with the padding cut off in another way: cut(wide, x_shape, pad)."""
    def wrong(dy, w, x_shape, stride=1, pad=0):
        wide = _wide_input_gradient(dy, w, stride)
        return cut(wide, x_shape, pad).astype(w.dtype)
    return wrong


def _dx_turned(turn):
    """dx with something done to it at the end."""
    def wrong(dy, w, x_shape, stride=1, pad=0):
        return turn(input_gradient(dy, w, x_shape, stride, pad))
    return wrong


def _dx_of(change):
    """dx of other dy and w."""
    def wrong(dy, w, x_shape, stride=1, pad=0):
        return input_gradient(*change(dy, w), x_shape, stride, pad)
    return wrong


def _overlaps_averaged(dy, w, x_shape, stride=1, pad=0):
    readers = _wide_input_gradient(np.ones_like(dy[..., :1]),
                                   np.ones_like(w[:1, ..., :1]), stride)
    wide = _wide_input_gradient(dy, w, stride) / np.maximum(readers, 1)
    return _cut(wide, x_shape, pad).astype(w.dtype)


def _by_stride(stride):
    return stride


_INPUT = (
    Misconception(
        "filter_flipped",
        "Your filters are turned around the wrong way. If you hand dy out to "
        "the chunks, w[k] is used as it is; if you slide a filter over dy, that "
        "filter has to be turned.",
        _dx_of(lambda dy, w: (dy, w[:, ::-1, ::-1]))),
    Misconception(
        "stride_ignored",
        "You hand dy[n, i, j] back to the chunk at row i, column j. It had read "
        "the chunk at row i*S, column j*S.",
        _dx_steps(lambda s: 1, lambda s: 1)),
    Misconception(
        "stride_along_rows_only",
        "You hand back to the chunk at row i*S but column j. The filter moves by "
        "the stride along both.",
        _dx_steps(_by_stride, lambda s: 1)),
    Misconception(
        "padding_left_on",
        "What you return is the gradient of the padded images. Nobody needs that of "
        "the zeros: cut P rows and columns off each side, and have the shape of x.",
        _dx_cut(lambda wide, x_shape, pad: wide)),
    Misconception(
        "padding_cut_at_the_end",
        "You cut all of the padding off at the bottom and right. The images begin "
        "at row P, column P of the padded ones: [P:P+H, P:P+W].",
        _dx_cut(lambda wide, x_shape, pad: wide[:, :x_shape[1], :x_shape[2]])),
    Misconception(
        "padding_cut_at_the_start",
        "You cut all of the padding off at the top and left. P rows and columns of "
        "zeros stood on each side: [P:P+H, P:P+W].",
        _dx_cut(lambda wide, x_shape, pad: wide[:, 2 * pad:, 2 * pad:])),
    Misconception(
        "padding_cut_along_rows_only",
        "You cut the padding off above and below, but not left and right.",
        _dx_cut(lambda wide, x_shape, pad: wide[:, pad:pad + x_shape[1]])),
    Misconception(
        "overlaps_overwritten",
        "Where chunks overlap you keep the last one. A pixel has been read at "
        "several positions, and each adds its share: += where you have =.",
        _dx_steps(_by_stride, _by_stride, add=False)),
    Misconception(
        "filters_and_overlaps_overwritten",
        "You keep only what the last filter gives back at the last position. Every "
        "filter at every position adds its share: += where you have =.",
        _dx_steps(_by_stride, _by_stride, add=False,
                  wanted=lambda dy, w: (dy[..., -1:], w[-1:]))),
    Misconception(
        "overlaps_averaged",
        "You divide by how many positions read a pixel. Their shares add up: "
        "nothing is divided.",
        _overlaps_averaged),
    Misconception(
        "dy_not_used",
        "You add up the filters alone. Each has to be multiplied by dy[n, i, j, k], "
        "which says how much the loss moves with that output.",
        _dx_of(lambda dy, w: (np.ones_like(dy), w))),
    Misconception(
        "first_filter_only",
        "You give back through filter 0 alone. All K filters have read the image: "
        "sum over k as well.",
        _dx_of(lambda dy, w: (dy[..., :1], w[:1]))),
    Misconception(
        "filters_averaged",
        "You average over the filters. Each has read the image and each moves the "
        "loss: their shares add up.",
        _dx_of(lambda dy, w: (dy, w / len(w)))),
    Misconception(
        "channels_added_up",
        "Every channel of yours gets the sum over all channels. Channel c was "
        "multiplied by w[..., c] alone, and only that comes back to it.",
        _dx_turned(lambda dx: np.repeat(
            dx.sum(axis=3, keepdims=True), dx.shape[3], axis=3))),
    Misconception(
        "first_channel_only",
        "You fill only the first channel. The filters extend through the full "
        "depth, and so does what they give back.",
        _dx_turned(lambda dx: _first_of(dx, 3))),
    Misconception(
        "rows_and_columns_swapped",
        "Rows and columns of your dx are swapped. It has the shape of x: rows "
        "first, then columns.",
        _dx_turned(lambda dx: dx.transpose(0, 2, 1, 3))),
    Misconception(
        "images_add_up",
        "Your first image is right, but each later one has those before it added "
        "on. No image reads another: start from zeros for each.",
        _dx_turned(lambda dx: np.cumsum(dx, axis=0))),
    Misconception(
        "images_summed",
        "Every image of yours gets the sum over the batch. Filters are shared by "
        "the images, pixels are not: dx[n] comes from dy[n] alone.",
        _dx_turned(lambda dx: np.repeat(dx.sum(axis=0, keepdims=True), len(dx), 0))),
    Misconception(
        "first_image_only",
        "Only your image 0 has a gradient. Loop over all images of the batch.",
        _dx_turned(lambda dx: _first_of(dx, 0))),
    Misconception(
        "averaged_over_the_batch",
        "You divide by the number of images. Where the loss is a mean, dy is "
        "divided already.",
        _dx_turned(lambda dx: dx / len(dx))),
)


# --------------------------------------------------------------------------
# misconceptions: all three at once


def _in_dx(mistake: Misconception) -> Misconception:
    def wrong(dy, x, w, stride=1, pad=0):
        refuse_misfits(dy, x, w, stride, pad)
        return (mistake.wrong(dy, w, x.shape, stride, pad),
                filters_gradient(dy, x, w.shape, stride, pad), bias_gradient(dy))
    return Misconception(f"dx_{mistake.name}", f"In dx: {mistake.hint}", wrong)


def _in_dw(mistake: Misconception) -> Misconception:
    def wrong(dy, x, w, stride=1, pad=0):
        refuse_misfits(dy, x, w, stride, pad)
        return (input_gradient(dy, w, x.shape, stride, pad),
                mistake.wrong(dy, x, w.shape, stride, pad), bias_gradient(dy))
    return Misconception(f"dw_{mistake.name}", f"In dw: {mistake.hint}", wrong)


def _in_db(mistake: Misconception) -> Misconception:
    def wrong(dy, x, w, stride=1, pad=0):
        dx, dw, _ = conv2d_backward(dy, x, w, stride, pad)
        return dx, dw, mistake.wrong(dy)
    return Misconception(f"db_{mistake.name}", f"In db: {mistake.hint}", wrong)


def _named(mistakes: tuple[Misconception, ...], name: str) -> Misconception:
    return next(mistake for mistake in mistakes if mistake.name == name)


def _both(name: str):
    """The same mistake in dx and in dw."""

    def wrong(dy, x, w, stride=1, pad=0):
        refuse_misfits(dy, x, w, stride, pad)
        return (_named(_INPUT, name).wrong(dy, w, x.shape, stride, pad),
                _named(_FILTERS, name).wrong(dy, x, w.shape, stride, pad),
                bias_gradient(dy))
    return wrong


def _all_three(change):
    def wrong(*args, **settings):
        return change(*conv2d_backward(*args, **settings))
    return wrong


_TOGETHER = (
    Misconception(
        "stride_ignored_everywhere",
        "Both dx and dw of yours are those of chunks at row i, column j. Output "
        "[i, j] has read the chunk at row i*S, column j*S.",
        _both("stride_ignored")),
    Misconception(
        "filters_flipped_everywhere",
        "Both dx and dw of yours have the filters turned around. The forward pass "
        "turns nothing: w[k, p, q] meets x[i*S + p, j*S + q].",
        _both("filter_flipped")),
    Misconception(
        "averaged_everywhere",
        "You divide all three by the number of images. Where the loss is a mean, dy "
        "is divided already.",
        _all_three(lambda dx, dw, db: tuple(g / len(dx) for g in (dx, dw, db)))),
    Misconception(
        "parameters_averaged",
        "You divide dw and db by the number of images. Where the loss is a mean, dy "
        "is divided already.",
        _all_three(lambda dx, dw, db: (dx, dw / len(dx), db / len(dx)))),
    Misconception(
        "returned_in_reverse",
        "You return db, dw, dx. The order is dx, dw, db, as x, w and b go in on the "
        "way forward.",
        _all_three(lambda dx, dw, db: (db, dw, dx))),
    Misconception(
        "dw_before_dx",
        "You return dw first. The order is dx, dw, db, as x, w and b go in on the "
        "way forward.",
        _all_three(lambda dx, dw, db: (dw, dx, db))),
    Misconception(
        "db_forgotten",
        "You return dx and dw. There are three gradients, dx, dw and db, as there "
        "are three things that go in.",
        _all_three(lambda dx, dw, db: (dx, dw))),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for float32 images. np.zeros "
        "makes float64 unless told otherwise: np.zeros(shape, dtype=x.dtype).",
        _all_three(lambda *grads: tuple(g.astype(np.float64) for g in grads))),
    Misconception(
        "float32_always",
        "The values are right, but you return float32 for float64 images. A "
        "gradient check needs the full precision: use dtype=x.dtype.",
        _all_three(lambda *grads: tuple(g.astype(np.float32) for g in grads))),
)
_BACKWARD = (
    *(_in_dx(_named(_INPUT, name)) for name in (
        "filter_flipped", "stride_ignored", "stride_along_rows_only",
        "padding_left_on", "padding_cut_at_the_end", "overlaps_overwritten",
        "filters_and_overlaps_overwritten", "channels_added_up", "images_add_up",
        "averaged_over_the_batch")),
    *(_in_dw(_named(_FILTERS, name)) for name in (
        "filter_flipped", "stride_ignored", "stride_along_rows_only",
        "padding_at_the_end", "last_position_only", "last_image_only",
        "all_filters_the_same", "averaged_over_the_positions",
        "averaged_over_the_batch")),
    *(_in_db(_named(_BIAS, name)) for name in (
        "last_image_only", "one_number_for_the_layer", "one_for_each_image",
        "dy_not_used", "averaged_over_everything", "averaged_over_the_batch")),
    *_TOGETHER,
)


def _unrefused(but, change=lambda *arrays: arrays):
    """The three gradients of what has to be refused, one check left out."""
    def wrong(dy, x, w, stride=1, pad=0):
        refuse_misfits(dy, x, w, stride, pad, but)
        dy, x, w, pad = change(dy, x, w, pad)
        return (input_gradient(dy, w, x.shape, stride, pad),
                filters_gradient(dy, x, w.shape, stride, pad), bias_gradient(dy))
    return wrong


def _cropped(dy, x, w, pad):
    return (dy, x[:, -pad:pad, -pad:pad], w, 0) if pad < 0 else (dy, x, w, pad)


def _stretched_filters(dy, x, w, pad):
    if w.shape[3] == 1:
        w = np.repeat(w, x.shape[3], axis=3)
    return dy, x, w, pad


def _stretched_images(dy, x, w, pad):
    return np.repeat(dy, len(x), axis=0) if len(dy) == 1 else dy, x, w, pad


def _stretched_maps(dy, x, w, pad):
    return np.repeat(dy, len(w), axis=3) if dy.shape[3] == 1 else dy, x, w, pad


_BACKWARD_REFUSED = (
    Misconception(
        "dy_of_another_size_accepted",
        "You accept a dy that the forward pass could not have made. Compare: the "
        "last chunk of dy's rows, (H' - 1)*S + Fh, has to end where the padded "
        "image does, at H + 2P; columns likewise.",
        _unrefused("size")),
    Misconception(
        "negative_padding_accepted",
        "You accept negative padding. Raise ValueError where pad < 0, as the forward "
        "pass does.",
        _unrefused("padding", _cropped)),
    Misconception(
        "flat_filters_repeated",
        "You accept flat filters on deep images: numpy stretches an axis of length "
        "1 silently. Raise ValueError where w.shape[3] is not x.shape[3].",
        _unrefused("depth", _stretched_filters)),
    Misconception(
        "one_image_for_all",
        "You accept a dy of another number of images than x: numpy stretches an "
        "axis of length 1 silently. Compare len(dy) with len(x).",
        _unrefused("images", _stretched_images)),
    Misconception(
        "one_map_for_all",
        "You accept a dy of another number of maps than there are filters: numpy "
        "stretches an axis of length 1 silently. Compare dy.shape[3] with len(w).",
        _unrefused("filters", _stretched_maps)),
)


# --------------------------------------------------------------------------
# misconceptions: the transposed convolution


def _transposed(change):
    """A transposed convolution with other arguments."""
    def wrong(x, w, b, stride=1, pad=0):
        return conv2d_transpose(*change(x, w, b, stride, pad))
    return wrong


def _zeros_after_the_last(x, w, b, stride=1, pad=0):
    y = conv2d_transpose(x, w, 0 * b, stride, pad)
    more = ((0, 0), (0, stride - 1), (0, stride - 1), (0, 0))
    return np.pad(y, more) + b


def _padding_added(x, w, b, stride=1, pad=0):
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    return conv2d_transpose(wide, w, b, stride, 0)


def _put_not_added(x, w, b, stride=1, pad=0):
    size = [(n - 1) * stride + f for n, f in
            zip(x.shape[1:3], w.shape[1:3], strict=True)]
    wide = _pour(x, w, (len(x), *size, w.shape[3]), stride, 0, _by_stride,
                 _by_stride, add=False)
    return (_inside(wide, pad) + b).astype(x.dtype)


_TRANSPOSE = (
    Misconception(
        "bias_forgotten",
        "Your output is right but for the bias: add b[c] to every number of "
        "channel c.",
        _transposed(lambda x, w, b, s, p: (x, w, 0 * b, s, p))),
    Misconception(
        "bias_for_each_filter",
        "You add the bias once for each filter. It is added once to each number "
        "of the output, at the end.",
        _transposed(lambda x, w, b, s, p: (x, w, len(w) * b, s, p))),
    Misconception(
        "stride_ignored",
        "Your output is that of stride 1. Neighbours in x hand out to chunks that "
        "lie S apart.",
        _transposed(lambda x, w, b, s, p: (x, w, b, 1, p))),
    Misconception(
        "padding_ignored",
        "Your output still has its frame. Padding is what the convolution added, so "
        "here P rows and columns are cut off on each side.",
        _transposed(lambda x, w, b, s, p: (x, w, b, s, 0))),
    Misconception(
        "padding_added",
        "You add zeros around x. Backwards padding works the other way: P rows and "
        "columns of the output are cut off on each side.",
        _padding_added),
    Misconception(
        "filter_flipped",
        "Your filters are turned around the wrong way: each number of x is "
        "multiplied with w[k] as it is.",
        _transposed(lambda x, w, b, s, p: (x, w[:, ::-1, ::-1], b, s, p))),
    Misconception(
        "zeros_after_the_last",
        "Your output is too large by S - 1. Zeros belong between the numbers of x, "
        "none after the last: H' = (H - 1)*S + Fh - 2P.",
        _zeros_after_the_last),
    Misconception(
        "overlaps_overwritten",
        "Where chunks overlap you keep the last one. Their shares add up.",
        _put_not_added),
    Misconception(
        "first_filter_only",
        "You use filter 0 alone. Each of the K channels of x hands out by its own "
        "filter, and all of that adds up.",
        _transposed(lambda x, w, b, s, p: (x[..., :1], w[:1], b, s, p))),
)


# --------------------------------------------------------------------------
# cases


def _maps_shape(image, filters, stride=1, pad=0):
    """The shape of dy: sizes in this file fit, or are meant not to."""
    rows, columns = ((n + 2 * pad - f) // stride + 1
                     for n, f in zip(image[1:3], filters[1:3], strict=True))
    return image[0], rows, columns, filters[0]


def _numbers(rng, *shapes, dtype=np.float32):
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def _small(rng, *shapes):
    """Whole numbers, to be redone by hand."""
    return tuple(rng.integers(-3, 4, size=shape).astype(np.float32)
                 for shape in shapes)


def _words(image, filters, **settings) -> str:
    """"2 images of 7x9x3, 4 filters of 3x2x3, stride 2"."""
    def many(count, word):
        return f"{count} {word}{'' if count == 1 else 's'}"
    text = [f"{many(image[0], 'image')} of {'x'.join(map(str, image[1:]))}",
            f"{many(filters[0], 'filter')} of {'x'.join(map(str, filters[1:]))}"]
    return ", ".join(text + [f"{name} {value}" for name, value in settings.items()])


def _layer(draw, rng, image, filters, **settings):
    """dy, x, w of a layer."""
    return draw(rng, _maps_shape(image, filters, **settings), image, filters)


def _filters_case(draw, rng, image, filters, **settings) -> Case:
    dy, x, _ = _layer(draw, rng, image, filters, **settings)
    return Case(_words(image, filters, **settings), (dy, x, filters), settings)


def _input_case(draw, rng, image, filters, **settings) -> Case:
    dy, _, w = _layer(draw, rng, image, filters, **settings)
    return Case(_words(image, filters, **settings), (dy, w, image), settings)


def _backward_case(draw, rng, image, filters, **settings) -> Case:
    layer = _layer(draw, rng, image, filters, **settings)
    return Case(_words(image, filters, **settings), layer, settings)


def _cases(make, *sizes, small=0):
    """Cases of the same sizes with fresh numbers: (image, filters, settings).

    The first `small` of them have small whole numbers.
    """
    def cases(rng):
        return [make(_small if number < small else _numbers, rng, image, filters,
                     **settings)
                for number, (image, filters, settings) in enumerate(sizes)]
    return cases


ONE_IMAGE = (((1, 4, 5, 1), (2, 3, 2, 1), {}),
             ((1, 6, 7, 3), (2, 2, 4, 3), {}))
STRIDE_AND_PADDING = (((1, 9, 12, 2), (3, 3, 4, 2), {"stride": 2}),
                      ((1, 5, 7, 3), (2, 3, 4, 3), {"pad": 1}),
                      ((1, 7, 8, 2), (3, 5, 3, 2), {"stride": 3, "pad": 2}))
BATCH = (((3, 5, 6, 2), (4, 3, 2, 2), {}),
         ((2, 7, 11, 3), (4, 3, 5, 3), {"stride": 2, "pad": 1}))
ALL_THREE = (((1, 6, 7, 3), (2, 3, 2, 3), {}),
             ((1, 8, 7, 2), (3, 1, 1, 2), {}),
             ((2, 7, 9, 3), (4, 3, 5, 3), {"stride": 2, "pad": 1}),
             ((3, 8, 6, 2), (3, 4, 2, 2), {"stride": 2, "pad": 2}))


def _bias_cases(rng):
    return [Case(f"dy of {shape}", _numbers(rng, shape))
            for shape in ((1, 4, 5, 2), (3, 2, 4, 5), (2, 7, 3, 4))]


def _row(make, rng, n, f, stride=1) -> Case:
    outputs = (n - f) // stride + 1
    args = make(rng, outputs, n, f)
    words = f"{n} numbers, a filter of {f}, stride {stride}"
    return Case(words, args, {"stride": stride})


def _row_filter(rng, outputs, n, f):
    return (*_numbers(rng, outputs, n), f)


def _row_input(rng, outputs, n, f):
    return (*_numbers(rng, outputs, f), n)


def _row_weights(rng, outputs, n, f):
    return (*_numbers(rng, f), n)


def _rows(make):
    def cases(rng):
        return [_row(make, rng, n, f, stride)
                for n, f, stride in ((7, 3, 1), (9, 4, 1), (11, 3, 2), (14, 5, 3))]
    return cases


def _dtype_cases(rng):
    image, filters, settings = (2, 7, 10, 3), (4, 3, 4, 3), {"stride": 2}
    words = _words(image, filters, **settings)
    maps = _maps_shape(image, filters, **settings)
    return [
        Case("float64: " + words,
             _numbers(rng, maps, image, filters, dtype=np.float64), settings),
        Case("float32, not contiguous in memory: " + words,
             _scattered(rng, maps, image, filters), settings)]


def _scattered(rng, maps, image, filters):
    """dy and x with their channels first in memory, w every second of a larger."""
    def channels_first(shape):
        return shape[0], shape[3], *shape[1:3]
    dy, x, w = _numbers(rng, channels_first(maps), channels_first(image),
                        (2 * filters[0], *filters[1:]))
    return np.moveaxis(dy, 1, 3), np.moveaxis(x, 1, 3), w[::2]


def _backward_refused(rng):
    def case(about, maps, image, filters, **settings):
        return Case(about, _numbers(rng, maps, image, filters), settings, refused=True)
    return [
        case("dy has 3 rows, the layer makes 4", (2, 3, 6, 4), (2, 6, 7, 3),
             (4, 3, 2, 3)),
        case("dy has 5 columns, the layer makes 6", (2, 4, 5, 4), (2, 6, 7, 3),
             (4, 3, 2, 3)),
        case("stride 2 does not fit 8 rows", (2, 3, 4, 4), (2, 8, 9, 3), (4, 3, 3, 3),
             stride=2),
        case("pad is -1", (2, 4, 6, 4), (2, 8, 9, 3), (4, 3, 2, 3), pad=-1),
        case("x is 3 deep, the filters 1", (2, 4, 6, 4), (2, 6, 7, 3), (4, 3, 2, 1)),
        case("x is 3 deep, the filters 2", (2, 4, 6, 4), (2, 6, 7, 3), (4, 3, 2, 2)),
        case("dy has 1 image, x has 2", (1, 4, 6, 4), (2, 6, 7, 3), (4, 3, 2, 3)),
        case("dy has 1 map, there are 4 filters", (2, 4, 6, 1), (2, 6, 7, 3),
             (4, 3, 2, 3)),
    ]


def _transpose_case(rng, image, filters, **settings) -> Case:
    args = _numbers(rng, image, filters, filters[3:])
    return Case(_words(image, filters, **settings), args, settings)


def _transpose_cases(rng):
    return [_transpose_case(rng, (1, 3, 4, 2), (2, 3, 2, 3)),
            _transpose_case(rng, (2, 4, 3, 3), (3, 4, 3, 2), stride=2),
            _transpose_case(rng, (2, 5, 4, 2), (2, 5, 4, 3), stride=3, pad=1)]


# --------------------------------------------------------------------------
# speed


def _position_by_position(dy, x, w, stride=1, pad=0):
    """Two numpy operations an output number, as a first version has them."""
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dx, dw = np.zeros_like(wide), np.zeros_like(w)
    for n, i, j, k in np.ndindex(dy.shape):
        place = (n, slice(i * stride, i * stride + w.shape[1]),
                 slice(j * stride, j * stride + w.shape[2]))
        dw[k] += dy[n, i, j, k] * wide[place]
        dx[place] += dy[n, i, j, k] * w[k]
    return _inside(dx, pad), dw, dy.sum(axis=(0, 1, 2))


LARGE = ((4, 32, 32, 3), (6, 5, 5, 3))  # timed
ALIKE = ((3, 8, 7, 3), (6, 5, 5, 3), {})  # right before it is timed
# Long enough for cores to get into each other's way, a few times over.
CROWDED = 6 * (((64, 26, 24, 4), (2, 7, 5, 4), {}),)


# --------------------------------------------------------------------------
# the graded questions


def _filters_question(name, points, checked, sizes) -> Question:
    return Question(f"conv2d_backward_filters_{name}", "conv2d_backward_filters",
                    points, checked, _cases(_filters_case, *sizes), filters_gradient,
                    _FILTERS)


def _input_question(name, points, checked, sizes) -> Question:
    return Question(f"conv2d_backward_input_{name}", "conv2d_backward_input",
                    points, checked, _cases(_input_case, *sizes), input_gradient,
                    _INPUT)


def _backward_question(name, points, checked, cases, **more) -> Question:
    # atol: many float32 terms add up to a number near 0, with their rounding.
    more = {"misconceptions": _BACKWARD, **more}
    return Question(f"conv2d_backward_{name}", "conv2d_backward", points, checked,
                    cases, conv2d_backward, **more)


QUESTIONS = (
    Question("conv2d_backward_bias_values", "conv2d_backward_bias", 3,
             "db of one image, and of several", _bias_cases, bias_gradient, _BIAS),
    Question("row_backward_filter_values", "row_backward_filter", 3,
             "dw of rows, at strides 1, 2 and 3", _rows(_row_filter),
             row_backward_filter, _ROW_FILTER),
    _filters_question("values", 4, "dw of one image, stride 1, no padding",
                      ONE_IMAGE),
    _filters_question("stride_and_padding", 3,
                      "dw at strides 2 and 3, with padding 1 and 2",
                      STRIDE_AND_PADDING),
    _filters_question("batch", 2, "dw of several images at once", BATCH),
    Question("row_matrix_values", "row_matrix", 3,
             "the matrix of rows at strides 1, 2 and 3", _rows(_row_weights),
             row_matrix, _MATRIX),
    Question("row_backward_input_values", "row_backward_input", 3,
             "dx of rows, at strides 1, 2 and 3", _rows(_row_input),
             row_backward_input, _ROW_INPUT),
    _input_question("values", 4, "dx of one image, stride 1, no padding", ONE_IMAGE),
    _input_question("stride_and_padding", 4,
                    "dx at strides 2 and 3, with padding 1 and 2",
                    STRIDE_AND_PADDING),
    _input_question("batch", 2, "dx of several images at once", BATCH),
    _backward_question("values", 4,
                       "dx, dw and db, one image and several, strides and padding",
                       _cases(_backward_case, *ALL_THREE)),
    _backward_question("large_batch", 2,
                       "a large batch, six times: where cores race, shares get "
                       "lost",
                       _cases(_backward_case, *CROWDED), misconceptions=(),
                       atol=0.05),
    _backward_question("dtypes_and_layouts", 3,
                       "float64 gives float64, float32 gives float32, and arrays "
                       "that are not contiguous in memory",
                       _dtype_cases, dtype=True),
    _backward_question("refuses", 2,
                       "ValueError for a dy that the forward pass cannot have made, "
                       "a stride that does not fit, negative padding, filters of "
                       "another depth",
                       _backward_refused, misconceptions=_BACKWARD_REFUSED),
    _backward_question("fast", 3,
                       "at least three times as fast as numpy, one output number "
                       "after another (compiling not counted)",
                       _cases(_backward_case, ALIKE),
                       speed=Speed(lambda rng: _backward_case(
                           _numbers, rng, *LARGE),
                           _position_by_position, times_slower=0.33), atol=0.01),
    Question("conv2d_transpose_values", "conv2d_transpose", 3,
             "transposed convolutions with strides and padding", _transpose_cases,
             conv2d_transpose, _TRANSPOSE, bonus=True),
)


# --------------------------------------------------------------------------
# the public checks: small whole numbers first, to be read and redone by hand


def _check_bias(rng):
    return [Case("one image, two maps of 2x3", _small(rng, (1, 2, 3, 2))),
            Case("two images, one map of 2x2", _small(rng, (2, 2, 2, 1))),
            *_bias_cases(rng)[1:]]


def _check_rows(make):
    def small(rng, outputs, n, f):
        return tuple(np.rint(2 * one) + 0 if isinstance(one, np.ndarray) else one
                     for one in make(rng, outputs, n, f))

    def cases(rng):
        return [_row(small, rng, 7, 3), _row(small, rng, 7, 3, 2),
                *_rows(make)(rng)[1:]]
    return cases


def _check_backward(rng):
    return [*_cases(_backward_case, ((1, 3, 4, 1), (1, 2, 3, 1), {}),
                    *ALL_THREE[1:], small=1)(rng),
            *_dtype_cases(rng), *_backward_refused(rng)]


def _check_transpose(rng):
    small = _small(rng, (1, 2, 2, 1), (1, 3, 3, 1), 1)
    return [Case(_words((1, 2, 2, 1), (1, 3, 3, 1)), small, {}),
            Case(_words((1, 2, 2, 1), (1, 3, 3, 1), stride=2), small, {"stride": 2}),
            *_transpose_cases(rng)]


STEPS = (((1, 3, 4, 1), (1, 2, 3, 1), {}), ((1, 5, 7, 1), (1, 3, 3, 1), {"stride": 2}),
         ((1, 3, 4, 1), (1, 3, 2, 1), {"pad": 1}), *BATCH)

CHECKS = (
    Check("ps3/conv2d_backward_bias", "conv2d_backward_bias", _check_bias,
          bias_gradient, _BIAS),
    Check("ps3/row_backward_filter", "row_backward_filter", _check_rows(_row_filter),
          row_backward_filter, _ROW_FILTER),
    Check("ps3/conv2d_backward_filters", "conv2d_backward_filters",
          _cases(_filters_case, *STEPS, small=3), filters_gradient, _FILTERS),
    Check("ps3/row_matrix", "row_matrix", _check_rows(_row_weights), row_matrix,
          _MATRIX),
    Check("ps3/row_backward_input", "row_backward_input", _check_rows(_row_input),
          row_backward_input, _ROW_INPUT),
    Check("ps3/conv2d_backward_input", "conv2d_backward_input",
          _cases(_input_case, *STEPS, small=3), input_gradient, _INPUT),
    Check("ps3/conv2d_backward", "conv2d_backward", _check_backward, conv2d_backward,
          _BACKWARD + _BACKWARD_REFUSED, dtype=True),
    Check("ps3/conv2d_transpose", "conv2d_transpose", _check_transpose,
          conv2d_transpose, _TRANSPOSE),
)
