"""Layers on top of one another: what is drawn is what the arithmetic says."""

from __future__ import annotations

import itertools

import pytest

from book import figures
from book.figures.costs import percent, shares
from book.figures.stacks import path_counts, seen_by
from convlab.arithmetic import (
    Conv,
    Dense,
    Pool,
    Relu,
    SizeError,
    receptive_field,
)

SMALL = [Conv(2, 3), Relu(), Pool(), Dense(10)]  # 6x6x1 -> 4x4x2 -> 2x2x2 -> 10


def test_shares_of_a_network_counted_by_hand():
    (_, shape, conv), (name, _, fc) = shares((6, 6, 1), SMALL)
    assert (shape, name) == ((4, 4, 2), "fc1")
    parameters = 2 * (9 + 1), 10 * (8 + 1)
    macs = 4 * 4 * 2 * 9, 8 * 10
    outputs = 4 * 4 * 2, 10
    for k, counts in enumerate((parameters, macs, outputs)):
        assert conv[k] == counts[0] / sum(counts)
        assert fc[k] == counts[1] / sum(counts)


def test_percent_never_says_nothing_of_something():
    assert [percent(part) for part in (0, 1e-9, 0.0049, 0.0051, 0.736, 1)] == [
        "0 %", "under 1 %", "under 1 %", "1 %", "74 %", "100 %"]


@pytest.mark.parametrize(("n", "layers"), [
    (7, [Conv(1, 3)] * 3), (8, [Conv(1, 3), Pool(), Conv(1, 3)]),
    (11, [Conv(1, 5, 2), Conv(1, 2), Conv(1, 3)])])
def test_what_the_top_sees_is_its_receptive_field(n, layers):
    sizes, seen = seen_by(layers, n)
    assert len(seen[0]) == receptive_field(layers)[0]
    assert len(seen[-1]) == 1
    assert all(0 <= part[0] <= part[-1] < size
               for size, part in zip(sizes, seen, strict=True))


def test_paths_walked_one_by_one():
    for size, layers in ((3, 1), (3, 3), (2, 4), (5, 2)):
        ends = [sum(steps) for steps in itertools.product(range(size), repeat=layers)]
        assert path_counts(size, layers) == [
            ends.count(place) for place in range(layers * (size - 1) + 1)]


def test_two_3x3_need_fewer_weights_than_one_5x5():
    assert "25 weights" in figures.stacked_windows(5, [5]).svg
    assert "18 weights" in figures.stacked_windows(5, [3, 3]).svg


@pytest.mark.parametrize("wrong", [
    lambda: figures.costs((6, 6, 1), [Relu()]),
    lambda: figures.pixel((6, 6), 2, 0, 0),
    lambda: figures.stacked_windows(5, [3]),
    lambda: figures.stacked_windows(5, [3, 5]),
    lambda: figures.reach(7, [Conv(1, 3, pad=1)]),
    lambda: figures.reach(8, [Conv(1, 3, stride=2)]),
    lambda: figures.paths(0, 2),
    lambda: figures.paths(3, 0),
    lambda: figures.same_region((32, 32, 3), 7, 5, 0, 0),
    lambda: figures.same_region((32, 32, 3), 5, 5, 28, 0),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()
