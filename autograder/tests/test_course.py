"""Where a course keeps its files, and what nbgrader is told of them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder import course as module
from autograder.course import REPOSITORY, Course, CourseError, is_student_id


@pytest.mark.parametrize("name", ["s001", "a.b-c_d", "ada@uni.example", "7"])
def test_names_of_students(name):
    assert is_student_id(name)


@pytest.mark.parametrize(
    "name",
    ["", "..", ".hidden", "a/b", "=1+1", "-x", "a b", "s*", "[s]", "é", "x" * 101],
)
def test_names_that_are_no_students(name):
    assert not is_student_id(name)


def test_the_default_course_lies_in_the_repository(monkeypatch):
    monkeypatch.delenv(module.FOLDER_VARIABLE, raising=False)
    assert Course().folder == REPOSITORY / "autograder" / "course"


def test_the_environment_chooses_another(monkeypatch, tmp_path):
    monkeypatch.setenv(module.FOLDER_VARIABLE, str(tmp_path))
    assert Course().folder == tmp_path


def test_nbgrader_finds_every_folder(tmp_path):
    course = Course(tmp_path)
    directory = CourseDirectory(config=course.nbgrader())
    source = directory.format_path(directory.source_directory, ".", "ps2")
    assert Path(source) == REPOSITORY / "solutions" / "ps2"
    submitted = directory.format_path(directory.submitted_directory, "s1", "ps2")
    assert Path(submitted) == tmp_path / "submitted" / "s1" / "ps2"
    assert directory.db_url == f"sqlite:///{tmp_path}/gradebook.db"


def test_nbgraders_own_commands_read_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv(module.FOLDER_VARIABLE, str(tmp_path))
    config = Config()
    path = REPOSITORY / "autograder" / "nbgrader_config.py"
    runpy.run_path(str(path), {"get_config": lambda: config})
    assert config == Course().nbgrader()


def test_an_unknown_assignment_is_named_with_those_there_are(tiny):
    with pytest.raises(CourseError, match="'tinny'. There are: tiny"):
        tiny.course.check_assignments(["tinny"])
