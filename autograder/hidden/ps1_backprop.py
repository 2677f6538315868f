"""Hidden tests and public checks of ps1_backprop.

Expected values come from einsum and closed formulas in float64. A misconception
is an oracle with one thing done wrong. A batch is (N, D), one example a row;
weights are (J, D) into the hidden units and (K, J) into the outputs.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from autograder.questions import Case, Check, Misconception, Question, Speed

ANSWERS = ("gradcheck",)  # of convlab: numerical_gradient

# --------------------------------------------------------------------------
# oracles


def perceptron_output(w, b, x) -> int:
    return int(math.fsum([*(w * x), b]) > 0)


def perceptron_step(w, b, x, target, rate=1.0):
    error = target - perceptron_output(w, b, x)
    return w + rate * error * x, float(b + rate * error)


def sigmoid(z):
    return (1 + np.tanh(np.asarray(z, np.float64) / 2)) / 2


def network_forward(x, w1, b1, w2, b2):
    hidden = sigmoid(np.einsum("nd,jd->nj", x, w1) + b1)
    return hidden, sigmoid(np.einsum("nj,kj->nk", hidden, w2) + b2)


def squared_error(output, target) -> float:
    return math.fsum((output - target).ravel() ** 2) / 2


def quartic(x) -> float:
    """The function whose gradient is asked for: 1 x0^4 + 2 x1^4 + ... + x0 x1 + ..."""
    x = np.ravel(x)
    return float(np.arange(1, x.size + 1) @ x**4 + x[:-1] @ x[1:])


def gradient_of_quartic(x, h):
    """Its central differences in closed form: (x+h)^4 - (x-h)^4 = 8 x^3 h + 8 x h^3."""
    flat = x.ravel().astype(np.float64)
    beside = np.pad(flat, 1)
    gradient = np.arange(1, flat.size + 1) * (4 * flat**3 + 4 * flat * h**2)
    return (gradient + beside[:-2] + beside[2:]).reshape(x.shape)


def output_delta(output, target):
    return (output - target) * (output - output**2)


def weight_gradients(delta, inputs):
    return np.einsum("nk,nd->kd", delta, inputs), np.einsum("nk->k", delta)


def hidden_delta(delta, w2, hidden):
    return np.einsum("nk,kj,nj->nj", delta, w2, hidden - hidden**2)


def network_backward(x, hidden, output, target, w2):
    """dw1, db1, dw2, db2, each as one sum of products."""
    error, slope = output - target, output - output**2
    inner = hidden - hidden**2
    return (np.einsum("nk,nk,kj,nj,nd->jd", error, slope, w2, inner, x),
            np.einsum("nk,nk,kj,nj->j", error, slope, w2, inner),
            np.einsum("nk,nk,nj->kj", error, slope, hidden),
            np.einsum("nk,nk->k", error, slope))


def train_network(x, target, w1, b1, w2, b2, rate, steps):
    """w1, b1, w2, b2 after that many steps against the gradient."""
    weights = w1, b1, w2, b2
    for _ in range(steps):
        weights = _step(x, target, weights, rate)
    return weights


def _step(x, target, weights, rate, backward=network_backward):
    gradients = backward(x, *network_forward(x, *weights), target, weights[2])
    return tuple(one - rate * by for one, by in zip(weights, gradients, strict=True))


def deep_gradients(x, target, w1, b1, w2, b2, w3, b3):
    """dw1, db1, dw2, db2, dw3, db3 of a network with two hidden layers."""
    return _deep(x, target, (w1, w2, w3), (b1, b2, b3))


def _deep(x, target, weights, biases, slope=lambda layer, y: y - y**2):
    layers = [x]
    for w, b in zip(weights, biases, strict=True):
        layers.append(sigmoid(np.einsum("nd,kd->nk", layers[-1], w) + b))
    by_output, gradients = layers[3] - target, ()
    for n in (3, 2, 1):
        delta = by_output * slope(n, layers[n])
        gradients = weight_gradients(delta, layers[n - 1]) + gradients
        by_output = np.einsum("nk,kd->nd", delta, weights[n - 1])
    return gradients


def squared_distances(a, b):
    apart = a[:, None].astype(np.float64) - b
    return np.einsum("nmd,nmd->nm", apart, apart)


# --------------------------------------------------------------------------
# misconceptions


_OUTPUT = (
    Misconception(
        "true_or_false",
        "You return the comparison itself, True or False. The learning rule will "
        "calculate with the output: return the int 1 or 0. int(True) is 1.",
        lambda w, b, x: perceptron_output(w, b, x) == 1),
    Misconception(
        "bias_forgotten",
        "You leave out the bias. What is compared with 0 is the sum of w * x, plus "
        "b.",
        lambda w, b, x: perceptron_output(w, 0, x)),
    Misconception(
        "fires_at_zero",
        "You fire at a sum of exactly 0. Here the unit stays silent there: it fires "
        "where the sum is greater than 0, not where it is 0.",
        lambda w, b, x: int(float(w @ x + b) >= 0)),
    Misconception(
        "sum_returned",
        "You return the sum itself. The output is 1 where the sum is greater than 0, "
        "and 0 everywhere else.",
        lambda w, b, x: float(w @ x + b)),
    Misconception(
        "minus_one_for_silent",
        "You return -1 where the unit is silent, as np.sign does. Here a silent unit "
        "gives 0.",
        lambda w, b, x: 2 * perceptron_output(w, b, x) - 1),
    Misconception(
        "bias_as_threshold",
        "You compare the sum with the bias: b is then a threshold, which works the "
        "other way round. Add b to the sum, and compare with 0.",
        lambda w, b, x: perceptron_output(w, -b, x)),
)


def _learns_by(error):
    """A step that takes something else for the error: error(target, output, w x, b)."""
    def wrong(w, b, x, target, rate=1.0):
        e = error(target, perceptron_output(w, b, x), float(w @ x), b)
        return w + rate * e * x, float(b + rate * e)
    return wrong


_STEP = (
    Misconception(
        "error_upside_down",
        "You go the wrong way: your error is output - target. Where the unit should "
        "have fired and did not, target - output is 1 and the weights have to grow.",
        _learns_by(lambda target, output, w_x, b: output - target)),
    Misconception(
        "learns_from_right_answers",
        "You change the weights where the output was right as well. Multiply by "
        "target - output, which is 0 there, not by the target alone.",
        _learns_by(lambda target, output, w_x, b: target)),
    Misconception(
        "error_of_the_sum",
        "You take target minus the sum. The perceptron learns from what it said, 1 "
        "or 0: take target - output.",
        _learns_by(lambda target, output, w_x, b: target - w_x - b)),
    Misconception(
        "minus_one_for_silent",
        "You take -1 for the output of a silent unit. It is 0: use your "
        "perceptron_output.",
        _learns_by(lambda target, output, w_x, b: target - (2 * output - 1))),
    Misconception(
        "only_learns_to_fire",
        "You only learn where the unit failed to fire. Where it fired and should not "
        "have, target - output is -1, and the weights have to shrink.",
        _learns_by(lambda target, output, w_x, b: max(target - output, 0))),
    Misconception(
        "bias_left_out_of_the_output",
        "You learn in the right way, but from a wrong output: it leaves out the bias. "
        "What decides is the sum of w * x, plus b.",
        _learns_by(lambda target, output, w_x, b: target - int(w_x > 0))),
    Misconception(
        "fires_at_zero",
        "You learn in the right way, but from a wrong output: at a sum of exactly 0 "
        "the unit is silent.",
        _learns_by(lambda target, output, w_x, b: target - int(w_x + b >= 0))),
    Misconception(
        "rate_forgotten",
        "You leave out the rate. Both changes are multiplied by it.",
        lambda w, b, x, target, rate=1.0: perceptron_step(w, b, x, target)),
    Misconception(
        "bias_stays",
        "You return the bias as it was. It learns like a weight whose input is "
        "always 1: add rate * error to it.",
        lambda w, b, x, target, rate=1.0: (
            perceptron_step(w, b, x, target, rate)[0], float(b))),
    Misconception(
        "weights_change_alike",
        "You change all weights by the same amount. Each changes in proportion to "
        "its own input: rate * error * x.",
        lambda w, b, x, target, rate=1.0: (
            w + rate * (target - perceptron_output(w, b, x)),
            perceptron_step(w, b, x, target, rate)[1])),
    Misconception(
        "change_returned",
        "You return the changes. Add them to the old w and b, and return the new "
        "ones.",
        lambda w, b, x, target, rate=1.0: tuple(
            new - old for new, old in
            zip(perceptron_step(w, b, x, target, rate), (w, float(b)), strict=True))),
)

_SIGMOID = (
    Misconception(
        "sign_of_the_exponent",
        "You have e to the power of z. With a plus sign the curve falls as z grows; "
        "it has to rise: e to the power of -z.",
        lambda z: sigmoid(-z)),
    Misconception(
        "brackets_missing",
        "You compute 1 / 1 + e^-z, which Python reads as (1 / 1) + e^-z. Put brackets "
        "around the whole denominator.",
        lambda z: 1 + np.exp(-np.maximum(z, -700))),
    Misconception(
        "denominator_only",
        "You return e^-z without adding 1 to it and dividing. The sigmoid never "
        "leaves the range from 0 to 1.",
        lambda z: np.exp(-np.maximum(z, -700))),
    Misconception(
        "tanh",
        "You return the tanh, which runs from -1 to 1. The sigmoid runs from 0 to 1.",
        np.tanh),
    Misconception(
        "hard_step",
        "You return the perceptron's step, 0 or 1. The sigmoid goes up smoothly: it "
        "has a slope, and learning will need that.",
        lambda z: (z > 0) * 1.0),
    Misconception(
        "slope_returned",
        "You return the slope of the sigmoid, s(1 - s). Here s itself is asked for.",
        lambda z: sigmoid(z) * sigmoid(-z)),
)


def _forward(first=sigmoid, second=sigmoid, one=1, two=1, turn=lambda w: w):
    """The forward pass with other activations, scaled biases, turned weights."""
    def wrong(x, w1, b1, w2, b2):
        hidden = first(x @ turn(w1).T + one * b1)
        return hidden, second(hidden @ turn(w2).T + two * b2)
    return wrong


_FORWARD = (
    Misconception(
        "output_without_sigmoid",
        "Your hidden units are right, but your outputs are bare sums. The sigmoid "
        "follows in both layers.",
        _forward(second=lambda z: z)),
    Misconception(
        "hidden_without_sigmoid",
        "Your hidden units are bare sums. The sigmoid follows in both layers; without "
        "it two layers do no more than one.",
        _forward(first=lambda z: z)),
    Misconception(
        "hidden_bias_forgotten",
        "You leave out b1. It is added to the sums of the hidden units, before the "
        "sigmoid.",
        _forward(one=0)),
    Misconception(
        "output_bias_forgotten",
        "You leave out b2. It is added to the sums of the outputs, before the "
        "sigmoid.",
        _forward(two=0)),
    Misconception(
        "biases_forgotten",
        "You leave out both biases. Each unit has its own: it is added to the unit's "
        "sum, before the sigmoid.",
        _forward(one=0, two=0)),
    Misconception(
        "weights_not_turned",
        "You multiply by w where it has to be w.T: x is (N, D) and w1 is (J, D), one "
        "row a unit. In x @ w1.T the two D meet.",
        _forward(turn=lambda w: w.T)),
    Misconception(
        "biases_after_the_sigmoid",
        "You add the biases after the sigmoid. They belong to the sums, inside of "
        "it.",
        lambda x, w1, b1, w2, b2: (
            sigmoid(x @ w1.T) + b1,
            sigmoid((sigmoid(x @ w1.T) + b1) @ w2.T) + b2)),
    Misconception(
        "output_before_hidden",
        "You return output, hidden. Asked for is hidden first, then output.",
        lambda *args: network_forward(*args)[::-1]),
    Misconception(
        "output_alone",
        "You return the output alone. The way back will need the hidden units too: "
        "return hidden, output.",
        lambda *args: network_forward(*args)[1]),
)

_ERROR = (
    Misconception(
        "half_forgotten",
        "Your error is twice too large: half of the sum is asked for. The half will "
        "cancel the 2 that the square leaves in the gradient.",
        lambda output, target: 2 * squared_error(output, target)),
    Misconception(
        "mean_instead_of_sum",
        "You take half of the mean. The error here is a sum, over all examples and "
        "all outputs: nothing is divided by their number.",
        lambda output, target: squared_error(output, target) / output.size),
    Misconception(
        "mean_over_examples",
        "You divide by the number of examples. The error here is a sum, over all "
        "outputs and all examples.",
        lambda output, target: squared_error(output, target) / len(output)),
    Misconception(
        "not_squared",
        "You add up the absolute differences. Square each difference instead.",
        lambda output, target: float(np.abs(output - target).sum() / 2)),
    Misconception(
        "square_of_the_sum",
        "You add the differences up and then square. Then errors of both signs "
        "cancel out: square each difference first.",
        lambda output, target: float((output - target).sum() ** 2 / 2)),
    Misconception(
        "one_error_an_example",
        "You return one error for each example. Add them up too: the error of a "
        "network is a single number.",
        lambda output, target: ((output - target) ** 2).sum(axis=1) / 2),
)


def _differences(difference, parts=None):
    """Differences of the quartic, with a way of taking them: difference(x, e, h).

    e is 1 in the part that is moved. parts: which parts, as masks; by default
    each number is one.
    """
    def wrong(x, h):
        gradient = np.zeros(x.shape)
        masks = parts(x) if parts else np.eye(x.size).reshape(x.size, *x.shape)
        for e in masks:
            gradient[e > 0] = difference(x, e, h)
        return gradient
    return wrong


def _central(x, e, h):
    return (quartic(x + h * e) - quartic(x - h * e)) / (2 * h)


def _not_put_back(x, h):
    """Leaves each number h too low, as the next ones find it."""
    gradient, x = np.zeros(x.shape), x.copy()
    for place in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[place] = 1
        gradient[place] = _central(x, e, h)
        x -= h * e
    return gradient


_NUMERICAL = (
    Misconception(
        "forward_difference",
        "You measure on one side only, f(x + h) - f(x). Measure on both sides, at "
        "x + h and x - h, and divide by 2h: the error is then far smaller.",
        _differences(lambda x, e, h: (quartic(x + h * e) - quartic(x)) / h)),
    Misconception(
        "backward_difference",
        "You measure on one side only, f(x) - f(x - h). Measure on both sides, at "
        "x + h and x - h, and divide by 2h: the error is then far smaller.",
        _differences(lambda x, e, h: (quartic(x) - quartic(x - h * e)) / h)),
    Misconception(
        "divided_by_h",
        "Your gradient is twice too large. From x - h to x + h it is a way of 2h: "
        "divide by that.",
        _differences(lambda x, e, h: 2 * _central(x, e, h))),
    Misconception(
        "not_divided",
        "You return differences. A slope is a difference divided by the way from "
        "one point to the other, which is 2h.",
        _differences(lambda x, e, h: 2 * h * _central(x, e, h))),
    Misconception(
        "wrong_brackets",
        "You divide by 2 and multiply by h: / 2 * h does that, from left to right. "
        "Put brackets around 2 * h.",
        _differences(lambda x, e, h: h**2 * _central(x, e, h))),
    Misconception(
        "back_to_the_start_only",
        "Your second point is x itself: after moving up by h you went down by h, and "
        "that is where you came from. It takes 2h to get to x - h.",
        _differences(lambda x, e, h: (quartic(x + h * e) - quartic(x)) / (2 * h))),
    Misconception(
        "h_ignored",
        "You take an h of your own. Use the one that is given: the caller decides.",
        _differences(lambda x, e, h: _central(x, e, 1e-4))),
    Misconception(
        "all_numbers_moved",
        "You move all numbers of x at once. The gradient asks about each one alone: "
        "move x[i], and leave the others where they are.",
        _differences(_central, lambda x: [np.ones(x.shape)])),
    Misconception(
        "rows_moved",
        "You move a whole row of x at once, since x[i] of a matrix is a row. Go "
        "through the single numbers: np.ndindex(x.shape) gives the index of each.",
        _differences(_central, lambda x: [
            np.broadcast_to((np.arange(len(x)) == row).reshape(-1, *[1] * (x.ndim - 1)),
                            x.shape).astype(float) for row in range(len(x))])),
    Misconception(
        "not_put_back",
        "You do not put x[i] back before you go on to the next number, so f is "
        "measured further and further away. Restore it, or begin with a fresh copy.",
        _not_put_back),
    Misconception(
        "flat_gradient",
        "You return the right numbers in a row. The gradient has the shape of x: "
        "each number stands where its own x stands.",
        lambda x, h: gradient_of_quartic(x, h).ravel()),
)
_OF_VECTORS = tuple(m for m in _NUMERICAL
                    if m.name not in ("rows_moved", "flat_gradient"))

_OUTPUT_DELTA = (
    Misconception(
        "slope_forgotten",
        "You return output - target. That is the first factor; the chain rule goes "
        "on through the sigmoid, whose slope is output * (1 - output).",
        lambda output, target: output - target),
    Misconception(
        "sign_flipped",
        "Your sign is flipped: you have target - output. How fast the error grows "
        "with the output is output - target; the step downhill comes later.",
        lambda output, target: -output_delta(output, target)),
    Misconception(
        "doubled",
        "You have a 2 too many: the half in front of the squares cancels it.",
        lambda output, target: 2 * output_delta(output, target)),
    Misconception(
        "sigmoid_twice",
        "You apply the sigmoid to the output once more. output is the sigmoid of the "
        "sum already, so its slope is simply output * (1 - output).",
        lambda output, target: (output - target) * sigmoid(output) * sigmoid(-output)),
    Misconception(
        "slope_of_tanh",
        "You use 1 - output ** 2, the slope of tanh. The slope of the sigmoid is "
        "output * (1 - output).",
        lambda output, target: (output - target) * (1 - output**2)),
    Misconception(
        "half_a_slope",
        "You multiply by the output alone: the slope is output * (1 - output). It is "
        "small at both ends.",
        lambda output, target: (output - target) * output),
    Misconception(
        "error_squared",
        "You square the difference. The derivative of half a square is the "
        "difference itself, (output - target), not squared.",
        lambda output, target: (output - target) * output_delta(output, target)),
)

_WEIGHTS = (
    Misconception(
        "averaged",
        "You divide by the number of examples. The error is a sum over them, and so "
        "is its gradient: add up, divide by nothing.",
        lambda delta, inputs: tuple(
            one / len(delta) for one in weight_gradients(delta, inputs))),
    Misconception(
        "transposed",
        "Your dw is turned around, (D, K). It has the shape of the weights, (K, D): "
        "a row for each unit.",
        lambda delta, inputs: (
            weight_gradients(delta, inputs)[0].T, delta.sum(axis=0))),
    Misconception(
        "bias_not_summed",
        "Your dw is right, and your db is still delta itself, a row for each "
        "example. All examples share the bias: add up over the rows.",
        lambda delta, inputs: (weight_gradients(delta, inputs)[0], delta)),
    Misconception(
        "bias_summed_over_units",
        "You sum db over the units. Each unit has its own bias, and the sum runs "
        "over the examples: axis=0.",
        lambda delta, inputs: (
            weight_gradients(delta, inputs)[0], delta.sum(axis=1))),
    Misconception(
        "bias_averaged",
        "Your dw is right, but your db is a mean over the examples. It is a sum, "
        "just as dw is.",
        lambda delta, inputs: (
            weight_gradients(delta, inputs)[0], delta.mean(axis=0))),
    Misconception(
        "one_bias",
        "You sum db over everything, down to one number. Each unit has a bias of its "
        "own: sum over the examples only, axis=0.",
        lambda delta, inputs: (
            weight_gradients(delta, inputs)[0], float(delta.sum()))),
    Misconception(
        "last_example_only",
        "You keep the last example's gradient alone. The examples' gradients add up.",
        lambda delta, inputs: weight_gradients(delta[-1:], inputs[-1:])),
    Misconception(
        "bias_before_weights",
        "You return db, dw. Asked for is dw first, then db.",
        lambda delta, inputs: weight_gradients(delta, inputs)[::-1]),
)

_HIDDEN_DELTA = (
    Misconception(
        "slope_forgotten",
        "You return the blame as it arrives. The hidden units have sigmoids too: "
        "multiply by their slope, hidden * (1 - hidden).",
        lambda delta, w2, hidden: delta @ w2),
    Misconception(
        "blame_shared_equally",
        "You hand every hidden unit the same blame. Each output's delta reaches a "
        "hidden unit through the weight between the two: multiply by w2.",
        lambda delta, w2, hidden: hidden_delta(delta, np.ones_like(w2), hidden)),
    Misconception(
        "weights_turned",
        "You multiply by w2.T: that is the way forward. On the way back, delta is "
        "(N, K) and w2 is (K, J), and the two K meet in delta @ w2.",
        lambda delta, w2, hidden: delta @ w2.T * (hidden - hidden**2)),
    Misconception(
        "weights_absolute",
        "You take the weights without their sign. Through a negative weight the "
        "blame turns around: that is how a unit learns to do less.",
        lambda delta, w2, hidden: hidden_delta(delta, np.abs(w2), hidden)),
    Misconception(
        "sigmoid_twice",
        "You apply the sigmoid to hidden once more. hidden is the sigmoid of the sum "
        "already: its slope is simply hidden * (1 - hidden).",
        lambda delta, w2, hidden: delta @ w2 * sigmoid(hidden) * sigmoid(-hidden)),
    Misconception(
        "slope_of_tanh",
        "You use 1 - hidden ** 2, the slope of tanh. The slope of the sigmoid is "
        "hidden * (1 - hidden).",
        lambda delta, w2, hidden: delta @ w2 * (1 - hidden**2)),
    Misconception(
        "first_output_only",
        "You count the blame from output 0 alone. A hidden unit speaks to all "
        "outputs, and what comes back from them adds up.",
        lambda delta, w2, hidden: hidden_delta(delta[:, :1], w2[:1], hidden)),
)


def _backward(first=hidden_delta, last=output_delta, gradients=weight_gradients):
    """The way back, with one of its three steps done in another way."""
    def wrong(x, hidden, output, target, w2):
        delta = last(output, target)
        return (*gradients(first(delta, w2, hidden), x), *gradients(delta, hidden))
    return wrong


_BACKWARD = (
    Misconception(
        "sign_flipped",
        "All your gradients have the wrong sign: they point downhill. A gradient "
        "points uphill; the minus comes with the step. Begin with output - target.",
        _backward(last=lambda output, target: -output_delta(output, target))),
    Misconception(
        "output_slope_forgotten",
        "You leave out the slope of the output's sigmoid, output * (1 - output).",
        _backward(last=lambda output, target: output - target)),
    Misconception(
        "hidden_slope_forgotten",
        "Your dw2 and db2 are right. On the way to dw1 you leave out the slope of "
        "the hidden units' sigmoid, hidden * (1 - hidden).",
        _backward(lambda delta, w2, hidden: delta @ w2)),
    Misconception(
        "weights_turned",
        "Your dw2 and db2 are right. On the way back you multiply by w2.T, and it "
        "has to be w2: (N, K) @ (K, J).",
        _backward(lambda delta, w2, hidden: delta @ w2.T * (hidden - hidden**2))),
    Misconception(
        "averaged",
        "You divide by the number of examples. The error is a sum over them, and so "
        "is its gradient.",
        lambda x, *more: tuple(one / len(x) for one in network_backward(x, *more))),
    Misconception(
        "output_layer_first",
        "You return dw2, db2, dw1, db1. You find them in that order, but asked for "
        "is dw1, db1, dw2, db2.",
        lambda *args: network_backward(*args)[2:] + network_backward(*args)[:2]),
    Misconception(
        "biases_not_summed",
        "Your dw1 and dw2 are right, but db1 and db2 still have a row for each "
        "example. Add them up over the examples.",
        _backward(gradients=lambda delta, inputs: (
            weight_gradients(delta, inputs)[0], delta))),
    Misconception(
        "error_of_the_hidden_units",
        "You send output - target back through w2, without the slope of the output. "
        "What goes back is the output's delta: the same array that gave dw2.",
        lambda x, hidden, output, target, w2: (
            *weight_gradients(hidden_delta(output - target, w2, hidden), x),
            *network_backward(x, hidden, output, target, w2)[2:])),
    Misconception(
        "last_example_only",
        "You keep the last example's gradients alone. Those of all examples add up.",
        lambda x, hidden, output, target, w2: network_backward(
            x[-1:], hidden[-1:], output[-1:], target[-1:], w2)),
)


def _trained(step):
    """Training by another step: step(x, target, weights, rate)."""
    def wrong(x, target, w1, b1, w2, b2, rate, steps):
        weights = w1, b1, w2, b2
        for _ in range(steps):
            weights = step(x, target, weights, rate)
        return weights
    return wrong


def _steps_of(count):
    """Training for another number of steps."""
    def wrong(x, target, w1, b1, w2, b2, rate, steps):
        return train_network(x, target, w1, b1, w2, b2, rate, count(steps))
    return wrong


def _same_gradient(x, target, w1, b1, w2, b2, rate, steps):
    """The first gradient taken again and again: one step, `steps` times as long."""
    return train_network(x, target, w1, b1, w2, b2, rate * steps, 1)


def _moves_too_early(x, target, weights, rate):
    """The output's weights move before the blame goes back through them."""
    w1, b1, w2, b2 = weights
    later = _step(x, target, weights, rate)
    hidden, output = network_forward(x, *weights)
    dw1, db1, *_ = network_backward(x, hidden, output, target, later[2])
    return w1 - rate * dw1, b1 - rate * db1, *later[2:]


