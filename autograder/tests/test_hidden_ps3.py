"""The hidden tests of ps3_conv_backward are tested themselves.

The oracles agree with central differences of the forward oracle; every known
mistake loses exactly the points of what it breaks, and is told so by its own
name; every correct variant gets all of them.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit, prange
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from scipy.signal import convolve

from autograder import hidden
from autograder.hidden import ps3_conv_backward as ps3
from autograder.hidden.ps2_convolution import conv2d
from autograder.tests.trials import Trials, judge, of
from convlab.gradcheck import check_gradients

QUESTIONS = hidden.questions("ps3_conv_backward")

PARTS = "values stride_and_padding batch"
STRIDED = ("stride_ignored", "stride_along_rows_only")
PADDED = ("padding_at_the_end", "padding_at_the_start", "padding_repeats_the_edge",
          "padding_left_on", "padding_cut_at_the_end", "padding_cut_at_the_start",
          "padding_cut_along_rows_only")
BATCHED = ("averaged_over_the_batch", "last_image_only", "first_image_only",
           "images_add_up", "images_summed")
BIAS = ("averaged_over_the_batch", "averaged_over_everything",
        "averaged_over_the_positions", "first_image_only", "last_image_only",
        "one_number_for_the_layer", "one_for_each_image", "one_for_each_position",
        "axes_of_length_one_kept", "filters_added_up_instead_of_images",
        "dy_not_used")
FILTERS = (
    "averaged_over_the_batch", "averaged_over_the_positions", "last_image_only",
    "first_image_only", "last_position_only", "last_positions_missing",
    "dy_not_used", "filter_flipped", "stride_ignored", "stride_along_rows_only",
    "padding_at_the_end", "padding_at_the_start", "padding_repeats_the_edge",
    "first_channel_only", "channels_added_up", "first_filter_only",
    "all_filters_the_same", "filters_and_channels_swapped",
    "rows_and_columns_swapped")
INPUT = (
    "filter_flipped", "stride_ignored", "stride_along_rows_only",
    "padding_left_on", "padding_cut_at_the_end", "padding_cut_at_the_start",
    "padding_cut_along_rows_only", "overlaps_overwritten",
    "filters_and_overlaps_overwritten", "overlaps_averaged", "dy_not_used",
    "first_filter_only", "filters_averaged", "channels_added_up",
    "first_channel_only", "rows_and_columns_swapped", "images_add_up",
    "images_summed", "first_image_only", "averaged_over_the_batch")


def fails_of_a_part(name):
    """Which questions of dw, or dx, alone a mistake fails."""
    if name in STRIDED + PADDED:
        return "stride_and_padding batch"
    return "batch" if name in BATCHED else PARTS


def fails_of_all(name):
    """Which questions of the whole function a mistake in one part fails."""
    if name in PADDED:
        return "values"
    return "values dtypes_and_layouts" + (
        "" if name in STRIDED else " fast large_batch")


FAILS = {
    "conv2d_backward_bias": dict.fromkeys(BIAS, "values"),
    "row_backward_filter": dict.fromkeys(
        ("stride_ignored", "filter_flipped", "dy_not_used", "x_not_used", "averaged",
         "last_output_only", "last_output_missing"), "values"),
    "conv2d_backward_filters": {name: fails_of_a_part(name) for name in FILTERS},
    "row_matrix": dict.fromkeys(
        ("stride_ignored", "rows_at_every_place", "transposed", "filter_flipped",
         "every_row_the_first", "ones_instead_of_weights", "one_row_short"), "values"),
    "row_backward_input": dict.fromkeys(
        ("stride_ignored", "filter_flipped", "overlaps_overwritten",
         "overlaps_averaged", "dy_not_used", "first_weight_only",
         "last_output_missing"), "values"),
    "conv2d_backward_input": {name: fails_of_a_part(name) for name in INPUT},
    "conv2d_backward": {
        **{name: fails_of_all(name[3:]) for name in (
            "dx_filter_flipped", "dx_stride_ignored", "dx_stride_along_rows_only",
            "dx_padding_left_on", "dx_padding_cut_at_the_end",
            "dx_overlaps_overwritten", "dx_filters_and_overlaps_overwritten",
            "dx_channels_added_up", "dx_images_add_up", "dx_averaged_over_the_batch",
            "dw_filter_flipped", "dw_stride_ignored", "dw_stride_along_rows_only",
            "dw_padding_at_the_end", "dw_last_position_only", "dw_last_image_only",
            "dw_all_filters_the_same", "dw_averaged_over_the_positions",
            "dw_averaged_over_the_batch",
            "db_last_image_only", "db_one_number_for_the_layer",
            "db_one_for_each_image", "db_dy_not_used",
            "db_averaged_over_everything", "db_averaged_over_the_batch")},
        "stride_ignored_everywhere": "values dtypes_and_layouts",
        **dict.fromkeys(
            ("filters_flipped_everywhere", "averaged_everywhere",
             "parameters_averaged", "returned_in_reverse", "dw_before_dx",
             "db_forgotten"), "values dtypes_and_layouts fast large_batch"),
        "float64_returned": "dtypes_and_layouts",
        "float32_always": "dtypes_and_layouts",
        "dy_of_another_size_accepted": "refuses",
        "negative_padding_accepted": "refuses", "flat_filters_repeated": "refuses",
        "one_image_for_all": "refuses", "one_map_for_all": "refuses",
    },
    "conv2d_transpose": dict.fromkeys(
        ("bias_forgotten", "bias_for_each_filter", "stride_ignored",
         "padding_ignored", "padding_added", "filter_flipped",
         "zeros_after_the_last", "overlaps_overwritten", "first_filter_only"),
        "values"),
}


# --- the oracles


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 2))
def test_the_oracles_agree_with_central_differences(seed, stride, pad):
    rng = np.random.default_rng(seed)
    f = rng.integers(1, 4, size=2)
    n = np.maximum(f + stride * rng.integers(1, 3, size=2) - 2 * pad, 1)
    if ((n + 2 * pad - f) % stride).any() or (n + 2 * pad < f).any():
        return
    x, w = rng.normal(size=(2, *n, 2)), rng.normal(size=(3, *f, 2))
    b = rng.normal(size=3)
    dy = rng.normal(size=conv2d(x, w, b, stride, pad).shape)
    report = check_gradients(
        lambda x, w, b: np.sum(dy * conv2d(x, w, b, stride, pad)),
        {"x": x, "w": w, "b": b},
        dict(zip("xwb", ps3.conv2d_backward(dy, x, w, stride, pad), strict=True)))
    assert report, report


@pytest.mark.parametrize("stride, pad", [(1, 0), (1, 2), (2, 1), (3, 2)])
def test_dx_agrees_with_scipy(stride, pad):
    """A full convolution of each filter with dy, stride - 1 zeros between."""
    rng = np.random.default_rng(0)
    dy, w = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(5, 4, 5, 3))
    spread = np.zeros((2, 2 * stride + 1, 3 * stride + 1, 5))
    spread[:, ::stride, ::stride] = dy
    wide = sum(convolve(spread[..., k, np.newaxis], w[np.newaxis, k], method="direct")
               for k in range(5))
    dx = inside(wide, pad)
    np.testing.assert_allclose(
        ps3.input_gradient(dy, w, dx.shape, stride, pad), dx, 1e-9, 1e-9)


def test_the_oracles_on_a_sum_worked_by_hand():
    x = np.array([[1, 2, 0], [0, 1, 3]], float).reshape(1, 2, 3, 1)
    w = np.array([[1, -1], [2, 5]], float).reshape(1, 2, 2, 1)
    dy = np.array([[10, 100]], float).reshape(1, 1, 2, 1)
    dx, dw, db = ps3.conv2d_backward(dy, x, w)
    assert dx[0, :, :, 0].tolist() == [
        [10 * 1, 10 * -1 + 100 * 1, 100 * -1], [10 * 2, 10 * 5 + 100 * 2, 100 * 5]]
    assert dw[0, :, :, 0].tolist() == [
        [10 * 1 + 100 * 2, 10 * 2 + 100 * 0], [10 * 0 + 100 * 1, 10 * 1 + 100 * 3]]
    assert db.tolist() == [10 + 100]


def test_the_row_oracles_on_sums_worked_by_hand():
    x, w, dy = np.array([3.0, 1, 4, 1, 5]), np.array([2.0, 7, 0]), np.array([10.0, 100])
    assert ps3.row_matrix(w, 5, stride=2).tolist() == [
        [2, 7, 0, 0, 0], [0, 0, 2, 7, 0]]
    assert ps3.row_backward_filter(dy, x, 3, stride=2).tolist() == [
        10 * 3 + 100 * 4, 10 * 1 + 100 * 1, 10 * 4 + 100 * 5]
    assert ps3.row_backward_input(dy, w, 5, stride=2).tolist() == [
        10 * 2, 10 * 7, 10 * 0 + 100 * 2, 100 * 7, 100 * 0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4))
def test_back_through_a_row_is_the_transposed_matrix(seed, stride, f):
    rng = np.random.default_rng(seed)
    outputs = rng.integers(1, 5)
    n = (outputs - 1) * stride + f
    x, w, dy = rng.normal(size=n), rng.normal(size=f), rng.normal(size=outputs)
    matrix = ps3.row_matrix(w, n, stride)
    y = conv2d(ps3._line(x), ps3._line(w), np.zeros(1), stride)[0, 0, :, 0]
    np.testing.assert_allclose(matrix @ x, y, 1e-9, 1e-9)
    np.testing.assert_allclose(
        ps3.row_backward_input(dy, w, n, stride), matrix.T @ dy, 1e-9, 1e-9)


@pytest.mark.parametrize("stride, pad", [(1, 0), (2, 0), (2, 1), (3, 2)])
def test_the_transposed_convolution_is_the_convolution_turned_around(stride, pad):
    """<conv(z), x> = <z, transposed(x)> for any z and x: that defines it."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 4, 3, 5)), rng.normal(size=(5, 4, 5, 3))
    out = ps3.conv2d_transpose(x, w, np.zeros(3), stride, pad)
    assert out.shape[1:3] == (3 * stride + 4 - 2 * pad, 2 * stride + 5 - 2 * pad)
    z = rng.normal(size=out.shape)
    np.testing.assert_allclose(
        np.sum(conv2d(z, w, np.zeros(5), stride, pad) * x), np.sum(z * out))


