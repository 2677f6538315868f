"""The hidden tests of ps6_fast_convolution are tested themselves.

The oracles agree with sums worked by hand, with scipy and with central differences;
every known mistake loses exactly the points of what it breaks, and is told so by
its own name; every correct variant gets all of them.
"""

from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit, prange
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from scipy.signal import correlate

from autograder import hidden
from autograder.comparison import answer_of, judge_answers
from autograder.hidden import ps6_fast_convolution as ps6
from autograder.judge import judge
from autograder.sandbox import Limits
from autograder.tests.trials import Trials, of
from autograder.tests.walls import needs_sandbox, quick

QUESTIONS = hidden.questions("ps6_fast_convolution")

# --- what each mistake fails

EVERYWHERE = "values stride_and_padding dtypes_and_layouts"
STRIDED = "stride_and_padding"


def each(fails, *names):
    return dict.fromkeys(names, fails)


COSTS = each(
    "values", "additions_not_counted", "filters_not_counted", "one_image_counted",
    "numbers_instead_of_bytes", "float64_bytes", "columns_for_each_filter",
    "bytes_of_the_images", "chunks_without_depth", "stride_forgotten",
    "padding_forgotten")
COLUMNS = {
    **each(EVERYWHERE, "columns_channels_first", "chunk_rows_and_columns_swapped",
           "positions_column_by_column", "images_innermost", "matrix_transposed",
           "chunks_turned_around", "chunks_side_by_side", "last_positions_missing",
           "first_image_only"),
    **each(STRIDED, "stride_forgotten", "stride_along_rows_only",
           "stride_shrinks_only", "padding_forgotten", "padding_on_one_side",
           "image_in_the_corner", "padding_repeats_the_edge"),
    **each("dtypes_and_layouts", "float64_returned", "float32_always"),
}
LAYER = "values stride_and_padding batch dtypes_and_layouts thirty_times fast"
FORWARD = {
    **each(LAYER, "filters_cut_in_another_order", "columns_channels_first",
           "chunk_rows_and_columns_swapped", "filter_flipped",
           "positions_column_by_column", "output_cut_in_another_order",
           "output_sizes_swapped", "maps_before_rows", "matrix_returned",
           "bias_forgotten", "bias_by_position", "first_bias_for_all"),
    **each("batch dtypes_and_layouts thirty_times fast", "images_mixed_up",
           "first_image_only"),
    **each("stride_and_padding", "stride_forgotten"),
    **each("stride_and_padding fast", "padding_forgotten",
           "image_in_the_corner", "padding_repeats_the_edge"),
    **each("dtypes_and_layouts", "float64_returned", "float32_always"),
    **each("refuses", "floors_the_size", "negative_padding_crops",
           "depth_cut_to_fit"),
}
IMAGES = {
    **each(EVERYWHERE, "overlaps_overwritten", "later_positions_overwrite",
           "overlaps_averaged", "columns_channels_first",
           "chunk_rows_and_columns_swapped", "positions_column_by_column",
           "images_innermost", "last_positions_missing", "images_added_up"),
    **each(STRIDED, "padding_not_cut_off", "padding_cut_at_the_end",
           "stride_forgotten"),
    **each("dtypes_and_layouts", "float64_returned", "float32_always"),
}
BACKWARD = {
    **each(EVERYWHERE + " fast", "dw_transposed", "dw_not_reshaped",
           "dw_channels_first", "dw_averaged", "dw_of_the_last_image",
           "db_for_each_position", "db_for_each_image", "db_averaged",
           "gradients_in_another_order", "dx_overlaps_overwritten",
           "dx_filters_cut_in_another_order", "dx_filter_flipped",
           "dy_cut_in_another_order"),
    **each("stride_and_padding", "dw_stride_forgotten", "dx_stride_forgotten"),
    **each("stride_and_padding fast", "dx_padding_not_cut_off",
           "dx_padding_cut_at_the_end"),
    **each("dtypes_and_layouts", "float64_returned", "float32_always"),
}

# --- correct variants


