"""Who has what for an assignment: everyone expected, and everyone who handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbgrader.api import Gradebook, MissingEntry, SubmittedAssignment

from autograder.course import Course, CourseError
from autograder.gradebook import opened
from autograder.grades import rows_of
from autograder.record import read_records
from autograder.roster import Student, roster_of
from autograder.scores import Score, grades_of, score_of

MISSING = "missing"


@dataclass(frozen=True)
class Standing:
    """What a student has for an assignment; status `missing` without anything."""

    student: Student
    assignment: str
    score: Score
    penalty: float = 0.0
    timestamp: str = ""  # when it was handed in, UTC
    status: str = MISSING
    flags: str = ""
    questions: Mapping[str, float] = field(default_factory=dict)


def standings(course: Course, assignment: str) -> list[Standing]:
    """By student: the roster, or where there is none all that nbgrader knows.

    Who is not on the roster and handed something in is there, too. The assignment
    must be in the gradebook. Raises CourseError where grading was not finished.
    """
    with opened(course) as gradebook:
        if assignment not in [one.name for one in gradebook.assignments]:
            raise CourseError(f"{assignment} is not in the gradebook: grade it again.")
    records = read_records(course.verdicts, assignment)
    rows = {row.student_id: row for row in rows_of(course, records)}
    roster = roster_of(course)
    with opened(course) as gradebook:
        known = {one.id: one for one in gradebook.students}
        found = []
        for name in sorted({*rows, *(known if roster is None else roster)}):
            student = (roster or {}).get(name) or _student(name, known.get(name))
            row = rows.get(name)
            if row is None:
                score = score_of(gradebook, assignment, name).nothing()
                found.append(Standing(student, assignment, score))
                continue
            submission = _submission(gradebook, assignment, name)
            found.append(
                Standing(
                    student,
                    assignment,
                    row.parts,
                    submission.late_submission_penalty or 0.0,
                    str(submission.timestamp or ""),
                    row.status,
                    row.flags,
                    _by_question(gradebook, assignment, name),
                )
            )
    return found


def _submission(
    gradebook: Gradebook, assignment: str, student: str
) -> SubmittedAssignment:
    try:
        return gradebook.find_submission(assignment, student)
    except MissingEntry as error:
        raise CourseError(
            f"{student}'s {assignment} is judged and not yet in the gradebook: grade "
            "the assignment again, which finishes what was begun."
        ) from error


def _student(name: str, known: object | None) -> Student:
    details = ("first_name", "last_name", "email", "lms_user_id")
    return Student(name, *(getattr(known, detail, None) or "" for detail in details))


def _by_question(
    gradebook: Gradebook, assignment: str, student: str
) -> dict[str, float]:
    grades = grades_of(gradebook, assignment, student)
    return {grade.name: grade.score for grade in grades}
