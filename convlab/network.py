"""A network from an architecture string, driven by any set of layer functions.

    from convlab import layers
    network = Network("[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX",
                      (32, 32, 3), 10, layers)

`layers` is whatever holds the layer functions under their names: a module, a
class, a dict. This module knows no implementation of them: a student's own run
the network as well as the reference does. What they take and return:

    conv2d_forward(x, w, b, stride=1, pad=0)       -> y
    conv2d_backward(dy, x, w, stride=1, pad=0)     -> dx, dw, db
    maxpool_forward(x, size=2, stride=2)           -> y, argmax
    maxpool_backward(dy, argmax, x_shape)          -> dx
    avgpool_forward(x, size=2, stride=2)           -> y
    avgpool_backward(dy, x_shape, size=2, stride=2) -> dx
    relu_forward(x)                                -> y
    relu_backward(dy, x)                           -> dx
    dense_forward(x, w, b)                         -> y
    dense_backward(dy, x, w)                       -> dx, dw, db
    softmax_cross_entropy(scores, labels)          -> loss, dscores

Only those that the architecture needs have to be there, and the backward ones
only once gradients are asked for. NORM and DROPOUT need others, and some more
are used where they are there, to do in one go what else takes two: they stand
in convlab.stages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from convlab import augmentation, storage
from convlab.architecture import trace_architecture
from convlab.arithmetic import Shape, times, volume
from convlab.stages import Gradients, LayerFunctions, Stage, State, joined, stages

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class Network:
    """Weights, and the way through the layers and back.

    architecture  the lecture's pattern; see convlab.architecture
    input_shape   (H, W, C) of one image
    classes       how many scores there are
    layers        the layer functions: a module, a class or a dict
    seed          of the weights: normal with variance 2/(numbers that one
                  output sees) after He et al. 2015, 1/(...) for the scores,
                  which no ReLU follows; biases zero; and of what dropout
                  leaves out
    dtype         float32, or float64 to check gradients

    `rows` is arithmetic.trace of the layers; `parameters` maps names such as
    "conv1.w" to arrays, in order, which training changes in place: all but those
    of the layers named in `frozen`. `mean` and `std` (C,) are subtracted from
    and divided into every image first: `standardise` sets them. `state` is what
    NORM and DROPOUT keep from batch to batch; `learn_from` alone changes it.

    Raises ArchitectureError for a string that makes no network, and LayerError
    for a layer function that is missing.
    """

    def __init__(self, architecture: str, input_shape: Shape, classes: int,
                 layers: Any, seed: int = 0, dtype: Any = np.float32):
        self.dtype = np.dtype(dtype)
        if self.dtype not in FLOATS:
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        self.architecture = architecture
        self.input_shape = volume(tuple(input_shape), "a network")
        self.classes = classes
        self.rows = trace_architecture(architecture, self.input_shape, classes)
        self.mean = np.zeros(self.input_shape[-1], self.dtype)
        self.std = np.ones(self.input_shape[-1], self.dtype)
        self.parameters: dict[str, np.ndarray] = {}
        self.frozen: set[str] = set()
        self.state = State(np.random.default_rng((seed, 1)))
        self._functions = LayerFunctions(layers)
        self._stages = stages(self.rows, self._functions, self.parameters, self.state)
        self._joined = joined(self._stages)
        self._draw(np.random.default_rng(seed))

    @property
    def names(self) -> list[str]:
        """Of the layers, in order: conv1, relu1, ... scores."""
        return [stage.name for stage in self._stages]

    @property
    def trained(self) -> dict[str, np.ndarray]:
        """The parameters that learn: all but those of frozen layers."""
        return {name: p for name, p in self.parameters.items()
                if name.rpartition(".")[0] not in self.frozen}

    def _draw(self, rng: np.random.Generator) -> None:
        """Set all parameters anew."""
        for stage in self._stages:
            gain = 1 if stage is self._stages[-1] else 2
            for key, shape in stage.weight_shapes().items():
                array = np.ones(shape) if key == "gamma" else np.zeros(shape)
                if key == "w":
                    array = rng.normal(0, np.sqrt(gain / np.prod(shape[1:])), shape)
                self.parameters[f"{stage.name}.{key}"] = array.astype(self.dtype)
            for key, array in stage.first_averages().items():
                self.state.running[f"{stage.name}.{key}"] = array.astype(self.dtype)

    def standardise(self, images: np.ndarray) -> None:
        """Set `mean` and `std` so that each channel of these images (N, H, W, C)
        comes out with mean 0 and standard deviation 1."""
        self._check_images(images)
        total = np.zeros((2, self.input_shape[-1]))
        for start in range(0, len(images), 1000):
            part = images[start:start + 1000].astype(np.float64)
            total += part.sum(axis=(0, 1, 2)), (part ** 2).sum(axis=(0, 1, 2))
        mean, square = total / images[..., 0].size
        std = np.sqrt(np.maximum(square - mean ** 2, 0))
        self.mean[:] = mean
        self.std[:] = np.where(std > 0, std, 1)  # a channel that never changes

    def forward(self, images: np.ndarray) -> np.ndarray:
        """Class scores (N, classes) of images (N, H, W, C), uint8 or float."""
        x = self._prepare(images)
        for stage in self._joined:
            x, _ = stage.forward(x)
        return x

    def walk(self, images: np.ndarray) -> Iterator[tuple[Stage, np.ndarray, Any]]:
        """Stage by stage: (stage, its output, what stage.backward needs)."""
        x = self._prepare(images)
        for stage in self._stages:
            x, memory = stage.forward(x)
            yield stage, x, memory

    def predict(self, images: np.ndarray, batch_size: int = 500,
                mirror: bool = False, around: int = 0) -> np.ndarray:
        """The class (N,) int64 with the highest score, batch by batch.

        With `mirror`, by the scores of each image and of its mirror image added
        up: what is a car is one from the other side too. With `around`, those of
        the image moved by so many pixels down and right, and up and left, count
        half each.
        """
        self._check_images(images)
        found = []
        for start in range(0, len(images), batch_size):
            part = images[start:start + batch_size]
            scores = self._from_both_sides(part, mirror)
            if around:
                for moved in augmentation.on_diagonal(part, around):
                    scores = scores + self._from_both_sides(moved, mirror) / 2
            found.append(scores.argmax(axis=1))
        return np.concatenate(found)

    def _from_both_sides(self, images: np.ndarray, mirror: bool) -> np.ndarray:
        scores = self.forward(images)
        return scores + self.forward(images[:, :, ::-1]) if mirror else scores

    def loss_and_gradients(
        self, images: np.ndarray, labels: np.ndarray
    ) -> tuple[float, Gradients]:
        """Mean loss of a batch, and its gradient by every parameter that learns.

        As learn_from, and leaves `state` as it is: the same call gives the same
        again.
        """
        with self._same_state_after():
            loss, gradients, _ = self.learn_from(images, labels)
        return loss, gradients

    def learn_from(
        self, images: np.ndarray, labels: np.ndarray, smoothing: float = 0.0,
        score_scale: float = 1.0,
    ) -> tuple[float, Gradients, np.ndarray]:
        """As loss_and_gradients, with the class scores of the forward pass.

        `smoothing` is that of softmax_cross_entropy, whose layer function has to
        know it. The scores are multiplied by `score_scale` first.
        """
        trained = self.trained
        first = self._first_that_learns(trained)
        x, memories = self._prepare(images), []
        for place, stage in enumerate(self._joined):
            x, memory = stage.learn(x)
            memories.append(memory if place >= first else None)
        loss, dy, scores = self._loss(x, labels, smoothing, score_scale)
        gradients = {}
        del x, memory
        for place in range(len(self._joined) - 1, first - 1, -1):
            # A stage's memory is let go once it was used, so that the gradients of
            # the stages before it can have its place.
            stage, memory = self._joined[place], memories.pop()
            if place == first:
                of_weights = stage.weight_gradients(dy, memory)
            else:
                dy, of_weights = stage.backward(dy, memory)
            gradients |= {f"{stage.name}.{key}": d for key, d in of_weights.items()}
        return loss, {name: gradients[name] for name in trained}, scores

    def _first_that_learns(self, trained: dict[str, np.ndarray]) -> int:
        """The place of the first joined stage with trained parameters."""
        learning = {name.rpartition(".")[0] for name in trained}
        return next((place for place, stage in enumerate(self._joined)
                     if stage.name in learning), len(self._joined))

    def _loss(self, scores: np.ndarray, labels: np.ndarray, smoothing: float,
              scale: float) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss, its gradient by the scores, and the scores as the loss sees them.

        What is not asked for is not handed on either: a student's loss may take
        scores and labels alone.
        """
        if scale != 1:
            scores = scores * scores.dtype.type(scale)
        loss, dscores = self._functions.call(
            "softmax_cross_entropy", "SOFTMAX", {"loss": None, "dscores": scores.shape},
            scores, labels, **({"smoothing": smoothing} if smoothing else {}))
        if scale != 1:
            dscores = dscores * dscores.dtype.type(scale)
        return float(loss), dscores, scores

    @contextmanager
    def _same_state_after(self) -> Iterator[None]:
        running = {name: array.copy() for name, array in self.state.running.items()}
        random = self.state.rng.bit_generator.state
        try:
            yield
        finally:
            self.state.rng.bit_generator.state = random
            for name, array in running.items():
                self.state.running[name][...] = array

    def _prepare(self, images: np.ndarray) -> np.ndarray:
        self._check_images(images)
        x = images.astype(self.dtype, order="C")
        # Along whole image rows: numpy is slow at many rows of three numbers.
        rows, width = x.reshape(-1, x.shape[2] * x.shape[3]), x.shape[2]
        rows -= np.tile(self.mean, width)
        rows /= np.tile(self.std, width)
        return x

    def _check_images(self, images: np.ndarray) -> None:
        shape = getattr(images, "shape", None)
        if shape is None or shape[1:] != self.input_shape or not shape[0]:
            raise ValueError(
                f"images must be a numpy array of shape (N, "
                f"{', '.join(map(str, self.input_shape))}) with N at least 1, got "
                + (f"shape {shape}" if shape is not None else type(images).__name__))

    def summary(self) -> str:
        """A table: each layer's output, receptive field, parameters and MACs."""
        table = [("layer", "", "output", "sees", "parameters", "MACs an image"),
                 ("input", "", times(self.input_shape), "", "", "")]
        for stage, row in zip(self._stages, self.rows, strict=True):
            sees = times(row.receptive_field) if row.receptive_field else "everything"
            table.append((stage.name, stage.settings(), times(row.output_shape), sees,
                          f"{row.parameters:,}", f"{row.macs:,}"))
        table.append(("total", "", "", "",
                      f"{sum(row.parameters for row in self.rows):,}",
                      f"{sum(row.macs for row in self.rows):,}"))
        return _aligned(table, "<<>>>>")

    def save_weights(self, path: str | os.PathLike, **about: Any) -> None:
        """Write what decides the scores at test time to a .npz: the parameters,
        the mean and std of the images, and what NORM keeps.

        `about`: what else the file's note shall say, as JSON values.
        """
        storage.write(path, self._state(), {
            **about, "architecture": self.architecture,
            "input_shape": self.input_shape, "classes": self.classes})

    def load_weights(self, path: str | os.PathLike) -> None:
        """Take the weights of a file; nothing changes where it does not fit.

        Raises FileNotFoundError, and storage.StorageError for a file of another
        architecture, a damaged one, or weights that are not finite.
        """
        state = self._state()
        arrays, _ = storage.read(path, {name: a.shape for name, a in state.items()})
        for name, array in state.items():
            array[...] = arrays[name]

    def _state(self) -> dict[str, np.ndarray]:
        """Everything that decides the scores, by name."""
        return {"input.mean": self.mean, "input.std": self.std, **self.parameters,
                **self.state.running}


def _aligned(table: list[tuple[str, ...]], sides: str) -> str:
    """Rows of words in columns, each to its side: < left, > right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(f"{word:{side}{width}}" for word, side, width
                       in zip(row, sides, widths, strict=True)).rstrip()
             for row in table]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
