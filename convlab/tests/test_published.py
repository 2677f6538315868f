"""The published networks come to what their papers say."""

import numpy as np
import pytest

from convlab.arithmetic import numbers_in, output_size, trace
from convlab.blocks import PartialConv
from convlab.published import (
    ALEXNET,
    C3_TABLE,
    GOOGLENET,
    LENET5,
    NETWORKS,
    RESNET18,
    RESNET34,
    RESNET50,
    VGG16,
    alexnet,
    bottleneck,
    cifar_resnet,
    googlenet,
    resnet,
    vgg,
)


def near(ours: float, stated: float, digits: int) -> bool:
    """Equal once rounded to as many decimals as the paper gives."""
    return round(ours, digits) == stated


def test_depths_are_the_ones_in_the_names_and_papers():
    assert {one.name: one.depth for one in NETWORKS[1:]} == {
        "AlexNet": 8, "VGG-16": 16, "GoogLeNet": 22,
        "ResNet-18": 18, "ResNet-34": 34, "ResNet-50": 50}


# --- LeCun et al. 1998, section II.B


@pytest.mark.parametrize("name, shape, parameters, connections", [
    ("C1", (28, 28, 6), 156, 122_304), ("S2", (14, 14, 6), 12, 5_880),
    ("C3", (10, 10, 16), 1_516, 151_600), ("S4", (5, 5, 16), 32, 2_000),
    ("C5", (1, 1, 120), 48_120, 48_120), ("F6", (84,), 10_164, 10_164)])
def test_lenet5_layer_by_layer(name, shape, parameters, connections):
    part = LENET5[name]
    assert (part.output_shape, part.parameters) == (shape, parameters)
    # The paper counts a bias as a connection, one for each number of the output.
    assert part.macs + numbers_in(part.output_shape) == connections


def test_lenet5_in_all():
    biases = sum(numbers_in(part.output_shape) for part in LENET5.parts.values())
    outputs = numbers_in(LENET5["output"].output_shape)  # distances have no bias
    assert LENET5.parameters == 60_000
    assert LENET5.macs + biases - outputs == 340_908
    # 6*(3*25 + 1) + 9*(4*25 + 1) + 1*(6*25 + 1), the paper's three kinds of map
    assert LENET5["C3"].parameters == 6 * 76 + 9 * 101 + 151


def test_c3_table_is_balanced_and_has_the_papers_kinds():
    assert [len(seen) for seen in C3_TABLE] == [3] * 6 + [4] * 9 + [6]
    assert len(set(C3_TABLE)) == 16
    # Each map of S2 is seen by ten of C3: 10 crosses in each row of table I.
    assert np.bincount([c for seen in C3_TABLE for c in seen]).tolist() == [10] * 6
    assert C3_TABLE[:6] == ((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5),
                            (0, 1, 5))


# --- Krizhevsky et al. 2012


@pytest.mark.parametrize("name, shape, parameters, macs", [
    ("conv1", (55, 55, 96), 96 * (11 * 11 * 3 + 1), 55 * 55 * 96 * (11 * 11 * 3)),
    ("pool1", (27, 27, 96), 0, 0),
    ("conv2", (27, 27, 256), 256 * (5 * 5 * 48 + 1), 27 * 27 * 256 * (5 * 5 * 48)),
    ("pool2", (13, 13, 256), 0, 0),
    ("conv3", (13, 13, 384), 384 * (3 * 3 * 256 + 1), 13 * 13 * 384 * (9 * 256)),
    ("conv4", (13, 13, 384), 384 * (3 * 3 * 192 + 1), 13 * 13 * 384 * (9 * 192)),
    ("conv5", (13, 13, 256), 256 * (3 * 3 * 192 + 1), 13 * 13 * 256 * (9 * 192)),
    ("pool5", (6, 6, 256), 0, 0),
    ("fc6", (4096,), 4096 * (6 * 6 * 256 + 1), 4096 * 6 * 6 * 256),
    ("fc7", (4096,), 4096 * (4096 + 1), 4096 * 4096),
    ("fc8", (1000,), 1000 * (4096 + 1), 1000 * 4096)])
