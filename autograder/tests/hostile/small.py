"""A small assignment that is judged by the real judge, and ways to hand it in.

Points are powers of two: a sum says which questions they are for.
"""

from __future__ import annotations

import copy
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np

from autograder.course import Course
from autograder.gradebook import register
from autograder.questions import Case, Misconception, Question
from autograder.tests.tiny import answer, cell_of, code, graded, settings

NAME, OTHER = "small", "other"
ANSWERS = {
    "double": "def double(x):\n    return 2 * x",
    "triple": "def triple(x):\n    return 3 * x",
    "total": "def total(x):\n    return float(np.sum(x))",
}
POINTS = {"double": 1, "triple": 2, "total": 4}
ALL = sum(POINTS.values())


def _arrays(random: np.random.Generator) -> list[Case]:
    wide = random.normal(size=(4, 6))
    return [
        Case("a 3x5 array of float64", (random.normal(size=(3, 5)),)),
        Case("a 2x7 array of float32",
             (random.normal(size=(2, 7)).astype(np.float32),)),
        Case("every other column of a 4x6 array", (wide[:, ::2],)),
    ]  # fmt: skip


def _question(function: str, oracle: Callable, wrong: Callable, hint: str) -> Question:
    return Question(
        f"{function}_values", function, POINTS[function], f"that {function} is right",
        _arrays, oracle, (Misconception("mistaken", hint, wrong),),
    )  # fmt: skip


QUESTIONS = (
    _question("double", lambda x: 2 * x, lambda x: x**2,
              "Your output is what you get when x is squared."),
    _question("triple", lambda x: 3 * x, lambda x: x + 3,
              "Your output is what you get when 3 is added."),
    _question("total", lambda x: float(np.sum(x)), lambda x: float(np.mean(x)),
              "Your output is the mean."),
)  # fmt: skip


def source() -> nbformat.NotebookNode:
    """The assignment with its answers, as an instructor writes it."""
    text = nbformat.v4.new_markdown_cell
    cells = [
        text("# Small", id="title"),
        code("imports", "import numpy as np", settings("imports", locked=True)),
    ]
    for function, right in ANSWERS.items():
        cells += [
            text(f"Write `{function}`.", id=f"about-{function}"),
            answer(function, right),
            graded(f"{function}_values", POINTS[function]),
        ]
    why = settings("why", solution=True, grade=True, points=5)
    cells.append(text("Because.", id="why", metadata=why))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def other_source() -> nbformat.NotebookNode:
    """Another assignment, of which nothing is asked here but its name."""
    return nbformat.v4.new_notebook(
        cells=[answer("halve", "def halve(x):\n    return x / 2"),
               graded("halve_values", 1)]
    )  # fmt: skip


def install() -> None:
    """Put the hidden tests where hidden tests are looked for."""
    module = types.ModuleType(f"autograder.hidden.{NAME}")
    module.QUESTIONS, module.CHECKS = QUESTIONS, ()
    sys.modules[module.__name__] = module


class Small:
    """A course with the small assignment, registered in its gradebook."""

    def __init__(self, root: Path, port: int) -> None:
        """port: of this machine, on which no submission should be heard."""
        self.root, self.port = root, port
        self.course = Course(root / "course", root / "repository")
        self.course.submitted.mkdir(parents=True)
        path = self.course.source(NAME)
        path.parent.mkdir(parents=True)
        nbformat.write(source(), path)
        register(self.course, NAME)
        released = self.course.released / NAME / f"{NAME}.ipynb"
        self.release = nbformat.read(released, as_version=4)
        path = self.course.exercises / OTHER / f"{OTHER}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(other_source(), path)
        self.course.source(OTHER).parent.mkdir()
        nbformat.write(other_source(), self.course.source(OTHER))

    def untouched(self) -> nbformat.NotebookNode:
        return copy.deepcopy(self.release)

    def answered(self, **instead: str) -> nbformat.NotebookNode:
        """Everything answered rightly, but for what is given instead."""
        notebook = self.untouched()
        for function, right in (ANSWERS | instead).items():
            cell_of(notebook, function).source = right
        cell_of(notebook, "why").source = "It multiplies."
        return notebook

    def folder(self, student: str) -> Path:
        return self.course.submitted / student / NAME


def as_bytes(notebook: dict) -> bytes:
    return json.dumps(notebook, indent=1).encode()