def _parts(keep):
    """Steps after which some of w1, b1, w2, b2 are what they were before."""
    def step(x, target, weights, rate):
        new = _step(x, target, weights, rate)
        return tuple(new[n] if n in keep else weights[n] for n in range(4))
    return step


_TRAIN = (
    Misconception(
        "climbs",
        "Your steps go uphill: the error grows. The gradient points uphill, so "
        "subtract it.",
        _trained(lambda x, target, weights, rate: _step(x, target, weights, -rate))),
    Misconception(
        "rate_forgotten",
        "You subtract the whole gradient. Multiply it by the rate first.",
        _trained(lambda x, target, weights, rate: _step(x, target, weights, 1.0))),
    Misconception(
        "one_step_only",
        "You take one step, however many are asked for. Look whether the return stands "
        "inside of the loop.",
        _steps_of(lambda steps: 1)),
    Misconception(
        "one_step_too_few",
        "You take one step too few: range(steps) has as many rounds as are needed.",
        _steps_of(lambda steps: steps - 1)),
    Misconception(
        "one_step_too_many",
        "You take one step too many: range(steps) has as many rounds as are needed.",
        _steps_of(lambda steps: steps + 1)),
    Misconception(
        "same_gradient_again",
        "You take all your steps along the first gradient. Each step changes the "
        "weights, and so outputs and gradient: both passes belong inside the loop.",
        _same_gradient),
    Misconception(
        "biases_stay",
        "Your biases stay as they were. They learn in the same way as the weights.",
        _trained(_parts((0, 2)))),
    Misconception(
        "hidden_layer_stays",
        "Your w1 and b1 stay as they were. Both layers learn: that is the point of "
        "sending the error back.",
        _trained(_parts((2, 3)))),
    Misconception(
        "averaged",
        "You divide by the number of examples. The error is a sum over them here; "
        "the rate alone says how long a step is.",
        _trained(lambda x, target, weights, rate: _step(
            x, target, weights, rate / len(x)))),
    Misconception(
        "hidden_slope_forgotten",
        "Your steps are fine, but the gradients are not: those of w1 and b1 lack the "
        "slope of the hidden units. Put your network_backward right first.",
        _trained(partial(_step, backward=_backward(
            lambda delta, w2, hidden: delta @ w2)))),
    Misconception(
        "output_slope_forgotten",
        "Your steps are fine, but the gradients are not: they lack the slope of the "
        "outputs. Put your network_backward right first.",
        _trained(partial(_step, backward=_backward(
            last=lambda output, target: output - target)))),
    Misconception(
        "moves_while_going_back",
        "You change w2 before the error has gone back through it. Work out all four "
        "gradients first; then change the weights.",
        _trained(_moves_too_early)),
)