def sizes(shape, f_h, f_w, stride, pad):
    found = []
    for n, f in zip(shape[1:3], (f_h, f_w), strict=True):
        if pad < 0 or n + 2 * pad < f or (n + 2 * pad - f) % stride:
            raise ValueError("does not fit")
        found.append((n + 2 * pad - f) // stride + 1)
    return found


def padded(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def columns_by_position(x, f_h, f_w, stride=1, pad=0):
    rows, across = sizes(x.shape, f_h, f_w, stride, pad)
    wide = padded(x, pad)
    return np.array([wide[n, i * stride:i * stride + f_h,
                          j * stride:j * stride + f_w].ravel()
                     for n in range(len(x)) for i in range(rows)
                     for j in range(across)])


def columns_by_place(x, f_h, f_w, stride=1, pad=0):
    rows, across = sizes(x.shape, f_h, f_w, stride, pad)
    wide = padded(x, pad)
    found = np.empty((len(x), rows, across, f_h, f_w, x.shape[3]), x.dtype)
    for p, q in np.ndindex(f_h, f_w):
        found[:, :, :, p, q] = wide[:, p:p + stride * rows:stride,
                                    q:q + stride * across:stride][:, :rows, :across]
    return found.reshape(len(x) * rows * across, -1)


def columns_by_windows(x, f_h, f_w, stride=1, pad=0):
    sizes(x.shape, f_h, f_w, stride, pad)
    windows = sliding_window_view(padded(x, pad), (f_h, f_w), (1, 2))
    windows = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(-1, f_h * f_w * x.shape[3])


def columns_by_strides(x, f_h, f_w, stride=1, pad=0):
    """Returned as a view wherever no copy is needed."""
    rows, across = sizes(x.shape, f_h, f_w, stride, pad)
    wide = np.ascontiguousarray(padded(x, pad))
    n, h, w, c = wide.strides
    return as_strided(wide, (len(x), rows, across, f_h, f_w, x.shape[3]),
                      (n, stride * h, stride * w, h, w, c)).reshape(
                          len(x) * rows * across, -1)


def columns_in_fortran_order(x, f_h, f_w, stride=1, pad=0):
    return np.asfortranarray(columns_by_windows(x, f_h, f_w, stride, pad))


def _copy_chunks(x, columns, rows, across, f_h, f_w, stride):
    for n in prange(x.shape[0]):
        for i in range(rows):
            for j in range(across):
                row = (n * rows + i) * across + j
                for p in range(f_h):
                    for q in range(f_w):
                        for c in range(x.shape[3]):
                            columns[row, (p * f_w + q) * x.shape[3] + c] = x[
                                n, i * stride + p, j * stride + q, c]


def columns_compiled(copy):
    def columns(x, f_h, f_w, stride=1, pad=0):
        size = sizes(x.shape, f_h, f_w, stride, pad)
        found = np.empty((len(x) * size[0] * size[1], f_h * f_w * x.shape[3]), x.dtype)
        copy(np.ascontiguousarray(padded(x, pad)), found, *size, f_h, f_w, stride)
        return found
    return columns


def images_by_position(columns, x_shape, f_h, f_w, stride=1, pad=0):
    rows, across = sizes(x_shape, f_h, f_w, stride, pad)
    chunks = columns.reshape(x_shape[0], rows, across, f_h, f_w, x_shape[3])
    wide = padded(np.zeros(x_shape, columns.dtype), pad)
    for n, i, j in np.ndindex(x_shape[0], rows, across):
        wide[n, i * stride:i * stride + f_h,
             j * stride:j * stride + f_w] += chunks[n, i, j]
    return wide[:, pad:pad + x_shape[1], pad:pad + x_shape[2]]


def images_by_place(columns, x_shape, f_h, f_w, stride=1, pad=0):
    rows, across = sizes(x_shape, f_h, f_w, stride, pad)
    chunks = columns.reshape(x_shape[0], rows, across, f_h, f_w, x_shape[3])
    wide = padded(np.zeros(x_shape, columns.dtype), pad)
    for q, p in np.ndindex(f_w, f_h):
        wide[:, p:p + stride * rows:stride,
             q:q + stride * across:stride][:, :rows, :across] += chunks[:, :, :, p, q]
    return wide[:, pad:wide.shape[1] - pad, pad:wide.shape[2] - pad].copy()


def images_by_counting(columns, x_shape, f_h, f_w, stride=1, pad=0):
    """np.bincount adds up, in float64, what has the same number."""
    n, h, w, c = x_shape
    numbers = np.arange(n * h * w * c, dtype=np.float64).reshape(x_shape) + 1
    where = columns_by_place(numbers, f_h, f_w, stride, pad).astype(np.int64)
    total = np.bincount(where.ravel(), columns.ravel(), minlength=numbers.size + 1)
    return total[1:].reshape(x_shape).astype(columns.dtype)


def images_by_matrix(columns, x_shape, f_h, f_w, stride=1, pad=0):
    """The transpose of the matrix that im2col is, for one image after another."""
    one = int(np.prod(x_shape[1:]))
    basis = np.eye(one).reshape(one, *x_shape[1:])
    matrix = columns_by_windows(basis, f_h, f_w, stride, pad).reshape(one, -1)
    flat = columns.reshape(x_shape[0], -1) @ matrix.T.astype(columns.dtype)
    return flat.reshape(x_shape)


def forward_with(columns):
    def forward(x, w, b, stride=1, pad=0):
        if x.shape[3] != w.shape[3]:
            raise ValueError("does not fit")
        size = sizes(x.shape, *w.shape[1:3], stride, pad)
        y = np.dot(columns(x, *w.shape[1:3], stride, pad), w.reshape(len(w), -1).T)
        y += b
        return y.reshape(len(x), *size, len(w))
    return forward


def forward_image_by_image(x, w, b, stride=1, pad=0):
    whole = forward_with(columns_by_windows)
    return np.concatenate([whole(one[np.newaxis], w, b, stride, pad) for one in x])


def forward_filters_first(x, w, b, stride=1, pad=0):
    """The other way around: filters times columns, in float64."""
    if x.shape[3] != w.shape[3]:
        raise ValueError("does not fit")
    size = sizes(x.shape, *w.shape[1:3], stride, pad)
    columns = columns_by_place(x.astype(float), *w.shape[1:3], stride, pad)
    y = w.reshape(len(w), -1).astype(float) @ columns.T + b[:, np.newaxis]
    return np.ascontiguousarray(y.T).reshape(len(x), *size, len(w)).astype(x.dtype)


def forward_without_columns(x, w, b, stride=1, pad=0):
    if x.shape[3] != w.shape[3]:
        raise ValueError("does not fit")
    rows, across = sizes(x.shape, *w.shape[1:3], stride, pad)
    wide, y = padded(x, pad), np.zeros((len(x), rows, across, len(w)), x.dtype)
    for p, q in np.ndindex(*w.shape[1:3]):
        y += wide[:, p:p + stride * rows:stride, q:q + stride * across:stride][
            :, :rows, :across] @ w[:, p, q].T
    return y + b


def forward_1x1_apart(x, w, b, stride=1, pad=0):
    if w.shape[1:3] == (1, 1) and stride == 1 and pad == 0 and x.shape[3] == w.shape[3]:
        return x @ w[:, 0, 0].T + b
    return forward_with(columns_by_windows)(x, w, b, stride, pad)


def forward_row_by_row(x, w, b, stride=1, pad=0):
    """A tile of columns at a time: those of one output row of one image."""
    if x.shape[3] != w.shape[3]:
        raise ValueError("does not fit")
    f_h, f_w = w.shape[1:3]
    rows, across = sizes(x.shape, f_h, f_w, stride, pad)
    wide, y = padded(x, pad), np.empty((len(x), rows, across, len(w)), x.dtype)
    for n, i in np.ndindex(len(x), rows):
        band = wide[n:n + 1, i * stride:i * stride + f_h]
        y[n, i] = columns_by_windows(band, f_h, f_w, stride) @ w.reshape(
            len(w), -1).T + b
    return y


def backward_by_products(dy, x, w, stride=1, pad=0):
    d, (f_h, f_w) = dy.reshape(-1, len(w)), w.shape[1:3]
    columns = columns_by_place(x, f_h, f_w, stride, pad)
    dx = images_by_place(d @ w.reshape(len(w), -1), x.shape, f_h, f_w, stride, pad)
    return dx, (d.T @ columns).reshape(w.shape), d.sum(axis=0)


def backward_with_a_row_of_ones(dy, x, w, stride=1, pad=0):
    """db as a product too; dw by the transposed product, transposed back."""
    d, (f_h, f_w) = dy.reshape(-1, len(w)), w.shape[1:3]
    columns = columns_by_strides(x, f_h, f_w, stride, pad)
    dx = images_by_position(d @ w.reshape(len(w), -1), x.shape, f_h, f_w, stride, pad)
    return (dx, (columns.T @ d).T.reshape(w.shape),
            np.ones(len(d), d.dtype) @ d)


def backward_image_by_image(dy, x, w, stride=1, pad=0):
    parts = [backward_by_products(d[np.newaxis], one[np.newaxis], w, stride, pad)
             for d, one in zip(dy, x, strict=True)]
    dx, dw, db = zip(*parts, strict=True)
    return np.concatenate(dx), sum(dw), sum(db)


def backward_in_float64(dy, x, w, stride=1, pad=0):
    found = backward_by_products(*(one.astype(float) for one in (dy, x, w)), stride,
                                 pad)
    return tuple(one.astype(x.dtype) for one in found)


def costs_by_formula(x_shape, w_shape, stride=1, pad=0):
    (n, _, _, c), (k, f_h, f_w, _) = x_shape, w_shape
    rows, across = sizes(x_shape, f_h, f_w, stride, pad)
    numbers = n * rows * across * f_h * f_w * c
    return numbers * k * 2, np.int64(numbers) * 4


class TestPs6(Trials):
    assignment = "ps6_fast_convolution"
    points = 45
    fails = {
        "layer_costs": COSTS,
        "im2col": COLUMNS,
        "conv2d_forward_gemm": FORWARD,
        "col2im": IMAGES,
        "conv2d_backward_gemm": BACKWARD,
    }
    variants = {
        "costs by the formula": ("layer_costs", costs_by_formula),
        "columns by position": ("im2col", columns_by_position),
        "columns by place": ("im2col", columns_by_place),
        "columns by windows": ("im2col", columns_by_windows),
        "columns by strides": ("im2col", columns_by_strides),
        "columns in Fortran order": ("im2col", columns_in_fortran_order),
        "columns, numba": ("im2col", columns_compiled(njit(_copy_chunks))),
        "columns, numba, parallel": (
            "im2col", columns_compiled(njit(parallel=True)(_copy_chunks))),
        "by position": ("conv2d_forward_gemm", forward_with(columns_by_position)),
        "by place": ("conv2d_forward_gemm", forward_with(columns_by_place)),
        "image by image": ("conv2d_forward_gemm", forward_image_by_image),
        "filters first, float64": ("conv2d_forward_gemm", forward_filters_first),
        "no columns at all": ("conv2d_forward_gemm", forward_without_columns),
        "1x1 apart": ("conv2d_forward_gemm", forward_1x1_apart),
        "tiles in the layer": ("conv2d_forward_gemm", forward_row_by_row),
        "images by position": ("col2im", images_by_position),
        "images by place": ("col2im", images_by_place),
        "images by counting": ("col2im", images_by_counting),
        "images by the transposed matrix": ("col2im", images_by_matrix),
        "products": ("conv2d_backward_gemm", backward_by_products),
        "a row of ones": ("conv2d_backward_gemm", backward_with_a_row_of_ones),
        "gradients image by image": ("conv2d_backward_gemm", backward_image_by_image),
        "gradients in float64": ("conv2d_backward_gemm", backward_in_float64),
        "row by row": ("conv2d_forward_tiled", forward_row_by_row),
    }


# --- the oracles


def test_the_columns_oracle_on_a_picture_read_by_hand():
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    assert ps6.im2col(x, 2, 2).tolist() == [
        [0, 1, 4, 5], [1, 2, 5, 6], [2, 3, 6, 7],
        [4, 5, 8, 9], [5, 6, 9, 10], [6, 7, 10, 11]]
    assert ps6.im2col(x, 3, 2, stride=2)[1].tolist() == [2, 3, 6, 7, 10, 11]
    assert ps6.im2col(x, 1, 2, pad=1)[6].tolist() == [0, 1]


def test_the_chunks_go_back_where_they_came_from():
    columns = np.arange(1.0, 9).reshape(2, 4)  # chunks 1 2 / 3 4 and 5 6 / 7 8
    assert ps6.col2im(columns, (1, 2, 3, 1), 2, 2)[0, :, :, 0].tolist() == [
        [1, 2 + 5, 6], [3, 4 + 7, 8]]
    ones = np.ones((4, 4))
    assert ps6.col2im(ones, (1, 3, 3, 1), 2, 2)[0, :, :, 0].tolist() == [
        [1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_the_costs_of_a_layer_counted_by_hand():
    flops, size = ps6.layer_costs((1, 32, 32, 3), (6, 5, 5, 3))
    assert flops == 2 * (28 * 28 * 6) * (5 * 5 * 3)
    assert size == 4 * (28 * 28) * (5 * 5 * 3)


sizes_that_fit = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2),
    st.integers(0, 3), st.integers(0, 2), st.integers(0, 2**32 - 1)).filter(
        lambda s: s[0] + s[2] * s[4] > 2 * s[3] and s[1] + s[2] * s[5] > 2 * s[3])


def drawn(sizes_and_seed):
    """x (2, H, W, 2), w (3, Fh, Fw, 2), b in float64, the stride, the padding."""
    f_h, f_w, stride, pad, down, across, seed = sizes_and_seed
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, f_h + stride * down - 2 * pad,
                         f_w + stride * across - 2 * pad, 2))
    return x, rng.normal(size=(3, f_h, f_w, 2)), rng.normal(size=3), stride, pad


