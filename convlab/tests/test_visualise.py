import numpy as np
import pytest
from scipy.signal import convolve2d

from convlab import layers, visualise
from convlab.gradcheck import numerical_gradient, relative_error
from convlab.network import Network

DEEP = "CONV{4}-RELU-POOL-CONV{3 size=3}-RELU-FC{6}-RELU,SOFTMAX"


@pytest.fixture(scope="module")
def network():
    made = Network(DEEP, (8, 6, 2), 5, layers, seed=1, dtype=np.float64)
    rng = np.random.default_rng(2)
    made.mean[...], made.std[...] = (0.3, -0.2), (0.5, 2.0)
    for name, p in made.parameters.items():
        p += rng.normal(0, 0.1, p.shape) if name.endswith(".b") else 0
    return made


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(3).normal(size=(5, 8, 6, 2))


def test_activations_are_the_layers_in_a_row(network, images):
    w = network.parameters
    first = layers.conv2d_forward((images - network.mean) / network.std,
                                  w["conv1.w"], w["conv1.b"], pad=1)
    np.testing.assert_array_equal(
        visualise.activations(network, images, "conv1"), first)
    np.testing.assert_array_equal(
        visualise.activations(network, images, "pool1"),
        layers.maxpool_forward(np.maximum(first, 0))[0])
    np.testing.assert_array_equal(
        visualise.activations(network, images, "scores"), network.forward(images))


def test_score_gradient_against_numbers(network, images):
    classes = [4, 0, 2, 2, 1]
    found = visualise.score_gradient(network, images, classes) / network.std
    numerical = numerical_gradient(
        lambda x: network.forward(x)[np.arange(5), classes].sum(), images)
    assert relative_error(found, numerical).max() < 1e-6


def test_saliency_is_the_largest_channel(network, images):
    gradient = visualise.score_gradient(network, images, [1] * 5)
    found = visualise.saliency(network, images, [1] * 5)
    assert found.shape == (5, 8, 6)
    assert found[3, 2, 1] == max(abs(gradient[3, 2, 1, 0]), abs(gradient[3, 2, 1, 1]))


def test_projection_by_the_gradient_rule_is_a_derivative(network, images):
    """Of the squared activation, halved: the activation times its gradient."""
    found = visualise.projection(network, images, "relu2", [2] * 5, "gradient")
    numerical = numerical_gradient(
        lambda x: (visualise.activations(network, x, "relu2")[..., 2]
                   .reshape(5, -1).max(axis=1) ** 2).sum() / 2, images)
    assert relative_error(found / network.std, numerical).max() < 1e-6


def by_hand(network, image, k):
    """Deconvolution of map k of relu2, with loops and scipy: another way to do it."""
    w1, b1, w2, b2 = (network.parameters[name]
                      for name in ("conv1.w", "conv1.b", "conv2.w", "conv2.b"))
    x = (image - network.mean) / network.std
    first = np.maximum(layers.conv2d_forward(x[np.newaxis], w1, b1, pad=1)[0], 0)
    pooled = first.reshape(4, 2, 3, 2, 4).max(axis=(1, 3))
    second = np.maximum(layers.conv2d_forward(pooled[np.newaxis], w2, b2, pad=1)[0], 0)
    row, column = np.unravel_index(second[..., k].argmax(), second.shape[:2])
    alone = np.zeros(second.shape[:2])
    alone[row, column] = second[row, column, k]
    # The transposed convolution: each number lays down the filter, padding cut off.
    below = np.stack([convolve2d(alone, w2[k, :, :, c])[1:-1, 1:-1] for c in range(4)],
                     axis=-1)
    unpooled = np.zeros_like(first)
    for p in range(4):
        for q in range(3):
            for c in range(4):
                block = first[2 * p:2 * p + 2, 2 * q:2 * q + 2, c]
                i, j = np.unravel_index(block.argmax(), (2, 2))
                unpooled[2 * p + i, 2 * q + j, c] = below[p, q, c]
    rectified = np.maximum(unpooled, 0)
    return sum(np.stack([convolve2d(rectified[..., c], w1[c, :, :, channel])
                         [1:-1, 1:-1] for channel in range(2)], axis=-1)
               for c in range(4))


def test_deconvolution_by_hand(network, images):
    found = visualise.projection(network, images, "relu2", [0, 1, 2, 0, 1])
    for n, k in enumerate([0, 1, 2, 0, 1]):
        np.testing.assert_allclose(found[n], by_hand(network, images[n], k),
                                   atol=1e-12)


