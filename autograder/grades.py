"""The table of grades: what `grade` prints, and grades.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from autograder.course import Course, is_student_id
from autograder.gradebook import opened
from autograder.record import QUARANTINED, Record, each_record, write_text
from autograder.roster import NOT_ON_ROSTER, roster_of
from autograder.scores import Score, score_of

COLUMNS = ("student_id", "assignment", "score", "max_score", "status", "flags")


@dataclass(frozen=True)
class Row:
    """A submission in the table. `parts` says where its points come from."""

    student_id: str
    assignment: str
    parts: Score
    status: str
    flags: str

    @property
    def score(self) -> float:
        return self.parts.total

    @property
    def max_score(self) -> float:
        return self.parts.most

    def as_text(self) -> tuple[str, ...]:
        """A line of grades.csv."""
        values = (getattr(self, name) for name in COLUMNS)
        return tuple(v if isinstance(v, str) else number(v) for v in values)


def rows_of(course: Course, records: Iterable[Record]) -> list[Row]:
    """The rows of these records, by assignment and student."""
    rows = []
    roster = roster_of(course)
    with opened(course) as gradebook:
        for record in records:
            score = score_of(gradebook, record.assignment, record.student)
            if record.status == QUARANTINED:
                score = score.nothing()
            stranger = roster is not None and record.student not in roster
            flags = {*record.flags, *score.flags, *[NOT_ON_ROSTER] * stranger}
            name = _plain(record.student)
            words = " ".join(sorted(flags))
            rows.append(Row(name, record.assignment, score, record.status, words))
    return sorted(rows, key=lambda row: (row.assignment, row.student_id))


def write_grades(course: Course, unnamed: Sequence[Record] = ()) -> list[Row]:
    """Write grades.csv from all records of the course, if it changes.

    `unnamed` are records of folders whose names cannot be student ids.
    """
    records = (each_record(course.verdicts, name) for name in course.assignments())
    rows = rows_of(course, chain(*records, unnamed))
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
    """The rows for a terminal: the points, whose they are, and the flags last."""
    lines = [
        ("student", "assignment", "score", "by machine", "by hand", "status", "flags")
    ]
    for row in rows:
        lines.append(
            (
                row.student_id,
                row.assignment,
                f"{number(row.score)} / {number(row.max_score)}",
                by_machine(row.parts),
                by_hand(row.parts),
                row.status,
                row.flags,
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = [
        "  ".join(
            f"{text:>{width}}" if place == 2 else f"{text:<{width}}"
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    shown.insert(1, "-" * max(map(len, shown)))
    return "\n".join(shown)


def by_machine(score: Score) -> str:
    """Points for what has hidden tests: "48 / 50", and "+ 3 bonus"."""
    text = f"{number(score.machine)} / {number(score.machine_most)}"
    return f"{text} + {number(score.bonus)} bonus" if score.bonus else text


def by_hand(score: Score) -> str:
    """Points that people gave, "3 / 4", and what waits for them, "4 wait"."""
    if not score.by_hand_most:
        return "-"
    if score.waiting_points == score.by_hand_most:
        return f"{number(score.waiting_points)} wait"
    text = f"{number(score.by_hand)} / {number(score.by_hand_most)}"
    if score.waiting_points:
        return f"{text}, {number(score.waiting_points)} wait"
    return f"{text}, look again" if score.waiting else text


def still_waiting(rows: Iterable[Row]) -> str:
    """One sentence on all that waits for a person; nothing if nothing does."""
    count = sum(row.parts.waiting for row in rows)
    if not count:
        return ""
    wait = "1 question waits" if count == 1 else f"{count} questions wait"
    return f"{wait} to be graded by hand, in nbgrader's formgrader."


def number(value: float) -> str:
    """Points as people write them: 4, 2.5."""
    return f"{value:.6g}"


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