@settings(max_examples=30, deadline=None)
@given(sizes_that_fit)
def test_the_forward_oracles_agree_with_scipy(sizes_and_seed):
    x, w, b, stride, pad = drawn(sizes_and_seed)
    expected = np.stack([np.stack(
        [correlate(image, one, "valid")[::stride, ::stride, 0] + bias
         for one, bias in zip(w, b, strict=True)], axis=2) for image in padded(x, pad)])
    for oracle in (ps6.conv2d, ps6.conv2d_by_fourier):
        np.testing.assert_allclose(oracle(x, w, b, stride, pad), expected, 1e-9, 1e-9)


@settings(max_examples=30, deadline=None)
@given(sizes_that_fit)
def test_the_images_oracle_is_the_adjoint_of_the_columns_oracle(sizes_and_seed):
    x, w, _, stride, pad = drawn(sizes_and_seed)
    columns = ps6.im2col(x, *w.shape[1:3], stride, pad)
    others = np.random.default_rng(0).normal(size=columns.shape)
    back = ps6.col2im(others, x.shape, *w.shape[1:3], stride, pad)
    np.testing.assert_allclose(np.vdot(columns, others), np.vdot(x, back), 1e-9, 1e-9)


@settings(max_examples=10, deadline=None)
@given(sizes_that_fit)
def test_the_backward_oracle_agrees_with_central_differences(sizes_and_seed):
    x, w, b, stride, pad = drawn(sizes_and_seed)
    dy = np.random.default_rng(1).normal(size=ps6.conv2d(x, w, b, stride, pad).shape)
    step = 1e-5
    for array, gradient in zip((x, w, b), ps6.conv2d_backward(dy, x, w, stride, pad),
                               strict=True):
        for place in np.ndindex(array.shape):
            usual, losses = array[place], []
            for shift in (step, -step):
                array[place] = usual + shift
                losses.append(np.vdot(dy, ps6.conv2d(x, w, b, stride, pad)))
            array[place] = usual
            assert np.isclose(gradient[place], (losses[0] - losses[1]) / (2 * step),
                              1e-6, 1e-6)


