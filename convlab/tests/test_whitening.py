"""Whitening filters: what they make of images, and which they are."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from convlab.layers import conv2d_forward
from convlab.whitening import whitening_filters


@pytest.fixture(scope="module")
def images():
    """Smooth in both directions, so that neighbours are alike; three channels."""
    noise = np.random.default_rng(0).normal(size=(700, 10, 9, 3))
    smooth = noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2)
    smooth[..., 1] += smooth[..., 0]
    return (smooth - smooth.mean((0, 1, 2))) / smooth.std((0, 1, 2))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_they_answer_is_uncorrelated_and_equally_loud(images, size):
    filters = whitening_filters(images, size, eps=1e-9)
    half = size * size * 3
    assert filters.shape == (2 * half, size, size, 3)
    answers = conv2d_forward(images, filters, np.zeros(2 * half))
    answers = answers.reshape(-1, 2 * half)[:, :half]
    np.testing.assert_allclose(np.cov(answers.T, bias=True), np.eye(half), atol=1e-6)


def test_they_are_eigenvectors_the_loudest_first_and_their_negatives(images):
    filters = whitening_filters(images, 2, eps=0.5)
    np.testing.assert_array_equal(filters[12:], -filters[:12])
    windows = sliding_window_view(images, (2, 2), (1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    covariance = np.cov(patches.T, bias=True)
    rows = filters[:12].reshape(12, 12)
    variances = 1 / (rows ** 2).sum(axis=1) - 0.5
    assert (np.diff(variances) < 0).all()
    np.testing.assert_allclose(rows @ covariance, variances[:, None] * rows, atol=1e-9)
    assert (rows[range(12), np.abs(rows).argmax(axis=1)] > 0).all()


def test_faint_directions_stay_faint():
    """Three channels that are the same leave two directions with no variance."""
    grey = np.random.default_rng(1).normal(size=(600, 5, 5, 1)).repeat(3, axis=3)
    filters = whitening_filters(grey, 1, eps=0.01)
    assert np.isfinite(filters).all()
    np.testing.assert_allclose((filters.reshape(6, 3) ** 2).sum(axis=1)[1:3], 100)


def test_the_dtype_is_that_of_the_images_and_few_digits_are_lost(images):
    single = whitening_filters(images.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, whitening_filters(images), atol=1e-4)


def test_refusals(images):
    for size in (0, 10):
        with pytest.raises(ValueError, match=f"a patch of {size}x{size} does not fit"):
            whitening_filters(images, size)
    with pytest.raises(ValueError, match="eps must be more than 0"):
        whitening_filters(images, eps=0)
