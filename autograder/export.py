"""Grades for others to read: a table, Canvas's gradebook, Moodle's worksheet.

What a submission has is nbgrader's total, with extra credit and late penalty in. A
file that a platform exported is filled in: its rows, and what it knows people by,
stay as they are. Without one, a file is made that the platform can match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder import canvas, moodle
from autograder.course import Course, CourseError
from autograder.grades import number
from autograder.record import read_records, write_text
from autograder.spreadsheet import as_csv, harmless, read_sheet
from autograder.standings import MISSING, Standing, standings

PLATFORMS = ("csv", "canvas", "moodle")
COLUMNS = (
    "student_id", "last_name", "first_name", "email", "assignment", "score",
    "max_score", "bonus", "late_penalty", "handed_in_utc", "status", "flags",
)  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """The file that was written, and what the instructor should know of it."""

    path: Path
    students: int
    remarks: tuple[str, ...] = ()


def export(
    course: Course,
    assignments: Sequence[str],
    to: Path,
    *,
    platform: str = "csv",
    given: Path | None = None,
    columns: Mapping[str, str] | None = None,
    scale: bool = False,
) -> Exported:
    """Write the grades of these assignments, for one of PLATFORMS.

    `given` is the platform's own file to fill in, `columns` the heading in it of
    an assignment. Where the platform's maximum is another one, scores are
    changed in proportion if `scale`. Raises CourseError, and then writes nothing.
    """
    if platform == "moodle" and len(assignments) != 1:
        raise CourseError("A Moodle file has one assignment: name one.")
    if given and to.resolve() == given.resolve():
        raise CourseError(f"{to} is the platform's own file: write to another.")
    found = [one for name in assignments for one in standings(course, name)]
    if not found:
        raise CourseError("There is nobody to export: nothing is graded yet.")
    sheet = read_sheet(given) if given and platform != "csv" else None
    remarks: list[str] = []
    if platform == "csv":
        text = as_table(found)
    elif platform == "canvas" and sheet:
        text, remarks = canvas.filled_gradebook(
            sheet, assignments, found, columns or {}, scale
        )
    elif platform == "canvas":
        text = canvas.new_gradebook(assignments, found)
    elif sheet:
        text, remarks = moodle.filled_worksheet(sheet, found, scale)
    else:
        text = moodle.new_grades(found)
    write_text(to, text)
    who = {one.student.id for one in found}
    return Exported(to, len(who), (*_remarks(found), *remarks))


def graded(course: Course, assignments: Sequence[str]) -> list[str]:
    """The named assignments, or all that have grades; each once.

    Raises CourseError where a named one has none.
    """
    names = list(dict.fromkeys(assignments)) or course.assignments()
    ready = [name for name in names if read_records(course.verdicts, name)]
    if waiting := [name for name in assignments if name not in ready]:
        raise CourseError(f"Nothing is graded yet of {', '.join(waiting)}.")
    return ready


def as_table(found: Sequence[Standing]) -> str:
    """Everything we know as CSV, with a column for each question."""
    questions = list(
        dict.fromkeys((one.assignment, name) for one in found for name in one.questions)
    )
    rows = []
    for one in found:
        who, score = one.student, one.score
        earned = [
            number(one.questions[name]) if one.assignment == assignment
            and name in one.questions else "" for assignment, name in questions
        ]  # fmt: skip
        rows.append(
            [
                who.id,
                *(harmless(text) for text in (who.last_name, who.first_name)),
                harmless(who.email),
                one.assignment,
                *map(number, (score.total, score.most, score.bonus, one.penalty)),
                one.timestamp,
                one.status,
                one.flags,
                *earned,
            ]
        )
    return as_csv([*COLUMNS, *("/".join(names) for names in questions)], rows)


def _remarks(found: Sequence[Standing]) -> list[str]:
    """What a reader of the scores should know, an assignment after the other."""
    remarks = []
    for name in dict.fromkeys(one.assignment for one in found):
        ours = [one for one in found if one.assignment == name]
        if waiting := sum(one.score.waiting for one in ours):
            remarks.append(f"{name}: answers that still wait for a person: {waiting}")
        if absent := [one.student.id for one in ours if one.status == MISSING]:
            words = "nothing handed in, exported as 0"
            remarks.append(f"{name}: {words}: {', '.join(absent)}")
    return remarks
