"""The command line: short useful lines, and errors that are sentences."""

from __future__ import annotations

import json
from zipfile import ZipFile

import pytest
from click.testing import CliRunner

from autograder import grading, workers
from autograder.__main__ import main
from autograder.sandbox import SandboxUnavailable


@pytest.fixture
def run(tiny, monkeypatch):
    """Run a command on the tiny course, judging in this process."""
    monkeypatch.setattr("autograder.__main__.Course", lambda folder: tiny.course)
    judge_all = workers.judge_all
    monkeypatch.setattr(
        "autograder.grading.judge_all", lambda tasks, workers: judge_all(tasks, 0)
    )

    def invoke(*words):
        return CliRunner().invoke(main, words)

    return invoke


def test_grade_prints_a_table_and_where_to_look(tiny, run):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", b"{")
    result = run("grade", "tiny")
    assert result.exit_code == 0
    assert "s001     tiny" in result.output
    assert "2 submissions in" in result.output
    assert "1 in quarantine" in result.output
    assert str(tiny.course.grades) in result.output


def test_feedback_and_report_say_where_they_are(tiny, run):
    tiny.hand_in("s001", tiny.answered())
    run("grade", "tiny")
    result = run("feedback")
    assert "1 feedback pages written, 0 unchanged" in result.output
    result = run("report")
    assert result.output.endswith("reports/report.html\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grade", "ps9"), "no assignment called 'ps9'"),
        (("grade", "tiny", "--submitted", "nowhere"), "There is no folder"),
        (("sample-class",), "no assignment called 'ps2_convolution'"),
    ],
)
def test_errors_are_sentences(tiny, run, words, said):
    result = run(*words)
    assert result.exit_code != 0
    assert said in result.output
    assert "Traceback" not in result.output


def test_feedback_before_grading_says_what_to_do(tiny, run):
    tiny.course.gradebook.unlink()
    assert "grade ASSIGNMENT` first" in run("feedback").output


def test_without_a_sandbox_it_refuses_and_says_why(tiny, run, monkeypatch):
    def find_bwrap():
        raise SandboxUnavailable("No sandbox can be made here. Install bubblewrap.")

    tiny.hand_in("s001", tiny.answered())
    monkeypatch.setattr(grading, "find_bwrap", find_bwrap)
    result = run("grade", "tiny")
    assert result.exit_code == 1
    assert "Error: No sandbox can be made here. Install bubblewrap." in result.output
    assert not tiny.course.grades.exists()
    trusted = run("grade", "tiny", "--sandbox", "limits")
    assert trusted.exit_code == 0, "for submissions one trusts"


def test_release_says_where_the_student_kit_is(tiny, run, monkeypatch):
    monkeypatch.setattr("autograder.release.release", lambda course, names: None)
    result = run("release", "tiny")
    assert result.exit_code == 0, result.output
    said = result.output.removeprefix("Student kit: ").strip()
    assert said == str(tiny.course.repository / "build/kit/convnet-course-kit.zip")


def test_from_a_roster_and_an_archive_to_a_file_for_canvas(tiny, run, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("id,lms_user_id\ns001,7001\ns002,7002\n,7003\n")
    result = run("roster", str(people))
    assert result.output.splitlines() == [
        f"2 students, 2 of them new: {tiny.course.roster}",
        "Left out, line 4: it has nothing in the column 'id'",
    ]
    archive = tmp_path / "submissions.zip"
    with ZipFile(archive, "w") as file:
        data = json.dumps(tiny.answered())
        file.writestr("beeanna_LATE_7001_55_tiny.ipynb", data)
        file.writestr("elsewhere.txt", "x")
    result = run("collect", "tiny", str(archive))
    assert result.output.splitlines() == [
        "tiny: 1 new, 0 newer than what was there, 0 unchanged: "
        f"{tiny.course.submitted}",
        "  Late, says the platform: s001",
        "  Left out, elsewhere.txt: it is not named as a student's file",
    ]
    assert "On the roster, nothing for tiny: s002" in run("grade", "tiny").output
    result = run("export", "--format", "canvas")
    assert result.output.splitlines() == [
        f"2 students, tiny: {tiny.course.folder}/export-canvas.csv",
        "  tiny: answers that still wait for a person: 1",
        "  tiny: nothing handed in, exported as 0: s002",
    ]
    result = run("export", "--column", "tiny")
    assert "takes ASSIGNMENT=HEADING, not 'tiny'" in result.output