def _sloped(slope):
    """Gradients of the deep network with other slopes: slope(layer, y)."""
    return lambda x, target, w1, b1, w2, b2, w3, b3: _deep(
        x, target, (w1, w2, w3), (b1, b2, b3), slope)


def _second_skipped(x, target, w1, b1, w2, b2, w3, b3):
    """The output's delta goes to the first hidden layer through w2, not by w3."""
    *_, d2w, d2b, d3w, d3b = deep_gradients(x, target, w1, b1, w2, b2, w3, b3)
    one = sigmoid(x @ w1.T + b1)
    output = network_forward(one, w2, b2, w3, b3)[1]
    delta = hidden_delta(output_delta(output, target), w2, one)
    return (*weight_gradients(delta, x), d2w, d2b, d3w, d3b)


_DEEP = (
    Misconception(
        "middle_slope_forgotten",
        "Your last layers are right. For dw1, the blame passes the second hidden "
        "layer's sigmoid as well: send back its delta, slope and all.",
        lambda x, target, w1, b1, w2, b2, w3, b3: (
            *_sloped(lambda n, y: 1 if n == 2 else y - y**2)(
                x, target, w1, b1, w2, b2, w3, b3)[:2],
            *deep_gradients(x, target, w1, b1, w2, b2, w3, b3)[2:])),
    Misconception(
        "hidden_slopes_forgotten",
        "You leave out the slopes of the hidden layers, h * (1 - h). Each layer that "
        "the blame passes has its own.",
        _sloped(lambda n, y: y - y**2 if n == 3 else 1)),
    Misconception(
        "output_slope_forgotten",
        "You leave out the slope of the output's sigmoid, output * (1 - output).",
        _sloped(lambda n, y: 1 if n == 3 else y - y**2)),
    Misconception(
        "second_layer_skipped",
        "You send the output's delta to the first hidden layer. It has to pass the "
        "second one on its way: use that layer's delta, with w2.",
        _second_skipped),
    Misconception(
        "last_layer_first",
        "You return the last layer's gradients first. You find them in that order, "
        "but asked for is dw1, db1, dw2, db2, dw3, db3.",
        lambda *args: tuple(deep_gradients(*args)[n] for n in (4, 5, 2, 3, 0, 1))),
    Misconception(
        "sign_flipped",
        "All your gradients have the wrong sign: begin with output - target.",
        lambda *args: tuple(-one for one in deep_gradients(*args))),
)

