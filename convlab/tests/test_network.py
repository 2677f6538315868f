import numpy as np
import plain_layers
import pytest

from convlab import storage
from convlab.arithmetic import SizeError
from convlab.gradcheck import check_gradients
from convlab.network import Network
from convlab.stages import LayerError
from convlab.storage import read_note

EVERY_KIND = ("CONV{4}-RELU-POOL-CONV{3 size=1}-RELU-POOL{average size=3 stride=1}"
              "-FC{6}-RELU,SOFTMAX")
PLAIN = {name: f for name, f in vars(plain_layers).items() if callable(f)}


def small(layers=plain_layers, dtype=np.float64, seed=0, architecture=EVERY_KIND):
    return Network(architecture, (8, 6, 2), 5, layers, seed, dtype)


def batch(n=3, shape=(8, 6, 2), seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, *shape)), rng.integers(0, 5, n)


def test_parameters_are_those_that_arithmetic_counts():
    network = small()
    assert {name: p.shape for name, p in network.parameters.items()} == {
        "conv1.w": (4, 3, 3, 2), "conv1.b": (4,), "conv2.w": (3, 1, 1, 4),
        "conv2.b": (3,), "fc1.w": (6, 2 * 1 * 3), "fc1.b": (6,),
        "scores.w": (5, 6), "scores.b": (5,)}
    assert (sum(p.size for p in network.parameters.values())
            == sum(row.parameters for row in network.rows))


def test_forward_is_the_layers_in_a_row():
    network, (images, _) = small(), batch()
    w = network.parameters
    y = plain_layers.conv2d_forward(images, w["conv1.w"], w["conv1.b"], 1, 1)
    y, _ = plain_layers.maxpool_forward(np.maximum(y, 0))
    y = plain_layers.conv2d_forward(y, w["conv2.w"], w["conv2.b"])
    y = plain_layers.avgpool_forward(np.maximum(y, 0), 3, 1)
    y = np.maximum(y.reshape(3, -1) @ w["fc1.w"].T + w["fc1.b"], 0)
    expected = y @ w["scores.w"].T + w["scores.b"]
    np.testing.assert_allclose(network.forward(images), expected, rtol=1e-12)
    np.testing.assert_array_equal(
        network.predict(images, batch_size=2), expected.argmax(axis=1))


def test_every_gradient_against_numbers():
    network, (images, labels) = small(), batch()
    rng = np.random.default_rng(2)
    for name, p in network.parameters.items():  # biases away from 0 as well
        p += rng.normal(0, 0.1, p.shape) if name.endswith(".b") else 0
    _, gradients = network.loss_and_gradients(images, labels)

    def loss(**parameters):
        for name, p in parameters.items():
            network.parameters[name][...] = p
        return network.loss_and_gradients(images, labels)[0]

    report = check_gradients(loss, network.parameters, gradients)
    assert report, str(report)
    assert all(np.abs(g).max() > 1e-3 for g in gradients.values())


def test_a_module_and_a_dict_drive_it_alike():
    images, labels = batch()
    loss, gradients = small(plain_layers).loss_and_gradients(images, labels)
    loss_, gradients_ = small(PLAIN).loss_and_gradients(images, labels)
    assert loss == loss_
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, gradients_[name])


def test_the_reference_layers_drive_it_too():
    from convlab import layers

    images, labels = batch()
    loss, gradients = small(plain_layers).loss_and_gradients(images, labels)
    loss_, gradients_ = small(layers).loss_and_gradients(images, labels)
    assert loss == pytest.approx(loss_, rel=1e-9)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, gradients_[name], rtol=1e-7, atol=1e-12)


def test_only_the_layers_that_are_needed_have_to_be_there():
    dense = {name: PLAIN[name] for name in ("dense_forward",)}
    images, labels = batch()
    network = small(dense, architecture="SOFTMAX")
    assert network.forward(images).shape == (3, 5)
    with pytest.raises(LayerError, match="needs a function softmax_cross_entropy"):
        network.loss_and_gradients(images, labels)
    with pytest.raises(LayerError, match="needs a function maxpool_forward"):
        small(dense, architecture="POOL,SOFTMAX")


@pytest.mark.parametrize("name, wrong, message", [
    ("conv2d_forward", lambda x, w, b, stride, pad: x[:, 1:],
     r"conv2d_forward returned y of shape \(3, 7, 6, 2\), expected shape "
     r"\(3, 8, 6, 4\) \(in conv1: Conv\("),
    ("relu_forward", lambda x: None, "relu_forward returned y of NoneType"),
    ("maxpool_forward", lambda x, size, stride: x,
     "maxpool_forward returned 1 value, expected 2 values: y, argmax"),
    ("dense_backward", lambda dy, x, w: (dy @ w, x.T @ dy, dy.sum(0)),
     r"dense_backward returned dw of shape \(6, 5\), expected shape \(5, 6\)"),
])
def test_a_layer_that_returns_something_else_is_named(name, wrong, message):
    images, labels = batch()
    with pytest.raises(LayerError, match=message):
        small(PLAIN | {name: wrong}).loss_and_gradients(images, labels)


