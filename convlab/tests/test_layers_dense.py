"""ReLU, the fully connected layer and the loss: by hand and by their gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from convlab.gradcheck import check_gradients
from convlab.layers import (
    dense_backward,
    dense_forward,
    relu_backward,
    relu_forward,
    softmax_cross_entropy,
)


def test_relu_by_hand():
    x = np.array([[-2.0, -0.0, 0.0, 3.0]])
    assert relu_forward(x).tolist() == [[0, 0, 0, 3]]
    assert relu_backward(np.array([[5.0, 6.0, 7.0, 8.0]]), x).tolist() == [[0, 0, 0, 8]]


def test_relu_backward_is_the_numerical_gradient_away_from_the_kink():
    x = np.random.default_rng(8).permutation(np.arange(-5.5, 6)).reshape(3, 4)
    dy = np.random.default_rng(9).standard_normal(x.shape)
    report = check_gradients(lambda x: np.sum(dy * relu_forward(x)),
                             {"x": x}, {"x": relu_backward(dy, x)})
    assert report, report


def test_relu_lets_a_nan_show():
    assert np.isnan(relu_forward(np.array([np.nan, 1.0]))).tolist() == [True, False]


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 4, 5, 3), (8, 32, 32, 16)])
def test_relu_takes_any_shape_dtype_and_layout(shape):
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    y = relu_forward(x.T)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, np.maximum(x.T, 0))
    dx = relu_backward(x, x[::-1])
    assert dx.dtype == np.float32
    np.testing.assert_array_equal(dx, x * (x[::-1] > 0))


def test_dense_by_hand():
    x = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]])
    w = np.array([[10.0, 20.0, 30.0], [1.0, 0.0, -1.0]])
    b = np.array([0.5, -0.5])
    assert dense_forward(x, w, b).tolist() == [
        [10*1 + 20*2 + 30*3 + 0.5, 1*1 + 0*2 - 1*3 - 0.5],
        [10*0 - 20*1 + 30*4 + 0.5, 1*0 + 0*1 - 1*4 - 0.5]]
    dx, dw, db = dense_backward(np.array([[1.0, 0.0], [2.0, 3.0]]), x, w)
    assert dx.tolist() == [[10, 20, 30],
                           [2*10 + 3*1, 2*20 + 3*0, 2*30 - 3*1]]
    assert dw.tolist() == [[1*1 + 2*0, 1*2 - 2*1, 1*3 + 2*4],
                           [3*0, 3*-1, 3*4]]
    assert db.tolist() == [1 + 2, 0 + 3]


def test_the_lectures_layer_of_ten_units():
    x = np.ones((1, 3072), np.float32)
    y = dense_forward(x, np.ones((10, 3072), np.float32), np.zeros(10, np.float32))
    assert y.shape == (1, 10)
    assert y.dtype == np.float32
    assert y.tolist() == [[3072] * 10]


def test_dense_backward_is_the_numerical_gradient_for_any_layout():
    rng = np.random.default_rng(2)
    x, w, b = rng.standard_normal((5, 3)).T, rng.standard_normal((5, 4)).T, np.ones(4)
    dy = rng.standard_normal((4, 3)).T
    report = check_gradients(
        lambda x, w, b: np.sum(dy * (x @ w.T + b)),
        {"x": x, "w": w, "b": b},
        dict(zip("xwb", dense_backward(dy, x, w), strict=True)))
    assert report, report


def test_loss_by_hand():
    # Scores log(1), log(2), log(5) make the probabilities 1/8, 2/8, 5/8.
    scores = np.log([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]])
    loss, dscores = softmax_cross_entropy(scores, np.array([2, 0]))
    assert isinstance(loss, float)
    assert loss == pytest.approx((-math.log(5/8) - math.log(1/4)) / 2)
    np.testing.assert_allclose(
        dscores, [[1/8 / 2, 2/8 / 2, (5/8 - 1) / 2],
                  [(1/4 - 1) / 2, 1/4 / 2, 2/4 / 2]])


@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loss_is_scipys_and_stays_finite(scale, dtype):
    rng = np.random.default_rng(3)
    scores = (scale * rng.standard_normal((6, 10))).astype(dtype)
    labels = rng.integers(0, 10, 6).astype(np.uint8)
    loss, dscores = softmax_cross_entropy(scores, labels)
    expected = -log_softmax(scores.astype(float), axis=1)[np.arange(6), labels].mean()
    assert loss == pytest.approx(expected, rel=1e-12)
    assert dscores.dtype == dtype
    one_hot = np.eye(10)[labels]
    np.testing.assert_allclose(
        dscores, (softmax(scores.astype(float), axis=1) - one_hot) / 6, atol=1e-7)


def test_dscores_is_the_numerical_gradient():
    rng = np.random.default_rng(4)
    scores, labels = rng.standard_normal((4, 5)), np.array([0, 4, 2, 2])
    _, dscores = softmax_cross_entropy(scores, labels)
    report = check_gradients(
        lambda scores: softmax_cross_entropy(scores, labels)[0],
        {"scores": scores}, {"scores": dscores})
    assert report, report


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_smoothed_labels_spread_a_part_of_their_weight(dtype):
    rng = np.random.default_rng(5)
    scores, labels = rng.standard_normal((6, 4)).astype(dtype), rng.integers(0, 4, 6)
    weights = 0.8 * np.eye(4)[labels] + 0.2 / 4
    loss, dscores = softmax_cross_entropy(scores, labels, smoothing=0.2)
    exact = scores.astype(float)
    assert loss == pytest.approx(
        -(weights * log_softmax(exact, axis=1)).sum() / 6, rel=1e-12)
    assert dscores.dtype == dtype
    np.testing.assert_allclose(
        dscores, (softmax(exact, axis=1) - weights) / 6, atol=1e-7)


def test_smoothing_is_refused_from_1_on():
    for smoothing in (1, -0.1, math.nan):
        with pytest.raises(ValueError, match="smoothing is from 0 to below 1"):
            softmax_cross_entropy(np.zeros((1, 2)), np.array([0]), smoothing)


def test_a_network_that_knows_nothing_loses_log_of_the_number_of_classes():
    loss, _ = softmax_cross_entropy(np.zeros((3, 10)), np.array([0, 5, 9]))
    assert loss == pytest.approx(math.log(10))