# --- the questions


@pytest.mark.parametrize("function", [
    "im2col", "conv2d_forward_gemm", "col2im", "conv2d_backward_gemm"])
def test_a_students_kernel_is_compiled_for_few_signatures(function):
    seen = set()
    for question in of(QUESTIONS, function).values():
        for case in question.cases(np.random.default_rng(0)):
            if not case.refused:
                seen.add(tuple((one.dtype.str, one.ndim, one.flags.c_contiguous)
                               for one in case.args if isinstance(one, np.ndarray)))
    assert len(seen) == 3


@pytest.mark.parametrize("function", ["conv2d_forward_gemm", "conv2d_backward_gemm"])
def test_what_must_differ_differs(function):
    """Square, positive, one-image data would let wrong answers pass."""
    cases = [case for question in of(QUESTIONS, function).values()
             for case in question.cases(np.random.default_rng(0)) if not case.refused]
    layers = [case.args[-3:-1] if function.endswith("forward_gemm")
              else case.args[1:] for case in cases]
    assert any(x.shape[1] != x.shape[2] and w.shape[1] != w.shape[2]
               and x.shape[3] != len(w) and len(x) > 1 for x, w in layers)
    assert any(case.kwargs.get("stride", 1) not in (1, *w.shape[1:3])
               for case, (_, w) in zip(cases, layers, strict=True))
    assert all((one < 0).any() for case in cases for one in case.args)
    assert any(not one.flags.c_contiguous for case in cases for one in case.args)


