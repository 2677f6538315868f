"""The hidden tests of ps5_fully_connected are tested themselves.

The oracles agree with central differences and with sums worked by hand; every
known mistake loses exactly the points of what it breaks, and is told so by its own
name; every correct variant gets all of them.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy.special import logsumexp

from autograder import hidden
from autograder.hidden import ps5_fully_connected as ps5
from autograder.tests.trials import Trials, judge
from convlab.gradcheck import check_gradients

QUESTIONS = hidden.questions("ps5_fully_connected")
EVERYWHERE = "values dtypes_and_layouts stable"

DB = ("averaged_over_the_batch", "summed_over_the_units", "summed_over_everything",
      "examples_not_added_up", "first_example_only", "dy_not_used", "batch_axis_kept")
DW = ("transposed", "averaged_over_the_batch", "dy_not_turned",
      "summed_before_multiplying", "first_example_only", "dy_not_used", "x_not_used")
DX = ("weights_turned", "averaged_over_the_units", "averaged_over_the_batch",
      "dy_not_used", "weights_not_used", "first_unit_only", "examples_added_up")
UNSTABLE = ("not_shifted", "sum_not_shifted", "logarithm_of_zero",
            "kept_from_zero_by_1e07", "kept_from_zero_by_1e08",
            "kept_from_zero_by_1e10", "kept_from_zero_by_1e12")

# function: mistake: the questions it fails, without "<function>_" in front
FAILS = {
    "flatten": dict.fromkeys((
        "images_not_apart", "images_in_columns", "images_mixed", "channels_first",
        "columns_first", "last_axis_first", "channels_kept", "float64_returned"),
        "values"),
    "dense_parameters": dict.fromkeys((
        "biases_not_counted", "one_bias_for_the_layer", "bias_for_each_input",
        "weights_added_up", "one_unit_counted"), "values"),
    "dense_forward": dict.fromkeys((
        "weights_by_inputs_and_units", "bias_forgotten", "bias_subtracted",
        "bias_in_every_product", "first_bias_for_all", "mean_instead_of_sum",
        "units_in_rows", "first_example_repeated", "negative_scores_cut"),
        "values dtypes_and_layouts") | dict.fromkeys((
            "float64_returned", "float32_always"), "dtypes_and_layouts"
        ) | dict.fromkeys((
            "nothing_refused", "one_bias_stretched", "images_accepted"), "refuses"),
    "bias_gradient": dict.fromkeys(DB, "values"),
    "weight_gradient": dict.fromkeys(DW, "values"),
    "input_gradient": dict.fromkeys(DX, "values"),
    "dense_backward": dict.fromkeys(
        [f"{of}_{name}" for of, names in (("db", DB), ("dw", DW), ("dx", DX))
         for name in names] + ["all_averaged", "dx_comes_last", "dw_before_dx",
                               "db_before_dw", "float64_returned", "float32_always"],
        "values"),
    "softmax": dict.fromkeys((
        "over_the_batch", "over_everything", "over_everything_unshifted",
        "keepdims_missing", "not_divided", "exponentials_returned", "powers_of_two",
        "no_exponential", "logarithms_returned"), "values stable") | dict.fromkeys((
            "not_shifted", "one_maximum_for_all", "shifted_by_the_mean",
            "shifted_by_the_smallest"), "stable"),
    "cross_entropy": dict.fromkeys((
        "summed", "sign", "base_two", "base_ten", "over_the_batch",
        "score_of_the_label", "logarithm_forgotten", "mean_before_logarithm",
        "largest_probability", "all_classes", "divided_by_the_classes_too",
        "labels_counted_from_one"), "values stable") | dict.fromkeys(
            UNSTABLE, "stable"),
    "softmax_cross_entropy": dict.fromkeys((
        "loss_summed", "loss_sign", "loss_base_two", "loss_mean_before_logarithm",
        "loss_divided_by_the_classes_too", "nothing_averaged", "gradient_not_divided",
        "gradient_divided_by_the_classes_too", "label_not_subtracted",
        "probabilities_returned", "one_subtracted_everywhere",
        "gradient_at_the_label_only", "gradient_by_probability", "gradient_sign",
        "over_the_batch", "labels_counted_from_one", "gradient_comes_first"),
        EVERYWHERE) | dict.fromkeys((
            "float64_returned", "float32_always"), "dtypes_and_layouts"
        ) | dict.fromkeys((*UNSTABLE, "gradient_not_shifted"), "stable"
        ) | dict.fromkeys((
            "nothing_refused", "negative_label_accepted", "large_label_not_refused",
            "number_of_labels_not_looked_at", "range_not_looked_at"), "refuses"),
    "smoothed_cross_entropy": dict.fromkeys((
        "smoothing_ignored", "gradient_of_hard_labels", "loss_of_hard_labels",
        "shared_by_the_others", "more_than_one_in_all", "whole_smoothing_for_each",
        "gradient_not_divided"), "values"),
}

# --- the oracles


def test_the_stretching_goes_row_by_row_and_the_channel_runs_fastest():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    assert ps5.flatten(x).tolist() == [list(range(12))]
    assert ps5.flatten(np.zeros((2, 32, 32, 3))).shape == (2, 3072)


def test_the_lectures_layer_has_30730_parameters():
    assert ps5.dense_parameters(3072, 10) == 10 * 3072 + 10
    assert ps5.dense_parameters(5 * 5 * 3, 10) == 760


def test_the_dense_oracle_on_sums_worked_by_hand():
    x = np.array([[1.0, 2, 3], [0, -1, 1]])
    w, b = np.array([[1.0, 0, 2], [-1, 1, 0]]), np.array([10.0, 20])
    assert ps5.dense(x, w, b).tolist() == [
        [1 * 1 + 2 * 0 + 3 * 2 + 10, 1 * -1 + 2 * 1 + 3 * 0 + 20],
        [0 * 1 + -1 * 0 + 1 * 2 + 10, 0 * -1 + -1 * 1 + 1 * 0 + 20]]


def test_the_loss_oracle_on_values_worked_by_hand():
    even = np.zeros((2, 10))
    assert ps5.cross_entropy(even, np.array([3, 7])) == pytest.approx(math.log(10))
    scores = np.log([[1.0, 3.0], [4.0, 1.0]])  # probabilities 1/4, 3/4; 4/5, 1/5
    loss, gradient = ps5.softmax_cross_entropy(scores, np.array([1, 1]))
    assert loss == pytest.approx((math.log(4 / 3) + math.log(5)) / 2)
    np.testing.assert_allclose(gradient, [
        [(1 / 4) / 2, (3 / 4 - 1) / 2], [(4 / 5) / 2, (1 / 5 - 1) / 2]])


def test_the_dense_gradients_agree_with_central_differences():
    rng = np.random.default_rng(3)
    x, w, b = ps5._layer(rng, 5, 7, 4, np.float64)
    dy = rng.normal(size=(5, 4))
    found = check_gradients(
        lambda x, w, b: np.sum(dy * ps5.dense(x, w, b)), {"x": x, "w": w, "b": b},
        dict(zip("xwb", ps5.dense_backward(dy, x, w), strict=True)))
    assert found, str(found)


@pytest.mark.parametrize("more, function", [
    ((), ps5.softmax_cross_entropy), ((0.2,), ps5.smoothed_cross_entropy)])
def test_the_loss_gradients_agree_with_central_differences(more, function):
    rng = np.random.default_rng(4)
    scores, labels = 2 * rng.normal(size=(6, 5)), rng.integers(5, size=6)
    found = check_gradients(
        lambda scores: function(scores, labels, *more)[0], {"scores": scores},
        {"scores": function(scores, labels, *more)[1]})
    assert found, str(found)


def test_without_smoothing_both_losses_are_the_same():
    case = ps5._labelled(np.random.default_rng(0), 5, 4)
    hard, soft = (ps5.softmax_cross_entropy(*case.args),
                  ps5.smoothed_cross_entropy(*case.args, 0.0))
    assert soft[0] == pytest.approx(hard[0])
    np.testing.assert_allclose(soft[1], hard[1], 1e-6, 1e-7)


# --- the questions


def cases_of(function):
    return [case for question in QUESTIONS.values() if question.function == function
            for case in question.cases(np.random.default_rng(0)) if not case.refused]


def test_what_must_differ_differs():
    """Square layers and single examples would let wrong answers pass."""
    sizes = [(*case.args[0].shape, len(case.args[1]))
             for case in cases_of("dense_forward")]
    assert any(len({n, d, k}) == 3 and n > 1 for n, d, k in sizes)
    sizes = [(*case.args[1].shape, len(case.args[2]))
             for case in cases_of("dense_backward")]
    assert any(len({n, d, k}) == 3 and n > 1 for n, d, k in sizes)
    shapes = [case.args[0].shape for case in cases_of("flatten")]
    assert any(len(set(shape)) == 4 for shape in shapes)
    assert any(not one.flags.c_contiguous for case in cases_of("dense_backward")
               for one in case.args)


def test_every_batch_has_its_first_and_its_last_class():
    for case in cases_of("softmax_cross_entropy"):
        if "below" not in case.about and len(case.args[0]) > 1:
            scores, labels = case.args
            assert {0, scores.shape[1] - 1} <= set(labels.tolist())


def test_a_students_kernel_is_compiled_for_few_signatures():
    for function in ("dense_forward", "dense_backward", "softmax_cross_entropy"):
        seen = {tuple((one.dtype.str, one.ndim, one.flags.c_contiguous)
                      for one in case.args) for case in cases_of(function)}
        assert len(seen) <= 3


# --- the correct variants


def refuse_misfits(x, w, b):
    if x.ndim != 2 or x.shape[1] != w.shape[1] or b.shape != w.shape[:1]:
        raise ValueError("does not fit")


def careful(function):
    def forward(x, w, b):
        refuse_misfits(x, w, b)
        return function(x, w, b)
    return forward


def forward_by_numbers(x, w, b):
    y = np.zeros((len(x), len(w)), x.dtype)
    for n, k in np.ndindex(y.shape):
        y[n, k] = sum(x[n, d] * w[k, d] for d in range(x.shape[1])) + b[k]
    return y


def forward_in_place(x, w, b):
    y = np.empty((len(x), len(w)), x.dtype)
    y[...] = b
    for d in reversed(range(x.shape[1])):
        y += np.outer(x[:, d], w[:, d])
    return y


def backward_by_numbers(dy, x, w):
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(len(w), dy.dtype)
    for n, k in np.ndindex(dy.shape):
        dx[n] += dy[n, k] * w[k]
        dw[k] += dy[n, k] * x[n]
        db[k] += dy[n, k]
    return dx, dw, db


def backward_in_float64(dy, x, w):
    wide = dy.astype(np.float64)
    return tuple(one.astype(x.dtype) for one in
                 (wide @ w, (x.T @ wide).T, np.ones(len(dy)) @ wide))


@njit
def _compiled_backward(dy, x, w):
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(len(w), dy.dtype)
    for n in range(dy.shape[0]):
        for k in range(dy.shape[1]):
            db[k] += dy[n, k]
            for d in range(x.shape[1]):
                dx[n, d] += dy[n, k] * w[k, d]
                dw[k, d] += dy[n, k] * x[n, d]
    return dx, dw, db


def compiled_backward(dy, x, w):
    return _compiled_backward(*map(np.ascontiguousarray, (dy, x, w)))


def softmax_by_rows(scores):
    rows = []
    for row in scores:
        largest = max(row)
        parts = [math.exp(one - largest) for one in row]
        rows.append([part / math.fsum(parts) for part in parts])
    return np.array(rows, scores.dtype)


def softmax_in_place(scores):
    p = scores.copy()
    p -= np.amax(p, axis=1)[:, np.newaxis]
    np.exp(p, out=p)
    p /= p.sum(axis=1)[:, np.newaxis]
    return p


def softmax_by_logarithms(scores):
    return np.exp(scores - logsumexp(scores, axis=1, keepdims=True))


def refuse_labels(scores, labels):
    n, k = scores.shape
    if labels.shape != (n,) or not ((labels >= 0) & (labels < k)).all():
        raise ValueError("does not fit")


def loss_by_one_hot(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    chances = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    hot = (np.arange(scores.shape[1]) == labels[:, np.newaxis]).astype(scores.dtype)
    return -np.sum(hot * chances) / len(scores), (np.exp(chances) - hot) / len(scores)


def loss_by_examples(scores, labels):
    loss, gradient = 0.0, np.zeros_like(scores)
    for n, label in enumerate(labels):
        lowered = scores[n] - scores[n, label]
        top = lowered.max()
        parts = np.exp(lowered - top)
        loss += (top + np.log(parts.sum())) / len(scores)
        gradient[n] = parts / parts.sum() / len(scores)
        gradient[n, label] -= 1 / len(scores)
    return float(loss), gradient


def loss_in_float64(scores, labels):
    rows, wide = np.arange(len(scores)), scores.astype(np.float64)
    total = logsumexp(wide, axis=1)
    gradient = np.exp(wide - total[:, np.newaxis])
    gradient[rows, labels] -= 1
    gradient /= len(rows)
    return np.mean(total - wide[rows, labels]), gradient.astype(scores.dtype)


@njit
def _compiled_loss(scores, labels, gradient):
    loss = 0.0
    for n in range(scores.shape[0]):
        top, total = scores[n].max(), 0.0
        for k in range(scores.shape[1]):
            total += math.exp(scores[n, k] - top)
        loss += math.log(total) + top - scores[n, labels[n]]
        for k in range(scores.shape[1]):
            gradient[n, k] = math.exp(scores[n, k] - top) / total / scores.shape[0]
        gradient[n, labels[n]] -= 1 / scores.shape[0]
    return loss / scores.shape[0]


def compiled_loss(scores, labels):
    gradient = np.empty(scores.shape, scores.dtype)
    return _compiled_loss(np.ascontiguousarray(scores), labels, gradient), gradient


def smoothed_by_two_losses(scores, labels, smoothing):
    """The loss is linear in what is wanted: mix hard labels and all classes."""
    n, k = scores.shape
    loss, gradient = loss_in_float64(scores, labels)
    alike = [loss_in_float64(scores, np.full(n, one)) for one in range(k)]
    return ((1 - smoothing) * loss + smoothing * sum(one for one, _ in alike) / k,
            (1 - smoothing) * gradient + smoothing * sum(one for _, one in alike) / k)


FLATTEN = {
    "reshape": lambda x: x.reshape(len(x), -1),
    "ravel each": lambda x: np.array([image.ravel() for image in x]),
    "by pixels": lambda x: np.concatenate(
        [x[:, i, j] for i, j in np.ndindex(x.shape[1:3])], axis=1),
    "a copy": lambda x: np.ascontiguousarray(x).reshape(
        x.shape[0], math.prod(x.shape[1:])).copy(),
}
FORWARD = {
    "one product": lambda x, w, b: x @ w.T + b,
    "turned over": lambda x, w, b: (w @ x.T + b[:, np.newaxis]).T,
    "by numbers": forward_by_numbers, "in place": forward_in_place,
    "einsum": lambda x, w, b: np.einsum("nd,kd->nk", x, w) + b,
    "float64 inside": lambda x, w, b: (
        np.tensordot(x.astype(float), w.astype(float), (1, 1)) + b).astype(x.dtype),
    "a column of ones": lambda x, w, b: np.column_stack(
        [x, np.ones(len(x), x.dtype)]) @ np.column_stack([w, b]).T,
}
BACKWARD = {
    "products": lambda dy, x, w: (dy @ w, dy.T @ x, dy.sum(axis=0)),
    "by numbers": backward_by_numbers, "float64 inside": backward_in_float64,
    "einsum": lambda dy, x, w: (
        np.einsum("nk,kd->nd", dy, w), np.einsum("nk,nd->kd", dy, x),
        np.einsum("nk->k", dy)),
    "numba": compiled_backward,
}
SOFTMAX = {"by rows": softmax_by_rows, "in place": softmax_in_place,
           "by logarithms": softmax_by_logarithms}
LOSS = {"one-hot": loss_by_one_hot, "by examples": loss_by_examples,
        "float64 inside": loss_in_float64, "numba": compiled_loss}


def refusing_labels(function):
    def loss(scores, labels):
        refuse_labels(scores, labels)
        return function(scores, labels)
    return loss


def named(function, variants, change=lambda one: one):
    return {f"{function}, {name}": (function, change(one))
            for name, one in variants.items()}


class TestTrials(Trials):
    assignment = "ps5_fully_connected"
    points = 40
    fails = FAILS
    variants = (
        named("flatten", FLATTEN)
        | named("dense_forward", FORWARD, careful)
        | named("dense_backward", BACKWARD)
        | named("softmax", SOFTMAX)
        | named("softmax_cross_entropy", LOSS, refusing_labels)
        | named("cross_entropy", LOSS, lambda one: lambda s, y: one(s, y)[0])
        | named("bias_gradient", {"a product": lambda dy: dy.T @ np.ones(
            len(dy), dy.dtype)})
        | named("weight_gradient", {"outer products": lambda dy, x: sum(
            map(np.outer, dy, x))})
        | named("input_gradient", {"by examples": lambda dy, w: np.stack(
            [w.T @ one for one in dy])})
        | named("dense_parameters", {"products": lambda inputs, units:
                                     inputs * units + units})
        | named("smoothed_cross_entropy", {"two losses": smoothed_by_two_losses}))


# --- what a student is told


def test_what_is_not_a_number_is_recognised():
    def unshifted(scores):
        with np.errstate(all="ignore"):
            return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    judged = judge(QUESTIONS["softmax_stable"], unshifted)
    assert judged.misconception == "not_shifted"
    assert "NaN" in judged.explanation
    assert judge(QUESTIONS["softmax_values"], unshifted).right
