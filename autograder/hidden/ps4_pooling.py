"""Hidden tests and public checks of ps4_pooling.

Expected values: the maxima of numpy's sliding windows; averages and gradients
as products with matrices, through einsum in float64. A misconception is such an
oracle with one thing done wrong. Volumes are (N, H, W, C).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograder.mistakes import refusing
from autograder.questions import Case, Check, Misconception, Question, Speed

# --------------------------------------------------------------------------
# oracles


def relu_forward(x):
    return np.where(x > 0, x, np.zeros_like(x))


def relu_backward(dy, x):
    return np.where(x > 0, dy, np.zeros_like(dy))


def positions(n: int, size: int, stride: int) -> int:
    """Counts the windows along an axis of n, one by one."""
    starts = range(0, n - size + 1, stride)
    if not starts or starts[-1] + size != n:
        raise ValueError("the last window does not end where the image ends")
    return len(starts)


def largest(window):
    """The maximum of (rows, columns), its row and its column."""
    row, column = np.argwhere(window == np.max(window))[0].tolist()
    return float(window[row, column]), row, column


def max_slopes(window):
    _, row, column = largest(window)
    slopes = np.zeros(window.shape)
    slopes[row, column] = 1
    return slopes


def mean_slopes(window):
    return np.full(window.shape, 1 / window.size)


def maxpool_map(x, size, stride):
    y, argmax = maxpool_forward(x[None, :, :, None], size, stride)
    return y[0, :, :, 0], argmax[0, :, :, 0]


def maxpool_forward(x, size=2, stride=2):
    """(N,H,W,C) -> y (N,H',W',C) in the dtype of x, argmax int64."""
    for n in x.shape[1:3]:
        positions(n, size, stride)
    return _pick(x, size, stride)


def _first(windows):
    return np.argmax(windows, axis=-1)


def _pixel(place):
    return place.row * place.x_shape[2] + place.column


class _Place:
    """Where each y was found: rows and columns of the image, and of the window."""

    def __init__(self, inside, x_shape, size, stride):
        self.inside, self.x_shape, self.size = inside, x_shape, size
        image, rows, columns, self.channel = np.indices(inside.shape)
        self.image, self.shape = image, inside.shape
        self.row = rows * stride + inside // size
        self.column = columns * stride + inside % size


def _pick(x, size=2, stride=2, choose=_first, number=_pixel):
    """One number of each window and where it is; a rest at the end is left out.

    choose: (..., size*size) -> which; number: a _Place -> what argmax says.
    """
    windows = sliding_window_view(x, (size, size), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    windows = windows.reshape(*windows.shape[:4], size * size)
    inside = choose(windows)
    y = np.take_along_axis(windows, inside[..., None], axis=-1)[..., 0]
    return y, np.asarray(number(_Place(inside, x.shape, size, stride)), np.int64)


def maxpool_backward(dy, argmax, x_shape):
    """Each dy times the row of an identity matrix that argmax names."""
    n, h, w, c = x_shape
    chosen = argmax[..., None] == np.arange(h * w)
    dx = np.einsum("npqc,npqcm->nmc", dy.astype(np.float64), chosen)
    return dx.reshape(x_shape).astype(dy.dtype)


def averaging(n: int, size: int, stride: int) -> np.ndarray:
    """(n', n): row p has 1/size at the numbers in window p, 0 elsewhere."""
    first = stride * np.arange(positions(n, size, stride))
    inside = np.arange(n) - first[:, None]
    return ((inside >= 0) & (inside < size)) / size


def avgpool_forward(x, size=2, stride=2):
    rows, columns = (averaging(n, size, stride) for n in x.shape[1:3])
    y = np.einsum("pi,nijc,qj->npqc", rows, x.astype(np.float64), columns)
    return y.astype(x.dtype)


def avgpool_backward(dy, x_shape, size=2, stride=2):
    rows, columns = (averaging(n, size, stride) for n in x_shape[1:3])
    dx = np.einsum("pi,npqc,qj->nijc", rows, dy.astype(np.float64), columns)
    return dx.astype(dy.dtype)


def looks_at(start, stop, size, stride):
    seen = {out * stride + k for out in range(start, stop) for k in range(size)}
    return min(seen), max(seen) + 1


def receptive_field(sizes, strides) -> int:
    """Follows one number back through the layers, by sets of indices."""
    if len(sizes) != len(strides) or min((*sizes, *strides), default=1) < 1:
        raise ValueError("one size and one stride a layer, each at least 1")
    seen = {0}
    for size, stride in reversed(list(zip(sizes, strides, strict=True))):
        seen = {out * stride + k for out in seen for k in range(size)}
    return max(seen) - min(seen) + 1


def average_filters(channels, size):
    """One filter a channel: a window's mean there, nothing elsewhere."""
    w = np.zeros((channels, size, size, channels), np.float32)
    for c in range(channels):
        w[c, :, :, c] = 1 / size**2
    return w


# --------------------------------------------------------------------------
# misconceptions: ReLU


_RELU = (
    Misconception(
        "absolute_value",
        "You turn negative numbers positive. The ReLU does not mirror them: what "
        "is below 0 becomes 0.",
        lambda x: np.abs(x)),
    Misconception(
        "negatives_kept",
        "You keep the negative numbers and cut the positive ones off: min where "
        "max belongs, or < where > belongs.",
        lambda x: np.minimum(x, 0)),
    Misconception(
        "step",
        "You return 1 for every positive number: that is a step, a perceptron's. "
        "The ReLU lets a positive number through as it is.",
        lambda x: (x > 0).astype(x.dtype)),
    Misconception(
        "cut_off_at_one",
        "You cut off above 1 as well. The ReLU has no upper bound: 3 stays 3.",
        lambda x: np.clip(x, 0, 1)),
    Misconception(
        "leaky",
        "You let a hundredth of the negative numbers through. That is the leaky "
        "ReLU, a later invention; here, below 0, there is 0.",
        lambda x: np.where(x > 0, x, x.dtype.type(0.01) * x)),
    Misconception(
        "negatives_dropped",
        "You take the positive numbers out of the array (x[x > 0]) and lose its "
        "shape. Every number of x has its own in y.",
        lambda x: x[x > 0]),
    Misconception(
        "one_number",
        "You return the largest number of all: that is np.max. np.maximum compares "
        "element by element, and keeps your array's shape.",
        lambda x: np.maximum(np.max(x), 0)),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for a float32 array. np.zeros "
        "makes float64 unless told otherwise; the number 0 alone takes x's dtype.",
        lambda x: np.maximum(x, 0).astype(np.float64)),
)

_RELU_BACK = (
    Misconception(
        "sign_of_dy",
        "You look at the sign of dy. Whether a change of x reaches y depends on "
        "x alone: negative gradients pass where x is positive.",
        lambda dy, x: np.maximum(dy, 0)),
    Misconception(
        "both_signs",
        "You let dy through only where x and dy are both positive. The sign of dy "
        "does not matter: a gradient may well be negative.",
        lambda dy, x: np.where((x > 0) & (dy > 0), dy, 0).astype(dy.dtype)),
    Misconception(
        "times_y",
        "You multiply dy by relu_forward(x), the value of y. The chain rule wants "
        "the slope there: how much y changes when x does.",
        lambda dy, x: dy * np.maximum(x, 0)),
    Misconception(
        "times_x",
        "You multiply dy by x. The chain rule wants the slope of the ReLU at x, "
        "which is 0 or 1, whatever the size of x.",
        lambda dy, x: dy * x),
    Misconception(
        "slope_alone",
        "You return the slope without dy. The chain rule multiplies: what comes "
        "back from y, dy, times the slope.",
        lambda dy, x: (x > 0).astype(dy.dtype)),
    Misconception(
        "passed_at_zero",
        "You let dy through where x is exactly 0 (>= where > belongs). The course "
        "sets the slope at the kink to 0, as the docstring says.",
        lambda dy, x: np.where(x >= 0, dy, 0).astype(dy.dtype)),
    Misconception(
        "half_at_zero",
        "You let half of dy through where x is exactly 0. Between the slopes 0 and "
        "1 any is defensible; the docstring sets it to 0.",
        lambda dy, x: (dy * np.heaviside(x, 0.5)).astype(dy.dtype)),
    Misconception(
        "passed_everywhere",
        "You pass dy on unchanged. Where x is negative, y is 0 and stays 0 when x "
        "changes a little: nothing comes back there.",
        lambda dy, x: dy.copy()),
    Misconception(
        "passed_where_negative",
        "You let dy through where x is negative, and stop it where x is positive: "
        "the comparison is the wrong way round.",
        lambda dy, x: np.where(x < 0, dy, 0).astype(dy.dtype)),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for float32 gradients. "
        "np.zeros makes float64 unless told otherwise: np.zeros_like(dy).",
        lambda dy, x: np.where(x > 0, dy, 0).astype(np.float64)),
)

