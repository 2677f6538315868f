"""Hidden tests and public checks of ps5_fully_connected.

Expected values come from einsum and scipy.special in float64; the tests hold the
gradients against central differences. A misconception is that oracle, or the same
formula in numpy, with one thing done wrong. Images are (N, H, W, C), rows of
numbers (N, D), weights (K, D), scores (N, K).
"""

from __future__ import annotations

from dataclasses import replace
from functools import wraps

import numpy as np
from scipy.special import log_softmax
from scipy.special import softmax as scipy_softmax

from autograder.mistakes import refusing
from autograder.questions import Case, Check, Misconception, Question

# --------------------------------------------------------------------------
# oracles


def flatten(x):
    """(N, H, W, C) -> (N, H*W*C): row by row, pixel by pixel, channel by channel."""
    return np.stack([np.concatenate([pixel for row in image for pixel in row])
                     for image in x])


def dense_parameters(inputs, units):
    """Counts unit by unit: a weight for each input, and a bias."""
    return sum(inputs + 1 for _ in range(units))


def dense(x, w, b):
    """(N, D), (K, D), (K,) -> (N, K), in the dtype of x."""
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1]:
        raise ValueError("a weight for each number of an example is needed")
    if b.shape != (len(w),):
        raise ValueError("a bias for each unit is needed")
    return _dense(x, w, b).astype(x.dtype)


def _dense(x, w, b):
    return np.einsum("nd,kd->nk", x.astype(np.float64), w.astype(np.float64)) + b


def bias_gradient(dy):
    """(N, K) -> (K,), in the dtype of dy."""
    return np.einsum("nk->k", dy.astype(np.float64)).astype(dy.dtype)


def weight_gradient(dy, x):
    """(N, K), (N, D) -> (K, D), in the dtype of x."""
    return np.einsum("nk,nd->kd", dy.astype(np.float64), x).astype(x.dtype)


def input_gradient(dy, w):
    """(N, K), (K, D) -> (N, D), in the dtype of w."""
    return np.einsum("nk,kd->nd", dy.astype(np.float64), w).astype(w.dtype)


def dense_backward(dy, x, w):
    return input_gradient(dy, w), weight_gradient(dy, x), bias_gradient(dy)


def softmax(scores):
    """(N, K) -> (N, K), in the dtype of scores; rows sum to 1."""
    return scipy_softmax(scores.astype(np.float64), axis=1).astype(scores.dtype)


def cross_entropy(scores, labels):
    """(N, K), (N,) -> the mean loss, in nats."""
    chances = log_softmax(scores.astype(np.float64), axis=1)
    return float(-np.mean([row[label] for row, label in
                           zip(chances, labels, strict=True)]))


def softmax_cross_entropy(scores, labels):
    """(N, K), (N,) -> the mean loss, dscores (N, K) in the dtype of scores."""
    if labels.shape != scores.shape[:1]:
        raise ValueError("a label for each row is needed")
    if any(label not in range(scores.shape[1]) for label in labels):
        raise ValueError("a label is not the number of a class")
    return cross_entropy(scores, labels), _gradient(scores, labels)


def _gradient(scores, labels):
    p = scipy_softmax(scores.astype(np.float64), axis=1)
    return ((p - _one_hot(scores, labels)) / len(scores)).astype(scores.dtype)


def _one_hot(scores, labels):
    """(N, K): 1 at each label, 0 elsewhere. -1 is the last class, as in numpy."""
    return np.eye(scores.shape[1])[labels]


def smoothed_cross_entropy(scores, labels, smoothing):
    """As softmax_cross_entropy, for (1 - smoothing) one-hot + smoothing / K."""
    wanted = ((1 - smoothing) * _one_hot(scores, labels)
              + smoothing / scores.shape[1])
    return _towards(wanted)(scores)


def _towards(wanted, learnt=None):
    """Loss, and its gradient, for wanted probabilities (N, K)."""
    learnt = wanted if learnt is None else learnt

    def loss_and_gradient(scores):
        wide = scores.astype(np.float64)
        loss = -np.einsum("nk,nk->", wanted, log_softmax(wide, axis=1)) / len(wide)
        gradient = (scipy_softmax(wide, axis=1) - learnt) / len(wide)
        return float(loss), gradient.astype(scores.dtype)
    return loss_and_gradient


# --------------------------------------------------------------------------
# misconceptions


def _mistake(name, hint, wrong) -> Misconception:
    """A misconception that goes about 0/0 and overflow without a word."""
    @wraps(wrong)
    def quiet(*args, **kwargs):
        with np.errstate(all="ignore"):
            return wrong(*args, **kwargs)
    return Misconception(name, hint, quiet)


_FLATTEN = (
    _mistake(
        "images_not_apart",
        "You stretch the whole batch into one row. Each image has a row of its own: "
        "(N, H, W, C) becomes (N, H*W*C).",
        lambda x: x.reshape(-1)),
    _mistake(
        "images_in_columns",
        "Your images stand in columns, (H*W*C, N). Image n is row n here.",
        lambda x: flatten(x).T),
    _mistake(
        "images_mixed",
        "Your rows have the right length but mix numbers of different images: you cut "
        "the batch as if images lay side by side. They lie one after the other, so "
        "the first axis stays N.",
        lambda x: x.reshape(-1, len(x)).T),
    _mistake(
        "channels_first",
        "Your numbers come channel by channel, as PyTorch stretches its (C, H, W). "
        "Here the channel runs fastest: all channels of pixel (0, 0), then those of "
        "its neighbour in the row.",
        lambda x: flatten(x.transpose(0, 3, 1, 2))),
    _mistake(
        "columns_first",
        "You walk through each image column by column. The lecture's stretching, and "
        "numpy's default, goes row by row: pixel (0, 0) is followed by (0, 1).",
        lambda x: flatten(x.transpose(0, 2, 1, 3))),
    _mistake(
        "last_axis_first",
        "Your order is that of Fortran: rows run fastest, channels slowest. Leave "
        "order=\"F\" away: numpy's default is the order that you need.",
        lambda x: x.reshape(len(x), -1, order="F")),
    _mistake(
        "channels_kept",
        "You stretch rows and columns and leave the channels an axis of their own. "
        "All three become one: (N, H*W*C).",
        lambda x: x.reshape(len(x), -1, x.shape[3])),
    _mistake(
        "float64_returned",
        "The values are right, but you return float64 for float32 images. Stretching "
        "computes nothing, so the dtype stays what it was.",
        lambda x: flatten(x).astype(np.float64)),
)