_DISTANCES = (
    Misconception(
        "root_taken",
        "You take the square root. Asked for are squared distances: the root is "
        "left out, and the order from near to far stays the same.",
        lambda a, b: np.sqrt(squared_distances(a, b))),
    Misconception(
        "not_squared",
        "You add up the differences without squaring them. Then those of both signs "
        "cancel out.",
        lambda a, b: (a[:, None] - b).sum(axis=2)),
    Misconception(
        "absolute_differences",
        "You add up absolute differences, as one walks along a grid of streets. "
        "Square each difference.",
        lambda a, b: np.abs(a[:, None] - b).sum(axis=2)),
    Misconception(
        "first_number_only",
        "You use the first number of each point alone. The sum runs over all D "
        "numbers.",
        lambda a, b: squared_distances(a[:, :1], b[:, :1])),
    Misconception(
        "last_number_left_out",
        "You leave out the last number of each point. range(D) ends before D, so it "
        "needs no - 1.",
        lambda a, b: squared_distances(a[:, :-1], b[:, :-1])),
    Misconception(
        "total_not_set_back",
        "You carry the total on from one pair to the next. It starts at 0.0 for each "
        "pair: inside of the second loop.",
        lambda a, b: np.cumsum(squared_distances(a, b)).reshape(len(a), len(b))),
    Misconception(
        "total_set_back_by_row",
        "You carry the total on along each row. It starts at 0.0 for each pair: "
        "inside of the second loop, not of the first.",
        lambda a, b: np.cumsum(squared_distances(a, b), axis=1)),
    Misconception(
        "upper_half_only",
        "You fill the places with j > i and leave the others at 0. a and b are "
        "different points here: every pair counts.",
        lambda a, b: np.triu(squared_distances(a, b), 1)),
    Misconception(
        "averaged",
        "You divide by D. A squared distance is a sum, and no mean.",
        lambda a, b: squared_distances(a, b) / a.shape[1]),
    Misconception(
        "turned",
        "Your table is turned around: row i belongs to point a[i], column j to "
        "b[j].",
        lambda a, b: squared_distances(b, a)),
)