# --------------------------------------------------------------------------
# misconceptions: one window


def _at(window, row, column):
    return float(window[row, column]), int(row), int(column)


def _last_place(window):
    return np.argwhere(window == window.max())[-1]


def _first_by_columns(window):
    return np.argwhere(window.max() == window.T)[0][::-1]


def _largest_or_zero(window):
    return largest(window) if window.max() > 0 else (0.0, 0, 0)


_LARGEST = (
    Misconception(
        "zero_to_begin_with",
        "You begin with 0 and look for something larger: in a window of negative "
        "numbers you find nothing. Begin with a number of the window.",
        _largest_or_zero),
    Misconception(
        "smallest",
        "You return the smallest number of the window: < where > belongs.",
        lambda window: _at(window, *np.argwhere(window == window.min())[0])),
    Misconception(
        "largest_magnitude",
        "You compare sizes without their sign, so that -5 beats 3. The maximum of "
        "the two is 3: compare the numbers themselves.",
        lambda window: _at(window, *np.argwhere(
            np.abs(window) == np.abs(window).max())[0])),
    Misconception(
        "last_of_a_tie",
        "Where the largest number is there twice, you return the place of the last. "
        "With > in place of >=, an equal number does not replace the first.",
        lambda window: _at(window, *_last_place(window))),
    Misconception(
        "columns_before_rows",
        "In a tie you return the first by columns. Reading order goes along row 0 "
        "first, then row 1: your loop over the rows is the outer one.",
        lambda window: _at(window, *_first_by_columns(window))),
    Misconception(
        "row_and_column_swapped",
        "You return the column before the row. The row comes first, as in an index.",
        lambda window: (largest(window)[0], *largest(window)[:0:-1])),
    Misconception(
        "place_as_one_number",
        "You return the place as one number, as np.argmax counts it. Turn it into "
        "a row and a column: divide by the number of columns, with remainder.",
        lambda window: (float(window.max()), int(np.argmax(window)))),
)

_SLOPES = (
    Misconception(
        "all_of_a_tie",
        "You give a slope of 1 to every number that equals the maximum. One alone "
        "was picked, the first in reading order: the others were passed over.",
        lambda window: (window == window.max()).astype(np.float64)),
    Misconception(
        "tie_shared",
        "You share the slope among equal maxima. One alone was picked, the first "
        "in reading order: it has all of the slope.",
        lambda window: (window == window.max()) / (window == window.max()).sum()),
    Misconception(
        "last_of_a_tie",
        "In a tie you give the slope to the last of the maxima. The one picked was "
        "the first in reading order.",
        lambda window: np.where(
            np.arange(window.size).reshape(window.shape)
            == np.ravel_multi_index(_last_place(window), window.shape), 1.0, 0.0)),
    Misconception(
        "value_for_slope",
        "You put the maximum itself in its place. A slope says how fast y changes "
        "with that number: raise it by h, and y rises by h.",
        lambda window: max_slopes(window) * window.max()),
    Misconception(
        "shared_by_all",
        "You give every number the same slope: that is the mean's. Of the numbers "
        "that are not the largest, a small change leaves the maximum as it is.",
        lambda window: np.full(window.shape, 1 / window.size)),
    Misconception(
        "all_ones",
        "You give every number the slope 1: that is the sum's. A small change of a "
        "number that is not the largest leaves the maximum as it is.",
        lambda window: np.ones(window.shape)),
    Misconception(
        "place_of_the_smallest",
        "Your slope stands at the smallest number. It belongs to the largest.",
        lambda window: max_slopes(-window)),
)

_MEAN_SLOPES = (
    Misconception(
        "all_ones",
        "You give every number the slope 1. That would be the sum's: the mean "
        "divides by how many numbers there are.",
        lambda window: np.ones(window.shape)),
    Misconception(
        "divided_by_a_side",
        "You divide by the number of rows alone. A window holds rows x columns "
        "numbers, and the mean divides by all of them.",
        lambda window: np.full(window.shape, 1 / len(window))),
    Misconception(
        "part_of_the_mean",
        "You give each number its own part of the mean. A slope says what happens "
        "when the number changes: it does not depend on the number.",
        lambda window: window / window.size),
    Misconception(
        "slope_of_the_maximum",
        "You give all of the slope to the largest number: that is the maximum's. "
        "The mean changes with each of its numbers.",
        lambda window: max_slopes(window)),
)

# --------------------------------------------------------------------------
# misconceptions: max pooling, forward


def _last(windows):
    return windows.shape[-1] - 1 - np.argmax(windows[..., ::-1], axis=-1)


def _by_columns(windows):
    size = math.isqrt(windows.shape[-1])
    order = np.arange(size**2).reshape(size, size).T.ravel()
    return order[np.argmax(windows[..., order], axis=-1)]


def _picks(**how):
    return lambda x, size=2, stride=2: _pick(x, size, stride, **how)


def _from_zero(where: Callable[[_Place], np.ndarray]):
    """Maxima that began at 0: what is below is 0, found `where`."""
    def wrong(x, size=2, stride=2):
        y, argmax = _pick(x, size, stride)
        start = _pick(x, size, stride, lambda windows: 0 * _first(windows), where)[1]
        return np.maximum(y, 0), np.where(y > 0, argmax, start)
    return wrong


def _of_stride_one(x, size=2, stride=2):
    y, argmax = _pick(x, size, stride)
    return tuple(each[:, :y.shape[1], :y.shape[2]] for each in _pick(x, size, 1))


def _over_channels(x, size=2, stride=2):
    """Each window through all channels; its maximum stands in every channel."""
    shape = _pick(x, size, stride)[0].shape
    best = np.argmax(x, axis=3)
    flat = np.take_along_axis(x, best[..., None], axis=3)
    return tuple(np.broadcast_to(each, shape).copy()
                 for each in _pick(flat, size, stride))


def _each(change, forward=_pick):
    """y and argmax, both changed in the same way."""
    def wrong(x, size=2, stride=2):
        return tuple(change(each) for each in forward(x, size, stride))
    return wrong


def _no_last(y):
    """The last row and column of positions left at zero: range ended early."""
    y = y.copy()
    y[:, -1] = y[:, :, -1] = 0
    return y


def _dtypes(y_dtype, argmax_dtype):
    def wrong(x, size=2, stride=2):
        y, argmax = _pick(x, size, stride)
        return y.astype(y_dtype or y.dtype), argmax.astype(argmax_dtype)
    return wrong


_STRIDE_FORGOTTEN = (
    "stride_forgotten",
    "Your windows move by 1. With stride S, output row i has the window that "
    "begins at row i*S of the image.")
_STRIDE_SHRINKS = (
    "stride_shrinks_only",
    "The size is right, but your windows move by 1: output row i reads the image "
    "from row i on, where it should from row i*S.")
_STRIDE_IS_SIZE = (
    "stride_is_size",
    "Your windows move by their own size, whatever the stride. With size 3 and "
    "stride 2 they overlap: the next begins 2 further.")
_SIZE_IS_STRIDE = (
    "size_is_stride",
    "Your windows are as large as the stride. Of size 3 and stride 2, a window "
    "holds 3x3 numbers, and begins 2 after the last.")
