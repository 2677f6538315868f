"""What the experiment on moved digits is made of, on small examples."""

from __future__ import annotations

import numpy as np
import pytest

from book.experiments import shifted_digits as experiment
from convlab.architecture import trace_architecture
from convlab.data import digits


@pytest.fixture(scope="module")
def small():
    return digits.load()


def test_networks_are_of_like_size():
    sizes = [sum(row.parameters for row in trace_architecture(
        architecture, (experiment.SIDE, experiment.SIDE, 1), 10))
        for architecture in experiment.ARCHITECTURES.values()]
    # 400*32 + 32 + 32*10 + 10; 25*16 + 16 + 25*16*20 + 20 + 5*5*20*10 + 10; ...
    assert sizes == [13_162, 13_446, 13_578]


def test_a_digit_keeps_its_pixels_wherever_it_is_put(small):
    two = small.test_images[:2]
    ground = experiment.on_ground(two, np.array([[0, 12], [12, 5]]))
    assert ground.shape == (2, 20, 20, 1)
    np.testing.assert_array_equal(ground[0, :8, 12:], two[0])
    np.testing.assert_array_equal(ground[1, 12:, 5:13], two[1])
    assert ground.sum() == two.sum()


def test_scattered_digits_lie_at_all_places(small):
    images = np.ones_like(small.train_images)
    ground = experiment.scattered(images, np.random.default_rng(0))
    assert set(ground.sum(axis=(1, 2, 3))) == {64}
    corners = {tuple(np.argwhere(one[..., 0])[0]) for one in ground}
    assert len(corners) == 13 * 13


def test_copies_have_the_labels_of_their_digits(small):
    three = experiment.copied(small, 3, np.random.default_rng(0))
    assert three.train_images.shape == (3 * 1437, 20, 20, 1)
    np.testing.assert_array_equal(three.train_labels, np.tile(small.train_labels, 3))
    sums = small.train_images.sum(axis=(1, 2, 3))
    np.testing.assert_array_equal(three.train_images.sum(axis=(1, 2, 3)),
                                  np.tile(sums, 3))


def test_shuffling_moves_the_same_pixels_in_every_image(small):
    middle = experiment.placed(small, np.full((2, 1437), experiment.MIDDLE))
    order = np.random.default_rng(1).permutation(400)
    mixed = experiment.shuffled(middle, order)
    back = mixed.test_images.reshape(-1, 400)[:, np.argsort(order)]
    np.testing.assert_array_equal(back, middle.test_images.reshape(-1, 400))


def test_accuracy_of_moved_digits_is_the_mean_of_four_directions(small):
    class Right:
        """Says 1 where there is ink in the right half, else 0."""

        def predict(self, images):
            half = experiment.SIDE // 2
            return (images[:, :, half:].sum(axis=(1, 2, 3))
                    > images[:, :, :half].sum(axis=(1, 2, 3))).astype(int)

    ones = digits.load(test=4)
    object.__setattr__(ones, "test_labels", np.ones(4, np.int64))
    object.__setattr__(ones, "test_images", np.ones((4, 8, 8, 1), np.uint8))
    # Right: all; left: none; up and down: as many on either side, so none.
    assert experiment.accuracy_at(Right(), ones, 6) == 0.25


def test_as_many_steps_for_few_copies_as_for_many():
    assert [experiment.recipe_for(n).epochs for n in (1, 4, 8, 16)] == [32, 8, 4, 4]


def test_a_record_holds_every_run_of_every_question(monkeypatch):
    monkeypatch.setattr(experiment, "one_run", lambda seed: {
        "moved": {"net": [seed, 0.5]}, "copies": {"net": [seed]},
        "anywhere": {"net": seed}})
    found = experiment.run(7)
    assert found["moved"] == {"net": [[7 + k, 0.5] for k in range(5)]}
    assert found["copies"] == {"net": [[7 + k] for k in range(5)]}
    assert found["anywhere"] == {"net": [7, 8, 9, 10, 11]}
    assert found["copies per digit"] == [1, 2, 4, 8, 16]