_PARAMETERS = (
    _mistake(
        "biases_not_counted",
        "You count the weights alone. Each unit has one bias as well: ten units on "
        "3072 numbers have 10 * (3072 + 1) parameters.",
        lambda inputs, units: inputs * units),
    _mistake(
        "one_bias_for_the_layer",
        "You count one bias for the whole layer. Each unit has its own: the + 1 "
        "belongs inside the bracket that is multiplied by the number of units.",
        lambda inputs, units: inputs * units + 1),
    _mistake(
        "bias_for_each_input",
        "You count a bias for each input. A unit adds up all its products to one "
        "number, and adds one bias to that.",
        lambda inputs, units: inputs * (units + 1)),
    _mistake(
        "weights_added_up",
        "You count one weight for each input and one for each unit. Each unit looks "
        "at the full input with weights of its own: it is a product, no sum.",
        lambda inputs, units: inputs + units),
    _mistake(
        "one_unit_counted",
        "You count one unit. The layer has as many sets of weights and biases as it "
        "has units.",
        lambda inputs, units: inputs + 1),
)

_FLOAT64 = "The values are right, but you return float64 for float32 numbers. "
_FLOAT32 = "The values are right, but you return float32 for float64 numbers. "
_GRADIENT_CHECK = "Gradient checks need the full precision: keep the dtype of x."

_DENSE = refusing(dense, (
    _mistake(
        "weights_by_inputs_and_units",
        "You read the weights as (D, K). Here they are (K, D), the lecture's "
        "10 x 3072: w[k] is all of unit k's weights. Look which axes of x and w the "
        "sum runs over, and turn one of them over.",
        lambda x, w, b: x @ w + b),
    _mistake(
        "bias_forgotten",
        "Your output is right but for the bias: add b[k] to what unit k computes, "
        "for every example.",
        lambda x, w, b: _dense(x, w, 0 * b).astype(x.dtype)),
    _mistake(
        "bias_subtracted",
        "You subtract the bias, as a perceptron does with its threshold. Here b[k] is "
        "added.",
        lambda x, w, b: _dense(x, w, -b).astype(x.dtype)),
    _mistake(
        "bias_in_every_product",
        "You add the bias to every product before summing, D times in all. Sum the "
        "products first, then add b[k] once.",
        lambda x, w, b: _dense(x, w, w.shape[1] * b).astype(x.dtype)),
    _mistake(
        "first_bias_for_all",
        "You add b[0] to every unit's number. Unit k has its own bias, b[k].",
        lambda x, w, b: _dense(x, w, np.full_like(b, b[0])).astype(x.dtype)),
    _mistake(
        "mean_instead_of_sum",
        "You average the products of weights and inputs. A dot product is their sum: "
        "nothing is divided.",
        lambda x, w, b: _dense(x, w / w.shape[1], b).astype(x.dtype)),
    _mistake(
        "units_in_rows",
        "Your output is (K, N): a row a unit. Here a row is an example: y[n, k] is "
        "what unit k says of example n.",
        lambda x, w, b: dense(x, w, b).T),
    _mistake(
        "first_example_repeated",
        "Every row of your output is that of example 0. Row n belongs to x[n].",
        lambda x, w, b: np.repeat(dense(x[:1], w, b), len(x), axis=0)),
    _mistake(
        "negative_scores_cut",
        "You set negative numbers to 0. A ReLU may follow a dense layer, but it is a "
        "layer of its own: return the numbers as they come.",
        lambda x, w, b: np.maximum(dense(x, w, b), 0)),
    _mistake(
        "float64_returned",
        _FLOAT64 + "np.zeros makes float64 unless told otherwise: "
        "np.zeros(shape, dtype=x.dtype).",
        lambda x, w, b: _dense(x, w, b)),
    _mistake(
        "float32_always",
        _FLOAT32 + _GRADIENT_CHECK,
        lambda x, w, b: _dense(x, w, b).astype(np.float32)),
))


def _any_bias(x, w, b):
    return dense(x, w, np.repeat(b, len(w)) if len(b) == 1 else b)


def _any_axes(x, w, b):
    if x.ndim > 2 and x.shape[-1] == w.shape[1]:
        return dense(x.reshape(-1, x.shape[-1]), w, b).reshape(*x.shape[:-1], len(w))
    return dense(x, w, b)


def _nothing_refused(x, w, b):
    return x @ w.T + b


_DENSE_REFUSED = (
    _mistake(
        "nothing_refused",
        "You leave all refusing to numpy, which stretches a single bias over all "
        "units and takes images that were never flattened. Look at x.ndim and at the "
        "shapes of w and b yourself, and raise ValueError.",
        _nothing_refused),
    _mistake(
        "one_bias_stretched",
        "You accept one bias for several units: numpy stretches an axis of length 1 "
        "silently. Raise ValueError where b.shape is not (K,).",
        _any_bias),
    _mistake(
        "images_accepted",
        "You accept images that were never flattened, and read each pixel as an "
        "example of its own. Raise ValueError where x has not two axes.",
        _any_axes),
)

_DB = (
    _mistake(
        "averaged_over_the_batch",
        "You average over the examples. Each example adds its share to db[k]; where "
        "a mean is wanted, the loss has divided by N already, and dy knows it.",
        lambda dy: dy.mean(axis=0)),
    _mistake(
        "summed_over_the_units",
        "You sum over the wrong axis. b[k] is added in every example, but to unit k "
        "alone: add up the examples, and let the units be.",
        lambda dy: dy.sum(axis=1)),
    _mistake(
        "summed_over_everything",
        "You add up all of dy. There is a slope for each bias: K of them.",
        lambda dy: dy.sum()),
    _mistake(
        "examples_not_added_up",
        "You return dy as it is, (N, K). One bias serves all examples of the batch, "
        "so its slope gathers what they all say.",
        lambda dy: dy.copy()),
    _mistake(
        "first_example_only",
        "You use the first example only. The same bias was added in all of them.",
        lambda dy: dy[0].copy()),
    _mistake(
        "dy_not_used",
        "You count the examples. That is how often b[k] was added; how much each "
        "time matters to the loss stands in dy.",
        lambda dy: np.full(dy.shape[1], len(dy), dy.dtype)),
    _mistake(
        "batch_axis_kept",
        "The values are right, but you keep the axis of the batch, (1, K). b has one "
        "axis, and its gradient has the same shape: leave keepdims away.",
        lambda dy: dy.sum(axis=0, keepdims=True)),
)

