"""Hidden tests and public checks of ps2_convolution.

Expected values come from numpy's sliding windows and einsum in float64. A
misconception is that oracle with one thing done wrong. Volumes are (N, H, W, C),
filters (K, Fh, Fw, C).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograder.mistakes import refusing
from autograder.questions import Case, Check, Misconception, Question, Speed

ANSWERS = ("arithmetic",)  # of convlab: output_size, conv_parameters

# --------------------------------------------------------------------------
# oracles


def output_size(n: int, f: int, stride: int = 1, pad: int = 0) -> int:
    """Counts the positions of a filter along an axis, one by one."""
    if pad < 0:
        raise ValueError("negative padding")
    length = n + 2 * pad
    starts = range(0, length - f + 1, stride)
    if not starts or starts[-1] + f != length:
        raise ValueError("the last position does not end where the input ends")
    return len(starts)


def conv_parameters(channels: int, filters: int, size: int) -> int:
    """Counts the numbers in the arrays."""
    return np.empty((filters, size, size, channels)).size + np.empty(filters).size


def one_number(chunk, w, b) -> float:
    products = chunk.astype(np.float64) * w
    return math.fsum([*products.ravel(), b])


def activation_map(x, w, b):
    return strided_map(x, w, b, 1)


def strided_map(x, w, b, stride):
    return conv2d(x[None], w[None], np.array([b]), stride)[0, :, :, 0]


def zero_pad(x, pad):
    rows, columns, channels = x.shape
    wide = np.zeros((rows + 2 * pad, columns + 2 * pad, channels), x.dtype)
    wide[pad:pad + rows, pad:pad + columns] = x
    return wide


def activation_maps(x, w, b, stride=1, pad=0):
    return conv2d(x[None], w, b, stride, pad)[0]


def conv2d(x, w, b, stride=1, pad=0):
    """(N,H,W,C), (K,Fh,Fw,C), (K,) -> (N,H',W',K), in the dtype of x."""
    if x.shape[3] != w.shape[3]:
        raise ValueError("the filters are not as deep as the image")
    for n, f in zip(x.shape[1:3], w.shape[1:3], strict=True):
        output_size(n, f, stride, pad)
    wide = np.stack([zero_pad(image, pad) for image in x]).astype(np.float64)
    return _slide(wide, w, b, stride).astype(x.dtype)


def _slide(x, w, b, stride):
    """Filters over x as it is; what does not fit at the end is left out."""
    windows = sliding_window_view(x, w.shape[1:3], axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    products = np.einsum("nijcpq,kpqc->nijk", windows, w.astype(np.float64))
    return products + np.asarray(b, np.float64)


def dilate_filters(w, dilation):
    """Each row and column sent to its new place by a matrix of ones and zeros."""
    def spread(f):
        return np.eye(dilation * (f - 1) + 1)[::dilation]
    rows, columns = map(spread, w.shape[1:3])
    return np.einsum("kpqc,pi,qj->kijc", w, rows, columns).astype(w.dtype)


# --------------------------------------------------------------------------
# misconceptions


_SIZE = refusing(output_size, (
    Misconception(
        "padding_counted_once",
        "You count the padding once. P zeros are added on each side, so a row "
        "of N numbers becomes N + 2P long.",
        lambda n, f, stride=1, pad=0: (n + pad - f) // stride + 1),
    Misconception(
        "padding_forgotten",
        "Your result is that of no padding at all. P zeros on each side make "
        "the row N + 2P long before the filter starts to slide.",
        lambda n, f, stride=1, pad=0: (n - f) // stride + 1),
    Misconception(
        "first_position_forgotten",
        "You are one short. (N + 2P - F)/S counts the steps the filter takes; "
        "the position it starts from is one more.",
        lambda n, f, stride=1, pad=0: (n + 2 * pad - f) // stride),
    Misconception(
        "stride_forgotten",
        "Your result is that of stride 1. A filter that moves S at a time takes "
        "(N + 2P - F)/S steps.",
        lambda n, f, stride=1, pad=0: n + 2 * pad - f + 1),
    Misconception(
        "size_is_a_float",
        "The value is right, but / always makes a float, and an array's size "
        "must be an int. Once you know that the division leaves no remainder, "
        "// gives the same value as an int.",
        lambda n, f, stride=1, pad=0: (n + 2 * pad - f) / stride + 1),
))
_SIZE_REFUSED = (
    Misconception(
        "floors_the_size",
        "You round down where the stride does not fit, and so leave the last "
        "rows and columns of the image unread without a word. Look at the "
        "remainder (the % operator) and raise ValueError where it is not 0.",
        lambda n, f, stride=1, pad=0: (n + 2 * pad - f) // stride + 1),
    Misconception(
        "fractional_size",
        "You return a fraction of a position. There is none: where the division "
        "leaves a remainder, raise ValueError and say which numbers do not fit.",
        lambda n, f, stride=1, pad=0: (
            (n + 2 * pad - f) / stride + 1 if (n + 2 * pad - f) % stride
            else (n + 2 * pad - f) // stride + 1)),
    Misconception(
        "negative_padding_accepted",
        "You accept negative padding. The formula has a value for it, but no "
        "fewer than zero zeros can be added: check pad first.",
        lambda n, f, stride=1, pad=0: (
            output_size(n, f, stride, pad) if pad >= 0
            else (n + 2 * pad - f) // stride + 1)),
    Misconception(
        "large_filter_accepted",
        "You return a size for a filter that is larger than its input. It has "
        "no position at all there: compare F with N + 2P first.",
        lambda n, f, stride=1, pad=0: (
            output_size(n, f, stride, pad) if n + 2 * pad >= f
            else (n + 2 * pad - f) // stride + 1)),
)

_PARAMETERS = (
    Misconception(
        "biases_not_counted",
        "You count the weights alone. Each filter has one bias as well: a "
        "5x5x3 filter has 5*5*3 + 1 = 76 parameters.",
        lambda channels, filters, size: filters * size**2 * channels),
    Misconception(
        "one_bias_for_the_layer",
        "You count one bias for the whole layer. Each filter has its own: the "
        "+ 1 belongs inside the bracket that is multiplied by the number of "
        "filters.",
        lambda channels, filters, size: filters * size**2 * channels + 1),
    Misconception(
        "one_bias_for_each_channel",
        "You count one bias for each channel of a filter. The dot product runs "
        "over all channels and gives one number; one bias is added to it.",
        lambda channels, filters, size: filters * (size**2 + 1) * channels),
    Misconception(
        "filters_without_depth",
        "You count flat filters. A filter always extends through the full depth "
        "of its input: size x size x channels weights.",
        lambda channels, filters, size: filters * (size**2 + 1)),
    Misconception(
        "filters_and_channels_swapped",
        "You swap filters and channels: `channels` is how deep the input "
        "(and so each filter) is, `filters` is how many filters there are.",
        lambda channels, filters, size: channels * (size**2 * filters + 1)),
    Misconception(
        "one_filter_counted",
        "You count one filter. The layer has as many sets of weights and "
        "biases as it has filters.",
        lambda channels, filters, size: size**2 * channels + 1),
)

_NUMBER = (
    Misconception(
        "bias_forgotten",
        "Your result is the dot product without the bias: add b, once.",
        lambda chunk, w, b: np.sum(chunk * w)),
    Misconception(
        "bias_in_every_product",
        "You add the bias to every product before summing, 75 times for a "
        "5x5x3 filter. Sum the products first, then add b once.",
        lambda chunk, w, b: np.sum(chunk * w + b)),
    Misconception(
        "bias_for_each_channel",
        "You add the bias once for each channel. A filter has one bias: sum "
        "over all channels first, then add it once.",
        lambda chunk, w, b: np.sum(chunk * w) + chunk.shape[2] * b),
    Misconception(
        "mean_instead_of_sum",
        "You average the products. A dot product is their sum: nothing is "
        "divided.",
        lambda chunk, w, b: np.mean(chunk * w) + b),
    Misconception(
        "filter_flipped",
        "You turn the filter around before you multiply. Row 0, column 0 of the "
        "filter meets row 0, column 0 of the chunk: what deep learning calls "
        "convolution turns nothing.",
        lambda chunk, w, b: np.sum(chunk * w[::-1, ::-1]) + b),
    Misconception(
        "first_channel_only",
        "You use the first channel only. The filter is as deep as the chunk, "
        "and the dot product runs through all channels.",
        lambda chunk, w, b: np.sum(chunk[..., 0] * w[..., 0]) + b),
    Misconception(
        "one_number_for_each_channel",
        "You return one number for each channel. Sum over rows, columns and "
        "channels: the result is a single number.",
        lambda chunk, w, b: np.sum(chunk * w, axis=(0, 1)) + b),
)


def _unfilled_border(x, w, b, stride=1, pad=0):
    """The last row and column of positions left at zero: range ended early."""
    y = conv2d(x, w, b, stride, pad)
    y[:, -1] = y[:, :, -1] = 0
    return y


def _padded_by(**how):
    """A convolution over an image that np.pad has widened in another way."""
    def wrong(x, w, b, stride=1, pad=0):
        widths = how["widths"](pad)
        wide = np.pad(x, ((0, 0), *widths, (0, 0)), mode=how.get("mode", "constant"))
        return conv2d(wide, w, b, stride, 0)
    return wrong


def _steps(rows, columns):
    """A convolution with other strides along rows and columns."""
    def wrong(x, w, b, stride=1, pad=0):
        y = conv2d(x, w, b, 1, pad)
        return y[:, ::rows(stride), ::columns(stride)]
    return wrong


def _stride_shrinks_only(x, w, b, stride=1, pad=0):
    rows, columns = conv2d(x, w, b, stride, pad).shape[1:3]
    return conv2d(x, w, b, 1, pad)[:, :rows, :columns]


_FLIPPED = Misconception(
    "filter_flipped",
    "Your output is what you get when each filter is turned around, up for "
    "down and left for right. Mathematics calls that convolution; here, and "
    "everywhere in deep learning, w[k, 0, 0] meets the top left of the chunk.",
    lambda x, w, b, *more, **named: conv2d(x, w[:, ::-1, ::-1], b, *more, **named))
_BIAS = Misconception(
    "bias_forgotten",
    "Your output is right but for the bias: add b[k] to every number of map k.",
    lambda x, w, b, *more, **named: conv2d(x, w, 0 * b, *more, **named))
_BIAS_EACH_CHANNEL = Misconception(
    "bias_for_each_channel",
    "You add the bias once for each channel. Sum over rows, columns and "
    "channels first, then add b[k] once.",
    lambda x, w, b, *more, **named: conv2d(x, w, w.shape[3] * b, *more, **named))
_FIRST_CHANNEL = Misconception(
    "first_channel_only",
    "Your output uses the first channel only. A filter extends through the "
    "full depth of the image: the sum runs over all channels.",
    lambda x, w, b, *more, **named: conv2d(
        x[..., :1], w[..., :1], b, *more, **named))
_CHANNELS_AVERAGED = Misconception(
    "channels_averaged",
    "You average over the channels. Add them up: the dot product runs over "
    "rows, columns and channels alike, and divides by nothing.",
    lambda x, w, b, *more, **named: conv2d(x, w / w.shape[3], b, *more, **named))
_MEAN = Misconception(
    "mean_instead_of_sum",
    "You average the products of filter and chunk. The dot product is their "
    "sum: np.sum, where you may have np.mean.",
    lambda x, w, b, *more, **named: conv2d(x, w / w[0].size, b, *more, **named))
_ROWS_AND_COLUMNS = Misconception(
    "rows_and_columns_swapped",
    "Rows and columns of your output are swapped. The first spatial index is "
    "the row, along the height; the second is the column, along the width.",
    lambda x, w, b, *more, **named: conv2d(
        x, w, b, *more, **named).transpose(0, 2, 1, 3))
_BORDER = Misconception(
    "last_positions_missing",
    "The last row and column of your output were never computed: a range ends "
    "one too early. A filter of F fits N - F + 1 times, so the loop runs over "
    "range(N - F + 1), which is range(of the output's size).",
    _unfilled_border)
_STRIDE_FORGOTTEN = Misconception(
    "stride_forgotten",
    "Your output is that of stride 1. With stride S, output row i looks at the "
    "image from row i*S on.",
    _steps(lambda s: 1, lambda s: 1))
_STRIDE_ROWS = Misconception(
    "stride_along_rows_only",
    "Your filter moves by the stride from row to row, but by 1 from column to "
    "column. It moves by S along both axes.",
    _steps(lambda s: s, lambda s: 1))
_STRIDE_SHRINKS = Misconception(
    "stride_shrinks_only",
    "The size is right, but the filter moves by 1: you show the top left part "
    "of the map of stride 1. Output row i reads the image from row i*S on, not "
    "from row i.",
    _stride_shrinks_only)
_PAD_FORGOTTEN = Misconception(
    "padding_forgotten",
    "Your output is that of no padding. Make an image of zeros, P larger on "
    "each side, put x in its middle, and slide over that.",
    _padded_by(widths=lambda p: ((0, 0), (0, 0))))
_PAD_ONE_SIDE = Misconception(
    "padding_on_one_side",
    "You pad at the top and left only. P zeros are added on each side: rows "
    "above and below, columns left and right.",
    _padded_by(widths=lambda p: ((p, 0), (p, 0))))
_PAD_OTHER_SIDE = Misconception(
    "padding_at_the_end",
    "You pad at the bottom and right only: the image still starts in the "
    "corner of the larger array. Put it at [P:P+H, P:P+W].",
    _padded_by(widths=lambda p: ((0, p), (0, p))))
_PAD_ROWS = Misconception(
    "padding_along_rows_only",
    "You pad above and below, but not left and right.",
    _padded_by(widths=lambda p: ((p, p), (0, 0))))
_PAD_EDGE = Misconception(
    "padding_repeats_the_edge",
    "You pad with copies of the image's edge. Zero padding puts zeros around "
    "it, and nothing else.",
    _padded_by(widths=lambda p: ((p, p), (p, p)), mode="edge"))
_BIAS_FIRST = Misconception(
    "first_bias_for_all",
    "You add b[0] to every map. Filter k has its own bias, b[k].",
    lambda x, w, b, *more, **named: conv2d(
        x, w, np.full_like(b, b[0]), *more, **named))
_FILTERS_SUMMED = Misconception(
    "maps_added_up",
    "You add the maps of all filters into one. Each filter gives a map of its "
    "own, and the maps are stacked: the output is K deep.",
    lambda x, w, b, *more, **named: conv2d(
        x, w, b, *more, **named).sum(axis=3, keepdims=True))
_FIRST_FILTER = Misconception(
    "first_filter_for_all",
    "Every map of yours is that of filter 0. Map k belongs to filter w[k].",
    lambda x, w, b, *more, **named: conv2d(
        x, np.repeat(w[:1], len(w), axis=0), b, *more, **named))
_MAPS_FIRST = Misconception(
    "maps_before_rows",
    "Your maps come before rows and columns, (N, K, H', W'), as PyTorch has "
    "them. Here depth comes last: y[n, row, column, k].",
    lambda x, w, b, *more, **named: conv2d(
        x, w, b, *more, **named).transpose(0, 3, 1, 2))
_ACCUMULATES = Misconception(
    "images_add_up",
    "Your first image is right, but each later one has those before it added "
    "on. The sum has to start afresh for each image.",
    lambda x, w, b, *more, **named: np.cumsum(
        conv2d(x, w, b, *more, **named), axis=0))
_FIRST_IMAGE = Misconception(
    "first_image_repeated",
    "Every image of your output is that of image 0. Index the batch: image n "
    "is x[n].",
    lambda x, w, b, *more, **named: np.repeat(
        conv2d(x[:1], w, b, *more, **named), len(x), axis=0))
_ONE_IMAGE = Misconception(
    "first_image_only",
    "You return the first image and leave the others at zero, or out. Loop "
    "over all of them: len(x) images go in, len(x) stacks of maps come out.",
    lambda x, w, b, *more, **named: conv2d(x[:1], w, b, *more, **named))
_FLOAT64 = Misconception(
    "float64_returned",
    "The values are right, but you return float64 for a float32 image. np.zeros "
    "makes float64 unless told otherwise: np.zeros(shape, dtype=x.dtype).",
    lambda x, w, b, *more, **named: conv2d(
        x, w, b, *more, **named).astype(np.float64))
_FLOAT32 = Misconception(
    "float32_always",
    "The values are right, but you return float32 for a float64 image. Gradient "
    "checks need the full precision: make the output with dtype=x.dtype.",
    lambda x, w, b, *more, **named: conv2d(
        x, w, b, *more, **named).astype(np.float32))

_CONV = refusing(conv2d, (
    _FLIPPED, _BIAS, _BIAS_EACH_CHANNEL, _FIRST_CHANNEL, _CHANNELS_AVERAGED, _MEAN,
    _ROWS_AND_COLUMNS, _BORDER,
    _STRIDE_FORGOTTEN, _STRIDE_ROWS, _STRIDE_SHRINKS,
    _PAD_FORGOTTEN, _PAD_ONE_SIDE, _PAD_OTHER_SIDE, _PAD_ROWS, _PAD_EDGE,
    _BIAS_FIRST, _FILTERS_SUMMED, _FIRST_FILTER, _MAPS_FIRST,
    _ACCUMULATES, _FIRST_IMAGE, _ONE_IMAGE,
    _FLOAT64, _FLOAT32,
))


def _floors(x, w, b, stride=1, pad=0):
    if pad < 0 or x.shape[3] != w.shape[3]:
        raise ValueError("refused")
    wide = np.stack([zero_pad(image, pad) for image in x])
    return _slide(wide, w, b, stride).astype(x.dtype)


def _crops(x, w, b, stride=1, pad=0):
    if pad < 0:
        x, pad = x[:, -pad:pad, -pad:pad], 0
    return conv2d(x, w, b, stride, pad)


def _common_depth(x, w, b, stride=1, pad=0):
    depth = min(x.shape[3], w.shape[3])
    return conv2d(x[..., :depth], w[..., :depth], b, stride, pad)


def _repeated_depth(x, w, b, stride=1, pad=0):
    if w.shape[3] == 1:
        w = np.repeat(w, x.shape[3], axis=3)
    return conv2d(x, w, b, stride, pad)


_CONV_REFUSED = (
    Misconception(
        "floors_the_size",
        "You round the output size down where the stride does not fit, and "
        "leave the last rows or columns of the image unread. Let output_size "
        "decide, for the rows and for the columns: it raises ValueError.",
        _floors),
    Misconception(
        "negative_padding_crops",
        "You accept negative padding and cut the border off the image. Raise "
        "ValueError where pad < 0.",
        _crops),
    Misconception(
        "depth_cut_to_fit",
        "You accept filters whose depth is not that of the image, and use the "
        "channels they share. Raise ValueError where w.shape[3] is not "
        "x.shape[3]: a filter extends through the full depth.",
        _common_depth),
    Misconception(
        "flat_filter_repeated",
        "You accept flat filters on a deep image: numpy stretches an axis of "
        "length 1 silently. Raise ValueError where w.shape[3] is not "
        "x.shape[3].",
        _repeated_depth),
)


def _one_map(mistakes: tuple[Misconception, ...]) -> tuple[Misconception, ...]:
    """The same mistakes in a function of one image and one filter."""
    def adapted(m: Misconception) -> Misconception:
        return replace(m, wrong=lambda x, w, b, stride=1: m.wrong(
            x[None], w[None], np.array([b]), stride)[0, :, :, 0])
    return tuple(map(adapted, mistakes))


def _one_image(mistakes: tuple[Misconception, ...]) -> tuple[Misconception, ...]:
    """The same mistakes in a function of one image and many filters."""
    def adapted(m: Misconception) -> Misconception:
        return replace(m, wrong=lambda x, *more, **named: m.wrong(
            x[None], *more, **named)[0])
    return tuple(map(adapted, mistakes))


_PLAIN = _one_map((
    _FLIPPED, _BIAS, _BIAS_EACH_CHANNEL, _FIRST_CHANNEL, _CHANNELS_AVERAGED, _MEAN,
    _ROWS_AND_COLUMNS, _BORDER))
_STRIDED = _PLAIN + _one_map((_STRIDE_FORGOTTEN, _STRIDE_ROWS, _STRIDE_SHRINKS))
_MAPS = _one_image((
    _FLIPPED, _BIAS, _FIRST_CHANNEL, _ROWS_AND_COLUMNS,
    _STRIDE_FORGOTTEN, _STRIDE_ROWS, _STRIDE_SHRINKS,
    _PAD_FORGOTTEN, _PAD_ONE_SIDE, _PAD_OTHER_SIDE, _PAD_ROWS, _PAD_EDGE,
    _BIAS_FIRST, _FILTERS_SUMMED, _FIRST_FILTER, _MAPS_FIRST))


def _pad_with(widths, mode="constant"):
    return lambda x, pad: np.pad(x, widths(pad), mode=mode)


_PADDING = (
    Misconception(
        "channels_padded",
        "You pad the channels too: np.pad with a single number pads every axis. "
        "Give it one pair an axis, ((pad, pad), (pad, pad), (0, 0)).",
        _pad_with(lambda p: p)),
    replace(_PAD_ONE_SIDE, wrong=_pad_with(lambda p: ((p, 0), (p, 0), (0, 0)))),
    replace(_PAD_OTHER_SIDE, wrong=_pad_with(lambda p: ((0, p), (0, p), (0, 0)))),
    Misconception(
        "image_in_the_corner",
        "Your array has the right size, but the image sits in its corner. The first "
        "pixel belongs at row P, column P: wide[P:P+H, P:P+W] = x.",
        _pad_with(lambda p: ((0, 2 * p), (0, 2 * p), (0, 0)))),
    replace(_PAD_ROWS, wrong=_pad_with(lambda p: ((p, p), (0, 0), (0, 0)))),
    replace(_PAD_EDGE, wrong=_pad_with(lambda p: ((p, p), (p, p), (0, 0)), "edge")),
)


def _holes(w, rows, columns, channels=1):
    """Zeros between rows, columns and channels, as many as said."""
    steps = (1, rows + 1, columns + 1, channels)
    shape = [(n - 1) * step + 1 for n, step in zip(w.shape, steps, strict=True)]
    apart = np.zeros(shape, w.dtype)
    apart[:, ::rows + 1, ::columns + 1, ::channels] = w
    return apart


_HOLES = (
    Misconception(
        "zeros_behind_the_last",
        "You put zeros behind the last row and column as well. They belong between the "
        "weights: F rows have F - 1 gaps.",
        lambda w, dilation: np.pad(dilate_filters(w, dilation), (
            (0, 0), (0, dilation - 1), (0, dilation - 1), (0, 0)))),
    Misconception(
        "weights_repeated",
        "You repeat each weight. Dilation fills the gaps with zeros, so that no weight "
        "counts twice.",
        lambda w, dilation: w.repeat(dilation, axis=1).repeat(dilation, axis=2)),
    Misconception(
        "one_zero_too_many",
        "Your gaps are one too wide. At dilation D the weights stand D apart, with "
        "D - 1 zeros between them: at dilation 1 nothing changes.",
        lambda w, dilation: _holes(w, dilation, dilation)),
    Misconception(
        "pulled_apart_along_rows_only",
        "You pull the rows apart, but leave the columns as they are. Zeros come "
        "between both.",
        lambda w, dilation: _holes(w, dilation - 1, 0)),
    Misconception(
        "channels_pulled_apart",
        "You pull the channels apart as well. Dilation is about rows and columns: the "
        "filter must stay as deep as the image.",
        lambda w, dilation: _holes(w, dilation - 1, dilation - 1, dilation)),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for float32 filters. np.zeros "
        "makes float64 unless you tell it otherwise.",
        lambda w, dilation: dilate_filters(w, dilation).astype(np.float64)),
)


# --------------------------------------------------------------------------
# cases


def _layer(rng, image, filters, dtype=np.float32):
    """x, w, b of normal numbers: image (N,H,W,C), filters (K,Fh,Fw,C)."""
    return tuple(rng.normal(size=shape).astype(dtype)
                 for shape in (image, filters, filters[:1]))


def _words(image, filters, **settings) -> str:
    """"2 images of 7x9x3, 4 filters of 3x2x3, stride 2"."""
    def many(count, word):
        return f"{count} {word}{'' if count == 1 else 's'}"
    text = [f"{many(image[0], 'image')} of {'x'.join(map(str, image[1:]))}",
            f"{many(filters[0], 'filter')} of {'x'.join(map(str, filters[1:]))}"]
    return ", ".join(text + [f"{name} {value}" for name, value in settings.items()])


def _conv(rng, image, filters, **settings) -> Case:
    return Case(_words(image, filters, **settings), _layer(rng, image, filters),
                settings)


def _conv_cases(*sizes):
    """Cases of the same sizes with fresh numbers: (image, filters, settings)."""
    def cases(rng):
        return [_conv(rng, image, filters, **(more[0] if more else {}))
                for image, filters, *more in sizes]
    return cases


def _size(n, f, stride=1, pad=0, refused=False) -> Case:
    return Case(f"output_size({n}, {f}, stride={stride}, pad={pad})",
                (n, f), {"stride": stride, "pad": pad}, refused)


def _size_cases(rng):
    cases = [_size(7, 3), _size(7, 3, 2), _size(7, 3, 1, 1), _size(32, 5, 1, 2),
             _size(227, 11, 4), _size(5, 5), _size(9, 1, 2)]
    for _ in range(5):
        f, stride, pad, steps = rng.integers((2, 2, 1, 2), (8, 5, 4, 9)).tolist()
        n = max(f + stride * steps - 2 * pad, 1)
        if (n + 2 * pad - f) % stride == 0:
            cases.append(_size(n, f, stride, pad))
    return cases


def _size_refused(rng):
    n = int(rng.integers(10, 20)) * 2
    return [_size(7, 3, 3, refused=True), _size(n, 3, 2, refused=True),
            _size(n, 3, 2, 1, refused=True), _size(3, 5, refused=True),
            _size(7, 3, 1, -1, refused=True)]


def _parameters(channels, filters, size) -> Case:
    return Case(f"conv_parameters(channels={channels}, filters={filters}, "
                f"size={size})", (channels, filters, size))


def _parameter_cases(rng):
    random = rng.integers((2, 20, 2), (9, 90, 8), size=(3, 3)).tolist()
    return [_parameters(*numbers) for numbers in
            [(3, 1, 5), (3, 10, 5), (3, 6, 5), (6, 10, 5), (64, 32, 1), *random]]


def _number(rng, *shape) -> Case:
    chunk, w = rng.normal(size=(2, *shape)).astype(np.float32)
    return Case(f"a {'x'.join(map(str, shape))} chunk", (chunk, w, rng.normal() + 2))


def _number_cases(rng):
    return [_number(rng, 5, 5, 3), _number(rng, 3, 2, 4), _number(rng, 1, 1, 6)]


def _map(rng, image, size, *more) -> Case:
    x, w, b = _layer(rng, (1, *image), (1, *size))
    stride = f", stride {more[0]}" if more else ""
    return Case(f"an image of {'x'.join(map(str, image))}, a filter of "
                f"{'x'.join(map(str, size))}{stride}",
                (x[0], w[0], float(b[0]) + 2, *more))


def _map_cases(rng):
    return [_map(rng, (32, 32, 3), (5, 5, 3)), _map(rng, (7, 9, 4), (3, 2, 4)),
            _map(rng, (4, 6, 2), (4, 1, 2))]


def _dtype_cases(rng):
    image, filters = (2, 7, 10, 3), (4, 3, 2, 3)
    return [
        Case("float64: " + _words(image, filters),
             _layer(rng, image, filters, np.float64)),
        Case("float32, not contiguous in memory: " + _words(image, filters),
             _scattered(rng, image, filters))]


def _scattered(rng, image, filters):
    """x with its channels first in memory, w and b every second of a larger array."""
    n, h, w, c = image
    k, *size, _ = filters
    layer = _layer(rng, (n, c, h, w), (2 * k, *size, c))
    return np.moveaxis(layer[0], 1, 3), layer[1][::2], layer[2][::2]


def _conv_refused(rng):
    def case(about, image, filters, **settings):
        return Case(about, _layer(rng, image, filters), settings, refused=True)
    return [
        case("stride 2 does not fit 8 rows", (2, 8, 9, 3), (4, 3, 3, 3), stride=2),
        case("stride 3 does not fit 8 columns", (2, 9, 8, 3), (4, 3, 3, 3), stride=3),
        case("pad is -1", (2, 8, 9, 3), (4, 3, 2, 3), pad=-1),
        case("the image is 3 deep, the filters 2", (2, 6, 7, 3), (4, 3, 2, 2)),
        case("the image is 3 deep, the filters 4", (2, 6, 7, 3), (4, 3, 2, 4)),
        case("the image is 3 deep, the filters 1", (2, 6, 7, 3), (4, 3, 2, 1)),
        case("a filter of 7 rows on 6", (2, 6, 9, 3), (4, 7, 2, 3)),
    ]


def _filters(rng, dilation, *shape, dtype=np.float32) -> Case:
    k, *size = shape
    about = f"{k} filters of {'x'.join(map(str, size))}, dilation {dilation}"
    return Case(about, (rng.normal(size=shape).astype(dtype), dilation))


def _filters_cases(rng):
    return [_filters(rng, 2, 4, 3, 2, 3), _filters(rng, 3, 2, 2, 5, 1),
            _filters(rng, 1, 3, 2, 3, 2), _filters(rng, 2, 2, 1, 4, 3),
            _filters(rng, 2, 3, 4, 3, 2, dtype=np.float64)]


# --------------------------------------------------------------------------
# speed


def _position_by_position(x, w, b, stride=1, pad=0):
    """One numpy dot product an output number, as a first version has it."""
    wide = np.stack([zero_pad(image, pad) for image in x])
    images, k = len(x), len(w)
    rows, columns = (output_size(n, f, stride) for n, f in
                     zip(wide.shape[1:3], w.shape[1:3], strict=True))
    y = np.empty((images, rows, columns, k), x.dtype)
    for n, i, j in np.ndindex(images, rows, columns):
        top, left = i * stride, j * stride
        chunk = wide[n, top:top + w.shape[1], left:left + w.shape[2]]
        for m in range(k):
            y[n, i, j, m] = np.sum(chunk * w[m]) + b[m]
    return y


_FAST_SIZES = ((4, 32, 32, 3), (6, 5, 5, 3))


# --------------------------------------------------------------------------
# the graded questions


def _conv_question(name, points, checked, cases, **more) -> Question:
    more = {"misconceptions": _CONV, **more}
    return Question(f"conv2d_forward_{name}", "conv2d_forward", points, checked,
                    cases, conv2d, **more)


QUESTIONS = (
    Question("output_size_values", "output_size", 4,
             "the lecture's sizes, and others drawn at random, as whole numbers",
             _size_cases, output_size, _SIZE),
    Question("output_size_refuses", "output_size", 3,
             "ValueError where the stride does not fit, the filter is larger than "
             "its input, or the padding is negative",
             _size_refused, output_size, _SIZE_REFUSED),
    Question("conv_parameters_values", "conv_parameters", 3,
             "76, 760 and other counts of weights and biases",
             _parameter_cases, conv_parameters, _PARAMETERS),
    Question("one_number_values", "one_number", 4,
             "the 75-dimensional dot product, and chunks of other sizes",
             _number_cases, one_number, _NUMBER),
    Question("activation_map_values", "activation_map", 6,
             "32x32x3 -> 28x28, and images and filters that are not square",
             _map_cases, activation_map, _PLAIN),
    _conv_question("values", 5, "one image, one filter, stride 1, no padding",
                   _conv_cases(((1, 7, 9, 3), (1, 3, 2, 3)),
                               ((1, 6, 5, 1), (1, 2, 4, 1)))),
    _conv_question("stride", 4, "strides 2 and 3, on images that are not square",
                   _conv_cases(((1, 9, 12, 3), (1, 3, 4, 3), {"stride": 2}),
                               ((1, 10, 11, 2), (1, 4, 2, 2), {"stride": 3}))),
    _conv_question("padding", 4, "zero padding of 1 and 2 on each side",
                   _conv_cases(((1, 5, 7, 3), (1, 3, 2, 3), {"pad": 1}),
                               ((1, 4, 6, 2), (1, 5, 3, 2), {"pad": 2}))),
    _conv_question("filters", 4, "several filters on images of other depths, 1x1 too",
                   _conv_cases(((1, 6, 7, 3), (4, 3, 2, 3)),
                               ((1, 5, 6, 8), (3, 1, 1, 8)),
                               ((1, 5, 6, 1), (5, 2, 3, 1)))),
    _conv_question("batch", 4,
                   "several images at once; then all together, stride and padding too",
                   _conv_cases(((3, 7, 11, 3), (4, 3, 5, 3), {"stride": 2, "pad": 2}),
                               ((2, 5, 4, 2), (3, 2, 3, 2)))),
    _conv_question("dtypes_and_layouts", 3,
                   "float64 gives float64, float32 gives float32, and arrays that "
                   "are not contiguous in memory",
                   _dtype_cases, dtype=True),
    _conv_question("refuses", 3,
                   "ValueError for a stride that does not fit, negative padding, a "
                   "filter of another depth than the image, a filter too large",
                   _conv_refused, misconceptions=_CONV_REFUSED),
    _conv_question("fast", 3,
                   "at least five times as fast as one numpy dot product after "
                   "another (compiling not counted)",
                   _conv_cases(_FAST_SIZES),
                   speed=Speed(lambda rng: _conv(rng, *_FAST_SIZES),
                               _position_by_position, times_slower=0.2)),
    Question("dilate_filters_values", "dilate_filters", 3,
             "filters that are not square, pulled apart by 1 to 3, in the dtype they "
             "came in",
             _filters_cases, dilate_filters, _HOLES, dtype=True, bonus=True),
)


# --------------------------------------------------------------------------
# the public checks: small whole numbers first, to be read and redone by hand


def _small(rng, *shape):
    return rng.integers(-3, 4, size=shape).astype(np.float32)


def _small_layer(rng, image, filters):
    return (_small(rng, *image), _small(rng, *filters),
            rng.permutation(np.arange(1, filters[0] + 1)).astype(np.float32))


def _check_conv(*sizes):
    """The first of the sizes with small whole numbers, the others normal."""
    def cases(rng):
        image, filters, settings = sizes[0]
        first = Case(_words(image, filters, **settings),
                     _small_layer(rng, image, filters), settings)
        return [first, *(_conv(rng, image, filters, **settings)
                         for image, filters, settings in sizes[1:])]
    return cases


def _check_number(rng):
    return [Case("a 2x2x1 chunk", (_small(rng, 2, 2, 1), _small(rng, 2, 2, 1), 1.0)),
            Case("a 2x3x2 chunk", (_small(rng, 2, 3, 2), _small(rng, 2, 3, 2), -2.0)),
            _number(rng, 5, 5, 3)]


def _check_map(*more):
    def cases(rng):
        x, w, b = _small_layer(rng, (1, 5, 7, 2), (1, 3, 3, 2))
        stride = f", stride {more[0]}" if more else ""
        first = Case(f"an image of 5x7x2, a filter of 3x3x2{stride}",
                     (x[0], w[0], float(b[0]), *more))
        size = (4, 2, 3) if more else (5, 5, 3)
        return [first, _map(rng, (12, 14, 3) if more else (32, 32, 3), size, *more)]
    return cases


def _check_pad(rng):
    return [Case("an image of 2x3x1, pad 1", (_small(rng, 2, 3, 1), 1)),
            Case("an image of 3x4x2, pad 2", (_small(rng, 3, 4, 2), 2)),
            Case("an image of 3x2x3, pad 0", (_small(rng, 3, 2, 3), 0))]


def _check_size(rng):
    return [_size(7, 3), _size(7, 3, 2), _size(7, 3, 1, 1), _size(32, 5, 1, 2),
            _size(8, 3, 1), _size(28, 5), _size(9, 3, 3, 3),
            _size(7, 3, 3, refused=True), _size(3, 5, refused=True),
            _size(7, 3, 1, -1, refused=True)]


def _check_parameters(rng):
    return [_parameters(3, 1, 5), _parameters(3, 10, 5), _parameters(6, 10, 5),
            _parameters(64, 32, 1)]


def _check_forward(rng):
    return [*_check_conv(((1, 4, 5, 1), (1, 3, 2, 1), {}),
                         ((1, 9, 12, 3), (1, 3, 4, 3), {"stride": 2}),
                         ((1, 5, 7, 3), (1, 3, 2, 3), {"pad": 1}),
                         ((1, 6, 7, 3), (4, 3, 2, 3), {}),
                         ((3, 7, 9, 3), (4, 3, 5, 3), {"stride": 2, "pad": 1}))(rng),
            *_dtype_cases(rng), *_conv_refused(rng)]


CHECKS = (
    Check("ps2/output_size", "output_size", _check_size, output_size,
          _SIZE + _SIZE_REFUSED),
    Check("ps2/conv_parameters", "conv_parameters", _check_parameters,
          conv_parameters, _PARAMETERS),
    Check("ps2/one_number", "one_number", _check_number, one_number, _NUMBER),
    Check("ps2/activation_map", "activation_map", _check_map(), activation_map,
          _PLAIN),
    Check("ps2/strided_map", "strided_map", _check_map(2), strided_map, _STRIDED),
    Check("ps2/zero_pad", "zero_pad", _check_pad, zero_pad, _PADDING, dtype=True),
    Check("ps2/activation_maps", "activation_maps", lambda rng: [
        Case(case.about, (case.args[0][0], *case.args[1:]), case.kwargs)
        for case in _check_conv(((1, 4, 5, 1), (2, 3, 2, 1), {}),
                                ((1, 7, 11, 3), (4, 3, 5, 3), {"stride": 2, "pad": 2}),
                                ((1, 5, 6, 8), (3, 1, 1, 8), {}))(rng)],
          activation_maps, _MAPS),
    Check("ps2/conv2d_slow", "conv2d_slow", _check_forward, conv2d,
          _CONV + _CONV_REFUSED, dtype=True),
    Check("ps2/conv2d_forward", "conv2d_forward", _check_forward, conv2d,
          _CONV + _CONV_REFUSED, dtype=True),
    Check("ps2/dilate_filters", "dilate_filters", lambda rng: [
        Case("1 filter of 2x3x1, dilation 2", (_small(rng, 1, 2, 3, 1), 2)),
        Case("1 filter of 2x2x1, dilation 1", (_small(rng, 1, 2, 2, 1), 1)),
        _filters(rng, 3, 2, 2, 3, 2), _filters(rng, 2, 3, 1, 4, 2, dtype=np.float64)],
          dilate_filters, _HOLES, dtype=True),
)
