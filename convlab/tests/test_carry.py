"""Carrying functions: from a notebook's cells, from a script, and what goes wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from convlab import carry

# What a kernel does with cells: run each, then say what was printed.
SESSION = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
for cell in json.load(open("cells.json")):
    result = shell.run_cell(cell, store_history=True)
"""


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Runs cells in a shell of its own; returns what they printed."""
    monkeypatch.chdir(tmp_path)

    def run(*cells):
        (tmp_path / "cells.json").write_text(json.dumps(
            ["from convlab import carry", *map(textwrap.dedent, cells)]))
        done = subprocess.run([sys.executable, "-c", SESSION], cwd=tmp_path,
                              capture_output=True, text=True, check=True)
        return done.stdout

    return run


def carried(name="ps2"):
    return carry.load(name)


def test_a_module_can_be_written_without_running_the_cells(notebook, tmp_path):
    cells = ["import numpy as np\nSCALE = 3", "def unused(x):\n    return x",
             "def scaled(x):\n    return SCALE * np.asarray(x)",
             "def shifted(x):\n    return scaled(x) + 1"]
    notebook(*cells, 'carry.save(shifted, to="mine")')
    saved = (tmp_path / "carried" / "mine.py").read_text()
    assert carry.as_module(cells, ["shifted"], "mine") == saved
    assert "unused" not in saved


def test_a_function_is_carried_with_all_it_needs(notebook):
    said = notebook(
        "import numpy as np\nfrom numba import njit",
        "%time 1\nSCALE = 3; STEP = SCALE + 1",
        "def helper(n):\n    # a comment stays\n    return n * STEP",
        """
        @njit
        def kernel(x):
            total = 0.0
            for i in range(len(x)):
                total += x[i] * SCALE
            return total
        """,
        "unused = np.zeros(3)\nprint('loud')",
        "def answer(n):\n    return [helper(i) + kernel(np.ones(2)) for i in range(n)]",
        "carry.save(answer, kernel, to='ps2')")
    assert "Saved to carried/ps2.py: answer, kernel." in said
    assert "Look at" not in said
    module = carried()
    assert module.answer(2) == [0 * 4 + 2 * 3, 1 * 4 + 2 * 3]
    assert module.kernel(np.ones(4)) == 12
    assert module.__all__ == ["answer", "kernel"]
    text = (carry.Path("carried") / "ps2.py").read_text()
    assert "# a comment stays" in text
    assert "unused" not in text
    assert "loud" not in text


def test_the_last_definition_counts_and_helpers_may_come_later(notebook):
    said = notebook(
        "def helper(n):\n    return 'old'",
        "def answer(n):\n    return helper(n), later(n)",
        "def helper(n):\n    return 'new'",
        "def later(n):\n    return n",
        "def this is not python",
        "carry.save(answer, to='ps2')")
    assert "Saved to carried/ps2.py: answer." in said
    assert carried().answer(1) == ("new", 1)


def test_a_name_made_from_itself_and_two_statements_on_a_line(notebook):
    notebook(
        "from numba import njit; factor = 2",
        "def double(n): return factor * n",
        "plain = double; double = njit(double)",
        "carry.save(double, to='ps2')")
    assert carried().double(4) == 8
    assert hasattr(carried().double, "py_func")


def test_what_is_unwritten_or_unknown_is_left_out_and_named(notebook):
    said = notebook(
        "def done(n):\n    return n",
        "def todo(n):\n    '''Text.'''\n    raise NotImplementedError('write it')",
        "def lost(n):\n    return nowhere + n",
        "carry.save(done, todo, lost, to='ps2')")
    assert "Saved to carried/ps2.py: done." in said
    assert "Left out: todo is not written yet." in said
    assert "Left out: lost needs nowhere, which no cell that was run defines." in said
    assert carried().__all__ == ["done"]


def test_an_untouched_notebook_saves_nothing(notebook, tmp_path):
    said = notebook("def todo(n):\n    raise NotImplementedError",
                    "carry.save(todo, to='ps2')")
    assert "Nothing is saved yet." in said
    assert not (tmp_path / "carried").exists()


def test_saving_again_replaces_and_leaves_no_other_file(notebook, tmp_path):
    notebook("def f(n):\n    return 1", "carry.save(f, to='ps2')",
             "def f(n):\n    return 2", "carry.save(f, to='ps2')")
    assert carried().f(0) == 2
    assert [path.name for path in (tmp_path / "carried").iterdir()
            if path.suffix] == ["ps2.py"]


def test_a_folder_that_cannot_be_written_is_said(notebook, tmp_path):
    (tmp_path / "carried").write_text("a file where the folder should be")
    said = notebook("def f(n):\n    return 1", "carry.save(f, to='ps2')")
    assert "Nothing is saved: carried/ps2.py cannot be written" in said


def test_a_module_that_does_not_run_alone_is_said(notebook):
    said = notebook("table = {'a': 1}\ndef f(n):\n    return table[n]",
                    "key = 'b'; table['b'] = 2",
                    "value = table[key]",
                    "def g(n=value):\n    return n",
                    "carry.save(g, to='ps2')")
    assert "Look at the module: running it raises KeyError" in said


def test_a_script_can_save_as_well(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "BASE = 10\n\n\ndef helper(n):\n    return n + BASE\n\n\n"
        "def answer(n):\n    return helper(n)\n")
    spec = importlib.util.spec_from_file_location("mine", tmp_path / "mine.py")
    mine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mine)
    carry.save(mine.answer, to="ps2")
    assert "Saved to carried/ps2.py: answer." in capsys.readouterr().out
    assert carried().answer(1) == 11


def test_loading_takes_it_from_the_notebook_that_saved_it(tmp_path, monkeypatch):
    there = tmp_path / "ps2" / "carried"
    there.mkdir(parents=True)
    (there / "ps2.py").write_text("def f():\n    return 5\n")
    here = tmp_path / "ps7"
    here.mkdir()
    monkeypatch.chdir(here)
    assert carry.load("ps2").f() == 5
    assert (here / "carried" / "ps2.py").is_file()


@pytest.mark.parametrize("text, says", [
    ("def f(:\n    pass\n", r"carried/ps2.py, line 1: this is not Python"),
    ("x = 1\ny = (\n", r"carried/ps2.py, line 2: this is not Python"),
    ("import nowhere\n", r"cannot be imported: ModuleNotFoundError"),
    (None, r"carried/ps2.py is not there"),
])
def test_a_broken_module_is_reported_as_such(tmp_path, monkeypatch, text, says):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "carried").mkdir()
        (tmp_path / "carried" / "ps2.py").write_text(text)
    with pytest.raises(carry.CarryError, match=says):
        carry.load("ps2")


def test_what_was_saved_later_takes_the_copys_place(tmp_path, monkeypatch, capsys):
    there, here = (tmp_path / name / "carried" / "ps2.py" for name in ("ps2", "ps7"))
    for path, value in ((there, 1), (here, 2)):
        path.parent.mkdir(parents=True)
        path.write_text(f"def f():\n    return {value}\n")
    monkeypatch.chdir(tmp_path / "ps7")
    for saved, expected in ((100, 2), (300, 1)):  # the copy here is of second 200
        os.utime(there, (saved, saved))
        os.utime(here, (200, 200))
        assert carry.load("ps2").f() == expected
    assert "has taken its place" in capsys.readouterr().out


class Reference:
    """Stands in for the reference layers."""

    @staticmethod
    def relu_forward(x):
        return "reference"


def chosen(tmp_path, monkeypatch, choices, **modules):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "carried").mkdir()
    for name, text in modules.items():
        (tmp_path / "carried" / f"{name}.py").write_text(text)
    return carry.choose(choices, Reference)


def test_functions_are_chosen_one_by_one(tmp_path, monkeypatch, capsys):
    found = chosen(
        tmp_path, monkeypatch,
        {"conv2d_forward": "ps6", "conv2d_backward": "ps3",
         "relu_forward": "reference"},
        ps6="def conv2d_forward_gemm(x):\n    return 6\n",
        ps3="def conv2d_backward(x):\n    return 3\n")
    assert [f(None) for f in found.values()] == [6, 3, "reference"]
    assert capsys.readouterr().out.splitlines() == [
        "conv2d_forward         yours: conv2d_forward_gemm of carried/ps6.py",
        "conv2d_backward        yours: conv2d_backward of carried/ps3.py",
        "relu_forward           the reference layer"]


@pytest.mark.parametrize("text, says", [
    ("def relu_forward(x)\n    return x\n",
     "carried/ps4.py, line 1: this is not Python"),
    ("relu_forward = 3\n", "carried/ps4.py has no relu_forward"),
    (None, "carried/ps4.py is not there"),
])
def test_what_is_broken_is_never_replaced_by_itself(
        tmp_path, monkeypatch, capsys, text, says):
    modules = {"ps2": "def dense_forward(x):\n    return 2\n"}
    modules |= {"ps4": text} if text else {}
    found = chosen(tmp_path, monkeypatch,
                   {"relu_forward": "ps4", "dense_forward": "ps2"}, **modules)
    assert says in capsys.readouterr().out
    assert found["dense_forward"](None) == 2
    with pytest.raises(carry.CarryError, match=f"There is no relu_forward: .*{says}"):
        found["relu_forward"](np.ones(1))
