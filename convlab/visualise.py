"""What the inside of a trained network answers to, traced back to the image.

    maps = activations(network, images, "relu2")
    best = strongest(network, images, "relu2", count=9)
    heat = saliency(network, images, labels)
    seen = projection(network, images, "relu2", filters=[7] * len(images))

Layers go by the names that `Network.summary` gives them. Each way back to the
image is the backward pass of the layers themselves: through a convolution, the
transposed convolution; through max pooling, to the place of the maximum. The
ways differ at the ReLU alone, which is what `RULES` says:

    gradient        passes back where the ReLU's input was positive: the derivative
                    (Simonyan, Vedaldi and Zisserman 2014)
    deconvolution   passes back what is itself positive (Zeiler and Fergus 2014)
    guided          passes back where both are (Springenberg et al. 2015)

What arrives is in the units of the standardised image, which is what the first
layer sees; divided by `network.std`, a gradient is by the pixels themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convlab.arithmetic import Dense, Layer, Relu, receptive_field
from convlab.network import Network
from convlab.stages import Stage


def _gradient(stage: Stage, dy: np.ndarray, memory: Any) -> np.ndarray:
    return stage.backward(dy, memory)[0]


def _deconvolution(stage: Stage, dy: np.ndarray, memory: Any) -> np.ndarray:
    return np.maximum(dy, 0)


def _guided(stage: Stage, dy: np.ndarray, memory: Any) -> np.ndarray:
    return np.maximum(_gradient(stage, dy, memory), 0)


RULES = {"gradient": _gradient, "deconvolution": _deconvolution, "guided": _guided}


@dataclass(frozen=True)
class Strongest:
    """Where each filter of a layer answered most, over many images.

    All (K, count), the strongest first: the `values` of K filters, the `images`
    (an image counts once, with its strongest place), the `rows` and `columns` of
    the map. Of a fully connected layer, rows and columns are 0.
    """

    values: np.ndarray
    images: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def activations(network: Network, images: np.ndarray, layer: str) -> np.ndarray:
    """The output of a layer: maps (N, H', W', K), or (N, K) once fully connected."""
    _check_layer(network, layer)
    return next(y for stage, y, _ in network.walk(images) if stage.name == layer)


def strongest(network: Network, images: np.ndarray, layer: str, count: int = 9,
              batch_size: int = 200) -> Strongest:
    """The `count` images that each filter of a layer answers to most."""
    if not 1 <= count <= len(images):
        raise ValueError(
            f"count is from 1 to the {len(images)} images that there are, got {count}")
    values, places = [], []
    for start in range(0, len(images), batch_size):
        maps = _as_maps(activations(network, images[start:start + batch_size], layer))
        flat = maps.reshape(len(maps), -1, maps.shape[3])
        values.append(flat.max(axis=1))
        places.append(flat.argmax(axis=1))
    peaks, where = np.concatenate(values).T, np.concatenate(places).T  # (K, N)
    chosen = np.argsort(-peaks, axis=1, kind="stable")[:, :count]
    rows, columns = np.divmod(np.take_along_axis(where, chosen, 1), maps.shape[2])
    return Strongest(np.take_along_axis(peaks, chosen, 1), chosen, rows, columns)


def score_gradient(network: Network, images: np.ndarray, classes: Sequence[int],
                   rule: str = "gradient") -> np.ndarray:
    """Of each image (N, H, W, C), its class's score by every number of the image.

    classes (N,): indices. The score is the one before the softmax.
    """
    def one_class(scores: np.ndarray) -> np.ndarray:
        signal = np.zeros_like(scores)
        signal[np.arange(len(scores)), _of_each_image(classes, scores)] = 1
        return signal

    return back_to_image(network, images, "scores", one_class, rule)


def saliency(network: Network, images: np.ndarray, classes: Sequence[int],
             rule: str = "gradient") -> np.ndarray:
    """(N, H, W): the largest |score_gradient| over the channels of each pixel."""
    return np.abs(score_gradient(network, images, classes, rule)).max(axis=3)


def projection(network: Network, images: np.ndarray, layer: str,
               filters: Sequence[int], rule: str = "deconvolution") -> np.ndarray:
    """One activation of each image traced back to the image, (N, H, W, C).

    filters (N,): whose map. Its strongest activation is kept and every other
    number of the layer set to 0, as Zeiler and Fergus did.
    """
    def strongest_alone(y: np.ndarray) -> np.ndarray:
        maps = _as_maps(y)
        n, chosen = np.arange(len(maps)), _of_each_image(filters, y)
        own = maps[n, :, :, chosen]
        rows, columns = np.divmod(own.reshape(len(n), -1).argmax(1), own.shape[2])
        signal = np.zeros_like(maps)
        signal[n, rows, columns, chosen] = own[n, rows, columns]
        return signal.reshape(y.shape)

    return back_to_image(network, images, layer, strongest_alone, rule)


def back_to_image(
    network: Network, images: np.ndarray, layer: str,
    signal: Callable[[np.ndarray], np.ndarray], rule: str = "gradient",
) -> np.ndarray:
    """signal(output of the layer), sent back to the image (N, H, W, C)."""
    _check_layer(network, layer)
    if rule not in RULES:
        raise ValueError(f"rule is one of {', '.join(RULES)}, got {rule!r}")
    passed = []
    for step in network.walk(images):
        passed.append(step)
        if step[0].name == layer:
            break
    dy = signal(passed[-1][1])
    for stage, _, memory in reversed(passed):
        at = RULES[rule] if isinstance(stage.layer, Relu) else _gradient
        dy = at(stage, dy, memory)
    return dy


def window(network: Network, layer: str, row: int, column: int
           ) -> tuple[int, int, int, int]:
    """(top, left, height, width): what one place of a layer's maps sees.

    It may begin above or left of the image, and end outside: there is padding.
    A fully connected layer sees the whole image.
    """
    before = _layers_to(network, layer)
    if any(isinstance(one, Dense) for one in before):
        return (0, 0, *network.input_shape[:2])
    top, left = row, column
    for one in reversed(before):
        if not isinstance(one, Relu):
            top, left = (start * one.stride - one.pad for start in (top, left))
    return (top, left, *receptive_field(before))


def patches(network: Network, volumes: np.ndarray, layer: str,
            rows: Sequence[int], columns: Sequence[int], fill: float = 0) -> np.ndarray:
    """Of each volume (N, H, W, C), the `window` of one place: (N, h, w, C).

    What lies outside the volume is `fill`.
    """
    cut = []
    for volume, row, column in zip(volumes, rows, columns, strict=True):
        top, left, height, width = window(network, layer, int(row), int(column))
        wide = np.pad(volume, ((height, height), (width, width), (0, 0)),
                      constant_values=fill)
        cut.append(wide[top + height:top + 2 * height, left + width:left + 2 * width])
    return np.stack(cut)


def as_pictures(projections: np.ndarray) -> np.ndarray:
    """Projections (N, H, W, C) as colours from 0 to 1, each to a scale of its own.

    Middle grey is 0, and the largest number of each is as far from it as can be.
    """
    reach = np.abs(projections).max(axis=(1, 2, 3), keepdims=True)
    return 0.5 + 0.5 * projections / np.where(reach > 0, reach, 1)


def _as_maps(y: np.ndarray) -> np.ndarray:
    return y if y.ndim == 4 else y[:, np.newaxis, np.newaxis, :]


def _of_each_image(chosen: Sequence[int], y: np.ndarray) -> np.ndarray:
    """An index into the last axis of y for each image, as an array."""
    chosen = np.asarray(chosen)
    if chosen.shape != (len(y),) or chosen.dtype.kind not in "iu":
        raise ValueError(f"one whole number for each of the {len(y)} images is needed, "
                         f"got {chosen.dtype} of shape {chosen.shape}")
    if chosen.min() < 0 or chosen.max() >= y.shape[-1]:
        raise ValueError(f"the layer counts from 0 to {y.shape[-1] - 1}, got "
                         f"{chosen.min()} to {chosen.max()}")
    return chosen


def _layers_to(network: Network, layer: str) -> list[Layer]:
    """The layers up to and with this one."""
    _check_layer(network, layer)
    return [row.layer for row in network.rows[:network.names.index(layer) + 1]]


def _check_layer(network: Network, layer: str) -> None:
    if layer not in network.names:
        raise ValueError(f"there is no layer {layer!r} in the network: it has "
                         f"{', '.join(network.names)}")