_DW = (
    _mistake(
        "transposed",
        "Your gradient is (D, K). A gradient has the shape of what it belongs to, "
        "and w is (K, D): dw[k, d] is the slope by w[k, d].",
        lambda dy, x: weight_gradient(dy, x).T),
    _mistake(
        "averaged_over_the_batch",
        "You divide by the number of examples. Each adds its share; where a mean is "
        "wanted, the loss has divided already, and dy knows it.",
        lambda dy, x: weight_gradient(dy, x) / len(x)),
    _mistake(
        "dy_not_turned",
        "You multiply dy and x without turning one over, and so add up over units. "
        "Find the axis that dy and x share, and bring it to where the sum of a "
        "product of matrices runs.",
        lambda dy, x: dy @ x),
    _mistake(
        "summed_before_multiplying",
        "You add up the examples first and multiply then. Each example's dy belongs "
        "to its own x: multiply within each example, then let your sum run.",
        lambda dy, x: np.outer(dy.sum(axis=0), x.sum(axis=0))),
    _mistake(
        "first_example_only",
        "You use the first example only. w served all of them: their shares add up.",
        lambda dy, x: weight_gradient(dy[:1], x[:1])),
    _mistake(
        "dy_not_used",
        "You add up x alone. That is how y[n, k] changes with w[k, d]; how much that "
        "matters to the loss is what dy[n, k] says.",
        lambda dy, x: np.repeat(x.sum(axis=0)[np.newaxis], dy.shape[1], axis=0)),
    _mistake(
        "x_not_used",
        "You have the bias's slope for every weight. A weight is multiplied by its "
        "input, so your slope has to contain x[n, d].",
        lambda dy, x: np.repeat(dy.sum(axis=0)[:, np.newaxis], x.shape[1], axis=1)),
)

_DX = (
    _mistake(
        "weights_turned",
        "You turn w over, which the forward pass did. Going back, unit k hands its "
        "dy[n, k] to input d by w[k, d]: look which axis of w the sum runs over, and "
        "whether it already stands where it must.",
        lambda dy, w: dy @ w.T),
    _mistake(
        "averaged_over_the_units",
        "You average over the units. x[n, d] goes into every one of them, and what "
        "they say adds up.",
        lambda dy, w: input_gradient(dy, w) / len(w)),
    _mistake(
        "averaged_over_the_batch",
        "You divide by the number of examples. Each has an input of its own, and "
        "where a mean is wanted, the loss has divided already.",
        lambda dy, w: input_gradient(dy, w) / len(dy)),
    _mistake(
        "dy_not_used",
        "You add up the weights alone. That is how all units together change with "
        "x[n, d]; how much each unit matters to the loss is what dy[n, k] says.",
        lambda dy, w: np.repeat(w.sum(axis=0)[np.newaxis], len(dy), axis=0)),
    _mistake(
        "weights_not_used",
        "You give every input the sum of dy. How strongly unit k hears input d is "
        "w[k, d], and that has to be in your sum.",
        lambda dy, w: np.repeat(dy.sum(axis=1)[:, np.newaxis], w.shape[1], axis=1)),
    _mistake(
        "first_unit_only",
        "You go back through unit 0 only. x[n, d] goes into all K units, and the sum "
        "runs over all of them.",
        lambda dy, w: input_gradient(dy[:, :1], w[:1])),
    _mistake(
        "examples_added_up",
        "You add up the examples. Each has its own input, so dx has a row for each: "
        "(N, D). Only what all examples share, as w and b, gathers over them.",
        lambda dy, w: input_gradient(dy, w).sum(axis=0)),
)


def _in_backward(part: int, of: str, m: Misconception) -> Misconception:
    """A mistake of one gradient, made inside of dense_backward."""
    def wrong(dy, x, w):
        given = ((dy, w), (dy, x), (dy,))[part]
        parts = list(dense_backward(dy, x, w))
        parts[part] = m.wrong(*given)
        return tuple(parts)
    hint = m.hint[0].lower() + m.hint[1:]
    return Misconception(f"{of}_{m.name}", f"In your {of}: {hint}", wrong)


def _as_type(function, dtype):
    """A function with every array that it returns in another dtype."""
    def wrong(*args):
        return tuple(one.astype(dtype) if isinstance(one, np.ndarray) else one
                     for one in function(*args))
    return wrong


def _reordered(*order):
    def wrong(dy, x, w):
        parts = dense_backward(dy, x, w)
        return tuple(parts[n] for n in order)
    return wrong


_BACKWARD = (
    *(_in_backward(2, "db", m) for m in _DB),
    *(_in_backward(1, "dw", m) for m in _DW),
    *(_in_backward(0, "dx", m) for m in _DX),
    _mistake(
        "all_averaged",
        "All three of your gradients are divided by the number of examples. The loss "
        "divides once, when it takes its mean, and dy brings that along.",
        lambda dy, x, w: tuple(one / len(x) for one in dense_backward(dy, x, w))),
    _mistake(
        "dx_comes_last",
        "Your gradients are right, in another order: you return dw, db, dx. The "
        "order is that of x, w, b: dx, dw, db.",
        _reordered(1, 2, 0)),
    _mistake(
        "dw_before_dx",
        "Your gradients are right, but you return dw, dx, db. The order is that of "
        "x, w, b: dx first.",
        _reordered(1, 0, 2)),
    _mistake(
        "db_before_dw",
        "Your gradients are right, but you return dx, db, dw. The order is that of "
        "x, w, b: db last.",
        _reordered(0, 2, 1)),
    _mistake(
        "float64_returned",
        _FLOAT64 + "A gradient keeps the dtype of x.",
        _as_type(dense_backward, np.float64)),
    _mistake(
        "float32_always",
        _FLOAT32 + _GRADIENT_CHECK,
        _as_type(dense_backward, np.float32)),
)


def _shares(e, axis=1, keepdims=True):
    """Exponentials as parts of their sum."""
    return e / e.sum(axis=axis, keepdims=keepdims)


def _exp(scores):
    """Exponentials of scores, shifted by their rows' maximum."""
    return np.exp(scores - scores.max(axis=1, keepdims=True))


