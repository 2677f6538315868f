"""The hidden tests of ps7_cifar10 are tested themselves."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from autograder import hidden
from autograder.hidden import ps7_cifar10 as ps7
from autograder.tests.student_layers import (
    ps2_convolution,
    ps3_conv_backward,
    ps4_pooling,
    ps5_fully_connected,
    ps6_fast_convolution,
)
from autograder.tests.trials import Trials
from convlab import layers
from convlab.gradcheck import check_gradients
from convlab.network import Network
from convlab.run import Run

BOTH = "one_epoch several_epochs"
FAILS = {
    "sgd_momentum_step": {
        **dict.fromkeys((
            "velocity_not_used", "old_velocity_used", "momentum_ignored",
            "velocity_not_kept", "velocity_not_damped", "momentum_has_the_wrong_sign",
            "uphill", "learning_rate_twice", "learning_rate_in_the_velocity",
            "learning_rate_forgotten", "averaged_gradients", "looks_ahead", "swapped"),
            "values dtypes"),
        "float64_returned": "dtypes",
    },
    "learning_rate_at": dict.fromkeys((
        "constant", "rises_from_nothing", "only_falls", "never_falls",
        "peak_in_the_middle", "jumps_down", "a_part_of_the_peak"), "values"),
    "batches": dict.fromkeys((
        "last_batch_dropped", "so_many_batches", "order_ignored", "batches_overlap",
        "dealt_out", "last_batch_filled_up"), "values"),
    "train_line": {
        **dict.fromkeys((
            "velocity_forgotten", "rate_stays_the_same", "one_rate_an_epoch",
            "images_in_their_own_order", "drawn_with_repeats",
            "labels_of_other_images", "smaller_batch_left_out", "whole_data_at_once",
            "one_step_an_epoch", "nothing_moves", "biases_do_not_move",
            "loss_of_a_sum", "right_as_a_part"), BOTH),
        "velocity_begins_again_each_epoch": "several_epochs",
        "one_order_for_all_epochs": "several_epochs",
    },
}

# --- the correct variants


def step_in_place(p, g, v, learning_rate, momentum):
    v *= momentum
    v += g
    p -= learning_rate * v
    return p, v


def step_spelt_out(p, g, v, learning_rate, momentum):
    faster = g + v * momentum
    moved = np.empty_like(p)
    for place in np.ndindex(p.shape):
        moved[place] = p[place] - faster[place] * learning_rate
    return moved, faster


def rate_by_branches(done, peak):
    if done < 0.2:
        return peak * (0.1 + 0.9 * done / 0.2)
    return peak * (1 - done) / 0.8


def rate_as_a_minimum(done, peak):
    return peak * min(0.1 + 4.5 * done, 1.25 - 1.25 * done)


def batches_by_slices(order, size):
    return tuple(order[i:i + size] for i in range(0, len(order), size))


def batches_one_by_one(order, size):
    found = []
    while len(order):
        found.append(order[:size].copy())
        order = order[size:]
    return tuple(found)


class Line:
    """The one-layer network of the notebook, as its locked cell has it."""

    def __init__(self, w, b):
        self.parameters = {"w": w.copy(), "b": b.copy()}

    def learn_from(self, x, labels):
        scores = x @ self.parameters["w"].T + self.parameters["b"]
        off = scores - np.eye(scores.shape[1])[labels]
        slopes = {"w": off.T @ x / len(x), "b": off.mean(axis=0)}
        return float((off ** 2).sum() / 2 / len(x)), slopes, scores


def tried_on_a_line(train):
    def train_line(x, labels, w, b, epochs, batch_size, learning_rate, momentum, seed):
        line = Line(w, b)
        run = Run(line, epochs, len(x), seed=seed)
        train(line, x, labels, run, batch_size, learning_rate, momentum)
        rows = [(row["loss"], row["train_accuracy"]) for row in run.history]
        return line.parameters["w"], line.parameters["b"], np.array(rows)
    return train_line


def train(network, images, labels, run, batch_size, learning_rate, momentum):
    for _ in run.epochs_left():
        for batch in batches_by_slices(run.rng.permutation(len(images)), batch_size):
            loss, slopes, scores = network.learn_from(images[batch], labels[batch])
            rate = rate_by_branches(run.part_done(), learning_rate)
            for name, p in network.parameters.items():
                p[...], run.velocity[name] = step_spelt_out(
                    p, slopes[name], run.velocity[name], rate, momentum)
            right = np.sum(scores.argmax(axis=1) == labels[batch])
            run.batch_done(loss, right, len(batch))


def train_with_new_arrays(network, images, labels, run, batch_size, peak, momentum):
    """Puts new arrays in the network's place, shuffles by hand, moves in place."""
    for _ in run.epochs_left():
        order = np.arange(len(images))
        run.rng.shuffle(order)
        for start in range(0, len(images), batch_size):
            batch = order[start:start + batch_size]
            x, y = images[batch], labels[batch]
            loss, slopes, scores = network.learn_from(x, y)
            rate = rate_as_a_minimum(run.part_done(), peak)
            for name in slopes:
                network.parameters[name], _ = step_in_place(
                    network.parameters[name].copy(), slopes[name], run.velocity[name],
                    rate, momentum)
            run.batch_done(loss, sum(scores.argmax(1) == y), len(x))


CARRIED = {
    "conv2d_forward": ps2_convolution.conv2d_forward,
    "conv2d_backward": ps3_conv_backward.conv2d_backward,
    **{name: getattr(ps4_pooling, name) for name in (
        "maxpool_forward", "maxpool_backward", "relu_forward", "relu_backward")},
    **{name: getattr(ps5_fully_connected, name) for name in (
        "dense_forward", "dense_backward", "softmax_cross_entropy")},
}


