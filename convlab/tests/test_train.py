import io
import json
import math
import os
import signal
from contextlib import redirect_stdout
from dataclasses import replace

import numpy as np
import pytest
import requests

from convlab import data, layers, train
from convlab.machine import machine
from convlab.network import Network
from convlab.recipes import SETUPS
from convlab.training import accuracy, checksum

SMALL = "[CONV{4}-RELU-POOL]*1,SOFTMAX"
FILES = ["confusion.svg", "curves.svg", "log.json", "weights.npz"]


def command(folder, *more):
    return ["--data", "digits", "--epochs", "2", "--architecture", SMALL,
            "--out", str(folder), *more]


@pytest.fixture(scope="module")
def printed_and_folder(tmp_path_factory):
    """What a run prints, and its folder."""
    folder = tmp_path_factory.mktemp("runs") / "new"
    with redirect_stdout(io.StringIO()) as printed:
        assert train.main(command(folder)) == 0
    return printed.getvalue(), folder


@pytest.fixture
def finished(printed_and_folder):
    return printed_and_folder[1]


def log_of(folder):
    return json.loads((folder / "log.json").read_text("utf-8"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_a_run_leaves(finished):
    assert sorted(contents(finished)) == FILES
    log = log_of(finished)
    assert (log["data"], log["architecture"]) == ("digits", SMALL)
    assert (log["recipe"]["epochs"], log["recipe"]["seed"]) == (2, 0)
    assert log["machine"] == machine()
    assert log["data_crc32"] == checksum(data.load("digits"))
    assert len(log["history"]) == 2
    # To a tenth of a second: the epochs of so small a run may take none.
    assert 0 <= log["history"][0]["seconds"] <= log["history"][1]["seconds"]
    assert log["history"][1]["seconds"] == log["seconds"]
    assert 20e6 < log["peak_memory_bytes"] < 100e9


def test_the_weights_have_the_accuracy_that_the_log_says(finished):
    digits = data.load("digits")
    network = Network(SMALL, (8, 8, 1), 10, layers)
    network.load_weights(finished / "weights.npz")
    reached = accuracy(network, digits.test_images, digits.test_labels)
    assert log_of(finished)["test_accuracy"] == reached > 0.3


def test_a_finished_run_is_left_alone(finished, capsys):
    before = contents(finished)
    assert train.main(command(finished)) == 0
    assert capsys.readouterr().out.startswith("Finished already: test accuracy ")
    assert contents(finished) == before


def test_what_is_printed(printed_and_folder):
    out, _ = printed_and_folder
    for piece in ("1,437 training images (200 of them held out), 360 test images",
                  "seed          0", machine(), "epoch 2/2: loss ",
                  "test accuracy ", " of 360 images), trained in "):
        assert piece in out


def test_an_interrupted_run_goes_on(finished, tmp_path, monkeypatch, capsys):
    digits, recipe = data.load("digits"), SETUPS["digits"].recipe
    trained_on = len(digits.train_labels) - recipe.held_out
    steps, steps_an_epoch = 0, math.ceil(trained_on / recipe.batch_size)

    def dense_backward(*arguments):
        nonlocal steps
        steps += 1
        if steps == steps_an_epoch + 10:
            os.kill(os.getpid(), signal.SIGINT)
        return layers.dense_backward(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train, "layers",
                      {**vars(layers), "dense_backward": dense_backward})
        assert train.main(command(tmp_path)) == train.INTERRUPTED
    assert "Run the same command again" in capsys.readouterr().out
    assert sorted(contents(tmp_path)) == ["checkpoint.npz", "weights.npz"]

    assert train.main(command(tmp_path)) == 0
    assert "going on from" in capsys.readouterr().out
    assert sorted(contents(tmp_path)) == FILES
    for key in ("test_accuracy", "best_epoch"):
        assert log_of(tmp_path)[key] == log_of(finished)[key]
    for row, other in zip(log_of(tmp_path)["history"], log_of(finished)["history"],
                          strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    with np.load(tmp_path / "weights.npz") as a, np.load(finished / "weights.npz") as b:
        for name in Network(SMALL, (8, 8, 1), 10, layers).parameters:
            np.testing.assert_array_equal(a[name], b[name])


def test_a_run_of_before_recipes_had_more_settings_is_finished_too(finished, capsys):
    log = log_of(finished)
    for name in ("whiten", "label_smoothing", "mirror", "around"):
        del log["recipe"][name]
    before = (finished / "log.json").read_bytes()
    (finished / "log.json").write_text(json.dumps(log))
    assert train.main(command(finished)) == 0
    assert "Finished already" in capsys.readouterr().out
    (finished / "log.json").write_bytes(before)


def test_the_folder_of_another_run_is_refused(finished, capsys):
    assert train.main(command(finished, "--seed", "1")) == 1
    assert "holds a run with another recipe: give another --out" in (
        capsys.readouterr().err)


def test_a_log_that_is_none(tmp_path, capsys):
    (tmp_path / "log.json").write_text("[]")
    assert train.main(command(tmp_path)) == 1
    assert "is no log of a run" in capsys.readouterr().err


def test_no_data_and_no_network(tmp_path, monkeypatch, capsys):
    def no_network(*_, **__):
        raise requests.ConnectionError("Name or service not known")

    monkeypatch.setattr(requests.Session, "request", no_network)
    monkeypatch.setenv("CONVLAB_DATA", str(tmp_path / "data"))
    assert train.main(["--out", str(tmp_path / "run")]) == 1
    said = capsys.readouterr().err
    assert "make train DATA=shapes" in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_a_typo_is_pointed_at(tmp_path, capsys):
    assert train.main(["--data", "digits", "--out", str(tmp_path),
                       "--architecture", "CONVV,SOFTMAX"]) == 1
    assert capsys.readouterr().err.endswith("\n  CONVV,SOFTMAX\n  ^\n")


def test_a_setting_that_makes_no_sense(tmp_path, capsys):
    assert train.main(["--data", "digits", "--out", str(tmp_path),
                       "--epochs", "0"]) == 1
    assert "epochs is a whole number of at least 1, got 0" in capsys.readouterr().err


def test_each_run_has_a_folder_of_its_own():
    folders = [train._folder(train._parser().parse_args(words)) for words in (
        [], ["--epochs", "1"], ["--seed", "1"], ["--data", "shapes"],
        ["--recipe", "cifar10-small"],
        ["--architecture", SMALL], ["--architecture", "SOFTMAX"])]
    assert len(set(folders)) == 7
    assert all(folder.parent.name == "runs" for folder in folders)


def test_data_and_recipe_say_the_same(tmp_path, capsys):
    setup = {words: train._setup(train._parser().parse_args(words.split()))
             for words in ("", "--data cifar10", "--recipe cifar10",
                           "--recipe cifar10-small", "--data digits",
                           "--recipe shapes --data shapes")}
    assert setup[""] == setup["--data cifar10"] == setup["--recipe cifar10"]
    assert setup["--recipe cifar10-small"] == SETUPS["cifar10-small"]
    assert [one.data for one in setup.values()] == ["cifar10"] * 4 + [
        "digits", "shapes"]
    assert train.main(["--recipe", "cifar10", "--data", "digits",
                       "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err == (
        "the recipe cifar10 is for --data cifar10, not for digits\n")


@pytest.mark.parametrize("name", SETUPS)
def test_the_usual_architectures_make_networks(name):
    shape = (8, 8, 1) if SETUPS[name].data == "digits" else (32, 32, 3)
    assert len(Network(SETUPS[name].architecture, shape, 10, layers).rows) > 5


def test_the_usual_recipes_can_begin():
    """Whitening and all, on a few drawn images in place of the data."""
    few = data.shapes.load(train=120, test=20)
    for setup in SETUPS.values():
        if setup.data == "digits":
            continue
        net = Network(setup.architecture, few.image_shape, 10, layers)
        recipe = replace(setup.recipe, held_out=20, epochs=1)
        assert train.train(net, few, recipe, progress=False).finished