# --- speed


def timed_questions():
    return [name for name, one in QUESTIONS.items()
            if one.speed and one.function != "conv2d_forward_tiled"]


@pytest.mark.parametrize("name", timed_questions())
def test_the_baseline_does_the_same_work(name):
    """Its values are right on the timed input, so the ratio compares like with like."""
    question = QUESTIONS[name]
    case = question.speed.case(np.random.default_rng(0))
    answer = answer_of(question.speed.baseline, case)
    judged = judge_answers(question, [case], [answer])
    assert judged.right, judged.explanation


def one_float32_at_a_time(products):
    """The least precise way to add up: what a loop over single numbers does."""
    return np.add.accumulate(products.astype(np.float32), axis=0)[-1]


def test_rounding_of_long_sums_costs_nobody():
    rng = np.random.default_rng(0)
    products = rng.normal(size=(13 * 13 * 64, 500)) * rng.normal(size=500)
    off = np.abs(one_float32_at_a_time(products) - products.sum(axis=0)).max()
    assert off < ps6._LONG_SUMS


def test_the_reference_is_timed_on_as_many_threads_as_a_student_has(monkeypatch):
    seen = []

    class Watched:
        def __init__(self, threads):
            seen.append(threads)

        def __enter__(self):
            seen.append("in")

        def __exit__(self, *error):
            seen.append("out")

    monkeypatch.setattr(ps6, "at_most", Watched)
    ps6._reference(lambda: seen.append("runs"))()
    assert seen == [Limits().threads, "in", "runs", "out"]


