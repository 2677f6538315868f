"""Networks as their papers give them, and what they come to.

    >>> ALEXNET.parameters, ALEXNET["conv1"].output_shape
    (60965224, (55, 55, 96))

Layers are named as in the paper, or as is usual where it has no names. Response
normalisation and dropout are left out: they keep every shape, have nothing to learn
and no MACs. Where a paper's sizes do not come out whole, a comment says what is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from convlab.arithmetic import Conv, Dense, Layer, Norm, Pool, Relu, Row, Shape, trace
from convlab.blocks import (
    Distances,
    GroupedConv,
    Parallel,
    PartialConv,
    Residual,
    Subsampling,
    Thinned,
    UnevenConv,
    UnevenPool,
    depth,
)

Chain = tuple[Layer, ...]
IMAGENET = (224, 224, 3)
CLASSES = 1000


@dataclass(frozen=True)
class Part:
    """A line of a paper's table: one named layer, with its ReLU, or a block."""

    name: str
    rows: tuple[Row, ...]

    @property
    def input_shape(self) -> Shape:
        return self.rows[0].input_shape

    @property
    def output_shape(self) -> Shape:
        return self.rows[-1].output_shape

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> int:
        return sum(row.macs for row in self.rows)


@dataclass(frozen=True)
class Published:
    """A network: its name, the image it takes, its named layers in order."""

    name: str
    input_shape: Shape
    layers: Mapping[str, Chain]

    @property
    def chain(self) -> Chain:
        """All layers in one row."""
        return tuple(layer for chain in self.layers.values() for layer in chain)

    @cached_property
    def parts(self) -> dict[str, Part]:
        """Each named layer with its shapes and counts."""
        rows = iter(trace(self.chain, self.input_shape))
        return {name: Part(name, tuple(next(rows) for _ in chain))
                for name, chain in self.layers.items()}

    def __getitem__(self, name: str) -> Part:
        return self.parts[name]

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts.values())

    @property
    def macs(self) -> int:
        return sum(part.macs for part in self.parts.values())

    @property
    def depth(self) -> int:
        """Layers with weights on the longest way through."""
        return depth(self.chain)


# --- LeNet-5: LeCun et al. 1998, section II.B

# Table I: which maps of S2 each map of C3 sees. Six see three neighbours, six four
# neighbours, three four that are not all neighbours, the last one all.
C3_TABLE = (
    *(tuple(sorted((k + i) % 6 for i in range(3))) for k in range(6)),
    *(tuple(sorted((k + i) % 6 for i in range(4))) for k in range(6)),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5))

LENET5 = Published("LeNet-5", (32, 32, 1), {
    "C1": (Conv(6, 5),),
    "S2": (Subsampling(2, 2),),
    "C3": (PartialConv(C3_TABLE, 5),),
    "S4": (Subsampling(2, 2),),
    "C5": (Conv(120, 5),),
    "F6": (Dense(84),),
    "output": (Distances(10),),
})


# --- AlexNet: Krizhevsky et al. 2012, section 3.5


def alexnet(groups: int = 2) -> Published:
    """AlexNet on its two GPUs, or (groups=1) as one network on one.

    The input is 227x227, where the paper has 224x224, which does not give its
    55x55: (224 - 11)/4 + 1 = 54.25.
    """
    return Published("AlexNet", (227, 227, 3), {
        "conv1": (Conv(96, 11, stride=4), Relu()),
        "pool1": (Pool(3, 2),),
        "conv2": (GroupedConv(256, 5, pad=2, groups=groups), Relu()),
        "pool2": (Pool(3, 2),),
        "conv3": (Conv(384, 3, pad=1), Relu()),
        "conv4": (GroupedConv(384, 3, pad=1, groups=groups), Relu()),
        "conv5": (GroupedConv(256, 3, pad=1, groups=groups), Relu()),
        "pool5": (Pool(3, 2),),
        "fc6": (Dense(4096), Relu()),
        "fc7": (Dense(4096), Relu()),
        "fc8": (Dense(CLASSES),),
    })


# --- VGG: Simonyan and Zisserman 2015, table 1


