"""What the static look sees, and what it must leave alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.integrity import look_at_code, shadows_module

AROUND = ["import numpy as np"]


def flags(source: str) -> set[str]:
    return {remark.kind for remark in look_at_code([("a", source)], AROUND)}


@pytest.mark.parametrize(
    ("source", "flag"),
    [
        ("np.testing.assert_allclose = lambda *a, **k: None", "patched-assert"),
        ("import numpy.testing as t\nt.assert_equal = print", "patched-assert"),
        ("from numpy import testing\ntesting.assert_equal = print", "patched-assert"),
        ("setattr(np.testing, 'assert_allclose', print)", "patched-assert"),
        ("import unittest\nunittest.TestCase.assertEqual = print", "patched-assert"),
        ("def check(*a):\n    return True", "patched-assert"),
        ("get_ipython().run_cell = print", "patched-kernel"),
        ("get_ipython().ast_transformers.append(1)", "patched-kernel"),
        ("from IPython import get_ipython as g\ng().run_cell = 1", "patched-kernel"),
        ("from IPython.core import interactiveshell", "patched-kernel"),
        ("display({}, raw=True)", "forged-output"),
        ("from IPython.display import publish_display_data", "forged-output"),
        ("x = {'output_type': 'execute_result'}", "forged-output"),
        ("open('/etc/passwd')", "reads-elsewhere"),
        ("import glob\nglob.glob('../*/*.ipynb')", "reads-elsewhere"),
        ("print(In[-1])", "reads-history"),
        ("import os\nos.kill(os.getppid(), 15)", "kills-process"),
        ("import os\nos._exit(0)", "kills-process"),
        ("from os import _exit\n_exit(0)", "kills-process"),
        ("import socket", "network"),
        ("from urllib.request import urlopen", "network"),
        ("!ls /", "shell"),
        ("%%bash\nls", "shell"),
        ("%pip install numpy", "shell"),
        ("import subprocess\nsubprocess.run(['id'])", "shell"),
        ("import os\nos.execv('/bin/sh', [])", "shell"),
        ("import ctypes", "native-code"),
        ("class A:\n    def __eq__(self, o):\n        return True", "lying-object"),
        ("class A:\n    def __array__(self):\n        return 1", "lying-object"),
        ("import sys\nsys.modules['numpy'] = None", "changed-imports"),
        ("import autograder.hidden", "reads-grader"),
        ("import sys\nsys._getframe(1)", "inspects-frames"),
        ("exec('x = 1')", "dynamic-code"),
        ("class A:\n    __eq__ = __ge__ = print", "lying-object"),
        ("t = np.testing\nt.assert_equal = print", "patched-assert"),
        ("shell = get_ipython()\nshell.run_cell = print", "patched-kernel"),
        ("np.array = print", "patched-library"),
        ("import json\njson.dumps = print", "patched-library"),
        ("import os\nos.setuid(0)", "privileges"),
        ("import os\nos.environ.get('CONVLAB_GRADING')", "looks-for-grader"),
        ("read = open\nread('/proc/self/environ')", "reads-elsewhere"),
        ("x = 1\n" * 200_000, "not-looked-at"),
        ("%time 1\n" * 300 + "x = 1\n" * 20_000, "not-looked-at"),
        ("x = " + "(" * 150 + "1" + ")" * 150 + "\nimport socket", "network"),
    ],
)
def test_attempts_are_seen(source, flag):
    assert flag in flags(source)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.testing.assert_allclose(1, 1)",
        "%matplotlib inline\n%timeit 1 + 1",
        "import os\nprint(os.cpu_count())",
        "import time\nstart = time.perf_counter()",
        "from numba import njit, prange\n@njit(parallel=True)\ndef f(x):\n    return x",
        "class Layer:\n    def __init__(self):\n        self.w = 1",
        "data = np.load('weights.npy')\nopen('notes.txt', 'w')",
        "compiled = np.compile if False else None",
        "def f(x):\n    this is not python",
        "display(1)",
        "x = 'solutions/of the equation'",
        "import numba\nnumba.config.THREADING_LAYER = 'tbb'",
        "import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 90",
        "f = np.add\nprint('/home is where the heart is')",
    ],
)
def test_ordinary_code_is_left_alone(source):
    assert flags(source) == set()


def test_a_remark_names_the_cell_and_shows_the_lines():
    source = "x = 1\nimport socket\n"
    [remark] = look_at_code([("conv2d_forward", source)])
    assert (remark.where, remark.evidence) == ("conv2d_forward", "import socket")


def test_a_patch_is_seen_when_numpy_was_imported_in_our_own_cell():
    [remark] = look_at_code([("a", "np.testing.assert_equal = 1")], AROUND)
    assert remark.kind == "patched-assert"


@pytest.mark.parametrize(
    ("name", "shadows"),
    [
        ("numpy.py", True), ("numpy/__init__.py", True), ("numba.so", True),
        ("json.cpython-311-x86_64-linux-gnu.so", True), ("sitecustomize.py", True),
        ("any.pth", True),
        ("numpy.txt", False), ("data/numpy.py", False), ("carried/ps2.py", False),
        ("weights.npy", False), ("json.json", False),
    ],
)  # fmt: skip
def test_names_that_stand_in_for_modules(name, shadows):
    assert shadows_module(name) is shadows


@given(st.text(max_size=80))
def test_no_text_crashes_the_look(source):
    look_at_code([("a", source)])