_SOFTMAX = (
    _mistake(
        "over_the_batch",
        "Your columns sum to 1, not your rows: you share out each class among the "
        "examples. Sum along axis 1, over the classes of one example.",
        lambda s: _shares(np.exp(s - s.max()), axis=0)),
    _mistake(
        "over_everything",
        "You divide by the sum over the whole batch. Each example has a sum of its "
        "own: np.sum along axis 1.",
        lambda s: _shares(_exp(s), axis=None)),
    _mistake(
        "over_everything_unshifted",
        "All of your numbers together sum to 1. Each row is to sum to 1 by itself: "
        "give np.sum its axis.",
        lambda s: _shares(np.exp(s), axis=None)),
    _mistake(
        "keepdims_missing",
        "You divide column j by the sum of row j: a sum of shape (N,) is laid along "
        "the columns. With keepdims=True its shape is (N, 1), one for each row.",
        lambda s: _shares(_exp(s), keepdims=False)),
    _mistake(
        "not_divided",
        "You return the exponentials of the shifted scores. To be probabilities, each "
        "row still has to be divided by its sum.",
        _exp),
    _mistake(
        "exponentials_returned",
        "You return the exponentials of the scores. To be probabilities, each row "
        "still has to be divided by its sum.",
        lambda s: np.exp(s)),
    _mistake(
        "powers_of_two",
        "You raise 2 to the scores. Softmax raises e to them: np.exp.",
        lambda s: _shares(np.exp2(s - s.max(axis=1, keepdims=True)))),
    _mistake(
        "no_exponential",
        "You divide the scores themselves by their sum. Scores may be negative; take "
        "their exponential first.",
        lambda s: _shares(s)),
    _mistake(
        "logarithms_returned",
        "You return the logarithms of the probabilities. They are wanted in the loss; "
        "softmax itself returns numbers from 0 to 1.",
        lambda s: np.log(softmax(s))),
)
_SOFTMAX_STABLE = (
    _mistake(
        "not_shifted",
        "np.exp(710) is infinite in float64, and np.exp(-746) is 0, so you end with "
        "infinity/infinity and 0/0. Subtract each row's maximum first: no probability "
        "changes by that.",
        lambda s: _shares(np.exp(s))),
    _mistake(
        "one_maximum_for_all",
        "You shift all rows by the largest score of the batch: rows far below it "
        "vanish to 0/0. Each row needs its own maximum.",
        lambda s: _shares(np.exp(s - s.max()))),
    _mistake(
        "shifted_by_the_mean",
        "You shift by the mean of each row. A score far above its mean still "
        "overflows: after shifting, the largest has to be 0.",
        lambda s: _shares(np.exp(s - s.mean(axis=1, keepdims=True)))),
    _mistake(
        "shifted_by_the_smallest",
        "You shift by the smallest score of each row, and so the largest can still "
        "overflow. After shifting, none may be above 0.",
        lambda s: _shares(np.exp(s - s.min(axis=1, keepdims=True)))),
)


def _of_label(numbers, labels):
    """numbers[n, labels[n]], (N,)."""
    return numbers[np.arange(len(numbers)), labels]


def _naive(scores, labels):
    """Loss by the softmax as it is written down, unshifted."""
    return -np.mean(np.log(_of_label(_shares(np.exp(scores)), labels)))


def _kept_from_zero(small):
    def wrong(scores, labels):
        chances = _of_label(softmax(scores), labels).astype(np.float64)
        return -np.mean(np.log(chances + small))
    return wrong


_LOSS = (
    _mistake(
        "summed",
        "You add up the losses of the examples. It is their mean that is wanted: "
        "then its size does not depend on the size of the batch.",
        lambda s, y: len(s) * cross_entropy(s, y)),
    _mistake(
        "sign",
        "Your loss is negative. The logarithm of a probability is 0 at most; the "
        "loss is minus that, so that smaller is better.",
        lambda s, y: -cross_entropy(s, y)),
    _mistake(
        "base_two",
        "You use the logarithm of base 2, and measure in bits. Here it is the natural "
        "one, np.log, and its slope is what the gradient counts on.",
        lambda s, y: cross_entropy(s, y) / np.log(2)),
    _mistake(
        "base_ten",
        "You use the logarithm of base 10. Here it is the natural one, np.log.",
        lambda s, y: cross_entropy(s, y) / np.log(10)),
    _mistake(
        "over_the_batch",
        "Your softmax runs over the examples. The classes of one example share its "
        "probability: sum along axis 1.",
        lambda s, y: -np.mean(_of_label(log_softmax(s, axis=0), y))),
    _mistake(
        "score_of_the_label",
        "You average the right class's scores. What counts is its probability: how "
        "large its exponential is among those of all classes.",
        lambda s, y: -np.mean(_of_label(s, y))),
    _mistake(
        "logarithm_forgotten",
        "You average the probabilities and take no logarithm. The loss of an example "
        "is minus the logarithm of its right class's probability.",
        lambda s, y: -np.mean(_of_label(softmax(s), y))),
    _mistake(
        "mean_before_logarithm",
        "You average the probabilities and then take one logarithm. Each example has "
        "a loss of its own: first the logarithms, then your mean.",
        lambda s, y: -np.log(np.mean(_of_label(softmax(s), y)))),
    _mistake(
        "largest_probability",
        "You take the largest probability of each row, whatever is right. The labels "
        "say which one counts: that of column labels[n] in row n.",
        lambda s, y: -np.mean(np.log(softmax(s).max(axis=1)))),
    _mistake(
        "all_classes",
        "You average over all classes. Only the probability of the right class "
        "counts: one number from each row, picked by its label.",
        lambda s, y: -np.mean(log_softmax(s, axis=1))),
    _mistake(
        "divided_by_the_classes_too",
        "Your loss is K times too small: np.mean over an array (N, K) that is 0 away "
        "from the labels counts those zeros. Divide the sum by N alone.",
        lambda s, y: cross_entropy(s, y) / s.shape[1]),
    _mistake(
        "labels_counted_from_one",
        "You look one class to the left. Labels count from 0: class 0 is column 0.",
        lambda s, y: cross_entropy(s, y - 1)),
)
_SMALL = (1e-7, 1e-8, 1e-10, 1e-12)
_LOSS_STABLE = (
    _mistake(
        "not_shifted",
        "Your exponentials overflow, or all vanish, and the loss is not a number. "
        "Subtract each row's maximum from its scores before np.exp.",
        _naive),
    _mistake(
        "sum_not_shifted",
        "You take the logarithm of a sum of exponentials, which is the way; but that "
        "sum overflows, or vanishes. Subtract each row's maximum from its scores "
        "first, everywhere.",
        lambda s, y: np.mean(np.log(np.exp(s).sum(axis=1)) - _of_label(s, y))),
    _mistake(
        "logarithm_of_zero",
        "Your loss is infinite where the right class's probability is too small for a "
        "float. Never take the log of a softmax: with shifted scores, the loss is the "
        "log of the sum of their exponentials, less the label's.",
        lambda s, y: -np.mean(np.log(_of_label(softmax(s), y)))),
    *(_mistake(
        f"kept_from_zero_by_{small:.0e}".replace("-", ""),
        f"You keep the probability from 0 by {small:g}, and so no loss can be above "
        f"{-np.log(small):.1f}. It may be 1000: subtract the label's shifted score "
        "from the log of the sum of exponentials instead.",
        _kept_from_zero(small)) for small in _SMALL),
)


