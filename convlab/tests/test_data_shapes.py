import hashlib

import numpy as np
import pytest

from convlab.data import shapes


@pytest.fixture(scope="module")
def some():
    return shapes.load(train=1000, test=500, seed=7)


def test_every_500_images_hold_each_class_equally(some):
    for part in (some.train_labels[:500], some.train_labels[500:], some.test_labels):
        assert np.bincount(part).tolist() == [50] * 10


def test_the_same_seed_gives_the_same_bytes_on_every_machine():
    images, labels = shapes.draw(40, (0, 0))
    assert labels[:8].tolist() == [1, 4, 9, 4, 5, 1, 8, 5]
    assert hashlib.sha256(images.tobytes()).hexdigest() == (
        "c8429d0e5e63da77faaf9f75156ce1abb1d33a127569a34df8824b323b12d55f")


def test_train_and_test_and_seeds_differ(some):
    other = shapes.load(train=10, test=10, seed=8)
    assert not np.array_equal(some.train_images[:10], some.test_images[:10])
    assert not np.array_equal(some.train_images[:10], other.train_images)


def test_asking_for_more_leaves_the_first_as_they_were(some):
    fewer = shapes.load(train=503, test=7, seed=7)
    assert np.array_equal(fewer.train_images, some.train_images[:503])
    assert np.array_equal(fewer.train_labels, some.train_labels[:503])
    assert np.array_equal(fewer.test_images, some.test_images[:7])


def test_none_is_refused():
    with pytest.raises(ValueError, match="train must be at least 1 image, got 0"):
        shapes.load(train=0)


# (u, v) of points worked out by hand: inside, then outside.
POINTS = {
    "disc": [(0, 0.8), (0, 0.9)], "ring": [(0.7, 0), (0, 0)],
    "square": [(0.7, 0.7), (0.75, 0)], "frame": [(0.62, 0.3), (0, 0)],
    "triangle": [(-0.9, 0), (0.6, 0)], "cross": [(0.8, 0.2), (0.8, 0.3)],
    "star": [(0, 0.3), (0.9, 0.9)], "crescent": [(-0.6, 0), (0.3, 0)],
    "arrow": [(-0.9, 0.1), (-0.9, 0.3)], "bars": [(0, 0.7), (0, 0.35)],
}


@pytest.mark.parametrize("name", shapes.CLASSES)
def test_a_figure_is_negative_inside_and_positive_outside(name):
    u, v = np.array(POINTS[name], np.float32).T
    values = shapes.FIGURES[name](u, v)
    assert values[0] < 0 < values[1]


def test_a_figure_lies_within_the_image_and_is_seen():
    """Its middle is inside; it covers a few dozen pixels at least, never most."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 10
    row, column = np.meshgrid(*2 * [np.arange(32, dtype=np.float32)], indexing="ij")
    cover = shapes._cover(rng, labels, row, column)
    assert cover.min() == 0
    assert cover.max() == 1
    area = cover.sum((1, 2))
    assert area.min() > 15
    assert area.max() < 0.5 * 32 * 32


def test_a_linear_classifier_reads_little_more_than_chance(some):
    """What the docstring says: no pixel by itself tells the class."""
    x, y = (some.train_images.reshape(1000, -1) / 255.0, some.train_labels)
    targets = np.eye(10)[y]
    gram = x @ x.T + 30 * np.eye(len(x))  # ridge regression
    test = some.test_images.reshape(500, -1) / 255.0
    scores = test @ (x.T @ np.linalg.solve(gram, targets))
    assert np.mean(scores.argmax(1) == some.test_labels) < 0.25
