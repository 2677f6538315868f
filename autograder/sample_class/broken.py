"""Broken files and notebooks: what happens to honest work on its way."""

from __future__ import annotations

import copy
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader import utils


def duplicated_answer(maker: Any) -> dict[str, bytes]:
    """The first answer cell copied, the copy left unwritten."""
    notebook = maker.answered()
    unwritten = _first(maker.release(), utils.is_solution)
    place = notebook.cells.index(_first(notebook, utils.is_solution))
    notebook.cells.insert(place + 1, _copied(unwritten))
    return maker.files(notebook)


def duplicated_test(maker: Any) -> dict[str, bytes]:
    notebook = maker.answered()
    test = _first(notebook, _is_test)
    notebook.cells.insert(notebook.cells.index(test), _copied(test))
    return maker.files(notebook)


def deleted_test(maker: Any) -> dict[str, bytes]:
    notebook = maker.answered()
    notebook.cells.remove(_first(notebook, _is_test))
    return maker.files(notebook)


def edited_test(maker: Any) -> dict[str, bytes]:
    notebook = maker.answered()
    _first(notebook, _is_test).source = "4"
    return maker.files(notebook)


def stripped_metadata(maker: Any) -> dict[str, bytes]:
    notebook = maker.answered()
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
    return maker.files(notebook)


def renamed(maker: Any) -> dict[str, bytes]:
    [data] = maker.files(maker.answered()).values()
    return {f"{maker.assignment} (1).ipynb": data}


def truncated(maker: Any) -> dict[str, bytes]:
    [(name, data)] = maker.files(maker.answered()).items()
    return {name: data[: len(data) * 2 // 3]}


def merge_conflict(maker: Any) -> dict[str, bytes]:
    [(name, data)] = maker.files(maker.answered()).items()
    lines = data.split(b"\n")
    lines[9:10] = [b"<<<<<<< HEAD", lines[9], b"=======", lines[9], b">>>>>>> mine"]
    return {name: b"\n".join(lines)}


def empty(maker: Any) -> dict[str, bytes]:
    return {f"{maker.assignment}.ipynb": b""}


def no_notebook(maker: Any) -> dict[str, bytes]:
    return {"homework.pdf": b"%PDF-1.4\n"}


BROKEN = {
    "an answer cell is there twice": duplicated_answer,
    "a test is there twice": duplicated_test,
    "a test is gone": deleted_test,
    "a test is edited": edited_test,
    "all grading settings are gone": stripped_metadata,
    "the file has another name": renamed,
    "the file stops in the middle": truncated,
    "the file has merge marks": merge_conflict,
    "the file is empty": empty,
    "there is no notebook": no_notebook,
}


def _is_test(cell: NotebookNode) -> bool:
    """A graded cell that is not written by the student."""
    return utils.is_grade(cell) and not utils.is_solution(cell)


def _first(notebook: NotebookNode, is_wanted: Any) -> NotebookNode:
    return next(cell for cell in notebook.cells if is_wanted(cell))


def _copied(cell: NotebookNode) -> NotebookNode:
    twin = copy.deepcopy(cell)
    twin.id = f"{cell.id}-copy"
    return twin
