"""The table of hostile and broken submissions, each graded by the real grader.

All rows of `autograder/tests/hostile` are graded in one run. Honest submissions
among them come out as in a run of their own.
"""

from __future__ import annotations

import json
import re

import psutil
import pytest
from bs4 import BeautifulSoup

from autograder.feedback import page_of
from autograder.record import read_record
from autograder.tests.hostile.run import Run, grade_rows
from autograder.tests.hostile.small import NAME
from autograder.tests.hostile.table import CONTROLS, ROWS
from autograder.tests.tiny import SECRET
from autograder.tests.walls import needs_sandbox

pytestmark = pytest.mark.xdist_group("hostile")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    before = set(psutil.Process().children(recursive=True))
    graded = grade_rows(tmp_path_factory.mktemp("hostile"), ROWS)
    graded.left = set(psutil.Process().children(recursive=True)) - before
    return graded


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> Run:
    """The first honest submissions, with nobody else in the class."""
    return grade_rows(tmp_path_factory.mktemp("quiet"), CONTROLS)


@needs_sandbox
@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_points_earned_are_points_deserved(run, name):
    assert run.outcomes[name].problems() == []


def test_there_are_enough_rows_and_each_has_a_name():
    assert len(ROWS) >= 150
    assert len({row.name for row in ROWS}) == len(ROWS)


@needs_sandbox
@pytest.mark.parametrize("name", [row.name for row in CONTROLS])
def test_other_submissions_of_the_run_are_untouched(run, quiet, name):
    loud = run.outcomes[name].row.shown
    assert loud == quiet.outcomes[name].row.shown
    assert comparable(run, loud) == comparable(quiet, loud)


def comparable(run: Run, student: str) -> dict:
    """All that comes of a submission, but for how long it took and where it lay."""
    course = run.small.course
    record = read_record(course.verdicts, NAME, student)
    found = record.to_json()
    judgement = found["judgement"]
    for timed in (judgement, *judgement["verdicts"].values()):
        timed.pop("seconds")
    judgement.pop("timings")
    found.pop("source")
    autograded = course.autograded / student / NAME / f"{NAME}.ipynb"
    return {
        "record": found,
        "notebook": json.loads(autograded.read_text()),
        "page": page_of(course, record).read_text(),
        "grades": [line for line in course.grades.read_text().splitlines()
                   if line.startswith(f"{student},")],
    }  # fmt: skip


@needs_sandbox
def test_nothing_got_out(run):
    assert run.calls == 0
    assert not [one for one in run.left if one.is_running() and "bwrap" in one.name()]
    assert run.changed == [], "what was handed in"
    root = run.small.root
    names = [path for path in root.rglob("*") if re.match("escaped|ran$", path.name)]
    assert names == []
    shown = json.dumps([one.record.judgement.outputs for one in run.outcomes.values()
                        if one.record and one.record.judgement])  # fmt: skip
    assert "refused" in shown
    assert not re.search("WROTE|CONNECTED|ALLOWED", shown)


@needs_sandbox
def test_no_page_shows_a_hidden_test_or_runs_what_a_student_wrote(run):
    for outcome in run.outcomes.values():
        assert SECRET not in outcome.page, outcome.row.name
        for tag in BeautifulSoup(outcome.page, "html.parser").find_all(True):
            assert tag.name not in ("script", "iframe", "object", "embed", "form")
            addresses = [tag.get(one, "") for one in ("href", "src")]
            assert not any("javascript:" in one for one in addresses)
            assert not any(one.startswith("on") for one in tag.attrs)
            assert "example.org/live" not in str(tag.attrs)


@needs_sandbox
def test_no_page_is_larger_than_a_browser_likes(run):
    largest = max(run.outcomes.values(), key=lambda one: len(one.page))
    assert len(largest.page) < 8_000_000, largest.row.name


@needs_sandbox
def test_the_class_report_says_what_an_instructor_must_read(run):
    report = run.report()
    for outcome in run.outcomes.values():
        for words in outcome.row.instructor:
            assert " ".join(words.split()) in report, (outcome.row.name, words)


NEUTRAL = re.compile(r"\b(cheat|fraud|dishonest|hack|malicious|attack|guilty|steal)",
                     re.IGNORECASE)  # fmt: skip


@needs_sandbox
def test_what_is_said_accuses_nobody_and_names_its_place(run):
    for outcome in run.outcomes.values():
        record = outcome.record
        for remark in (*record.findings, *record.repairs) if record else ():
            assert not NEUTRAL.search(remark.words), remark
        for remark in record.findings if record else ():
            assert remark.where
