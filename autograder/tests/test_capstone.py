"""Carried layers and handed-in weights: what runs is what is said to run."""

from __future__ import annotations

import json
import os
import zipfile

import numpy as np
import pytest

from autograder import accuracy, hidden, preview
from autograder.accuracy import NotMeasured, held_back, read_network
from autograder.carried import ChoiceError, choices_in
from autograder.judge import judge
from autograder.sandbox import Limits
from autograder.tests.greys import ARCHITECTURE, greys, network
from autograder.tests.walls import needs_sandbox, quick
from convlab import layers
from convlab.data import cifar10, shapes

STEPS = [f"accuracy_step_{n}" for n in (1, 2, 3, 4)]
ASKED = ["layers_conv2d_forward", "layers_relu_forward", *STEPS, "accuracy_bonus"]

CONV = """
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

def conv2d_forward(x, w, b, stride=1, pad=0):
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    windows = sliding_window_view(wide, w.shape[1:3], (1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcpq,kpqc->nijk", windows, w) + b
"""
POOL = """
import numpy as np

def relu_forward(x):
    return np.maximum(x, 0)

def avgpool_forward(x, size=2, stride=2):
    n, h, w, c = x.shape
    return x.reshape(n, h // size, size, w // size, size, c).mean(axis=(2, 4))
"""
DENSE = """
def dense_forward(x, w, b):
    return x @ w.T + b
"""
MODULES = {"ps2_convolution": CONV, "ps4_pooling": POOL, "ps5_fully_connected": DENSE}
CHOICES = {"conv2d_forward": "ps2_convolution", "relu_forward": "ps4_pooling",
           "avgpool_forward": "ps4_pooling", "dense_forward": "ps5_fully_connected"}


@pytest.fixture
def handed_in(tmp_path, monkeypatch):
    """A folder with carried modules and weights; judged on greys."""
    monkeypatch.setattr(accuracy, "held_back", greys)
    quick(monkeypatch)
    network().save_weights(tmp_path / "weights.npz", data="shapes")
    (tmp_path / "carried").mkdir()

    def judged(choices=CHOICES, limits=None, asked=ASKED, table=None, **modules):
        for name, text in (MODULES | modules).items():
            (tmp_path / "carried" / f"{name}.py").write_text(text)
        table = f"LAYERS = {choices!r}" if table is None else table
        notebook = {"cells": [{"cell_type": "code", "metadata": {}, "source": table}]}
        questions = hidden.questions("ps7_cifar10")
        return judge(notebook, [questions[name] for name in asked], seed=3,
                     assignment="ps7_cifar10", folder=tmp_path, limits=limits)

    return judged


def status(judgement):
    return {name: one.status for name, one in judgement.verdicts.items()}


@needs_sandbox
def test_own_layers_and_weights_earn_all(handed_in, monkeypatch):
    measured = []
    monkeypatch.setattr(accuracy, "measure", lambda *args, _m=accuracy.measure: (
        measured.append(args), _m(*args))[1])
    found = handed_in()
    assert set(status(found).values()) == {"right"}
    assert found.points == 2 + 1 + 4 * 4 + 4
    assert len(measured) == 1, "once for all steps"
    said = found.verdicts["accuracy_step_4"].explanation
    assert "200 of 200 held-back images of shapes are right: 100.0%." in said
    assert "This step, 85%, is reached." in said
    assert found.incidents == ()


@needs_sandbox
def test_a_broken_layer_is_what_runs_unless_the_reference_is_chosen(handed_in):
    broken = CONV.replace("+ b", "* 0 + b")
    found = handed_in(ps2_convolution=broken)
    assert status(found)["layers_conv2d_forward"] == "wrong"
    assert status(found)["layers_relu_forward"] == "right"
    assert {status(found)[name] for name in STEPS} == {"wrong"}
    assert "held-back images of shapes are right: 1" in (
        found.verdicts["accuracy_step_1"].explanation)  # a tenth, by chance
    assert found.incidents == ()

    found = handed_in(CHOICES | {"conv2d_forward": "reference"},
                      ps2_convolution=broken)
    verdict = found.verdicts["layers_conv2d_forward"]
    assert (verdict.status, verdict.points) == ("reference", 0)
    assert "no others are lost" in verdict.explanation
    assert {status(found)[name] for name in STEPS} == {"right"}
    assert [(one.kind, one.message) for one in found.incidents] == [
        ("reference-layers", "Chosen in place of their own: conv2d_forward.")]


