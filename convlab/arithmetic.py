"""Output sizes, parameters, multiply-accumulates and receptive fields.

Every such number in the book, the notebooks and the tests comes from here.
Shapes are (height, width, channels), as in the lecture's 32x32x3; padding is
zeros per side; an output size that is not a whole number is refused, never
floored (slide 44).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral

Shape = tuple[int, ...]  # (H, W, C) for a volume, (D,) for a vector
POOL_KINDS = ("max", "average")


class SizeError(ValueError):
    """Sizes that do not fit; the message says which one, and what would.

    `layer` counts from 1 where `trace` found the misfit, None elsewhere.
    """

    layer: int | None = None


def pair(value: int | Sequence[int], name: str) -> tuple[int, int]:
    """(rows, columns) of a size given as one number or as two."""
    if _is_whole(value):
        return value, value
    values = tuple(value) if isinstance(value, Sequence) else ()
    if len(values) != 2 or not all(map(_is_whole, values)):
        raise SizeError(f"{name} is a whole number or a pair, got {value!r}")
    return values


def _is_whole(value: object) -> bool:
    """True for int and numpy integers, False for bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _check(name: str, value: int, least: int) -> None:
    if not _is_whole(value):
        raise SizeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise SizeError(f"{name} must be at least {least}, got {value}")


def _filter_size(size: int | Sequence[int]) -> tuple[int, int]:
    rows, columns = pair(size, "the filter size")
    _check("the filter size", min(rows, columns), 1)
    return rows, columns


def unrounded_size(n: int, f: int, stride: int = 1, pad: int = 0) -> Fraction:
    """(n + 2 pad - f) / stride + 1 as an exact fraction (slides 45 and 50)."""
    _check("the input size", n, 1)
    _check("the filter size", f, 1)
    _check("the stride", stride, 1)
    _check("the padding", pad, 0)
    if n + 2 * pad < f:
        raise SizeError(
            f"a filter of size {f} is larger than the input: "
            f"{n} + 2*{pad} = {n + 2 * pad}"
        )
    return Fraction(n + 2 * pad - f, stride) + 1


def output_size(n: int, f: int, stride: int = 1, pad: int = 0) -> int:
    """How many positions a filter of size f has along an input of size n.

    >>> [output_size(7, 3, stride) for stride in (1, 2)]
    [5, 3]

    Raises SizeError where the division leaves a remainder, as for
    output_size(7, 3, stride=3).
    """
    size = unrounded_size(n, f, stride, pad)
    if size.denominator != 1:
        room = n + 2 * pad - f
        raise SizeError(
            f"({n} + 2*{pad} - {f})/{stride} + 1 = {float(size):.2f} is not "
            f"a whole number: stride {stride} does not divide "
            f"{n} + 2*{pad} - {f} = {room}. "
            f"{_what_fits(n, f, stride, pad)}"
        )
    return int(size)


def _what_fits(n: int, f: int, stride: int, pad: int) -> str:
    room = n + 2 * pad - f
    strides = [s for s in range(1, room + 1) if room % s == 0]
    pads = [p for p in range(f) if p != pad and n + 2 * p >= f
            and (n + 2 * p - f) % stride == 0]
    text = f"Strides that fit: {', '.join(map(str, strides))}"
    if pads:
        text += f"; with stride {stride}, padding that fits: " + ", ".join(
            map(str, pads))
    return text + "."


def same_padding(f: int) -> int:
    """The padding (f - 1)/2 that keeps the size at stride 1 (slide 48)."""
    _check("the filter size", f, 1)
    if f % 2 == 0:
        raise SizeError(
            f"a filter of even size {f} has no padding that keeps the size: "
            f"({f} - 1)/2 is not whole"
        )
    return (f - 1) // 2