def vgg(convolutions: tuple[int, ...] = (2, 2, 3, 3, 3), last: int = 3) -> Published:
    """VGG with so many convolutions in each of its five stages.

    The default is configuration D, VGG-16; (2, 2, 4, 4, 4) is E, VGG-19. `last` is
    the filter size of the third one in the last three stages: 1 for C.
    """
    layers: dict[str, Chain] = {}
    for stage, (count, filters) in enumerate(
            zip(convolutions, (64, 128, 256, 512, 512), strict=True), start=1):
        for k in range(1, count + 1):
            size = last if k == 3 else 3
            layers[f"conv{stage}_{k}"] = (
                Conv(filters, size, pad=(size - 1) // 2), Relu())
        layers[f"pool{stage}"] = (Pool(2, 2),)
    layers |= {"fc6": (Dense(4096), Relu()), "fc7": (Dense(4096), Relu()),
               "fc8": (Dense(CLASSES),)}
    return Published(f"VGG-{sum(convolutions) + 3}", IMAGENET, layers)


# --- GoogLeNet: Szegedy et al. 2015, table 1

# Filters: 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; pool projection.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128)}


def inception(one: int, reduce3: int, three: int, reduce5: int, five: int,
              projection: int, bias: bool = True) -> Parallel:
    """An inception module: four branches, three of them with a 1x1 convolution
    that makes the volume thinner."""
    def conv(filters: int, size: int) -> Chain:
        return Conv(filters, size, pad=(size - 1) // 2, bias=bias), Relu()

    return Parallel((
        conv(one, 1),
        conv(reduce3, 1) + conv(three, 3),
        conv(reduce5, 1) + conv(five, 5),
        # 3x3 windows at stride 1 keep the size with a border of one.
        (UnevenPool(3, 1, pad=(1, 1)), *conv(projection, 1))))


def googlenet(bias: bool = True) -> Published:
    """GoogLeNet without its two side outputs, which serve training alone.

    Its poolings of 3x3 at stride 2 do not fit (112 - 3 is odd): the last window
    reaches one row over the edge, as in the authors' sizes 112, 56, 28, 14, 7.
    """
    def pool() -> Chain:
        return (UnevenPool(3, 2, pad=(0, 1)),)

    layers: dict[str, Chain] = {
        # 7x7 at stride 2 on 224: three rows of zeros above, two below.
        "conv1": (UnevenConv(64, 7, 2, (3, 2), bias), Relu()),
        "pool1": pool(),
        "conv2": (Conv(64, 1, bias=bias), Relu(),
                  Conv(192, 3, pad=1, bias=bias), Relu()),
        "pool2": pool()}
    for name, filters in INCEPTION.items():
        if name in ("4a", "5a"):
            layers[f"pool{int(name[0]) - 1}"] = pool()
        layers[name] = (inception(*filters, bias=bias),)
    layers |= {"average": (Pool(7, 1, "average"),), "linear": (Dense(CLASSES, bias),)}
    return Published("GoogLeNet", IMAGENET, layers)


# --- ResNet: He et al. 2016, table 1 and section 4.2

RESNETS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3),
           50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def _convolution(filters: int, size: int, stride: int = 1, relu: bool = True) -> Chain:
    """Convolution, batch normalisation, ReLU; the size is divided by the stride.

    At stride 2 on an even number of rows, one row too many is left: a 3x3 filter
    gets zeros above and none below, a 1x1 filter leaves out the last row.
    """
    pad = (size - 1) // 2
    conv = (UnevenConv(filters, size, stride, (pad, pad - 1), bias=False)
            if stride == 2 else Conv(filters, size, 1, pad, bias=False))
    return (conv, Norm()) + ((Relu(),) if relu else ())


def residual(channels: int, filters: int, stride: int = 1) -> Chain:
    """Two 3x3 convolutions and a shortcut without parameters (option A)."""
    shortcut = (Thinned(filters, stride),) if (channels, 1) != (filters, stride) else ()
    return (Residual(_convolution(filters, 3, stride)
                     + _convolution(filters, 3, relu=False), shortcut), Relu())


def bottleneck(channels: int, filters: int, stride: int = 1) -> Chain:
    """1x1 to fewer channels, 3x3, 1x1 to four times as many; where the shape
    changes, the shortcut is a 1x1 convolution (option B)."""
    wide = 4 * filters
    shortcut = (_convolution(wide, 1, stride, relu=False)
                if (channels, 1) != (wide, stride) else ())
    return (Residual(_convolution(filters, 1, stride) + _convolution(filters, 3)
                     + _convolution(wide, 1, relu=False), shortcut), Relu())


def resnet(weighted: int) -> Published:
    """ResNet with 18, 34, 50, 101 or 152 layers with weights."""
    if weighted not in RESNETS:
        raise ValueError(f"there are ResNets of {', '.join(map(str, RESNETS))} layers, "
                         f"got {weighted}")
    block, widening = (residual, 1) if weighted < 50 else (bottleneck, 4)
    layers: dict[str, Chain] = {
        "conv1": _convolution(64, 7, 2),
        # 3x3 at stride 2 on 112: the first window reaches one row over the edge.
        "pool1": (UnevenPool(3, 2, pad=(1, 0)),)}
    channels = 64
    for stage, count in enumerate(RESNETS[weighted]):
        filters, chain = 64 << stage, ()
        for k in range(count):
            chain += block(channels, filters, 2 if stage and not k else 1)
            channels = filters * widening
        layers[f"conv{stage + 2}_x"] = chain
    layers |= {"average": (Pool(7, 1, "average"),), "fc": (Dense(CLASSES),)}
    return Published(f"ResNet-{weighted}", IMAGENET, layers)


def cifar_resnet(n: int) -> Published:
    """The ResNet of 6n + 2 layers with weights for CIFAR-10 (section 4.2)."""
    layers: dict[str, Chain] = {"first": _convolution(16, 3)}
    channels = 16
    for stage, filters in enumerate((16, 32, 64)):
        chain = ()
        for k in range(n):
            chain += residual(channels, filters, 2 if stage and not k else 1)
            channels = filters
        layers[f"maps of {32 >> stage}x{32 >> stage}"] = chain
    layers |= {"average": (Pool(8, 1, "average"),), "fc": (Dense(10),)}
    return Published(f"ResNet-{6 * n + 2}", (32, 32, 3), layers)


ALEXNET = alexnet()
VGG16 = vgg()
GOOGLENET = googlenet()
RESNET18, RESNET34, RESNET50 = resnet(18), resnet(34), resnet(50)
NETWORKS = (LENET5, ALEXNET, VGG16, GOOGLENET, RESNET18, RESNET34, RESNET50)
