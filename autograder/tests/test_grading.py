"""Grading a tiny class: scores, quarantine, resuming, and plain nbgrader."""

from __future__ import annotations

import csv
import os
from dataclasses import replace

import pytest
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory

from autograder import grading, judging
from autograder.course import CourseError
from autograder.gradebook import opened
from autograder.grades import COLUMNS, as_csv, as_table, still_waiting
from autograder.tests.tiny import DOUBLE, SECRET, cell_of, fake_judge


def grade(tiny, **options):
    options = {"workers": 0, "say": lambda line: None} | options
    rows = grading.grade(tiny.course, [tiny.name], **options)
    return {row.student_id: row for row in rows}


def test_points_are_those_of_the_right_answers(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.untouched())
    tiny.hand_in("s003", tiny.answered(triple="def triple(x):\n    return x + 3"))
    rows = grade(tiny)
    assert {name: row.score for name, row in rows.items()} == {
        "s001": 3 + 2, "s002": 0, "s003": 3
    }  # fmt: skip
    assert {row.max_score for row in rows.values()} == {3 + 2 + 5}
    assert rows["s001"].status == "graded"
    assert rows["s001"].flags == "needs-manual"
    assert rows["s002"].flags == ""


def test_a_broken_submission_costs_only_itself(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", b'{"cells": [')
    rows = grade(tiny)
    assert rows["s001"].score == 5
    assert (rows["s002"].status, rows["s002"].score) == ("quarantined", 0)


def test_a_run_without_walls_says_what_it_lacks(tiny):
    tiny.hand_in("s001", tiny.answered())
    said = []
    assert grade(tiny, sandbox="limits", say=said.append)["s001"].score == 5
    assert "can read every file that you can" in said[0]


def test_a_fault_of_the_judge_costs_only_its_submission(tiny, monkeypatch):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.answered(double="def double(x):\n    return 'boom'"))

    def judge(notebook, *args, **options):
        if "boom" in str(notebook):
            raise RuntimeError("the judge has a fault")
        return fake_judge(notebook, *args, **options)

    monkeypatch.setattr(judging, "judge", judge)
    rows = grade(tiny)
    assert rows["s001"].score == 5
    assert rows["s002"].status == "quarantined"
    monkeypatch.setattr(judging, "judge", fake_judge)
    assert grade(tiny)["s002"].score == 2, "it is tried again"


def test_a_passing_fault_of_the_judge_costs_nothing(tiny, monkeypatch):
    """As of a file system that does not answer just then."""
    tiny.hand_in("s001", tiny.answered())
    faults = []

    def judge(*args, **options):
        if not faults:
            faults.append(None)
            raise OSError("not now")
        return fake_judge(*args, **options)

    monkeypatch.setattr(judging, "judge", judge)
    row = grade(tiny)["s001"]
    assert (row.status, row.score) == ("graded", 5)


def test_a_missing_verdict_is_zero_points(tiny, monkeypatch):
    tiny.hand_in("s001", tiny.answered())

    def judge(notebook, questions, **options):
        questions = {"triple_values": questions["triple_values"]}
        return fake_judge(notebook, questions, **options)

    monkeypatch.setattr(judging, "judge", judge)
    assert grade(tiny)["s001"].score == 2