# --------------------------------------------------------------------------
# cases

EXACT = {"rtol": 1e-4, "atol": 1e-6}  # float32 inside is exact enough


def _small(rng, *shape):
    """Whole numbers from -3 to 3, not 0, to be redone by hand."""
    return rng.integers(1, 4, size=shape) * rng.choice([-1.0, 1.0], size=shape)


def _unit(w, b, x) -> Case:
    return Case(f"w = {w}, b = {b:g}, x = {x}",
                (np.array(w, float), float(b), np.array(x, float)))


def _units(rng):
    """Every truth the output depends on, then random ones on both sides."""
    units = [_unit([1, 1], -1.5, [1, 1]), _unit([1, 1], -1.5, [0, 1]),
             _unit([0, 0], 0, [1, 0]), _unit([2, -1], 1, [0, 1]),
             _unit([-1, -1], 0.5, [0, 0]), _unit([3, -2, 1], 2, [1, 1, 0])]
    for sign in (1, -1):
        w, x = rng.normal(size=(2, 5)).round(2)
        b = round(sign * (1 + abs(w @ x)) - w @ x, 2)
        units.append(Case("five inputs", (w, float(b), x)))
    return units


def _step_case(w, b, x, target, *rate) -> Case:
    words = f", rate {rate[0]:g}" if rate else ""
    return Case(f"w = {w}, b = {b:g}, x = {x}, target {target}{words}",
                (np.array(w, float), float(b), np.array(x, float), target, *rate))


