"""Hidden tests and public checks of ps7_cifar10.

Three kinds of questions. What is written in this notebook (the step of momentum,
the learning rate, the batches, the training loop) is asked for values as
everywhere. The layers of earlier assignments are asked for values where they run
alone. The classifier itself is judged by held-back images, in steps.

The oracles are written out in float64; the layers' come from einsum, sliding
windows and scipy. A misconception is an oracle with one thing done wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import log_softmax

from autograder.questions import Case, Check, Misconception, Question

# of convlab: the step, the learning rate, the loop
ANSWERS = ("optimisers", "training", "recipes", "train")

# --------------------------------------------------------------------------
# oracles: the training


def sgd_momentum_step(p, g, v, learning_rate, momentum):
    """(p, v) after a step, in the dtype of p."""
    new = momentum * v.astype(np.float64) + g
    moved = p - learning_rate * new
    return moved.astype(p.dtype), new.astype(p.dtype)


def learning_rate_at(done, peak):
    """A tenth of the peak at 0, the peak at a fifth, nothing at 1."""
    return float(np.interp(done, (0, 0.2, 1), (0.1 * peak, peak, 0)))


def batches(order, size):
    """The first `size` of order, the next `size`, ...; the last may be smaller."""
    return tuple(np.split(order, np.arange(size, len(order), size)))


def train_line(x, labels, w, b, epochs, batch_size, learning_rate, momentum, seed):
    """w, b, and a row (loss, accuracy) an epoch, of a layer with squared error."""
    return _train((x, labels, w, b), epochs, batch_size, learning_rate, momentum, seed)


def _train(line, epochs, size, peak, momentum, seed, *, keeps=True, fresh=False,
           rate=lambda done, epoch, peak: learning_rate_at(done, peak),
           order=lambda rng, n, epoch: rng.permutation(n), split=batches,
           labelled=lambda labels, batch, start: labels[batch],
           moves=("w", "b"), tells=lambda loss, right, n: (loss, right)):
    """The loop, with a place for each mistake; `line` is (x, labels, w, b)."""
    x, labels, *weights = line
    now = dict(zip("wb", (one.astype(np.float64) for one in weights), strict=True))
    slow = {name: np.zeros_like(one) for name, one in now.items()}
    rng, rows = np.random.default_rng(seed), []
    for epoch in range(epochs):
        seen = loss_sum = right_sum = 0
        if fresh:
            slow = {name: np.zeros_like(one) for name, one in now.items()}
        for start, batch in _numbered(split(order(rng, len(x), epoch), size)):
            those = labelled(labels, batch, start)
            loss, slopes, right = _slopes(x[batch], those, **now)
            this = rate((epoch + seen / len(x)) / epochs, epoch / epochs, peak)
            for name in moves:
                new = momentum * slow[name] + slopes[name]
                now[name] = now[name] - this * new
                slow[name] = new if keeps else slow[name]
            told = tells(loss, right, len(batch))
            seen += len(batch)
            loss_sum, right_sum = loss_sum + told[0] * len(batch), right_sum + told[1]
        rows.append((loss_sum / seen, right_sum / seen))
    return now["w"], now["b"], np.array(rows)


def _numbered(parts) -> Iterator[tuple[int, np.ndarray]]:
    """Each batch with where it begins."""
    start = 0
    for part in parts:
        yield start, part
        start += len(part)


def _slopes(x, labels, w, b):
    """Mean squared error of scores x @ w.T + b against 0 and 1, and its gradient."""
    scores = np.einsum("nd,kd->nk", x, w) + b
    off = scores - np.eye(len(b))[labels]
    loss = (off ** 2).sum() / (2 * len(x))
    slopes = {"w": np.einsum("nk,nd->kd", off, x) / len(x), "b": off.mean(axis=0)}
    return loss, slopes, int((scores.argmax(axis=1) == labels).sum())


# --------------------------------------------------------------------------
# oracles: the layers


def conv2d_forward(x, w, b, stride=1, pad=0):
    wide = np.pad(x.astype(np.float64), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(wide, w.shape[1:3], (1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcpq,kpqc->nijk", windows, w.astype(np.float64)) + b


def conv2d_backward(dy, x, w, stride=1, pad=0):
    """dx by what each output's slope sends back to the places it was read from."""
    dy, w = dy.astype(np.float64), w.astype(np.float64)
    wide = np.pad(x.astype(np.float64), ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(wide, w.shape[1:3], (1, 2))[:, ::stride, ::stride]
    dx = np.zeros_like(wide)
    sent = np.einsum("nijk,kpqc->nijpqc", dy, w)
    for i, j in np.ndindex(*dy.shape[1:3]):
        rows, columns = (slice(at * stride, at * stride + f) for at, f in
                         zip((i, j), w.shape[1:3], strict=True))
        dx[:, rows, columns] += sent[:, i, j]
    inside = dx[:, pad:pad + x.shape[1], pad:pad + x.shape[2]]
    return inside, np.einsum("nijk,nijcpq->kpqc", dy, windows), np.einsum("nijk->k", dy)


def maxpool_forward(x, size=2, stride=2):
    """y, and the pixel row*W + column of the first maximum."""
    windows = sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]
    flat = windows.reshape(*windows.shape[:4], -1)
    row, column = np.divmod(flat.argmax(axis=-1), size)
    top, left = (stride * np.arange(n) for n in flat.shape[1:3])
    row, column = row + top[:, None, None], column + left[:, None]
    return flat.max(axis=-1), row * x.shape[2] + column


