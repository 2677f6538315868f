"""The hidden tests of ps1_backprop are tested themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.spatial.distance import cdist
from scipy.special import expit

from autograder import hidden
from autograder.hidden import ps1_backprop as ps1
from autograder.tests.trials import Trials, judge, of

QUESTIONS = hidden.questions("ps1_backprop")

# function: the mistakes that fail all of its questions
FAIL_ALL = {
    "perceptron_output":
        "true_or_false bias_forgotten fires_at_zero sum_returned minus_one_for_silent "
        "bias_as_threshold",
    "perceptron_step":
        "error_upside_down learns_from_right_answers error_of_the_sum "
        "minus_one_for_silent only_learns_to_fire rate_forgotten bias_stays "
        "weights_change_alike change_returned bias_left_out_of_the_output "
        "fires_at_zero",
    "sigmoid":
        "sign_of_the_exponent brackets_missing denominator_only tanh hard_step "
        "slope_returned",
    "network_forward":
        "output_without_sigmoid hidden_without_sigmoid hidden_bias_forgotten "
        "output_bias_forgotten biases_forgotten weights_not_turned "
        "biases_after_the_sigmoid output_before_hidden output_alone",
    "squared_error":
        "half_forgotten mean_instead_of_sum mean_over_examples not_squared "
        "square_of_the_sum one_error_an_example",
    "output_delta":
        "slope_forgotten sign_flipped doubled sigmoid_twice slope_of_tanh "
        "half_a_slope error_squared",
    "weight_gradients":
        "averaged transposed bias_not_summed bias_summed_over_units bias_averaged "
        "one_bias last_example_only bias_before_weights",
    "hidden_delta":
        "slope_forgotten blame_shared_equally weights_turned weights_absolute "
        "sigmoid_twice slope_of_tanh first_output_only",
    "network_backward":
        "sign_flipped output_slope_forgotten hidden_slope_forgotten weights_turned "
        "averaged output_layer_first biases_not_summed error_of_the_hidden_units "
        "last_example_only",
    "train_network":
        "climbs rate_forgotten one_step_only one_step_too_few one_step_too_many "
        "same_gradient_again biases_stay hidden_layer_stays averaged "
        "hidden_slope_forgotten output_slope_forgotten moves_while_going_back",
    "deep_gradients":
        "middle_slope_forgotten hidden_slopes_forgotten output_slope_forgotten "
        "second_layer_skipped last_layer_first sign_flipped",
    "gradient_of_quartic":
        "forward_difference backward_difference divided_by_h not_divided "
        "wrong_brackets back_to_the_start_only h_ignored all_numbers_moved "
        "not_put_back",
    "squared_distances":
        "root_taken not_squared absolute_differences first_number_only "
        "last_number_left_out total_not_set_back total_set_back_by_row "
        "upper_half_only averaged turned",
}
ALL = {
    "gradient_of_quartic":
        "numerical_gradient_of_vectors numerical_gradient_of_matrices",
    "squared_distances": "values fast",
}
FAILS = {function: dict.fromkeys(names.split(), ALL.get(function, "values"))
         for function, names in FAIL_ALL.items()}
FAILS["gradient_of_quartic"] |= dict.fromkeys(
    ("rows_moved", "flat_gradient"), "numerical_gradient_of_matrices")


def numerical(f, at, h=1e-6):
    """Central differences of f, by each number of an array."""
    gradient = np.zeros(at.shape)
    for place in np.ndindex(at.shape):
        e = np.zeros(at.shape)
        e[place] = h
        gradient[place] = (f(at + e) - f(at - e)) / (2 * h)
    return gradient


def error_of(x, target, weights):
    """Half of the sum of squares of a network of any depth, in scipy's terms."""
    for w, b in zip(weights[::2], weights[1::2], strict=True):
        x = expit(x @ w.T + b)
    return ((x - target) ** 2).sum() / 2


def numerical_gradients(x, target, weights):
    return [numerical(lambda one, n=n: error_of(
        x, target, [*weights[:n], one, *weights[n + 1:]]), weights[n])
        for n in range(len(weights))]


def assert_all_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


# --- the oracles


def test_a_perceptrons_step_worked_by_hand():
    w, b = ps1.perceptron_step(np.array([2.0, -1.0]), 1.0, np.array([1.0, 2.0]), 0, 0.5)
    # 2*1 - 1*2 + 1 = 1 > 0: it fires, and should not
    assert w.tolist() == [2 + 0.5 * -1 * 1, -1 + 0.5 * -1 * 2]
    assert b == 1 + 0.5 * -1


