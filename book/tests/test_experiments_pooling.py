"""What the experiment of the chapter "Pooling" is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from book.experiments import pooling
from convlab.architecture import trace_architecture
from convlab.arithmetic import numbers_in
from convlab.data import shapes


def test_networks_have_the_same_shapes_and_differ_in_the_halving_alone():
    rows = {name: trace_architecture(pooling.architecture(name), (32, 32, 3), 10)
            for name in pooling.HALVINGS}
    assert [row.output_shape for row in rows["max"]] == [
        row.output_shape for row in rows["average"]]
    assert rows["max"][8].output_shape == (4, 4, 64)
    shapes_of = {name: {row.output_shape for row in each}
                 for name, each in rows.items()}
    assert shapes_of["max"] == shapes_of["convolution"]
    count = {name: sum(row.parameters for row in each) for name, each in rows.items()}
    # Three layers of 2x2 filters, as many as channels, each with a bias.
    extra = sum(k * (numbers_in((2, 2, k)) + 1) for k in (16, 32, 64))
    assert count["convolution"] - count["max"] == extra
    assert count["average"] == count["max"]


def test_moved_to_the_right_and_mirrored_at_the_edge():
    image = np.arange(5).reshape(1, 1, 5, 1)
    assert pooling.moved(image, 0).ravel().tolist() == [0, 1, 2, 3, 4]
    assert pooling.moved(image, 2).ravel().tolist() == [2, 1, 0, 1, 2]


@pytest.mark.parametrize("halving", pooling.HALVINGS)
def test_a_small_run_says_what_the_page_asks_for(halving, monkeypatch):
    monkeypatch.setattr(pooling, "RUNS", 1)
    monkeypatch.setattr(pooling, "RECIPE", replace(pooling.RECIPE, epochs=1))
    data = shapes.load(train=64, test=20)
    found = pooling.measured(halving, data, 0)
    assert len(found["accuracies"]) == len(found["kept"]) == 1
    assert len(found["kept"][0]) == len(pooling.MOVES)
    assert all(0 <= part <= 1 for part in found["kept"][0])
