"""Feedback pages: what they say, what they never hold, when they are rewritten."""

from __future__ import annotations

import html
import re
from datetime import datetime

import pytest

from autograder import grading
from autograder.feedback import (
    _look_first,
    coloured,
    page_of,
    without_hidden,
    write_feedback,
)
from autograder.gradebook import opened
from autograder.record import read_record
from autograder.tests.tiny import SECRET, cell_of


@pytest.fixture
def pages(tiny):
    """Grade the class and write its feedback; the text of a student's page."""

    def make(student="s001"):
        grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
        make.written = write_feedback(tiny.course, ["tiny"])
        record = read_record(tiny.course.verdicts, "tiny", student)
        return page_of(tiny.course, record).read_text(encoding="utf-8")

    return make


def test_a_wrong_answer_gets_its_hint_and_a_right_one_its_points(tiny, pages):
    tiny.hand_in("s001", tiny.answered(triple="def triple(x):\n    return x + 3"))
    page = " ".join(pages().split())
    assert "Your output is x plus the factor." in page
    assert "that triple multiplies by 3" in page
    assert "3 of 3 points, right" in page
    assert "0 of 2 points, not right yet" in page
    assert "<b>3 / 10</b>" in page
    assert "graded by hand: not yet, of 5 points" in page
    assert "is not graded yet: the points above are those you have so far" in page
    assert "<b>1 / 2</b>questions right" in page, "what a machine grades"


def test_the_page_says_where_to_look_first(tiny, pages):
    both = "def double(x):\n    return x + 2", "def triple(x):\n    return x + 3"
    tiny.hand_in("s001", tiny.answered(*both))
    page = " ".join(pages().split())
    first = page[page.index("Where to look first") : page.index("Question by question")]
    assert "double_values</a></b>: 3 points, not right yet." in first
    assert first.index("double") < first.index("triple"), "in the notebook's order"
    assert "Your output is x plus the factor." in first
    targets = set(re.findall(r'href="#([^"]+)"', first))
    assert targets == {"about-double_values", "about-triple_values"}
    assert all(f'id="{target}"' in page for target in targets)


def test_who_has_all_right_reads_that_and_no_list(tiny, pages):
    tiny.hand_in("s001", tiny.answered())
    page = pages()
    assert "All that is checked by machine is right." in page
    assert "Where to look first" not in page


def test_what_failed_in_one_way_is_one_place_to_look():
    def lost(name, function, hint="", points=2, status="not right yet"):
        return {"name": name, "function": function, "hint": hint, "lost": points,
                "status": status, "found": "1\n2\n3\n4\n5"}

    places = _look_first([
        lost("a_values", "a", "Flipped."), lost("a_stride", "a", "Flipped.", 3),
        lost("a_fast", "a"), lost("b_values", "b", points=0),
    ])
    assert [(one["names"], one["lost"]) for one in places] == [
        (["a_values", "a_stride"], "5"), (["a_fast"], "2")]
    assert [one["words"] for one in places] == ["Flipped.", "1\n2\n3\n4"]


def test_a_late_page_says_how_late_and_what_it_cost(tiny, pages):
    tiny.hand_in("s001", tiny.answered())
    (tiny.folder("s001") / "timestamp.txt").write_text("2026-03-02 12:30:00 UTC")
    with opened(tiny.course) as gradebook:
        gradebook.find_assignment("tiny").duedate = datetime(2026, 3, 1, 10)
        gradebook.db.commit()
    page = " ".join(pages().split())
    assert "Handed in late, by 1 day, 2:30:00. No points are taken off for it." in page
    with opened(tiny.course) as gradebook:
        submission = gradebook.find_submission("tiny", "s001")
        submission.notebooks[0].late_submission_penalty = 2
        gradebook.db.commit()
    page = " ".join(write_and_read(tiny).split())
    assert "2 points are taken off, and are no longer in the points above" in page
    assert "<b>-2</b>late" in page
    assert "<b>3 / 10</b>" in page


def write_and_read(tiny) -> str:
    write_feedback(tiny.course, ["tiny"])
    record = read_record(tiny.course.verdicts, "tiny", "s001")
    return page_of(tiny.course, record).read_text(encoding="utf-8")