def _steps(rng):
    """Three to redo by hand, then all four ways to be right or wrong."""
    steps = [_step_case([0, 0], 0, [1, 1], 1), _step_case([1, 1], 1, [1, 0], 0),
             _step_case([1, -1], 2, [1, 2], 0)]
    for number, (target, fires) in enumerate(np.ndindex(2, 2)):
        w, x = rng.normal(size=(2, 4)).round(2)
        w, x = np.where(abs(w) < 0.1, 0.3, w), np.where(abs(x) < 0.1, -0.4, x)
        reach = (0.7 + abs(w @ x)).round(2)
        b = float((reach if fires else -reach) - (w @ x).round(2))
        steps.append(Case(f"target {target}, output {fires}",
                          (w, b, x, target, float((0.1, 0.5, 0.25, 3.0)[number]))))
    return steps


def _sigmoids(rng):
    return [Case("numbers near 0, in two axes", (rng.normal(size=(3, 4)) * 2,)),
            Case("numbers far from 0", (np.array([-800.0, -40.0, 40.0, 800.0]),)),
            Case("one number", (np.array([rng.uniform(0.5, 2)]),))]


def _network(rng, n, d, j, k):
    """x, w1, b1, w2, b2: n examples, d inputs, j hidden units, k outputs."""
    return tuple(rng.normal(size=shape) for shape in
                 ((n, d), (j, d), (j,), (k, j), (k,)))


def _sizes(n, d, j, k) -> str:
    return (f"{n} example{'' if n == 1 else 's'} of {d} inputs, {j} hidden units, "
            f"{k} output{'' if k == 1 else 's'}")


SQUARE = (2, 3, 3, 3)  # weights that are multiplied the wrong way round fit here


def _forwards(rng):
    scattered = list(_network(rng, 4, 5, 3, 2))
    for n in (0, 1, 3):
        scattered[n] = np.asfortranarray(scattered[n])
    return [*(Case(_sizes(*sizes), _network(rng, *sizes))
              for sizes in (SQUARE, (4, 2, 5, 3), (1, 4, 2, 1))),
            Case(f"{_sizes(4, 5, 3, 2)}, not contiguous in memory", tuple(scattered))]