def _both(loss, gradient=_gradient):
    """A wrong softmax_cross_entropy from a wrong loss, a wrong gradient, or both."""
    return lambda s, y: (loss(s, y), gradient(s, y))


def _same_loss(*names) -> list[Misconception]:
    """Mistakes of cross_entropy, made where the gradient is right."""
    return [replace(m, name=f"loss_{m.name}", wrong=_both(m.wrong))
            for m in _LOSS if m.name in names]


def _gradient_over_the_batch(s, y):
    p = scipy_softmax(s.astype(np.float64), axis=0)
    return ((p - _one_hot(s, y)) / len(s)).astype(s.dtype)


_LOSS_AND_GRADIENT = refusing(softmax_cross_entropy, (
    *_same_loss("summed", "sign", "base_two", "mean_before_logarithm",
                "divided_by_the_classes_too"),
    _mistake(
        "nothing_averaged",
        "You add up over the batch, in the loss and in its gradient. The loss is a "
        "mean: both are divided by N.",
        lambda s, y: (len(s) * cross_entropy(s, y), len(s) * _gradient(s, y))),
    _mistake(
        "gradient_not_divided",
        "Your loss is a mean over the batch and your gradient is that of a sum: it is "
        "N times too large. Each example has 1/N of a say in the mean.",
        _both(cross_entropy, lambda s, y: len(s) * _gradient(s, y))),
    _mistake(
        "gradient_divided_by_the_classes_too",
        "Your gradient is K times too small. The mean of the loss runs over the N "
        "examples, not over the N*K numbers of the array: divide by N alone.",
        _both(cross_entropy, lambda s, y: _gradient(s, y) / s.shape[1])),
    _mistake(
        "label_not_subtracted",
        "Your gradient pushes all scores down, the right one too. Something is "
        "missing at the label: look at the table of slopes that you made above.",
        _both(cross_entropy, lambda s, y: softmax(s) / len(s))),
    _mistake(
        "probabilities_returned",
        "You return the probabilities in the gradient's place. Two steps are missing: "
        "one at the label, and one for the mean over N examples.",
        _both(cross_entropy, lambda s, y: softmax(s))),
    _mistake(
        "one_subtracted_everywhere",
        "You subtract 1 from every probability. It is subtracted in one column of "
        "each row alone: the label's.",
        _both(cross_entropy, lambda s, y: (softmax(s) - 1) / len(s))),
    _mistake(
        "gradient_at_the_label_only",
        "Your gradient is 0 away from the labels. Raising a wrong class's score "
        "takes probability from the right one, so it has a slope as well.",
        _both(cross_entropy, lambda s, y: _gradient(s, y) * _one_hot(s, y))),
    _mistake(
        "gradient_by_probability",
        "Your gradient is that by the probabilities, -1/p at the label. The scores "
        "come before the softmax: your gradient has to go back through it.",
        _both(cross_entropy, lambda s, y:
              -_one_hot(s, y) / softmax(s).astype(np.float64) / len(s))),
    _mistake(
        "gradient_sign",
        "Your gradient has the wrong sign: it points to where the loss falls. A "
        "gradient points to where it grows; the step downhill is the optimiser's.",
        _both(cross_entropy, lambda s, y: -_gradient(s, y))),
    _mistake(
        "over_the_batch",
        "Your softmax runs over the examples. The classes of one example share its "
        "probability: sum along axis 1.",
        lambda s, y: (-np.mean(_of_label(log_softmax(s, axis=0), y)),
                      _gradient_over_the_batch(s, y))),
    _mistake(
        "labels_counted_from_one",
        "You look one class to the left. Labels count from 0: class 0 is column 0.",
        lambda s, y: (cross_entropy(s, y - 1), _gradient(s, y - 1))),
    _mistake(
        "gradient_comes_first",
        "Both values are right, in the other order: return the loss first, then "
        "your dscores.",
        lambda s, y: (_gradient(s, y), cross_entropy(s, y))),
    _mistake(
        "float64_returned",
        _FLOAT64 + "dscores keeps the dtype of the scores.",
        _as_type(softmax_cross_entropy, np.float64)),
    _mistake(
        "float32_always",
        _FLOAT32 + "Gradient checks need the full precision: keep the dtype of the "
        "scores.",
        _as_type(softmax_cross_entropy, np.float32)),
))


def _naive_gradient(s, y):
    return ((_shares(np.exp(s)) - _one_hot(s, y)) / len(s)).astype(s.dtype)


_STABLE_HINTS = {m.name: m for m in _LOSS_STABLE}
_LOSS_AND_GRADIENT_STABLE = refusing(softmax_cross_entropy, (
    _mistake("not_shifted", _STABLE_HINTS["not_shifted"].hint,
             _both(_naive, _naive_gradient)),
    *(_mistake(m.name, m.hint, _both(m.wrong)) for m in _LOSS_STABLE[1:]),
    _mistake(
        "gradient_not_shifted",
        "Your loss is right, but the gradient's exponentials overflow, or all "
        "vanish. Use your stable softmax there.",
        _both(cross_entropy, _naive_gradient)),
))


def _unchecked(s, y):
    """What numpy's indexing makes of any labels."""
    chances = log_softmax(s.astype(np.float64), axis=1)
    picked = np.arange(len(s)), y
    wanted = np.zeros_like(chances)
    wanted[picked] = 1
    gradient = (np.exp(chances) - wanted) / len(s)
    return -float(np.mean(chances[picked])), gradient.astype(s.dtype)


def _fits(s, y) -> dict[str, bool]:
    return {"negative": y.min() >= 0, "large": y.max() < s.shape[1],
            "count": y.shape == s.shape[:1]}


def _only_checking(*names):
    """A function that refuses for some reasons and lets numpy do the rest."""
    def wrong(s, y):
        fits = _fits(s, y)
        if not all(fits[name] for name in names):
            raise ValueError("refused")
        return _unchecked(s, y)
    return wrong


