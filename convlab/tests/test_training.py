"""Training on a small set of images in which class is where the light is."""

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import plain_layers
import pytest

from convlab import storage
from convlab.data import Dataset, hold_out
from convlab.network import Network
from convlab.optimisers import SCHEDULES
from convlab.training import Recipe, Training, TrainingError, accuracy, train
from convlab.whitening import whitening_filters

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.02, held_out=40, shift=1,
                seed=5)


def lights(n=200, seed=0):
    """The upper, the lower, the left or the right half is brighter."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    images = rng.integers(0, 150, (n, 6, 6, 1), np.uint8)
    halves = np.s_[:3], np.s_[3:], np.s_[:, :3], np.s_[:, 3:]
    for image, label in zip(images, labels, strict=True):
        image[halves[label]] += 60
    return Dataset("lights", images[:-40], labels[:-40], images[-40:], labels[-40:],
                   ("up", "down", "left", "right"), "Halves of light.")


def network(architecture="CONV{4}-RELU-POOL,SOFTMAX", layers=plain_layers):
    return Network(architecture, (6, 6, 1), 4, layers)


def weights(net):
    return {name: p.copy() for name, p in net.parameters.items()}


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


# All that a recipe can ask for, of a network with every kind of layer.
RICH = replace(RECIPE, learning_rate=0.05, flip=True, alternate=True, mirror=True,
               whiten=True, identity_start=True, bias_rate=4, start_rate=0.2,
               label_smoothing=0.1, score_scale=0.5, norm_momentum=0.2,
               filter_rate=0.1, filter_momentum=0.6)
DEEP = "CONV{8 size=2 pad=0}-RELU-CONV{9}-NORM-RELU-DROPOUT{20}-FC{8}-NORM-RELU,SOFTMAX"


BEFORE = ("epochs", "batch_size", "learning_rate", "schedule", "momentum", "nesterov",
          "weight_decay", "flip", "shift", "held_out", "seed")  # a recipe's first


def run(recipe=RECIPE, net=None, **options):
    net = net or network()
    result = train(net, lights(), recipe, progress=False, **options)
    return net, result


def test_it_learns():
    data, net = lights(), network()
    before = accuracy(net, data.test_images, data.test_labels)
    _, result = run(replace(RECIPE, epochs=10), net)
    after = accuracy(net, data.test_images, data.test_labels)
    assert before < 0.5 < 0.9 <= after
    assert result.finished
    assert [row["epoch"] for row in result.history] == list(range(1, 11))
    assert result.history[-1]["loss"] < 0.5 * result.history[0]["loss"]


def test_the_seed_decides_all():
    (a, first), (b, second) = run(), run()
    assert first.history == second.history
    assert same(weights(a), weights(b))
    other, _ = run(replace(RECIPE, seed=6))
    assert not same(weights(a), weights(other))


def test_one_epoch_by_hand():
    """Without momentum, decay and changes: plain gradient descent, in the order."""
    recipe = Recipe(epochs=1, batch_size=100, learning_rate=0.1, schedule="constant",
                    momentum=0, weight_decay=0, held_out=0, seed=1)
    data, net, expected = lights(), network(), network()
    order = Training(network(), data, recipe).order
    expected.standardise(data.train_images)
    for chosen in (order[:100], order[100:]):  # 160 images: 100 and 60
        _, gradients = expected.loss_and_gradients(
            data.train_images[chosen], data.train_labels[chosen])
        for name, p in expected.parameters.items():
            p -= 0.1 * gradients[name]
    _, result = run(recipe, net)
    for name, p in expected.parameters.items():
        np.testing.assert_allclose(net.parameters[name], p, rtol=1e-5, atol=1e-7)
    assert result.history[0]["validation_accuracy"] is None
    assert result.best_epoch == 1


def test_a_training_with_changed_images_by_hand():
    """The rounding of each step as it always was, so that recorded runs stay true."""
    recipe = replace(RECIPE, epochs=2, flip=True)
    data, net = lights(), network()
    part = hold_out(data, recipe.held_out, recipe.seed)
    rng = np.random.default_rng((recipe.seed, 1))
    net.standardise(part.train_images)
    velocity = {name: np.zeros_like(p) for name, p in net.parameters.items()}
    order = rng.permutation(120)
    for step in range(16):
        chosen = order[step % 8 * 16:][:16]
        wide = np.pad(part.train_images[chosen], ((0, 0), (1, 1), (1, 1), (0, 0)),
                      mode="reflect")
        places = rng.integers(0, 3, (2, len(chosen))).T
        images = np.stack([image[down:down + 6, right:right + 6] for image, (
            down, right) in zip(wide, places, strict=True)])
        mirrored = rng.random(len(chosen)) < 0.5
        images[mirrored] = images[mirrored, :, ::-1].copy()
        _, gradients, _ = net.learn_from(images, part.train_labels[chosen])
        rate = 0.02 * SCHEDULES["triangular"]((step + 0.5) / 16)
        for name, p in net.parameters.items():
            g = gradients[name] + (5e-4 * p if p.ndim > 1 else 0)
            velocity[name] = 0.9 * velocity[name] + g
            p -= rate * (g + 0.9 * velocity[name])
        if step == 7:
            order = rng.permutation(120)
    training = Training(network(), data, recipe)
    while not training.finished:
        training.step()
    assert same(weights(training.network), weights(net))


def test_the_test_images_are_not_used():
    data = lights()
    other = replace(data, test_images=255 - data.test_images,
                    test_labels=3 - data.test_labels)
    results = []
    for dataset in (data, other):
        net = network()
        train(net, dataset, RECIPE, progress=False)
        results.append(weights(net))
    assert same(*results)


def test_the_best_epoch_is_kept():
    """A rate far too high for the last epochs: the best one is an early one."""
    recipe = replace(RECIPE, epochs=6, learning_rate=0.3, schedule="constant")
    net, result = run(recipe)
    held_out = [row["validation_accuracy"] for row in result.history]
    assert held_out[result.best_epoch - 1] == max(held_out) > held_out[-1]
    training = Training(network(), lights(), recipe)
    while training.progress.epoch <= result.best_epoch:
        training.step()
    assert same(weights(training.network), weights(net))
    assert accuracy(net, training.data.test_images,
                    training.data.test_labels) == max(held_out)


# --- the other settings of a recipe


def test_it_learns_with_all_settings():
    # But for mirrored images: they are of another class here.
    recipe = replace(RICH, epochs=10, flip=False, alternate=False, mirror=False)
    (net, result), data = run(recipe, network(DEEP)), lights()
    assert accuracy(net, data.test_images, data.test_labels) >= 0.9
    assert result.history[-1]["loss"] < 0.5 * result.history[0]["loss"]


def test_each_image_is_seen_from_both_sides_in_turn():
    recipe = replace(RECIPE, epochs=4, flip=True, alternate=True, shift=0)
    training = Training(network(), lights(), recipe)
    turned = []
    for _ in range(4):
        seen = np.zeros(120, bool)
        for step in range(training.steps):
            images, _ = training._batch()
            chosen = training.order[step * 16:][:16]
            plain = training.data.train_images[chosen]
            seen[chosen] = (images != plain).any(axis=(1, 2, 3))
            where = seen[chosen][:, None, None, None]
            np.testing.assert_array_equal(
                images, np.where(where, plain[:, :, ::-1], plain))
            training.step()
        turned.append(seen)
    assert 30 < turned[0].sum() < 90
    assert (turned[0] ^ turned[1]).all()
    assert (turned[0] == turned[2]).all() and (turned[1] == turned[3]).all()
    other = Training(network(), lights(), replace(recipe, seed=6))
    assert (other.turned != training.turned).any()


def test_mirror_is_for_every_accuracy_that_is_measured(monkeypatch):
    asked = []
    predict = Network.predict
    monkeypatch.setattr(Network, "predict", lambda self, images, **settings: (
        asked.append(settings), predict(self, images, **settings))[1])
    run(replace(RECIPE, epochs=1, mirror=True))
    run(replace(RECIPE, epochs=1))
    assert asked == [{"mirror": True}, {}]


def test_whitened_filters_stay_as_they_are():
    net = network(DEEP)
    run(RICH, net)
    data = hold_out(lights(), RICH.held_out, RICH.seed)
    standardised = (data.train_images - net.mean) / net.std
    np.testing.assert_array_equal(
        net.parameters["conv1.w"], whitening_filters(standardised, 2))
    assert not net.parameters["conv1.b"].any()
    training = Training(network(DEEP), lights(), RICH)
    assert "conv1.w" not in training.optimiser.velocities


@pytest.mark.parametrize("architecture, message", [
    ("CONV{7 size=2 pad=0},SOFTMAX", r"2\*2\*2\*1 = 8 filters in the first CONV.* it "
                                     "has 7"),
    ("NORM-CONV{8 size=2 pad=0},SOFTMAX", "whiten needs a network that begins with"),
])
def test_networks_that_cannot_be_whitened(architecture, message):
    with pytest.raises(TrainingError, match=message):
        run(RICH, network(architecture))


def test_identity_start():
    net = network("CONV{3}-CONV{5}-CONV{2}-CONV{4 size=2 pad=0}-CONV{6 size=1},SOFTMAX")
    usual = weights(net)
    Training(net, lights(), replace(RECIPE, identity_start=True))
    w = net.parameters
    for name in ("conv1.w", "conv4.w", "conv2.b"):  # no middle in a filter of size 2
        np.testing.assert_array_equal(w[name], usual[name])
    np.testing.assert_array_equal(w["conv2.w"][3:], usual["conv2.w"][3:])
    np.testing.assert_array_equal(w["conv5.w"][4:], usual["conv5.w"][4:])
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 5)).astype(np.float32)
    for name, pad, handed_on in (("conv2", 1, 3), ("conv3", 1, 2), ("conv5", 0, 4)):
        given = x[..., :w[f"{name}.w"].shape[3]]
        y = plain_layers.conv2d_forward(given, w[f"{name}.w"], w[f"{name}.b"], 1, pad)
        np.testing.assert_allclose(
            y[..., :handed_on], given[..., :handed_on], rtol=1e-6)


def test_which_learn_faster_and_which_decay():
    recipe = replace(RICH, filter_rate=0.0)
    training = Training(network(DEEP), lights(), recipe)
    assert set(training.optimiser.rates) == {
        "conv2.b", "fc1.b", "scores.b", "norm1.beta", "norm2.beta"}
    assert set(training.optimiser.rates.values()) == {4}
    training = Training(network(DEEP), lights(), replace(recipe, weight_decay=0.5))
    p = training.network.parameters
    before = weights(training.network)
    training.optimiser.step({name: np.zeros_like(a) for name, a in p.items()}, 0.1)
    assert {name for name in p if (p[name] != before[name]).any()} == {
        "conv2.w", "fc1.w", "scores.w"}


def test_filters_learn_by_muon_at_their_own_rate():
    training = Training(network(DEEP), lights(), RICH)
    sgd, muon = training.optimiser.optimisers
    assert set(muon.parameters) == {"conv2.w"}  # conv1 is frozen
    assert muon.momentum == RICH.filter_momentum
    assert muon.rates["conv2.w"] * RICH.learning_rate == pytest.approx(0.1)
    assert set(sgd.parameters) | {"conv2.w"} == set(training.network.trained)
    assert sgd.momentum == RICH.momentum
    before = weights(training.network)
    training.step()
    assert all((training.network.parameters[name] != before[name]).any()
               for name in training.network.trained)


def test_the_rate_begins_at_its_part():
    rates = [Training(network(), lights(), replace(RECIPE, start_rate=part)
                      )._learning_rate() for part in (0.0, 0.5)]
    done = 0.5 / 24
    assert rates == pytest.approx([0.02 * done / 0.2, 0.02 * (0.5 + 0.5 * done / 0.2)])


def test_smoothing_and_scale_reach_the_loss_and_the_last_layer():
    net, expected = network("SOFTMAX"), network("SOFTMAX")
    recipe = replace(RECIPE, epochs=1, batch_size=200, momentum=0, weight_decay=0,
                     schedule="constant", shift=0, held_out=0, label_smoothing=0.2,
                     score_scale=0.25)
    data = lights()
    expected.standardise(data.train_images)
    loss, gradients, _ = expected.learn_from(
        data.train_images, data.train_labels, 0.2, 0.25)
    training = Training(net, data, recipe)
    training.step()
    assert training.progress.history[0]["loss"] == pytest.approx(loss, rel=1e-6)
    for name, p in net.parameters.items():
        p_ = expected.parameters[name] - 0.02 * gradients[name]
        np.testing.assert_allclose(p, p_, rtol=1e-4, atol=1e-6)
    scores = net.forward(data.test_images)
    for _ in range(2):  # the second time changes nothing
        training.keep_best()
        np.testing.assert_allclose(
            net.forward(data.test_images), 0.25 * scores, rtol=1e-4, atol=1e-6)


def test_the_averages_of_the_best_epoch_are_kept_with_its_weights():
    recipe = replace(RICH, epochs=5, learning_rate=3, schedule="constant",
                     start_rate=0, score_scale=1)
    net, result = run(recipe, network(DEEP))
    assert result.best_epoch < 5
    training = Training(network(DEEP), lights(), recipe)
    while training.progress.epoch <= result.best_epoch:
        training.step()
    assert same(training.network.state.running, net.state.running)
    assert accuracy(net, training.data.test_images, training.data.test_labels,
                    mirror=True) == max(
        row["validation_accuracy"] for row in result.history)


def test_each_epoch_has_its_time():
    _, result = run()
    assert len(result.epoch_ends) == 3
    assert 0 < result.epoch_ends[0] < result.epoch_ends[-1] == result.seconds


def test_a_last_batch_of_one_image_is_refused_where_norm_cannot_use_it():
    with pytest.raises(TrainingError, match="120 images in batches of 17 leave a batch "
                                            "of one"):
        run(replace(RECIPE, batch_size=17), network("FC{5}-NORM,SOFTMAX"))
    run(replace(RECIPE, batch_size=17, epochs=1), network("NORM,SOFTMAX"))


# --- checkpoints

# Trains to the end, or kills itself (SIGKILL) in the middle of a step.
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import plain_layers, test_training

steps = 0
def dense_backward(*arguments):
    global steps
    steps += 1
    if steps == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return plain_layers.dense_backward(*arguments)

layers = {**vars(plain_layers), "dense_backward": dense_backward}
recipe, architecture = {
    "plain": (test_training.RECIPE, "CONV{4}-RELU-POOL,SOFTMAX"),
    "rich": (test_training.RICH, test_training.DEEP)}[sys.argv[4]]
test_training.run(recipe, test_training.network(architecture, layers),
                  checkpoint=sys.argv[2], save_steps=3)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (POSIX)")
@pytest.mark.parametrize("kind, recipe, architecture, a_step", [
    ("plain", RECIPE, "CONV{4}-RELU-POOL,SOFTMAX", 1),
    ("rich", RICH, DEEP, 2),  # two fully connected layers
])
def test_a_killed_training_ends_bit_for_bit_the_same(tmp_path, kind, recipe,
                                                     architecture, a_step):
    undisturbed, expected = run(recipe, network(architecture))
    path = tmp_path / "checkpoint.npz"
    # 120 images: 8 steps an epoch, 24 in all. The first is killed in epoch 1, the
    # second, which goes on from step 3, in epoch 2.
    for kill_at, saved in ((6, (1, 3)), (11, (2, 3))):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, Path(__file__).parent, path,
             str(a_step * kill_at), kind],
            capture_output=True, timeout=120)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        progress = storage.read(path)[1]["progress"]
        assert (progress["epoch"], progress["step"]) == saved
    resumed, result = run(recipe, network(architecture), checkpoint=path)
    assert result.history == expected.history
    assert result.best_epoch == expected.best_epoch
    assert len(result.epoch_ends) == 3
    assert same(weights(undisturbed), weights(resumed))
    assert same(undisturbed.state.running, resumed.state.running)


def test_a_checkpoint_of_before_recipes_had_more_settings(tmp_path):
    path = tmp_path / "checkpoint.npz"
    training = Training(network(), lights(), RECIPE)
    for _ in range(11):
        training.step()
    training.save(path)
    arrays, note = storage.read(path)
    del note["dropout"], note["progress"]["epoch_ends"]
    for name in set(asdict(RICH)) - set(BEFORE):
        del note["about"][name]
    storage.write(path, arrays, note)
    resumed, result = run(checkpoint=path)
    assert same(weights(resumed), weights(run()[0]))
    assert len(result.history) == 3
    assert len(result.epoch_ends) == 2


def test_a_finished_training_is_not_trained_again(tmp_path):
    path = tmp_path / "checkpoint.npz"
    first, result = run(checkpoint=path)
    before = path.read_bytes()
    again, same_result = run(checkpoint=path)
    assert same_result == result
    assert same(weights(first), weights(again))
    assert path.read_bytes() == before


@pytest.mark.parametrize("change, message", [
    ({"recipe": replace(RECIPE, epochs=4)}, "epochs is 3 there and 4 here"),
    ({"recipe": replace(RECIPE, seed=9)}, "seed is 5 there and 9 here"),
    ({"recipe": replace(RECIPE, label_smoothing=0.1)},
     "label_smoothing is 0.0 there and 0.1 here"),
    ({"net": network("SOFTMAX")}, "architecture is 'CONV{4}-RELU-POOL,SOFTMAX' there"),
])
def test_the_checkpoint_of_another_training_is_refused(tmp_path, change, message):
    path = tmp_path / "checkpoint.npz"
    run(checkpoint=path)
    with pytest.raises(TrainingError, match=re.escape(message)):
        run(checkpoint=path, **change)


def test_other_images_are_other_training(tmp_path):
    path = tmp_path / "checkpoint.npz"
    run(checkpoint=path)
    with pytest.raises(TrainingError, match="checksum of the data is "):
        train(network(), lights(seed=1), RECIPE, checkpoint=path, progress=False)


def test_files_that_are_no_checkpoints(tmp_path):
    path = tmp_path / "weights.npz"
    network().save_weights(path)
    with pytest.raises(storage.StorageError, match="not a checkpoint"):
        run(checkpoint=path)
    path.write_bytes(b"PK not")
    with pytest.raises(storage.StorageError, match="damaged"):
        run(checkpoint=path)


def interrupting(at):
    """Layers that press Ctrl-C during step `at`."""
    steps = 0

    def dense_backward(*arguments):
        nonlocal steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGINT)
        return plain_layers.dense_backward(*arguments)

    return {**vars(plain_layers), "dense_backward": dense_backward}


def test_ctrl_c_keeps_the_best_and_says_how_to_go_on(tmp_path, capsys):
    path = tmp_path / "checkpoint.npz"
    handler = signal.getsignal(signal.SIGINT)  # a background job ignores it
    stopped, result = run(net=network(layers=interrupting(11)), checkpoint=path)
    assert not result.finished
    assert result.best_epoch == 1
    said = capsys.readouterr().out
    assert said.startswith("Stopped in epoch 2 of 3; the network has the weights of "
                           "epoch 1")
    assert str(path) in said
    one_epoch = Training(network(), lights(), RECIPE)
    while not one_epoch.step():
        pass
    assert same(weights(stopped), weights(one_epoch.network))
    resumed, _ = run(checkpoint=path)
    undisturbed, _ = run()
    assert same(weights(resumed), weights(undisturbed))
    assert signal.getsignal(signal.SIGINT) is handler


def test_it_trains_in_another_thread_too():
    results = []
    thread = threading.Thread(target=lambda: results.append(run()))
    thread.start()
    thread.join()
    assert same(weights(results[0][0]), weights(run()[0]))


# --- refusals


def test_a_loss_that_is_no_number_stops_it(tmp_path):
    recipe = replace(RECIPE, learning_rate=1e30)
    with (np.errstate(all="ignore"),
          pytest.raises(TrainingError, match="the loss became .* smaller learning")):
        run(recipe)


@pytest.mark.parametrize("settings, message", [
    ({"epochs": 0}, "epochs is a whole number of at least 1, got 0"),
    ({"batch_size": 2.5}, "batch_size is a whole number"),
    ({"learning_rate": float("nan")}, "learning_rate must be more than 0"),
    ({"momentum": 1}, "momentum is from 0 to below 1"),
    ({"weight_decay": -1}, "weight_decay is at least 0"),
    ({"filter_rate": float("inf")}, "filter_rate is at least 0"),
    ({"filter_momentum": 1}, "filter_momentum is from 0 to below 1"),
    ({"bias_rate": 0}, "bias_rate must be more than 0"),
    ({"score_scale": float("inf")}, "score_scale must be more than 0"),
    ({"label_smoothing": 1}, "label_smoothing is from 0 to below 1"),
    ({"start_rate": -0.1}, "start_rate is from 0 to below 1"),
    ({"norm_momentum": 0}, "norm_momentum is above 0 and at most 1"),
    ({"start_rate": 0.1, "schedule": "cosine"}, "a matter of the triangular schedule"),
    ({"alternate": True}, "set flip too"),
    ({"schedule": "linear"}, "schedule is one of constant, triangular, cosine"),
])
def test_recipes_that_make_no_sense(settings, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**settings)


def test_progress_is_shown(capsys):
    train(network(), lights(), RECIPE)
    shown = capsys.readouterr()
    assert "epoch 3/3: loss " in shown.out
    assert "held-out accuracy" in shown.out
    assert "24/24" in shown.err
    assert "loss=" in shown.err
