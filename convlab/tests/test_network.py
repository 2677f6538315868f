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
NORMED = ("CONV{4}-NORM-RELU-POOL-DROPOUT{30}-CONV{3 size=1}-RELU-CONV{5}-RELU-NORM"
          "-FC{6}-NORM-RELU-DROPOUT,SOFTMAX")
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


# --- layers that behave otherwise while the network learns


def unsettled(layers=plain_layers, seed=0, **settings):
    """A network whose every parameter and average is somewhere in the open."""
    network, rng = small(layers, architecture=NORMED, **settings), \
        np.random.default_rng(seed)
    for name, p in {**network.parameters, **network.state.running}.items():
        if not name.endswith(".w"):
            p += rng.uniform(0.1, 0.5, p.shape)
    return network


def test_every_gradient_with_norm_and_dropout():
    network, (images, labels) = unsettled(), batch(6)
    _, gradients = network.loss_and_gradients(images, labels)
    assert list(gradients) == list(network.parameters)

    def loss(**parameters):
        for name, p in parameters.items():
            network.parameters[name][...] = p
        return network.loss_and_gradients(images, labels)[0]

    for name in ("conv1.b", "norm2.beta", "fc1.b"):  # a NORM takes away what they add
        assert np.abs(gradients.pop(name)).max() < 1e-12
    report = check_gradients(
        loss, {name: network.parameters[name] for name in gradients}, gradients)
    assert report, str(report)


def test_every_gradient_at_test_time():
    """Back along `walk`, where the averages that were kept are all that counts."""
    network, (images, labels) = unsettled(), batch(6)

    def loss(**arrays):
        for name, p in arrays.items():
            (images if name == "images" else network.parameters[name])[...] = p
        return plain_layers.softmax_cross_entropy(network.forward(images), labels)[0]

    walked = list(network.walk(images))
    dy = plain_layers.softmax_cross_entropy(walked[-1][1], labels)[1]
    gradients = {}
    for stage, _, memory in reversed(walked):
        dy, own = stage.backward(dy, memory)
        gradients |= {f"{stage.name}.{key}": d for key, d in own.items()}
    report = check_gradients(
        loss, {**network.parameters, "images": images}, {**gradients, "images": dy})
    assert report, str(report)


def test_averages_follow_the_batches():
    network, (images, labels) = small(architecture="NORM,SOFTMAX"), batch(6)
    network.state.momentum = 0.25
    assert [a.tolist() for a in network.state.running.values()] == [[0, 0], [1, 1]]
    network.forward(images)
    network.loss_and_gradients(images, labels)
    assert not network.state.running["norm1.mean"].any()
    network.learn_from(images, labels)
    np.testing.assert_allclose(
        network.state.running["norm1.mean"], 0.25 * images.mean((0, 1, 2)))
    np.testing.assert_allclose(
        network.state.running["norm1.variance"],
        0.75 + 0.25 * images.reshape(-1, 2).var(axis=0, ddof=1))


def test_at_test_time_an_image_is_scored_by_itself():
    network, (images, labels) = unsettled(), batch(6)
    scores = network.forward(images)
    for _ in range(2):
        np.testing.assert_allclose(network.forward(images[2:3]), scores[2:3], rtol=1e-9)
    *_, (_, walked, _) = network.walk(images)
    np.testing.assert_allclose(walked, scores, rtol=1e-9)
    first, second = (network.learn_from(images, labels)[2] for _ in range(2))
    assert (first != second).all()  # others are left out


