"""The source notebooks run to their end and are worth all of their points."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.utils import is_grade, is_locked, is_solution

from autograder import hidden
from autograder.course import Course
from autograder.hidden import CAPSTONE
from autograder.tests.greys import hand_in

COURSE = Course()
ASSIGNMENTS = COURSE.assignments()
# The capstone as it is run here: drawn images, a small network, one epoch.
SMALL = {
    'DATASET = "cifar10"': 'DATASET = "shapes"',
    '"[CONV-RELU-POOL]*3-(FC-RELU)*1,SOFTMAX"': '"[CONV{4}-RELU-POOL]*3,SOFTMAX"',
    "data.load(DATASET)": "data.load(DATASET, train=1000, test=200)",
    "EPOCHS = 6": "EPOCHS = 1",
}


def run(path, folder, allow_errors=False):
    notebook = nbformat.read(path, as_version=4)
    if path.stem == CAPSTONE:
        for cell in notebook.cells:
            for given, small in SMALL.items():
                cell.source = cell.source.replace(given, small)
    NotebookClient(notebook, timeout=300, kernel_name="python3",
                   allow_errors=allow_errors,
                   resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def outputs(cell, kind):
    return [one for one in cell.outputs if one.output_type == kind]


def errors_on(notebook):
    return [cell.id for cell in notebook.cells if cell.cell_type == "code"
            for one in cell.outputs
            if one.output_type == "stream" and one.name == "stderr"]


def checks_in(notebook):
    return [cell for cell in notebook.cells if cell.source.startswith("check(")]


def is_test(cell):
    """A locked cell that the grader gives points to: not one graded by hand."""
    return is_grade(cell) and not is_solution(cell)


def is_answer(cell):
    """A cell of code to be written: not an answer in words."""
    return is_solution(cell) and cell.cell_type == "code"


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_the_source_is_worth_all_points(name, tmp_path, monkeypatch):
    if name == CAPSTONE:  # what a student has carried there
        hand_in(tmp_path)
        (tmp_path / "weights.npz").unlink()
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    notebook = run(COURSE.source(name), tmp_path)
    for cell in filter(is_test, notebook.cells):
        question = hidden.questions(name)[cell.metadata.nbgrader.grade_id]
        said = outputs(cell, "stream")[0].text
        assert f"{question.name}: " in said
        points = float(outputs(cell, "execute_result")[0].data["text/plain"])
        # A busy machine may be slow, and a small network's accuracy is small.
        if question.speed is None and question.accuracy is None:
            assert points == question.points, said
    for cell in checks_in(notebook):
        shown = outputs(cell, "display_data")[0].data
        assert shown["text/plain"].startswith("✓")
        assert "cases right" in shown["text/html"]
    assert errors_on(notebook) == []
    left = ["weights.npz", "results.npz"] if name == CAPSTONE else [
        f"carried/{name}.py"]
    assert all((tmp_path / one).is_file() for one in left)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_an_untouched_release_is_told_so_and_worth_nothing(name, tmp_path):
    path = COURSE.exercises / name / f"{name}.ipynb"
    notebook = run(path, tmp_path, allow_errors=True)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            for error in outputs(cell, "error"):
                assert error.ename in ("NotImplementedError", "NameError")
    for cell in checks_in(notebook):
        assert not outputs(cell, "error")
        assert "not written yet" in outputs(cell, "display_data")[0].data["text/plain"]
    for cell in filter(is_test, notebook.cells):
        assert cell.outputs == []
    assert errors_on(notebook) == []
    assert not (tmp_path / "carried").exists()


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_cell_has_a_readable_id_and_a_place_in_the_rhythm(name):
    notebook = nbformat.read(COURSE.source(name), as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(ids) == len(set(ids))
    assert all(one.replace("_", "a").isalnum() and not one[:8].isdigit() for one in ids)
    for cell in notebook.cells:
        if is_grade(cell) or is_solution(cell):
            assert cell.id == cell.metadata.nbgrader.grade_id
            assert cell.metadata.nbgrader.schema_version == 3
            assert cell.metadata.nbgrader.locked == is_test(cell)
    # A test of a function that takes functions goes through one of ours, locked.
    written = [function.name for cell in notebook.cells
               if is_answer(cell) or is_locked(cell) and cell.cell_type == "code"
               for function in ast.parse(cell.source).body
               if isinstance(function, ast.FunctionDef)]
    checked = "".join(cell.source for cell in checks_in(notebook))
    for function in {question.function for question in hidden.questions(name).values()
                     if not question.carried and question.accuracy is None}:
        assert function in written
        assert f", {function})" in checked


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_function_to_write_says_its_shapes(name):
    notebook = nbformat.read(COURSE.source(name), as_version=4)
    for cell in filter(is_answer, notebook.cells):
        assert "### BEGIN SOLUTION" in cell.source
        for function in ast.parse(cell.source).body:
            assert isinstance(function, ast.FunctionDef)
            assert "eturns" in ast.get_docstring(function)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_what_is_graded_by_hand_comes_after_its_rubric(name):
    notebook = nbformat.read(COURSE.source(name), as_version=4)
    for above, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if is_grade(cell) and is_solution(cell):
            assert "ubric" in above.source
            assert f"{cell.metadata.nbgrader.points} points" in above.source
            assert "### BEGIN SOLUTION" in cell.source


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_it_names_chapters_that_the_book_has(name):
    titles = {re.search(r"^# (.+)$", path.read_text().split("\n:::")[0].rsplit(
                  "```\n", 1)[-1], re.MULTILINE)[1]
              for path in (COURSE.repository / "book/chapters").glob("*.md")}
    first = nbformat.read(COURSE.source(name), as_version=4).cells[0].source
    reading = " ".join(first.split("Reading along:")[1].split())
    named = re.findall(r"\*(.+?)\*", reading)
    assert named
    assert set(named) <= titles
