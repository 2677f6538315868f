import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from convlab import augmentation


@pytest.fixture
def rng():
    return np.random.default_rng(0)


IMAGES = np.random.default_rng(1).integers(0, 256, (400, 5, 4, 3), np.uint8)


def test_flip_mirrors_about_half(rng):
    flipped = augmentation.flip(IMAGES, rng)
    mirrored = (flipped == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (flipped == IMAGES).all(axis=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 160 < mirrored.sum() < 240


def test_shift_moves_each_image_to_any_side(rng):
    shifted = augmentation.shift(IMAGES, 2, rng)
    assert (shifted.shape, shifted.dtype) == (IMAGES.shape, np.uint8)
    moves = {}
    for image, moved in zip(IMAGES, shifted, strict=True):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect")
        move = next((down, right) for down in range(5) for right in range(5)
                    if (padded[down:down + 5, right:right + 4] == moved).all())
        moves[move] = moves.get(move, 0) + 1
    assert len(moves) == 25


def test_the_same_seed_gives_the_same_images():
    for change in (augmentation.flip, lambda x, rng: augmentation.shift(x, 1, rng)):
        a, b = (change(IMAGES, np.random.default_rng(7)) for _ in range(2))
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("most", [0, 1, 3, 7])
def test_shifts_are_windows_of_the_reflected_images(most):
    """By another way, with the same random numbers: recorded trainings stay."""
    moved = augmentation.shift(IMAGES, most, np.random.default_rng(3))
    around = ((0, 0), (most, most), (most, most), (0, 0))
    windows = sliding_window_view(
        np.pad(IMAGES, around, mode="reflect"), IMAGES.shape[1:3], (1, 2))
    down, right = np.random.default_rng(3).integers(
        0, 2 * most + 1, (2, len(IMAGES)))
    expected = windows[np.arange(len(IMAGES)), down, right].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(moved, expected)


def test_on_the_diagonal_both_ways():
    image = np.arange(12).reshape(1, 3, 4, 1)
    down, up = augmentation.on_diagonal(image, 1)
    np.testing.assert_array_equal(
        down[0, ..., 0], [[5, 4, 5, 6], [1, 0, 1, 2], [5, 4, 5, 6]])
    np.testing.assert_array_equal(
        up[0, ..., 0], [[5, 6, 7, 6], [9, 10, 11, 10], [5, 6, 7, 6]])


@pytest.mark.parametrize("images", [IMAGES, IMAGES[:, ::2, :, 1:], IMAGES / 7])
def test_mirrored_are_those_that_are_asked_for(images):
    which = np.random.default_rng(4).random(len(images)) < 0.5
    before = images.copy()
    found = augmentation.mirrored(images, which)
    np.testing.assert_array_equal(
        found, np.where(which[:, None, None, None], images[:, :, ::-1], images))
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(
        augmentation.flip(images, np.random.default_rng(4)), found)
    for none_or_all in (which & False, which | True):
        augmentation.mirrored(images, none_or_all)