def test_rules_differ_at_a_relu_as_they_say():
    """One 1x1 filter, then ReLU, then scores 2y and -3y of the one number y."""
    net = Network("CONV{1 size=1}-RELU,SOFTMAX", (1, 1, 1), 2, layers,
                  dtype=np.float64)
    net.parameters["conv1.w"][...] = 5
    net.parameters["scores.w"][...] = [[2], [-3]]
    lit, dark = np.full((1, 1, 1, 1), 1.0), np.full((1, 1, 1, 1), -1.0)

    def back(image, score, rule):
        return visualise.score_gradient(net, image, [score], rule).item()

    assert [back(lit, 0, rule) for rule in visualise.RULES] == [5 * 2, 5 * 2, 5 * 2]
    assert [back(lit, 1, rule) for rule in visualise.RULES] == [5 * -3, 0, 0]
    assert [back(dark, 0, rule) for rule in visualise.RULES] == [0, 5 * 2, 0]
    assert [back(dark, 1, rule) for rule in visualise.RULES] == [0, 0, 0]


def test_strongest_in_batches(network, images):
    best = visualise.strongest(network, images, "relu1", count=2, batch_size=3)
    maps = visualise.activations(network, images, "relu1")
    for k in range(4):
        peaks = maps[..., k].max(axis=(1, 2))
        assert best.images[k].tolist() == np.argsort(-peaks)[:2].tolist()
        np.testing.assert_array_equal(
            best.values[k], maps[best.images[k], best.rows[k], best.columns[k], k])
        np.testing.assert_array_equal(best.values[k], np.sort(peaks)[:-3:-1])


def test_strongest_of_a_fully_connected_layer(network, images):
    best = visualise.strongest(network, images, "relu3", count=5)
    units = visualise.activations(network, images, "relu3")
    np.testing.assert_array_equal(best.values[2], np.sort(units[:, 2])[::-1])
    assert not best.rows.any()
    assert not best.columns.any()


@pytest.mark.parametrize(("layer", "row", "column"), [
    ("conv1", 3, 2), ("relu1", 0, 5), ("pool1", 1, 2), ("conv2", 1, 1),
    ("relu2", 0, 2), ("relu2", 3, 0)])
def test_nothing_outside_the_window_is_seen(layer, row, column):
    """And all inside it is: every weight is positive, so nothing is switched off."""
    net = Network("CONV{2 size=5}-RELU-POOL{average}-CONV{3}-RELU,SOFTMAX", (8, 12, 1),
                  2, layers, dtype=np.float64)
    for p in net.parameters.values():
        p[...] = 1

    def one_place(y):
        signal = np.zeros_like(y)
        signal[0, row, column, 0] = 1
        return signal

    seen = visualise.back_to_image(net, np.ones((1, 8, 12, 1)), layer, one_place)
    top, left, height, width = visualise.window(net, layer, row, column)
    expected = np.zeros((8, 12), bool)
    expected[max(top, 0):top + height, max(left, 0):left + width] = True
    np.testing.assert_array_equal(seen[0, ..., 0] != 0, expected)


def test_patches_and_what_lies_outside(network):
    volumes = np.arange(96.0).reshape(1, 8, 6, 2).repeat(2, axis=0)
    inside, corner = visualise.patches(network, volumes, "conv1", [2, 0], [3, 0], -1)
    np.testing.assert_array_equal(inside, volumes[0, 1:4, 2:5])
    np.testing.assert_array_equal(corner[1:, 1:], volumes[0, :2, :2])
    assert (corner[0] == -1).all()
    assert (corner[:, 0] == -1).all()
    assert visualise.window(network, "fc1", 0, 0) == (0, 0, 8, 6)


def test_pictures_have_zero_in_the_middle():
    shown = visualise.as_pictures(np.array([[-4, 2, 0.0], [0, 0, 0]])
                                  .reshape(2, 1, 3, 1))
    assert shown.ravel().tolist() == [0, 0.75, 0.5, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(("call", "message"), [
    (lambda net, x: visualise.activations(net, x, "conv9"), "it has conv1, relu1"),
    (lambda net, x: visualise.saliency(net, x, [0] * 5, "back"), "rule is one of"),
    (lambda net, x: visualise.saliency(net, x, [0]), "each of the 5 images"),
    (lambda net, x: visualise.saliency(net, x, [0.5] * 5), "whole number"),
    (lambda net, x: visualise.saliency(net, x, [5] * 5), "from 0 to 4"),
    (lambda net, x: visualise.projection(net, x, "relu2", [3] * 5), "from 0 to 2"),
    (lambda net, x: visualise.strongest(net, x, "relu2", 6), "count is from 1 to"),
])
def test_what_is_wrong_is_said(network, images, call, message):
    with pytest.raises(ValueError, match=message):
        call(network, images)
