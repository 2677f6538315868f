"""What the chapters on the perceptron and on deep networks are made of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from book.experiments import digit_codes, perceptron
from book.experiments.fading import fading
from book.experiments.networks import (
    Layer,
    cross_entropy,
    deltas,
    descend,
    error_delta,
    forward,
    gradients,
    random_network,
    squared_error,
    train,
)
from book.experiments.rbm import Rbm, contrast, pretrain, train_rbm, unrolled
from convlab.gradcheck import check_gradients

OR = [((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 1)]
XOR = [((0, 0), 0), ((0, 1), 1), ((1, 0), 1), ((1, 1), 0)]


# --- the perceptron

def test_perceptron_step_by_hand():
    # 1*2 + (-1)*3 + 0.5 = -0.5: silent; it should have fired, so add the example.
    step = perceptron.show((1, -1), 0.5, (2, 3), 1)
    assert (step.total, step.output, step.mistake) == (-0.5, 0, True)
    assert (step.w, step.b) == ((1 + 2, -1 + 3), 1.5)
    # 3*2 + 2*3 + 1.5 = 13.5: fires; wanted 0, so take it away again.
    back = perceptron.show(step.w, step.b, (2, 3), 0)
    assert (back.total, back.w, back.b) == (13.5, (1, -1), 0.5)
    right = perceptron.show((1, -1), 0.5, (2, 3), 0)
    assert (right.w, right.b, right.mistake) == ((1, -1), 0.5, False)


def test_perceptron_at_a_sum_of_zero_is_silent():
    assert perceptron.fires((1, 1), -2, (1, 1)) == (0, 0)


def test_perceptron_stops_after_a_round_without_a_mistake():
    rounds = perceptron.learn(OR, rounds=20)
    mistakes = [sum(step.mistake for step in steps) for steps in rounds]
    assert mistakes[-1] == 0
    assert 0 not in mistakes[:-1]
    w, b = rounds[-1][-1].w, rounds[-1][-1].b
    assert [perceptron.fires(w, b, x)[1] for x, _ in OR] == [0, 1, 1, 1]


def test_perceptron_on_xor_comes_back_to_where_it_was():
    rounds = perceptron.learn(XOR, rounds=30)
    assert len(rounds) == 30
    after = [(steps[-1].w, steps[-1].b) for steps in rounds]
    assert len(set(after)) < len(after)


@pytest.mark.parametrize("seed", range(5))
def test_perceptron_makes_no_more_mistakes_than_novikoff_allows(seed):
    rng = np.random.default_rng(seed)
    points, direction = rng.normal(size=(60, 2)), rng.normal(size=2)
    sums = points @ direction + 0.3
    points, sums = points[abs(sums) > 0.2], sums[abs(sums) > 0.2]
    examples = [(tuple(x), int(s > 0)) for x, s in zip(points, sums, strict=True)]
    mistakes = sum(step.mistake for steps in perceptron.learn(examples, 10_000)
                   for step in steps)
    # With a 1 for the bias behind each input: (largest length / margin) squared.
    longest = np.hypot(1, np.linalg.norm(points, axis=1)).max()
    margin = abs(sums).min() / np.hypot(0.3, np.linalg.norm(direction))
    assert mistakes <= (longest / margin) ** 2


# --- networks

def test_network_forward_and_backward_by_hand():
    network = [Layer(np.array([[1.0, -2.0]]), np.array([0.5])),
               Layer(np.array([[3.0]]), np.array([-1.0]))]
    x, target = np.array([[2.0, 1.0]]), np.array([[1.0]])
    hidden = 1 / (1 + np.exp(-(1 * 2 - 2 * 1 + 0.5)))
    output = 1 / (1 + np.exp(-(3 * hidden - 1)))
    activations = forward(network, x)
    np.testing.assert_allclose(activations[1], [[hidden]])
    np.testing.assert_allclose(activations[2], [[output]])
    last = (output - 1) * output * (1 - output)
    first = last * 3 * hidden * (1 - hidden)
    delta = error_delta(activations, target, squared_error, "sigmoid")
    np.testing.assert_allclose(deltas(network, activations, delta)[0], [[first]])
    (dw1, db1), (dw2, db2) = gradients(network, activations, delta)
    np.testing.assert_allclose(dw1, [[first * 2, first * 1]])
    np.testing.assert_allclose(db1, [first])
    np.testing.assert_allclose(dw2, [[last * hidden]])
    np.testing.assert_allclose(db2, [last])


@pytest.mark.parametrize(("kinds", "error"), [
    (["sigmoid", "sigmoid"], squared_error),
    (["tanh", "linear", "sigmoid"], cross_entropy),
    (["relu", "relu", "linear"], squared_error),
    (["sigmoid", "relu", "tanh", "sigmoid"], cross_entropy)])
def test_gradients_are_the_measured_ones(kinds, error):
    rng = np.random.default_rng(4)
    network = random_network(rng, range(3, 4 + len(kinds)), lambda i, o: 0.7, kinds,
                             biases=True)
    x = rng.normal(size=(5, 3))
    target = rng.uniform(size=(5, 3 + len(kinds)))

    def rebuilt(parameters):
        return [Layer(parameters[f"w{k}"], parameters[f"b{k}"], kind)
                for k, kind in enumerate(kinds)]

    arrays = {f"{part}{k}": getattr(layer, part)
              for k, layer in enumerate(network) for part in "wb"}
    activations = forward(network, x)
    found = gradients(network, activations,
                      error_delta(activations, target, error, kinds[-1]))
    named = {f"{part}{k}": g for k, pair in enumerate(found)
             for part, g in zip("wb", pair, strict=True)}
    report = check_gradients(
        lambda **given: error(forward(rebuilt(given), x)[-1], target), arrays, named)
    assert report, report


def test_descend_learns_xor_and_reports_every_error():
    x = np.array([point for point, _ in XOR], float)
    target = np.array([[wanted] for _, wanted in XOR], float)
    network = random_network(np.random.default_rng(1), (2, 3, 1), lambda i, o: 1.0,
                             biases=True)
    errors = descend(network, x, target, rate=2.0, steps=3000)
    assert len(errors) == 3001
    assert errors[-1] == squared_error(forward(network, x)[-1], target) < 0.05
    assert (forward(network, x)[-1].round() == target).all()


def test_one_epoch_of_one_batch_is_one_step_of_the_mean():
    x, target = np.eye(3), np.full((3, 2), 0.25)
    network = random_network(np.random.default_rng(0), (3, 2), lambda i, o: 1.0)
    before = network[0].w.copy()
    (dw, _), = gradients(network, forward(network, x),
                         forward(network, x)[-1] - target)
    list(train(network, x, target, rate=0.6, epochs=1, batch=3,
               rng=np.random.default_rng(0)))
    np.testing.assert_allclose(network[0].w, before - 0.6 * dw / 3)


# --- restricted Boltzmann machines

def test_contrastive_divergence_by_hand():
    rbm = Rbm(w=np.array([[1.0, -1.0, 0.5], [0.0, 2.0, -1.0]]),
              b=np.array([0.0, -1.0]), a=np.array([0.5, 0.0, -0.5]))
    v0 = np.array([[1.0, 0.0, 1.0]])
    found = contrast(rbm, v0, noise=np.array([[0.5, 0.5]]))
    p0 = expit([1 * 1 + 0.5 * 1 + 0, -1 * 1 - 1])  # sigma(1.5), sigma(-2)
    np.testing.assert_allclose(found.p0[0], p0)
    assert found.h0.tolist() == [[1, 0]]  # 0.5 < 0.82, 0.5 > 0.12
    v1 = expit([1 + 0.5, -1 + 0, 0.5 - 0.5])
    np.testing.assert_allclose(found.v1[0], v1)
    p1 = expit([v1 @ [1, -1, 0.5], v1 @ [0, 2, -1] - 1])
    np.testing.assert_allclose(found.p1[0], p1)
    change = found.changes()
    np.testing.assert_allclose(
        change["w"], [[p0[j] * v0[0, i] - p1[j] * v1[i] for i in range(3)]
                      for j in range(2)])
    np.testing.assert_allclose(change["b"], p0 - p1)
    np.testing.assert_allclose(change["a"], v0[0] - v1)


def test_linear_hidden_units_get_noise_added():
    rbm = Rbm(np.array([[2.0, 1.0]]), np.array([-1.0]), np.zeros(2), "linear")
    found = contrast(rbm, np.array([[1.0, 1.0]]), noise=np.array([[0.25]]))
    assert found.p0.tolist() == [[2 + 1 - 1]]
    assert found.h0.tolist() == [[2.25]]


def test_a_trained_machine_reconstructs_what_it_has_seen():
    rng = np.random.default_rng(0)
    v = np.repeat([[1.0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]], 50, axis=0)
    rbm = train_rbm(v, 3, rng, epochs=60, rate=0.2)
    np.testing.assert_allclose(rbm.down(rbm.up(v)), v, atol=0.2)


def test_a_stack_unrolls_into_its_own_layers():
    rng = np.random.default_rng(0)
    stack = pretrain(rng.uniform(size=(40, 7)), (5, 3), rng, epochs=1, rate=0.1,
                     code_rate=0.01)
    assert [rbm.kind for rbm in stack] == ["sigmoid", "linear"]
    network = unrolled(stack)
    assert [layer.w.shape for layer in network] == [(5, 7), (3, 5), (5, 3), (7, 5)]
    assert [layer.kind for layer in network] == ["sigmoid", "linear", "sigmoid",
                                                 "sigmoid"]
    x = rng.uniform(size=(4, 7))
    up = stack[1].up(stack[0].up(x))
    np.testing.assert_allclose(forward(network, x)[-1],
                               stack[0].down(stack[1].down(up)))
    network[0].w += 1  # each copy learns for itself
    assert not np.shares_memory(network[0].w, network[-1].w)
    np.testing.assert_allclose(network[-1].w, stack[0].w.T)


# --- gradients that fade

def test_sigmoids_fade_by_a_quarter_a_layer_and_others_do_not():
    sizes = fading("sigmoid", digit_codes.glorot, hidden=6, seeds=2)
    kept = sizes[:-1] / sizes[1:]
    assert kept.shape == (5,)
    assert (kept < 0.3).all()
    for kind, spread in (("tanh", digit_codes.glorot), ("relu", digit_codes.he)):
        sizes = fading(kind, spread, hidden=6, seeds=2)
        assert (sizes[:-1] / sizes[1:] > 0.6).all()


# --- the recorded run

def test_principal_components_are_the_best_plane():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 6)) + 1.0
    codes, back = digit_codes.principal(plane, plane[:5], 2)
    assert codes.shape == (5, 2)
    np.testing.assert_allclose(back, plane[:5])
    _, one = digit_codes.principal(plane, plane, 1)
    values = np.linalg.svd(plane - plane.mean(axis=0), compute_uv=False)
    assert digit_codes.per_image(one, plane) == pytest.approx(values[1] ** 2 / 30)


def test_error_of_an_image_is_a_sum_over_its_pixels():
    assert digit_codes.per_image(np.zeros((2, 3)), np.array(
        [[1.0, 0, 0], [0, 2, 1]])) == (1 + 4 + 1) / 2


def test_a_short_run_has_everything_the_page_asks_for():
    starts = {name: digit_codes.STARTS[name] for name in ("small", "relu")}
    starts["pretrained"] = digit_codes.pretrained(epochs=1), (0.1,)
    found = digit_codes.run(0, starts, seeds=2, epochs=1)
    assert found["labels"].shape == (360,)
    for name in starts:
        assert len(found["errors"][name]) == 2
        assert found["rates"][name] in starts[name][1]
        assert found[f"{name}_curves"].shape == (2, 2)
        assert found[f"{name}_codes"].shape == (360, 2)
    assert {name: len(errors) for name, errors in found["equal"].items()} == {
        "small": 2, "relu": 2}
    assert found["pictures"].shape == (2 + len(starts), 10, 64)
    assert found["pca"] < found["mean"]
