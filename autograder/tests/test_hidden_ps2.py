"""The hidden tests of ps2_convolution are tested themselves.

Every known mistake loses exactly the points of what it breaks, and is told so by
its own name; every correct variant gets all of them.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit, prange
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import correlate

from autograder import hidden, preview
from autograder.hidden import ps2_convolution as ps2
from autograder.questions import Case, Speed
from autograder.tests.trials import Trials, judge, of

QUESTIONS = hidden.questions("ps2_convolution")
EVERYWHERE = "values stride padding filters batch dtypes_and_layouts fast"

# function: mistake: the questions it fails, without "<function>_" in front
FAILS = {
    "output_size": {
        "padding_counted_once": "values", "padding_forgotten": "values",
        "first_position_forgotten": "values", "stride_forgotten": "values",
        "size_is_a_float": "values",
        "floors_the_size": "refuses", "fractional_size": "refuses",
        "negative_padding_accepted": "refuses", "large_filter_accepted": "refuses",
    },
    "conv_parameters": {
        "biases_not_counted": "values", "one_bias_for_the_layer": "values",
        "one_bias_for_each_channel": "values", "filters_without_depth": "values",
        "filters_and_channels_swapped": "values", "one_filter_counted": "values",
    },
    "one_number": {
        "bias_forgotten": "values", "bias_in_every_product": "values",
        "bias_for_each_channel": "values", "mean_instead_of_sum": "values",
        "filter_flipped": "values", "first_channel_only": "values",
        "one_number_for_each_channel": "values",
    },
    "activation_map": {
        "filter_flipped": "values", "bias_forgotten": "values",
        "bias_for_each_channel": "values", "first_channel_only": "values",
        "channels_averaged": "values", "mean_instead_of_sum": "values",
        "rows_and_columns_swapped": "values", "last_positions_missing": "values",
    },
    "conv2d_forward": {
        "filter_flipped": EVERYWHERE, "bias_forgotten": EVERYWHERE,
        "bias_for_each_channel": EVERYWHERE, "first_channel_only": EVERYWHERE,
        "channels_averaged": EVERYWHERE, "mean_instead_of_sum": EVERYWHERE,
        "rows_and_columns_swapped": EVERYWHERE, "last_positions_missing": EVERYWHERE,
        "maps_before_rows": EVERYWHERE,
        "stride_forgotten": "stride batch", "stride_along_rows_only": "stride batch",
        "stride_shrinks_only": "stride batch",
        "padding_forgotten": "padding batch", "padding_on_one_side": "padding batch",
        "padding_at_the_end": "padding batch",
        "padding_along_rows_only": "padding batch",
        "padding_repeats_the_edge": "padding batch",
        "first_bias_for_all": "filters batch dtypes_and_layouts fast",
        "maps_added_up": "filters batch dtypes_and_layouts fast",
        "first_filter_for_all": "filters batch dtypes_and_layouts fast",
        "images_add_up": "batch dtypes_and_layouts fast",
        "first_image_repeated": "batch dtypes_and_layouts fast",
        "first_image_only": "batch dtypes_and_layouts fast",
        "float64_returned": "dtypes_and_layouts",
        "float32_always": "dtypes_and_layouts",
        "floors_the_size": "refuses", "negative_padding_crops": "refuses",
        "depth_cut_to_fit": "refuses", "flat_filter_repeated": "refuses",
    },
    "dilate_filters": {
        "zeros_behind_the_last": "values", "weights_repeated": "values",
        "one_zero_too_many": "values", "pulled_apart_along_rows_only": "values",
        "channels_pulled_apart": "values", "float64_returned": "values",
    },
}

# --- the oracles


def test_the_size_oracle_counts_the_lectures_positions():
    assert [ps2.output_size(7, 3, s) for s in (1, 2)] == [5, 3]
    assert ps2.output_size(32, 5, 1, 2) == 32
    with pytest.raises(ValueError):
        ps2.output_size(7, 3, 3)


def test_the_parameter_oracle_knows_76_and_760():
    assert ps2.conv_parameters(3, 1, 5) == 5 * 5 * 3 + 1
    assert ps2.conv_parameters(3, 10, 5) == 10 * (5 * 5 * 3 + 1)


def test_the_convolution_oracle_on_a_sum_worked_by_hand():
    x = np.array([[1, 2, 0], [0, 1, 3]], float).reshape(1, 2, 3, 1)
    w = np.array([[1, -1], [2, 0]], float).reshape(1, 2, 2, 1)
    y = ps2.conv2d(x, w, np.array([10.0]))
    assert y[0, :, :, 0].tolist() == [
        [1 * 1 + 2 * -1 + 0 * 2 + 1 * 0 + 10, 2 * 1 + 0 * -1 + 1 * 2 + 3 * 0 + 10]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 2))
def test_the_convolution_oracle_agrees_with_scipy(seed, stride, pad):
    rng = np.random.default_rng(seed)
    size = rng.integers(1, 4, size=2)
    steps = rng.integers(pad, pad + 3, size=2)
    h, w_ = np.maximum(size + stride * steps - 2 * pad, 1)
    if any((n + 2 * pad - f) % stride or n + 2 * pad < f
           for n, f in zip((h, w_), size, strict=True)):
        return
    x, w, b = ps2._layer(rng, (2, h, w_, 3), (4, *size, 3), np.float64)
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    expected = np.stack([np.stack(
        [correlate(image, one, "valid")[::stride, ::stride, 0] + bias
         for one, bias in zip(w, b, strict=True)], axis=2) for image in wide])
    np.testing.assert_allclose(ps2.conv2d(x, w, b, stride, pad), expected, 1e-9, 1e-9)


def test_the_dilation_oracle_on_a_filter_pulled_apart_by_hand():
    w = np.array([[1, 2], [3, 4]], np.float32).reshape(1, 2, 2, 1)
    assert ps2.dilate_filters(w, 2)[0, :, :, 0].tolist() == [
        [1, 0, 2], [0, 0, 0], [3, 0, 4]]


def test_a_dilated_filter_reads_what_it_should():
    """The same numbers as the filter on every second row and column."""
    rng = np.random.default_rng(0)
    x, w, b = ps2._layer(rng, (2, 8, 10, 3), (4, 2, 3, 3), np.float64)
    apart = ps2.conv2d(x, ps2.dilate_filters(w, 2), b)
    np.testing.assert_allclose(apart[:, ::2, ::2], ps2.conv2d(x[:, ::2, ::2], w, b))


# --- the questions


def test_a_students_kernel_is_compiled_for_few_signatures():
    seen = set()
    for question in of(QUESTIONS, "conv2d_forward").values():
        for case in question.cases(np.random.default_rng(0)):
            if not case.refused:
                seen.add(tuple((one.dtype.str, one.ndim, one.flags.c_contiguous)
                               for one in case.args))
    assert len(seen) == 3


def test_what_must_differ_differs():
    """Square, positive, one-image data would let wrong answers pass."""
    cases = [case for question in of(QUESTIONS, "conv2d_forward").values()
             for case in question.cases(np.random.default_rng(0)) if not case.refused]
    shapes = [(case.args[0].shape, case.args[1].shape) for case in cases]
    assert any(x[1] != x[2] and w[1] != w[2] and x[3] != w[0] and x[0] > 1
               for x, w in shapes)
    assert any(case.kwargs.get("stride", 1) not in (1, *w[1:3])
               for case, (_, w) in zip(cases, shapes, strict=True))
    assert all((one < 0).any() for case in cases for one in case.args[:2])
    assert any(not one.flags.c_contiguous for case in cases for one in case.args)


# --- the correct variants


def refuse_nonsense(x, w, stride, pad):
    if pad < 0 or x.shape[3] != w.shape[3]:
        raise ValueError("does not fit")
    sizes = [(n + 2 * pad - f, stride)
             for n, f in zip(x.shape[1:3], w.shape[1:3], strict=True)]
    if any(room < 0 or room % step for room, step in sizes):
        raise ValueError("does not fit")
    return (len(x), *(room // step + 1 for room, step in sizes), len(w))


def padded(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def by_positions(x, w, b, stride=1, pad=0):
    y = np.zeros(refuse_nonsense(x, w, stride, pad), x.dtype)
    wide, (fh, fw) = padded(x, pad), w.shape[1:3]
    for i, j, n, k in np.ndindex(y.shape[1], y.shape[2], y.shape[0], y.shape[3]):
        chunk = wide[n, i * stride:i * stride + fh, j * stride:j * stride + fw]
        y[n, i, j, k] = np.dot(chunk.ravel(), w[k].ravel()) + b[k]
    return y


def by_filter_places(x, w, b, stride=1, pad=0):
    """Loops over the places of the filter; whole maps at a time, in place."""
    shape = refuse_nonsense(x, w, stride, pad)
    y = np.empty(shape, x.dtype)
    y[...] = b
    wide = padded(x, pad)
    for q in reversed(range(w.shape[2])):
        for p in range(w.shape[1]):
            part = wide[:, p:p + stride * shape[1]:stride,
                        q:q + stride * shape[2]:stride][:, :shape[1], :shape[2]]
            y += part @ w[:, p, q].T
    return y


def by_einsum(x, w, b, stride=1, pad=0):
    refuse_nonsense(x, w, stride, pad)
    windows = sliding_window_view(padded(x, pad), w.shape[1:3], (1, 2))
    return np.einsum("nijcpq,kpqc->nijk", windows[:, ::stride, ::stride], w) + b


def by_tensordot_in_float64(x, w, b, stride=1, pad=0):
    refuse_nonsense(x, w, stride, pad)
    windows = sliding_window_view(padded(x, pad).astype(float), w.shape[1:], (1, 2, 3))
    y = np.tensordot(windows[:, ::stride, ::stride, 0], w.astype(float),
                     ((3, 4, 5), (1, 2, 3)))
    return (y + b).astype(x.dtype)


def by_im2col(x, w, b, stride=1, pad=0):
    n, rows, columns, k = refuse_nonsense(x, w, stride, pad)
    wide = padded(x, pad)
    chunks = [wide[m, i * stride:i * stride + w.shape[1],
                   j * stride:j * stride + w.shape[2]].ravel()
              for m in range(n) for i in range(rows) for j in range(columns)]
    return (np.array(chunks) @ w.reshape(k, -1).T + b).reshape(n, rows, columns, k)


def with_1x1_apart(x, w, b, stride=1, pad=0):
    refuse_nonsense(x, w, stride, pad)
    if w.shape[1:3] == (1, 1) and pad == 0:
        return x[:, ::stride, ::stride] @ w[:, 0, 0].T + b
    return by_einsum(x, w, b, stride, pad)


def _fill(x, w, b, stride, y):
    for n in prange(y.shape[0]):
        for k in range(y.shape[3]):
            for j in range(y.shape[2]):
                for i in range(y.shape[1]):
                    total = 0.0
                    for c in range(w.shape[3]):
                        for p in range(w.shape[1]):
                            for q in range(w.shape[2]):
                                total += (x[n, i * stride + p, j * stride + q, c]
                                          * w[k, p, q, c])
                    y[n, i, j, k] = total + b[k]


def compiled(fill):
    def forward(x, w, b, stride=1, pad=0):
        y = np.empty(refuse_nonsense(x, w, stride, pad), x.dtype)
        fill(np.ascontiguousarray(padded(x, pad)), np.ascontiguousarray(w),
             np.ascontiguousarray(b), stride, y)
        return y
    return forward


VARIANTS = {
    "by positions": by_positions, "by filter places": by_filter_places,
    "einsum": by_einsum, "float64 inside": by_tensordot_in_float64,
    "im2col": by_im2col, "1x1 apart": with_1x1_apart,
    "numba": compiled(njit(_fill)),
    "numba, parallel": compiled(njit(parallel=True)(_fill)),
}


def dilated_one_by_one(w, dilation):
    k, rows, columns, c = w.shape
    apart = np.zeros_like(w, shape=(
        k, rows + (rows - 1) * (dilation - 1), columns + (columns - 1) * (dilation - 1),
        c))
    for p, q in np.ndindex(rows, columns):
        apart[:, p * dilation, q * dilation] = w[:, p, q]
    return apart


OTHERS = {
    "np.dot": ("one_number",
               lambda chunk, w, b: np.dot(chunk.ravel(), w.ravel()) + b),
    "in float64": ("one_number",
                   lambda chunk, w, b: np.float64(b) + (chunk * w).sum()),
    "a map by einsum": ("activation_map", lambda x, w, b: by_einsum(
        x[None], w[None], np.array([b]))[0, ..., 0]),
    "a map by scipy": ("activation_map", lambda x, w, b: sum(
        correlate(x[..., c], w[..., c], "valid") for c in range(x.shape[2])) + b),
    "dilated one by one": ("dilate_filters", dilated_one_by_one),
    "dilated by kron": ("dilate_filters", lambda w, dilation: np.kron(
        w, np.eye(dilation)[0].reshape(1, -1, 1, 1) * np.eye(dilation)[0].reshape(
            1, 1, -1, 1))[:, :dilation * (w.shape[1] - 1) + 1,
                          :dilation * (w.shape[2] - 1) + 1].astype(w.dtype)),
    "weights, then biases": ("conv_parameters", lambda channels, filters, size:
                             filters * size ** 2 * channels + filters),
}


class TestPs2(Trials):
    assignment = "ps2_convolution"
    points = 50
    fails = FAILS
    variants = OTHERS | {name: ("conv2d_forward", function)
                         for name, function in VARIANTS.items()}


def test_numpys_own_int_is_an_int():
    judged = judge(QUESTIONS["output_size_values"], lambda n, f, stride=1, pad=0:
                   np.int64((n + 2 * pad - f) // stride + 1))
    assert judged.right, judged.explanation


# --- the preview


def test_the_preview_says_what_grading_will_say(capsys):
    def floors(n, f, stride=1, pad=0):
        return (n + 2 * pad - f) // stride + 1

    assert preview.verdict("ps2_convolution", "output_size_values", floors) == 4
    assert preview.verdict("ps2_convolution", "output_size_refuses", floors) == 0
    said = capsys.readouterr().out
    assert "output_size_refuses: 0 of 5 cases right." in said
    assert "Hint: You round down" in said


@pytest.mark.parametrize("bound, enough", [(1e9, True), (1e-9, False)])
def test_the_preview_times_a_function_against_the_baseline(bound, enough, capsys):
    def wait():
        time.sleep(0.001)

    speed = Speed(lambda rng: Case("nothing"), wait, times_slower=bound, tries=2)
    assert preview._fast_enough(speed, wait, seed=0) is enough
    assert "baseline" in capsys.readouterr().out
