"""Figures of published networks show their shapes, joins and misfits."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from book.figures import networks
from convlab.arithmetic import Conv, SizeError, times
from convlab.blocks import Parallel, PartialConv, Residual
from convlab.published import (
    ALEXNET,
    INCEPTION,
    LENET5,
    NETWORKS,
    VGG16,
    Published,
    alexnet,
    inception,
    residual,
)

C3 = LENET5.layers["C3"][0]
SVG = "{http://www.w3.org/2000/svg}"


def words(drawing) -> list[str]:
    root = ElementTree.fromstring(drawing.svg)
    return [text.text for text in root.iter(f"{SVG}text")]


def test_profile_says_every_volume():
    shown = networks.profile(LENET5)
    for part in LENET5.parts.values():
        assert f"{part.name} {times(part.output_shape)}" in shown.alt
    assert {"28x28", "14x14", "10x10", "5x5", "1x1", "6", "16", "120", "84"} <= set(
        words(shown))


def test_partial_connections_fill_a_square_for_each():
    shown = networks.partial_connections(C3, 6)
    filled = shown.svg.count('fill-opacity="0.75"')
    assert filled == 6 * 3 + 9 * 4 + 6
    assert "6 see 3, 9 see 4, 1 see 6 input maps" in shown.alt


def test_last_places_say_what_alexnets_first_layer_leaves():
    bare, wide, padded = (networks.last_places(n, 11, 4, *sides) for n, *sides in (
        (224,), (227,), (224, 2, 1)))
    assert "54 places, 1 column left" in words(bare)
    assert "55 places, all covered" in words(wide)
    assert "55 places, all covered" in words(padded)


def test_only_some_layers_cross_between_the_gpus():
    assert "only into conv3, fc6, fc7, fc8 do" in networks.two_gpus(ALEXNET).alt
    half, joined = (networks.two_gpus(one).svg.count("<line")
                    for one in (ALEXNET, alexnet(groups=1)))
    # Two lines straight down into each of seven layers, two more where they cross.
    assert half == 7 * 2 + 4 * 2
    assert joined == 7 * 4


def test_blocks_say_what_each_way_gives():
    shown = networks.block((28, 28, 192), inception(*INCEPTION["3a"]))
    assert {"96 of 1x1", "28x28x96", "128 of 3x3", "28x28x128", "max pool 3x3",
            "28x28x192", "stacked", "28x28x256"} <= set(words(shown))
    shown = networks.block((56, 56, 64), residual(64, 64)[0])
    assert "way 2: nothing, the input itself" in shown.alt
    assert "added: 56x56x64" in shown.alt
    shown = networks.block((56, 56, 64), residual(64, 128, 2)[0])
    assert "128 of 3x3, stride 2" in words(shown)
    assert "thinned, zeros" in words(shown)


def test_comparison_orders_networks_as_their_numbers_do():
    drawing = networks.comparison(NETWORKS)
    root = ElementTree.fromstring(drawing.svg)
    middles = {}
    names = [one.name for one in NETWORKS]
    for name, polygon in zip(names, root.iter(f"{SVG}polygon"), strict=True):
        corners = [tuple(map(float, point.split(",")))
                   for point in polygon.get("points").split()]
        middles[name] = (sum(x for x, _ in corners) / 4, sum(y for _, y in corners) / 4)
    by_parameters = sorted(NETWORKS, key=lambda one: one.parameters)
    by_macs = sorted(NETWORKS, key=lambda one: one.macs)
    assert sorted(names, key=lambda n: middles[n][0]) == [n.name for n in by_parameters]
    assert sorted(names, key=lambda n: -middles[n][1]) == [n.name for n in by_macs]
    assert set(names) <= set(words(drawing))


@pytest.mark.parametrize("wrong", [
    lambda: networks.partial_connections(PartialConv(((0, 7),), 5), 6),
    lambda: networks.last_places(5, 11, 4),
    lambda: networks.two_gpus(LENET5_ODD),
    lambda: networks.block((5, 5, 1), Parallel(((Conv(1, 1),),))),
    lambda: networks.block((5, 5, 1), Residual((Conv(2, 1),))),
    lambda: networks.block((5, 5, 1), Residual((residual(1, 1)[0],))),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()


LENET5_ODD = Published("odd", (8, 8, 1), {"conv1": (Conv(5, 3),)})


def test_phone_width():
    for drawing in (networks.profile(ALEXNET), networks.profile(VGG16),
                    networks.comparison(NETWORKS[1:]), networks.two_gpus(ALEXNET),
                    networks.partial_connections(C3, 6)):
        assert drawing.width <= 450
        assert not re.search(r"nan|inf", drawing.svg)
