"""Ideas for submissions: each turns the released notebook into files handed in."""

from __future__ import annotations

import copy
import random
import re
import tomllib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder import hidden
from autograder.carried import ChoiceError, choices_in
from autograder.course import Course, CourseError
from autograder.sample_class.broken import BROKEN
from autograder.sample_class.mistaken import Mistake, mistakes
from convlab.carry import FOLDER, as_module

Files = dict[str, bytes]
Idea = Callable[["Maker"], tuple[str, Files]]
SNIPPETS = Path(__file__).parent
_DEFINED = re.compile(r"^def (\w+)\(", re.MULTILINE)
_SAVED = re.compile(r"^carry\.save\(([\w\s,]+?),\s*to=", re.MULTILINE)
_WORD = re.compile(r"\b(?:FIRST|LAST|OTHERS|ASSIGNMENT)\b")
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
        self.course = course
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
        own = _snippets(SNIPPETS / f"{assignment}.toml")
        self.snippets = {"right": [], "wrong": [], **own}
        self.snippets["hostile"] = _snippets(SNIPPETS / "hostile.toml")["hostile"]

    @cached_property
    def functions(self) -> dict[str, str]:
        """The functions that are asked for, in order, and the cell of each."""
        written = {
            function: name
            for name, source in self.answers.items()
            for function in _DEFINED.findall(source)
        }
        asked = hidden.questions(self.assignment).values()
        return {
            question.function: written[question.function]
            for question in asked
            if question.function in written
        }

    @cached_property
    def mistakes(self) -> dict[str, Mistake]:
        """Known mistakes that can be written down in this notebook."""
        return mistakes(self.assignment, set(self.functions))

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

    def worked(self, notebook: NotebookNode) -> Files:
        """The notebook with the modules that earlier notebooks saved, if any."""
        return self.files(notebook) | self.carried

    @cached_property
    def carried(self) -> Files:
        """The modules that LAYERS names, from the right answers of their notebooks."""
        try:
            modules = set(choices_in(self._release).values())
        except ChoiceError:  # only the last assignment has the table
            return {}
        return {
            f"{FOLDER}/{name}.py": self._saved_by(name).encode()
            for name in sorted(modules)
        }

    def _saved_by(self, assignment: str) -> str:
        earlier = Maker(self.course, assignment).answered()
        cells = [cell.source for cell in earlier.cells if cell.cell_type == "code"]
        found = (_SAVED.search(cell) for cell in cells)
        names = next(filter(None, found)).group(1).replace(" ", "").replace("\n", "")
        return as_module(cells, names.strip(",").split(","), assignment)

    def snippet(self, kind: str, name: str) -> dict[str, Any]:
        return next(s for s in self.snippets[kind] if s["name"] == name)


def as_bytes(notebook: NotebookNode) -> bytes:
    return nbformat.writes(notebook).encode() + b"\n"


def demo_ideas() -> list[Idea]:
    """Perfect, untouched, mistaken, dishonest, and two that are broken."""
    return [
        perfect,
        untouched,
        typical_mistake,
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
    names = [snippet["name"] for snippet in maker.snippets[lists[kind]]]
    if kind == "mistaken":
        names += maker.mistakes
    if not names:
        return perfect
    name = draw.choice(names)
    make = {"variant": variant, "mistaken": mistaken, "hostile": hostile}[kind]
    return lambda maker: make(maker, name)


def perfect(maker: Maker) -> tuple[str, Files]:
    return "perfect", maker.worked(maker.answered())


def untouched(maker: Maker) -> tuple[str, Files]:
    return "untouched", maker.files(maker.release())


def partial(maker: Maker, names: list[str]) -> tuple[str, Files]:
    """Only some of the answers written: people stop on the way."""
    notebook = maker.release()
    for cell in notebook.cells:
        if utils.is_solution(cell) and cell.metadata.nbgrader.grade_id in names:
            cell.source = maker.answers[cell.metadata.nbgrader.grade_id]
    about = f"partial: {len(names)} of {len(maker.answers)} answers"
    return about, maker.worked(notebook)


def variant(maker: Maker, name: str) -> tuple[str, Files]:
    """Right, by another way than the solution's."""
    snippet = maker.snippet("right", name)
    notebook = maker.answered(**{snippet["answer"]: snippet["source"].strip()})
    return f"right: {snippet['about']}", maker.worked(notebook)


def mistaken(maker: Maker, name: str) -> tuple[str, Files]:
    """Right but for one answer: a snippet's, or a known mistake's."""
    if name in maker.mistakes:
        mistake = maker.mistakes[name]
        answer = maker.functions[mistake.function]
        source = f"{maker.answers[answer]}\n\n\n{mistake.source}"
        about = f"{mistake.name.replace('_', ' ')} in {mistake.function}"
    else:
        snippet = maker.snippet("wrong", name)
        answer, source = snippet["answer"], snippet["source"].strip()
        about = snippet["about"]
    return f"mistaken: {about}", maker.worked(maker.answered(**{answer: source}))


def typical_mistake(maker: Maker) -> tuple[str, Files]:
    """One mistake for the demonstration, in the last function that has one."""
    of_snippets = [snippet["name"] for snippet in maker.snippets["wrong"]]
    asked = hidden.questions(maker.assignment).values()
    bonus = {question.function for question in asked if question.bonus}
    known = [name for name, one in maker.mistakes.items() if one.function not in bonus]
    return mistaken(maker, (of_snippets or known[::-1])[0])


def hostile(maker: Maker, name: str) -> tuple[str, Files]:
    """Nothing answered, and an attempt on the grader after the first answer."""
    snippet = maker.snippet("hostile", name)
    notebook = maker.release()
    first, last = list(maker.functions)[0], list(maker.functions)[-1]
    others = [name for name in maker.functions if name != last] or [last]
    words = {"FIRST": first, "LAST": last, "OTHERS": " = ".join(others),
             "ASSIGNMENT": maker.assignment}  # fmt: skip
    source = _WORD.sub(lambda found: words[found.group()], snippet["source"]).strip()
    place = next(
        index
        for index, cell in enumerate(notebook.cells)
        if cell.metadata.get("nbgrader", {}).get("grade_id") == maker.functions[first]
    )
    attempt = nbformat.v4.new_code_cell(source, id="attempt")
    notebook.cells.insert(place + 1, attempt)
    return f"dishonest: {snippet['about']}", maker.files(notebook)


def broken(maker: Maker, about: str) -> tuple[str, Files]:
    """Perfect work that was damaged on its way."""
    return f"broken: {about}", BROKEN[about](maker)


def _snippets(path: Path) -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def _without_marks(source: str) -> str:
    marks = ("### BEGIN SOLUTION", "### END SOLUTION")
    return "\n".join(
        line for line in source.split("\n") if line.strip() not in marks
    ).rstrip()
