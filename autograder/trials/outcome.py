"""All that a class's grading came to, without times and without numbers of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nbgrader.api import BaseCell, Gradebook

from autograder.course import Course
from autograder.gradebook import opened
from autograder.record import read_records

GRADE = ("auto_score", "manual_score", "extra_credit", "needs_manual_grade", "score",
         "max_score")  # fmt: skip


def outcome(course: Course) -> dict[str, Any]:
    """What there is, by a name for it: database, verdicts, feedback, grades.csv."""
    found = {
        f"verdict {name} {record.student}": record.substance()
        for name in course.assignments()
        for record in read_records(course.verdicts, name)
    }
    with opened(course) as gradebook:
        found |= dict(_database(gradebook))
    for path in (course.grades, *course.feedback.rglob("*")):
        if path.is_file():
            name = path.relative_to(course.folder).as_posix()
            found[name] = path.read_bytes()
    return found


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """The names of what is not the same, missing, or too much."""
    nothing = object()
    return sorted(
        name
        for name in found.keys() | expected.keys()
        if found.get(name, nothing) != expected.get(name, nothing)
    )


def _database(gradebook: Gradebook) -> Iterator[tuple[str, Any]]:
    """Each row of what was released and handed in, by what it is about."""
    yield "students", sorted(student.id for student in gradebook.students)
    for assignment in gradebook.assignments:
        for notebook in assignment.notebooks:
            for cell in gradebook.db.query(BaseCell).filter_by(notebook=notebook):
                row = {column.name: getattr(cell, column.name)
                       for column in cell.__table__.columns
                       if not column.name.endswith("id")}  # fmt: skip
                yield f"cell {assignment.name} {notebook.name} {cell.name}", row
        for submission in assignment.submissions:
            about = f"{assignment.name} {submission.student_id}"
            penalty = submission.late_submission_penalty
            yield f"submission {about}", (
                submission.timestamp, submission.score, penalty
            )  # fmt: skip
            for notebook in submission.notebooks:
                for grade in notebook.grades:
                    row = {name: getattr(grade, name) for name in GRADE}
                    yield f"grade {about} {notebook.name} {grade.name}", row
                for comment in notebook.comments:
                    name = f"comment {about} {notebook.name} {comment.name}"
                    yield name, (comment.auto_comment, comment.manual_comment)