def maxpool_backward(dy, argmax, x_shape):
    chosen = argmax[..., None] == np.arange(x_shape[1] * x_shape[2])
    dx = np.einsum("nijc,nijcp->npc", dy.astype(np.float64), chosen)
    return dx.reshape(x_shape)


def relu_forward(x):
    return np.where(x > 0, x, 0)


def relu_backward(dy, x):
    return np.where(x > 0, dy, 0)


def dense_forward(x, w, b):
    return np.einsum("nd,kd->nk", x.astype(np.float64), w) + b


def dense_backward(dy, x, w):
    dy = dy.astype(np.float64)
    return (np.einsum("nk,kd->nd", dy, w), np.einsum("nk,nd->kd", dy, x),
            np.einsum("nk->k", dy))


def softmax_cross_entropy(scores, labels):
    logs = log_softmax(scores.astype(np.float64), axis=1)
    right = np.eye(scores.shape[1])[labels]
    loss = -(logs * right).sum() / len(labels)
    return float(loss), (np.exp(logs) - right) / len(labels)


# --------------------------------------------------------------------------
# misconceptions


_STEP = (
    Misconception(
        "velocity_not_used",
        "Your velocity is right, but the weights move by the gradient alone. They "
        "move by the new velocity: p - learning_rate * v.",
        lambda p, g, v, rate, momentum: (p - rate * g, momentum * v + g)),
    Misconception(
        "old_velocity_used",
        "You move the weights by the velocity of the step before. Compute the new "
        "velocity first, then move by that one.",
        lambda p, g, v, rate, momentum: (p - rate * v, momentum * v + g)),
    Misconception(
        "momentum_ignored",
        "Your step has no memory: the old velocity does not come into it. The new "
        "one is momentum times the old one, plus the gradient.",
        lambda p, g, v, rate, momentum: (p - rate * g, g)),
    Misconception(
        "velocity_not_kept",
        "The weights are right, but the velocity you return is the old one. The next "
        "step needs the new one.",
        lambda p, g, v, rate, momentum: (p - rate * (momentum * v + g), v)),
    Misconception(
        "velocity_not_damped",
        "You add the gradient to the whole of the old velocity. It is multiplied by "
        "momentum first, or it would grow for ever.",
        lambda p, g, v, rate, momentum: (p - rate * (v + g), v + g)),
    Misconception(
        "momentum_has_the_wrong_sign",
        "You subtract the old velocity where it is added: the weights would shake, "
        "not roll on.",
        lambda p, g, v, rate, momentum: (
            p - rate * (g - momentum * v), g - momentum * v)),
    Misconception(
        "uphill",
        "You add the step to the weights. The gradient points to where the loss "
        "grows, so the step is subtracted.",
        lambda p, g, v, rate, momentum: (
            p + rate * (momentum * v + g), momentum * v + g)),
    Misconception(
        "learning_rate_twice",
        "You multiply by the learning rate twice, in the velocity and in the step. "
        "Here it stands in the step alone.",
        lambda p, g, v, rate, momentum: (
            p - rate * (momentum * v + rate * g), momentum * v + rate * g)),
    Misconception(
        "learning_rate_in_the_velocity",
        "You put the learning rate into the velocity. Some books do, but then a rate "
        "that changes acts late: here v holds gradients, and p moves by rate * v.",
        lambda p, g, v, rate, momentum: (
            p - momentum * v - rate * g, momentum * v + rate * g)),
    Misconception(
        "learning_rate_forgotten",
        "You move the weights by the whole velocity. Multiply it by the learning "
        "rate.",
        lambda p, g, v, rate, momentum: (
            p - momentum * v - g, momentum * v + g)),
    Misconception(
        "averaged_gradients",
        "Your velocity is a mean, momentum * v + (1 - momentum) * g. Here the "
        "gradient is added whole.",
        lambda p, g, v, rate, momentum: (
            p - rate * (momentum * v + (1 - momentum) * g),
            momentum * v + (1 - momentum) * g)),
    Misconception(
        "looks_ahead",
        "Yours is Nesterov's step, which adds the gradient once more. It is a good "
        "one, but here p moves by the new velocity: p - learning_rate * v.",
        lambda p, g, v, rate, momentum: (
            p - rate * (g + momentum * (momentum * v + g)), momentum * v + g)),
    Misconception(
        "swapped",
        "You return the velocity first. The weights come first, then the velocity.",
        lambda *args: sgd_momentum_step(*args)[::-1]),
    Misconception(
        "float64_returned",
        "The values are right, but float32 weights come back as float64: you would "
        "train at half the speed. Keep the dtype of p.",
        lambda *args: tuple(one.astype(np.float64) for one in
                            sgd_momentum_step(*args))),
)