_ALWAYS_TWO = (
    "always_two_by_two",
    "You pool 2x2 at stride 2, whatever is asked for. Use size and stride where "
    "you have written 2.")
_LAST_MISSING = (
    "last_positions_missing",
    "The last row and column of your output were never computed: a range ends one "
    "too early. The loops run over range(of the output's size).")
_SWAPPED = (
    "rows_and_columns_swapped",
    "Rows and columns of your output are swapped. After the image comes the row, "
    "along the height; then the column, along the width.")
_FIRST_IMAGE = (
    "first_image_repeated",
    "Every image of your output is that of image 0. Index the batch: image n is "
    "x[n].")
_CHANNELS_TOGETHER = (
    "windows_over_channels",
    "Your windows reach through all channels, so that every channel has the same "
    "number. Pooling treats each channel alone: y[..., c] comes from x[..., c].")
_FLOAT64 = (
    "float64_returned",
    "The values are right, but you return float64 for float32 images. np.empty and "
    "np.zeros make float64 unless told otherwise: dtype=x.dtype.")
_FLOAT32 = (
    "float32_always",
    "The values are right, but you return float32 for float64 images. Gradient "
    "checks need the full precision: dtype=x.dtype.")


def _first_repeated(y):
    return np.repeat(y[:1], len(y), axis=0)


_MAX = refusing(maxpool_forward, (
    Misconception(
        "smallest",
        "You return the smallest number of each window: < where > belongs.",
        _picks(choose=lambda windows: np.argmin(windows, axis=-1))),
    Misconception(
        "largest_magnitude",
        "You compare sizes without their sign, so that -5 beats 3. The maximum of "
        "the two is 3: compare the numbers themselves.",
        _picks(choose=lambda windows: np.argmax(np.abs(windows), axis=-1))),
    Misconception(
        "mean_for_max",
        "Your y is the mean of each window: that is average pooling. Here, y is the "
        "largest number of the window.",
        lambda x, size=2, stride=2: (
            avgpool_forward(x, size, stride), _pick(x, size, stride)[1])),
    Misconception(
        "zero_to_begin_with",
        "You begin with 0 and look for something larger: a window of negative "
        "numbers has nothing larger. Behind a ReLU nobody would notice. Begin with "
        "the window's first number, and its place.",
        _from_zero(lambda place: 0 * place.row)),
    Misconception(
        "zero_at_the_corner_to_begin_with",
        "Your y is 0 where a window holds negative numbers alone: you begin with 0 "
        "and find nothing larger. Begin with the number in the window's corner.",
        _from_zero(_pixel)),
    Misconception(
        "last_of_a_tie",
        "Where the largest number is in a window twice, your argmax is the last. "
        "With > in place of >=, an equal number does not replace the first.",
        _picks(choose=_last)),
    Misconception(
        "columns_before_rows",
        "In a tie, your argmax is the first by columns. Reading order goes along "
        "the window's first row, then its second: your loop over rows is the outer.",
        _picks(choose=_by_columns)),
    Misconception(
        *_STRIDE_FORGOTTEN, lambda x, size=2, stride=2: _pick(x, size, 1)),
    Misconception(*_STRIDE_SHRINKS, _of_stride_one),
    Misconception(
        *_STRIDE_IS_SIZE, lambda x, size=2, stride=2: _pick(x, size, size)),
    Misconception(
        *_SIZE_IS_STRIDE, lambda x, size=2, stride=2: _pick(x, stride, stride)),
    Misconception(*_ALWAYS_TWO, lambda x, size=2, stride=2: _pick(x)),
    Misconception(*_CHANNELS_TOGETHER, _over_channels),
    Misconception(
        "one_channel_left",
        "Your windows reach through all channels, and your output has lost that "
        "axis. Pooling treats each channel alone: C channels go in, C come out.",
        lambda x, size=2, stride=2: tuple(
            each[..., 0] for each in _over_channels(x, size, stride))),
    Misconception(
        "argmax_in_the_window",
        "y is right, but your argmax counts inside of the window, from 0 to "
        "size*size - 1. Count in the image: the window begins at row i*S, column j*S.",
        _picks(number=lambda place: place.inside)),
    Misconception(
        "argmax_of_the_corner",
        "y is right, but your argmax is the window's corner, not where the maximum "
        "is: keep the place together with the number, whenever you find a larger.",
        lambda x, size=2, stride=2: (
            _pick(x, size, stride)[0],
            _pick(x, size, stride, lambda windows: 0 * _first(windows))[1])),
    Misconception(
        "argmax_by_the_height",
        "y is right, but your argmax is row*H + column. To get one row down in "
        "reading order takes as many steps as the image has columns.",
        _picks(number=lambda p: p.row * p.x_shape[1] + p.column)),
    Misconception(
        "argmax_by_columns",
        "y is right, but your argmax counts down the columns, column*H + row. "
        "Reading order goes along the rows: row*W + column.",
        _picks(number=lambda p: p.column * p.x_shape[1] + p.row)),
    Misconception(
        "argmax_by_the_outputs_width",
        "y is right, but your argmax is row*W' + column, with the width of the "
        "output. The maximum is in x: count with the width of x.",
        _picks(number=lambda p: p.row * p.shape[2] + p.column)),
    Misconception(
        "argmax_counts_channels",
        "y is right, but your argmax counts the channels of each pixel as well. It "
        "is a pixel of one channel: row*W + column, whatever the channel.",
        _picks(number=lambda p: _pixel(p) * p.x_shape[3] + p.channel)),
    Misconception(
        "argmax_counts_images",
        "The argmax of your first image is right; later ones count on from the "
        "images before. It is a place in its own image: row*W + column.",
        _picks(number=lambda p: p.image * p.x_shape[1] * p.x_shape[2] + _pixel(p))),
    Misconception(
        "argmax_not_returned",
        "You return y alone. The backward pass needs to know where each maximum "
        "was: return y, argmax.",
        lambda x, size=2, stride=2: _pick(x, size, stride)[0]),
    Misconception(
        "argmax_before_y",
        "You return argmax before y. The order is y, argmax.",
        lambda x, size=2, stride=2: _pick(x, size, stride)[::-1]),
    Misconception(*_SWAPPED, _each(lambda y: y.transpose(0, 2, 1, 3))),
    Misconception(*_LAST_MISSING, _each(_no_last)),
    Misconception(*_FIRST_IMAGE, _each(_first_repeated)),
    Misconception(*_FLOAT64, _dtypes(np.float64, np.int64)),
    Misconception(*_FLOAT32, _dtypes(np.float32, np.int64)),
    Misconception(
        "argmax_is_a_float",
        "The values are right, but your argmax is made of floats, as np.zeros makes "
        "them. It is an index: dtype=np.int64.",
        _dtypes(None, np.float64)),
    Misconception(
        "everything_float64",
        "The values are right, but you let numpy choose the dtypes, and it takes "
        "float64. y has the dtype of x, and argmax is int64: it is an index.",
        _dtypes(np.float64, np.float64)),
))