def test_weights_start_as_he_et_al_say():
    network = Network("CONV{64}-RELU-FC{200}-RELU,SOFTMAX", (8, 8, 16), 100,
                      plain_layers)
    w = network.parameters
    assert w["conv1.w"].std() == pytest.approx((2 / (3 * 3 * 16)) ** 0.5, rel=0.05)
    assert w["fc1.w"].std() == pytest.approx((2 / (8 * 8 * 64)) ** 0.5, rel=0.05)
    assert w["scores.w"].std() == pytest.approx((1 / 200) ** 0.5, rel=0.05)
    assert not w["fc1.b"].any()
    assert {p.dtype for p in w.values()} == {np.dtype(np.float32)}


def test_the_seed_decides_the_weights():
    same, other = small(seed=3), small(seed=4)
    for name, p in small(seed=3).parameters.items():
        np.testing.assert_array_equal(p, same.parameters[name])
    assert (small().parameters["conv1.w"] != other.parameters["conv1.w"]).all()


def test_standardise():
    images = np.random.default_rng(0).integers(0, 200, (2500, 8, 6, 2), np.uint8)
    images[..., 1] = 7  # a channel that never changes
    seen = {}
    network = small({**PLAIN, "dense_forward": lambda x, w, b: seen.update(x=x) or (
        PLAIN["dense_forward"](x, w, b))}, architecture="SOFTMAX")
    network.standardise(images)
    network.forward(images)
    x = seen["x"].reshape(images.shape)
    assert x[..., 0].mean() == pytest.approx(0, abs=1e-12)
    assert x[..., 0].std() == pytest.approx(1)
    assert not x[..., 1].any()


def test_weights_are_saved_and_loaded(tmp_path):
    images, _ = batch()
    network, other = small(seed=0), small(seed=1)
    network.standardise(images)
    network.save_weights(tmp_path / "new" / "weights.npz", data="drawn")
    assert read_note(tmp_path / "new" / "weights.npz")["data"] == "drawn"
    other.load_weights(tmp_path / "new" / "weights.npz")
    np.testing.assert_array_equal(network.forward(images), other.forward(images))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["weights.npz"]


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    path = tmp_path / "weights.npz"
    small().save_weights(path)
    other = small(architecture=EVERY_KIND.replace("FC{6}", "FC{7}"))
    before = {name: p.copy() for name, p in other.parameters.items()}
    with pytest.raises(storage.StorageError, match=r"fc1.w is float64 of shape "
                       r"\(6, 6\), here it is a float array of shape \(7, 6\)"):
        other.load_weights(path)
    with pytest.raises(storage.StorageError, match="it has conv1.w, conv1.b"):
        small(architecture="SOFTMAX").load_weights(path)
    for name, p in other.parameters.items():
        np.testing.assert_array_equal(p, before[name])


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = small()
    network.parameters["fc1.b"][2] = np.nan
    network.save_weights(tmp_path / "weights.npz")
    with pytest.raises(storage.StorageError, match="fc1.b holds numbers that are inf"):
        small().load_weights(tmp_path / "weights.npz")


@pytest.mark.parametrize("images, message", [
    (np.zeros((3, 6, 8, 2)), r"shape \(N, 8, 6, 2\).* got shape \(3, 6, 8, 2\)"),
    (np.zeros((0, 8, 6, 2)), r"N at least 1, got shape \(0, 8, 6, 2\)"),
    ([[1, 2]], "got list"),
])
def test_images_of_another_shape(images, message):
    for use in (small().forward, small().predict, small().standardise):
        with pytest.raises(ValueError, match=message):
            use(images)


def test_other_refusals():
    with pytest.raises(ValueError, match="float32 or float64, got int64"):
        small(dtype=np.int64)
    with pytest.raises(SizeError, match="a network takes a volume"):
        Network("SOFTMAX", (3072,), 10, plain_layers)


def test_summary():
    network = Network("[CONV{10 size=5}-RELU-POOL]*1,SOFTMAX", (32, 32, 3), 10,
                      plain_layers)
    lines = network.summary().splitlines()
    assert lines[3].split() == [
        "conv1", "10", "of", "5x5,", "stride", "1,", "pad", "2", "32x32x10", "5x5",
        "760", "768,000"]
    assert lines[-1].split() == ["total", f"{760 + 25_610:,}", f"{768_000 + 25_600:,}"]
    assert len({len(line) for line in lines[3:-2]}) == 1  # in columns