_RATE = (
    Misconception(
        "constant", "Your learning rate is the peak all along. It rises in the first "
        "fifth, and falls after that.",
        lambda done, peak: peak),
    Misconception(
        "rises_from_nothing",
        "Yours rises from 0. It begins at a tenth of the peak: with a rate of 0 the "
        "first step would be for nothing.",
        lambda done, peak: float(np.interp(done, (0, 0.2, 1), (0, peak, 0)))),
    Misconception(
        "only_falls",
        "Yours falls from the beginning. In the first fifth it rises, from a tenth "
        "of the peak to the peak.",
        lambda done, peak: peak * (1 - done)),
    Misconception(
        "never_falls",
        "Yours rises as it should, and then stays. From a fifth on it falls in a "
        "straight line, to 0 at the end.",
        lambda done, peak: float(np.interp(done, (0, 0.2), (0.1 * peak, peak)))),
    Misconception(
        "peak_in_the_middle",
        "Your peak is in the middle of the training. It is at a fifth, done = 0.2.",
        lambda done, peak: float(np.interp(done, (0, 0.5, 1), (0.1 * peak, peak, 0)))),
    Misconception(
        "jumps_down",
        "Your rate jumps at a fifth: 1 - done is 0.8 there. The line from peak to 0 "
        "is as long as what is left, 0.8: divide by that.",
        lambda done, peak: (learning_rate_at(done, peak) if done <= 0.2
                            else peak * (1 - done))),
    Misconception(
        "a_part_of_the_peak",
        "You return which part of the peak it is. Multiply by peak.",
        lambda done, peak: learning_rate_at(done, 1)),
)