def _outputs(rng, n, k):
    """Outputs between 0 and 1, and targets of 0 and 1, both of them there."""
    target = rng.integers(0, 2, size=(n, k)).astype(float)
    target.flat[:2] = 1, 0
    return rng.uniform(0.1, 0.9, size=(n, k)), target


def _targets(rng):
    return [Case(f"{n} examples of {k} outputs", _outputs(rng, n, k))
            for n, k in ((2, 3), (5, 2), (4, 1))]


def _vectors(rng):
    return [Case(f"{size} numbers, h = {h}", (rng.normal(size=size) + 0.2, h))
            for size, h in ((3, 0.4), (5, 0.25), (4, 0.1))]


def _matrices(rng):
    return [Case(f"{rows} rows of {columns}, h = {h}",
                 (rng.normal(size=(rows, columns)) + 0.2, h))
            for rows, columns, h in ((2, 3, 0.4), (4, 2, 0.25))]


def _deltas(rng):
    return [Case(f"{n} examples, {k} units of {d} inputs",
                 (rng.normal(size=(n, k)), rng.normal(size=(n, d))))
            for n, k, d in ((3, 2, 4), (2, 5, 3), (6, 3, 3))]


def _blames(rng):
    return [Case(f"{n} examples, {k} outputs, {j} hidden units",
                 (rng.normal(size=(n, k)), rng.normal(size=(k, j)),
                  rng.uniform(0.1, 0.9, size=(n, j))))
            for n, k, j in ((2, 3, 3), (4, 2, 5), (3, 4, 2))]


def _way_back(rng, n, d, j, k) -> Case:
    x, w1, b1, w2, b2 = _network(rng, n, d, j, k)
    _, target = _outputs(rng, n, k)
    return Case(_sizes(n, d, j, k),
                (x, *network_forward(x, w1, b1, w2, b2), target, w2))


def _ways_back(rng):
    return [_way_back(rng, *sizes) for sizes in (SQUARE, (4, 2, 5, 3), (5, 4, 2, 1))]


def _training(rng, n, d, j, k, rate, steps) -> Case:
    x, *weights = _network(rng, n, d, j, k)
    return Case(f"{_sizes(n, d, j, k)}, rate {rate:g}, {steps} steps",
                (x, _outputs(rng, n, k)[1], *weights, rate, steps))


def _trainings(rng):
    return [_training(rng, 4, 2, 3, 1, 2.0, 3), _training(rng, 5, 4, 2, 3, 0.5, 7)]


def _deep_case(rng, n, d, one, two, k) -> Case:
    x, w1, b1, w2, b2 = _network(rng, n, d, one, two)
    w3, b3 = rng.normal(size=(k, two)), rng.normal(size=k)
    return Case(f"{n} examples, {d}-{one}-{two}-{k}",
                (x, _outputs(rng, n, k)[1], w1, b1, w2, b2, w3, b3))


def _deep_cases(rng):
    return [_deep_case(rng, 2, 3, 3, 3, 3), _deep_case(rng, 4, 2, 5, 3, 2)]


def _points(rng, n, m, d) -> Case:
    return Case(f"{n} and {m} points of {d} numbers",
                (rng.normal(size=(n, d)), rng.normal(size=(m, d))))


def _point_cases(rng):
    scattered = rng.normal(size=(3, 8)).T, rng.normal(size=(8, 3))[::2]
    return [_points(rng, 4, 3, 2), _points(rng, 3, 6, 5),
            Case("8 and 4 points of 3 numbers, not contiguous in memory", scattered)]


# --------------------------------------------------------------------------
# speed


def _loops(a, b):
    """What the student's loops are before they are compiled."""
    table = np.empty((len(a), len(b)))
    for i in range(len(a)):
        for j in range(len(b)):
            total = 0.0
            for d in range(a.shape[1]):
                total += (a[i, d] - b[j, d]) ** 2
            table[i, j] = total
    return table


# --------------------------------------------------------------------------
# the graded questions

QUESTIONS = (
    Question("perceptron_output_values", "perceptron_output", 2,
             "1 or 0, as an int, on both sides of a sum of 0 and at 0",
             _units, perceptron_output, _OUTPUT),
    Question("perceptron_step_values", "perceptron_step", 4,
             "the new w and b after right and wrong answers, at several rates",
             _steps, perceptron_step, _STEP),
    Question("sigmoid_values", "sigmoid", 2,
             "arrays of any shape, and numbers from -800 to 800",
             _sigmoids, sigmoid, _SIGMOID),
    Question("network_forward_values", "network_forward", 6,
             "hidden units and outputs of networks of several sizes",
             _forwards, network_forward, _FORWARD, **EXACT),
    Question("squared_error_values", "squared_error", 2,
             "one number for a batch: half of the sum of squares",
             _targets, squared_error, _ERROR, **EXACT),
    Question("numerical_gradient_of_vectors", "gradient_of_quartic", 4,
             "central differences of a known function of a vector, with several h",
             _vectors, gradient_of_quartic, _OF_VECTORS, **EXACT),
    Question("numerical_gradient_of_matrices", "gradient_of_quartic", 1,
             "the same for a matrix",
             _matrices, gradient_of_quartic, _NUMERICAL, **EXACT),
    Question("output_delta_values", "output_delta", 3,
             "how the error grows with the sums of the outputs",
             _targets, output_delta, _OUTPUT_DELTA, **EXACT),
    Question("weight_gradients_values", "weight_gradients", 4,
             "dw and db of a layer, for batches of several sizes",
             _deltas, weight_gradients, _WEIGHTS, **EXACT),
    Question("hidden_delta_values", "hidden_delta", 4,
             "how the error grows with the sums of the hidden units",
             _blames, hidden_delta, _HIDDEN_DELTA, **EXACT),
    Question("network_backward_values", "network_backward", 4,
             "dw1, db1, dw2 and db2 of networks of several sizes",
             _ways_back, network_backward, _BACKWARD, **EXACT),
    Question("train_network_values", "train_network", 4,
             "the weights after a few steps, from given ones",
             _trainings, train_network, _TRAIN, **EXACT),
    Question("squared_distances_values", "squared_distances", 3,
             "tables of squared distances, of points in several dimensions",
             _point_cases, squared_distances, _DISTANCES, **EXACT),
    Question("squared_distances_fast", "squared_distances", 2,
             "at least ten times as fast as the same loops in plain Python "
             "(compiling not counted)",
             lambda rng: [_points(rng, 7, 9, 8)], squared_distances, _DISTANCES,
             **EXACT, speed=Speed(lambda rng: _points(rng, 150, 160, 8), _loops,
                                  times_slower=0.1)),
    Question("deep_gradients_values", "deep_gradients", 3,
             "all six gradients of networks with two hidden layers",
             _deep_cases, deep_gradients, _DEEP, **EXACT, bonus=True),
)


