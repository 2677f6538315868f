"""Reading the gradebook: a submission's score, and who gave which part of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from nbgrader.api import Gradebook, MissingEntry

from autograder import hidden

WAITS = "needs-manual"
LATE = "late"


@dataclass(frozen=True)
class Score:
    """A submission's points as nbgrader has them, and where they come from."""

    total: float  # what is given so far, bonus and late penalty in
    most: float  # of all questions, bonus out
    machine: float = 0.0  # for questions with hidden tests, bonus out
    machine_most: float = 0.0
    bonus: float = 0.0
    by_hand: float = 0.0  # given by a person so far
    by_hand_most: float = 0.0
    waiting: int = 0  # answers that a person has to look at
    waiting_points: float = 0.0  # of those that have no points yet
    flags: tuple[str, ...] = ()

    def nothing(self) -> Score:
        """The score of a submission that is in quarantine."""
        return replace(
            self, total=0.0, machine=0.0, bonus=0.0, by_hand=0.0, waiting=0,
            waiting_points=0.0, flags=tuple(f for f in self.flags if f != WAITS),
        )  # fmt: skip


@dataclass(frozen=True)
class HandGraded:
    """A question that people grade, over a class."""

    name: str
    points: float
    scores: tuple[float, ...]  # of the answers that are done
    waiting: int


def score_of(gradebook: Gradebook, assignment: str, student: str) -> Score:
    """The score that nbgrader would export, late penalty and extra credit in."""
    machine = hidden.questions(assignment)
    most = _most(gradebook, assignment)
    whole = sum(most.values())
    machine_most = sum(most[name] for name in most if name in machine)
    score = Score(
        0.0, whole, machine_most=machine_most, by_hand_most=whole - machine_most
    )
    grades = grades_of(gradebook, assignment, student)
    if not grades:
        return score
    submission = gradebook.find_submission(assignment, student)
    bonus = {grade.name: grade.extra_credit or 0.0 for grade in grades}
    plain = {grade.name: grade.score - bonus[grade.name] for grade in grades}
    waiting = [grade for grade in grades if grade.needs_manual_grade]
    flags = [WAITS] if waiting else []
    flags += [LATE] if submission.total_seconds_late > 0 else []
    total = sum(plain.values()) + sum(bonus.values())
    return replace(
        score,
        total=max(0.0, total - (submission.late_submission_penalty or 0.0)),
        machine=sum(plain[name] for name in plain if name in machine),
        bonus=sum(bonus.values()),
        by_hand=sum(plain[name] for name in plain if name not in machine),
        waiting=len(waiting),
        waiting_points=sum(most[g.name] for g in waiting if g.manual_score is None),
        flags=tuple(flags),
    )


def grades_of(gradebook: Gradebook, assignment: str, student: str) -> list[Any]:
    """nbgrader's own grades of a submission, cell by cell; none if there is none."""
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return []
    return [grade for notebook in submission.notebooks for grade in notebook.grades]


def bonus_questions(assignment: str) -> set[str]:
    """The questions whose points come on top of the maximum."""
    return {one.name for one in hidden.questions(assignment).values() if one.bonus}


def hand_graded(
    gradebook: Gradebook, assignment: str, students: Iterable[str]
) -> list[HandGraded]:
    """What people grade in an assignment, and how far they are with these students."""
    machine = hidden.questions(assignment)
    done: dict[str, list[float]] = {}
    waiting: dict[str, int] = {}
    for student in students:
        for grade in grades_of(gradebook, assignment, student):
            if grade.needs_manual_grade:
                waiting[grade.name] = waiting.get(grade.name, 0) + 1
            else:
                done.setdefault(grade.name, []).append(grade.score)
    return [
        HandGraded(name, points, tuple(done.get(name, ())), waiting.get(name, 0))
        for name, points in _most(gradebook, assignment).items()
        if name not in machine
    ]


def _most(gradebook: Gradebook, assignment: str) -> dict[str, float]:
    """The points of each graded cell."""
    return {
        cell.name: float(cell.max_score)
        for notebook in gradebook.find_assignment(assignment).notebooks
        for cell in (*notebook.grade_cells, *notebook.task_cells)
    }
