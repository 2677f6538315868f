"""A notebook's own training: its place, going on from it, and what it shows."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from convlab import storage
from convlab.run import Run, RunError, being_graded


class Slope:
    """A network of one array; a step moves it by what the rng draws."""

    architecture, input_shape, classes = "SOFTMAX", (2, 2, 1), 2

    def __init__(self):
        self.parameters = {"w": np.arange(3.0)}

    def predict(self, images):
        return (images.sum(axis=(1, 2, 3)) > 0).astype(int)


def loop(run, stop_in=None, batch=4):
    """A student's loop; `stop_in` is the epoch that is cut short."""
    for epoch in run.epochs_left():
        for start in range(0, run.images, batch):
            size = min(batch, run.images - start)
            run.velocity["w"] = 0.5 * run.velocity["w"] + run.rng.normal(size=3)
            run.network.parameters["w"][...] -= run.velocity["w"] * run.part_done()
            run.batch_done(float(start), right=1, size=size)
            if epoch == stop_in and start:
                raise KeyboardInterrupt
    return run


def test_what_a_run_counts():
    run = Run(Slope(), 2, 10)
    parts, epochs = [], []
    for epoch in run.epochs_left():
        epochs.append(epoch)
        for size in (4, 4, 2):
            parts.append(run.part_done())
            run.batch_done(loss=size, right=size - 1, size=size)
    assert epochs == [1, 2]
    assert parts == pytest.approx([0, 4 / 20, 8 / 20, 10 / 20, 14 / 20, 18 / 20])
    assert run.part_done() == 1
    assert run.finished
    assert list(run.epochs_left()) == []
    assert run.history == [
        {"epoch": n, "loss": (4 * 4 + 4 * 4 + 2 * 2) / 10,
         "train_accuracy": (3 + 3 + 1) / 10, "validation_accuracy": None}
        for n in (1, 2)]


def test_the_validation_accuracy_is_that_of_predict():
    images = np.array([1, -1, 1, 1]).reshape(4, 1, 1, 1)
    run = loop(Run(Slope(), 1, 4, validation=(images, np.array([1, 0, 0, 1]))))
    assert run.history[0]["validation_accuracy"] == 3 / 4


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_going_on_after_an_interrupt_gives_the_same(tmp_path, epoch, capsys):
    whole = loop(Run(Slope(), 3, 10, seed=4))
    path = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        loop(Run(Slope(), 3, 10, seed=4, checkpoint=path), stop_in=epoch)
    again = loop(Run(Slope(), 3, 10, seed=4, checkpoint=path))
    np.testing.assert_array_equal(again.network.parameters["w"],
                                  whole.network.parameters["w"])
    np.testing.assert_array_equal(again.velocity["w"], whole.velocity["w"])
    assert again.history == whole.history
    said = f"{epoch - 1} of 3 epochs are done" if epoch > 1 else ""
    assert said in capsys.readouterr().out
    third = Run(Slope(), 3, 10, seed=4, checkpoint=path)
    assert third.finished
    np.testing.assert_array_equal(third.network.parameters["w"],
                                  whole.network.parameters["w"])


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    loop(Run(Slope(), 1, 10, checkpoint=path))
    with pytest.raises(RunError, match="images is 10 there and 12 here. Delete it"):
        Run(Slope(), 1, 12, checkpoint=path)
    path.write_bytes(b"half a file")
    with pytest.raises(storage.StorageError, match="is damaged"):
        Run(Slope(), 1, 10, checkpoint=path)


def test_a_loop_that_tells_nothing_or_loses_its_way_is_told():
    run = Run(Slope(), 1, 10)
    with pytest.raises(RunError, match=r"run.batch_done was never called"):
        for _ in run.epochs_left():
            pass
    with pytest.raises(RunError, match="the loss became nan in epoch 1"):
        run.batch_done(float("nan"), 0, 4)
    with pytest.raises(ValueError, match="at least one epoch"):
        Run(Slope(), 0, 10)


def test_on_a_terminal_a_line_an_epoch(capsys):
    loop(Run(Slope(), 2, 4, show=True))
    said = capsys.readouterr()
    assert said.out == ("after epoch 1: loss 0.000, training accuracy 25.0%\n"
                        "after epoch 2: loss 0.000, training accuracy 25.0%\n")
    assert said.err == ""


SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.displaypub import DisplayPublisher
from traitlets import Type
shown = []
class Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, *, transient=None, update=False, **_):
        shown.append([update, transient["display_id"], data])
class Shell(InteractiveShell):
    display_pub_class = Type(Publisher)
shell = Shell.instance()
from convlab.tests.test_run import Slope, loop
from convlab.run import Run
loop(Run(Slope(), 2, 8, show=True))
json.dump(shown, open("shown.json", "w"))
"""


def test_in_a_notebook_one_output_is_drawn_in_place(tmp_path):
    done = subprocess.run([sys.executable, "-c", SHELL], cwd=tmp_path,
                          capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
    shown = json.loads((tmp_path / "shown.json").read_text())
    assert [update for update, _, _ in shown] == [False] + [True] * (len(shown) - 1)
    assert len({name for _, name, _ in shown}) == 1
    first, last = shown[0][2], shown[-1][2]
    assert "epoch 1 of 2" in first["text/plain"]
    assert "100%  2 epochs in 0:00" in last["text/plain"]
    assert "after epoch 2: loss 2.000, training accuracy 25.0%" in last["text/plain"]
    assert last["text/html"].count("<img") == 1


def test_the_grader_is_known_by_its_variable(monkeypatch):
    monkeypatch.delenv("CONVLAB_GRADING", raising=False)
    assert not being_graded()
    monkeypatch.setenv("CONVLAB_GRADING", "1")
    assert being_graded()