def test_a_perceptron_is_silent_at_zero():
    assert ps1.perceptron_output(np.array([1.0]), -1.0, np.array([1.0])) == 0


def test_the_perceptron_oracle_learns_and_and_or_but_never_xor():
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    for targets, learned in (((0, 0, 0, 1), True), ((0, 1, 1, 1), True),
                             ((0, 1, 1, 0), False)):
        w, b = np.zeros(2), 0.0
        for _ in range(50):
            for one, target in zip(x, targets, strict=True):
                w, b = ps1.perceptron_step(w, b, one, target)
        right = [ps1.perceptron_output(w, b, one) for one in x] == list(targets)
        assert right == learned


@given(st.floats(-900, 900))
def test_the_sigmoid_oracle_agrees_with_scipy(z):
    assert ps1.sigmoid(z) == pytest.approx(expit(z), abs=1e-15)


def test_the_error_oracle_on_a_sum_worked_by_hand():
    output, target = np.array([[0.5, 1.0], [0.0, 1.0]]), np.array([[1.0, 0], [0, 1]])
    assert ps1.squared_error(output, target) == (0.25 + 1 + 0 + 0) / 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.25, 0.1]))
def test_the_quartics_oracle_is_its_central_differences(seed, h):
    x = np.random.default_rng(seed).normal(size=(3, 2))
    expected = numerical(ps1.quartic, x, h)
    np.testing.assert_allclose(ps1.gradient_of_quartic(x, h), expected, 1e-9, 1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_backward_oracle_agrees_with_central_differences(seed):
    rng = np.random.default_rng(seed)
    x, *weights = ps1._network(rng, 4, 3, 5, 2)
    target = rng.normal(size=(4, 2))
    hidden_, output = ps1.network_forward(x, *weights)
    assert_all_close(ps1.network_backward(x, hidden_, output, target, weights[2]),
                     numerical_gradients(x, target, weights))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_oracles_of_its_steps_agree_with_central_differences(seed):
    """Each delta is the gradient of the error by the sums it stands for."""
    rng = np.random.default_rng(seed)
    sums, w2 = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    target = rng.normal(size=(3, 2))

    def error(sums):
        return ((expit(expit(sums) @ w2.T) - target) ** 2).sum() / 2

    hidden_ = expit(sums)
    output = expit(hidden_ @ w2.T)
    delta = ps1.output_delta(output, target)
    by_sums = numerical(lambda z: ((expit(z) - target) ** 2).sum() / 2, hidden_ @ w2.T)
    assert_all_close([delta, ps1.hidden_delta(delta, w2, hidden_)],
                     [by_sums, numerical(error, sums)])
    dw, db = ps1.weight_gradients(delta, hidden_)
    assert_all_close([dw, db], numerical_gradients(
        hidden_, target, [w2, np.zeros(2)]))


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_deep_oracle_agrees_with_central_differences(seed):
    x, target, *weights = ps1._deep_case(
        np.random.default_rng(seed), 3, 4, 2, 5, 2).args
    assert_all_close(ps1.deep_gradients(x, target, *weights),
                     numerical_gradients(x, target, weights))


def test_the_training_oracle_goes_down_by_numerical_gradients():
    rng = np.random.default_rng(4)
    x, *weights = ps1._network(rng, 4, 2, 3, 1)
    target = rng.integers(0, 2, size=(4, 1)).astype(float)
    found = ps1.train_network(x, target, *weights, 0.5, 3)
    for _ in range(3):
        gradients = numerical_gradients(x, target, weights)
        weights = [one - 0.5 * by for one, by in zip(weights, gradients, strict=True)]
    assert_all_close(found, weights)


def test_the_distance_oracle_agrees_with_scipy():
    a, b = np.random.default_rng(0).normal(size=(2, 5, 4))
    np.testing.assert_allclose(ps1.squared_distances(a, b[:3]),
                               cdist(a, b[:3], "sqeuclidean"))


# --- the questions


def test_no_sum_of_a_perceptron_hangs_on_the_last_bit():
    """Other orders of adding up must not change what the unit says."""
    for name in ("perceptron_output_values", "perceptron_step_values"):
        for seed in range(20):
            for case in QUESTIONS[name].cases(np.random.default_rng(seed)):
                w, b, x, *_ = case.args
                total = float(w @ x + b)
                assert total == 0 and np.array_equal(w, w.round()) or abs(total) > 0.05


def test_all_four_ways_to_be_right_or_wrong_are_asked():
    cases = QUESTIONS["perceptron_step_values"].cases(np.random.default_rng(0))
    assert {(case.args[3], ps1.perceptron_output(*case.args[:3]))
            for case in cases} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_networks_are_not_square_and_batches_not_single():
    sizes = {  # examples, inputs, hidden units, outputs
        "network_forward": lambda x, w1, b1, w2, b2: (*x.shape, *w2.T.shape),
        "network_backward": lambda x, hidden_, output, target, w2: (
            *x.shape, *w2.T.shape),
        "train_network": lambda x, target, w1, b1, w2, *more: (
            *x.shape, *w2.T.shape),
    }
    for name, size in sizes.items():
        cases = QUESTIONS[f"{name}_values"].cases(np.random.default_rng(0))
        assert any(len({*size(*case.args)}) == 4 and len(case.args[0]) > 1
                   for case in cases)
    forward = QUESTIONS["network_forward_values"].cases(np.random.default_rng(0))
    assert any(not one.flags.c_contiguous for case in forward for one in case.args)


def test_a_students_loops_are_compiled_for_two_signatures():
    seen = {tuple((one.dtype.str, one.flags.c_contiguous) for one in case.args)
            for question in of(QUESTIONS, "squared_distances").values()
            for case in [*question.cases(np.random.default_rng(0)),
                         *([question.speed.case(np.random.default_rng(0))]
                           if question.speed else [])]}
    assert len(seen) == 2


# --- the correct variants


def in_place(w, b, x, target, rate=1.0):
    error = target - int(np.sum(w * x) + b > 0)
    w += rate * error * x
    b += rate * error
    return w, b


def by_cases(w, b, x, target, rate=1.0):
    output = 1 if w.dot(x) > -b else 0
    if output == target:
        return w, b
    sign = 1 if target == 1 else -1
    return w + sign * rate * x, b + sign * rate


def unit_by_unit(x, w1, b1, w2, b2):
    hidden_ = np.zeros((len(x), len(w1)))
    for n, j in np.ndindex(hidden_.shape):
        hidden_[n, j] = 1 / (1 + np.exp(-(x[n] @ w1[j] + b1[j])))
    output = np.zeros((len(x), len(w2)))
    for n, k in np.ndindex(output.shape):
        output[n, k] = 1 / (1 + np.exp(-(np.dot(hidden_[n], w2[k]) + b2[k])))
    return hidden_, output


def in_float32(function):
    def narrow(*args):
        return function(*(one.astype(np.float32) if isinstance(one, np.ndarray) else one
                          for one in args))
    return narrow


def biases_as_weights(x, w1, b1, w2, b2):
    """A bias is a weight whose input is always 1."""
    one = np.ones((len(x), 1))
    hidden_ = expit(np.hstack([x, one]) @ np.hstack([w1, b1[:, None]]).T)
    return hidden_, expit(np.hstack([hidden_, one]) @ np.hstack([w2, b2[:, None]]).T)


def by_flat_copies(x, h):
    """As a student may write it, whatever the number of axes."""
    gradient = np.empty(x.size)
    for i in range(x.size):
        up, down = x.flatten(), x.flatten()
        up[i], down[i] = up[i] + h, down[i] - h
        gradient[i] = (ps1.quartic(up.reshape(x.shape))
                       - ps1.quartic(down.reshape(x.shape))) / 2 / h
    return gradient.reshape(x.shape)


def in_the_array_itself(x, h):
    gradient = np.zeros_like(x)
    for place, value in np.ndenumerate(x.copy()):
        x[place] = value + h
        gradient[place] = ps1.quartic(x)
        x[place] = value - h
        gradient[place] -= ps1.quartic(x)
        x[place] = value
    return gradient / (2 * h)


def example_by_example(x, hidden_, output, target, w2):
    """As in 1986: weights change by what each example adds."""
    dw1, db1 = np.zeros((hidden_.shape[1], x.shape[1])), np.zeros(hidden_.shape[1])
    dw2, db2 = np.zeros(w2.shape), np.zeros(len(w2))
    for n in range(len(x)):
        delta = -(target[n] - output[n]) * output[n] * (1 - output[n])
        blame = w2.T @ delta * hidden_[n] * (1 - hidden_[n])
        dw2 += np.outer(delta, hidden_[n])
        db2 += delta
        dw1 += np.outer(blame, x[n])
        db1 += blame
    return dw1, db1, dw2, db2


def trained_in_place(x, target, w1, b1, w2, b2, rate, steps):
    while steps:
        hidden_, output = unit_by_unit(x, w1, b1, w2, b2)
        found = example_by_example(x, hidden_, output, target, w2)
        for one, by in zip((w1, b1, w2, b2), found, strict=True):
            one -= rate * by
        steps -= 1
    return w1, b1, w2, b2


def deep_by_hand(x, target, w1, b1, w2, b2, w3, b3):
    one = expit(x @ w1.T + b1)
    two = expit(one @ w2.T + b2)
    output = expit(two @ w3.T + b3)
    three = (output - target) * output * (1 - output)
    second = three @ w3 * two * (1 - two)
    first = second @ w2 * one * (1 - one)
    return (first.T @ x, first.sum(0), second.T @ one, second.sum(0),
            three.T @ two, three.sum(0))


def expanded(a, b):
    """|a|^2 - 2 a b + |b|^2: one product."""
    return (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)


class TestPs1(Trials):
    assignment = "ps1_backprop"
    points = 45
    fails = FAILS
    variants = {
        "a vector product": ("perceptron_output",
                             lambda w, b, x: 1 if w @ x + b > 0 else 0),
        "numpy's int": ("perceptron_output",
                        lambda w, b, x: np.heaviside(w @ x + b, 0).astype(int)),
        "in place": ("perceptron_step", in_place),
        "case by case": ("perceptron_step", by_cases),
        "scipy": ("sigmoid", expit),
        "the simplest": ("sigmoid", lambda z: 1 / (1 + np.exp(-np.clip(z, -700, 700)))),
        "unit by unit": ("network_forward", unit_by_unit),
        "biases as weights": ("network_forward", biases_as_weights),
        "forward in float32": ("network_forward", in_float32(ps1.network_forward)),
        "the norm": ("squared_error",
                     lambda output, target: 0.5 * np.linalg.norm(output - target) ** 2),
        "flat copies": ("gradient_of_quartic", by_flat_copies),
        "in the array itself": ("gradient_of_quartic", in_the_array_itself),
        "two minus signs": ("output_delta", lambda output, target:
                            -(target - output) * output * (1 - output)),
        "a product": ("weight_gradients",
                      lambda delta, inputs: (delta.T @ inputs, delta.sum(axis=0))),
        "outer products": ("weight_gradients", lambda delta, inputs: (
            sum(np.outer(*pair) for pair in zip(delta, inputs, strict=True)),
            sum(delta))),
        "the other product": ("hidden_delta", lambda delta, w2, hidden_:
                              hidden_ * (w2.T @ delta.T).T * (1 - hidden_)),
        "example by example": ("network_backward", example_by_example),
        "backward in float32": ("network_backward", in_float32(ps1.network_backward)),
        "by numbers": ("network_backward", lambda x, hidden_, output, target, w2: (
            *example_by_example(x, hidden_, output, target, w2)[:2],
            *numerical_gradients(hidden_, target, [
                w2, np.log(output / (1 - output))[0] - w2 @ hidden_[0]]))),
        "trained in place": ("train_network", trained_in_place),
        "by hand": ("deep_gradients", deep_by_hand),
        "compiled loops": ("squared_distances", njit(ps1._loops)),
        "broadcasting": ("squared_distances",
                         lambda a, b: ((a[:, None] - b) ** 2).sum(axis=2)),
        "expanded": ("squared_distances", expanded),
        "row by row": ("squared_distances", lambda a, b: np.stack(
            [((one - b) ** 2).sum(axis=1) for one in a])),
    }


# --- what comes of an earlier mistake, and what no hint fits


@pytest.mark.parametrize("output, hint", [
    (lambda w, b, x: int(w @ x > 0), "bias_left_out_of_the_output"),
    (lambda w, b, x: int(w @ x + b >= 0), "fires_at_zero"),
    (lambda w, b, x: 2 * int(w @ x + b > 0) - 1, "minus_one_for_silent"),
    (lambda w, b, x: float(w @ x + b), "error_of_the_sum"),
])
def test_a_step_after_a_wrong_output_is_told_of_the_output(output, hint):
    def step(w, b, x, target, rate=1.0):
        error = target - output(w, b, x)
        return w + rate * error * x, b + rate * error

    for asked in (QUESTIONS["perceptron_step_values"],
                  hidden.checks("ps1_backprop")["ps1/perceptron_step"]):
        assert judge(asked, step).misconception == hint


def test_an_answer_of_no_known_mistake_gets_no_hint():
    judged = judge(QUESTIONS["sigmoid_values"], lambda z: np.zeros(z.shape) + 0.3)
    assert not judged.right
    assert judged.misconception is None
