"""The class in numbers, by hand."""

from __future__ import annotations

import pytest

from autograder.record import Record
from autograder.remark import Remark
from autograder.tallies import by_kind, by_question, histogram, mistakes, spread, times
from autograder.verdict import RIGHT, UNWRITTEN, WRONG, Judgement, Verdict


def record(student: str, *verdicts: Verdict, **judged) -> Record:
    judgement = Judgement(1, {v.question: v for v in verdicts}, {}, **judged)
    return Record(student, "tiny", "key", "", 1, judgement=judgement)


def right(name: str, points: float) -> Verdict:
    return Verdict(name, points, points, RIGHT, "")


def wrong(name: str, points: float, mistake: str | None = None) -> Verdict:
    return Verdict(name, 0, points, WRONG, "", mistake)


def test_full_marks_stand_alone_in_the_histogram():
    bins = histogram([0, 4.9, 5, 49.9, 50, 50, 53], 50)
    assert [one.count for one in bins] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 3]
    assert (bins[0].low, bins[0].high) == (0, 5)
    assert (bins[-1].low, bins[-1].high) == (50, None)


@pytest.mark.parametrize("most", [1, 3, 10, 20, 54, 60, 100, 250, 5000])
def test_a_histogram_has_few_bars_of_round_widths_and_counts_everyone(most):
    scores = [most * tenth / 10 for tenth in range(11)]
    bins = histogram(scores, most)
    assert sum(one.count for one in bins) == len(scores)
    assert 2 <= len(bins) <= 13
    assert bins[-2].high == most


def test_the_spread_of_a_class():
    assert spread([]) is None
    assert spread([7]).quarter == spread([7]).median == spread([7]).highest == 7
    found = spread([0, 10, 20, 30, 90])
    assert (found.lowest, found.quarter, found.median) == (0, 10, 20)
    assert (found.three_quarters, found.highest, found.mean) == (30, 90, 150 / 5)


def test_questions_come_with_most_points_lost_first(tiny):
    judged = [
        record("a", right("double_values", 3), wrong("triple_values", 2)),
        record("b", wrong("double_values", 3), wrong("triple_values", 2)),
        record("c", right("double_values", 3),
               Verdict("triple_values", 0, 2, UNWRITTEN, "")),
    ]  # fmt: skip
    first, second = by_question("tiny", judged)
    assert (first.name, first.lost, first.share_right) == ("triple_values", 6, 0)
    assert first.outcomes == {WRONG: 2, UNWRITTEN: 1}
    assert (second.name, second.lost, second.right) == ("double_values", 3, 2)
    assert second.mean_lost == 3 / 3
    assert second.checked == "that double multiplies by 2"


def test_nobody_loses_a_bonus(with_bonus):
    judged = [record("a", wrong("double_values", 3), wrong("triple_values", 2))]
    plain, bonus = by_question("tiny", judged)
    assert (plain.lost, bonus.lost, bonus.bonus) == (3, 0, True)


def test_mistakes_are_counted_by_student_with_their_hint(tiny):
    both = wrong("double_values", 3, "added"), wrong("triple_values", 2, "added")
    judged = [
        record("a", *both),
        record("b", wrong("double_values", 3, "added")),
        record("c", wrong("double_values", 3)),
    ]
    [entry] = mistakes("tiny", judged)
    assert entry.hint == "Your output is x plus the factor."
    assert entry.students == ["a", "b"]
    assert entry.questions == ["double_values", "triple_values"]


def test_remarks_are_sorted_by_how_many_students_have_them():
    kinds = by_kind([
        ("a", Remark("rare", "Once.")),
        ("a", Remark("often", "One way.")),
        ("a", Remark("often", "One way.")),
        ("b", Remark("often", "Another way.")),
    ])
    assert [(one.kind, one.students, one.words) for one in kinds] == [
        ("often", 2, ""), ("rare", 1, "Once.")]


def test_times_add_up_and_the_slowest_come_first():
    assert times([]) is None
    found = times([
        record("a", seconds=2.0, timings={"start": 0.5, "cells": 1, "peak_mib": 90.0}),
        record("b", seconds=6.0, timings={"start": 0.5, "calls": 4, "restarts": 2}),
        record("c", seconds=1.0),
    ])
    assert (found.seconds, found.median, found.start) == (2 + 6 + 1, 2, 0.5 + 0.5)
    assert (found.cells, found.calls) == (1, 4)
    assert (found.peak_mib, found.restarts) == (90, 2)
    assert [one.student for one in found.slowest] == ["b", "a", "c"]
