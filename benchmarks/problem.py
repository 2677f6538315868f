"""One convolution to be computed: its sizes, its inputs, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from convlab.arithmetic import Conv, Shape, numbers_in, times

FLOAT = 4  # bytes of a float32


@dataclass(frozen=True)
class Problem:
    """A convolution layer at its place in a network, and a batch of images."""

    name: str
    layer: Conv  # with a square filter
    input_shape: Shape  # (H, W, C)
    batch: int

    @property
    def output_shape(self) -> Shape:
        """(H', W', K)."""
        return self.layer.output_shape(self.input_shape)

    @property
    def places(self) -> tuple[int, int]:
        """Stride and padding."""
        return self.layer.stride, self.layer.pad

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a forward pass of the whole batch."""
        return self.batch * self.layer.macs(self.input_shape)

    def flops(self, pass_: str) -> int:
        """Of the definition: the backward pass is two such products, dx and dw."""
        return {"forward": 2, "backward": 4, "both": 6}[pass_] * self.macs

    def bytes(self, pass_: str) -> int:
        """That must move at least: each array read or written once."""
        images = self.batch * numbers_in(self.input_shape)
        outputs = self.batch * numbers_in(self.output_shape)
        weights = self.layer.parameters(self.input_shape)
        forward = FLOAT * (images + weights + outputs)
        backward = FLOAT * (outputs + 2 * images + 2 * weights)
        return {"forward": forward, "backward": backward,
                "both": forward + backward}[pass_]

    def part(self, macs: int) -> Problem:
        """As much of it as about so many MACs allow: fewer images, then filters."""
        each = self.macs // self.batch
        if macs >= each:
            return replace(self, batch=min(self.batch, macs // each))
        filters = max(1, self.layer.filters * macs // each)
        return replace(self, batch=1, layer=replace(self.layer, filters=filters))

    @cached_property
    def inputs(self) -> Inputs:
        """The same numbers each time, all float32 and contiguous."""
        rng = np.random.default_rng(0)

        def normal(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape, np.float32)

        size, filters = self.layer.size, self.layer.filters
        return Inputs(
            x=normal(self.batch, *self.input_shape),
            w=normal(filters, size, size, self.input_shape[2]),
            b=normal(filters),
            dy=normal(self.batch, *self.output_shape))

    def __str__(self) -> str:
        layer = self.layer
        return (f"{times(self.input_shape)}, {layer.filters} of "
                f"{layer.size}x{layer.size}" + f" stride {layer.stride}" *
                (layer.stride > 1) + f" pad {layer.pad}" * (layer.pad > 0))


@dataclass(frozen=True)
class Inputs:
    """x (N, H, W, C), w (K, F, F, C), b (K,), dy (N, H', W', K)."""

    x: np.ndarray
    w: np.ndarray
    b: np.ndarray
    dy: np.ndarray