def test_the_bonus_is_about_a_matrix_that_does_not_fit():
    speed = QUESTIONS["conv2d_forward_tiled_large"].speed
    case = speed.case(np.random.default_rng(0))
    _, size = ps6.layer_costs(case.args[0].shape, case.args[1].shape, **case.kwargs)
    assert size > 1.25 * Limits().memory
    assert sum(one.nbytes for one in case.args) < Limits().memory / 50


def asked_for_the_huge_image():
    """The bonus question, whoever is how fast."""
    question = QUESTIONS["conv2d_forward_tiled_large"]
    return replace(question, speed=replace(
        question.speed, baseline=lambda *args, **settings: 0.0, times_slower=1e9))


@needs_sandbox
@pytest.mark.parametrize("answer, points, says", [
    ("forward_row_by_row", 3, "2 of 2 cases right"),
    ("forward_with(columns_by_windows)", 0, "MemoryError"),
])
def test_the_bonus_is_for_who_never_holds_the_whole_matrix(
        answer, points, says, monkeypatch):
    quick(monkeypatch)
    functions = (sizes, padded, columns_by_windows, forward_with, forward_row_by_row)
    source = "\n".join([
        "import numpy as np",
        "from numpy.lib.stride_tricks import sliding_window_view",
        *map(inspect.getsource, functions), f"conv2d_forward_tiled = {answer}"])
    cell = {"cell_type": "code", "metadata": {}, "source": source}
    found = judge({"cells": [cell]}, [asked_for_the_huge_image()], seed=1)
    verdict, = found.verdicts.values()
    assert verdict.points == points
    assert says in verdict.explanation