_BATCHES = (
    Misconception(
        "last_batch_dropped",
        "You leave out the last batch, which is smaller. Its images are learned from "
        "as well.",
        lambda order, size: tuple(one for one in batches(order, size)
                                  if len(one) == size)),
    Misconception(
        "so_many_batches",
        "You make `size` batches. It is how many images a batch has, not how many "
        "batches there are.",
        lambda order, size: tuple(np.array_split(order, size))),
    Misconception(
        "order_ignored",
        "Your batches hold 0, 1, 2, ... They hold the numbers that stand in order, "
        "which has been shuffled.",
        lambda order, size: batches(np.arange(len(order)), size)),
    Misconception(
        "batches_overlap",
        "Each of your batches begins one further on than the one before. It begins "
        "where the one before ended, `size` further on.",
        lambda order, size: tuple(order[i:i + size] for i in
                                  range(-(-len(order) // size)))),
    Misconception(
        "dealt_out",
        "You deal the images out like cards, every so many one. A batch is a run of "
        "neighbours in order.",
        lambda order, size: tuple(order[i::-(-len(order) // size)] for i in
                                  range(-(-len(order) // size)))),
    Misconception(
        "last_batch_filled_up",
        "You fill the last batch up with images from the start. It may be smaller: "
        "each image comes once an epoch.",
        lambda order, size: batches(
            np.concatenate([order, order[:-len(order) % size]]), size)),
)


def _line_with(**how):
    def wrong(x, labels, w, b, epochs, size, peak, momentum, seed):
        return _train((x, labels, w, b), epochs, size, peak, momentum, seed, **how)
    return wrong


_LINE = (
    Misconception(
        "velocity_forgotten",
        "Your velocities stay 0: what sgd_momentum_step returns second is thrown "
        "away. Put it into run.velocity[name].",
        _line_with(keeps=False)),
    Misconception(
        "velocity_begins_again_each_epoch",
        "Your velocities are 0 again at each epoch. They go on through the whole "
        "training: take those of the run.",
        _line_with(fresh=True)),
    Misconception(
        "rate_stays_the_same",
        "You use the peak learning rate in every step. Ask learning_rate_at for "
        "each, with run.part_done().",
        _line_with(rate=lambda done, epoch, peak: peak)),
    Misconception(
        "one_rate_an_epoch",
        "You take the learning rate once an epoch. It changes from step to step: ask "
        "for it in the inner loop.",
        _line_with(rate=lambda done, epoch, peak: learning_rate_at(epoch, peak))),
    Misconception(
        "images_in_their_own_order",
        "You take the images in the order in which they lie. Draw a new order each "
        "epoch, run.rng.permutation(len(images)).",
        _line_with(order=lambda rng, n, epoch: np.arange(n))),
    Misconception(
        "one_order_for_all_epochs",
        "You draw an order once and keep it. Draw a new one at the start of each "
        "epoch, inside of the outer loop.",
        lambda x, labels, w, b, epochs, size, peak, momentum, seed: _train(
            (x, labels, w, b), epochs, size, peak, momentum, seed,
            order=lambda rng, n, epoch: np.random.default_rng(seed).permutation(n))),
    Misconception(
        "drawn_with_repeats",
        "You draw each image by itself, so that some come twice and others not at "
        "all. A permutation has each once.",
        _line_with(order=lambda rng, n, epoch: rng.integers(0, n, n))),
    Misconception(
        "labels_of_other_images",
        "Your images and labels do not belong together: you shuffle the images, but "
        "take the labels as they lie. Use labels[batch].",
        _line_with(labelled=lambda labels, batch, start:
                   labels[start:start + len(batch)])),
    Misconception(
        "smaller_batch_left_out",
        "The last batch of your epoch is left out. It is smaller, and is learned from "
        "all the same.",
        _line_with(split=lambda order, size: [one for one in batches(order, size)
                                              if len(one) == size])),
    Misconception(
        "whole_data_at_once",
        "You learn from all images at once, in one step an epoch. Take a step for "
        "each batch.",
        _line_with(split=lambda order, size: [order])),
    Misconception(
        "one_step_an_epoch",
        "Your epoch ends after its first batch: something leaves the inner loop early. "
        "Go through all batches.",
        _line_with(split=lambda order, size: batches(order, size)[:1])),
    Misconception(
        "nothing_moves",
        "Your weights do not move: the new array has a name, but the network keeps the "
        "old one. Write into it: p[...] = new.",
        _line_with(moves=())),
    Misconception(
        "biases_do_not_move",
        "Your biases stay as they are. Take a step for every array in "
        "network.parameters.",
        _line_with(moves=("w",))),
    Misconception(
        "loss_of_a_sum",
        "The weights are right, but you tell run.batch_done a sum of losses. It wants "
        "the mean, as learn_from returns it.",
        _line_with(tells=lambda loss, right, n: (n * loss, right))),
    Misconception(
        "right_as_a_part",
        "The weights are right, but you tell run.batch_done which part of the batch "
        "was right. It wants how many: a sum, not a mean.",
        _line_with(tells=lambda loss, right, n: (loss, right / n))),
)

# --------------------------------------------------------------------------
# cases


def _step(rng, *shape, dtype=np.float64, first=False) -> Case:
    p, g, v = rng.normal(size=(3, *shape)).astype(dtype)
    rate, momentum = rng.uniform(0.1, 0.6), rng.uniform(0.6, 0.95)
    words = "the first step, with a velocity of 0, of " if first else ""
    return Case(f"{words}{'x'.join(map(str, shape))} weights, learning rate "
                f"{rate:.3f}, momentum {momentum:.3f}",
                (p, g, 0 * v if first else v, rate, momentum))


def _step_cases(rng):
    return [_step(rng, 7), _step(rng, 4, 3, 2, 5), _step(rng, 3, 8, first=True)]


def _step_dtypes(rng):
    return [_step(rng, 5, 2, dtype=np.float32), _step(rng, 6)]


def _rate(done, peak) -> Case:
    return Case(f"learning_rate_at({done:.3f}, {peak:.3f})", (done, peak))


def _rate_cases(rng):
    parts = [0.0, 0.1, 0.2, 0.6, *rng.uniform((0.02, 0.3, 0.7), (0.15, 0.6, 0.95))]
    return [_rate(done, rng.uniform(0.5, 3)) for done in parts]


def _batch(order, size) -> Case:
    return Case(f"{len(order)} images in batches of {size}", (order, size))


def _batch_cases(rng):
    return [_batch(rng.permutation(n), size)
            for n, size in ((11, 4), (12, 4), (5, 2), (3, 8), (int(rng.integers(30, 40)
                                                                   ) * 3 + 1, 3))]


def _line(rng, epochs, count=22, size=4) -> Case:
    x = rng.normal(size=(count, 5)) + 0.5
    labels = rng.integers(0, 3, count)
    w, b = rng.normal(size=(3, 5)), rng.normal(size=3)
    seed = int(rng.integers(1000))
    several = f"{epochs} epoch{'s' * (epochs > 1)}"
    return Case(f"{several} of {count} examples in batches of {size}, seed {seed}",
                (x, labels, w, b, epochs, size, rng.uniform(0.1, 0.2),
                 rng.uniform(0.6, 0.9), seed))


def _normal(rng, *shapes):
    return tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)


def _volumes(*rows):
    """Cases of arrays of normal numbers: (words, shapes, settings)."""
    def cases(rng):
        return [Case(words, _normal(rng, *shapes), settings)
                for words, shapes, settings in rows]
    return cases


_CONV_WORDS = ("3 images of 8x6x3, 4 filters of 3x3x3, pad 1",
               "2 images of 7x9x2, 3 filters of 3x3x2, stride 2")
_KEEPS, _STRIDES = {"stride": 1, "pad": 1}, {"stride": 2, "pad": 0}


def _pool_cases(rng):
    (x,) = _normal(rng, (3, 6, 8, 4))
    tied = np.round(_normal(rng, (2, 4, 6, 3))[0])
    return [Case(words, (one,), {"size": 2, "stride": 2}) for words, one in
            (("3 volumes of 6x8x4", x), ("2 volumes of 4x6x3 with ties", tied))]


def _pool_back_cases(rng):
    for_each = []
    for case in _pool_cases(rng):
        y, argmax = maxpool_forward(*case.args)
        for_each.append(Case(case.about, (*_normal(rng, y.shape), argmax,
                                          case.args[0].shape)))
    return for_each


def _loss_cases(rng):
    (small,) = _normal(rng, (6, 5))
    return [Case(words, (scores, rng.integers(0, 5, 6))) for words, scores in
            (("6 rows of 5 scores", small), ("scores up to 300", 100 * small))]


# --------------------------------------------------------------------------
# the graded questions

_TRAINING = (
    Question("sgd_momentum_step_values", "sgd_momentum_step", 5,
             "the new weights and the new velocity, of arrays of any shape",
             _step_cases, sgd_momentum_step, _STEP, 1e-6, 1e-7),
    Question("sgd_momentum_step_dtypes", "sgd_momentum_step", 1,
             "float32 weights stay float32, float64 ones float64",
             _step_dtypes, sgd_momentum_step, _STEP, dtype=True),
    Question("learning_rate_at_values", "learning_rate_at", 3,
             "up from a tenth to the peak in the first fifth, then down to 0",
             _rate_cases, learning_rate_at, _RATE, 1e-6, 1e-7),
    Question("batches_values", "batches", 3,
             "each image once, in the given order, the last batch smaller where "
             "it has to be",
             _batch_cases, batches, _BATCHES),
    Question("train_line_one_epoch", "train_line", 5,
             "an epoch of your train: every batch, the learning rate of each step, "
             "the velocities, and what it tells the run",
             lambda rng: [_line(rng, 1)], train_line, _LINE, 1e-6, 1e-7),
    Question("train_line_several_epochs", "train_line", 5,
             "several epochs of your train: a new order each, the velocities kept",
             lambda rng: [_line(rng, 3), _line(rng, 2, 9, 3)], train_line, _LINE,
             1e-6, 1e-7),
)


def _layer(function, points, cases, oracle) -> Question:
    return Question(f"layers_{function}", function, points,
                    f"the {function} that you carried in, run without the course's "
                    "own layers in reach", cases, oracle, carried=True)


_LAYERS = (
    _layer("conv2d_forward", 2, _volumes(
        (_CONV_WORDS[0], ((3, 8, 6, 3), (4, 3, 3, 3), (4,)), _KEEPS),
        (_CONV_WORDS[1], ((2, 7, 9, 2), (3, 3, 3, 2), (3,)), _STRIDES)),
        conv2d_forward),
    _layer("conv2d_backward", 2, _volumes(
        (_CONV_WORDS[0], ((3, 8, 6, 4), (3, 8, 6, 3), (4, 3, 3, 3)), _KEEPS),
        (_CONV_WORDS[1], ((2, 3, 4, 3), (2, 7, 9, 2), (3, 3, 3, 2)), _STRIDES)),
        conv2d_backward),
    _layer("maxpool_forward", 1, _pool_cases, maxpool_forward),
    _layer("maxpool_backward", 1, _pool_back_cases, maxpool_backward),
    _layer("relu_forward", 1, _volumes(("2 volumes of 3x4x5", ((2, 3, 4, 5),), {})),
           relu_forward),
    _layer("relu_backward", 1, _volumes(
        ("2 volumes of 3x4x5", ((2, 3, 4, 5), (2, 3, 4, 5)), {})), relu_backward),
    _layer("dense_forward", 1, _volumes(
        ("5 rows of 12, 4 units", ((5, 12), (4, 12), (4,)), {})), dense_forward),
    _layer("dense_backward", 1, _volumes(
        ("5 rows of 12, 4 units", ((5, 4), (5, 12), (4, 12)), {})), dense_backward),
    _layer("softmax_cross_entropy", 2, _loss_cases, softmax_cross_entropy),
)


def _no_cases(rng):
    """There are none: a step is judged by held-back images."""
    return []


def _accuracy(step, points, photographs, drawn, **more) -> Question:
    return Question(
        f"accuracy_{step}", "network", points,
        f"at least {photographs:.0%} of 2,000 held-back images right (of shapes, "
        f"{drawn:.0%})", _no_cases, _no_cases,
        accuracy={"cifar10": photographs, "shapes": drawn}, **more)


_ACCURACY = (
    _accuracy("step_1", 4, 0.45, 0.40),
    _accuracy("step_2", 4, 0.55, 0.60),
    _accuracy("step_3", 4, 0.65, 0.75),
    _accuracy("step_4", 4, 0.70, 0.85),
    _accuracy("bonus", 4, 0.80, 0.97, bonus=True),
)

QUESTIONS = (*_TRAINING, *_LAYERS, *_ACCURACY)


# --------------------------------------------------------------------------
# the public checks: small numbers first, to be redone by hand


def _check_step(rng):
    p, g, v = np.array([[1.0, 2, 3], [4, -2, 2], [2, 0, -2]])
    return [Case("three weights", (p, g, v, 0.5, 0.5)),
            Case("the first step: the velocity is 0", (p, g, 0 * v, 0.25, 0.9)),
            *_step_cases(rng), *_step_dtypes(rng)]


def _check_batches(rng):
    return [_batch(np.array([3, 0, 4, 1, 2, 6, 5]), 3), _batch(rng.permutation(8), 4),
            _batch(rng.permutation(3), 5), _batch(rng.permutation(20), 3)]


CHECKS = (
    Check("ps7/sgd_momentum_step", "sgd_momentum_step", _check_step, sgd_momentum_step,
          _STEP, 1e-6, 1e-7, dtype=True),
    Check("ps7/learning_rate_at", "learning_rate_at", lambda rng: [
        _rate(done, 0.5) for done in (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 0.9, 1.0)],
          learning_rate_at, _RATE, 1e-6, 1e-7),
    Check("ps7/batches", "batches", _check_batches, batches, _BATCHES),
    Check("ps7/train_line", "train_line", lambda rng: [
        _line(rng, 1, 8, 3), _line(rng, 1), _line(rng, 3), _line(rng, 2, 9, 3)],
          train_line, _LINE, 1e-6, 1e-7),
)
