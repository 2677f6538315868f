"""Late work: the instructor's own rule, in the course folder's own settings."""

from __future__ import annotations

import csv

import pytest

from autograder import grading
from autograder.course import SETTINGS, CourseError
from autograder.feedback import write_feedback
from autograder.gradebook import opened

TWO_A_DAY = """
from nbgrader.plugins import LateSubmissionPlugin


class TwoPointsADay(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 2 * (1 + total_seconds_late // 86400)


c = get_config()
c.AssignLatePenalties.plugin_class = TwoPointsADay
"""
DUE, SOON, NEXT_DAY = (
    "2026-03-01 12:00:00 UTC", "2026-03-01 13:00:00 UTC", "2026-03-02 13:00:00 UTC"
)  # fmt: skip


@pytest.fixture
def class_of_three(tiny):
    """One in time, one an hour late, one a day and an hour late."""
    for student, when in (("s001", DUE), ("s002", SOON), ("s003", NEXT_DAY)):
        tiny.hand_in(student, tiny.answered())
        (tiny.folder(student) / "timestamp.txt").write_text(when)
    return tiny


def scores(tiny):
    rows = grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
    return [row.score for row in rows]


def set_rule(tiny, text=TWO_A_DAY):
    (tiny.course.folder / SETTINGS).write_text(text)


def make_due(tiny, when=DUE):
    with opened(tiny.course) as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate=when)


def test_lateness_alone_costs_nothing(class_of_three):
    make_due(class_of_three)
    assert scores(class_of_three) == [5, 5, 5]


def test_the_instructors_rule_takes_points_off_everywhere(class_of_three):
    tiny = class_of_three
    set_rule(tiny)
    make_due(tiny)
    assert scores(tiny) == [5, 5 - 2, 5 - 4]
    with open(tiny.course.grades, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows] == ["5", "3", "1"]
    assert [row["flags"] for row in rows][0] == "needs-manual"
    assert rows[1]["flags"] == rows[2]["flags"] == "late needs-manual"
    write_feedback(tiny.course, ["tiny"])
    page = tiny.course.feedback / "s003" / "tiny" / "tiny.html"
    assert "<b>-4</b>late" in page.read_text()


def test_a_due_date_and_an_extension_set_after_grading_count(class_of_three):
    tiny = class_of_three
    set_rule(tiny)
    assert scores(tiny) == [5, 5, 5]
    make_due(tiny)
    assert scores(tiny) == [5, 3, 1]
    with opened(tiny.course) as gradebook:
        gradebook.grant_extension("tiny", "s003", days=1)
    assert scores(tiny) == [5, 3, 3]
    make_due(tiny, NEXT_DAY)
    assert scores(tiny) == [5, 5, 5]


def test_a_penalty_follows_points_that_people_give_later(class_of_three):
    tiny = class_of_three
    set_rule(tiny, "c.LateSubmissionPlugin.penalty_method = 'zero'")
    make_due(tiny)
    assert scores(tiny) == [5, 0, 0]
    with opened(tiny.course) as gradebook:
        gradebook.find_grade("why", "tiny", "tiny", "s002").manual_score = 4
        gradebook.db.commit()
    assert scores(tiny) == [5, 0, 0]


@pytest.mark.parametrize(
    "text", ["c.Nothing = (", "raise RuntimeError('no')", "import no_such_module"]
)
def test_settings_that_cannot_be_read_are_a_clear_error(class_of_three, text):
    set_rule(class_of_three, text)
    with pytest.raises(CourseError, match=f"{SETTINGS} cannot be read"):
        scores(class_of_three)


def test_a_rule_that_fails_is_a_clear_error(class_of_three):
    tiny = class_of_three
    set_rule(tiny, TWO_A_DAY.replace("return 2", "return 1 / 0"))
    make_due(tiny)
    with pytest.raises(CourseError, match="s002 in tiny.*ZeroDivisionError.*nbgrader"):
        scores(tiny)
