"""Rows: honest work in other forms, which must not lose a point."""

from __future__ import annotations

import copy
import json

import nbformat

from autograder.tests.hostile.broken import place_of
from autograder.tests.hostile.row import Row, honest, notebook
from autograder.tests.hostile.small import NAME, as_bytes
from autograder.tests.tiny import code

WARNS = """
import logging
import sys
import warnings

logging.basicConfig(level=logging.DEBUG)


def double(x):
    warnings.warn("This is slow", stacklevel=1)
    logging.warning("doubling")
    sys.stderr.write("still doubling\\n")
    return 2 * x
"""
NOISY = """
def double(x):
    for row in x:
        print("row", row, "done" * 100)
    display(x)
    return 2 * x


print("it works \\u2714 \\U0001f389")
"""
SLOW = "import time\n\n\ndef double(x):\n    time.sleep(0.3)\n    return 2 * x"
DTYPES = """
def double(x):
    return np.asfortranarray(2 * x.astype(np.float64))


def triple(x):
    found = np.array(3 * x)
    found.flags.writeable = False
    return found


def total(x):
    return np.array(x.sum())
"""
VIEWS = """
def double(x):
    wide = np.zeros((2 * x.shape[0], x.shape[1]))
    wide[::2] = 2 * x
    return wide[::2]


def triple(x):
    return np.broadcast_to(3.0, x.shape) * x


def total(x):
    return np.float32(x.sum())
"""
MASKED = """
def double(x):
    return np.ma.masked_array(2 * x)
"""
RECURSIVE = """
def add(values):
    return values[0] + add(values[1:]) if values else 0.0


def total(x):
    depth = lambda n: n if n == 0 else depth(n - 1)
    depth(800)
    return float(add([float(one) for one in x.ravel()]))
"""
CHANGES_INPUT = """
def double(x):
    x *= 2
    return x
"""
CLASSES = """
from dataclasses import dataclass
from functools import partial


@dataclass
class Times:
    factor: float

    def __call__(self, x):
        return self.factor * x


double = Times(2)
triple = partial(np.multiply, 3)
total = lambda x: sum(x.ravel().tolist())
"""
RANDOM = """
np.random.seed(0)
rng = np.random.default_rng(1)
np.set_printoptions(precision=2)
np.seterr(all="raise")
"""
RAISES = """
double(np.ones(2)) / 0
undefined_name
"""
LIST = "def double(x):\n    return (2 * x).tolist()"


def own_cells(book: dict) -> None:
    """Cells of one's own, and one's own checks, all over the notebook."""
    for place in range(len(book["cells"]), 0, -1):
        book["cells"].insert(place, code(f"own-{place}", f"own_{place} = {place}\n"
                                         "assert own_%d > 0" % place))


def from_colab(book: dict) -> None:
    """What Colab and VS Code add; ids are gone, and the notebook is of format 4.0."""
    book["metadata"].update(
        colab={"provenance": [], "gpuType": "T4"}, accelerator="GPU",
        vscode={"interpreter": {"hash": "0"}},
        kernelspec={"name": "conda-env-py311", "display_name": "Python [conda]"},
        language_info={"name": "python", "version": "3.8.10"},
    )  # fmt: skip
    book["nbformat_minor"] = 0
    for number, cell in enumerate(book["cells"]):
        cell.pop("id", None)
        cell["metadata"].update(colab={"base_uri": "https://localhost"},
                                id=f"{number}", outputId="0",
                                execution={"iopub.execute_input": "2026"})
        cell["source"] = cell["source"].splitlines(keepends=True)


def left_outputs(book: dict) -> None:
    """Megabytes of outputs, as a notebook that was run and saved has."""
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["execution_count"] = 99
            cell["outputs"] = [
                nbformat.v4.new_output("stream", name="stderr", text="warning\n" * 900),
                nbformat.v4.new_output("display_data",
                                       {"image/png": "iVBORw0KGgo=" * 100_000}),
                nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[]),
            ]


def in_other_order(book: dict) -> None:
    """Cells of one's own below the answers that use what they define."""
    cells = book["cells"]
    helper = code("helper", "def times(n, x):\n    return n * x")
    cells[place_of(book, "double")]["source"] = "def double(x):\n    return times(2, x)"
    cells.append(helper)


def windows(book: dict) -> None:
    for cell in book["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n") + "\r\n"


