"""A training that a notebook's own loop does: its place, its checkpoint, its picture.

    run = Run(network, epochs=6, images=len(images), checkpoint="checkpoint.npz")
    for epoch in run.epochs_left():
        ...                 # the student's own loop, which calls run.batch_done

A checkpoint is written after each epoch. The same cell run again, after a crash
or in a new kernel, goes on from there, to the same last bit: an epoch that was
cut short is begun again with the weights, the velocities and the random numbers
it began with.
"""

from __future__ import annotations

import base64
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convlab import storage

GRADED = "CONVLAB_GRADING"  # set where a handed-in notebook is run again
BAR = 40  # characters
EVERY = 0.5  # seconds between two looks at the bar
CURVES = 2.0  # seconds, at least, between two drawings of the curves
ABOUT = ("architecture", "input_shape", "classes")


def being_graded() -> bool:
    """Whether this is the grader's run of a handed-in notebook: it has no data set,
    and takes the weights that were handed in."""
    return bool(os.environ.get(GRADED))


class RunError(RuntimeError):
    """A training that cannot go on; the message says what to do."""


@dataclass
class Place:
    """Where a training is: what a checkpoint's note holds."""

    epochs_done: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


class Run:
    """The place in a training of `network`, and what it leaves behind.

    network     has `parameters`, a dict of arrays, and for `validation`
                `predict(images)`
    epochs      how many there are in all
    images      how many images an epoch has
    seed        of `rng`, from which the loop draws its orders
    validation  (images, labels) whose accuracy is taken after each epoch
    checkpoint  a file, written after each epoch and gone on from where it is there
    show        draw a bar and curves, in place

    `velocity` has an array of zeros for each parameter; `history` a dict an epoch
    as in convlab.training.Result. Raises RunError for a checkpoint of another
    training, storage.StorageError for a damaged one.
    """

    def __init__(self, network: Any, epochs: int, images: int, *, seed: int = 0,
                 validation: tuple[np.ndarray, np.ndarray] | None = None,
                 checkpoint: str | os.PathLike | None = None, show: bool = False):
        if epochs < 1 or images < 1:
            raise ValueError(f"a run has at least one epoch and one image, got "
                             f"{epochs} and {images}")
        self.network, self.epochs, self.images = network, epochs, images
        self.validation, self.checkpoint = validation, checkpoint
        self.rng = np.random.default_rng(seed)
        self.velocity = {name: np.zeros_like(p)
                         for name, p in network.parameters.items()}
        self.place = Place()
        self.screen = Screen(self) if show else None
        self._about = {
            "epochs": epochs, "images": images, "seed": seed,
            **{name: _plain(getattr(network, name, None)) for name in ABOUT}}
        self._begin_epoch()
        if checkpoint is not None and Path(checkpoint).exists():
            self._restore()

    @property
    def history(self) -> list[dict[str, Any]]:
        return self.place.history

    @property
    def finished(self) -> bool:
        return self.place.epochs_done == self.epochs

    def part_done(self) -> float:
        """How much of the whole training is done, from 0 to 1."""
        return (self.place.epochs_done + self.seen / self.images) / self.epochs

    def epochs_left(self) -> Iterator[int]:
        """The numbers of the epochs to be done, from 1; saves after each."""
        while not self.finished:
            self._begin_epoch()
            yield self.place.epochs_done + 1
            self._end_epoch()
        if self.screen:
            self.screen.draw()

    def batch_done(self, loss: float, right: int, size: int) -> None:
        """Tell that a batch was learned from: its mean loss, how many of its
        images were right, and how many there were."""
        if not np.isfinite(loss):
            raise RunError(
                f"the loss became {loss} in epoch {self.place.epochs_done + 1}. Delete "
                "the checkpoint and begin again with a smaller learning rate")
        self.seen += size
        self.loss_sum += float(loss) * size
        self.right += int(right)
        if self.screen:
            self.screen.batch()

    def _begin_epoch(self) -> None:
        self.seen, self.right, self.loss_sum = 0, 0, 0.0
        self.began = time.monotonic()

    def _end_epoch(self) -> None:
        if not self.seen:
            raise RunError("an epoch ended, and run.batch_done was never called in it: "
                           "call it after each batch")
        self.history.append({
            "epoch": self.place.epochs_done + 1, "loss": self.loss_sum / self.seen,
            "train_accuracy": self.right / self.seen,
            "validation_accuracy": self._validated()})
        self.place.epochs_done += 1
        self.place.seconds += time.monotonic() - self.began
        self.seen = 0
        if self.checkpoint is not None:
            self._save()
        if self.screen:
            self.screen.epoch()

    def _validated(self) -> float | None:
        if self.validation is None:
            return None
        images, labels = self.validation
        return float(np.mean(self.network.predict(images) == labels))

    def _save(self) -> None:
        arrays = {f"weights.{name}": p for name, p in self.network.parameters.items()}
        arrays |= {f"velocity.{name}": v for name, v in self.velocity.items()}
        storage.write(self.checkpoint, arrays, {
            "about": self._about, "random": self.rng.bit_generator.state,
            "place": vars(self.place)})

    def _restore(self) -> None:
        arrays, note = storage.read(self.checkpoint)
        there = note.get("about")
        if there != self._about:
            raise RunError(f"{self.checkpoint} is of another training: "
                           f"{_unlike(there, self._about)}. Delete it to begin anew")
        self.place = Place(**note["place"])
        self.rng.bit_generator.state = note["random"]
        for name, p in self.network.parameters.items():
            p[...] = arrays[f"weights.{name}"]
            self.velocity[name] = arrays[f"velocity.{name}"]
        print(f"Going on from {self.checkpoint}: {self.place.epochs_done} of "
              f"{self.epochs} epochs are done.")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _unlike(there: Any, here: dict[str, Any]) -> str:
    if not isinstance(there, dict):
        return "it says nothing of what was trained"
    return ", ".join(f"{name} is {there.get(name)!r} there and {value!r} here"
                     for name, value in here.items() if there.get(name) != value)