def test_alexnet_layer_by_layer(name, shape, parameters, macs):
    part = ALEXNET[name]
    assert (part.output_shape, part.parameters, part.macs) == (shape, parameters, macs)


def test_alexnet_has_the_papers_parameters_and_neurons():
    neurons = [numbers_in(part.output_shape) for part in ALEXNET.parts.values()
               if part.parameters]
    assert int(ALEXNET.parameters / 1e6) == 60  # "60 million"
    assert int(sum(neurons) / 1e4) == 65  # "650,000"
    # figure 2, but for its first number, which is 55*48*96 there
    assert neurons[1:] == [186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert neurons[0] == 55 * 55 * 96
    assert 55 * 48 * 96 == 253_440


def test_one_gpu_would_join_every_filter_to_every_channel():
    one = alexnet(groups=1)
    saved = {"conv2": 256 * 25 * 48, "conv4": 384 * 9 * 192, "conv5": 256 * 9 * 192}
    for name, weights in saved.items():
        assert one[name].parameters - ALEXNET[name].parameters == weights
        assert one[name].macs == 2 * ALEXNET[name].macs
    assert one.parameters - ALEXNET.parameters == sum(saved.values())


# --- Simonyan and Zisserman 2015, table 2; the MACs are in He et al. 2016


@pytest.mark.parametrize("network, millions", [
    (vgg((1, 1, 2, 2, 2)), 133), (vgg((2, 2, 2, 2, 2)), 133), (vgg(last=1), 134),
    (VGG16, 138), (vgg((2, 2, 4, 4, 4)), 144)], ids="ABCDE")
def test_vgg_parameters(network, millions):
    assert near(network.parameters / 1e6, millions, 0)


def test_vgg_macs():
    vgg19 = vgg((2, 2, 4, 4, 4))
    dense = sum(VGG16[name].macs for name in ("fc6", "fc7", "fc8"))
    assert near(vgg19.macs / 1e9, 19.6, 1)
    assert near((VGG16.macs - dense) / 1e9, 15.3, 1)  # its convolutions alone


# --- Szegedy et al. 2015, table 1

# Name: output, thousands (1024) of weights, millions of MACs. Left out are numbers
# of the table that do not follow from its own filters, listed below.
GOOGLENET_TABLE = {
    "conv1": ((112, 112, 64), None, None), "pool1": ((56, 56, 64), 0, 0),
    "conv2": ((56, 56, 192), 112, 360), "pool2": ((28, 28, 192), 0, 0),
    "3a": ((28, 28, 256), 159, 128), "3b": ((28, 28, 480), 380, 304),
    "pool3": ((14, 14, 480), 0, 0), "4a": ((14, 14, 512), 364, 73),
    "4b": ((14, 14, 512), 437, 88), "4c": ((14, 14, 512), None, 100),
    "4d": ((14, 14, 528), 580, 119), "4e": ((14, 14, 832), 840, 170),
    "pool4": ((7, 7, 832), 0, 0), "5a": ((7, 7, 832), None, None),
    "5b": ((7, 7, 1024), 1388, 71), "average": ((1, 1, 1024), 0, 0),
    "linear": ((1000,), 1000, 1)}


@pytest.mark.parametrize("name", GOOGLENET_TABLE)
def test_googlenet_row_by_row(name):
    shape, thousands, millions = GOOGLENET_TABLE[name]
    part = googlenet(bias=False)[name]
    assert part.output_shape == shape
    if thousands is not None:
        assert part.parameters / 1024 == pytest.approx(thousands, rel=0.02)
    if millions is not None:
        assert part.macs / 1e6 == pytest.approx(millions, rel=0.01, abs=0.5)


def test_googlenet_table_is_the_whole_network():
    assert list(GOOGLENET_TABLE) == list(GOOGLENET.parts)


def test_where_googlenet_and_its_table_do_not_agree():
    ours = googlenet(bias=False)
    assert ours["conv1"].parameters == 7 * 7 * 3 * 64  # there: 2.7K
    assert ours["conv1"].macs == 112 * 112 * 7 * 7 * 3 * 64  # there: 34M
    # 4c and 5a: 128, 128-256, 24-64, 64 on 512 and 256, 160-320, 32-128, 128 on 832
    assert ours["4c"].parameters == (
        512 * (128 + 128 + 24 + 64) + 9 * 128 * 256 + 25 * 24 * 64)  # there: 463K
    assert ours["5a"].parameters == (
        832 * (256 + 160 + 32 + 128) + 9 * 160 * 320 + 25 * 32 * 128)  # there: 1072K


# --- He et al. 2016


@pytest.mark.parametrize("network, billions", [
    (RESNET18, 1.8), (RESNET34, 3.6), (resnet(101), 7.6), (resnet(152), 11.3)],
    ids=lambda one: getattr(one, "name", None))
def test_resnet_macs(network, billions):  # table 1
    assert near(network.macs / 1e9, billions, 1)


def test_resnet50_is_cut_off_in_its_table():  # 3.8 there
    assert 3.8 < RESNET50.macs / 1e9 < 3.9


@pytest.mark.parametrize("n, millions, digits", [
    (3, 0.27, 2), (5, 0.46, 2), (7, 0.66, 2), (9, 0.85, 2), (18, 1.7, 1),
    (200, 19.4, 1)])
def test_resnets_for_cifar10(n, millions, digits):  # table 6
    network = cifar_resnet(n)
    assert network.depth == 6 * n + 2
    assert near(network.parameters / 1e6, millions, digits)


@pytest.mark.parametrize("network", [RESNET18, RESNET34, RESNET50])
def test_resnet_shapes(network):  # table 1
    wide = 4 if network is RESNET50 else 1
    assert [part.output_shape for part in network.parts.values()] == [
        (112, 112, 64), (56, 56, 64), (56, 56, 64 * wide), (28, 28, 128 * wide),
        (14, 14, 256 * wide), (7, 7, 512 * wide), (1, 1, 512 * wide), (1000,)]


def test_a_bottleneck_block_by_hand():  # figure 5, right
    block, _ = trace(bottleneck(256, 64), (56, 56, 256))
    weights = 256 * 64 + 9 * 64 * 64 + 64 * 256
    assert block.parameters == weights + 2 * (64 + 64 + 256)  # batch normalisation
    assert block.macs == 56 * 56 * weights


def test_there_is_no_resnet_of_20_layers_for_imagenet():
    with pytest.raises(ValueError, match="ResNets of 18, 34, 50, 101, 152 layers"):
        resnet(20)


def test_what_does_not_fit_is_open_in_the_layers():
    """A size that a framework would round is a row of zeros or a row left out."""
    rounded = [(one.name, name) for one in NETWORKS for name, part in one.parts.items()
               for row in part.rows if not _even(row)]
    assert rounded == [
        ("GoogLeNet", "conv1"), *(("GoogLeNet", f"pool{k}") for k in (1, 2, 3, 4)),
        *((name, part) for name in ("ResNet-18", "ResNet-34", "ResNet-50")
          for part in ("conv1", "pool1"))]


def _even(row) -> bool:
    """A window layer whose plain formula gives its output."""
    layer = row.layer
    if not hasattr(layer, "size") or isinstance(layer, PartialConv):
        return True
    sides = layer.pad if isinstance(layer.pad, tuple) else (layer.pad,) * 2
    return sides[0] == sides[1] and row.output_shape[0] == output_size(
        row.input_shape[0], layer.size, layer.stride, sides[0])
