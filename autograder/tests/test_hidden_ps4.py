"""The hidden tests of ps4_pooling are tested themselves.

Every known mistake loses exactly the points of what it breaks, and is told so by
its own name; every correct variant gets all of them.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit, prange
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter
from scipy.signal import correlate

from autograder import hidden
from autograder.hidden import ps4_pooling as ps4
from autograder.tests.trials import Trials, judge, of
from convlab import arithmetic
from convlab.gradcheck import check_gradients

QUESTIONS = hidden.questions("ps4_pooling")
WHEREVER_Y = "values ties_and_negatives windows dtypes_and_layouts fast"
POOLED = "values dtypes_and_layouts"
BACK = "values overlap dtypes_and_layouts"


def failing(questions: str, mistakes: str) -> dict[str, str]:
    """A row of the table for each of the mistakes."""
    return dict.fromkeys(mistakes.split(), questions)


# function: mistake: the questions it fails, without "<function>_" in front
FAILS = {
    "relu_forward": failing("values", """
        absolute_value negatives_kept step cut_off_at_one leaky negatives_dropped
        one_number float64_returned"""),
    "relu_backward": failing("values", """
        sign_of_dy both_signs times_y times_x slope_alone passed_at_zero half_at_zero
        passed_everywhere passed_where_negative float64_returned"""),
    "maxpool_forward": {
        "smallest": WHEREVER_Y, "mean_for_max": WHEREVER_Y,
        "largest_magnitude": "ties_and_negatives",
        "zero_to_begin_with": "ties_and_negatives",
        "zero_at_the_corner_to_begin_with": "ties_and_negatives",
        "last_of_a_tie": "ties_and_negatives",
        "columns_before_rows": "ties_and_negatives",
        "stride_forgotten": WHEREVER_Y, "stride_shrinks_only": WHEREVER_Y,
        "stride_is_size": "windows", "size_is_stride": "windows",
        "always_two_by_two": "windows",
        "windows_over_channels": WHEREVER_Y, "one_channel_left": WHEREVER_Y,
        "argmax_in_the_window": WHEREVER_Y, "argmax_of_the_corner": WHEREVER_Y,
        "argmax_by_the_height": WHEREVER_Y, "argmax_by_columns": WHEREVER_Y,
        "argmax_by_the_outputs_width": WHEREVER_Y,
        "argmax_counts_channels": WHEREVER_Y, "argmax_counts_images": WHEREVER_Y,
        "argmax_not_returned": WHEREVER_Y, "argmax_before_y": WHEREVER_Y,
        "rows_and_columns_swapped": WHEREVER_Y,
        "last_positions_missing": WHEREVER_Y, "first_image_repeated": WHEREVER_Y,
        "float64_returned": "dtypes_and_layouts",
        "float32_always": "dtypes_and_layouts",
        "argmax_is_a_float": "dtypes_and_layouts",
        "everything_float64": "dtypes_and_layouts",
        "floors_the_size": "refuses", "windows_cut_off": "refuses",
        "large_window_accepted": "refuses",
    },
    "max_slopes": failing("values", """
        all_of_a_tie tie_shared last_of_a_tie value_for_slope shared_by_all all_ones
        place_of_the_smallest"""),
    "maxpool_backward": {
        "overwritten": "overlap", "dy_forgotten": BACK,
        "first_image_takes_all": BACK, "every_channel_gets_it": BACK,
        "first_channel_takes_all": BACK, "row_and_column_mixed_up": BACK,
        "repeated_over_the_window": BACK, "left_flat": BACK,
        "float64_returned": "dtypes_and_layouts",
        "float32_always": "dtypes_and_layouts",
    },
    "avgpool_forward": {
        "max_for_mean": POOLED, "not_divided": POOLED, "divided_by_size": POOLED,
        "divided_by_four": "values", "divided_by_stride_squared": "values",
        "stride_forgotten": POOLED, "stride_shrinks_only": POOLED,
        "stride_is_size": "values", "size_is_stride": "values",
        "always_two_by_two": "values", "windows_over_channels": POOLED,
        "rows_and_columns_swapped": POOLED, "last_positions_missing": POOLED,
        "first_image_repeated": POOLED,
        "float64_returned": "dtypes_and_layouts",
        "float32_always": "dtypes_and_layouts",
        "floors_the_size": "refuses", "windows_cut_off": "refuses",
        "large_window_accepted": "refuses",
    },
    "avgpool_backward": {
        "not_divided": BACK, "divided_by_size": BACK,
        "divided_by_four": "overlap", "divided_by_stride_squared": "overlap",
        "overwritten": "overlap", "overlap_averaged": "overlap",
        "all_to_the_corner": BACK, "stride_forgotten": BACK,
        "first_image_takes_all": BACK, "channels_added_up": BACK,
        "float64_returned": "dtypes_and_layouts",
        "float32_always": "dtypes_and_layouts",
    },
    "receptive_field": failing("values", """
        sizes_added sizes_multiplied strides_ignored own_stride_counted
        last_stride_only layers_in_the_wrong_order begins_with_zero whole_sizes
        last_layer_only area""") | failing("refuses", """
        longer_list_cut nothing_below_one_refused zero_accepted"""),
    "average_filters": failing("values", """
        channels_mixed all_channels_added sum_for_mean divided_by_size
        one_filter"""),
}

# --- the oracles


def volume(*rows):
    return np.array(rows, np.float64).reshape(1, len(rows), -1, 1)


def test_the_max_oracle_on_a_picture_worked_by_hand():
    y, argmax = ps4.maxpool_forward(volume([1, 3, 2, 2], [3, 0, -1, 2]))
    assert y.ravel().tolist() == [3, 2]
    assert argmax.ravel().tolist() == [0 * 4 + 1, 0 * 4 + 2]  # the first of a tie
    assert argmax.dtype == np.int64


def test_the_average_oracle_on_a_picture_worked_by_hand():
    y = ps4.avgpool_forward(volume([1, 3, 2, 2], [3, 0, -1, 2]))
    assert y.ravel().tolist() == [(1 + 3 + 3 + 0) / 4, (2 + 2 - 1 + 2) / 4]


def test_the_backward_oracles_on_pictures_worked_by_hand():
    x = volume([0, 0, 5, 0, 0], [0, 9, 0, 1, 0], [0, 0, 0, 0, 7])
    y, argmax = ps4.maxpool_forward(x, size=3, stride=1)
    assert y.ravel().tolist() == [9, 9, 7]
    dx = ps4.maxpool_backward(volume([10, 20, 30]), argmax, x.shape)
    assert dx[0, :, :, 0].tolist() == [
        [0] * 5, [0, 10 + 20, 0, 0, 0], [0, 0, 0, 0, 30]]
    dx = ps4.avgpool_backward(volume([9, 18, 27]), x.shape, size=3, stride=1)
    assert dx[0, 0, :, 0].tolist() == [1, 1 + 2, 1 + 2 + 3, 2 + 3, 3]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3))
def test_the_forward_oracles_agree_with_scipy(seed, size, stride):
    rng = np.random.default_rng(seed)
    h, w = size + stride * rng.integers(0, 4, size=2)
    x = rng.integers(-9, 9, size=(2, h, w, 3)).astype(np.float64)
    y, argmax = ps4.maxpool_forward(x, size, stride)
    corner = (0, -(size // 2), -(size // 2), 0)  # windows begin there
    centred = maximum_filter(x, (1, size, size, 1), origin=corner, mode="nearest")
    np.testing.assert_array_equal(
        y, centred[:, :h - size + 1:stride, :w - size + 1:stride])
    flat = x.reshape(2, h * w, 3)
    found = np.take_along_axis(flat, argmax.reshape(2, -1, 3), axis=1)
    np.testing.assert_array_equal(found.reshape(y.shape), y)
    means = correlate(x, np.full((1, size, size, 1), 1 / size**2), "valid", "direct")
    np.testing.assert_allclose(ps4.avgpool_forward(x, size, stride),
                               means[:, ::stride, ::stride], 1e-12, 1e-12)


@pytest.mark.parametrize("size, stride", [(2, 2), (3, 2), (3, 1), (2, 3)])
def test_the_backward_oracles_agree_with_central_differences(size, stride):
    rng = np.random.default_rng(size + 7 * stride)
    x = rng.normal(size=(2, size + 2 * stride, size + stride, 2))
    for forward, backward in (
            (lambda x: ps4.maxpool_forward(x, size, stride)[0],
             lambda dy: ps4.maxpool_backward(
                 dy, ps4.maxpool_forward(x, size, stride)[1], x.shape)),
            (lambda x: ps4.avgpool_forward(x, size, stride),
             lambda dy: ps4.avgpool_backward(dy, x.shape, size, stride)),
            (ps4.relu_forward, lambda dy: ps4.relu_backward(dy, x))):
        dy = rng.normal(size=forward(x).shape)
        report = check_gradients(
            lambda x, dy=dy, forward=forward: np.sum(dy * forward(x)),
            {"x": x}, {"x": backward(dy)})
        assert report, str(report)


@pytest.mark.parametrize("slopes, function", [
    (ps4.max_slopes, np.max), (ps4.mean_slopes, np.mean)])
def test_the_slopes_agree_with_central_differences(slopes, function):
    window = np.random.default_rng(3).normal(size=(3, 4))
    assert check_gradients(function, {"a": window}, {"a": slopes(window)})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5).flatmap(
    lambda size: st.tuples(st.just(size), st.integers(1, size))), max_size=6))
def test_the_field_oracle_agrees_with_the_books_arithmetic(layers):
    sizes, strides = tuple(zip(*layers, strict=True)) or ((), ())
    books = arithmetic.receptive_field(
        arithmetic.Conv(1, size, stride) for size, stride in layers)
    assert (ps4.receptive_field(sizes, strides),) * 2 == books


def test_the_field_oracle_knows_the_lectures_neuron_and_stacks_of_3x3():
    assert ps4.receptive_field((5,), (1,)) == 5
    assert [ps4.receptive_field((3,) * n, (1,) * n) for n in (1, 2, 3)] == [3, 5, 7]


def test_convolution_with_the_filters_is_average_pooling():
    x = np.random.default_rng(0).normal(size=(1, 6, 9, 4))
    windows = sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::3, ::3]
    y = np.einsum("nijcpq,kpqc->nijk", windows, ps4.average_filters(4, 3))
    np.testing.assert_allclose(y, ps4.avgpool_forward(x, 3, 3), 1e-5, 1e-5)


# --- the cases


def arrays_of(function):
    return [[one for one in case.args if isinstance(one, np.ndarray)]
            for question in of(QUESTIONS, function).values()
            for case in question.cases(np.random.default_rng(0)) if not case.refused]


@pytest.mark.parametrize("function", [
    "maxpool_forward", "maxpool_backward", "avgpool_forward", "avgpool_backward"])
def test_a_students_kernel_is_compiled_for_few_signatures(function):
    seen = {tuple((one.dtype.str, one.ndim, one.flags.c_contiguous) for one in arrays)
            for arrays in arrays_of(function)}
    assert len(seen) == 3


@pytest.mark.parametrize("function", ["maxpool_forward", "avgpool_forward"])
def test_what_must_differ_differs(function):
    """Square, positive, one-image data would let wrong answers pass."""
    arrays = [x for x, in arrays_of(function)]
    assert any(len({x.shape[0], x.shape[1], x.shape[2], x.shape[3]}) == 4
               and x.shape[0] > 1 for x in arrays)
    assert any((x < 0).all() for x in arrays) or function == "avgpool_forward"
    assert any((x < 0).any() for x in arrays)
    assert any(not x.flags.c_contiguous for x in arrays)


@pytest.mark.parametrize("seed", range(10))
def test_every_overlap_shares_a_maximum_and_every_tie_question_has_ties(seed):
    cases = QUESTIONS["maxpool_backward_overlap"].cases(np.random.default_rng(seed))
    for case in cases:
        argmax = case.args[1][0, :, :, 0]
        assert len(np.unique(argmax)) < argmax.size
    x = QUESTIONS["maxpool_forward_ties_and_negatives"].cases(
        np.random.default_rng(seed))[0].args[0]
    for question, wrong in (("last", ps4._last), ("columns", ps4._by_columns)):
        right = ps4.maxpool_forward(x)[1]
        assert (ps4._pick(x, choose=wrong)[1] != right).any(), question


# --- the correct variants


def refuse_misfit(x, size, stride):
    rooms = [n - size for n in x.shape[1:3]]
    if min(rooms) < 0 or any(room % stride for room in rooms):
        raise ValueError("does not fit")
    return (len(x), *(room // stride + 1 for room in rooms), x.shape[3])


def max_by_windows(x, size=2, stride=2):
    y = np.empty(refuse_misfit(x, size, stride), x.dtype)
    argmax = np.zeros(y.shape, np.int64)
    for n, c, j, i in np.ndindex(*(y.shape[axis] for axis in (0, 3, 2, 1))):
        top, left = i * stride, j * stride
        window = x[n, top:top + size, left:left + size, c]
        row, column = np.unravel_index(np.argmax(window), window.shape)
        y[n, i, j, c] = window.max()
        argmax[n, i, j, c] = np.ravel_multi_index(
            (top + row, left + column), x.shape[1:3])
    return y, argmax


def max_by_offsets(x, size=2, stride=2):
    """Whole maps at a time: one step for each place inside of a window."""
    shape = refuse_misfit(x, size, stride)
    rows, columns = (stride * np.arange(n) for n in shape[1:3])
    y = np.full(shape, -np.inf, x.dtype)
    argmax = np.full(shape, -1, np.int64)
    for p in range(size):
        for q in range(size):
            here = x[:, rows + p][:, :, columns + q]
            pixel = (np.add.outer((rows + p) * x.shape[2], columns + q))[..., None]
            better = here > y
            y, argmax = np.where(better, here, y), np.where(better, pixel, argmax)
    return y, argmax


def max_by_sliding_windows(x, size=2, stride=2):
    n, rows, columns, c = refuse_misfit(x, size, stride)
    flat = sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]
    inside = flat.reshape(n, rows, columns, c, -1).argmax(axis=-1)
    row = stride * np.arange(rows)[:, None, None] + inside // size
    column = stride * np.arange(columns)[:, None] + inside % size
    return flat.max(axis=(-1, -2)), row * x.shape[2] + column


def max_in_float64(x, size=2, stride=2):
    y, argmax = max_by_windows(x.astype(np.float64), size, stride)
    return y.astype(x.dtype), argmax


def _fill(x, size, stride, y, argmax):
    for n in prange(y.shape[0]):
        for c in range(y.shape[3]):
            for i in range(y.shape[1]):
                for j in range(y.shape[2]):
                    best, place = -np.inf, -1
                    for row in range(i * stride, i * stride + size):
                        for column in range(j * stride, j * stride + size):
                            if x[n, row, column, c] > best:
                                best = x[n, row, column, c]
                                place = row * x.shape[2] + column
                    y[n, i, j, c], argmax[n, i, j, c] = best, place


def compiled_max(fill):
    def forward(x, size=2, stride=2):
        y = np.empty(refuse_misfit(x, size, stride), x.dtype)
        argmax = np.empty(y.shape, np.int64)
        fill(x, size, stride, y, argmax)
        return y, argmax
    return forward


def max_back_by_add_at(dy, argmax, x_shape):
    n, h, w, c = x_shape
    dx = np.zeros((n, h * w, c), dy.dtype)
    image, _, _, channel = np.indices(dy.shape)
    np.add.at(dx, (image, argmax, channel), dy)
    return dx.reshape(x_shape)


def max_back_by_bincount(dy, argmax, x_shape):
    n, h, w, c = x_shape
    image, _, _, channel = np.indices(dy.shape)
    at = (image * h * w + argmax) * c + channel
    dx = np.bincount(at.ravel(), dy.ravel(), n * h * w * c)
    return dx.reshape(x_shape).astype(dy.dtype)


def max_back_by_places(dy, argmax, x_shape):
    dx = np.zeros(x_shape, dtype=dy.dtype)
    for n, i, j, c in np.ndindex(dy.shape):
        row, column = divmod(argmax[n, i, j, c], x_shape[2])
        dx[n, row, column, c] += dy[n, i, j, c]
    return dx


@njit
def _scatter(dy, argmax, dx):
    for n in range(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for c in range(dy.shape[3]):
                    row, column = divmod(argmax[n, i, j, c], dx.shape[2])
                    dx[n, row, column, c] += dy[n, i, j, c]


def max_back_compiled(dy, argmax, x_shape):
    dx = np.zeros(x_shape, dy.dtype)
    _scatter(dy, argmax, dx)
    return dx


def mean_by_offsets(x, size=2, stride=2):
    """In place, from the last place in the window to the first."""
    shape = refuse_misfit(x, size, stride)
    y = np.zeros(shape, x.dtype)
    for p in reversed(range(size)):
        for q in range(size):
            y += x[:, p::stride, q::stride][:, :shape[1], :shape[2]]
    y /= size * size
    return y


def mean_by_sliding_windows(x, size=2, stride=2):
    refuse_misfit(x, size, stride)
    windows = sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]
    return windows.mean(axis=(4, 5))


def mean_by_running_sums(x, size=2, stride=2):
    refuse_misfit(x, size, stride)
    for axis in (1, 2):
        sums = np.cumsum(x, axis=axis, dtype=np.float64)
        sums = np.insert(sums, 0, 0, axis=axis)
        ends = np.arange(size, sums.shape[axis], stride)
        means = np.take(sums, ends, axis) - np.take(sums, ends - size, axis)
        x = (means / size).astype(x.dtype)
    return x


def mean_back_by_offsets(dy, x_shape, size=2, stride=2):
    dx = np.zeros(x_shape, dy.dtype)
    for p in range(size):
        for q in range(size):
            dx[:, p:p + stride * dy.shape[1]:stride,
               q:q + stride * dy.shape[2]:stride] += dy / (size * size)
    return dx


def mean_back_by_windows(dy, x_shape, size=2, stride=2):
    dx = np.zeros(x_shape, np.float64)
    for n, i, j, c in np.ndindex(dy.shape):
        dx[n, i * stride:i * stride + size,
           j * stride:j * stride + size, c] += dy[n, i, j, c] / size**2
    return dx.astype(dy.dtype)


@njit
def _gather(dy, size, stride, dx):
    """Each number of dx asks which windows it is in."""
    for n in range(dx.shape[0]):
        for row in range(dx.shape[1]):
            for column in range(dx.shape[2]):
                for i in range(dy.shape[1]):
                    for j in range(dy.shape[2]):
                        if (0 <= row - i * stride < size
                                and 0 <= column - j * stride < size):
                            for c in range(dx.shape[3]):
                                dx[n, row, column, c] += dy[n, i, j, c]


def mean_back_compiled(dy, x_shape, size=2, stride=2):
    dx = np.zeros(x_shape, dy.dtype)
    _gather(dy, size, stride, dx)
    return dx / dx.dtype.type(size**2)


def check_layers(sizes, strides):
    if len(sizes) != len(strides) or any(one < 1 for one in (*sizes, *strides)):
        raise ValueError("not a stack of layers")


def field_by_jumps(sizes, strides):
    check_layers(sizes, strides)
    field = jump = 1
    for size, stride in zip(sizes, strides, strict=True):
        field += (size - 1) * jump
        jump *= stride
    return field


def field_backwards(sizes, strides):
    check_layers(sizes, strides)
    field = 1
    for size, stride in list(zip(sizes, strides, strict=True))[::-1]:
        field = (field - 1) * stride + size
    return field


def field_recursive(sizes, strides):
    check_layers(sizes, strides)
    if not sizes:
        return np.int64(1)
    return field_recursive(sizes[:-1], strides[:-1]) + (
        sizes[-1] - 1) * np.prod(strides[:-1], dtype=int)


VARIANTS = {
    "relu by np.maximum": ("relu_forward", lambda x: np.maximum(x, 0)),
    "relu by a product": ("relu_forward", lambda x: x * (x > 0)),
    "relu by halves": ("relu_forward", lambda x: (x + np.abs(x)) / 2),
    "relu back by a product": ("relu_backward", lambda dy, x: dy * (x > 0)),
    "relu back by heaviside": (
        "relu_backward", lambda dy, x: dy * np.heaviside(x, x.dtype.type(0))),
    "max by windows": ("maxpool_forward", max_by_windows),
    "max by offsets": ("maxpool_forward", max_by_offsets),
    "max by sliding windows": ("maxpool_forward", max_by_sliding_windows),
    "max in float64": ("maxpool_forward", max_in_float64),
    "max, numba": ("maxpool_forward", compiled_max(njit(_fill))),
    "max, numba, parallel": (
        "maxpool_forward", compiled_max(njit(parallel=True)(_fill))),
    "slopes by argmax": ("max_slopes", lambda window: (
        np.arange(window.size) == np.argmax(window)).reshape(window.shape) * 1),
    "max back by add.at": ("maxpool_backward", max_back_by_add_at),
    "max back by bincount": ("maxpool_backward", max_back_by_bincount),
    "max back by places": ("maxpool_backward", max_back_by_places),
    "max back, numba": ("maxpool_backward", max_back_compiled),
    "mean by offsets": ("avgpool_forward", mean_by_offsets),
    "mean by sliding windows": ("avgpool_forward", mean_by_sliding_windows),
    "mean by running sums": ("avgpool_forward", mean_by_running_sums),
    "mean back by offsets": ("avgpool_backward", mean_back_by_offsets),
    "mean back by windows": ("avgpool_backward", mean_back_by_windows),
    "mean back, numba": ("avgpool_backward", mean_back_compiled),
    "field by jumps": ("receptive_field", field_by_jumps),
    "field backwards": ("receptive_field", field_backwards),
    "field by recursion": ("receptive_field", field_recursive),
    "filters by eye": ("average_filters", lambda channels, size: np.tile(
        np.eye(channels)[:, None, None, :], (1, size, size, 1)) / size**2),
}


class TestPooling(Trials):
    assignment = "ps4_pooling"
    points = 45
    fails = FAILS
    variants = VARIANTS


def test_the_public_checks_pass_the_variants_too():
    checks = hidden.checks("ps4_pooling").values()
    for function, written in VARIANTS.values():
        for check in checks:
            if check.function == function:
                assert judge(check, written).right, (check.name, written)