def with_emoji(book: dict) -> None:
    book["cells"].insert(1, nbformat.v4.new_markdown_cell(
        "# \U0001f389 \u00fcber \u4f60\u597d \u202e right to left \x00 \ud83d",
        id="emoji"))  # fmt: skip
    cell = book["cells"][place_of(book, "double")]
    cell["source"] = "def double(größe):\n    return 2 * größe  # \U0001f389"


def pasted_together(book: dict) -> None:
    """All answers in one cell; the released ones are left as they were."""
    release = json.loads(as_bytes(book))
    sources = []
    for name in ("double", "triple", "total"):
        sources.append(book["cells"][place_of(book, name)]["source"])
        book["cells"][place_of(book, name)]["source"] = "# see below"
    book["cells"].append(code("all", "\n\n\n".join(sources)))
    assert release != book


def run_by_hand(book: dict) -> None:
    """A copy of an answer's cell, both the same."""
    twin = copy.deepcopy(book["cells"][place_of(book, "total")])
    del twin["metadata"]["nbgrader"]
    twin["id"] = "again"
    book["cells"].append(twin)


def lost_picture(book: dict) -> None:
    """A cell that was copied without the picture that was pasted into it."""
    book["cells"].insert(2, nbformat.v4.new_markdown_cell(
        "My sketch: ![image.png](attachment:image.png)", id="sketch"))  # fmt: skip
    why = book["cells"][place_of(book, "why")]
    why["source"] = "![a](attachment:a%20b.png) ![b](attachment:lost.png)"
    why["attachments"] = {"a%20b.png": {"image/png": "iVBORw0KGgo="}}


SOLE = "def double(x):\n    return helper.twice(x)"

ROWS = (
    Row("right", notebook()),
    Row("nothing written", honest("", double="raise NotImplementedError",
        triple="raise NotImplementedError", total="raise NotImplementedError"), 0,
        student=("There is no function",)),
    Row("a known mistake", honest("", double="def double(x):\n    return x**2"), 2 + 4,
        student=("when x is squared", "All 15 values are wrong")),
    Row("two of three", honest("", total="def total(x):\n    return None"), 1 + 2,
        student=("is the `return` missing?",)),
    Row("warnings and logging on stderr", honest("", double=WARNS.strip())),
    Row("noisy prints and displays", honest("", double=NOISY.strip())),
    Row("slow, within limits", honest("", double=SLOW)),
    Row("float64, Fortran order, read-only, 0-d", honest(DTYPES, -1)),
    Row("views, broadcasts, numpy scalars", honest(VIEWS, -1)),
    Row("a masked array", honest(MASKED, -1), 2 + 4, student=("MaskedArray",)),
    Row("a list where an array is asked for", honest("", double=LIST), 2 + 4,
        student=("Expected an array of shape (3, 5), got a list",)),
    Row("deep recursion, within limits", honest(RECURSIVE, -1)),
    Row("changes its input", honest("", double=CHANGES_INPUT.strip())),
    Row("objects that are called, partial, lambda", honest(CLASSES, -1)),
    Row("sets seeds and options", honest(RANDOM)),
    Row("a cell that raises", honest(RAISES, -1), student=("NameError",)),
    Row("cells of one's own everywhere", notebook(own_cells)),
    Row("saved by Colab and VS Code", notebook(from_colab)),
    Row("megabytes of outputs left in", notebook(left_outputs)),
    Row("a helper that is defined below", notebook(in_other_order)),
    Row("Windows line ends in its cells", notebook(windows)),
    Row("emoji, other scripts, half a character", notebook(with_emoji)),
    Row("all answers in one cell", notebook(pasted_together)),
    Row("an answer copied to a cell of its own", notebook(run_by_hand)),
    Row("pictures that were lost", notebook(lost_picture), student=("My sketch",)),
    Row("a helper module beside it", notebook(
        lambda book: book["cells"].insert(2, code("use", "import helper")),
        {"helper.py": b"def twice(x):\n    return 2 * x\n"}, double=SOLE)),
    Row("a data file beside it", notebook(
        lambda book: book["cells"].insert(2, code("use", "np.loadtxt('data.csv')")),
        {"data.csv": b"1,2\n".replace(b",", b" "), ".DS_Store": b"x",
         ".ipynb_checkpoints/small-checkpoint.ipynb": b"{}"})),
)  # fmt: skip
assert NAME == "small"  # named in the texts above
