"""The recorded trainings, in small: what they give is what they say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from book.experiments import (
    cifar10_augmentation,
    cifar10_classifier,
    cifar10_training,
    filters_cifar10,
    filters_shapes,
)
from book.experiments.trained import half_precision, rebuilt, scores, trained
from convlab import layers
from convlab.data import shapes
from convlab.network import Network
from convlab.recipes import Setup
from convlab.training import Recipe

SMALL = Setup("CONV{4 size=5}-RELU-POOL{4},SOFTMAX",
              Recipe(epochs=2, batch_size=20, held_out=10))


@pytest.fixture(scope="module")
def few():
    return shapes.load(train=60, test=30)


@pytest.fixture
def small(monkeypatch, few):
    """Every experiment on a few drawn images, with a small network."""
    for module in (cifar10_augmentation, cifar10_training, filters_cifar10,
                   filters_shapes):
        monkeypatch.setattr(module.data, "load", lambda name: few)
        if hasattr(module, "SETUP"):
            monkeypatch.setattr(module, "SETUP", SMALL)
    monkeypatch.setitem(cifar10_training.SETUPS, "cifar10-small", SMALL)
    monkeypatch.setattr(cifar10_augmentation, "PHOTOGRAPHS", 40)


def test_scores_in_batches_are_those_of_all_at_once(few, monkeypatch):
    network = Network(SMALL.architecture, few.image_shape, 10, layers, seed=1)
    monkeypatch.setattr("book.experiments.trained.BATCH", 7)
    np.testing.assert_allclose(scores(network, few.test_images),
                               network.forward(few.test_images), rtol=1e-5)


def test_the_seed_decides(few):
    one, again, other = (trained(few, SMALL, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.scores, again.scores)
    assert not np.array_equal(one.scores, other.scores)
    assert one.setup.recipe == replace(SMALL.recipe, seed=3)


def test_confidence_is_the_probability_of_the_prediction(few):
    done = replace(trained(few, SMALL, 0), scores=np.log([[1, 1, 2], [5, 4, 1]]) + 900)
    assert done.predictions.tolist() == [2, 0]
    np.testing.assert_allclose(done.confidence, [2 / 4, 5 / 10], rtol=1e-6)


def test_half_precision_is_what_the_network_then_has(few):
    network = Network(SMALL.architecture, few.image_shape, 10, layers, seed=1)
    network.standardise(few.train_images)
    kept = half_precision(network)
    assert kept.keys() == {"input.mean", "input.std", *network.parameters}
    for name, array in network.parameters.items():
        assert kept[name].dtype == np.float16
        np.testing.assert_array_equal(kept[name].astype(np.float32), array)
    np.testing.assert_array_equal(kept["input.mean"].astype(np.float32), network.mean)


def test_cifar10_training_records_what_it_tested(small, few):
    found = cifar10_training.run(0)
    assert found["test_right"] == (found["predictions"] == few.test_labels).sum()
    assert found["test_accuracy"] == found["test_right"] / 30
    assert found["learned_from"] == 60 - 10
    assert len(found["history"]) == SMALL.recipe.epochs
    assert found["confidence"].shape == (30,)
    assert found["first_filters"].shape == (4, 5, 5, 3)
    conv, dense = 4 * (5 * 5 * 3 + 1), 10 * (8 * 8 * 4 + 1)
    assert found["parameters"] == conv + dense
    json.dumps({k: v for k, v in found.items() if not isinstance(v, np.ndarray)})


@pytest.fixture
def runs(monkeypatch, few, tmp_path):
    """Three seeds of a small classifier, in runs/ of a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cifar10_classifier.SETUPS, "cifar10", replace(
        SMALL, architecture="CONV{4}-POOL{4}-NORM-RELU,SOFTMAX",
        recipe=replace(SMALL.recipe, mirror=True)))
    monkeypatch.setattr(cifar10_classifier.data, "load", lambda name: few)
    monkeypatch.setattr(cifar10_classifier, "SEEDS", 3)
    return tmp_path / "runs"


def test_the_classifier_is_trained_once_for_each_seed(runs, few, capsys):
    found = cifar10_classifier.run(5)
    assert [one["seed"] for one in found["runs"]] == [5, 6, 7]
    right = (found["predictions"] == few.test_labels).mean()
    assert right == found["runs"][0]["test_accuracy"]
    assert len({one["test_accuracy"] for one in found["runs"]}) > 1
    assert (found["learned_from"], found["tested"]) == (60 - 10, 30)
    json.dumps({k: v for k, v in found.items() if not isinstance(v, np.ndarray)})
    capsys.readouterr()
    again = cifar10_classifier.run(5)  # nothing is trained again
    assert again["runs"] == found["runs"]
    assert capsys.readouterr().out.count("Finished already") == 3


def test_a_run_of_another_machine_is_not_recorded(runs, monkeypatch):
    cifar10_classifier.run(0)
    monkeypatch.setattr(cifar10_classifier, "machine", lambda: "another, 1 core")
    with pytest.raises(ValueError, match="no finished run of this machine"):
        cifar10_classifier.run(0)


def test_augmentation_changes_the_images_and_nothing_else(small):
    found = cifar10_augmentation.run(0)
    plain, mirrored, shifted = (found["histories"][way]
                                for way in cifar10_augmentation.WAYS)
    assert found["learned_from"] == 40 - 10
    assert len(plain) == len(mirrored) == len(shifted) == SMALL.recipe.epochs
    assert plain != mirrored != shifted


def test_filters_before_and_after_are_of_one_network(small):
    found = filters_cifar10.run(0)
    assert found["filters"].shape == found["at_first"].shape == (4, 5, 5, 3)
    moved = np.abs(found["filters"] - found["at_first"])
    assert 0 < moved.max() < np.abs(found["at_first"]).max()


def test_recorded_weights_give_the_recorded_accuracy(small, few):
    found = filters_shapes.run(0)
    network = rebuilt(found)
    right = network.predict(few.test_images) == few.test_labels
    assert right.mean() == found["test_accuracy"]