def test_grades_csv_has_the_contracted_columns(tiny):
    tiny.hand_in("s001", tiny.answered())
    grade(tiny)
    with open(tiny.course.grades, newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS == (
        "student_id", "assignment", "score", "max_score", "status", "flags"
    )  # fmt: skip
    assert rows[0]["score"] == "5"
    assert rows[0]["max_score"] == "10"


def test_a_second_run_judges_nothing_and_changes_nothing(tiny, monkeypatch):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", b"")
    grade(tiny)
    files = snapshot(tiny.course.folder)
    monkeypatch.setattr(judging, "judge", None)
    grade(tiny)
    assert snapshot(tiny.course.folder) == files


def test_a_changed_submission_is_judged_again(tiny):
    tiny.hand_in("s001", tiny.untouched())
    assert grade(tiny)["s001"].score == 0
    tiny.hand_in("s001", tiny.answered())
    assert grade(tiny)["s001"].score == 5
    tiny.hand_in("s001", b"<html>")
    row = grade(tiny)["s001"]
    assert (row.score, row.status) == (0, "quarantined")


def test_points_given_by_hand_survive_a_regrade(tiny):
    tiny.hand_in("s001", tiny.answered())
    grade(tiny)
    with opened(tiny.course) as gradebook:
        gradebook.find_grade("why", "tiny", "tiny", "s001").manual_score = 4
        gradebook.db.commit()
    assert grade(tiny)["s001"].score == 3 + 2 + 4
    assert grade(tiny, regrade=True)["s001"].score == 3 + 2 + 4


@pytest.mark.parametrize(
    "moment", ["write_record", "lay_out", "convert", "write_text"]
)
def test_an_interrupted_run_is_taken_up_again(tiny, monkeypatch, moment):
    for number in range(3):
        tiny.hand_in(f"s00{number}", tiny.answered())
    modules = {"write_record": judging, "lay_out": judging}
    import autograder.gradebook as gradebook

    module = modules.get(moment, gradebook)
    real, calls = getattr(module, moment), []

    def stop_at_the_second(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(module, moment, stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        grade(tiny)
    monkeypatch.setattr(module, moment, real)
    assert [row.score for row in grade(tiny).values()] == [5, 5, 5]


def test_the_seed_is_recorded_and_used_again(tiny):
    tiny.hand_in("s001", tiny.answered())
    grade(tiny, seed=7)
    record = judging.read_record(tiny.course.verdicts, "tiny", "s001")
    assert record.seed == record.judgement.seed == 7
    grade(tiny, regrade=True)
    again = judging.read_record(tiny.course.verdicts, "tiny", "s001")
    assert again.substance() == record.substance()


def test_a_regrade_that_finds_otherwise_reaches_the_gradebook(tiny, monkeypatch):
    tiny.hand_in("s001", tiny.answered())
    assert grade(tiny)["s001"].score == 5

    def judge(notebook, questions, **options):
        found = fake_judge(notebook, questions, **options)
        wrong = replace(found.verdicts["double_values"], points=0, status="slow")
        return replace(found, verdicts={**found.verdicts, wrong.question: wrong})

    monkeypatch.setattr(judging, "judge", judge)
    assert grade(tiny)["s001"].score == 5, "nothing has changed"
    assert grade(tiny, regrade=True)["s001"].score == 2


def test_two_gradings_at_once_are_refused(tiny):
    tiny.hand_in("s001", tiny.answered())
    with (
        grading.locked(tiny.course),
        pytest.raises(CourseError, match=f"process {os.getpid()}\\."),
    ):
        grade(tiny)
    assert grade(tiny)["s001"].score == 5


def test_an_unknown_assignment_is_a_clear_error(tiny):
    with pytest.raises(CourseError, match="no assignment called 'ps9'.*tiny"):
        grading.grade(tiny.course, ["ps9"])


def test_a_folder_that_cannot_be_a_students_is_listed_not_followed(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("=cmd|' calc'", tiny.answered())
    rows = grade(tiny)
    assert rows["s001"].score == 5
    strange = next(row for name, row in rows.items() if name != "s001")
    assert strange.status == "quarantined"
    assert not strange.student_id.startswith(("=", "+", "-", "@"))


def test_a_graded_cell_without_a_hidden_test_is_refused(tiny, monkeypatch):
    import autograder.hidden.tiny as hidden

    tiny.hand_in("s001", tiny.answered())
    monkeypatch.setattr(hidden, "QUESTIONS", hidden.QUESTIONS[:1])
    with pytest.raises(CourseError, match="triple_values lacks a hidden test"):
        grade(tiny)


def test_intake_holds_no_hidden_block(tiny):
    tiny.hand_in("s001", tiny.answered())
    grade(tiny)
    intake = tiny.course.intake / "s001" / "tiny" / "tiny.ipynb"
    assert SECRET not in intake.read_text()


def test_plain_nbgrader_gives_the_same_scores(tiny):
    duplicated = tiny.answered()
    cell = cell_of(duplicated, "double")
    first_try = DOUBLE.replace("2", "4")
    duplicated["cells"].insert(3, dict(cell, id="again", source=first_try))
    edited = tiny.answered(double="def double(x):\n    return x + 2")
    cell_of(edited, "double_values").source = "pass"
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", duplicated)
    tiny.hand_in("s003", edited)
    tiny.hand_in("s004", b"{")
    config = tiny.course.nbgrader()
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    results = [api.autograde("tiny", f"s00{n}")["success"] for n in (1, 2, 3, 4)]
    assert results == [True, True, True, False]
    with opened(tiny.course) as gradebook:
        plain = [gradebook.find_submission("tiny", f"s00{n}").score for n in (1, 2, 3)]
    assert plain == [5, 5, 2]
    ours = grade(tiny)
    assert [ours[f"s00{n}"].score for n in (1, 2, 3)] == plain


def test_plain_nbgrader_sees_that_a_file_beside_the_notebook_changed(tiny):
    tiny.hand_in("s001", tiny.answered())
    grade(tiny)
    config = tiny.course.nbgrader()
    api = NbGraderAPI(CourseDirectory(config=config), config=config)

    def key_after_autograde():
        assert api.autograde("tiny", "s001")["success"]
        return judging.read_record(tiny.course.verdicts, "tiny", "s001").key

    before = key_after_autograde()
    assert key_after_autograde() == before
    (tiny.folder("s001") / "carried.py").write_text("x = 1")
    assert key_after_autograde() != before


def test_the_table_lines_up(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", b"")
    lines = as_table(list(grade(tiny).values())).splitlines()
    heads = "student assignment score by machine by hand status flags"
    assert lines[0].split() == heads.split()
    assert " ".join(lines[2].split()) == (
        "s001 tiny 5 / 10 5 / 5 5 wait graded needs-manual"
    )
    assert " ".join(lines[3].split()) == "s002 tiny 0 / 10 0 / 5 0 / 5 quarantined"
    assert lines[2].index("graded") == lines[3].index("quarantined")


def test_csv_quotes_what_needs_it():
    assert as_csv([]) == "student_id,assignment,score,max_score,status,flags\n"


def snapshot(folder):
    """The content and time of every file of a course but nbgrader's log."""
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".log" and path.name != ".lock"
    }


def test_a_bonus_comes_on_top_of_the_maximum(with_bonus):
    tiny = with_bonus
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.untouched())
    rows = grade(tiny)
    assert (rows["s001"].score, rows["s001"].max_score) == (3 + 2, 3 + 5)
    assert (rows["s001"].parts.machine, rows["s001"].parts.bonus) == (3, 2)
    assert rows["s002"].score == 0
    with opened(tiny.course) as gradebook:
        found = gradebook.find_grade("triple_values", "tiny", "tiny", "s001")
        assert (found.auto_score, found.extra_credit, found.max_score) == (0, 2, 0)


def test_plain_nbgrader_gives_the_bonus_too(with_bonus):
    tiny = with_bonus
    tiny.hand_in("s001", tiny.answered())
    config = tiny.course.nbgrader()
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    assert api.autograde("tiny", "s001")["success"]
    with opened(tiny.course) as gradebook:
        assert gradebook.find_submission("tiny", "s001").score == 3 + 2


def test_a_bonus_goes_with_the_answer_that_earned_it(with_bonus):
    tiny = with_bonus
    tiny.hand_in("s001", tiny.answered())
    assert grade(tiny)["s001"].score == 3 + 2
    tiny.hand_in("s001", tiny.answered(triple="def triple(x):\n    return x + 3"))
    assert grade(tiny)["s001"].score == 3
    tiny.hand_in("s001", tiny.answered())
    grade(tiny)
    tiny.hand_in("s001", b"{")
    grade(tiny)
    with opened(tiny.course) as gradebook:
        assert gradebook.find_submission("tiny", "s001").score == 0, "as exported"


# What people grade.


def give(tiny, points, student="s001"):
    """Grade the written answer as formgrader does."""
    with opened(tiny.course) as gradebook:
        found = gradebook.find_grade("why", "tiny", "tiny", student)
        found.manual_score, found.needs_manual_grade = points, False
        gradebook.db.commit()


def test_what_is_graded_by_hand_waits_and_is_never_lost_by_the_machine(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.untouched())
    rows = grade(tiny)
    parts = rows["s001"].parts
    assert (parts.machine, parts.machine_most) == (5, 5)
    assert (parts.waiting, parts.waiting_points, parts.by_hand_most) == (1, 5, 5)
    assert rows["s002"].parts.waiting == 0, "nothing was written: zero, as nbgrader"
    assert still_waiting(rows.values()).startswith("1 question waits to be graded")
    give(tiny, 4)
    rows = grade(tiny)
    assert (rows["s001"].score, rows["s001"].flags) == (5 + 4, "")
    assert still_waiting(rows.values()) == ""
    assert "9,10,graded," in tiny.course.grades.read_text()


def test_a_graded_answer_is_looked_at_again_only_when_it_changes(tiny):
    tiny.hand_in("s001", tiny.answered())
    grade(tiny)
    give(tiny, 4)
    row = grade(tiny, regrade=True)["s001"]
    assert (row.score, row.flags) == (9, "")
    tiny.hand_in("s001", tiny.answered(triple="def triple(x):\n    return 4"))
    row = grade(tiny)["s001"]
    assert (row.score, row.flags) == (3 + 4, ""), "the written answer is the same"
    changed = tiny.answered()
    cell_of(changed, "why").source = "It adds."
    tiny.hand_in("s001", changed)
    for _ in range(2):
        row = grade(tiny, regrade=True)["s001"]
        assert (row.score, row.flags) == (9, "needs-manual"), "kept, and to be seen"
        assert "4 / 5, look again" in as_table([row])


def test_intake_takes_a_written_answer_for_the_students(tiny):
    notebook = tiny.answered()
    notebook["cells"] = [
        cell for cell in notebook["cells"] if cell is not cell_of(notebook, "why")
    ]
    tiny.hand_in("s001", notebook)
    row = grade(tiny)["s001"]
    assert (row.status, row.flags) == ("repaired", "deleted-answer")
    assert (row.parts.machine, row.parts.waiting) == (5, 0)