def _rounded_up(n, size, stride):
    """How long an axis has to be for one more window to fit."""
    return size + -(-(n - size) // stride) * stride


def _widened(x, size, stride, fill):
    widths = [(0, _rounded_up(n, size, stride) - n) for n in x.shape[1:3]]
    return np.pad(x, ((0, 0), *widths, (0, 0)), constant_values=fill)


def _max_of_cut_windows(x, size=2, stride=2):
    if size > min(x.shape[1:3]):
        raise ValueError("refused")
    wide = _widened(x, size, stride, -np.inf)
    return _pick(wide, size, stride,
                 number=lambda p: p.row * x.shape[2] + p.column)


def _mean_of_cut_windows(x, size=2, stride=2):
    if size > min(x.shape[1:3]):
        raise ValueError("refused")
    wide = _widened(x, size, stride, np.nan)
    windows = sliding_window_view(wide, (size, size), axis=(1, 2))
    return np.nanmean(windows[:, ::stride, ::stride], axis=(-2, -1))


def _no_positions(x, size, stride):
    """The output where a window is too large: (n - size)//stride + 1 is 0."""
    counts = [max(0, (n - size) // stride + 1) for n in x.shape[1:3]]
    return np.empty((len(x), *counts, x.shape[3]), x.dtype)


def _floors(pool):
    def wrong(x, size=2, stride=2):
        if size > min(x.shape[1:3]):
            raise ValueError("refused")
        return pool(x, size, stride)
    return wrong


def _too_large(pool, empty):
    def wrong(x, size=2, stride=2):
        if size > min(x.shape[1:3]):
            return empty(_no_positions(x, size, stride))
        return pool(x, size, stride)
    return wrong


def _pool_refused(oracle, floors, cut, empty) -> tuple[Misconception, ...]:
    return (
        Misconception(
            "floors_the_size",
            "You round the output size down where the stride does not fit, and "
            "leave the last rows or columns unread. Let output_size decide, for the "
            "rows and for the columns: it raises ValueError.",
            _floors(floors)),
        Misconception(
            "windows_cut_off",
            "You pool what is left at the edge in a smaller window. The course "
            "refuses sizes that do not fit, here too: your output size must be whole.",
            cut),
        Misconception(
            "large_window_accepted",
            "You accept a window that is larger than the image, and return an empty "
            "array. It has no position: raise ValueError, as output_size does.",
            _too_large(oracle, empty)),
    )


_MAX_REFUSED = _pool_refused(
    maxpool_forward, _pick, _max_of_cut_windows,
    lambda y: (y, np.empty(y.shape, np.int64)))


def _one_map(mistakes) -> tuple[Misconception, ...]:
    """The same mistakes in a function of one channel of one image."""
    def adapted(m: Misconception) -> Misconception:
        def wrong(x, size, stride):
            found = m.wrong(x[None, :, :, None], size, stride)
            if isinstance(found, tuple):
                return tuple(each[0, :, :, 0] for each in found)
            return found[0, :, :, 0]
        return replace(m, wrong=wrong)
    return tuple(map(adapted, mistakes))


def _named(mistakes, names) -> tuple[Misconception, ...]:
    return tuple(m for m in mistakes if m.name in names.split())


_MAP = _one_map(_named(_MAX, """
    smallest zero_to_begin_with zero_at_the_corner_to_begin_with last_of_a_tie
    columns_before_rows stride_forgotten stride_shrinks_only stride_is_size
    size_is_stride argmax_in_the_window argmax_of_the_corner argmax_by_the_height
    argmax_by_columns argmax_by_the_outputs_width argmax_not_returned argmax_before_y
    rows_and_columns_swapped last_positions_missing""") + _MAX_REFUSED)

# --------------------------------------------------------------------------
# misconceptions: max pooling, backward


def _scatter(dy, argmax, x_shape, write):
    """dx, written pixel by pixel: write(dx (N, HW, C), n, pixel, c, value)."""
    n, h, w, c = x_shape
    dx = np.zeros((n, h * w, c), dy.dtype)
    for place in np.ndindex(dy.shape):
        write(dx, place[0], argmax[place], place[3], dy[place])
    return dx.reshape(x_shape)


def _writes(write):
    return lambda dy, argmax, x_shape: _scatter(dy, argmax, x_shape, write)


def _overwrite(dx, n, pixel, c, value):
    dx[n, pixel, c] = value


def _count(dx, n, pixel, c, value):
    dx[n, pixel, c] += 1


def _first_image(dx, n, pixel, c, value):
    dx[0, pixel, c] += value


def _every_channel(dx, n, pixel, c, value):
    dx[n, pixel, :] += value


def _first_channel(dx, n, pixel, c, value):
    dx[n, pixel, 0] += value


def _across(dy, argmax, x_shape):
    _, h, w, _ = x_shape
    swapped = argmax % w * w + argmax // w
    if swapped.max() >= h * w:
        raise IndexError("index out of bounds")
    return maxpool_backward(dy, swapped, x_shape)


def _repeated(dy, argmax, x_shape):
    rows, columns = (np.arange(n) * m // n
                     for n, m in zip(x_shape[1:3], dy.shape[1:3], strict=True))
    return dy[:, rows][:, :, columns]


_MAX_BACK = (
    Misconception(
        "overwritten",
        "Where windows overlap, one number can be the maximum of several. You keep "
        "the gradient of the last one: add them up, += where you have =.",
        _writes(_overwrite)),
    Misconception(
        "dy_forgotten",
        "You count how often a number was the maximum. What goes back to it is dy "
        "of that window, not 1.",
        _writes(_count)),
    Misconception(
        "first_image_takes_all",
        "You put the gradients of all images into image 0. Index the batch: what comes "
        "from dy[n] goes to dx[n].",
        _writes(_first_image)),
    Misconception(
        "every_channel_gets_it",
        "A gradient of yours goes to every channel of its pixel. Each channel was "
        "pooled alone: what comes from channel c goes to channel c.",
        _writes(_every_channel)),
    Misconception(
        "first_channel_takes_all",
        "You put the gradients of all channels into channel 0. Each channel was "
        "pooled alone: what comes from channel c goes to channel c.",
        _writes(_first_channel)),
    Misconception(
        "row_and_column_mixed_up",
        "You make the wrong row and column of argmax. It is row*W + column, W the "
        "width of x: divided by W, the whole part is the row, the remainder the "
        "column.",
        _across),
    Misconception(
        "repeated_over_the_window",
        "You give each number of a window the window's gradient. The others than the "
        "maximum had no part in y: they get 0. argmax says where it goes.",
        _repeated),
    Misconception(
        "left_flat",
        "The values are right, but you return pixels in one long row. Give dx the "
        "shape x_shape: reshape at the end, or make it so at the start.",
        lambda dy, argmax, x_shape: maxpool_backward(dy, argmax, x_shape).reshape(
            x_shape[0], -1, x_shape[3])),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for float32 gradients. "
        "np.zeros makes float64 unless told otherwise: dtype=dy.dtype.",
        lambda dy, argmax, x_shape: maxpool_backward(
            dy, argmax, x_shape).astype(np.float64)),
    Misconception(
        "float32_always",
        "The values are right, but you return float32 for float64 gradients. "
        "Gradient checks need the full precision: dtype=dy.dtype.",
        lambda dy, argmax, x_shape: maxpool_backward(
            dy, argmax, x_shape).astype(np.float32)),
)

# --------------------------------------------------------------------------
# misconceptions: average pooling


def _mean(x, size, stride):
    """The mean of each window; a rest at the end is left out."""
    windows = sliding_window_view(x.astype(np.float64), (size, size), axis=(1, 2))
    return windows[:, ::stride, ::stride].mean(axis=(-2, -1)).astype(x.dtype)


def _scaled(factor):
    """The right result, times factor(size, stride)."""
    return lambda x, size=2, stride=2: avgpool_forward(
        x, size, stride) * x.dtype.type(factor(size, stride))


def _means_of_stride_one(x, size=2, stride=2):
    y = _mean(x, size, stride)
    return _mean(x, size, 1)[:, :y.shape[1], :y.shape[2]]


def _mean_over_channels(x, size=2, stride=2):
    y = _mean(x, size, stride)
    return np.broadcast_to(y.mean(axis=3, keepdims=True), y.shape).copy()


_NOT_DIVIDED = (
    "not_divided",
    "You add the window's numbers up and divide by nothing. The mean is the sum "
    "divided by how many numbers there are.")
_DIVIDED_BY_SIZE = (
    "divided_by_size",
    "You divide by size. That is one side of the window: count the numbers in all "
    "of it.")
_DIVIDED_BY_FOUR = (
    "divided_by_four",
    "You divide by 4, whatever the size. A 3x3 window holds 9 numbers: divide by "
    "what your size makes.")
_DIVIDED_BY_STRIDE = (
    "divided_by_stride_squared",
    "You divide by the stride squared. How many numbers a window holds is decided "
    "by its size; the stride is how far it moves.")

_AVG = refusing(avgpool_forward, (
    Misconception(
        "max_for_mean",
        "Your output is the maximum of each window: that is max pooling. Here it is "
        "the mean: add all up, then divide by how many there are.",
        lambda x, size=2, stride=2: _pick(x, size, stride)[0]),
    Misconception(*_NOT_DIVIDED, _scaled(lambda size, stride: size**2)),
    Misconception(*_DIVIDED_BY_SIZE, _scaled(lambda size, stride: size)),
    Misconception(*_DIVIDED_BY_FOUR, _scaled(lambda size, stride: size**2 / 4)),
    Misconception(
        *_DIVIDED_BY_STRIDE, _scaled(lambda size, stride: size**2 / stride**2)),
    Misconception(
        *_STRIDE_FORGOTTEN, lambda x, size=2, stride=2: _mean(x, size, 1)),
    Misconception(*_STRIDE_SHRINKS, _means_of_stride_one),
    Misconception(
        *_STRIDE_IS_SIZE, lambda x, size=2, stride=2: _mean(x, size, size)),
    Misconception(
        *_SIZE_IS_STRIDE, lambda x, size=2, stride=2: _mean(x, stride, stride)),
    Misconception(*_ALWAYS_TWO, lambda x, size=2, stride=2: _mean(x, 2, 2)),
    Misconception(*_CHANNELS_TOGETHER, _mean_over_channels),
    Misconception(*_SWAPPED, lambda x, size=2, stride=2: _mean(
        x, size, stride).transpose(0, 2, 1, 3)),
    Misconception(*_LAST_MISSING, lambda x, size=2, stride=2: _no_last(
        _mean(x, size, stride))),
    Misconception(*_FIRST_IMAGE, lambda x, size=2, stride=2: _first_repeated(
        _mean(x, size, stride))),
    Misconception(*_FLOAT64, lambda x, size=2, stride=2: _mean(
        x, size, stride).astype(np.float64)),
    Misconception(*_FLOAT32, lambda x, size=2, stride=2: _mean(
        x, size, stride).astype(np.float32)),
))
_AVG_REFUSED = _pool_refused(
    avgpool_forward, _mean, _mean_of_cut_windows, lambda y: y)


def _shared(dy, x_shape, size, stride, write):
    """dx, written window by window: write(dx, n, window, dy of it)."""
    dx = np.zeros(x_shape, dy.dtype)
    for n, i, j in np.ndindex(dy.shape[:3]):
        window = (slice(i * stride, i * stride + size),
                  slice(j * stride, j * stride + size))
        write(dx, n, window, dy[n, i, j])
    return dx


def _shares(write):
    return lambda dy, x_shape, size=2, stride=2: _shared(
        dy, x_shape, size, stride,
        lambda dx, n, window, value: write(dx, n, window, value, size**2))


def _over_written(dx, n, window, value, count):
    dx[(n, *window)] = value / count


def _to_the_corner(dx, n, window, value, count):
    dx[n, window[0].start, window[1].start] += value


def _into_first_image(dx, n, window, value, count):
    dx[(0, *window)] += value / count


def _over_all_channels(dx, n, window, value, count):
    dx[(n, *window)] += value.sum() / count


def _back_scaled(factor):
    return lambda dy, x_shape, size=2, stride=2: avgpool_backward(
        dy, x_shape, size, stride) * dy.dtype.type(factor(size, stride))


def _windows_of_stride_one(dy, x_shape, size=2, stride=2):
    return _shared(dy, x_shape, size, 1, lambda dx, n, window, value:
                   dx.__setitem__((n, *window), dx[(n, *window)] + value / size**2))


def _by_coverage(dy, x_shape, size=2, stride=2):
    dx = avgpool_backward(dy, x_shape, size, stride)
    ones = avgpool_backward(np.ones_like(dy), x_shape, size, stride) * size**2
    return (dx / np.maximum(ones, 1)).astype(dy.dtype)


_AVG_BACK = (
    Misconception(
        "not_divided",
        "You give each number of a window all of its gradient. The mean divided by "
        "the number of numbers, and so each has only that part in y.",
        _back_scaled(lambda size, stride: size**2)),
    Misconception(*_DIVIDED_BY_SIZE, _back_scaled(lambda size, stride: size)),
    Misconception(*_DIVIDED_BY_FOUR, _back_scaled(lambda size, stride: size**2 / 4)),
    Misconception(
        *_DIVIDED_BY_STRIDE, _back_scaled(lambda size, stride: size**2 / stride**2)),
    Misconception(
        "overwritten",
        "Where windows overlap, a number is in several of them. You keep the share "
        "from the last one: add them up, += where you have =.",
        _shares(_over_written)),
    Misconception(
        "overlap_averaged",
        "Where windows overlap, you average the shares of a number. It has a part in "
        "each of those outputs, and their gradients add up.",
        _by_coverage),
    Misconception(
        "all_to_the_corner",
        "You give all of a window's gradient to its first number. Every number has "
        "the same part in the mean: share it among all of the window.",
        _shares(_to_the_corner)),
    Misconception(
        "stride_forgotten",
        "Your windows move by 1. The gradient of output row i belongs to the window "
        "that begins at row i*S of the image.",
        _windows_of_stride_one),
    Misconception(
        "first_image_takes_all",
        "You put the gradients of all images into image 0. Index the batch: what comes "
        "from dy[n] goes to dx[n].",
        _shares(_into_first_image)),
    Misconception(
        "channels_added_up",
        "You add up the gradients of all channels. Each channel was pooled alone: "
        "what comes from channel c goes to channel c.",
        _shares(_over_all_channels)),
    Misconception(
        "float64_returned",
        "The values are right, but you return float64 for float32 gradients. "
        "np.zeros makes float64 unless told otherwise: dtype=dy.dtype.",
        lambda dy, x_shape, size=2, stride=2: avgpool_backward(
            dy, x_shape, size, stride).astype(np.float64)),
    Misconception(
        "float32_always",
        "The values are right, but you return float32 for float64 gradients. "
        "Gradient checks need the full precision: dtype=dy.dtype.",
        lambda dy, x_shape, size=2, stride=2: avgpool_backward(
            dy, x_shape, size, stride).astype(np.float32)),
)

# --------------------------------------------------------------------------
# misconceptions: receptive fields


_LOOKS = (
    Misconception(
        "stride_forgotten",
        "You forget the stride: output i begins to look at number i*stride.",
        lambda start, stop, size, stride: (start, stop - 1 + size)),
    Misconception(
        "window_after_the_last",
        "Your last window is one too far. The last output is stop - 1: stop itself "
        "is not one of them.",
        lambda start, stop, size, stride: (start * stride, stop * stride + size)),
    Misconception(
        "size_forgotten",
        "You forget how long the last window is. From where it begins it reaches "
        "size numbers on, not stride numbers.",
        lambda start, stop, size, stride: (start * stride, stop * stride)),
    Misconception(
        "last_for_stop",
        "Your second number is the last that is seen. As in a slice, stop is one "
        "more: x[start:stop].",
        lambda start, stop, size, stride: (
            start * stride, (stop - 1) * stride + size - 1)),
)


def _jumps(strides):
    """How far apart two neighbours are, before each layer: 1, s1, s1*s2, ..."""
    return [math.prod(strides[:n]) for n in range(len(strides))]


def _field(grows, begin=1):
    """begin + the sum of grows(size, jump, stride, previous stride) by layer."""
    def wrong(sizes, strides):
        sizes, strides = tuple(sizes), tuple(strides)
        return begin + sum(map(
            grows, sizes, _jumps(strides), strides, (1, *strides)))
    return wrong


_RECEPTIVE = refusing(receptive_field, (
    Misconception(
        "sizes_added",
        "You add up the sizes. Two 3x3 layers see 5, not 6: the neighbours in "
        "between share most of what they see.",
        lambda sizes, strides: sum(sizes)),
    Misconception(
        "sizes_multiplied",
        "You multiply the sizes. Neighbours see nearly the same numbers, so that "
        "two 3x3 layers see 5, not 9.",
        lambda sizes, strides: math.prod(sizes)),
    Misconception(
        "strides_ignored",
        "You leave the strides out. Behind a stride of 2, neighbours are 2 numbers "
        "of the input apart, and each layer adds twice as much.",
        _field(lambda size, jump, stride, before: size - 1)),
    Misconception(
        "own_stride_counted",
        "You multiply by a layer's own stride before you add what it sees. How far "
        "apart the numbers are that a layer reads is decided by those before it.",
        _field(lambda size, jump, stride, before: (size - 1) * jump * stride)),
    Misconception(
        "last_stride_only",
        "You multiply by the stride of the layer before, and forget the earlier "
        "ones. Two strides of 2 make neighbours 4 apart.",
        _field(lambda size, jump, stride, before: (size - 1) * before)),
    Misconception(
        "layers_in_the_wrong_order",
        "You go through the layers in the wrong direction. The output comes from the "
        "last layer: begin with that one, and walk back to the first.",
        lambda sizes, strides: receptive_field(sizes[::-1], strides[::-1])),
    Misconception(
        "begins_with_zero",
        "You are one short. With no layer at all, a number still sees one number: "
        "itself.",
        _field(lambda size, jump, stride, before: (size - 1) * jump, begin=0)),
    Misconception(
        "whole_sizes",
        "Each layer of yours adds its whole size. A filter of size F reaches only "
        "F - 1 steps further than the one number it begins at.",
        _field(lambda size, jump, stride, before: size * jump)),
    Misconception(
        "last_layer_only",
        "You count what the last layer sees of the layer before. Follow each of "
        "those numbers further back, to the input.",
        lambda sizes, strides: sizes[-1] if sizes else 1),
    Misconception(
        "area",
        "You return how many pixels the square holds. What is asked for is its "
        "side: the numbers along one axis.",
        lambda sizes, strides: receptive_field(sizes, strides) ** 2),
))


def _as_far_as_both_go(sizes, strides):
    layers = min(len(sizes), len(strides))
    return receptive_field(sizes[:layers], strides[:layers])


def _nothing_checked(sizes, strides):
    if len(sizes) != len(strides):
        raise ValueError("refused")
    return _field(lambda size, jump, stride, before: (size - 1) * jump)(sizes, strides)


def _zeros_let_through(sizes, strides):
    if min((*sizes, *strides), default=0) < 0:
        raise ValueError("refused")
    return _nothing_checked(sizes, strides)


_RECEPTIVE_REFUSED = (
    Misconception(
        "longer_list_cut",
        "You accept lists of different length: zip stops silently where the shorter "
        "one ends. Every layer has a size and a stride: compare their numbers first.",
        _as_far_as_both_go),
    Misconception(
        "nothing_below_one_refused",
        "You accept sizes and strides below 1. A window holds at least one number "
        "and moves at least one further: look at each before you begin.",
        _nothing_checked),
    Misconception(
        "zero_accepted",
        "You refuse negative sizes and strides, but accept 0. A window of 0 numbers "
        "sees nothing, and one that moves by 0 never gets anywhere.",
        _zeros_let_through),
)

_FILTERS = (
    Misconception(
        "channels_mixed",
        "Your filters average over all channels as well. Pooling treats each channel "
        "alone: filter k has weights in channel k, and zeros elsewhere.",
        lambda channels, size: np.full(
            (channels, size, size, channels), 1 / (size**2 * channels), np.float32)),
    Misconception(
        "all_channels_added",
        "Your filters add all channels together. Pooling treats each channel alone: "
        "filter k has weights in channel k, and zeros elsewhere.",
        lambda channels, size: np.full(
            (channels, size, size, channels), 1 / size**2, np.float32)),
    Misconception(
        "sum_for_mean",
        "With your filters the layer adds each window up. It should average: the "
        "weights of a mean add up to 1.",
        lambda channels, size: average_filters(channels, size) * np.float32(size**2)),
    Misconception(
        "divided_by_size",
        "Your weights are 1/size: those of a window's one side. Count the weights "
        "that a whole window has: together they make 1.",
        lambda channels, size: average_filters(channels, size) * np.float32(size)),
    Misconception(
        "one_filter",
        "You return one filter. There is one for each channel of the output: the "
        "shape is (channels, size, size, channels).",
        lambda channels, size: average_filters(channels, size)[0]),
)

# --------------------------------------------------------------------------
# cases


def _times(shape) -> str:
    return "x".join(map(str, shape))


def _words(shape, **settings) -> str:
    """"2 images of 6x8x3, size 3, stride 2"."""
    text = [f"{shape[0]} image{'' if shape[0] == 1 else 's'} of {_times(shape[1:])}"]
    return ", ".join(text + [f"{name} {value}" for name, value in settings.items()])


def _normal(rng, shape, dtype=np.float32):
    return rng.normal(size=shape).astype(dtype)


def _positive(rng, shape, dtype=np.float32):
    return rng.uniform(0.1, 2, size=shape).astype(dtype)


def _small(rng, shape, dtype=np.float32):
    """Whole numbers from -3 to 3: to be read, and full of ties."""
    return rng.integers(-3, 4, size=shape).astype(dtype)


def _scattered(array):
    """The same numbers, with the channels first in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 1)), 1, -1)


def _with_zeros(rng, shape, dtype=np.float32):
    x = 2 * _normal(rng, shape, dtype)
    x.ravel()[rng.permutation(x.size)[:x.size // 6]] = 0
    return x


def _relu_arrays(rng):
    return [(f"{_words((2, 5, 7, 3))}, float32", _with_zeros(rng, (2, 5, 7, 3))),
            ("10 rows of 12 numbers, float64", _with_zeros(rng, (10, 12), np.float64)),
            ("not contiguous in memory", _scattered(_with_zeros(rng, (2, 3, 4, 5))))]


def _relu_cases(rng):
    return [Case(about, (x,)) for about, x in _relu_arrays(rng)]


def _relu_back_cases(rng):
    return [Case(about, (_normal(rng, x.shape, x.dtype), x))
            for about, x in _relu_arrays(rng)]


def _pool(rng, shape, draw=_positive, **settings) -> Case:
    return Case(_words(shape, **settings), (draw(rng, shape),), settings)


def _pool_cases(*sizes, draw=_positive):
    def cases(rng):
        return [_pool(rng, shape, draw, **(more[0] if more else {}))
                for shape, *more in sizes]
    return cases


def _all_negative(rng, shape):
    return -_positive(rng, shape)


def _all_equal(rng, shape):
    return np.full(shape, rng.normal(), np.float32)


def _both_signs_and_ties(rng, shape):
    """Small whole numbers, with each kind of tie in one channel's first windows."""
    x = _small(rng, shape)
    x[0, :2, :6, 0] = [[1, 5, 2, 3, -7, -1], [5, 0, 2, 3, -1, -7]]
    return x


def _tie_cases(rng):
    return [Case(f"{_words((1, 6, 8, 2))}: small whole numbers, with ties",
                 (_both_signs_and_ties(rng, (1, 6, 8, 2)),)),
            Case(f"{_words((2, 4, 6, 3))}: all negative",
                 (_all_negative(rng, (2, 4, 6, 3)),)),
            Case(f"{_words((1, 4, 8, 2))}: all equal",
                 (_all_equal(rng, (1, 4, 8, 2)),))]


def _dtype_cases(draw):
    def cases(rng):
        shape = (2, 6, 10, 3)
        return [
            Case(f"float64: {_words(shape)}", (draw(rng, shape, np.float64),)),
            Case(f"float32, not contiguous in memory: {_words(shape)}",
                 (_scattered(draw(rng, shape)),))]
    return cases


def _pool_refused_cases(rng):
    def case(about, shape, **settings):
        return Case(about, (_normal(rng, shape),), settings, refused=True)
    return [
        case("stride 2 does not fit 7 rows", (2, 7, 8, 3)),
        case("stride 2 does not fit 9 columns", (2, 8, 9, 3)),
        case("size 3, stride 3 on 9x8", (1, 9, 8, 2), size=3, stride=3),
        case("windows of 5x5 on 3 rows", (2, 3, 7, 2), size=5, stride=2),
    ]


def _max_back(rng, shape, draw=_normal, dtype=np.float32, **settings) -> Case:
    """dy and argmax of a pooled image whose maxima are shared where they can be."""
    x = draw(rng, shape, dtype)
    size, stride = settings.get("size", 2), settings.get("stride", 2)
    if size > stride:
        x[:, stride::2 * stride, stride::2 * stride] += 8
    y, argmax = maxpool_forward(x, size, stride)
    dy = draw(rng, y.shape, dtype)
    return Case(f"dy of {_words(y.shape)}; x was {_times(shape)}"
                + "".join(f", {name} {value}" for name, value in settings.items()),
                (dy, argmax, shape))


def _max_back_cases(*sizes):
    def cases(rng):
        return [_max_back(rng, shape, **(more[0] if more else {}))
                for shape, *more in sizes]
    return cases


def _max_back_dtypes(rng):
    wide = _max_back(rng, (2, 6, 10, 3), dtype=np.float64)
    dy, argmax, shape = _max_back(rng, (2, 6, 10, 3)).args
    return [replace(wide, about=f"float64: {wide.about}"),
            Case("float32, not contiguous in memory",
                 (_scattered(dy), _scattered(argmax), shape))]


def _avg_back(rng, shape, draw=_normal, dtype=np.float32, **settings) -> Case:
    size, stride = settings.get("size", 2), settings.get("stride", 2)
    out = (shape[0], *(positions(n, size, stride) for n in shape[1:3]), shape[3])
    return Case(f"dy of {_words(out)}; x was {_times(shape)}"
                + "".join(f", {name} {value}" for name, value in settings.items()),
                (draw(rng, out, dtype), shape), settings)


def _avg_back_cases(*sizes):
    def cases(rng):
        return [_avg_back(rng, shape, **(more[0] if more else {}))
                for shape, *more in sizes]
    return cases


def _avg_back_dtypes(rng):
    wide = _avg_back(rng, (2, 6, 10, 3), dtype=np.float64)
    dy, shape = _avg_back(rng, (2, 6, 10, 3)).args
    return [replace(wide, about=f"float64: {wide.about}"),
            Case("float32, not contiguous in memory", (_scattered(dy), shape))]


def _window(rng, draw, *shape) -> Case:
    return Case(f"a window of {_times(shape)}", (draw(rng, shape),))


def _tied_window(rng, *shape) -> Case:
    """The largest stands four times: first by rows, first by columns, last."""
    window = _small(rng, shape)
    window[0, 1:3] = window[1, 0] = window[-1, -1] = 5
    return Case(f"a window of {_times(shape)} with a tie", (window,))


def _slope_cases(rng):
    return [_window(rng, _normal, 2, 2), _window(rng, _all_negative, 3, 3),
            _tied_window(rng, 3, 3), _tied_window(rng, 2, 4)]


def _stack(*layers, refused=False) -> Case:
    """Layers as (size, stride)."""
    sizes, strides = tuple(zip(*layers, strict=True)) or ((), ())
    return Case(f"receptive_field({sizes}, {strides})", (sizes, strides), {}, refused)


THE_STACKS = (
    _stack((5, 1)), _stack((3, 1), (3, 1)), _stack((3, 1), (3, 1), (3, 1)),
    _stack((3, 1), (2, 2)), _stack((3, 1), (2, 2), (3, 1), (2, 2), (3, 1)),
    _stack())


def _field_cases(rng):
    drawn = []
    for count in (4, 6):
        sizes = rng.integers(2, 6, size=count).tolist()
        strides = [int(rng.integers(1, size + 1)) for size in sizes]
        drawn.append(_stack(*zip(sizes, strides, strict=True)))
    return [*THE_STACKS, _stack((5, 1), (2, 2), (3, 2), (3, 1)), *drawn]


def _field_refused(rng):
    sizes = tuple(rng.integers(2, 6, size=3).tolist())

    def case(sizes, strides):
        return Case(f"receptive_field({sizes}, {strides})", (sizes, strides),
                    refused=True)
    return [case(sizes, (1, 1)), case(sizes, (2, 1, 1, 1)),
            case((*sizes, 0), (1, 1, 2, 1)), case(sizes, (1, 0, 1)),
            case(sizes, (1, -1, 2))]


def _filter_cases(rng):
    channels, size = rng.integers((4, 3), (9, 6)).tolist()
    return [Case(f"{c} channels, windows of {f}x{f}", (c, f))
            for c, f in ((3, 2), (2, 3), (channels, size))]


# --------------------------------------------------------------------------
# speed


def _window_by_window(x, size=2, stride=2):
    """One numpy maximum a window, as a first version has it."""
    images, rows, columns, channels = x.shape
    y = np.empty((images, positions(rows, size, stride),
                  positions(columns, size, stride), channels), x.dtype)
    argmax = np.empty(y.shape, np.int64)
    for n, i, j, c in np.ndindex(y.shape):
        top, left = i * stride, j * stride
        window = x[n, top:top + size, left:left + size, c]
        row, column = divmod(int(window.argmax()), size)
        y[n, i, j, c] = window[row, column]
        argmax[n, i, j, c] = (top + row) * columns + left + column
    return y, argmax


_FAST_SHAPE = (8, 24, 32, 8)

# --------------------------------------------------------------------------
# the graded questions


def _max_question(name, points, checked, cases, **more) -> Question:
    more = {"misconceptions": _MAX, **more}
    return Question(f"maxpool_forward_{name}", "maxpool_forward", points, checked,
                    cases, maxpool_forward, **more)


def _max_back_question(name, points, checked, cases, **more) -> Question:
    return Question(f"maxpool_backward_{name}", "maxpool_backward", points, checked,
                    cases, maxpool_backward, _MAX_BACK, **more)


def _avg_back_question(name, points, checked, cases, **more) -> Question:
    return Question(f"avgpool_backward_{name}", "avgpool_backward", points, checked,
                    cases, avgpool_backward, _AVG_BACK, **more)


QUESTIONS = (
    Question("relu_forward_values", "relu_forward", 2,
             "numbers of both signs and 0, in arrays of two and four axes; the dtype "
             "is kept",
             _relu_cases, relu_forward, _RELU, dtype=True),
    Question("relu_backward_values", "relu_backward", 3,
             "gradients of both signs, where x is negative, 0 and positive; the "
             "dtype is kept",
             _relu_back_cases, relu_backward, _RELU_BACK, dtype=True),
    _max_question("values", 4, "y and argmax: windows of 2x2, stride 2, several "
                  "images and channels",
                  _pool_cases(((1, 4, 6, 1),), ((2, 6, 8, 3),), ((3, 8, 4, 2),))),
    _max_question("ties_and_negatives", 3, "windows of negative numbers alone, and "
                  "windows whose maximum is there twice",
                  _tie_cases),
    _max_question("windows", 3, "other sizes and strides: windows that overlap, and "
                  "windows with gaps between them",
                  _pool_cases(((2, 7, 9, 3), {"size": 3, "stride": 2}),
                              ((1, 8, 11, 2), {"size": 2, "stride": 3}),
                              ((2, 5, 6, 2), {"size": 3, "stride": 1}))),
    _max_question("dtypes_and_layouts", 2, "y has the dtype of x, argmax is int64, "
                  "and x need not be contiguous in memory",
                  _dtype_cases(_positive), dtype=True),
    _max_question("refuses", 1, "ValueError for a stride that does not fit and for a "
                  "window that is too large",
                  _pool_refused_cases, misconceptions=_MAX_REFUSED),
    _max_question("fast", 2, "at least five times as fast as one numpy maximum after "
                  "another (compiling not counted)",
                  _pool_cases((_FAST_SHAPE,)),
                  speed=Speed(lambda rng: _pool(rng, _FAST_SHAPE),
                              _window_by_window, times_slower=0.2)),
    Question("max_slopes_values", "max_slopes", 2,
             "windows of several sizes, of negative numbers, and with ties",
             _slope_cases, max_slopes, _SLOPES),
    _max_back_question("values", 3, "windows that do not overlap, several images and "
                       "channels",
                       _max_back_cases(((1, 4, 4, 1),), ((2, 6, 8, 3),),
                                       ((1, 9, 6, 2), {"size": 3, "stride": 3}))),
    _max_back_question("overlap", 3, "windows of 3x3, strides 2 and 1: one number may "
                       "be the maximum of several windows",
                       _max_back_cases(((2, 7, 9, 3), {"size": 3, "stride": 2}),
                                       ((1, 6, 5, 2), {"size": 3, "stride": 1}))),
    _max_back_question("dtypes_and_layouts", 1, "dx has the dtype of dy, and dy and "
                       "argmax need not be contiguous in memory",
                       _max_back_dtypes, dtype=True),
    Question("avgpool_forward_values", "avgpool_forward", 3,
             "windows of 2x2 and others, several images and channels",
             _pool_cases(((2, 6, 8, 3),), ((1, 7, 9, 2), {"size": 3, "stride": 2}),
                         ((2, 5, 6, 2), {"size": 3, "stride": 1}),
                         ((1, 8, 5, 2), {"size": 2, "stride": 3}), draw=_normal),
             avgpool_forward, _AVG),
    Question("avgpool_forward_dtypes_and_layouts", "avgpool_forward", 1,
             "y has the dtype of x, and x need not be contiguous in memory",
             _dtype_cases(_normal), avgpool_forward, _AVG, dtype=True),
    Question("avgpool_forward_refuses", "avgpool_forward", 1,
             "ValueError for a stride that does not fit and for a window that is too "
             "large",
             _pool_refused_cases, avgpool_forward, _AVG_REFUSED),
    _avg_back_question("values", 2, "windows that do not overlap, several images and "
                       "channels",
                       _avg_back_cases(((2, 6, 8, 3),), ((1, 8, 4, 1),))),
    _avg_back_question("overlap", 2, "windows of 3x3, strides 2 and 1: one number is "
                       "in several windows",
                       _avg_back_cases(((2, 7, 9, 3), {"size": 3, "stride": 2}),
                                       ((1, 6, 5, 2), {"size": 3, "stride": 1}))),
    _avg_back_question("dtypes_and_layouts", 1, "dx has the dtype of dy, and dy need "
                       "not be contiguous in memory",
                       _avg_back_dtypes, dtype=True),
    Question("receptive_field_values", "receptive_field", 5,
             "one layer, stacks of 3x3, stacks with pooling, and others drawn at "
             "random",
             _field_cases, receptive_field, _RECEPTIVE),
    Question("receptive_field_refuses", "receptive_field", 1,
             "ValueError where sizes and strides are not equally many, and where one "
             "is below 1",
             _field_refused, receptive_field, _RECEPTIVE_REFUSED),
    Question("average_filters_values", "average_filters", 3,
             "the filters with which a convolution layer is average pooling",
             _filter_cases, average_filters, _FILTERS, bonus=True),
)


# --------------------------------------------------------------------------
# the public checks: small whole numbers first, to be read and redone by hand


def _check_relu(rng):
    return [Case("a row of 7 numbers", (np.arange(-3, 4, dtype=np.float32),)),
            *_relu_cases(rng)[:2]]


def _check_relu_back(rng):
    x = np.array([-3, -1, 0, 1, 3, 2, -2], np.float32)
    dy = np.array([5, -4, 3, 2, -2, 1, 6], np.float32)
    return [Case("7 numbers", (dy, x)), *_relu_back_cases(rng)[:2]]


def _check_largest(rng):
    return [_window(rng, _small, 2, 2), _window(rng, _all_negative, 3, 3),
            _tied_window(rng, 3, 3), _window(rng, _normal, 2, 4)]


def _check_map(rng):
    ties = _both_signs_and_ties(rng, (1, 4, 6, 1))[0, :, :, 0]
    return [Case("an image of 4x6, size 2, stride 2", (ties, 2, 2)),
            Case("an image of 5x7, size 3, stride 2", (_normal(rng, (5, 7)), 3, 2)),
            Case("an image of 8x5, size 2, stride 3, all negative",
                 (_all_negative(rng, (8, 5)), 2, 3)),
            Case("an image of 5x4: 5 rows do not fit", (_normal(rng, (5, 4)), 2, 2),
                 refused=True),
            Case("an image of 3x7, windows of 5x5", (_normal(rng, (3, 7)), 5, 2),
                 refused=True)]


def _check_max(rng):
    return [Case("1 image of 4x6x1", (_both_signs_and_ties(rng, (1, 4, 6, 1)),)),
            *_pool_cases(((2, 6, 8, 3),), ((1, 7, 9, 2), {"size": 3, "stride": 2}),
                         ((1, 8, 5, 2), {"size": 2, "stride": 3}),
                         draw=_normal)(rng),
            *_dtype_cases(_normal)(rng), *_pool_refused_cases(rng)]


def _check_slopes(rng):
    return [_window(rng, _small, 2, 2), *_slope_cases(rng)[1:]]


def _check_max_back(rng):
    return [_max_back(rng, (1, 4, 4, 1), _small),
            *_max_back_cases(((2, 4, 6, 3),),
                             ((1, 7, 5, 2), {"size": 3, "stride": 2}))(rng),
            *_max_back_dtypes(rng)]


def _check_avg(rng):
    return [Case("1 image of 4x6x1", (_small(rng, (1, 4, 6, 1)),)),
            *_pool_cases(((2, 6, 8, 3),), ((1, 7, 9, 2), {"size": 3, "stride": 2}),
                         ((1, 5, 6, 2), {"size": 3, "stride": 1}),
                         ((1, 8, 5, 2), {"size": 2, "stride": 3}),
                         draw=_normal)(rng),
            *_dtype_cases(_normal)(rng), *_pool_refused_cases(rng)]


def _check_mean_slopes(rng):
    return [_window(rng, _small, 2, 2), _window(rng, _normal, 3, 4)]


def _check_avg_back(rng):
    return [_avg_back(rng, (1, 4, 6, 1), _small),
            *_avg_back_cases(((2, 4, 6, 3),),
                             ((1, 7, 5, 2), {"size": 3, "stride": 2}),
                             ((1, 5, 4, 2), {"size": 3, "stride": 1}))(rng),
            *_avg_back_dtypes(rng)]


def _check_looks(rng):
    return [Case(f"looks_at{args}", args) for args in
            ((0, 1, 5, 1), (0, 3, 3, 1), (2, 4, 2, 2), (1, 4, 3, 2))]


def _check_field(rng):
    return [*THE_STACKS, _stack((5, 1), (2, 2), (3, 2), (3, 1)), *_field_refused(rng)]


CHECKS = (
    Check("ps4/relu_forward", "relu_forward", _check_relu, relu_forward, _RELU,
          dtype=True),
    Check("ps4/relu_backward", "relu_backward", _check_relu_back, relu_backward,
          _RELU_BACK, dtype=True),
    Check("ps4/largest", "largest", _check_largest, largest, _LARGEST),
    Check("ps4/maxpool_map", "maxpool_map", _check_map, maxpool_map, _MAP),
    Check("ps4/maxpool_forward", "maxpool_forward", _check_max, maxpool_forward,
          _MAX + _MAX_REFUSED, dtype=True),
    Check("ps4/max_slopes", "max_slopes", _check_slopes, max_slopes, _SLOPES),
    Check("ps4/maxpool_backward", "maxpool_backward", _check_max_back,
          maxpool_backward, _MAX_BACK, dtype=True),
    Check("ps4/avgpool_forward", "avgpool_forward", _check_avg, avgpool_forward,
          _AVG + _AVG_REFUSED, dtype=True),
    Check("ps4/mean_slopes", "mean_slopes", _check_mean_slopes, mean_slopes,
          _MEAN_SLOPES),
    Check("ps4/avgpool_backward", "avgpool_backward", _check_avg_back,
          avgpool_backward, _AVG_BACK, dtype=True),
    Check("ps4/looks_at", "looks_at", _check_looks, looks_at, _LOOKS),
    Check("ps4/receptive_field", "receptive_field", _check_field, receptive_field,
          _RECEPTIVE + _RECEPTIVE_REFUSED),
    Check("ps4/average_filters", "average_filters", _filter_cases, average_filters,
          _FILTERS),
)
