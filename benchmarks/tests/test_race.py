"""The race to an accuracy: the same training, whoever computes the network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import pytorch, race
from benchmarks.contenders import OURS
from benchmarks.step import noise
from benchmarks.tables import MISSING
from convlab import layers
from convlab.machine import machine
from convlab.network import Network
from convlab.recipes import Setup
from convlab.train import run, usual_folder
from convlab.training import Recipe

SETUP = Setup("CONV{3}-POOL-NORM-RELU-POOL{4}-FC{5}-RELU,SOFTMAX",
              Recipe(epochs=2, batch_size=8, held_out=4, flip=True, mirror=True))
RUN = {"ends": [10.0, 20.0, 30.0], "held_out": [0.5, 0.8, 0.86]}


def test_the_first_epoch_that_reaches_a_mark_counts():
    assert race.first_at(0.8, RUN) == 20.0
    assert race.first_at(0.85, RUN) == 30.0
    assert race.first_at(0.9, RUN) is None


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path):
    """The recipe "tiny", on noise, in a folder without runs."""
    monkeypatch.setitem(race.SETUPS, "tiny", SETUP)
    monkeypatch.setattr(race.data, "load", lambda name: noise(20))
    monkeypatch.chdir(tmp_path)


def finish(monkeypatch, seed, computer):
    """Leave the log of a run of `make train` on that computer."""
    with monkeypatch.context() as change:
        change.setattr("convlab.train.machine", lambda: computer)
        recipe = replace(SETUP.recipe, seed=seed)
        setup = replace(SETUP, recipe=recipe)
        run(setup, usual_folder("tiny", setup))


def test_a_finished_run_of_make_train_is_ours(monkeypatch, capsys):
    monkeypatch.setattr(race, "torch", None)
    finish(monkeypatch, 3, machine())
    trained = race.measure(3, "tiny", take_finished=False)
    taken = race.measure(3, "tiny")
    assert trained["taken_from"] is None
    assert taken["taken_from"] == "runs/tiny-2epochs-seed3"
    held_out = [each["runs"][OURS]["held_out"] for each in (taken, trained)]
    assert held_out[0] == held_out[1]
    assert sorted(taken["runs"][OURS]["ends"]) == taken["runs"][OURS]["ends"]
    assert any("runs/tiny-2epochs-seed3" in line for line in race.lines(taken))


def test_a_run_of_another_machine_is_none_of_ours(monkeypatch, capsys):
    monkeypatch.setattr(race, "torch", None)
    finish(monkeypatch, 3, "another, 1 core")
    assert race.measure(3, "tiny")["taken_from"] is None


def test_every_run_has_a_line(monkeypatch):
    monkeypatch.setattr(pytorch, "torch", None)
    monkeypatch.setattr(race, "torch", None)
    found = race.measure(3, "tiny")
    assert list(found["runs"]) == [OURS]
    assert len(found["runs"][OURS]["ends"]) == found["epochs"] == 2
    text = race.lines(found)
    assert any(line.startswith(OURS) and "never" in line for line in text)
    assert MISSING in text[-1]
    row = next(line for line in race.lines({**found, "runs": {OURS: RUN}})
               if line.startswith(OURS))
    assert row.split() == [OURS, "20", "s", "30", "s", "never", "30", "s", "86.0%"]


@pytest.mark.skipif(pytorch.torch is None, reason="PyTorch is not installed")
def test_pytorch_learns_the_same():
    images = noise(8).train_images
    labels = noise(8).train_labels
    ours, theirs = (
        kind(SETUP.architecture, (32, 32, 3), 10, layers, seed=1)
        for kind in (Network, race.TorchNetwork))
    for network in (ours, theirs):
        network.frozen = {"conv1"}
    expected, found = (network.learn_from(images, labels, 0.1, 0.5)
                       for network in (ours, theirs))
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    assert list(found[1]) == list(expected[1])
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(found[1][name], gradient, atol=1e-5)
    np.testing.assert_allclose(theirs.forward(images), ours.forward(images), rtol=1e-2)
    for settings in {"mirror": True}, {"mirror": True, "around": 1}:
        np.testing.assert_array_equal(theirs.predict(images, **settings),
                                      ours.predict(images, **settings))


@pytest.mark.skipif(pytorch.torch is None, reason="PyTorch is not installed")
def test_both_run_the_race():
    found = race.measure(0, "tiny")
    assert list(found["runs"]) == [OURS, race.TORCH]
