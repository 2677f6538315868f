"""What the experiment of the chapter "ConvNets are everywhere" is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from book.experiments import retrieval
from convlab import layers
from convlab.data import shapes
from convlab.network import Network


def test_nearest_by_hand():
    stored = np.array([[0, 0], [3, 4], [1, 0], [0, -2]])
    asked = np.array([[0, 0], [3, 3]])
    # distances from (3, 3): sqrt(18), 1, sqrt(13), sqrt(34)
    assert retrieval.nearest(asked, stored, 3).tolist() == [[0, 2, 3], [1, 2, 0]]


def test_nearest_takes_the_first_of_equals():
    stored = np.array([[1.0], [-1.0], [1.0]])
    assert retrieval.nearest(np.zeros((1, 1)), stored, 2).tolist() == [[0, 1]]


def test_precisions_count_neighbours_of_the_own_class(monkeypatch):
    monkeypatch.setattr(retrieval, "STORED", 4)
    monkeypatch.setattr(retrieval, "NEIGHBOURS", 2)
    space = np.array([[0.0], [1.0], [10.0], [11.0], [0.4], [10.4]])
    labels = np.array([5, 6, 7, 7, 5, 7])
    assert retrieval.precisions(space, labels).tolist() == [1 / 2, 2 / 2]


def test_features_are_what_the_scores_are_made_of():
    images = shapes.load(train=1, test=5).test_images
    network = Network(retrieval.SETUP.architecture, (32, 32, 3), 10, layers, seed=3)
    hidden = retrieval.features(network, images, at_once=2)
    assert hidden.shape == (5, 64)
    assert hidden.min() == 0  # after a ReLU
    scores = hidden @ network.parameters["scores.w"].T + network.parameters["scores.b"]
    expected = network.forward(images)
    assert np.allclose(scores, expected, atol=1e-5 * np.abs(expected).max())


def test_without_takes_classes_away_from_training_alone():
    data = shapes.load(train=40, test=20)
    less = retrieval.without(data, (7, 8, 9))
    assert set(less.train_labels) == set(range(7))
    assert len(less.train_images) == len(less.train_labels)
    assert np.array_equal(less.test_labels, data.test_labels)
    assert less.classes == data.classes


@pytest.fixture
def small(monkeypatch):
    for name, value in (("LEARNED", 60), ("STORED", 40), ("ASKED", 20)):
        monkeypatch.setattr(retrieval, name, value)
    recipe = replace(retrieval.SETUP.recipe, epochs=1)
    monkeypatch.setattr(retrieval, "SETUP", replace(retrieval.SETUP, recipe=recipe))


def test_a_small_run_says_what_the_page_asks_for(small):
    outcome = retrieval.run(0)
    assert outcome["features"].shape == (60, 64)
    assert outcome["unseen"] == ["crescent", "arrow", "bars"]
    for kind in ("precision", "precision_unseen"):
        assert list(outcome[kind]) == ["pixels", "untrained", "trained", "partial"]
        assert all(0 <= part <= 1 for part in outcome[kind].values())