def test_the_headings_of_a_page_make_one_outline(tiny, pages):
    notebook = tiny.answered()
    notebook.cells[0].source = "# Tiny\n\n## Part\n\n###### Least\n\n`<h1>`\n\n$$x$$"
    tiny.hand_in("s001", notebook)
    page = pages()
    headings = re.findall(r"<h(\d)[^>]*>\s*(\w*)", page)
    assert [level for level, _ in headings].count("1") == 1
    assert {("3", "Tiny"), ("4", "Part"), ("6", "Least")} <= set(headings)
    assert "&lt;h1&gt;" in page
    assert re.search(r'<math [^>]*display="block" tabindex="0"', page)


def test_code_is_coloured_and_escaped():
    shown = coloured("x = 'a' < b  # <script>\n%time f(x)\n")
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    text = re.sub(r"<[^>]*>", "", shown)
    assert html.unescape(text).rstrip() == "x = 'a' < b  # <script>\n%time f(x)"


def test_no_hidden_block_reaches_a_page(tiny, pages):
    tiny.hand_in("s001", tiny.answered())
    page = pages()
    assert SECRET not in page
    assert "HIDDEN TESTS" not in page
    assert "Checks double." in page, "the public part of a graded cell stays"


def test_a_students_own_hidden_marks_break_nothing(tiny, pages):
    double = "def double(x):\n    ### BEGIN HIDDEN TESTS\n    return 2 * x"
    tiny.hand_in("s001", tiny.answered(double=double))
    assert "3 of 3 points" in " ".join(pages().split())


def test_repairs_are_shown(tiny, pages):
    notebook = tiny.answered()
    cell_of(notebook, "double_values").source = "3"
    tiny.hand_in("s001", notebook)
    assert "The graded cell was edited; the released text was put back." in pages()


def test_a_quarantined_student_reads_why_and_what_to_do(tiny, pages):
    tiny.hand_in("s001", b'{"cells": [')
    page = pages()
    assert "cut short" in page
    assert "What to do" in page


def test_nothing_a_student_writes_runs_in_the_page(tiny, pages):
    notebook = tiny.answered()
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    cell_of(notebook, "why").source = attack + " **because** a < b"
    notebook.cells[0].source = attack
    notebook.cells.insert(3, dict(notebook.cells[4], source=f"# {attack}\n1/0", id="z"))
    tiny.hand_in("s001", notebook)
    page = pages()
    assert "<script>alert" not in page
    assert "onerror=alert(1)>" not in page.replace("&gt;", "")
    assert "<strong>because</strong>" in page


def test_a_page_fetches_nothing(tiny, pages):
    tiny.hand_in("s001", tiny.answered())
    assert not re.findall(r"(?:src=|<link)[\s\"']*(?!data:)[^>]*", pages())


def test_a_page_is_rewritten_only_when_it_changes(tiny, pages):
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.untouched())
    pages()
    assert (pages.written.made, pages.written.unchanged) == (2, 0)
    pages()
    assert (pages.written.made, pages.written.unchanged) == (0, 2)
    with opened(tiny.course) as gradebook:
        grade = gradebook.find_grade("why", "tiny", "tiny", "s001")
        grade.manual_score, grade.needs_manual_grade = 5, False
        gradebook.find_comment("why", "tiny", "tiny", "s001").manual_comment = "Good."
        gradebook.db.commit()
    page = " ".join(pages().split())
    assert (pages.written.made, pages.written.unchanged) == (1, 1)
    assert "<b>10 / 10</b>" in page
    assert "Good." in page
    assert "graded by hand: 5 of 5 points" in page
    assert "not graded yet" not in page


def test_an_answer_that_was_never_written_waits_for_nobody(tiny, pages):
    tiny.hand_in("s001", tiny.untouched())
    page = " ".join(pages().split())
    assert "graded by hand: 0 of 5 points" in page
    assert "not graded yet" not in page


def test_a_bonus_is_called_one_whether_earned_or_not(with_bonus, pages):
    with_bonus.hand_in("s001", with_bonus.answered())
    assert "bonus: 2 of 2, right" in " ".join(pages().split())
    with_bonus.hand_in("s001", with_bonus.untouched())
    page = " ".join(pages().split())
    assert '<span class="note">bonus: 0 of 2, not written yet</span>' in page
    assert "<b>0 / 1</b>questions right" in page, "a bonus is none of those due"


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\nc", "a\nc"),
        ("a\n### BEGIN HIDDEN TESTS\nb", "a"),
        ("a", "a"),
    ],
)
def test_hidden_blocks_are_cut_out(source, left):
    assert without_hidden(source) == left