def fused(counts):
    """The plain layers, with functions that do two things in one go."""
    def counted(name, function):
        def call(*args, **settings):
            counts[name] = counts.get(name, 0) + 1
            return function(*args, **settings)
        call.__module__ = plain_layers.__name__
        return call

    def norm_relu(x, gamma, beta, eps=1e-5):
        y, *statistics = plain_layers.batchnorm_forward(x, gamma, beta, eps)
        return np.maximum(y, 0), *statistics

    def norm_relu_backward(dy, x, gamma, beta, mean, inverse_std):
        y = (x - mean) * inverse_std * gamma + beta
        dy = dy * (y > 0)
        return plain_layers.batchnorm_backward(dy, x, gamma, mean, inverse_std)

    return PLAIN | {name: counted(name, function) for name, function in {
        "conv2d_relu_forward":
            lambda *args, **settings: np.maximum(
                plain_layers.conv2d_forward(*args, **settings), 0),
        "conv2d_weight_gradients":
            lambda *args, **settings: plain_layers.conv2d_backward(
                *args, **settings)[1:],
        "batchnorm_relu_forward": norm_relu,
        "batchnorm_relu_backward": norm_relu_backward,
        "batchnorm_relu_predict": lambda *args, **settings: np.maximum(
            plain_layers.batchnorm_predict(*args, **settings), 0),
    }.items()}


def learned(network, images, labels):
    results = network.learn_from(images, labels, smoothing=0.2, score_scale=0.5)
    return {"loss": results[0], **results[1], "scores": results[2],
            **network.state.running, "forward": network.forward(images)}


def test_neighbours_in_one_go_give_the_same():
    counts, (images, labels) = {}, batch(6)
    separate = learned(unsettled(), images, labels)
    together = learned(unsettled(fused(counts)), images, labels)
    assert counts == {
        "conv2d_relu_forward": 4, "conv2d_weight_gradients": 1,
        "batchnorm_relu_forward": 2, "batchnorm_relu_backward": 2,
        "batchnorm_relu_predict": 2}
    for name, expected in separate.items():
        np.testing.assert_allclose(together[name], expected, rtol=1e-9, atol=1e-12)
    network = unsettled(fused({}))
    assert [stage.name for stage, _, _ in network.walk(images)] == network.names
    assert "relu1" in network.names


def test_the_reference_layers_drive_norm_and_dropout_too():
    from convlab import layers

    images, labels = batch(6)
    no_dropout = NORMED.replace("-DROPOUT{30}", "").replace("-DROPOUT", "")
    separate, reference = (
        learned(small(one, architecture=no_dropout), images, labels)
        for one in (plain_layers, layers))
    for name, expected in separate.items():
        np.testing.assert_allclose(reference[name], expected, rtol=1e-7, atol=1e-11)


def test_no_function_from_elsewhere_takes_a_students_place():
    """A student's convolution among the reference layers is the one that runs."""
    from convlab import layers

    ran, (images, labels) = set(), batch()

    def conv2d_forward(*args, **settings):
        ran.add("forward")
        return layers.conv2d_forward(*args, **settings)

    def conv2d_backward(*args, **settings):
        ran.add("backward")
        return layers.conv2d_backward(*args, **settings)

    small({**vars(layers), "conv2d_forward": conv2d_forward,
           "conv2d_backward": conv2d_backward},
          architecture="CONV-RELU,SOFTMAX").learn_from(images, labels)
    assert ran == {"forward", "backward"}


def test_nothing_goes_back_further_than_to_what_learns():
    counts, (images, labels) = {}, batch()
    everything = small(fused(counts))
    _, expected, _ = everything.learn_from(images, labels)
    backward = []

    def conv2d_backward(dy, x, w, stride, pad):
        backward.append(w.shape)
        return plain_layers.conv2d_backward(dy, x, w, stride, pad)

    conv2d_backward.__module__ = plain_layers.__name__
    for frozen, went_back in (({"conv1"}, 0), ({"conv2"}, 1), ({"conv1", "conv2"}, 0)):
        backward.clear()
        counts.clear()
        network = small(fused(counts) | {"conv2d_backward": conv2d_backward})
        network.frozen |= frozen
        _, gradients, _ = network.learn_from(images, labels)
        assert len(backward) == went_back
        assert counts.get("conv2d_weight_gradients", 0) == (len(frozen) == 1)
        assert not frozen & {name.partition(".")[0] for name in gradients}
        for name, gradient in gradients.items():
            np.testing.assert_allclose(gradient, expected[name], rtol=1e-12)
    network.frozen |= set(network.names)
    assert network.learn_from(images, labels)[1] == {}


