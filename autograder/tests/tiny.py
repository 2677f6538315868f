"""A tiny assignment and a fake judge, so that the pipeline is tested in seconds."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np

from autograder.course import Course
from autograder.gradebook import register
from autograder.questions import Case, Misconception, Question
from autograder.verdict import (
    ERROR,
    MISSING,
    RIGHT,
    UNWRITTEN,
    WRONG,
    Judgement,
    Verdict,
)

SECRET = "the_hidden_block_of"
DOUBLE = "def double(x):\n    return 2 * x"
TRIPLE = "def triple(x):\n    return 3 * x"


def settings(grade_id: str, **given) -> dict:
    whole = {"grade": False, "locked": False, "solution": False, "task": False,
             "schema_version": 3, "grade_id": grade_id}  # fmt: skip
    return {"nbgrader": whole | given}


def answer(name: str, source: str) -> dict:
    first, rest = source.split("\n", 1)
    text = f"{first}\n    ### BEGIN SOLUTION\n{rest}\n    ### END SOLUTION"
    return code(name, text, settings(name, solution=True))


def graded(name: str, points: int) -> dict:
    function = name.removesuffix("_values")
    text = (
        f'"""Checks {function}."""\n### BEGIN HIDDEN TESTS\n{SECRET}("{name}")\n'
        "### END HIDDEN TESTS"
    )
    return code(name, text, settings(name, grade=True, locked=True, points=points))


def code(cell_id: str, source: str, metadata: dict | None = None) -> dict:
    return nbformat.v4.new_code_cell(
        source, id=cell_id.replace("_", "-"), metadata=metadata or {}
    )


def tiny_source() -> nbformat.NotebookNode:
    text = nbformat.v4.new_markdown_cell
    cells = [
        text("# Tiny", id="title"),
        code("imports", "import numpy as np", settings("imports", locked=True)),
        text("Write `double`.", id="about-double"),
        answer("double", DOUBLE),
        code("try-double", "double(4)"),
        graded("double_values", 3),
        answer("triple", TRIPLE),
        graded("triple_values", 2),
        text("Because.", id="why", metadata=settings("why", solution=True, grade=True,
                                                     points=5)),
    ]  # fmt: skip
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3",
                                 "language": "python"}},
    )  # fmt: skip


def question(function: str, factor: int, points: int) -> Question:
    return Question(
        f"{function}_values",
        function,
        points,
        f"that {function} multiplies by {factor}",
        lambda random: [Case("a number", (int(random.integers(3, 99)),))],
        lambda x: factor * x,
        (Misconception("added", "Your output is x plus the factor.",
                       lambda x: x + factor),),
    )  # fmt: skip


QUESTIONS = (question("double", 2, 3), question("triple", 3, 2))
BONUS_QUESTIONS = (QUESTIONS[0], replace(QUESTIONS[1], bonus=True))


def fake_judge(notebook, questions, *, seed, assignment="", folder=None, **_):
    """Judge trusted test code in this process, by the real rules in short."""
    names: dict = {}
    outputs = {}
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            try:
                exec(cell.source, names)
                text = "ran\n"
            except Exception as error:
                text = f"{error}\n"
            outputs[index] = [{"output_type": "stream", "name": "stdout", "text": text}]
    verdicts = {q.name: _verdict(q, names, seed) for q in questions.values()}
    return Judgement(seed, verdicts, outputs, seconds=0.5)


def _verdict(asked: Question, names: dict, seed: int) -> Verdict:
    case = asked.cases(np.random.default_rng(seed))[0]
    status, said, known = RIGHT, "Right.", None
    try:
        found = names[asked.function](*case.args)
        if found != asked.oracle(*case.args):
            status, said = WRONG, "The output differs."
            for mistake in asked.misconceptions:
                if found == mistake.wrong(*case.args):
                    known, said = mistake.name, mistake.hint
    except KeyError:
        status, said = MISSING, "There is no such function."
    except NotImplementedError:
        status, said = UNWRITTEN, "Nothing is written yet."
    except Exception as error:
        status, said = ERROR, f"It raised {error!r}."
    points = asked.points if status == RIGHT else 0.0
    return Verdict(asked.name, points, asked.points, status, said, known)


def make_tiny(root: Path) -> None:
    """A repository with the tiny assignment, and a course that knows it."""
    course = Course(root / "course", root / "repository")
    course.submitted.mkdir(parents=True)
    source = course.source("tiny")
    source.parent.mkdir(parents=True)
    nbformat.write(tiny_source(), source)
    register(course, "tiny")


def make_triple_a_bonus(course: Course) -> None:
    """Two points on top of the others: its cell has none."""
    source = tiny_source()
    cell_of(source, "triple_values").metadata.nbgrader.points = 0
    nbformat.write(source, course.source("tiny"))
    register(course, "tiny")


class TinyClass:
    """A course with one tiny assignment, and ways to hand it in."""

    name = "tiny"

    def __init__(self, root: Path) -> None:
        self.course = Course(root / "course", root / "repository")
        released = self.course.released / self.name / f"{self.name}.ipynb"
        self.release = nbformat.read(released, as_version=4)

    def untouched(self) -> nbformat.NotebookNode:
        return copy.deepcopy(self.release)

    def answered(self, double: str = DOUBLE, triple: str = TRIPLE):
        notebook = self.untouched()
        cell_of(notebook, "double").source = double
        cell_of(notebook, "triple").source = triple
        cell_of(notebook, "why").source = "It multiplies."
        return notebook

    def folder(self, student: str) -> Path:
        folder = self.course.submitted / student / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def hand_in(self, student: str, notebook, name: str = "tiny.ipynb") -> Path:
        path = self.folder(student) / name
        if isinstance(notebook, bytes):
            path.write_bytes(notebook)
        else:
            path.write_text(json.dumps(notebook), encoding="utf-8")
        return path


def cell_of(notebook, grade_id: str):
    """The first cell of a notebook with this grade_id."""
    return next(
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id
    )
