"""The training loop: shuffled batches, a held-out part, checkpoints, resume.

    recipe = Recipe(epochs=4, learning_rate=0.05)
    result = train(network, data.load("cifar10"), recipe, checkpoint="run.npz")

Run it again after a crash, a kill or Ctrl-C, and it goes on where the checkpoint
was, to the same last bit as if nothing had happened: the checkpoint holds the
weights and the averages that NORM keeps, the velocities, the state of the random
numbers (dropout's too), the order of the epoch and the place in it. (The layers
have to give the same bits each time: the same machine and number of threads.)
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from convlab import augmentation, storage
from convlab.arithmetic import Conv, Norm
from convlab.data import Dataset, hold_out
from convlab.network import Network
from convlab.optimisers import SCHEDULES, SGD, Muon, Together, triangular
from convlab.whitening import whitening_filters

WHITENED = 5000  # images from which the whitening filters are worked out


class TrainingError(RuntimeError):
    """A training that cannot go on; the message says what to do."""


@dataclass(frozen=True)
class Recipe:
    """Everything about a training that is not the network or the data.

    `held_out` training images are not trained on: they say which epoch's
    weights are best, and leave the test images untouched. 0 keeps the last
    epoch's weights. `shift` is in pixels. The seed draws the held-out images,
    the order and the changed images; the network has a seed of its own.

    Of the images: `flip` mirrors each one at random; with `alternate` only in
    the first epoch, and from then on in every second one, so that both sides are
    seen equally often. With `mirror`, an image's scores are added to those of
    its mirror image wherever accuracy is measured. With `around`, those of the
    image moved by so many pixels along the diagonal count too, as in
    Network.predict: of the test images alone, as that takes three times as long.

    Of the start: `whiten` gives the first CONV the filters of
    `whitening.whitening_filters`, as many as it has to have, and lets it learn
    nothing. `identity_start` lets every CONV of odd size after the first one
    hand on what it gets, as far as it has filters: filter k starts as 1 in the
    middle of channel k, and the filters beyond the channels as usual.

    Of the learning rate: biases, NORM's beta among them, learn at `bias_rate`
    times the rate; no decay, which gamma does not have either. `start_rate` is
    the part of the full rate with which the triangular schedule begins. With a
    `filter_rate`, filters learn by optimisers.Muon, at this rate and by the same
    schedule, with `filter_momentum`; all else by SGD.

    Of the loss: `label_smoothing` is that of softmax_cross_entropy.
    `score_scale` multiplies the scores first; in the end the last layer is
    multiplied by it, so that the network's scores are those of the loss.
    `norm_momentum` is a new batch's part in what NORM keeps for test time.
    """

    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 0.05
    schedule: str = "triangular"
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    flip: bool = False
    shift: int = 0
    held_out: int = 1000
    seed: int = 0
    alternate: bool = False
    mirror: bool = False
    around: int = 0
    whiten: bool = False
    identity_start: bool = False
    bias_rate: float = 1.0
    start_rate: float = 0.0
    label_smoothing: float = 0.0
    score_scale: float = 1.0
    norm_momentum: float = 0.1
    filter_rate: float = 0.0
    filter_momentum: float = 0.8

    def __post_init__(self) -> None:
        bounds = {"epochs": 1, "batch_size": 1, "shift": 0, "around": 0, "held_out": 0,
                  "seed": 0}
        for name, least in bounds.items():
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ValueError(
                    f"{name} is a whole number of at least {least}, got {value!r}")
        if not self.learning_rate > 0 or not math.isfinite(self.learning_rate):
            raise ValueError(
                f"learning_rate must be more than 0, got {self.learning_rate}")
        for name in ("momentum", "filter_momentum"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} is from 0 to below 1, got {value}")
        for name in ("weight_decay", "filter_rate"):
            value = getattr(self, name)
            if not value >= 0 or not math.isfinite(value):
                raise ValueError(f"{name} is at least 0, got {value}")
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule is one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        for name in ("bias_rate", "score_scale"):
            value = getattr(self, name)
            if not value > 0 or not math.isfinite(value):
                raise ValueError(f"{name} must be more than 0, got {value}")
        for name in ("label_smoothing", "start_rate"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} is from 0 to below 1, got {value}")
        if not 0 < self.norm_momentum <= 1:
            raise ValueError(
                f"norm_momentum is above 0 and at most 1, got {self.norm_momentum}")
        if self.start_rate and self.schedule != "triangular":
            raise ValueError(
                "start_rate is a matter of the triangular schedule: it has to be 0 "
                f"where the schedule is {self.schedule}")
        if self.alternate and not self.flip:
            raise ValueError("alternate says which images flip mirrors: set flip too")


@dataclass(frozen=True)
class Result:
    """What a training did.

    `history` has a dict an epoch: epoch, loss, train_accuracy (both means over
    the epoch, as the weights changed), validation_accuracy (of the held-out
    images at its end; None without any). `best_epoch` is the one whose weights
    the network now has, None where none was finished. `epoch_ends` are the
    seconds of training after which each epoch was done.
    """

    history: list[dict[str, Any]]
    best_epoch: int | None
    finished: bool
    seconds: float
    epoch_ends: list[float] = field(default_factory=list)


@dataclass
class Progress:
    """The place in a training; all of it goes into a checkpoint."""

    epoch: int = 1
    step: int = 0  # within the epoch
    loss_sum: float = 0.0  # over the images seen in this epoch
    right: int = 0
    seen: int = 0
    seconds: float = 0.0
    best_epoch: int | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    epoch_ends: list[float] = field(default_factory=list)


def accuracy(network: Network, images: np.ndarray, labels: np.ndarray,
             mirror: bool = False) -> float:
    """The part of images (N, H, W, C) whose highest score is their label's.

    `mirror` as in Network.predict, which need not know it where it is not asked for.
    """
    settings = {"mirror": True} if mirror else {}
    return float(np.mean(network.predict(images, **settings) == labels))


def classify(network: Network, images: np.ndarray, recipe: Recipe) -> np.ndarray:
    """The class (N,) int64 of each test image, found as the recipe has it."""
    return network.predict(images, mirror=recipe.mirror, around=recipe.around)


def train(
    network: Network, dataset: Dataset, recipe: Recipe, *,
    checkpoint: str | os.PathLike | None = None, progress: bool = True,
    save_seconds: float = 30.0, save_steps: int | None = None,
) -> Result:
    """Train the network in place by the recipe; the test images are not used.

    With a `checkpoint` path, saves there after each epoch, every `save_seconds`
    and every `save_steps` steps, and goes on from there where the file exists.
    Ctrl-C stops after the step at hand: the network gets the best weights so
    far, and the checkpoint stays. Raises TrainingError where the loss is no
    longer a number or the checkpoint is of another training, and
    storage.StorageError where it is damaged.
    """
    training = Training(network, dataset, recipe)
    if checkpoint is not None and Path(checkpoint).exists():
        training.restore(checkpoint)
    saved = time.monotonic()
    with _interruptible() as interrupt, _bar(training, progress) as bar:
        if training.steps_done and not bar.disable:
            bar.write(f"going on from {checkpoint}, step {training.steps_done:,}")
        while not training.finished and not interrupt.is_set():
            ended = training.step()
            _show(bar, training, ended)
            due = (ended or time.monotonic() - saved >= save_seconds
                   or (save_steps and training.progress.step % save_steps == 0))
            if checkpoint is not None and (due or interrupt.is_set()):
                training.save(checkpoint)
                saved = time.monotonic()
    training.keep_best()
    if not training.finished:
        print(_how_to_go_on(training, checkpoint))
    place = training.progress
    return Result(place.history, place.best_epoch, training.finished, place.seconds,
                  place.epoch_ends)


class Training:
    """A training that can be taken a step further, saved and restored."""

    def __init__(self, network: Network, dataset: Dataset, recipe: Recipe):
        self.network, self.recipe = network, recipe
        self.about = _about(network, dataset, recipe)
        self.data = (hold_out(dataset, recipe.held_out, recipe.seed)
                     if recipe.held_out else dataset)
        _check_last_batch(network, len(self.data.train_labels), recipe.batch_size)
        self.rng = np.random.default_rng((recipe.seed, 1))
        self.progress = Progress()
        self.best: dict[str, np.ndarray] = {}
        self.steps = math.ceil(len(self.data.train_labels) / recipe.batch_size)
        self.order = self._shuffled()
        # A generator of its own: whether it is asked changes no other number.
        self.turned = np.random.default_rng((recipe.seed, 2)).random(
            len(self.data.train_labels)) < 0.5
        network.standardise(self.data.train_images)
        network.state.momentum = recipe.norm_momentum
        if recipe.whiten:
            _whiten(network, self.data.train_images)
        if recipe.identity_start:
            _start_as_identity(network)
        self.optimiser = _optimiser(network.trained, recipe)

    @property
    def finished(self) -> bool:
        return self.progress.epoch > self.recipe.epochs

    @property
    def steps_done(self) -> int:
        return (self.progress.epoch - 1) * self.steps + self.progress.step

    def step(self) -> bool:
        """Learn from one batch; True where it was the last of its epoch."""
        started = time.monotonic()
        place = self.progress
        images, labels = self._batch()
        loss, gradients, scores = self.network.learn_from(
            images, labels, self.recipe.label_smoothing, self.recipe.score_scale)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in epoch {place.epoch}, step "
                f"{place.step + 1}: start anew with a smaller learning rate (it was "
                f"{self.recipe.learning_rate})")
        self.optimiser.step(gradients, self._learning_rate())
        place.step += 1
        place.seen += len(labels)
        place.loss_sum += loss * len(labels)
        place.right += int((scores.argmax(axis=1) == labels).sum())
        ended = place.step == self.steps
        if ended:
            self._end_epoch()
        place.seconds += time.monotonic() - started
        if ended:
            place.epoch_ends.append(place.seconds)
        return ended

    def _batch(self) -> tuple[np.ndarray, np.ndarray]:
        size = self.recipe.batch_size
        chosen = self.order[self.progress.step * size:][:size]
        images = self.data.train_images[chosen]
        if self.recipe.shift:
            images = augmentation.shift(images, self.recipe.shift, self.rng)
        if self.recipe.alternate:
            odd = self.progress.epoch % 2 == 1
            images = augmentation.mirrored(images, self.turned[chosen] == odd)
        elif self.recipe.flip:
            images = augmentation.flip(images, self.rng)
        return images, self.data.train_labels[chosen]

    def _learning_rate(self) -> float:
        """For the step at hand, whose middle says how far the training is."""
        done = (self.steps_done + 0.5) / (self.steps * self.recipe.epochs)
        if self.recipe.start_rate:
            return self.recipe.learning_rate * triangular(done, self.recipe.start_rate)
        return self.recipe.learning_rate * SCHEDULES[self.recipe.schedule](done)

    def _end_epoch(self) -> None:
        place = self.progress
        held_out = None
        if self.recipe.held_out:
            held_out = accuracy(self.network, self.data.test_images,
                                self.data.test_labels, self.recipe.mirror)
        place.history.append({
            "epoch": place.epoch, "loss": place.loss_sum / place.seen,
            "train_accuracy": place.right / place.seen,
            "validation_accuracy": held_out})
        if held_out is None or held_out >= self._best_accuracy():
            place.best_epoch = place.epoch
            self.best = {k: p.copy() for k, p in self._learned().items()}
        place.epoch += 1
        place.step = place.right = place.seen = 0
        place.loss_sum = 0.0
        self.order = self._shuffled()

    def _best_accuracy(self) -> float:
        return max((row["validation_accuracy"] for row in self.progress.history[:-1]),
                   default=0.0)

    def _shuffled(self) -> np.ndarray:
        return self.rng.permutation(len(self.data.train_labels))

    def keep_best(self) -> None:
        """Give the network the weights of the best epoch, if one is finished.

        What the recipe multiplies the scores by goes into the last layer.
        """
        learned = self._learned()
        for name, best in self.best.items():
            learned[name][...] = best
        if self.best and self.recipe.score_scale != 1:
            for key in ("scores.w", "scores.b"):
                learned[key] *= self.recipe.score_scale

    def _learned(self) -> dict[str, np.ndarray]:
        """All that changes in the network as it learns."""
        return {**self.network.parameters, **self.network.state.running}

    def save(self, path: str | os.PathLike) -> None:
        """Write a checkpoint."""
        arrays = {"order": self.order}
        for group, members in self._groups().items():
            arrays |= {f"{group}.{name}": array for name, array in members.items()}
        storage.write(path, arrays, {
            "about": self.about, "progress": asdict(self.progress),
            "random": self.rng.bit_generator.state,
            "dropout": self.network.state.rng.bit_generator.state})

    def restore(self, path: str | os.PathLike) -> None:
        """Go to where a checkpoint of this same training was written."""
        arrays, note = storage.read(path)
        _check_same_training(path, note.get("about"), self.about)
        self.progress = Progress(**note["progress"])
        self.rng.bit_generator.state = note["random"]
        if "dropout" in note:
            self.network.state.rng.bit_generator.state = note["dropout"]
        self.order = arrays["order"]
        if self.progress.best_epoch is not None:
            self.best = {k: p.copy() for k, p in self._learned().items()}
        for group, members in self._groups().items():
            for name, array in members.items():
                array[...] = arrays[f"{group}.{name}"]

    def _groups(self) -> dict[str, dict[str, np.ndarray]]:
        return {"weights": self._learned(), "best": self.best,
                "velocity": self.optimiser.velocities}


def _optimiser(trained: dict[str, np.ndarray], recipe: Recipe) -> SGD | Together:
    """What moves the parameters, by the recipe."""
    filters = {name: p for name, p in trained.items()
               if recipe.filter_rate and p.ndim == 4}
    others = {name: p for name, p in trained.items() if name not in filters}
    sgd = SGD(others, recipe.momentum, recipe.nesterov, recipe.weight_decay,
              {name: recipe.bias_rate for name in others
               if name.endswith((".b", ".beta"))})
    if not filters:
        return sgd
    rate = recipe.filter_rate / recipe.learning_rate
    return Together(sgd, Muon(filters, recipe.filter_momentum,
                              dict.fromkeys(filters, rate)))


def _check_last_batch(network: Network, images: int, batch_size: int) -> None:
    """Refuse what would fail at the end of the first epoch."""
    alone = any(isinstance(row.layer, Norm) and math.prod(row.input_shape[:-1]) == 1
                for row in network.rows)
    if alone and (images % batch_size == 1 or batch_size == 1):
        raise TrainingError(
            f"{images} images in batches of {batch_size} leave a batch of one, and a "
            "NORM of one number a channel can learn nothing from one image: take "
            "another batch_size")


def _whiten(network: Network, images: np.ndarray) -> None:
    """Whitening filters for the first layer, which learns nothing from then on."""
    first = network.rows[0]
    if not isinstance(first.layer, Conv):
        raise TrainingError("whiten needs a network that begins with CONV")
    size, channels = first.layer.size, first.input_shape[2]
    needed = 2 * size * size * channels
    if first.layer.filters != needed:
        raise TrainingError(
            f"whiten needs 2*{size}*{size}*{channels} = {needed} filters in the first "
            f"CONV, each direction of a patch and its negative: write CONV{{{needed} "
            f"size={size} ...}}, it has {first.layer.filters}")
    standardised = (images[:WHITENED] - network.mean) / network.std
    network.parameters["conv1.w"][...] = whitening_filters(standardised, size)
    network.parameters["conv1.b"][...] = 0
    network.frozen.add("conv1")


def _start_as_identity(network: Network) -> None:
    """Each CONV after the first hands on what it gets, as far as it has filters."""
    for name, w in network.parameters.items():
        if not name.startswith("conv") or not name.endswith(".w") or name == "conv1.w":
            continue
        filters, rows, columns, channels = w.shape
        if rows % 2 and columns % 2:
            handed_on = np.arange(min(filters, channels))
            w[handed_on] = 0
            w[handed_on, rows // 2, columns // 2, handed_on] = 1


def checksum(dataset: Dataset) -> str:
    """CRC-32 of the training images and labels: which files a run was made on."""
    crc = 0
    for array in (dataset.train_images, dataset.train_labels):
        crc = zlib.crc32(np.ascontiguousarray(array), crc)
    return f"{crc:08x}"


def _about(network: Network, dataset: Dataset, recipe: Recipe) -> dict[str, Any]:
    """What two trainings must share for one to go on from the other's checkpoint."""
    return {"architecture": network.architecture,
            "input_shape": list(network.input_shape), "classes": network.classes,
            "dtype": str(network.dtype), "data": dataset.name,
            "checksum of the data": checksum(dataset), **asdict(recipe)}


