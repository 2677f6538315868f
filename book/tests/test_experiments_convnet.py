"""The recorded network of the first chapter, and the recorded templates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from book.experiments import first_network, linear_templates
from convlab import layers
from convlab.data import shapes
from convlab.network import Network


@pytest.fixture(scope="module")
def few():
    return shapes.load(60, 20)


def test_the_weights_of_a_run_make_the_network_that_was_tested(few):
    setup = replace(first_network.SETUP, recipe=replace(
        first_network.SETUP.recipe, epochs=1, held_out=10))
    found = first_network.learn(few, setup, seed=3)
    network = Network(found["architecture"], (32, 32, 3), 10, layers)
    network.mean[:], network.std[:] = found["input.mean"], found["input.std"]
    for name, array in network.parameters.items():
        array[...] = found[name]
    np.testing.assert_allclose(network.forward(few.test_images), found["scores"],
                               rtol=1e-4, atol=1e-5)
    right = network.predict(few.test_images) == few.test_labels
    assert found["test_accuracy"] == np.mean(right)
    assert found["parameters"] == 11_162  # 224 + 1168 + 4640 + 5130


def test_a_row_of_the_linear_layer_is_a_picture_of_its_weights(few):
    setup = replace(linear_templates.SETUP, recipe=replace(
        linear_templates.SETUP.recipe, epochs=1, held_out=10))
    found = linear_templates.learn(few, setup, seed=3)
    assert found["w"].shape == (10, 32, 32, 3)
    assert found["parameters"] == 10 * 3072 + 10
    network = Network("SOFTMAX", (32, 32, 3), 10, layers)
    images = few.train_images
    learned_from = np.setdiff1d(np.arange(60), np.random.default_rng(3).choice(
        60, 10, replace=False))
    network.standardise(images[learned_from])
    x = (images - network.mean) / network.std
    scores = np.einsum("nhwc,khwc->nk", x, found["w"]) + found["b"]
    right = scores.argmax(axis=1) == few.train_labels
    assert found["seen_accuracy"] == np.mean(right)