_LABELS = (
    _mistake(
        "nothing_refused",
        "You leave all refusing to numpy. It reads a label of -1 as the last class, "
        "lays one label along all rows, and has an IndexError for the rest. Look at "
        "labels.shape and at their range, and raise ValueError.",
        _only_checking()),
    _mistake(
        "negative_label_accepted",
        "You accept a label of -1: numpy counts it from the end, and so you teach the "
        "last class without knowing. Raise ValueError where a label is below 0.",
        _only_checking("large", "count")),
    _mistake(
        "large_label_not_refused",
        "You leave a label that is no class to numpy, which raises IndexError. Raise "
        "ValueError where a label is K or more, and say what labels there are.",
        _only_checking("negative", "count")),
    _mistake(
        "number_of_labels_not_looked_at",
        "You accept one label for several rows: numpy lays it along all of them. "
        "Raise ValueError where labels.shape is not (N,).",
        _only_checking("negative", "large")),
    _mistake(
        "range_not_looked_at",
        "You look at how many labels there are, but not at what they are: numpy "
        "counts -1 from the end. Raise ValueError unless all are from 0 to K - 1.",
        _only_checking("count")),
)


def _smoothing(wanted, learnt=None):
    """A wrong smoothed_cross_entropy: (one-hot, smoothing, K) -> probabilities."""
    def wrong(scores, labels, smoothing):
        given = _one_hot(scores, labels), smoothing, scores.shape[1]
        return _towards(wanted(*given), learnt and learnt(*given))(scores)
    return wrong


def _smoothed(hot, smoothing, k):
    return (1 - smoothing) * hot + smoothing / k


_SMOOTHED = (
    _mistake(
        "smoothing_ignored",
        "You do not use the smoothing: your loss and gradient are those of hard "
        "labels.",
        _smoothing(lambda hot, smoothing, k: hot)),
    _mistake(
        "gradient_of_hard_labels",
        "Your loss is smoothed, but your gradient still wants all of the probability "
        "at the label. What is subtracted from the softmax is q, all of it.",
        _smoothing(_smoothed, lambda hot, smoothing, k: hot)),
    _mistake(
        "loss_of_hard_labels",
        "Your gradient is smoothed, but your loss still looks at the label alone. "
        "Every class has its part in it: -q[k] log p[k], summed over k.",
        _smoothing(lambda hot, smoothing, k: hot, _smoothed)),
    _mistake(
        "shared_by_the_others",
        "You share the smoothing out among the K - 1 wrong classes. Here it goes to "
        "all K, the right one too: q = (1 - smoothing) one-hot + smoothing/K.",
        _smoothing(lambda hot, smoothing, k:
                   (1 - smoothing) * hot + smoothing / (k - 1) * (1 - hot))),
    _mistake(
        "more_than_one_in_all",
        "Your wanted probabilities sum to more than 1: the label keeps all of its 1. "
        "It gives up what the smoothing shares out.",
        _smoothing(lambda hot, smoothing, k: hot + smoothing / k)),
    _mistake(
        "whole_smoothing_for_each",
        "You add the whole smoothing to every class. It is shared out: each of the K "
        "classes gets smoothing/K.",
        _smoothing(lambda hot, smoothing, k: (1 - smoothing) * hot + smoothing)),
    _mistake(
        "gradient_not_divided",
        "Your loss is a mean over the batch, but your gradient is that of a sum: "
        "divide it by N.",
        lambda s, y, smoothing: (
            smoothed_cross_entropy(s, y, smoothing)[0],
            len(s) * smoothed_cross_entropy(s, y, smoothing)[1])),
)


# --------------------------------------------------------------------------
# cases


def _normal(rng, *shape, dtype=np.float32):
    return rng.normal(size=shape).astype(dtype)


def _times(shape) -> str:
    return "x".join(map(str, shape))


def _images(rng, *shape) -> Case:
    n = shape[0]
    return Case(f"{n} image{'' if n == 1 else 's'} of {_times(shape[1:])}",
                (_normal(rng, *shape),))


def _flatten_cases(rng):
    channels_first = _normal(rng, 3, 4, 5, 2)
    return [_images(rng, 1, 32, 32, 3), _images(rng, 3, 2, 4, 3),
            _images(rng, 4, 5, 3, 1),
            Case("3 images of 5x2x4, not contiguous in memory",
                 (np.moveaxis(channels_first, 1, 3),)),
            Case("float64: 2 images of 3x5x2", (_normal(rng, 2, 3, 5, 2,
                                                        dtype=np.float64),))]


def _parameters(inputs, units) -> Case:
    return Case(f"dense_parameters(inputs={inputs}, units={units})", (inputs, units))


def _parameter_cases(rng):
    random = rng.integers((5, 20), (19, 90), size=(3, 2)).tolist()
    return [_parameters(*numbers) for numbers in
            [(3072, 10), (75, 10), (9, 4), *random]]


def _layer(rng, n, d, k, dtype=np.float32):
    """x, w, b of normal numbers; the biases large enough to be seen."""
    return (_normal(rng, n, d, dtype=dtype), _normal(rng, k, d, dtype=dtype),
            (rng.permutation(k) + 1 + rng.uniform(0, 0.5, k)).astype(dtype))


def _dense_words(n, d, k) -> str:
    return f"{n} example{'' if n == 1 else 's'} of {d} numbers, {k} units"


def _dense_cases(*sizes):
    def cases(rng):
        return [Case(_dense_words(*size), _layer(rng, *size)) for size in sizes]
    return cases


def _dense_layouts(rng):
    x, w, b = _layer(rng, 10, 14, 6)
    return [Case("float64: " + _dense_words(3, 7, 4),
                 _layer(rng, 3, 7, 4, np.float64)),
            Case("float32, not contiguous in memory: " + _dense_words(5, 7, 3),
                 (x[::2, ::-2], w[::2, ::-2], b[::2]))]


def _dense_refused(rng):
    def case(about, x, w, b):
        return Case(about, tuple(_normal(rng, *shape) for shape in (x, w, b)),
                    refused=True)
    return [case("examples of 6 numbers, units of 7 weights", (4, 6), (5, 7), (5,)),
            case("examples of 6 numbers, units of 5 weights", (4, 6), (3, 5), (3,)),
            case("4 biases for 5 units", (3, 6), (5, 6), (4,)),
            case("one bias for 5 units", (3, 6), (5, 6), (1,)),
            case("images that were not flattened", (2, 3, 5, 4), (6, 4), (6,))]


def _dy_cases(*sizes):
    def cases(rng):
        return [Case(f"{n} examples, {k} units", (_normal(rng, n, k),))
                for n, k in sizes]
    return cases


def _backward_case(rng, n, d, k, dtype=np.float32) -> Case:
    x, w, _ = _layer(rng, n, d, k, dtype)
    return Case(_dense_words(n, d, k), (_normal(rng, n, k, dtype=dtype), x, w))


