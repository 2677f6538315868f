"""Ideas for submissions: each turns the released notebook into files handed in."""

from __future__ import annotations

import copy
import random
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder.course import Course, CourseError
from autograder.sample_class.broken import BROKEN

Files = dict[str, bytes]
Idea = Callable[["Maker"], tuple[str, Files]]
SNIPPETS = Path(__file__).parent
# How many in a hundred: what a class hands in, with more trouble than most have.
MIX = {
    "perfect": 20,
    "variant": 20,
    "partial": 18,
    "mistaken": 22,
    "untouched": 4,
    "broken": 8,
    "hostile": 8,
}


class Maker:
    """The release, the right answers, and the snippets of one assignment."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.assignment = assignment
        released = course.exercises / assignment / f"{assignment}.ipynb"
        if not released.is_file():
            raise CourseError(
                f"{assignment} is not released yet: run `python -m autograder release`."
            )
        self._release = nbformat.read(released, as_version=4)
        solution = nbformat.read(course.source(assignment), as_version=4)
        self.answers = {
            cell.metadata.nbgrader.grade_id: _without_marks(cell.source)
            for cell in solution.cells
            if utils.is_solution(cell)
        }
        path = SNIPPETS / f"{assignment}.toml"
        self.snippets = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}

    def release(self) -> NotebookNode:
        return copy.deepcopy(self._release)

    def answered(self, **instead: str) -> NotebookNode:
        """Every question answered; `instead` replaces some of the answers."""
        notebook = self.release()
        for cell in notebook.cells:
            if utils.is_solution(cell):
                name = cell.metadata.nbgrader.grade_id
                cell.source = instead.get(name, self.answers[name])
        return notebook

    def files(self, notebook: NotebookNode) -> Files:
        return {f"{self.assignment}.ipynb": as_bytes(notebook)}

    def snippet(self, kind: str, name: str) -> dict[str, Any]:
        return next(s for s in self.snippets[kind] if s["name"] == name)


def as_bytes(notebook: NotebookNode) -> bytes:
    return nbformat.writes(notebook).encode() + b"\n"


def demo_ideas() -> list[Idea]:
    """Perfect, untouched, mistaken, dishonest, and two that are broken."""
    return [
        perfect,
        untouched,
        lambda maker: mistaken(maker, "flipped_filter"),
        lambda maker: hostile(maker, "patched_asserts"),
        lambda maker: broken(maker, "an answer cell is there twice"),
        lambda maker: broken(maker, "the file stops in the middle"),
    ]


def random_idea(maker: Maker, seed: int, number: int) -> Idea:
    """The idea of one student of a class."""
    draw = random.Random(f"{seed} {number}")
    [kind] = draw.choices(list(MIX), weights=list(MIX.values()))
    if kind in ("perfect", "untouched"):
        return {"perfect": perfect, "untouched": untouched}[kind]
    if kind == "partial":
        written = draw.randrange(1, len(maker.answers))
        return lambda maker: partial(maker, list(maker.answers)[:written])
    if kind == "broken":
        about = draw.choice(list(BROKEN))
        return lambda maker: broken(maker, about)
    lists = {"variant": "right", "mistaken": "wrong", "hostile": "hostile"}
    name = draw.choice(maker.snippets[lists[kind]])["name"]
    make = {"variant": variant, "mistaken": mistaken, "hostile": hostile}[kind]
    return lambda maker: make(maker, name)


def perfect(maker: Maker) -> tuple[str, Files]:
    return "perfect", maker.files(maker.answered())


def untouched(maker: Maker) -> tuple[str, Files]:
    return "untouched", maker.files(maker.release())


def partial(maker: Maker, names: list[str]) -> tuple[str, Files]:
    """Only some of the answers written: people stop on the way."""
    notebook = maker.release()
    for cell in notebook.cells:
        if utils.is_solution(cell) and cell.metadata.nbgrader.grade_id in names:
            cell.source = maker.answers[cell.metadata.nbgrader.grade_id]
    about = f"partial: {len(names)} of {len(maker.answers)} answers"
    return about, maker.files(notebook)


def variant(maker: Maker, name: str) -> tuple[str, Files]:
    """Right, by another way than the solution's."""
    snippet = maker.snippet("right", name)
    notebook = maker.answered(**{snippet["answer"]: snippet["source"].strip()})
    return f"right: {snippet['about']}", maker.files(notebook)


def mistaken(maker: Maker, name: str) -> tuple[str, Files]:
    """Right but for one answer."""
    snippet = maker.snippet("wrong", name)
    notebook = maker.answered(**{snippet["answer"]: snippet["source"].strip()})
    return f"mistaken: {snippet['about']}", maker.files(notebook)


def hostile(maker: Maker, name: str) -> tuple[str, Files]:
    """Nothing answered, and an attempt on the grader after the answers."""
    snippet = maker.snippet("hostile", name)
    notebook = maker.release()
    places = [
        index
        for index, cell in enumerate(notebook.cells)
        if cell.metadata.get("nbgrader", {}).get("grade_id") == snippet["answer"]
    ]
    attempt = nbformat.v4.new_code_cell(snippet["source"].strip(), id="attempt")
    notebook.cells.insert(places[0] + 1, attempt)
    return f"dishonest: {snippet['about']}", maker.files(notebook)


def broken(maker: Maker, about: str) -> tuple[str, Files]:
    """Perfect work that was damaged on its way."""
    return f"broken: {about}", BROKEN[about](maker)


def _without_marks(source: str) -> str:
    marks = ("### BEGIN SOLUTION", "### END SOLUTION")
    return "\n".join(
        line for line in source.split("\n") if line.strip() not in marks
    ).rstrip()
