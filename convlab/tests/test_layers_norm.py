"""Batch normalisation against float64 formulas and numerical gradients."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlab.gradcheck import check_gradients
from convlab.layers import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_predict,
    batchnorm_relu_backward,
    batchnorm_relu_forward,
    batchnorm_relu_predict,
    relu_backward,
    relu_forward,
    threads,
)


@st.composite
def batches(draw):
    """dy, x, gamma, beta of any shape, dtype and memory layout."""
    count = draw(st.sampled_from([2, 4]))
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=count, max_size=count)))
    if np.prod(shape[:-1]) < 2:
        shape = (3, *shape[1:])
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = draw(st.sampled_from(["C", "F", "every second"]))

    def array(*size):
        wide = rng.normal(size=[2 * n for n in size]).astype(dtype)
        some = wide[tuple(slice(None, None, 2) for _ in size)]
        return some if layout == "every second" else np.array(some, order=layout)

    c = shape[-1]
    return array(*shape), array(*shape) * 3 + 2, array(c), array(c)


def plain(x, gamma, beta, eps=1e-5):
    """(y, mean, inverse_std) in float64, as the paper writes them."""
    x, gamma, beta = (one.astype(np.float64) for one in (x, gamma, beta))
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axes), x.var(axes)
    inverse_std = 1 / np.sqrt(variance + eps)
    return gamma * (x - mean) * inverse_std + beta, mean, inverse_std


def plain_backward(dy, x, gamma, eps=1e-5):
    """The chain rule through y, the variance and the mean, one after the other."""
    dy, x, gamma = (one.astype(np.float64) for one in (dy, x, gamma))
    axes = tuple(range(x.ndim - 1))
    m = x.size // x.shape[-1]
    apart, inverse_std = x - x.mean(axes), 1 / np.sqrt(x.var(axes) + eps)
    dhat = dy * gamma
    dvariance = -0.5 * inverse_std ** 3 * (dhat * apart).sum(axes)
    dmean = -inverse_std * dhat.sum(axes) - 2 / m * dvariance * apart.sum(axes)
    dx = dhat * inverse_std + dvariance * 2 / m * apart + dmean / m
    return dx, (dy * apart * inverse_std).sum(axes), dy.sum(axes)


def close(got, expected, dtype):
    scale = 1 + max(float(np.abs(one).max()) for one in expected)
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=scale * (
            1e-10 if dtype == np.float64 else 1e-3))


@given(batches())
def test_both_directions_are_the_formulas(batch):
    dy, x, gamma, beta = batch
    before = [one.copy() for one in batch]
    y, mean, inverse_std = batchnorm_forward(x, gamma, beta)
    close([y, mean, inverse_std], plain(x, gamma, beta), x.dtype)
    close(batchnorm_backward(dy, x, gamma, mean, inverse_std),
          plain_backward(dy, x, gamma), x.dtype)
    for now, then in zip(batch, before, strict=True):
        np.testing.assert_array_equal(now, then)


@given(batches())
def test_with_the_relu_it_is_the_pair_bit_for_bit(batch):
    dy, x, gamma, beta = batch
    y, mean, inverse_std = batchnorm_forward(x, gamma, beta)
    both, *statistics = batchnorm_relu_forward(x, gamma, beta)
    np.testing.assert_array_equal(both, relu_forward(y))
    for one, other in zip(statistics, (mean, inverse_std), strict=True):
        np.testing.assert_array_equal(one, other)
    pair = batchnorm_backward(relu_backward(dy, y), x, gamma, mean, inverse_std)
    together = batchnorm_relu_backward(dy, x, gamma, beta, mean, inverse_std)
    for one, other in zip(together, pair, strict=True):
        np.testing.assert_array_equal(one, other)
    variance = x.reshape(-1, x.shape[-1]).var(axis=0)
    np.testing.assert_array_equal(
        batchnorm_relu_predict(x, gamma, beta, mean, variance),
        relu_forward(batchnorm_predict(x, gamma, beta, mean, variance)))


@given(batches(), st.floats(1e-6, 1))
def test_at_test_time_the_batch_does_not_matter(batch, eps):
    _, x, gamma, beta = batch
    mean, variance = gamma[::-1].copy(), np.abs(beta)
    y = batchnorm_predict(x, gamma, beta, mean, variance, eps)
    expected = (gamma.astype(np.float64) * (x - mean) / np.sqrt(variance + eps)
                + beta)
    close([y], [expected], x.dtype)
    one = batchnorm_predict(x[:1], gamma, beta, mean, variance, eps)
    np.testing.assert_array_equal(one, y[:1])


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_backward_pass_is_the_numerical_gradient(seed, relu):
    rng = np.random.default_rng(seed)
    x, dy = rng.normal(size=(2, 3, 4, 3, 2))
    gamma, beta = rng.normal(size=(2, 2))
    forward = batchnorm_relu_forward if relu else batchnorm_forward
    _, mean, inverse_std = forward(x, gamma, beta)
    gradients = (batchnorm_relu_backward(dy, x, gamma, beta, mean, inverse_std) if relu
                 else batchnorm_backward(dy, x, gamma, mean, inverse_std))
    far = np.abs(plain(x, gamma, beta)[0]).min() > 1e-4  # from the ReLU's kink
    if relu and not far:
        return
    report = check_gradients(
        lambda x, gamma, beta: np.sum(dy * forward(x, gamma, beta)[0]),
        {"x": x, "gamma": gamma, "beta": beta},
        dict(zip(("x", "gamma", "beta"), gradients, strict=True)))
    assert report, report


def test_by_hand():
    x = np.array([[1.0, 10.0], [3.0, 10.0]])
    y, mean, inverse_std = batchnorm_forward(
        x, np.array([2.0, 5.0]), np.array([0.5, -1.0]), eps=1.25)
    assert mean.tolist() == [2, 10]
    np.testing.assert_allclose(inverse_std, [1 / 1.5, 1.25 ** -0.5])
    np.testing.assert_allclose(y, [[0.5 - 2 / 1.5, -1], [0.5 + 2 / 1.5, -1]])


@pytest.mark.parametrize("level", [0, 1e4])
def test_large_batches_far_from_zero_keep_their_digits(level):
    """32 million numbers' squares would leave float32 nothing of the variance."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(64, 50, 50, 4)) + level).astype(np.float32)
    y, mean, inverse_std = batchnorm_forward(
        x, np.ones(4, np.float32), np.zeros(4, np.float32))
    exact = x.astype(np.float64).reshape(-1, 4)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(inverse_std, (exact.var(axis=0) + 1e-5) ** -0.5,
                               rtol=1e-5)
    assert abs(y.std(dtype=np.float64) - 1) < 1e-4