def _backward_cases(*sizes, only=(0, 1, 2)):
    """Cases of dy, x, w, or of those of them that a function takes."""
    def cases(rng):
        found = [_backward_case(rng, *size) for size in sizes]
        return [replace(one, args=tuple(one.args[n] for n in only)) for one in found]
    return cases


_BACKWARD_SIZES = ((4, 4, 4), (5, 3, 3), (3, 7, 5))


def _backward_layouts(rng):
    wide = _backward_case(rng, 8, 10, 6)
    return [replace(_backward_case(rng, 3, 6, 4, np.float64),
                    about="float64: " + _dense_words(3, 6, 4)),
            Case("float32, not contiguous in memory: " + _dense_words(4, 5, 3),
                 tuple(one[::2, ::2] for one in wide.args))]


def _whole_backward(rng):
    return [*_backward_cases(*_BACKWARD_SIZES)(rng), *_backward_layouts(rng)]


def _scores_words(n, k) -> str:
    return f"{n} example{'' if n == 1 else 's'}, {k} classes"


def _scores_cases(*sizes):
    def cases(rng):
        return [Case(_scores_words(*size), (2 * _normal(rng, *size),))
                for size in sizes]
    return cases


def _far_off(rng, *levels, k=4):
    """Scores (N, K) in float64, the rows at different levels."""
    return rng.normal(size=(len(levels), k)) + np.array(levels, float)[:, np.newaxis]


def _spread(rng):
    """Rows whose scores lie 2000 apart, in any order."""
    return rng.permuted(_far_off(rng, 0, 0, 0) + [1000, 0, -1000, 20], axis=1)


def _softmax_far_off(rng):
    return [Case("scores about 10000", (_far_off(rng, 1e4, 1e4, 1e4),)),
            Case("scores about -10000", (_far_off(rng, -1e4, -1e4),)),
            Case("rows about 10000, 0 and -10000", (_far_off(rng, 1e4, 0, -1e4),)),
            Case("scores from -1000 to 1000 in a row", (_spread(rng),)),
            Case("float32: scores about 200",
                 (_far_off(rng, 200, 200).astype(np.float32),))]


def _labels(rng, n, k):
    """Labels with the first and the last class among them, if there are two."""
    labels = rng.integers(k, size=n)
    labels[rng.permutation(n)[:2]] = [k - 1, 0][:n]
    return labels


def _labelled(rng, n, k, *more, dtype=np.float32) -> Case:
    return Case(_scores_words(n, k), (2 * _normal(rng, n, k, dtype=dtype),
                                      _labels(rng, n, k), *more))


def _labelled_cases(*sizes):
    def cases(rng):
        return [_labelled(rng, *size) for size in sizes]
    return cases


_LABELLED_SIZES = ((4, 4), (5, 3), (1, 10), (6, 5))


def _labelled_far_off(rng):
    low = rng.permuted(_far_off(rng, 0, 0, 0) + [20, 0, -980, 10], axis=1)
    return [Case("scores about 10000",
                 (_far_off(rng, 1e4, 1e4, 1e4), _labels(rng, 3, 4))),
            Case("scores about -10000",
                 (_far_off(rng, -1e4, -1e4), _labels(rng, 2, 4))),
            Case("the right class's score 1000 below the largest",
                 (low, low.argmin(axis=1)))]


def _labelled_layouts(rng):
    scores = 2 * _normal(rng, 5, 8)
    return [replace(_labelled(rng, 3, 5, dtype=np.float64),
                    about="float64: " + _scores_words(3, 5)),
            Case("float32, not contiguous in memory: " + _scores_words(5, 4),
                 (scores[:, ::2], _labels(rng, 5, 4)))]


def _labels_refused(rng):
    def case(about, *labels):
        return Case(about, (_normal(rng, 4, 5), np.array(labels)), refused=True)
    return [case("a label of -1", 0, -1, 3, 2),
            case("label 5 of 5 classes", 4, 0, 5, 1),
            case("one label for 4 examples", 2),
            case("5 labels for 4 examples", 0, 1, 2, 3, 4)]


def _smoothed_cases(rng):
    amounts = rng.uniform(0.05, 0.3, size=2).round(3).tolist()
    far = np.array([[1000.0, 0, -1000], [0, 500, 20]])
    cases = [_labelled(rng, 4, 5, 0.1), _labelled(rng, 6, 3, amounts[0]),
             _labelled(rng, 3, 10, amounts[1], dtype=np.float64),
             Case("scores 2000 apart", (rng.permuted(far, axis=1),
                                        _labels(rng, 2, 3), 0.2))]
    return [replace(one, about=f"{one.about}, smoothing {one.args[2]:g}")
            for one in cases]


# --------------------------------------------------------------------------
# the graded questions

_FINE = {"rtol": 1e-3, "atol": 1e-6}  # probabilities over N can be small