def conv_parameters(
    channels: int, filters: int, size: int | tuple[int, int], bias: bool = True
) -> int:
    """Weights and biases of a convolution layer.

    >>> conv_parameters(3, 1, 5), conv_parameters(3, 10, 5)
    (76, 760)
    """
    _check("the number of channels", channels, 1)
    _check("the number of filters", filters, 1)
    rows, columns = _filter_size(size)
    return filters * (rows * columns * channels + bool(bias))


def dense_parameters(inputs: int, units: int, bias: bool = True) -> int:
    """Weights and biases of a fully connected layer (slide 63: 10 x 3072)."""
    _check("the number of inputs", inputs, 1)
    _check("the number of units", units, 1)
    return units * (inputs + bool(bias))


@dataclass(frozen=True)
class Conv:
    """A convolution layer: `filters` filters of size x size x channels."""

    filters: int
    size: int | tuple[int, int] = 3
    stride: int = 1
    pad: int = 0
    bias: bool = True

    def output_shape(self, shape: Shape) -> Shape:
        rows, columns, _ = volume(shape, "a convolution layer")
        f_rows, f_columns = _filter_size(self.size)
        _check("the number of filters", self.filters, 1)
        return (output_size(rows, f_rows, self.stride, self.pad),
                output_size(columns, f_columns, self.stride, self.pad),
                self.filters)

    def parameters(self, shape: Shape) -> int:
        _, _, channels = volume(shape, "a convolution layer")
        return conv_parameters(channels, self.filters, self.size, self.bias)

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates for one image; adding the bias is not one."""
        rows, columns, filters = self.output_shape(shape)
        f_rows, f_columns = _filter_size(self.size)
        return rows * columns * filters * f_rows * f_columns * shape[2]

    def sees(self, field: ReceptiveField) -> ReceptiveField:
        return field.slid(self.size, self.stride)


@dataclass(frozen=True)
class Pool:
    """A pooling layer, max or average, over size x size windows."""

    size: int = 2
    stride: int = 2
    kind: str = "max"
    pad = 0  # the same for all: pooling is not padded here

    def output_shape(self, shape: Shape) -> Shape:
        if self.kind not in POOL_KINDS:
            raise SizeError(
                f"pooling is {' or '.join(POOL_KINDS)}, got {self.kind!r}")
        rows, columns, channels = volume(shape, "a pooling layer")
        return (output_size(rows, self.size, self.stride),
                output_size(columns, self.size, self.stride), channels)

    def parameters(self, shape: Shape) -> int:
        return 0

    def macs(self, shape: Shape) -> int:
        return 0

    def sees(self, field: ReceptiveField) -> ReceptiveField:
        return field.slid(self.size, self.stride)


@dataclass(frozen=True)
class Relu:
    """max(0, x), element by element: no parameters, the shape kept."""

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> int:
        return 0

    def macs(self, shape: Shape) -> int:
        return 0

    def sees(self, field: ReceptiveField) -> ReceptiveField:
        return field


@dataclass(frozen=True)
class Norm:
    """Batch normalisation: a learned scale and shift for each channel.

    Its arithmetic can be folded into the convolution before it: no MACs.
    """

    stride, pad = 1, 0  # the same for all: each number sees its own place alone

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape) -> int:
        return 2 * shape[-1]

    def macs(self, shape: Shape) -> int:
        return 0

    def sees(self, field: ReceptiveField) -> ReceptiveField:
        return field


@dataclass(frozen=True)
class Dropout:
    """So many percent of the numbers left out at random, while learning."""

    percent: int = 50
    stride, pad = 1, 0  # as for Norm

    def output_shape(self, shape: Shape) -> Shape:
        _check("the percentage", self.percent, 0)
        if self.percent > 99:
            raise SizeError(
                f"at most 99 percent can be left out, got {self.percent}")
        return shape

    def parameters(self, shape: Shape) -> int:
        return 0

    def macs(self, shape: Shape) -> int:
        return 0

    def sees(self, field: ReceptiveField) -> ReceptiveField:
        return field


@dataclass(frozen=True)
class Dense:
    """A fully connected layer; a volume is stretched to a vector first."""

    units: int
    bias: bool = True

    def output_shape(self, shape: Shape) -> Shape:
        _check("the number of units", self.units, 1)
        return (self.units,)

    def parameters(self, shape: Shape) -> int:
        return dense_parameters(numbers_in(shape), self.units, self.bias)

    def macs(self, shape: Shape) -> int:
        return numbers_in(shape) * self.units

    def sees(self, field: ReceptiveField) -> None:
        return None


# And what convlab.blocks adds, used alike.
Layer = Conv | Pool | Relu | Norm | Dropout | Dense


@dataclass(frozen=True)
class Row:
    """One layer of a traced network: a line of an architecture table."""

    layer: Layer
    input_shape: Shape
    output_shape: Shape
    parameters: int
    macs: int
    receptive_field: tuple[int, int] | None  # None once fully connected


def trace(layers: Iterable[Layer], input_shape: Shape) -> list[Row]:
    """Send a shape through layers, one Row a layer.

    Raises SizeError that names the layer (counted from 1) that does not fit.
    """
    numbers_in(input_shape)
    rows, shape, field = [], tuple(input_shape), ReceptiveField()
    for number, layer in enumerate(layers, start=1):
        try:
            output = layer.output_shape(shape)
            field = field.after(layer) if field else None
            rows.append(Row(layer, shape, output, layer.parameters(shape),
                            layer.macs(shape), field and field.size))
        except SizeError as error:
            misfit = SizeError(f"layer {number}, {layer}, on {times(shape)}: {error}")
            misfit.layer = number
            raise misfit from None
        shape = output
    return rows


@dataclass(frozen=True)
class ReceptiveField:
    """How much of the input one output number sees, and how far apart two are.

    Along each axis: size grows by (F - 1) * jump, jump is multiplied by the
    stride (slides 56-58: "5x5 filter" = "5x5 receptive field"). Padding does
    not count: near an edge, part of the field lies on the zeros outside.
    """

    size: tuple[int, int] = (1, 1)
    jump: int = 1

    def after(self, layer: Layer) -> ReceptiveField | None:
        """The field one layer further; None where everything is seen."""
        return layer.sees(self)

    def slid(self, size: int | tuple[int, int], stride: int) -> ReceptiveField:
        """The field after windows of `size` that move by `stride`."""
        rows, columns = _filter_size(size)
        return ReceptiveField((self.size[0] + (rows - 1) * self.jump,
                               self.size[1] + (columns - 1) * self.jump),
                              self.jump * stride)


def receptive_field(layers: Iterable[Layer]) -> tuple[int, int]:
    """(rows, columns) of the input that one number after `layers` sees.

    >>> receptive_field([Conv(1, 3), Conv(1, 3)])
    (5, 5)
    """
    field = ReceptiveField()
    for layer in layers:
        field = field.after(layer)
        if field is None:
            raise SizeError(
                "a fully connected layer sees the full input volume: "
                "its receptive field is the input's size")
    return field.size


def volume(shape: Shape, who: str) -> tuple[int, int, int]:
    """The shape, if it is (height, width, channels) of whole numbers >= 1."""
    if len(shape) != 3:
        raise SizeError(
            f"{who} takes a volume of height x width x channels, "
            f"got {times(shape)}")
    names = ("height", "width", "number of channels")
    for name, value in zip(names, shape, strict=True):
        _check(f"the {name}", value, 1)
    return tuple(shape)


def numbers_in(shape: Shape) -> int:
    """How many numbers a volume or vector holds: 32x32x3 -> 3072."""
    product = 1
    for value in shape:
        _check("a size", value, 1)
        product *= value
    return product


def times(shape: Shape) -> str:
    """A shape as the lecture writes it: "32x32x3"."""
    return "x".join(map(str, shape))