# --------------------------------------------------------------------------
# the public checks: small whole numbers first, to be read and redone by hand


def _check_steps(rng):
    return [_step_case([0, 0], 0, [1, 1], 1), _step_case([1, 1], 0, [1, 0], 0),
            _step_case([1, 1], -1, [1, 1], 1), _step_case([2, -1], 1, [-2, 3], 0),
            _step_case([1, -2, 0], 1, [2, 1, 3], 0, 0.5),
            _step_case([1, -2, 0], -1, [2, 3, 1], 1, 0.5)]


def _check_sigmoids(rng):
    return [Case("five numbers", (np.array([-2.0, -1.0, 0.0, 1.0, 2.0]),)),
            Case("two rows of three", (rng.normal(size=(2, 3)),)),
            Case("numbers far from 0", (np.array([-800.0, -40.0, 40.0, 800.0]),))]


def _check_forwards(rng):
    first = tuple(_small(rng, *shape) / 2 for shape in (
        (2, 2), (2, 2), (2,), (2, 2), (2,)))
    return [Case(_sizes(2, 2, 2, 2), first),
            *(Case(_sizes(*sizes), _network(rng, *sizes))
              for sizes in ((3, 2, 4, 1), (2, 4, 3, 5)))]


def _check_errors(rng):
    halves = np.array([[0.5, 1.0], [0.0, 1.0], [0.5, 0.0]])
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    return [Case("three examples of two outputs", (halves, targets)),
            Case("4 examples of 3 outputs", _outputs(rng, 4, 3))]


def _check_output_deltas(rng):
    output = np.array([[0.5, 0.75], [0.25, 0.5]])
    target = np.array([[1.0, 0.0], [0.0, 1.0]])
    return [Case("two examples of two outputs", (output, target)),
            Case("4 examples of 3 outputs", _outputs(rng, 4, 3))]


def _check_deltas(rng):
    return [Case("2 examples, 1 unit of 3 inputs",
                 (np.array([[1.0], [2.0]]), np.array([[1.0, 0, 2], [0, 1, 3]]))),
            Case("3 examples, 2 units of 4 inputs",
                 (_small(rng, 3, 2), _small(rng, 3, 4))),
            Case("5 examples, 3 units of 2 inputs",
                 (rng.normal(size=(5, 3)), rng.normal(size=(5, 2))))]


def _check_blames(rng):
    return [Case("2 examples, 2 outputs, 2 hidden units",
                 (_small(rng, 2, 2), np.array([[1.0, -2.0], [2.0, 1.0]]),
                  np.array([[0.5, 0.25], [0.75, 0.5]]))),
            Case("4 examples, 3 outputs, 2 hidden units",
                 (rng.normal(size=(4, 3)), rng.normal(size=(3, 2)),
                  rng.uniform(0.1, 0.9, size=(4, 2))))]


def _check_ways_back(rng):
    quarters = (np.array([[1.0, 2.0], [3.0, -1.0]]),
                np.array([[0.5, 0.25], [0.75, 0.5]]),
                np.array([[0.5, 0.75], [0.25, 0.5]]), np.array([[1.0, 0], [0, 1]]),
                np.array([[2.0, -1.0], [4.0, 1.0]]))
    return [Case(_sizes(2, 2, 2, 2), quarters), _way_back(rng, 4, 3, 2, 1)]


def _check_points(rng):
    return [Case("2 and 3 points of 2 numbers",
                 (np.array([[0.0, 0], [1, 2]]), np.array([[3.0, 4], [0, 1], [1, 2]]))),
            _points(rng, 4, 3, 5)]


CHECKS = (
    Check("ps1/perceptron_output", "perceptron_output",
          lambda rng: _units(rng)[:6], perceptron_output, _OUTPUT),
    Check("ps1/perceptron_step", "perceptron_step", _check_steps, perceptron_step,
          _STEP),
    Check("ps1/sigmoid", "sigmoid", _check_sigmoids, sigmoid, _SIGMOID),
    Check("ps1/network_forward", "network_forward", _check_forwards, network_forward,
          _FORWARD, **EXACT),
    Check("ps1/squared_error", "squared_error", _check_errors, squared_error, _ERROR,
          **EXACT),
    Check("ps1/gradient_of_quartic", "gradient_of_quartic", lambda rng: [
        Case("three numbers, h = 0.25", (np.array([1.0, -1.0, 2.0]), 0.25)),
        *_matrices(rng)[:1]], gradient_of_quartic, _NUMERICAL, **EXACT),
    Check("ps1/output_delta", "output_delta", _check_output_deltas, output_delta,
          _OUTPUT_DELTA, **EXACT),
    Check("ps1/weight_gradients", "weight_gradients", _check_deltas, weight_gradients,
          _WEIGHTS, **EXACT),
    Check("ps1/hidden_delta", "hidden_delta", _check_blames, hidden_delta,
          _HIDDEN_DELTA, **EXACT),
    Check("ps1/network_backward", "network_backward", _check_ways_back,
          network_backward, _BACKWARD, **EXACT),
    Check("ps1/train_network", "train_network", lambda rng: [
        _training(rng, 4, 2, 2, 1, 1.0, 2), _training(rng, 3, 2, 4, 3, 0.5, 5)],
        train_network, _TRAIN, **EXACT),
    Check("ps1/squared_distances", "squared_distances", _check_points,
          squared_distances, _DISTANCES, **EXACT),
    Check("ps1/deep_gradients", "deep_gradients", lambda rng: [
        _deep_case(rng, 2, 2, 2, 2, 2), _deep_case(rng, 3, 4, 2, 3, 1)],
        deep_gradients, _DEEP, **EXACT),
)
