"""What all data sets have in common, and the splits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlab import data
from convlab.data import DataError, Dataset, digits, hold_out


def small(train=6, test=2, **changed):
    """Images whose every byte is their number, labels 0, 1, 2, 0, 1, 2, ..."""
    def images(first, n):
        numbers = np.arange(first, first + n, dtype=np.uint8)
        return np.broadcast_to(numbers[:, None, None, None], (n, 4, 5, 3)).copy()

    parts = {
        "name": "small", "classes": ("a", "b", "c"), "about": "Numbers.",
        "train_images": images(0, train), "train_labels": np.arange(train) % 3,
        "test_images": images(100, test), "test_labels": np.arange(test) % 3}
    return Dataset(**parts | changed)


def test_a_data_set_says_what_it_holds():
    assert small().image_shape == (4, 5, 3)
    assert repr(small()) == (
        "<Dataset small: 6 training and 2 test images of 4x5x3, 3 classes>")


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"train_images": np.zeros((6, 4, 5, 3))},
     r"small, train: images are uint8 of shape \(N, H, W, C\), got float64"),
    ({"test_images": np.zeros((2, 4, 5), np.uint8)},
     r"got uint8 of shape \(2, 4, 5\)"),
    ({"train_labels": np.arange(5) % 3},
     r"6 images need int64 labels of shape \(6,\)"),
    ({"test_labels": np.array([0, 1], np.uint8)}, "got uint8"),
    ({"test_labels": np.array([0, 3])},
     "labels run from 0 to 3, but 3 classes take 0 to 2"),
    ({"test_labels": np.array([-1, 0])}, "labels run from -1 to 0"),
    ({"test_images": np.zeros((2, 5, 5, 3), np.uint8)}, "both need one size"),
])
def test_what_does_not_fit_together_is_refused(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        small(**changed)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match="'cifar'; there are cifar10, shapes, digits"):
        data.load("cifar")


def test_every_name_loads_something_of_that_name():
    for name in ("shapes", "digits"):
        options = {"train": 20, "test": 10} if name == "shapes" else {}
        assert data.load(name, **options).name == name


@settings(deadline=None, max_examples=30)
@given(total=st.integers(2, 40), share=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_holding_out_splits_and_keeps_order_and_labels(total, share, seed):
    n = min(max(1, round(total * share)), total - 1)
    whole = small(train=total)
    split = hold_out(whole, n, seed)
    kept, held = (images[:, 0, 0, 0].tolist()
                  for images in (split.train_images, split.test_images))
    assert sorted(kept + held) == list(range(total))
    assert len(held) == n
    assert kept == sorted(kept)
    assert split.train_labels.tolist() == [k % 3 for k in kept]
    assert split.test_labels.tolist() == [k % 3 for k in held]


def test_holding_out_depends_on_the_seed_alone_and_says_so_in_about():
    whole = small(train=40)
    first, again, other = (hold_out(whole, 10, seed).test_images.tolist()
                           for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert "10 training images are held out" in hold_out(whole, 10, 1).about


@pytest.mark.parametrize("n", [0, -1, 6, 7])
def test_holding_out_nothing_or_everything_is_refused(n):
    with pytest.raises(ValueError, match="give a number from 1 to 5"):
        hold_out(small(), n)


def test_digits_are_the_counts_of_scikit_learn_as_greys():
    from sklearn.datasets import load_digits

    source = load_digits()
    split = digits.load(test=300, seed=3)
    assert (len(split.train_labels), len(split.test_labels)) == (1497, 300)
    images = np.concatenate([split.test_images, split.train_images])
    labels = np.concatenate([split.test_labels, split.train_labels])
    # 0*255/16 = 0, 1*255/16 = 15.9, 8*255/16 = 127.5 (to even), 16*255/16 = 255
    greys = {0: 0, 1: 16, 8: 128, 16: 255}
    order = np.random.default_rng(3).permutation(1797)
    assert labels.tolist() == source.target[order].tolist()
    for count, grey in greys.items():
        assert np.array_equal(images[..., 0] == grey, source.images[order] == count)
    assert images.shape == (1797, 8, 8, 1)


@pytest.mark.parametrize("test", [0, 1797])
def test_a_split_of_digits_that_leaves_nothing_is_refused(test):
    with pytest.raises(ValueError, match="give a number from 1 to 1,796"):
        digits.load(test=test)
