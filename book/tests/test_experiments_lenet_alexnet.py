"""What the experiment with a network like LeNet-5 is made of."""

from __future__ import annotations

import numpy as np
import pytest

from book.experiments import lenet5_digits as experiment
from convlab.arithmetic import numbers_in
from convlab.data import digits
from convlab.published import LENET5


def test_a_pixel_becomes_a_block_inside_a_border():
    small = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    large = experiment.enlarge(small)
    assert large.shape == (1, 32, 32, 1)
    assert large.dtype == np.uint8
    np.testing.assert_array_equal(large[0, 4:28:3, 5:28:3, 0], small[0, :, :, 0])
    assert large.sum() == 9 * small.astype(int).sum()


@pytest.mark.parametrize("kind", experiment.UNITS)
def test_missing_weights_are_0_and_stay_0(kind):
    network = experiment.lenet5(kind, seed=3)
    missing = ~np.broadcast_to(experiment.C3_MASK, (16, 5, 5, 6))
    assert not network.parameters["conv2.w"][missing].any()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 32, 1), dtype=np.uint8)
    _, gradients = network.loss_and_gradients(images, np.arange(4))
    assert not gradients["conv2.w"][missing].any()
    assert gradients["conv2.w"].any()


def test_c1_c3_c5_and_f6_have_lenet5s_parameters():
    network = experiment.lenet5("tanh", seed=0)
    missing = numbers_in(experiment.C3_MASK.shape) - experiment.C3_MASK.sum()
    for name, part, left_out in (("conv1", "C1", 0), ("conv2", "C3", 25 * missing),
                                 ("fc1", "C5", 0), ("fc2", "F6", 0)):
        size = sum(network.parameters[f"{name}.{key}"].size for key in "wb")
        assert size - left_out == LENET5[part].parameters


def test_scaled_tanh_and_its_slope():
    x = np.linspace(-3, 3, 13)
    y = experiment.tanh_forward(x)
    np.testing.assert_allclose(y[[4, 8]], [-1, 1], atol=1e-4)
    step = 1e-6
    slope = (experiment.tanh_forward(x + step) - experiment.tanh_forward(x - step)) / (
        2 * step)
    np.testing.assert_allclose(experiment.tanh_backward(np.ones(13), x), slope,
                               rtol=1e-6)
    assert experiment.tanh_forward(x.astype(np.float32)).dtype == np.float32


def test_a_short_training_learns(monkeypatch):
    monkeypatch.setattr(experiment, "RECIPE",
                        experiment.replace(experiment.RECIPE, epochs=2))
    dataset = experiment.enlarged(digits.load())
    network, training, test = experiment.learn(dataset, "tanh", 0.01, seed=0)
    assert len(training) == len(test) == 2
    assert training[1] < training[0]
    assert test[1] < 0.5
    wrong = network.predict(dataset.test_images) != dataset.test_labels
    assert wrong.mean() == test[1]