def _check_same_training(path: str | os.PathLike, there: Any, here: dict) -> None:
    if not isinstance(there, dict):
        raise storage.StorageError(f"{path} is not a checkpoint of a training")
    # A checkpoint of before a recipe had some setting was made without it.
    there = {one.name: one.default for one in fields(Recipe)} | there
    differences = [f"{name} is {there.get(name)!r} there and {here[name]!r} here"
                   for name in here if there.get(name) != here[name]]
    if differences:
        raise TrainingError(
            f"{path} is the checkpoint of another training: "
            f"{'; '.join(differences)}. Give another path, or delete it to start anew")


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that no step is left half done.

    A second Ctrl-C interrupts at once. Only the main thread gets signals; in
    another one, the event is never set.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def stop(*_: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _bar(training: Training, shown: bool) -> tqdm:
    return tqdm(total=training.steps * training.recipe.epochs, unit="step",
                initial=training.steps_done, disable=not shown, mininterval=0.5)


def _show(bar: tqdm, training: Training, ended: bool) -> None:
    if bar.disable:
        return
    place, epochs = training.progress, training.recipe.epochs
    bar.update()
    if ended:
        bar.write(_line(place.history[-1], epochs))
    else:
        bar.set_description(f"epoch {place.epoch}/{epochs}", refresh=False)
        bar.set_postfix(loss=f"{place.loss_sum / place.seen:.3f}",
                        accuracy=f"{place.right / place.seen:.1%}", refresh=False)


def _line(row: dict[str, Any], epochs: int) -> str:
    text = (f"epoch {row['epoch']}/{epochs}: loss {row['loss']:.3f}, "
            f"training accuracy {row['train_accuracy']:.1%}")
    if row["validation_accuracy"] is not None:
        text += f", held-out accuracy {row['validation_accuracy']:.1%}"
    return text


def _how_to_go_on(training: Training, checkpoint: str | os.PathLike | None) -> str:
    place = training.progress
    kept = ("no epoch is finished yet" if place.best_epoch is None else
            f"the network has the weights of epoch {place.best_epoch}, the best so far")
    text = f"Stopped in epoch {place.epoch} of {training.recipe.epochs}; {kept}."
    if checkpoint is None:
        return f"{text} Without a checkpoint, the next training starts anew."
    return f"{text} Train again with the checkpoint {checkpoint} to go on from here."
