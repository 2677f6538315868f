"""The class report: what stands on it, and that it is one safe page."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from autograder import grading
from autograder.gradebook import opened
from autograder.report import minutes, write_report
from autograder.tests.styles import all_styles
from autograder.tests.tiny import cell_of, code


def graded(tiny) -> str:
    """The report of what was handed in so far."""
    grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
    return write_report(tiny.course, ["tiny"]).read_text(encoding="utf-8")


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_the_page_names_everyone_and_runs_nothing(tiny):
    attacker = tiny.answered()
    cell_of(attacker, "double").source = (
        "import socket  # <script>alert(1)</script>\ndef double(x):\n    return x + 2"
    )
    attacker.cells.insert(1, code("x", "!curl <b>"))
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", attacker)
    tiny.hand_in("s003", b"{")
    page = graded(tiny)
    text = words_of(page)
    for words in ("s001", "cut short", "network", "shell", "5 / 10", "plus the factor"):
        assert words in text
    assert "<script" not in page
    assert "!curl <b>" not in page
    assert not re.search(r"(?:src|href)=\"(?!https://github|#|\.\.)", page)


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
    text = words_of(write_report(tiny.course, ["tiny"]).read_text(encoding="utf-8"))
    mean = (5 + 2 + 0) / 3
    assert f"why 5 3 {mean:.1f} 1 " in text, "points, graded, mean, still waiting"
    assert "1 answers to grade by hand" in text
    assert "s002 5 / 8 3 / 3 + 2 bonus 5 wait graded" in text
    assert "s003 0 / 8 0 / 3 0 / 5 graded" in text
    assert "75% of the class has it right bonus, 2 1 not written yet" in text


def test_every_section_is_reached_from_the_contents(tiny):
    tiny.hand_in("s001", tiny.answered())
    page = graded(tiny)
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))


def test_scores_are_those_of_the_graded_and_the_quarantined_stand_apart(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.untouched())
    tiny.hand_in("s003", b"{")
    page = graded(tiny)
    [label] = re.findall(r'aria-label="([^"]*none\.)"', page)
    assert " ".join(label.split()) == (
        "1 student has 0 to under 1 points; 1 student has 5 to under 6 points; "
        "all others none.")
    assert "In quarantine" in page
    assert "Lowest 0," in " ".join(page.split())


def test_who_was_late_stands_there_with_how_late(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.answered())
    stamp = tiny.course.submitted / "s001" / "tiny" / "timestamp.txt"
    stamp.write_text("2026-03-02 12:30:00 UTC")
    with opened(tiny.course) as gradebook:
        gradebook.find_assignment("tiny").duedate = datetime(2026, 3, 1, 10)
        gradebook.db.commit()
    text = words_of(graded(tiny))
    assert "Handed in late" in text
    assert "s001 1 day, 2:30:00 0" in text


def test_a_folder_that_is_nobodys_waits_for_a_person(tiny):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("=1+1 <b>", tiny.answered())
    page = graded(tiny)
    assert "Nobody's" in page
    assert "<li>??1?1??b?</li>" in page


def test_the_graders_own_fault_waits_for_a_person(tiny, monkeypatch):
    from autograder import judging
    from autograder.tests.tiny import fake_judge
    from autograder.verdict import FAULT, Incident, Judgement, Verdict

    def fails(notebook, questions, **options):
        good = fake_judge(notebook, questions, **options)
        verdicts = {name: Verdict(name, 0, one.max_points, FAULT, "It failed.")
                    for name, one in good.verdicts.items()}
        incident = Incident(FAULT, "double_values", "Traceback: <b>oops</b>")
        return Judgement(1, verdicts, good.outputs, (incident,))

    monkeypatch.setattr(judging, "judge", fails)
    tiny.hand_in("s001", tiny.answered())
    page = graded(tiny)
    assert "Not judged" in page
    assert "s001, double_values" in page
    assert "Traceback: &lt;b&gt;oops" in page


@pytest.fixture
def copied(tiny):
    """Two of a class share what a third wrote apart from them."""
    styles = all_styles()
    for student, style in (("s001", "steps"), ("s002", "steps"), ("s003", "vector")):
        extra = "\n\n".join(styles[style].values()).replace("channels", "<i>channels")
        double = f"{extra}\n\n\ndef double(x):\n    return 2 * x"
        tiny.hand_in(student, tiny.answered(double=double))
    return tiny


def test_code_that_is_alike_stands_side_by_side_and_escaped(copied):
    page = graded(copied)
    text = words_of(page)
    assert "s001 and s002: 100% alike" in text
    assert "s003 and" not in text
    assert "<mark>    free = n - f + 2 * pad</mark>" in page
    assert "<i>channels" not in page
    assert "&lt;i&gt;channels" in page
    assert "It cannot tell who wrote something first." in text


def test_likeness_changes_no_score_and_is_on_no_students_page(copied):
    from autograder.feedback import write_feedback

    graded(copied)
    table = copied.course.grades.read_text(encoding="utf-8")
    assert "alike" not in table
    write_feedback(copied.course, ["tiny"])
    for page in copied.course.feedback.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "alike" not in text
        others = {"s001", "s002", "s003"} - {page.parent.parent.name}
        assert not any(other in text for other in others)


def test_the_report_of_the_same_records_is_the_same(copied):
    first = graded(copied)
    assert write_report(copied.course, ["tiny"]).read_text(encoding="utf-8") == first


def test_an_ungraded_course_has_an_empty_report(tiny):
    page = write_report(tiny.course, ["tiny"]).read_text(encoding="utf-8")
    assert "Nothing is graded yet" in page


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (600, "10 min"), (5400, "1 h 30 min")],
)
def test_times_are_said_in_words(seconds, words):
    assert minutes(seconds) == words