class Screen:
    """A bar and curves that are drawn in place; on a terminal, a line an epoch."""

    def __init__(self, run: Run):
        self.run = run
        self.looked = self.drawn = 0.0
        self.picture = ""
        self.shown: Any = None  # IPython's handle

    def batch(self) -> None:
        if time.monotonic() - self.looked > EVERY:
            self.looked = time.monotonic()
            self.draw()

    def epoch(self) -> None:
        due = time.monotonic() - self.drawn > CURVES
        if _in_notebook() and (due or self.run.finished):
            self.drawn = time.monotonic()
            self.draw_curves()
        self.draw()
        if not _in_notebook():
            print(self.last())

    def draw_curves(self) -> None:
        from convlab import plotting

        png, size = plotting.training_curves(self.run.history)._repr_png_()
        self.picture = (
            f'<img width="{size["width"]}" alt="{self.last()}" src="data:image/png;'
            f'base64,{base64.b64encode(png).decode()}">')

    def draw(self) -> None:
        if not _in_notebook():
            return
        from IPython.display import display

        words = self.bar() + ("\n" + self.last() if self.run.history else "")
        bundle = {"text/plain": words, "text/html": f"<pre>{words}</pre>{self.picture}"}
        if self.shown is None:
            self.shown = display(bundle, raw=True, display_id=True)
        else:
            self.shown.update(bundle, raw=True)

    def bar(self) -> str:
        """[#########-------]  43%  epoch 3 of 6, loss 0.912, 4:10 left."""
        run, part = self.run, self.run.part_done()
        full = round(BAR * part)
        head = f"[{'#' * full}{'-' * (BAR - full)}] {part:4.0%}  "
        if run.finished:
            return f"{head}{run.epochs} epochs in {_clock(run.place.seconds)}"
        head += f"epoch {run.place.epochs_done + 1} of {run.epochs}"
        if not run.seen:
            return head
        spent = run.place.seconds + time.monotonic() - run.began
        return (f"{head}, loss {run.loss_sum / run.seen:.3f}, training accuracy "
                f"{run.right / run.seen:.1%}, {_clock(spent * (1 - part) / part)} left")

    def last(self) -> str:
        """The last epoch in words."""
        row = self.run.history[-1]
        words = (f"after epoch {row['epoch']}: loss {row['loss']:.3f}, training "
                 f"accuracy {row['train_accuracy']:.1%}")
        if row["validation_accuracy"] is not None:
            words += f", validation accuracy {row['validation_accuracy']:.1%}"
        return words


def _clock(seconds: float) -> str:
    """Minutes and seconds: 4:10."""
    return "{}:{:02}".format(*divmod(round(seconds), 60))


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return bool(ipython and ipython.get_ipython())
