"""Training on a small set of images in which class is where the light is."""

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import plain_layers
import pytest

from convlab import storage
from convlab.data import Dataset
from convlab.network import Network
from convlab.training import Recipe, Training, TrainingError, accuracy, train

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
test_training.run(net=test_training.network(layers=layers), checkpoint=sys.argv[2],
                  save_steps=3)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (POSIX)")
def test_a_killed_training_ends_bit_for_bit_the_same(tmp_path):
    undisturbed, expected = run()
    path = tmp_path / "checkpoint.npz"
    # 120 images: 8 steps an epoch, 24 in all. The first is killed in epoch 1, the
    # second, which goes on from step 3, in epoch 2.
    for kill_at, saved in ((6, (1, 3)), (11, (2, 3))):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, Path(__file__).parent, path, str(kill_at)],
            capture_output=True, timeout=120)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        progress = storage.read(path)[1]["progress"]
        assert (progress["epoch"], progress["step"]) == saved
    resumed, result = run(checkpoint=path)
    assert result.history == expected.history
    assert result.best_epoch == expected.best_epoch
    assert same(weights(undisturbed), weights(resumed))


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