class TestPs7(Trials):
    assignment = "ps7_cifar10"
    points = 50
    fails = FAILS
    variants = {
        "in place": ("sgd_momentum_step", step_in_place),
        "spelt out": ("sgd_momentum_step", step_spelt_out),
        "by branches": ("learning_rate_at", rate_by_branches),
        "a minimum": ("learning_rate_at", rate_as_a_minimum),
        "slices": ("batches", batches_by_slices),
        "one by one": ("batches", batches_one_by_one),
        "train": ("train_line", tried_on_a_line(train)),
        "new arrays": ("train_line", tried_on_a_line(train_with_new_arrays)),
        **{f"carried {name}": (name, one) for name, one in CARRIED.items()},
        **{f"reference {name}": (name, getattr(layers, name)) for name in CARRIED},
        "conv by gemm": ("conv2d_forward", ps6_fast_convolution.conv2d_forward_gemm),
        "gradients by gemm": ("conv2d_backward",
                              ps6_fast_convolution.conv2d_backward_gemm),
    }


# --- the oracles


def test_a_step_worked_by_hand():
    p, v = ps7.sgd_momentum_step(np.array([1.0]), np.array([4.0]), np.array([2.0]),
                                 0.25, 0.5)
    assert (p, v) == (1 - 0.25 * (0.5 * 2 + 4), 0.5 * 2 + 4)


def test_the_learning_rate_worked_by_hand():
    given = [ps7.learning_rate_at(done, 2.0) for done in (0, 0.1, 0.2, 0.6, 1)]
    assert given == pytest.approx([0.2, (0.2 + 2) / 2, 2, 2 * 0.4 / 0.8, 0])


def test_an_epoch_of_one_batch_is_one_step():
    """One image, one step: its gradient worked by hand."""
    w, b, rows = ps7.train_line(np.array([[2.0]]), np.array([0]), np.array([[3.0]]),
                                np.array([1.0]), 1, 1, 0.5, 0.9, 0)
    off = 2 * 3 + 1 - 1  # the score, and what it should be
    assert w == pytest.approx(3 - 0.1 * 0.5 * off * 2)
    assert b == pytest.approx(1 - 0.1 * 0.5 * off)
    assert rows.tolist() == [[off ** 2 / 2, 1.0]]


def drawn(name):
    """The cases of a layer's question, in float64 for differences."""
    for case in hidden.questions("ps7_cifar10")[f"layers_{name}"].cases(
            np.random.default_rng(0)):
        yield [one.astype(np.float64) if one.dtype == np.float32 else one
               for one in case.args if isinstance(one, np.ndarray)], case.kwargs


@pytest.mark.parametrize("layer", ["conv2d", "dense"])
def test_gradients_with_weights_agree_with_differences(layer):
    forward = getattr(ps7, f"{layer}_forward")
    backward = getattr(ps7, f"{layer}_backward")
    for (dy, x, w), settings in drawn(f"{layer}_backward"):
        assert check_gradients(
            partial(weighted, forward, dy, settings),
            {"x": x, "w": w, "b": np.zeros(len(w))},
            dict(zip("xwb", backward(dy, x, w, **settings), strict=True)))


def weighted(forward, dy, settings, **arrays):
    return float(np.sum(dy * forward(**arrays, **settings)))


def test_the_other_gradients_agree_with_differences():
    for (dy, x), _ in drawn("relu_backward"):
        assert check_gradients(partial(weighted, ps7.relu_forward, dy, {}),
                               {"x": x}, {"x": ps7.relu_backward(dy, x)})
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 2))
    y, argmax = ps7.maxpool_forward(x)
    dy = np.cos(np.arange(y.size)).reshape(y.shape)
    assert check_gradients(lambda x: float(np.sum(dy * ps7.maxpool_forward(x)[0])),
                           {"x": x}, {"x": ps7.maxpool_backward(dy, argmax, x.shape)})
    for (scores, labels), _ in drawn("softmax_cross_entropy"):
        loss = partial(mean_loss, labels)
        slopes = ps7.softmax_cross_entropy(scores, labels)[1]
        assert check_gradients(loss, {"scores": scores}, {"scores": slopes})


def mean_loss(labels, scores):
    return ps7.softmax_cross_entropy(scores, labels)[0]


# --- the parts together


def test_carried_layers_and_a_students_train_learn():
    """A small network of a student's own parts reads bright from dark."""
    own = CARRIED | {"conv2d_forward": ps6_fast_convolution.conv2d_forward_gemm,
                     "conv2d_backward": ps6_fast_convolution.conv2d_backward_gemm}
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 64)
    images = rng.integers(0, 100, (64, 8, 8, 3)).astype(np.uint8)
    images[labels == 1] += 60
    network = Network("[CONV{4}-RELU-POOL]*1-(FC{8}-RELU)*1,SOFTMAX", (8, 8, 3), 2, own)
    network.standardise(images)
    run = Run(network, 6, len(images))
    train(network, images, labels, run, 16, 0.05, 0.9)
    assert run.history[-1]["train_accuracy"] > 0.95


def test_every_step_of_accuracy_is_higher_than_the_one_before():
    steps = [one.accuracy for one in hidden.questions("ps7_cifar10").values()
             if one.accuracy]
    for data in ("cifar10", "shapes"):
        marks = [one[data] for one in steps]
        assert marks == sorted(set(marks))
        assert marks[-1] < 1
    assert [one["cifar10"] for one in steps] == [0.45, 0.55, 0.65, 0.70, 0.80]
