"""A repository of its own with one small assignment, and a class to grade there.

The grader, run from that copy, is the whole one: nothing in it is replaced.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from autograder import hidden
from autograder.course import REPOSITORY, Course
from autograder.gradebook import register
from autograder.tests import tiny
from autograder.tests.tiny import DOUBLE, TRIPLE, TinyClass, cell_of

ASSIGNMENT = TinyClass.name
HIDDEN = '''"""Hidden tests of the small assignment."""

from autograder.tests.tiny import QUESTIONS  # noqa: F401

CHECKS = ()
'''
FIRST = "first"  # a course that knows the assignment, and has no students
LEFT_OUT = shutil.ignore_patterns("__pycache__", "course", "tests", "trials", ".*")


def make_repository(folder: Path) -> Path:
    """Copy the grader and the library, and add the small assignment; the folder."""
    for package in ("autograder", "convlab"):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=LEFT_OUT)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    tests = folder / "autograder" / "tests"
    tests.mkdir()
    shutil.copy(tiny.__file__, tests)
    (folder / "autograder" / "hidden" / f"{ASSIGNMENT}.py").write_text(HIDDEN)
    course = Course(folder / FIRST, folder)
    course.source(ASSIGNMENT).parent.mkdir(parents=True)
    nbformat.write(tiny.tiny_source(), course.source(ASSIGNMENT))
    hidden.__path__.append(str(folder / "autograder" / "hidden"))
    register(course, ASSIGNMENT)
    hidden.__path__.pop()
    shutil.copytree(course.released, course.exercises)
    return folder


def register_in(course: Course) -> None:
    """What the first command makes of a new course: the gradebook, the release."""
    shutil.copytree(course.repository / FIRST, course.folder)


def grader(course: Course, *words: str) -> list[str]:
    """The command that grades a course of such a repository."""
    folder = str(course.folder)
    return [sys.executable, "-m", "autograder", "--course", folder, *words]


def environment(repository: Path) -> dict[str, str]:
    """The environment in which Python finds the copy, and no other."""
    return {**os.environ, "PYTHONPATH": str(repository), "PYTHONSAFEPATH": "1",
            "PYTHONDONTWRITEBYTECODE": "", "PYTHONUNBUFFERED": "1"}  # fmt: skip


def hand_in(course: Course, students: int) -> None:
    """A class: each way of `WAYS` in turn, so many students."""
    path = course.exercises / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    release = nbformat.read(path, as_version=4)
    for number in range(students):
        folder = course.submitted / f"s{number + 1:03d}" / ASSIGNMENT
        folder.mkdir(parents=True)
        way = WAYS[number % len(WAYS)]
        for name, data in way(copy.deepcopy(release)).items():
            (folder / name).write_bytes(data)


def perfect(notebook: NotebookNode) -> dict[str, bytes]:
    return _files(_answered(notebook))


def late_with_a_module(notebook: NotebookNode) -> dict[str, bytes]:
    _answered(notebook, double="from twice import double")
    module = f"{DOUBLE}\n".encode()
    return _files(notebook) | {
        "twice.py": module, "timestamp.txt": b"2026-01-31 12:00:00 UTC\n"
    }  # fmt: skip


def untouched(notebook: NotebookNode) -> dict[str, bytes]:
    return _files(notebook)


def mistaken(notebook: NotebookNode) -> dict[str, bytes]:
    return _files(_answered(notebook, triple="def triple(x):\n    return x + 3"))


def compiled(notebook: NotebookNode) -> dict[str, bytes]:
    """Takes a second or two, as work with numba does."""
    return _files(_answered(notebook, f"from numba import njit\n\n@njit\n{DOUBLE}"))


def slow(notebook: NotebookNode) -> dict[str, bytes]:
    waits = "import time\ntime.sleep(1)\n\n"
    return _files(_answered(notebook, f"{waits}{DOUBLE}", f"{waits}{TRIPLE}"))


def duplicated(notebook: NotebookNode) -> dict[str, bytes]:
    _answered(notebook)
    cell = cell_of(notebook, "double")
    notebook.cells.insert(4, copy.deepcopy(cell))
    return _files(notebook)


def cut_off(notebook: NotebookNode) -> dict[str, bytes]:
    [(name, data)] = _files(_answered(notebook)).items()
    return {name: data[: len(data) // 2]}


def ends_its_process(notebook: NotebookNode) -> dict[str, bytes]:
    return _files(_answered(
        notebook, double="def double(x):\n    import os\n    os._exit(3)"))  # fmt: skip


def ends_in_a_cell(notebook: NotebookNode) -> dict[str, bytes]:
    ends = "import os\nos.kill(os.getpid(), 9)"
    return _files(_answered(notebook, triple=f"{TRIPLE}\n\n{ends}"))


def forges(notebook: NotebookNode) -> dict[str, bytes]:
    forged = "get_ipython().run_cell = lambda *_, **__: 50"
    return _files(_answered(notebook, double=forged))


WAYS = (perfect, ends_its_process, slow, cut_off, compiled, ends_in_a_cell, mistaken,
        late_with_a_module, duplicated, forges, untouched)  # fmt: skip


def _answered(
    notebook: NotebookNode, double: str = DOUBLE, triple: str = TRIPLE
) -> NotebookNode:
    cell_of(notebook, "double").source = double
    cell_of(notebook, "triple").source = triple
    cell_of(notebook, "why").source = "It multiplies."
    return notebook


def _files(notebook: NotebookNode) -> dict[str, bytes]:
    return {f"{ASSIGNMENT}.ipynb": json.dumps(notebook).encode()}
