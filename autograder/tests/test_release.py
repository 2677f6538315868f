"""exercises/ is what solutions/ makes, again and again, and tells no secret."""

from __future__ import annotations

import filecmp
import shutil

import nbformat
import numpy as np
import pytest

from autograder import cases, hidden
from autograder.course import Course, CourseError
from autograder.release import release, secret_lines
from convlab.checks import public

COMMITTED = Course()
ASSIGNMENTS = COMMITTED.assignments()


@pytest.fixture
def course(tmp_path):
    """A repository of its own, with the real source notebooks."""
    shutil.copytree(COMMITTED.solutions, tmp_path / "solutions",
                    ignore=shutil.ignore_patterns("carried", ".*"))
    return Course(folder=tmp_path / "course", repository=tmp_path)


def edit(course, change, name="ps2_convolution"):
    notebook = nbformat.read(course.source(name), as_version=4)
    change(notebook)
    nbformat.write(notebook, course.source(name))


def cell(notebook, name):
    return next(one for one in notebook.cells if one.id == name)


def files(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*")
                  if path.is_file())


def test_what_is_committed_is_what_the_sources_make(course, tmp_path):
    release(course, checks=tmp_path / "checks")
    for name in ASSIGNMENTS:
        made, there = course.exercises / name, COMMITTED.exercises / name
        assert files(made) == files(there)
        assert not filecmp.cmpfiles(made, there, files(made), shallow=False)[1]
        for folder in (tmp_path / "checks", public.FOLDER):
            assert (folder / f"{name}.json").is_file()
        with np.load(tmp_path / "checks" / f"{name}.npz") as one, \
                np.load(public.FOLDER / f"{name}.npz") as other:
            assert cases.same(
                (tmp_path / "checks" / f"{name}.json").read_text(), dict(one),
                (public.FOLDER / f"{name}.json").read_text(), dict(other))


def test_doing_it_again_changes_nothing(course, tmp_path, capsys):
    release(course, checks=tmp_path / "checks")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")
              if path.is_file()}
    assert "(unchanged)" not in capsys.readouterr().out
    release(course, checks=tmp_path / "checks")
    assert capsys.readouterr().out.count("(unchanged)") == len(ASSIGNMENTS)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")
                      if path.is_file()}


def test_it_says_what_it_made(course, tmp_path, capsys):
    release(course, ["ps2_convolution"], checks=tmp_path / "checks")
    assert capsys.readouterr().out.startswith(
        "ps2_convolution: 14 graded questions, 50 points, 4 more by hand, "
        "3 as a bonus, 10 public checks -> ")


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_a_released_notebook_is_valid_and_empty(name):
    path = COMMITTED.exercises / name / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    ids = [one.id for one in notebook.cells]
    assert len(ids) == len(set(ids))
    for one in notebook.cells:
        if one.cell_type == "code":
            assert one.outputs == []
            assert one.execution_count is None


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_no_secret_is_released(name):
    source = nbformat.read(COMMITTED.source(name), as_version=4)
    secret = secret_lines(source)
    assert len(secret) > 20
    for path in COMMITTED.exercises.rglob("*"):
        if path.is_file():
            text = path.read_text()
            for word in ("BEGIN", "verdict", "autograder", "HIDDEN"):
                assert word not in text
    released = nbformat.read(
        COMMITTED.exercises / name / f"{name}.ipynb", as_version=4)
    lines = {line.strip() for one in released.cells for line in one.source.split("\n")}
    assert not lines & secret


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_a_released_graded_cell_says_what_is_checked(name):
    released = nbformat.read(
        COMMITTED.exercises / name / f"{name}.ipynb", as_version=4)
    for question in hidden.questions(name).values():
        one = cell(released, question.name)
        words = " ".join(one.source.replace("#", " ").split())
        words = words.replace("(1 points)", "(1 point)")
        bonus = "bonus, " if question.bonus else ""
        points = f"{question.points:g} point" + "s" * (question.points != 1)
        assert words == f"{question.name} ({bonus}{points}): {question.checked}"
        assert one.metadata.nbgrader.locked


def untouched(course):
    return not course.exercises.exists()


@pytest.mark.parametrize("change, says", [
    (lambda nb: cell(nb, "output_size_values").metadata.nbgrader.update(points=5),
     "output_size_values has 5 points in the notebook and 4 by the hidden test"),
    (lambda nb: nb.cells.remove(cell(nb, "output_size_values")),
     "output_size_values lacks a graded cell"),
    (lambda nb: cell(nb, "output_size_values").metadata.nbgrader.update(grade_id="x"),
     "lacks a"),
    (lambda nb: cell(nb, "setup").outputs.append(
        nbformat.v4.new_output("stream", text="secret")), "cell setup has outputs"),
    (lambda nb: cell(nb, "setup").update(source="x = 1  ### END SOLUTION"),
     "cell setup: put ### END SOLUTION on a line of its own"),
    (lambda nb: cell(nb, "conv_parameters").update(
        source=cell(nb, "conv_parameters").source.replace("### END SOLUTION", "")),
     "nbgrader cannot release ps2_convolution"),
])
def test_a_source_that_does_not_fit_is_refused(course, tmp_path, change, says):
    edit(course, change)
    with pytest.raises(CourseError, match=says):
        release(course, ["ps2_convolution"], checks=tmp_path / "checks")
    assert untouched(course)


def test_a_file_that_gives_answers_away_is_refused(course, tmp_path):
    (course.solutions / "ps2_convolution" / "notes.py").write_text(
        "x = 1\n    return filters * (size * size * channels + 1)\n")
    with pytest.raises(CourseError, match="notes.py of ps2_convolution would give"):
        release(course, ["ps2_convolution"], checks=tmp_path / "checks")
    assert untouched(course)


def test_what_running_a_source_leaves_is_not_released(course, tmp_path):
    left = course.solutions / "ps2_convolution" / "carried"
    left.mkdir()
    (left / "ps2_convolution.py").write_text("answers = 1\n")
    (course.solutions / "ps2_convolution" / "picture.txt").write_text("given\n")
    release(course, checks=tmp_path / "checks")
    assert [str(one) for one in files(course.exercises / "ps2_convolution")] == [
        "picture.txt", "ps2_convolution.ipynb"]


def test_a_file_that_is_no_longer_released_goes_away(course, tmp_path):
    stale = course.exercises / "ps2_convolution" / "old.txt"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    release(course, checks=tmp_path / "checks")
    assert not stale.exists()


def test_an_assignment_that_does_not_exist(course, tmp_path):
    with pytest.raises(CourseError, match="no assignment called 'ps9'"):
        release(course, ["ps9"], checks=tmp_path / "checks")