@needs_sandbox
def test_the_reference_is_out_of_reach_of_what_is_called_ones_own(handed_in):
    for lent, came_to in (
            ("from convlab.layers import conv2d_forward\n", "missing"),
            ("import numpy\ndef conv2d_forward(*args, **named):\n"
             "    import convlab.layers.conv\n"
             "    return convlab.layers.conv.conv2d_forward(*args, **named)\n",
             "error")):
        found = handed_in(ps2_convolution=lent)
        assert status(found)["layers_conv2d_forward"] == came_to
        assert status(found)["layers_relu_forward"] == "right"
        assert {status(found)[name] for name in STEPS} == {came_to}
        said = found.verdicts["layers_conv2d_forward"].explanation
        assert "No module named 'convlab.layers'" in said


@needs_sandbox
def test_a_module_that_is_no_python_is_said_with_its_line(handed_in):
    found = handed_in(ps2_convolution=CONV.replace("stride=1, pad=0):", "stride=1"))
    for name in ("layers_conv2d_forward", "accuracy_step_1"):
        said = found.verdicts[name].explanation
        assert found.verdicts[name].status == "missing"
        assert ("There is no conv2d_forward: carried/ps2_convolution.py, line 5: this "
                "is not Python") in said
    assert status(found)["layers_relu_forward"] == "right"


@needs_sandbox
def test_a_line_of_a_carried_module_that_raises_is_shown(handed_in):
    found = handed_in(ps2_convolution=CONV.replace('"nijcpq', '"nijcp'))
    for name in ("layers_conv2d_forward", "accuracy_step_1"):
        assert "The line that raised: return np.einsum(" in (
            found.verdicts[name].explanation)


LOST = {
    "ends as it is loaded": ("import os; os._exit(1)", "missing", "missing"),
    "ends as it is called": (
        "def conv2d_forward(*a, **k):\n    import os; os._exit(1)", "crash", "crash"),
    "is not a function": ("conv2d_forward = 3", "missing", "missing"),
    "returns no array": (
        "def conv2d_forward(*a, **k): return object()", "wrong", "error"),
    "returns another shape": (
        "def conv2d_forward(x, w, b, **k): return x", "wrong", "wrong"),
}


@needs_sandbox
@pytest.mark.parametrize("text, layer, step", LOST.values(), ids=LOST)
def test_a_lost_function_costs_what_needs_it(handed_in, text, layer, step):
    asked = ["layers_conv2d_forward", "layers_relu_forward", "accuracy_step_1"]
    found = handed_in(ps2_convolution=text, asked=asked)
    assert list(status(found).values()) == [layer, "right", step]


@needs_sandbox
def test_scores_that_are_not_numbers_earn_nothing(handed_in):
    found = handed_in(ps5_fully_connected=(
        "def dense_forward(x, w, b):\n    return (x @ w.T + b) / 0\n"),
        asked=["accuracy_step_1"])
    assert "Some of the network's scores are not numbers" in (
        found.verdicts["accuracy_step_1"].explanation)


@needs_sandbox
def test_a_slow_layer_is_stopped_and_named(handed_in, monkeypatch):
    monkeypatch.setattr(accuracy, "SECONDS", 0.5)
    found = handed_in(
        ps4_pooling=POOL.replace("n, h", "import time; time.sleep(9)\n    n, h", 1),
        asked=["accuracy_step_1"], limits=Limits(first_call_seconds=0.5))
    verdict = found.verdicts["accuracy_step_1"]
    assert verdict.status == "timeout"
    assert "while your network classified held-back images" in verdict.explanation


@needs_sandbox
@pytest.mark.parametrize("table, says", [
    ("x = 1", "There is no LAYERS"),
    ("LAYERS = dict(conv2d_forward='reference')", "not a plain table of texts"),
    ("LAYERS = {'relu_forward': 'ps4_pooling'}", "does not say where conv2d_forward"),
])
def test_a_table_that_cannot_be_read_fails_closed(handed_in, table, says):
    found = handed_in(table=table, asked=["layers_conv2d_forward", "accuracy_step_1"])
    assert found.points == 0
    for verdict in found.verdicts.values():
        assert verdict.status == "missing"
        assert says in verdict.explanation