# --- the cases


def test_a_students_kernel_is_compiled_for_few_signatures():
    seen = set()
    for question in of(QUESTIONS, "conv2d_backward").values():
        for case in question.cases(np.random.default_rng(0)):
            if not case.refused:
                seen.add(tuple((one.dtype.str, one.ndim, one.flags.c_contiguous)
                               for one in case.args))
    assert len(seen) == 3


def test_what_must_differ_differs():
    """Square, positive, one-image data would let wrong answers pass."""
    cases = [case for question in of(QUESTIONS, "conv2d_backward").values()
             for case in question.cases(np.random.default_rng(0)) if not case.refused]
    shapes = [(case.args[1].shape, case.args[2].shape) for case in cases]
    assert any(x[1] != x[2] and w[1] != w[2] and x[3] != w[0] != x[0] > 1
               for x, w in shapes)
    assert any(case.kwargs.get("stride", 1) not in (1, *w[1:3])
               for case, (_, w) in zip(cases, shapes, strict=True))
    assert all((one < 0).any() for case in cases for one in case.args)
    assert any(not one.flags.c_contiguous for case in cases for one in case.args)


def test_a_refusal_has_one_reason():
    """A dy that is refused would fit but for one thing."""
    for case in QUESTIONS["conv2d_backward_refuses"].cases(np.random.default_rng(0)):
        settings_ = {"stride": 1, "pad": 0, **case.kwargs}
        with pytest.raises(ValueError) as refused:
            ps3.refuse_misfits(*case.args, **settings_)
        assert str(refused.value).count(",") == 0


