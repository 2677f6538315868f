"""What published networks are made of beyond the course's four layers.

Each has the methods of the layers in `convlab.arithmetic`, so that `trace`
takes them too: `output_shape`, `parameters`, `macs`, `sees`. Sizes must still
come out whole. Where a paper's layer does not fit, `UnevenConv` and
`UnevenPool` say on which side a row of zeros is missing or a row of the input
is left out; nothing is rounded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from convlab.arithmetic import (
    POOL_KINDS,
    Conv,
    Dense,
    Layer,
    Pool,
    ReceptiveField,
    Row,
    Shape,
    SizeError,
    conv_parameters,
    numbers_in,
    output_size,
    pair,
    times,
    trace,
    volume,
)


def uneven_size(n: int, f: int, stride: int, before: int, after: int) -> int:
    """Positions of a filter with `before` zeros on one side, `after` on the other.

    A negative number crops: so many rows of the input are left out there.

    >>> uneven_size(224, 7, 2, 3, 2)
    112

    Raises SizeError where the division leaves a remainder.
    """
    if n + before + after < 1:
        raise SizeError(f"nothing is left of {n}: {before} before and {after} after")
    try:
        return output_size(n + before + after, f, stride)
    except SizeError as error:
        raise SizeError(f"{n} with {before} before and {after} after is "
                        f"{n + before + after}: {error}") from None


def _uneven_shape(layer: UnevenConv | UnevenPool, shape: Shape) -> tuple[int, int]:
    """(rows, columns) of the output; the same sides for both axes."""
    sides = layer.pad
    return tuple(uneven_size(n, f, layer.stride, *sides)
                 for n, f in zip(shape, pair(layer.size, "the filter size"),
                                 strict=False))


@dataclass(frozen=True)
class UnevenConv(Conv):
    """A convolution whose padding differs from one side to the other.

    `pad` is (above and left, below and right), in rows and columns; negative
    numbers crop.
    """

    pad: tuple[int, int] = (0, 0)

    def output_shape(self, shape: Shape) -> Shape:
        volume(shape, "a convolution layer")
        return (*_uneven_shape(self, shape), self.filters)


@dataclass(frozen=True)
class UnevenPool(Pool):
    """Pooling with windows that reach over an edge: `pad` as in UnevenConv.

    What lies outside takes no part in the maximum.
    """

    pad: tuple[int, int] = (0, 0)

    def output_shape(self, shape: Shape) -> Shape:
        if self.kind not in POOL_KINDS:
            raise SizeError(
                f"pooling is {' or '.join(POOL_KINDS)}, got {self.kind!r}")
        _, _, channels = volume(shape, "a pooling layer")
        return (*_uneven_shape(self, shape), channels)


@dataclass(frozen=True)
class GroupedConv(Conv):
    """A convolution in groups: each filter sees the channels of its own group.

    (Krizhevsky et al. 2012, section 3.2: two groups, one a GPU.)
    """

    groups: int = 2

    def output_shape(self, shape: Shape) -> Shape:
        rows, columns, filters = super().output_shape(shape)
        for what, count in (("channels", shape[2]), ("filters", filters)):
            if self.groups < 1 or count % self.groups:
                raise SizeError(f"{count} {what} do not make {self.groups} groups "
                                "of equal size")
        return rows, columns, filters

    def parameters(self, shape: Shape) -> int:
        _, _, filters = self.output_shape(shape)
        return conv_parameters(shape[2] // self.groups, filters, self.size, self.bias)

    def macs(self, shape: Shape) -> int:
        return super().macs(shape) // self.groups


@dataclass(frozen=True)
class PartialConv:
    """A convolution in which filter k sees the channels `table[k]` alone.

    (LeCun et al. 1998, table I, for LeNet-5's layer C3.)
    """

    table: tuple[tuple[int, ...], ...]
    size: int = 5

    def output_shape(self, shape: Shape) -> Shape:
        _, _, channels = volume(shape, "a convolution layer")
        for k, seen in enumerate(self.table):
            if not seen or not set(seen) <= set(range(channels)):
                raise SizeError(f"filter {k} sees the channels {seen}, and there are "
                                f"0 to {channels - 1}")
        return self._full().output_shape(shape)

    def parameters(self, shape: Shape) -> int:
        self.output_shape(shape)
        return sum(conv_parameters(len(seen), 1, self.size) for seen in self.table)

    def macs(self, shape: Shape) -> int:
        rows, columns, filters = self.output_shape(shape)
        return rows * columns * (self.parameters(shape) - filters)

    def sees(self, field: ReceptiveField) -> ReceptiveField:
        return self._full().sees(field)

    def _full(self) -> Conv:
        return Conv(len(self.table), self.size)


@dataclass(frozen=True)
class Subsampling(Pool):
    """Average pooling with a learned coefficient and bias for each channel.

    (LeCun et al. 1998, section II.B.) Each number under the window is multiplied
    by the coefficient, so it is one MAC.
    """

    kind: str = "average"

    def parameters(self, shape: Shape) -> int:
        return 2 * self.output_shape(shape)[2]

    def macs(self, shape: Shape) -> int:
        return numbers_in(self.output_shape(shape)) * self.size ** 2


@dataclass(frozen=True)
class Distances:
    """Squared distances to one fixed pattern a class; nothing is learned.

    LeNet-5's output: radial basis functions whose centres were drawn by hand
    (LeCun et al. 1998, section II.B).
    """

    classes: int

    def output_shape(self, shape: Shape) -> Shape:
        return (self.classes,)

    def parameters(self, shape: Shape) -> int:
        return 0

    def macs(self, shape: Shape) -> int:
        return numbers_in(shape) * self.classes

    def sees(self, field: ReceptiveField) -> None:
        return None


@dataclass(frozen=True)
class Thinned:
    """Every `stride`-th row and column, and channels of zeros up to `channels`.

    The shortcut without parameters of He et al. 2016, option A.
    """

    channels: int
    stride: int = 2

    def output_shape(self, shape: Shape) -> Shape:
        rows, columns, channels = volume(shape, "a shortcut")
        if self.channels < channels:
            raise SizeError(f"a shortcut from {channels} channels can be padded to "
                            f"more, not to {self.channels}")
        if rows % self.stride or columns % self.stride:
            raise SizeError(f"stride {self.stride} does not divide "
                            f"{times((rows, columns))}")
        return rows // self.stride, columns // self.stride, self.channels

    def parameters(self, shape: Shape) -> int:
        return 0

    def macs(self, shape: Shape) -> int:
        return 0

    def sees(self, field: ReceptiveField) -> ReceptiveField:
        return field.slid(1, self.stride)


class Block(ABC):
    """Several chains of layers on the same input; what Parallel and Residual share."""

    @abstractmethod
    def chains(self) -> tuple[tuple[Layer, ...], ...]:
        """The layers of each way through the block."""

    def traced(self, shape: Shape) -> list[list[Row]]:
        """The rows of each chain, for an input of this shape."""
        return [trace(chain, shape) for chain in self.chains()]

    def parameters(self, shape: Shape) -> int:
        return sum(row.parameters for rows in self.traced(shape) for row in rows)

    def macs(self, shape: Shape) -> int:
        return sum(row.macs for rows in self.traced(shape) for row in rows)

    def sees(self, field: ReceptiveField) -> ReceptiveField | None:
        """The largest field of the chains, which all have to keep in step."""
        fields = []
        for chain in self.chains():
            one = field
            for layer in chain:
                one = one and layer.sees(one)
            fields.append(one)
        if None in fields:
            return None
        if len({one.jump for one in fields}) != 1:
            raise SizeError("the branches move over the input by different strides: "
                            + ", ".join(str(one.jump) for one in fields))
        return ReceptiveField(tuple(max(one.size[axis] for one in fields)
                                    for axis in (0, 1)), fields[0].jump)


@dataclass(frozen=True)
class Parallel(Block):
    """Branches on one input; their outputs stacked along the channels.

    (Szegedy et al. 2015: the inception module.)
    """

    branches: tuple[tuple[Layer, ...], ...]

    def chains(self) -> tuple[tuple[Layer, ...], ...]:
        return self.branches

    def output_shape(self, shape: Shape) -> Shape:
        shapes = [_end(rows, shape) for rows in self.traced(shape)]
        if len({one[:2] for one in shapes}) != 1:
            raise SizeError("branches can be stacked where their heights and widths "
                            f"agree, got {', '.join(map(times, shapes))}")
        return (*shapes[0][:2], sum(one[2] for one in shapes))


@dataclass(frozen=True)
class Residual(Block):
    """The body's output added to the shortcut's (He et al. 2016).

    An empty shortcut is the input itself.
    """

    body: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()

    def chains(self) -> tuple[tuple[Layer, ...], ...]:
        return self.body, self.shortcut

    def output_shape(self, shape: Shape) -> Shape:
        body, shortcut = (_end(rows, shape) for rows in self.traced(shape))
        if body != shortcut:
            raise SizeError(f"the body makes {times(body)} and the shortcut "
                            f"{times(shortcut)}: only equal shapes can be added")
        return body


def _end(rows: Sequence[Row], shape: Shape) -> Shape:
    return rows[-1].output_shape if rows else shape


def depth(layers: Sequence[Layer]) -> int:
    """Layers of learned filters or units on the longest way through.

    As the papers count: "152 layers" leaves out pooling and normalisation.
    """
    count = 0
    for layer in layers:
        if isinstance(layer, Block):
            count += max(depth(chain) for chain in layer.chains())
        elif isinstance(layer, Conv | PartialConv | Dense):
            count += 1
    return count