QUESTIONS = (
    Question("flatten_values", "flatten", 2,
             "32x32x3 stretched to 3072 numbers, row by row; whole batches; the "
             "dtype kept",
             _flatten_cases, flatten, _FLATTEN, dtype=True),
    Question("dense_parameters_values", "dense_parameters", 2,
             "the lecture's 10 x 3072 with its biases, and other layers",
             _parameter_cases, dense_parameters, _PARAMETERS),
    Question("dense_forward_values", "dense_forward", 3,
             "batches of several sizes, the lecture's 10 x 3072 among them",
             _dense_cases((4, 6, 6), (3, 7, 5), (2, 3072, 10)), dense, _DENSE),
    Question("dense_forward_dtypes_and_layouts", "dense_forward", 2,
             "float64 gives float64, float32 gives float32, and arrays that are not "
             "contiguous in memory",
             _dense_layouts, dense, _DENSE, dtype=True),
    Question("dense_forward_refuses", "dense_forward", 2,
             "ValueError where weights, biases and inputs do not fit, and for images "
             "that were not flattened",
             _dense_refused, dense, _DENSE_REFUSED),
    Question("bias_gradient_values", "bias_gradient", 2,
             "the slopes of a loss by the biases, for batches of several sizes",
             _dy_cases((4, 4), (5, 3), (2, 10)), bias_gradient, _DB),
    Question("weight_gradient_values", "weight_gradient", 3,
             "the slopes of a loss by the weights, for batches of several sizes",
             _backward_cases(*_BACKWARD_SIZES, only=(0, 1)), weight_gradient, _DW),
    Question("input_gradient_values", "input_gradient", 3,
             "the slopes of a loss by the inputs, for batches of several sizes",
             _backward_cases(*_BACKWARD_SIZES, only=(0, 2)), input_gradient, _DX),
    Question("dense_backward_values", "dense_backward", 2,
             "all three gradients in their order, float32 and float64, and arrays "
             "that are not contiguous in memory",
             _whole_backward, dense_backward, _BACKWARD, dtype=True),
    Question("softmax_values", "softmax", 3,
             "probabilities of batches of several sizes",
             _scores_cases((4, 4), (3, 5), (1, 10)), softmax,
             _SOFTMAX + _SOFTMAX_STABLE, **_FINE),
    Question("softmax_stable", "softmax", 2,
             "scores of 10000 and of -10000, and both in one batch",
             _softmax_far_off, softmax, _SOFTMAX + _SOFTMAX_STABLE, **_FINE),
    Question("cross_entropy_values", "cross_entropy", 2,
             "the mean loss of batches of several sizes",
             _labelled_cases(*_LABELLED_SIZES), cross_entropy, _LOSS + _LOSS_STABLE,
             **_FINE),
    Question("cross_entropy_stable", "cross_entropy", 2,
             "scores of 10000 and of -10000, and a right class 1000 below the largest",
             _labelled_far_off, cross_entropy, _LOSS + _LOSS_STABLE, **_FINE),
    Question("softmax_cross_entropy_values", "softmax_cross_entropy", 4,
             "loss and gradient of batches of several sizes",
             _labelled_cases(*_LABELLED_SIZES), softmax_cross_entropy,
             _LOSS_AND_GRADIENT + _LOSS_AND_GRADIENT_STABLE, **_FINE),
    Question("softmax_cross_entropy_dtypes_and_layouts", "softmax_cross_entropy", 2,
             "dscores in the dtype of the scores, and scores that are not contiguous "
             "in memory",
             _labelled_layouts, softmax_cross_entropy,
             _LOSS_AND_GRADIENT + _LOSS_AND_GRADIENT_STABLE, dtype=True, **_FINE),
    Question("softmax_cross_entropy_stable", "softmax_cross_entropy", 2,
             "scores of 10000 and of -10000, and a right class 1000 below the largest",
             _labelled_far_off, softmax_cross_entropy,
             _LOSS_AND_GRADIENT + _LOSS_AND_GRADIENT_STABLE, **_FINE),
    Question("softmax_cross_entropy_refuses", "softmax_cross_entropy", 2,
             "ValueError for labels that are no class, and for more or fewer labels "
             "than examples",
             _labels_refused, softmax_cross_entropy, _LABELS),
    Question("smoothed_cross_entropy_values", "smoothed_cross_entropy", 3,
             "loss and gradient with smoothed labels, scores 2000 apart too",
             _smoothed_cases, smoothed_cross_entropy, _SMOOTHED, bonus=True, **_FINE),
)


# --------------------------------------------------------------------------
# the public checks: small whole numbers first, to be read and redone by hand


def _small(rng, *shape):
    return rng.integers(-3, 4, size=shape).astype(np.float32)


def _check_flatten(rng):
    counted = np.arange(1, 13, dtype=np.float32).reshape(1, 2, 3, 2)
    return [Case("an image of 2x3x2 with the numbers 1 to 12", (counted,)),
            Case("2 images of 2x2x3", (_small(rng, 2, 2, 2, 3),)),
            _images(rng, 1, 32, 32, 3)]


def _check_parameters(rng):
    return [_parameters(3072, 10), _parameters(75, 1), _parameters(75, 10),
            _parameters(784, 30)]


def _small_layer(rng, n, d, k):
    return (_small(rng, n, d), _small(rng, k, d),
            rng.permutation(np.arange(1, k + 1)).astype(np.float32))


def _check_forward(rng):
    return [Case(_dense_words(2, 3, 3), _small_layer(rng, 2, 3, 3)),
            *_dense_cases((3, 7, 5), (2, 3072, 10))(rng),
            *_dense_layouts(rng), *_dense_refused(rng)]


def _check_backward(rng, only=(0, 1, 2)):
    dy, (x, w, _) = _small(rng, 3, 3), _small_layer(rng, 3, 3, 3)
    args = dy, x, w
    first = Case(_dense_words(3, 3, 3), tuple(args[n] for n in only))
    return [first, *_backward_cases((5, 3, 3), (3, 7, 5), only=only)(rng)]


def _check_softmax(rng):
    return [Case("3 examples, 3 classes", (_small(rng, 3, 3),)),
            *_scores_cases((4, 6))(rng), *_softmax_far_off(rng)]


def _check_loss(rng):
    return [Case("3 examples, 3 classes", (_small(rng, 3, 3), np.array([2, 0, 1]))),
            *_labelled_cases((5, 4), (6, 10))(rng)]


CHECKS = (
    Check("ps5/flatten", "flatten", _check_flatten, flatten, _FLATTEN, dtype=True),
    Check("ps5/dense_parameters", "dense_parameters", _check_parameters,
          dense_parameters, _PARAMETERS),
    Check("ps5/dense_forward", "dense_forward", _check_forward, dense,
          _DENSE + _DENSE_REFUSED, dtype=True),
    Check("ps5/bias_gradient", "bias_gradient",
          lambda rng: [Case("3 examples, 3 units", (_small(rng, 3, 3),)),
                       *_dy_cases((5, 4))(rng)], bias_gradient, _DB),
    Check("ps5/weight_gradient", "weight_gradient",
          lambda rng: _check_backward(rng, (0, 1)), weight_gradient, _DW),
    Check("ps5/input_gradient", "input_gradient",
          lambda rng: _check_backward(rng, (0, 2)), input_gradient, _DX),
    Check("ps5/dense_backward", "dense_backward",
          lambda rng: [*_check_backward(rng), *_backward_layouts(rng)],
          dense_backward, _BACKWARD, dtype=True),
    Check("ps5/softmax", "softmax", _check_softmax, softmax,
          _SOFTMAX + _SOFTMAX_STABLE, dtype=True, **_FINE),
    Check("ps5/cross_entropy", "cross_entropy",
          lambda rng: [*_check_loss(rng), *_labelled_far_off(rng)], cross_entropy,
          _LOSS + _LOSS_STABLE, **_FINE),
    Check("ps5/softmax_cross_entropy", "softmax_cross_entropy",
          lambda rng: [*_check_loss(rng), *_labelled_layouts(rng),
                       *_labelled_far_off(rng), *_labels_refused(rng)],
          softmax_cross_entropy,
          _LOSS_AND_GRADIENT + _LOSS_AND_GRADIENT_STABLE + _LABELS, dtype=True,
          **_FINE),
    Check("ps5/smoothed_cross_entropy", "smoothed_cross_entropy", _smoothed_cases,
          smoothed_cross_entropy, _SMOOTHED, **_FINE),
)