# --- the correct variants


def refuse_nonsense(dy, x, w, stride, pad):
    steps = np.array(x.shape[1:3]) + 2 * pad - w.shape[1:3]
    if pad < 0 or x.shape[3] != w.shape[3] or (steps < 0).any() or (
            steps % stride).any():
        raise ValueError("does not fit")
    if dy.shape != (len(x), *(steps // stride + 1), len(w)):
        raise ValueError("dy does not fit")


def padded(x, pad):
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def inside(wide, pad):
    return wide[:, pad:wide.shape[1] - pad, pad:wide.shape[2] - pad]


def by_outputs(dy, x, w, stride=1, pad=0):
    refuse_nonsense(dy, x, w, stride, pad)
    wide = padded(x, pad)
    dx, dw, db = np.zeros_like(wide), np.zeros_like(w), np.zeros_like(w[:, 0, 0, 0])
    for k, j, i, n in np.ndindex(dy.shape[::-1]):
        place = (n, slice(i * stride, i * stride + w.shape[1]),
                 slice(j * stride, j * stride + w.shape[2]))
        db[k] += dy[n, i, j, k]
        dw[k] += dy[n, i, j, k] * wide[place]
        dx[place] += dy[n, i, j, k] * w[k]
    return inside(dx, pad), dw, db


def by_filter_places(dy, x, w, stride=1, pad=0):
    """A loop over the places of the filter; whole maps at a time."""
    refuse_nonsense(dy, x, w, stride, pad)
    wide = padded(x, pad)
    dx, dw = np.zeros_like(wide), np.empty_like(w)
    rows, columns = ((n - 1) * stride + 1 for n in dy.shape[1:3])
    for p, q in np.ndindex(w.shape[1:3]):
        read = np.s_[:, p:p + rows:stride, q:q + columns:stride]
        dx[read] += dy @ w[:, p, q]
        dw[:, p, q] = np.tensordot(dy, wide[read], ((0, 1, 2), (0, 1, 2)))
    return inside(dx, pad), dw, dy.sum((0, 1, 2))


def by_convolution(dy, x, w, stride=1, pad=0):
    """dx as a convolution of dy, zeros between, with the filters turned around."""
    refuse_nonsense(dy, x, w, stride, pad)
    n, rows, columns, k = dy.shape
    fh, fw = w.shape[1:3]
    between = np.zeros((n, (rows - 1) * stride + 2 * fh - 1,
                        (columns - 1) * stride + 2 * fw - 1, k), dy.dtype)
    between[:, fh - 1:between.shape[1] - fh + 1:stride,
            fw - 1:between.shape[2] - fw + 1:stride] = dy
    windows = sliding_window_view(between, (fh, fw), (1, 2))
    dx = np.einsum("nijkpq,kpqc->nijc", windows, w[:, ::-1, ::-1])
    reads = sliding_window_view(padded(x, pad), (fh, fw), (1, 2))
    dw = np.einsum("nijk,nijcpq->kpqc", dy, reads[:, ::stride, ::stride])
    return inside(dx, pad), dw, np.einsum("nijk->k", dy)


def by_matrices_in_float64(dy, x, w, stride=1, pad=0):
    """im2col there and col2im back, in float64 inside."""
    refuse_nonsense(dy, x, w, stride, pad)
    wide = np.ascontiguousarray(padded(x, pad).astype(np.float64))
    grads = dy.astype(np.float64).reshape(-1, len(w))
    n, h, w_, c = wide.strides
    chunks = as_strided(
        wide, (*dy.shape[:3], *w.shape[1:]),
        (n, h * stride, w_ * stride, h, w_, c)).reshape(len(grads), -1)
    dw = (grads.T @ chunks).reshape(w.shape)
    back = (grads @ w.astype(np.float64).reshape(len(w), -1)).reshape(
        *dy.shape[:3], *w.shape[1:])
    dx = np.zeros_like(wide)
    for i, j in np.ndindex(dy.shape[1:3]):
        dx[:, i * stride:i * stride + w.shape[1],
           j * stride:j * stride + w.shape[2]] += back[:, i, j]
    return tuple(one.astype(x.dtype)
                 for one in (inside(dx, pad), dw, grads.sum(axis=0)))


def by_pixels(dy, x, w, stride=1, pad=0):
    """dx pixel by pixel: who has read it? Loops of a gather, no padding at all."""
    refuse_nonsense(dy, x, w, stride, pad)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j, p, q in np.ndindex(*dy.shape[1:3], *w.shape[1:3]):
        r, s = i * stride + p - pad, j * stride + q - pad
        if 0 <= r < x.shape[1] and 0 <= s < x.shape[2]:
            dx[:, r, s] += dy[:, i, j] @ w[:, p, q]
            dw[:, p, q] += dy[:, i, j].T @ x[:, r, s]
    return dx, dw, dy.sum(axis=(0, 1, 2), dtype=np.float64).astype(dy.dtype)


def _add_dx(dy, w, stride, dx):
    for n in prange(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for k in range(dy.shape[3]):
                    for p in range(w.shape[1]):
                        for q in range(w.shape[2]):
                            for c in range(w.shape[3]):
                                dx[n, i * stride + p, j * stride + q, c] += (
                                    dy[n, i, j, k] * w[k, p, q, c])


def _add_dw(dy, x, stride, dw):
    for k in prange(dw.shape[0]):
        for p in range(dw.shape[1]):
            for q in range(dw.shape[2]):
                for c in range(dw.shape[3]):
                    total = 0.0
                    for n in range(dy.shape[0]):
                        for i in range(dy.shape[1]):
                            for j in range(dy.shape[2]):
                                total += dy[n, i, j, k] * x[
                                    n, i * stride + p, j * stride + q, c]
                    dw[k, p, q, c] = total


def _add_dw_of_each_image(dy, x, stride, parts):
    """Each image has a dw of its own to write to; they are added up afterwards."""
    for n in prange(dy.shape[0]):
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                for k in range(dy.shape[3]):
                    for p in range(parts.shape[2]):
                        for q in range(parts.shape[3]):
                            for c in range(parts.shape[4]):
                                parts[n, k, p, q, c] += dy[n, i, j, k] * x[
                                    n, i * stride + p, j * stride + q, c]


def compiled(add_dx, add_dw, parts=False):
    def backward(dy, x, w, stride=1, pad=0):
        refuse_nonsense(dy, x, w, stride, pad)
        dy, w = np.ascontiguousarray(dy), np.ascontiguousarray(w)
        wide = np.ascontiguousarray(padded(x, pad))
        dx = np.zeros_like(wide)
        dw = np.zeros((len(x), *w.shape) if parts else w.shape, w.dtype)
        add_dx(dy, w, stride, dx)
        add_dw(dy, wide, stride, dw)
        return inside(dx, pad), dw.sum(axis=0) if parts else dw, dy.sum((0, 1, 2))
    return backward


PARALLEL_DX = njit(parallel=True)(_add_dx)


class TestTrials(Trials):
    assignment = "ps3_conv_backward"
    points = 45
    fails = FAILS
    variants = {
        name: ("conv2d_backward", function) for name, function in {
            "by outputs": by_outputs, "by filter places": by_filter_places,
            "by convolution": by_convolution, "by pixels": by_pixels,
            "matrices, float64 inside": by_matrices_in_float64,
            "numba": compiled(njit(_add_dx), njit(_add_dw)),
            "numba, parallel over filters": compiled(
                PARALLEL_DX, njit(parallel=True)(_add_dw)),
            "numba, a dw for each image": compiled(
                PARALLEL_DX, njit(parallel=True)(_add_dw_of_each_image), parts=True),
        }.items()
    } | {
        "bias by a product": ("conv2d_backward_bias", lambda dy: np.ones(
            dy[..., 0].size, dy.dtype) @ dy.reshape(-1, dy.shape[3])),
        "bias by three sums": ("conv2d_backward_bias", lambda dy: dy.sum(0).sum(
            0).sum(0)),
        "row filter by slices": ("row_backward_filter", lambda dy, x, f, stride=1:
            np.array([dy @ x[p:p + len(dy) * stride:stride][:len(dy)]
                      for p in range(f)])),
        "row matrix by an identity": ("row_matrix", lambda w, n, stride=1: sum(
            weight * np.eye(n)[p:n - len(w) + p + 1:stride]
            for p, weight in enumerate(w))),
        "row input by the matrix": ("row_backward_input",
            lambda dy, w, n, stride=1: ps3.row_matrix(w, n, stride).T @ dy),
        "row input by np.convolve": ("row_backward_input",
            lambda dy, w, n, stride=1: np.convolve(
                np.kron(dy, np.eye(stride)[0])[:(len(dy) - 1) * stride + 1], w)),
        "filters by places": ("conv2d_backward_filters",
            lambda dy, x, w_shape, stride=1, pad=0: by_filter_places(
                dy, x, np.zeros(w_shape, x.dtype), stride, pad)[1]),
        "input by convolution": ("conv2d_backward_input",
            lambda dy, w, x_shape, stride=1, pad=0: by_convolution(
                dy, np.zeros(x_shape, w.dtype), w, stride, pad)[0]),
        "transposed by pixels": ("conv2d_transpose",
            lambda x, w, b, stride=1, pad=0: by_pixels(
                x, np.zeros((len(x), *((n - 1) * stride + f - 2 * pad for n, f in zip(
                    x.shape[1:3], w.shape[1:3], strict=True)), w.shape[3])),
                w, stride, pad)[0] + b),
    }


def test_a_race_does_not_pass():
    """What a race may leave of dw, some images' shares lost, is wrong."""
    def some_lost(dy, x, w, stride=1, pad=0):
        dx, _, db = by_filter_places(dy, x, w, stride, pad)
        kept = dy * (np.arange(len(dy)) % 9 > 0)[:, None, None, None]
        return dx, by_filter_places(kept, x, w, stride, pad)[1], db

    for name in ("values", "fast", "large_batch"):
        assert not judge(QUESTIONS[f"conv2d_backward_{name}"], some_lost).right
