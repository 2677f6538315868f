"""The figures of what stands on features, and of pooling's way back, in numbers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from book import figures
from book.figures.heads import JOINTS, LIMBS
from book.figures.pooling import gradient
from convlab.arithmetic import Conv, Pool, SizeError
from convlab.layers import (
    avgpool_backward,
    maxpool_backward,
    maxpool_forward,
)

TIED = [[1, 3, 2, 0, 1], [3, 0, 5, 1, 5], [-2, -1, 4, 4, -1], [-6, -3, 4, 0, 2],
        [0, 5, 1, 1, 2]]
STAGES = [Conv(16, 7, pad=3), Pool(), Conv(64, 7, pad=3), Pool(), Conv(256, 7, pad=3)]


def words(drawing) -> set[str]:
    root = ElementTree.fromstring(drawing.svg)
    return {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}


@pytest.mark.parametrize(("side", "size", "stride"), [(4, 2, 2), (5, 3, 2), (5, 3, 1)])
def test_gradient_of_pooling_agrees_with_the_layers(side, size, stride):
    x = np.array(TIED, float)[:side, :side]
    batch = x[np.newaxis, :, :, np.newaxis]
    y, argmax = maxpool_forward(batch, size, stride)
    dy = np.arange(1.0, y.size + 1).reshape(y.shape)
    rows = dy[0, :, :, 0].tolist()
    for kind, dx in (("max", maxpool_backward(dy, argmax, batch.shape)),
                     ("average", avgpool_backward(dy, batch.shape, size, stride))):
        assert np.allclose(gradient(x.tolist(), rows, size, stride, kind),
                           dx[0, :, :, 0])


def test_gradient_of_pooling_by_hand():
    x, dy = [[1, 3], [3, 0]], [[8]]
    assert gradient(x, dy, 2, 2, "max") == [[0, 8], [0, 0]]  # the first of two threes
    assert gradient(x, dy, 2, 2, "average") == [[8 / 4, 8 / 4], [8 / 4, 8 / 4]]


def test_a_move_by_the_stride_moves_the_output_by_one():
    alt = figures.shifted_pooling([1, 2, 9, 3, 1, 0, 0, 0], [0, 1, 2]).alt
    assert re.findall(r"gives ([\d, ]+)", alt) == [
        "2, 9, 1, 0", "1, 9, 3, 0", "0, 2, 9, 1"]


def test_anchors_are_counted():
    shown = words(figures.anchors((640, 960, 3), 16, (128, 256, 512), (0.5, 1, 2)))
    assert "40x60 positions, 9 boxes at each:" in shown
    assert "21,600 boxes" in shown  # 40 * 60 * 9


def test_every_place_has_the_features_of_all_scales():
    shown = words(figures.every_pixel((240, 320, 3), STAGES, 3, 33))
    assert {"240x320x3", "120x160x3", "60x80x3", "30x40x256", "60x80x768",
            "60x80x1"} <= shown


def test_a_pose_has_two_numbers_a_joint_and_limbs_between_joints():
    assert {"28", "14 joints"} <= words(figures.pose((220, 220, 3), 4096))
    assert {joint for limb in LIMBS for joint in limb} == set(range(len(JOINTS)))


def test_each_word_enters_the_step_after_it():
    alt = figures.captioned((224, 224, 3), 512, 9000, ["a", "dog", "end"]).alt
    assert "3 steps" in alt
    assert alt.endswith("a dog end.")


@pytest.mark.parametrize("wrong", [
    lambda: figures.neighbours((32, 32, 3), 64, 5, 6),
    lambda: figures.neighbours((32, 32), 64, 1000, 6),
    lambda: figures.anchors((600, 1000, 3), 16, (128,), (1,)),
    lambda: figures.anchors((640, 960, 3), 16, (32,) * 9, (1,)),
    lambda: figures.every_pixel((30, 40, 3), STAGES, 3, 33),
    lambda: figures.captioned((224, 224, 3), 512, 9000, ["a"]),
    lambda: figures.captioned((224, 224, 3), 0, 9000, ["a", "dog"]),
    lambda: figures.pose((220, 220), 4096),
    lambda: figures.two_streams((224, 224, 3), (224, 224), 101),
    lambda: figures.pooling_gradient([[1, 2], [3, 4]], [[1, 2]]),
    lambda: figures.pooling_gradient([[1, 2], [3, 4]], [[1]], kind="median"),
    lambda: figures.shifted_pooling([1, 2, 3], [0]),
    lambda: figures.shifted_pooling([1, 2], [2]),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()
