"""The sample class: the same every time, and the demonstration graded for real."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from autograder import hidden
from autograder.carried import choices_in
from autograder.course import REPOSITORY, Course, CourseError
from autograder.hidden import CAPSTONE
from autograder.sample_class import make_class, make_demo
from autograder.sample_class.broken import BROKEN
from autograder.sample_class.submissions import Maker, hostile, perfect, untouched
from autograder.sandbox import SandboxUnavailable, find_bwrap
from autograder.tests.trials import judge, of

PS2 = "ps2_convolution"
ASSIGNMENTS = Course().assignments()
BY_HAND = 4  # points for the answer in words


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path / "course")


def files(course: Course) -> dict[str, bytes]:
    return {
        str(path.relative_to(course.submitted)): path.read_bytes()
        for path in course.submitted.rglob("*")
        if path.is_file()
    }


def test_a_class_is_made_from_its_seed(course, tmp_path):
    other = Course(tmp_path / "other")
    assert make_class(course, PS2, 30, seed=1) == make_class(other, PS2, 30, seed=1)
    assert files(course) == files(other)
    kinds = {about.partition(":")[0] for _, about in make_class(other, PS2, 90, 2)}
    assert kinds == {
        "perfect", "right", "partial", "mistaken", "untouched", "broken", "dishonest"
    }  # fmt: skip


def test_making_it_again_changes_nothing(course):
    made = make_demo(course, PS2)
    before = files(course)
    assert make_demo(course, PS2) == made
    assert files(course) == before


def test_a_strangers_submission_is_not_overwritten(course):
    folder = course.submitted / "s003" / PS2
    folder.mkdir(parents=True)
    (folder / f"{PS2}.ipynb").write_text("mine")
    with pytest.raises(CourseError, match="not made by sample-class"):
        make_demo(course, PS2)
    assert (folder / f"{PS2}.ipynb").read_text() == "mine"
    assert not (course.submitted / "s001").exists()


def test_every_snippet_parses_and_names_an_answer(course):
    maker = Maker(course, PS2)
    for kind in ("right", "wrong"):
        for snippet in maker.snippets[kind]:
            assert snippet["answer"] in maker.answers
            if snippet["name"] != "syntax_error":
                compile(snippet["source"], snippet["name"], "exec")


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_assignment_has_a_class(course, name):
    made = make_class(course, name, 40, seed=3)
    kinds = {about.partition(":")[0] for _, about in made}
    assert {"perfect", "partial", "mistaken", "broken", "dishonest"} <= kinds
    assert len(make_demo(Course(course.folder / "demo"), name)) == 6


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_attempts_on_the_grader_are_code_that_runs_on_any_assignment(course, name):
    maker = Maker(course, name)
    for snippet in maker.snippets["hostile"]:
        _, files = hostile(maker, snippet["name"])
        notebook = nbformat.reads(files[f"{name}.ipynb"].decode(), as_version=4)
        [attempt] = [cell for cell in notebook.cells if cell.id == "attempt"]
        compile(attempt.source, snippet["name"], "exec")
        assert not re.search(r"\b(FIRST|LAST|OTHERS|ASSIGNMENT)\b", attempt.source)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_known_mistakes_written_as_code_are_the_known_mistakes(course, name):
    """Three of each assignment, run on their function's questions."""
    maker = Maker(course, name)
    keys = list(maker.mistakes)
    assert len(keys) >= 3
    for key in keys[:: -(-len(keys) // 3)]:
        mistake = maker.mistakes[key]
        names = run_answers(maker.answered())
        exec(mistake.source, names)
        wrong = [
            judged.misconception
            for question in of(hidden.questions(name), mistake.function).values()
            if not (judged := judge(question, names[mistake.function])).right
        ]
        assert wrong, key
        assert set(wrong) == {mistake.name}


@pytest.mark.skipif(CAPSTONE not in ASSIGNMENTS, reason="there is no capstone")
def test_the_capstone_is_handed_in_with_what_earlier_notebooks_saved(course):
    maker = Maker(course, CAPSTONE)
    assert list(untouched(maker)[1]) == [f"{CAPSTONE}.ipynb"]
    carried = {name for name in perfect(maker)[1] if name.startswith("carried/")}
    assert carried == {f"carried/{name}.py" for name in choices_in(maker.release())
                       .values()}  # fmt: skip
    for name in carried:
        names: dict = {}
        exec(perfect(maker)[1][name], names)
        assert all(callable(names[one]) for one in names["__all__"])


def run_answers(notebook) -> dict:
    """What a notebook's imports and functions define; little else is run."""
    names: dict = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            keep = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Try)
            body = [one for one in ast.parse(cell.source).body if isinstance(one, keep)]
            exec(compile(ast.Module(body, []), cell.id, "exec"), names)
    return names


@pytest.mark.parametrize("about", BROKEN)
def test_broken_submissions_are_not_what_was_released(course, about):
    maker = Maker(course, PS2)
    assert BROKEN[about](maker) != maker.files(maker.answered())


# The demonstration with the real judge, graded once for all tests below.

needs_sandbox = [
    pytest.mark.sandbox,
    pytest.mark.xdist_group("demonstration"),
]


def autograder(folder: Path, *words: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "autograder", "--course", str(folder), *words]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=540, **options
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    try:
        find_bwrap()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("demo")
    assert autograder(folder, "sample-class", "--demo").returncode == 0
    graded = autograder(folder, "grade", PS2, "--seed", "5")
    assert graded.returncode == 0, graded.stderr
    return Course(folder)


def grades(course: Course) -> dict[str, dict[str, str]]:
    with open(course.grades, newline="") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def verdicts(course: Course, student: str) -> dict[str, dict]:
    path = course.verdicts / PS2 / f"{student}.json"
    return json.loads(path.read_text())["judgement"]["verdicts"]


class TestDemonstration:
    pytestmark = needs_sandbox

    def test_points_earned_are_points_deserved(self, demo):
        questions = hidden.questions(PS2).values()
        full = sum(question.points for question in questions)
        most = sum(question.cell_points for question in questions) + BY_HAND
        rows = grades(demo)
        assert {row["max_score"] for row in rows.values()} == {f"{most:g}"}
        assert rows["s001"]["score"] == rows["s005"]["score"] == f"{full:g}"
        for student in ("s002", "s004", "s006"):
            assert rows[student]["score"] == "0"

    def test_status_and_flags_say_what_happened(self, demo):
        rows = grades(demo)
        assert {name: row["status"] for name, row in rows.items()} == {
            "s001": "graded", "s002": "graded", "s003": "graded", "s004": "graded",
            "s005": "repaired", "s006": "quarantined",
        }  # fmt: skip
        assert {"patched-assert", "forged-output"} <= set(rows["s004"]["flags"].split())
        assert rows["s005"]["flags"] == "duplicated-cell needs-manual"
        assert rows["s001"]["flags"] == "needs-manual"
        assert rows["s002"]["flags"] == ""

    def test_the_table_shows_at_a_glance_that_the_machine_gave_all(self, demo):
        table = autograder(demo.folder, "grade", PS2).stdout
        [line] = [one for one in table.splitlines() if one.startswith("s001")]
        words = f"s001 {PS2} 53 / 54 50 / 50 + 3 bonus 4 wait graded needs-manual"
        assert " ".join(line.split()) == words
        assert "3 questions wait to be graded by hand" in table

    def test_a_flipped_filter_loses_what_it_breaks_and_no_more(self, demo):
        found = verdicts(demo, "s003")
        lost = {name for name, verdict in found.items() if not verdict["points"]}
        broken = {name for name in found if name.startswith("conv2d_forward")}
        assert lost == broken - {"conv2d_forward_refuses"}
        known = {found[name]["misconception"] for name in lost}
        assert known == {"filter_flipped"}

    def test_feedback_has_the_hint_and_nothing_hidden(self, demo):
        result = autograder(demo.folder, "feedback")
        assert result.returncode == 0, result.stderr
        pages = {p.parent.parent.name: p.read_text() for p in
                 demo.feedback.glob("*/*/*.html")}  # fmt: skip
        assert sorted(pages) == [f"s00{n}" for n in range(1, 7)]
        assert "each filter is turned around" in pages["s003"]
        assert "cut short" in pages["s006"]
        for page in pages.values():
            assert "HIDDEN TESTS" not in page
            assert "autograder.preview" not in page

    def test_a_second_run_changes_nothing(self, demo):
        before = demo.grades.read_bytes(), demo.grades.stat().st_mtime_ns
        result = autograder(demo.folder, "grade", PS2)
        assert "6 unchanged since they were judged, 0 to judge" in result.stdout
        assert (demo.grades.read_bytes(), demo.grades.stat().st_mtime_ns) == before

    def test_killed_half_way_and_started_again_it_comes_to_the_same(
        self, demo, tmp_path
    ):
        shutil.copytree(demo.submitted, tmp_path / "submitted")
        command = [sys.executable, "-m", "autograder", "--course", str(tmp_path),
                   "grade", PS2, "--seed", "5"]  # fmt: skip
        grader = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for_a_verdict(tmp_path / "verdicts" / PS2, grader)
        finally:
            os.kill(grader.pid, signal.SIGKILL)
            grader.wait()
        course = Course(tmp_path)
        assert not course.grades.exists(), "it was killed before the end"
        result = autograder(tmp_path, "grade", PS2)
        assert result.returncode == 0, result.stderr
        assert " 0 unchanged" not in result.stdout, "what was judged is kept"
        assert course.grades.read_bytes() == demo.grades.read_bytes()


def wait_for_a_verdict(folder: Path, grader: subprocess.Popen) -> None:
    """Until one of the judged submissions has its record, and not all have."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and grader.poll() is None:
        if any("judgement" in path.read_text() for path in folder.glob("s*.json")):
            return
        time.sleep(0.05)
    raise AssertionError("no verdict was written in five minutes")