def test_a_nan_shows_in_its_channel_alone():
    x = np.random.default_rng(0).normal(size=(4, 3, 3, 2))
    x[1, 1, 1, 0] = np.nan
    y, mean, inverse_std = batchnorm_relu_forward(x, np.ones(2), np.zeros(2))
    assert np.isnan(y[..., 0]).all() and np.isfinite(y[..., 1]).all()
    assert np.isnan(mean).tolist() == np.isnan(inverse_std).tolist() == [True, False]


def test_any_number_of_threads(monkeypatch):
    rng = np.random.default_rng(3)
    dy, x = rng.normal(size=(2, 9, 31, 31, 20)).astype(np.float32)
    gamma, beta = rng.normal(size=(2, 20)).astype(np.float32)

    def results():
        y, mean, inverse_std = batchnorm_relu_forward(x, gamma, beta)
        return y, mean, *batchnorm_relu_backward(dy, x, gamma, beta, mean, inverse_std)

    with threads.at_most(1):
        alone = results()
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
    threads._pool.cache_clear()
    try:
        shared, again = results(), results()
    finally:
        threads._pool().shutdown()
        threads._pool.cache_clear()
    for one, other, repeated in zip(shared, alone, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(one, repeated)


X, ONES = np.zeros((2, 3, 3, 4), np.float32), np.ones(4, np.float32)


@pytest.mark.parametrize(("args", "error", "sentence"), [
    ((X, ONES[:3], ONES), ValueError, "gamma holds 3 numbers for 4 channels"),
    ((X, ONES, ONES[:1]), ValueError, "beta holds 1 numbers for 4 channels"),
    ((X[:1, :1, :1], ONES, ONES), ValueError,
     "one number for each channel has no variance"),
    ((X[:1, 0, 0], ONES, ONES), ValueError, "has no variance"),
    ((X[0], ONES, ONES), ValueError, "x must have 4 axes"),
    ((X[:0], ONES, ONES), ValueError, "the batch is empty"),
    ((X, ONES.astype(np.float64), ONES), TypeError, "gamma is float64"),
    ((X.astype(int), ONES, ONES), TypeError, "x must be float32 or float64"),
    ((X, ONES, ONES, 0), ValueError, "eps must be more than 0"),
])
def test_refusals(args, error, sentence):
    for function in (batchnorm_forward, batchnorm_relu_forward):
        with pytest.raises(error, match=sentence):
            function(*args)


def test_other_refusals():
    with pytest.raises(ValueError, match="dy has shape"):
        batchnorm_backward(X[:1], X, ONES, ONES, ONES)
    with pytest.raises(ValueError, match="mean holds 2 numbers"):
        batchnorm_backward(X, X, ONES, ONES[:2], ONES)
    with pytest.raises(ValueError, match="variance is never negative"):
        batchnorm_predict(X, ONES, ONES, ONES, -ONES)