def test_smoothing_and_scale_are_those_of_the_loss():
    network, (images, labels) = small(), batch()
    loss, gradients, scores = network.learn_from(images, labels, 0.1, 0.25)
    np.testing.assert_allclose(scores, network.forward(images) * 0.25, rtol=1e-12)
    right, dscores = plain_layers.softmax_cross_entropy(scores, labels, 0.1)
    assert loss == right
    np.testing.assert_allclose(gradients["scores.b"], 0.25 * dscores.sum(0))


def test_a_loss_of_scores_and_labels_alone_will_do():
    layers = PLAIN | {"softmax_cross_entropy": lambda scores, labels:
                      plain_layers.softmax_cross_entropy(scores, labels)}
    small(layers).learn_from(*batch(), score_scale=0.5)


def test_what_norm_and_dropout_need():
    for missing in ("batchnorm_forward", "batchnorm_predict", "dropout_forward"):
        layers = {name: f for name, f in PLAIN.items() if name != missing}
        with pytest.raises(LayerError, match=f"needs a function {missing}"):
            small(layers, architecture=NORMED)


def test_averages_are_saved_and_loaded(tmp_path):
    network, (images, labels) = unsettled(), batch(6)
    network.learn_from(images, labels)
    network.save_weights(tmp_path / "weights.npz")
    other = small(architecture=NORMED)
    other.load_weights(tmp_path / "weights.npz")
    np.testing.assert_array_equal(other.forward(images), network.forward(images))


def test_mirrored_images_are_asked_too():
    network, (images, _) = small(architecture="SOFTMAX"), batch(40)
    expected = network.forward(images) + network.forward(images[:, :, ::-1].copy())
    found = network.predict(images, batch_size=7, mirror=True)
    np.testing.assert_array_equal(found, expected.argmax(axis=1))
    assert (found != network.predict(images)).any()
    np.testing.assert_array_equal(
        found, network.predict(images[:, :, ::-1], mirror=True))


def test_moved_images_count_half():
    network, (images, _) = small(architecture="SOFTMAX"), batch(40)
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    rows, columns = images.shape[1:3]

    def both_ways(x):
        return network.forward(x) + network.forward(x[:, :, ::-1])

    expected = (2 * both_ways(images) + both_ways(wide[:, :rows, :columns])
                + both_ways(wide[:, 4:, 4:])).argmax(axis=1)
    found = network.predict(images, batch_size=7, mirror=True, around=2)
    np.testing.assert_array_equal(found, expected)
    assert (found != network.predict(images, mirror=True)).any()


def test_memory_is_let_go_on_the_way_back():
    """The peak of a deep network is near what its forward pass keeps."""
    import tracemalloc

    layers = PLAIN | {"conv2d_forward": lambda x, w, b, stride, pad: x + 1,
                      "conv2d_backward": lambda dy, x, w, stride, pad: (
                          dy * x, np.zeros_like(w), np.zeros(len(w)))}
    depth = 20
    network = Network(f"(CONV{{2 size=1}})*{depth},SOFTMAX", (64, 64, 2), 5, layers)
    images = np.zeros((16, 64, 64, 2), np.uint8)
    tracemalloc.start()
    network.learn_from(images, np.zeros(16, int))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (depth + 6) * images.size * 4


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


def test_summary_of_norm_and_dropout():
    network = Network("CONV{7}-NORM-DROPOUT{20},SOFTMAX", (4, 4, 3), 10, plain_layers)
    lines = network.summary().splitlines()
    assert lines[4].split() == ["norm1", "4x4x7", "3x3", "14", "0"]
    assert lines[5].split() == ["dropout1", "20%", "4x4x7", "3x3", "0", "0"]


def test_summary():
    network = Network("[CONV{10 size=5}-RELU-POOL]*1,SOFTMAX", (32, 32, 3), 10,
                      plain_layers)
    lines = network.summary().splitlines()
    assert lines[3].split() == [
        "conv1", "10", "of", "5x5,", "stride", "1,", "pad", "2", "32x32x10", "5x5",
        "760", "768,000"]
    assert lines[-1].split() == ["total", f"{760 + 25_610:,}", f"{768_000 + 25_600:,}"]
    assert len({len(line) for line in lines[3:-2]}) == 1  # in columns
