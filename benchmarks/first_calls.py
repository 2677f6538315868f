"""Seconds of each layer's first call in this process, forward and backward, as JSON.

`benchmarks.compiling` runs this as a process of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

BEGAN = time.perf_counter()

import numpy as np  # noqa: E402

from convlab import layers  # noqa: E402

# Images large enough to be shared among threads, as in a training.
BATCH, SIZE, CHANNELS, UNITS = 32, 19, 8, 10
CLASSES = np.zeros(BATCH, np.int64)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def convolution(size: int, stride: int = 1, channels: int = CHANNELS
                ) -> Callable[[], None]:
    """Filters of size x size on images of so many channels."""
    def run() -> None:
        x, w = normal(BATCH, SIZE, SIZE, channels), normal(16, size, size, channels)
        y = layers.conv2d_forward(x, w, normal(16), stride)
        layers.conv2d_backward(y, x, w, stride)
    return run


def max_pooling() -> None:
    x = normal(BATCH, SIZE - 1, SIZE - 1, CHANNELS)
    y, argmax = layers.maxpool_forward(x)
    layers.maxpool_backward(y, argmax, x.shape)


def average_pooling() -> None:
    x = normal(BATCH, SIZE - 1, SIZE - 1, CHANNELS)
    layers.avgpool_backward(layers.avgpool_forward(x), x.shape)


def relu() -> None:
    x = normal(BATCH, SIZE, SIZE, CHANNELS)
    layers.relu_backward(layers.relu_forward(x), x)


def normalisation() -> None:
    x, one, zero = normal(BATCH, SIZE, SIZE, CHANNELS), *normal(2, CHANNELS)
    y, *statistics = layers.batchnorm_forward(x, one, zero)
    layers.batchnorm_backward(y, x, one, *statistics)


def normalisation_and_relu() -> None:
    x, one, zero = normal(BATCH, SIZE, SIZE, CHANNELS), *normal(2, CHANNELS)
    y, *statistics = layers.batchnorm_relu_forward(x, one, zero)
    layers.batchnorm_relu_backward(y, x, one, zero, *statistics)


def dropout() -> None:
    y, kept = layers.dropout_forward(
        normal(BATCH, SIZE, SIZE, CHANNELS), 0.5, np.random.default_rng(0))
    layers.dropout_backward(y, kept, 0.5)


def fully_connected() -> None:
    x, w = normal(BATCH, 1024), normal(UNITS, 1024)
    layers.dense_backward(layers.dense_forward(x, w, normal(UNITS)), x, w)


def loss() -> None:
    layers.softmax_cross_entropy(normal(BATCH, UNITS), CLASSES)


FIRST_CALLS = {
    "convolution 3x3": convolution(3),
    "convolution 1x1, after it": convolution(1),
    "convolution 5x5 of 3 channels, after them": convolution(5, channels=3),
    "convolution 3x3 stride 2, after them": convolution(3, stride=2),
    "max pooling": max_pooling,
    "average pooling": average_pooling,
    "relu": relu,
    "batch normalisation": normalisation,
    "normalisation and relu in one, after it": normalisation_and_relu,
    "dropout": dropout,
    "fully connected": fully_connected,
    "softmax and loss": loss,
}


def timed() -> Iterator[tuple[str, float]]:
    """(What, seconds), the import of the layers first."""
    yield "import", time.perf_counter() - BEGAN
    for name, run in FIRST_CALLS.items():
        began = time.perf_counter()
        run()
        yield name, time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(dict(timed())))
