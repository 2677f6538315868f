"""The class report: its numbers by hand, and that it is one safe page."""

from __future__ import annotations

import re

from autograder import grading
from autograder.gradebook import opened
from autograder.record import Record
from autograder.report import distribution, mistakes, points_lost, write_report
from autograder.tests.tiny import cell_of, code
from autograder.verdict import RIGHT, WRONG, Judgement, Verdict


def record(student: str, *verdicts: Verdict) -> Record:
    judgement = Judgement(1, {v.question: v for v in verdicts}, {})
    return Record(student, "tiny", "key", "", 1, judgement=judgement)


def right(name: str, points: float) -> Verdict:
    return Verdict(name, points, points, RIGHT, "")


def wrong(name: str, points: float, mistake: str | None = None) -> Verdict:
    return Verdict(name, 0, points, WRONG, "", mistake)


def test_full_marks_stand_alone_in_the_distribution():
    rows = distribution([0, 4.9, 5, 49.9, 50, 50], 50)
    assert [int(row["value"]) for row in rows] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    assert rows[0]["label"] == "0 to under 5"
    assert rows[-1]["label"] == "50"


def test_points_lost_are_shares_of_the_points_there_were():
    judged = [
        record("a", right("double_values", 3), wrong("triple_values", 2)),
        record("b", wrong("double_values", 3), wrong("triple_values", 2)),
    ]
    assert [(row["label"], row["value"]) for row in points_lost(judged)] == [
        ("double_values", "50%"), ("triple_values", "100%")
    ]  # fmt: skip


def test_mistakes_are_counted_by_student_with_their_hint(tiny):
    both = wrong("double_values", 3, "added"), wrong("triple_values", 2, "added")
    judged = [
        record("a", *both),
        record("b", wrong("double_values", 3, "added")),
        record("c", wrong("double_values", 3)),
    ]
    [entry] = mistakes("tiny", judged)
    assert entry["hint"] == "Your output is x plus the factor."
    assert entry["students"] == ["a", "b"]
    assert entry["questions"] == ["double_values", "triple_values"]


def test_the_page_names_everyone_and_runs_nothing(tiny):
    attacker = tiny.answered()
    cell_of(attacker, "double").source = (
        "import socket  # <script>alert(1)</script>\ndef double(x):\n    return x + 2"
    )
    attacker.cells.insert(1, code("x", "!curl <b>"))
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", attacker)
    tiny.hand_in("s003", b"{")
    grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
    page = write_report(tiny.course, ["tiny"]).read_text(encoding="utf-8")
    text = " ".join(page.split())
    for words in ("s001", "cut short", "network", "shell", "5 / 10", "plus the factor"):
        assert words in text
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page), "nothing is fetched"


def test_the_page_tells_what_people_grade_and_who_has_a_bonus(with_bonus):
    tiny = with_bonus
    for number in range(3):
        tiny.hand_in(f"s00{number}", tiny.answered())
    tiny.hand_in("s003", tiny.untouched())
    grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
    with opened(tiny.course) as gradebook:
        for student, points in (("s000", 5), ("s001", 2)):
            grade = gradebook.find_grade("why", "tiny", "tiny", student)
            grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()
    page = write_report(tiny.course, ["tiny"]).read_text(encoding="utf-8")
    cells = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    mean = (5 + 2 + 0) / 3
    assert f"why 5 3 {mean:.1f} 1 " in cells, "points, graded, mean, still waiting"
    assert "1 answers to grade by hand" in cells
    assert "s002 5 / 8 3 / 3 + 2 bonus 5 wait graded" in cells
    assert "s003 0 / 8 0 / 3 0 / 5 graded" in cells
    lost, earned = cells.index("Points lost"), cells.index("Bonus: students")
    assert "triple_values" not in cells[lost:earned]
    assert "triple_values 3 Graded by hand" in cells[earned:]


def test_an_ungraded_course_has_an_empty_report(tiny):
    page = write_report(tiny.course, ["tiny"]).read_text(encoding="utf-8")
    assert "Nothing is graded yet" in page