def test_the_last_table_is_read_as_text_and_not_run():
    def code(*sources):
        return {"cells": [{"cell_type": "code", "source": one} for one in sources]}

    assert choices_in(code("LAYERS = {'a': 'b'}", "%time x", "LAYERS = {'a': 'c'}",
                           "1/0\nLAYERS['a'] = 'd'")) == {"a": "c"}
    for bad in ("LAYERS = {'a': print('run')}", "LAYERS = {'a': 3}", "LAYERS = 'a'",
                f"LAYERS = {{'a': '{'b' * 200}'}}", f"LAYERS = {'[' * 90}{']' * 90}"):
        with pytest.raises(ChoiceError):
            choices_in(code(bad))


# --- handed-in weights


def other_weights(path, note=None, **changed):
    """A file of the network's weights, changed: None leaves an array out."""
    net = network()
    net.save_weights(path, data="shapes")
    arrays = {"input.mean": net.mean, "input.std": net.std, **net.parameters}
    arrays = {name: one for name, one in (arrays | changed).items() if one is not None}
    about = {"architecture": ARCHITECTURE, "input_shape": [32, 32, 3], "classes": 10,
             "data": "shapes"} | (note or {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("note.json", json.dumps(about))
        for name, one in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                if isinstance(one, bytes):
                    member.write(one)
                else:
                    np.lib.format.write_array(member, one)


def bomb(shape):
    """50 GB by its header, and some zeros."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    return head + bytes(10_000_000)


def many_members(path):
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(3000):
            archive.writestr(f"{n:040}.npy", b"")


def pickled(path):
    np.savez(path, **{"conv1.w": np.array([print], dtype=object)})


BAD = {
    "a bomb": (lambda p: other_weights(p, **{"scores.w": bomb((10 ** 5, 125_000))}),
               r"scores.w is float32 of shape \(100000, 125000\)"),
    "many members": (many_members, "far more arrays than a network has"),
    "a pickle": (pickled, "is damaged, or not a file of this course"),
    "a pickled array": (lambda p: other_weights(p, **{"scores.b": np.array(
        [print] * 10, dtype=object)}), "scores.b is object"),
    "NaN": (lambda p: other_weights(p, **{"scores.b": np.full(10, np.nan)}),
            "scores.b holds numbers that are infinite or not a number"),
    "another shape": (lambda p: other_weights(p, **{"scores.b": np.ones(9)}),
                      r"scores.b is float64 of shape \(9,\), here it is"),
    "an array less": (lambda p: other_weights(p, **{"scores.b": None}),
                      "it has no scores.b"),
    "an array more": (lambda p: other_weights(p, extra=np.ones(3)), "it has extra"),
    "no spread": (lambda p: other_weights(p, **{"input.std": np.zeros(3)}),
                  "input.std holds numbers that are not above 0"),
    "no data set": (lambda p: other_weights(p, {"data": ["shapes"]}),
                    "does not say on what it was trained"),
    "no architecture": (lambda p: other_weights(p, {"architecture": 3}),
                        "does not say of what architecture"),
    "a long architecture": (lambda p: other_weights(p, {"architecture": "(" * 10**6}),
                            "does not say of what architecture"),
    "a slip": (lambda p: other_weights(p, {"architecture": "CNV,SOFTMAX"}),
               "Did you mean CONV"),
    "other images": (lambda p: other_weights(p, {"input_shape": [8, 8, 1]}),
                     r"not one of \(32, 32, 3\) images"),
    "wide layers": (lambda p: other_weights(p, {"architecture": "FC{99999},SOFTMAX"}),
                    f"{99999 * 3073 + 10 * 100_000:,} parameters, and at most 4,000,"),
    "large layers": (lambda p: other_weights(p, {
        "architecture": "CONV{1 pad=9999},SOFTMAX"}), "at most"),
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:300]), "is not a file that"),
    "no zip file": (lambda p: p.write_bytes(b"weights"), "is not a file that"),
    "empty": (lambda p: p.write_bytes(b""), "is not a file that"),
    "too large": (lambda p: os.truncate(p, 30_000_000), "30,000,000 bytes"),
    "not there": (lambda p: p.unlink(), "weights.npz was not handed in"),
    "a link": (lambda p: (p.unlink(), p.symlink_to("/etc/hostname")),
               "weights.npz was not handed in"),
}


@pytest.mark.parametrize("make, says", BAD.values(), ids=BAD)
def test_bad_weights_are_refused_in_a_sentence(tmp_path, make, says):
    path = tmp_path / "weights.npz"
    network().save_weights(path, data="shapes")
    make(path)
    with pytest.raises(NotMeasured, match=says) as refusal:
        read_network(tmp_path, vars(layers))
    assert str(tmp_path) not in str(refusal.value)
    assert refusal.value.status in ("wrong", "missing")


def test_good_weights_are_read_as_they_were_saved(tmp_path):
    network().save_weights(tmp_path / "weights.npz", data="cifar10")
    found, data = read_network(tmp_path, vars(layers))
    assert data == "cifar10"
    images, labels = greys("shapes", np.random.default_rng(0), 20)
    np.testing.assert_array_equal(found.predict(images), labels)


def test_fewer_images_are_sent_where_a_layer_is_large():
    sizes = [accuracy._batch_size(network(one)) for one in (
        ARCHITECTURE, "CONV{100}-POOL{32},SOFTMAX", "CONV{900}-POOL{32},SOFTMAX")]
    assert sizes == [50, 4_000_000 // (32 * 32 * 100), 4]


# --- held-back images


def test_shapes_are_drawn_anew_from_the_seed():
    images, labels = held_back("shapes", np.random.default_rng(1), 300)
    again, _ = held_back("shapes", np.random.default_rng(1), 300)
    others, _ = held_back("shapes", np.random.default_rng(2), 300)
    known = shapes.load(600, 300)
    np.testing.assert_array_equal(images, again)
    assert images.shape == (300, 32, 32, 3)
    assert np.bincount(labels).min() > 10
    for one in (others, known.test_images, known.train_images[:300]):
        assert not (images == one).all(axis=(1, 2, 3)).any()


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A data folder with test images of CIFAR-10's form: bright is a high label."""
    monkeypatch.setenv("CONVLAB_DATA", str(tmp_path))
    monkeypatch.setattr(cifar10, "OFFICIAL", cifar10.Source(records=2000))
    (tmp_path / cifar10.UNPACKED).mkdir()
    labels = np.arange(2000, dtype=np.uint8) % 10
    records = np.repeat(labels[:, None] * 25, cifar10.RECORD, axis=1)
    records[:, 0] = labels
    records.tofile(tmp_path / cifar10.UNPACKED / "test_batch.bin")
    return tmp_path


def test_photographs_come_from_the_graders_own_test_set_with_faint_noise(cifar):
    images, labels = held_back("cifar10", np.random.default_rng(0))
    assert images.shape == (2000, 32, 32, 3)
    assert labels[:20].tolist() != sorted(labels[:20])
    off = images.astype(int) - 25 * labels[:, None, None, None]
    assert set(np.unique(off)) == {-1, 0, 1}


def test_a_grader_without_cifar_says_so_and_gives_no_verdict(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVLAB_DATA", str(tmp_path))
    with pytest.raises(NotMeasured, match="set CONVLAB_DATA") as missing:
        held_back("cifar10", np.random.default_rng(0))
    assert missing.value.status == "fault"


@needs_sandbox
def test_a_missing_data_set_is_the_instructors_to_settle(
        handed_in, tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "held_back", held_back)
    monkeypatch.setenv("CONVLAB_DATA", str(tmp_path / "none"))
    network().save_weights(tmp_path / "weights.npz", data="cifar10")
    found = handed_in()
    assert status(found)["layers_relu_forward"] == "right"
    assert {status(found)[name] for name in STEPS} == {"fault"}
    assert {one.kind for one in found.incidents} == {"fault"}
    assert "grade again" in found.incidents[0].message


@needs_sandbox
def test_photographs_are_scored_and_too_good_is_noted(handed_in, cifar, monkeypatch):
    monkeypatch.setattr(accuracy, "held_back", lambda data, rng: held_back(
        data, rng, 200))
    network().save_weights(cifar / "weights.npz", data="cifar10")
    found = handed_in()
    assert {status(found)[name] for name in STEPS} == {"right"}
    assert "held-back images of CIFAR-10" in (
        found.verdicts["accuracy_bonus"].explanation)
    assert [one.kind for one in found.incidents] == ["accuracy"]


def test_the_preview_measures_a_network_too(monkeypatch, capsys):
    monkeypatch.setattr(preview, "held_back", greys)
    net = network()
    assert preview.verdict("ps7_cifar10", "accuracy_step_1", net.predict,
                           data="shapes") == 4
    assert "200 of 200 held-back images" in capsys.readouterr().out
    assert preview.verdict("ps7_cifar10", "accuracy_step_1",
                           lambda images: np.zeros(len(images), int),
                           data="shapes") == 0
