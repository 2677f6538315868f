"""The table of grades: what `grade` prints, and grades.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from autograder.course import Course, is_student_id
from autograder.gradebook import grade_of, opened
from autograder.record import QUARANTINED, Record, read_records, write_text


@dataclass(frozen=True)
class Row:
    """A line of grades.csv; the fields are its columns."""

    student_id: str
    assignment: str
    score: float
    max_score: float
    status: str
    flags: str

    def as_text(self) -> tuple[str, ...]:
        return tuple(
            f"{value:.6g}" if isinstance(value, float) else value
            for value in astuple(self)
        )


COLUMNS = tuple(field.name for field in fields(Row))


def rows_of(course: Course, records: Iterable[Record]) -> list[Row]:
    """The rows of these records, by assignment and student."""
    rows = []
    with opened(course) as gradebook:
        for record in records:
            grade = grade_of(gradebook, record.assignment, record.student)
            flags = sorted({*record.flags, *grade.flags})
            score = 0.0 if record.status == QUARANTINED else grade.score
            rows.append(
                Row(
                    _plain(record.student),
                    record.assignment,
                    float(score),
                    float(grade.max_score),
                    record.status,
                    " ".join(flags),
                )
            )
    return sorted(rows, key=lambda row: (row.assignment, row.student_id))


def write_grades(course: Course, unnamed: Sequence[Record] = ()) -> list[Row]:
    """Write grades.csv from all records of the course, if it changes.

    `unnamed` are records of folders whose names cannot be student ids.
    """
    records = [
        record
        for assignment in course.assignments()
        for record in read_records(course.verdicts, assignment)
    ]
    rows = rows_of(course, [*records, *unnamed])
    text = as_csv(rows)
    if not _holds(course.grades, text):
        write_text(course.grades, text)
    return rows


def as_csv(rows: Iterable[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row.as_text() for row in rows)
    return buffer.getvalue()


def as_table(rows: Sequence[Row]) -> str:
    """The rows for a terminal: score over maximum, and the flags last."""
    head = ("student", "assignment", "score", "status", "flags")
    lines = [head]
    for row in rows:
        text = row.as_text()
        lines.append((text[0], text[1], f"{text[2]} / {text[3]}", text[4], text[5]))
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    shown = [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:<{widths[3]}}  {e}"
        for a, b, c, d, e in lines
    ]
    shown.insert(1, "-" * max(len(line.rstrip()) for line in shown))
    return "\n".join(line.rstrip() for line in shown)


def _plain(student: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    if is_student_id(student):
        return student
    return "?" + "".join(c if c.isalnum() or c in "._-" else "?" for c in student)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except OSError:
        return False
