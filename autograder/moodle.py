"""What Moodle's files look like: the grading worksheet, and the submissions.

Source: Moodle, mod/assign/gradingtable.php writes the offline grading worksheet, and
mod/assign/feedback/offline/importgradeslib.php reads it back: by Identifier
("Participant 41", a number of its own in each assignment), and only with the columns
Grade and Last modified (grade). mod/assign/classes/downloader.php names what students
handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from dateutil import parser, tz

from autograder.course import CourseError, is_student_id
from autograder.matching import NAME, factor, match, points, safe_cell, value
from autograder.roster import Owner, Student
from autograder.spreadsheet import Sheet, as_csv, harmless
from autograder.standings import Standing

# A student's file: full name, the number in this assignment's Identifier, and the
# plugin that took it in; then a folder (before Moodle 3.1, and by choice, none).
SUBMISSION = re.compile(
    r"(?P<name>[^/]*?)_(?P<number>[0-9]{1,30})_assignsubmission_(?P<kind>[a-z]+)_?[/_]"
    r"(?P<file>.+)",
    re.DOTALL,
)
_IDENTIFIER = re.compile(r"\D*(\d+)\s*")
_KEYS = (
    ("id", "Username"), ("id", "ID number"), ("email", "Email address"),
    ("id", "Email address"), (NAME, "Full name"),
)  # fmt: skip


def new_grades(standings: Sequence[Standing]) -> str:
    """A file for Grades > Import > CSV, which asks what each column is."""
    header = ["Username", "First name", "Last name", "Email address",
              standings[0].assignment]  # fmt: skip
    rows = []
    for one in standings:
        who = one.student
        told = [harmless(text) for text in (who.first_name, who.last_name, who.email)]
        rows.append([who.id, *told, points(one.score.total)])
    return as_csv(header, rows)


def filled_worksheet(
    sheet: Sheet, standings: Sequence[Standing], scale: bool
) -> tuple[str, list[str]]:
    """A grading worksheet with the column Grade filled in; and remarks.

    Raises CourseError where the file does not fit.
    """
    check_worksheet(sheet)
    grade_at, most_at = sheet.column("Grade"), sheet.column("Maximum Grade")
    open_at = sheet.column("Grade can be changed")
    if grade_at is None or most_at is None:
        raise CourseError(f"{sheet.path} lacks the column Grade or Maximum Grade.")
    ours = {one.student.id: one for one in standings}
    students = [one.student for one in standings]
    matched, remarks = match(students, sheet, sheet.rows, _KEYS)
    rows, capped, closed = [], [], []
    for line, row in sheet.rows:
        cells = [safe_cell(sheet, at, row, ["Identifier"]) for at in range(len(row))]
        rows.append(cells)
        one = ours.get(matched.get(line, ""))
        if one is None:
            continue
        if open_at is not None and row[open_at].strip().lower() == "no":
            closed.append(one.student.id)
            continue
        times = factor(one.assignment, one.score.most, row[most_at], scale)
        score, most = one.score.total * times, value(row[most_at])
        if most and score > most:
            capped.append(f"{one.student.id} ({points(score)})")
            score = most
        comma = "," in row[most_at]
        cells[grade_at] = points(score).replace(".", "," if comma else ".")
    if capped:
        most_words = "the maximum is written, a worksheet takes no more"
        remarks.append(f"{most_words}: {', '.join(capped)}")
    if closed:
        remarks.append(f"cannot be changed, says Moodle: {', '.join(closed)}")
    name = standings[0].assignment
    return as_csv(sheet.header, rows), [f"{name}: {remark}" for remark in remarks]


def participants(
    sheet: Sheet, roster: Mapping[str, Student] | None
) -> dict[str, Owner]:
    """A worksheet's participants by number; without a roster, by what it has.

    Times are as Moodle shows them, taken to be in this machine's time zone.
    """
    check_worksheet(sheet)
    if roster is None:
        places = [sheet.column(h) for h in ("Username", "ID number", "Email address")]
        known = {
            line: next((row[at].strip() for at in places if at is not None
                        and is_student_id(row[at].strip())), "")
            for line, row in sheet.rows
        }  # fmt: skip
    else:
        known, _ = match(list(roster.values()), sheet, sheet.rows, _KEYS)
    number_at = sheet.column("Identifier")
    time_at = sheet.column("Last modified (submission)")
    found = {}
    for line, row in sheet.rows:
        number = _IDENTIFIER.fullmatch(row[number_at])
        if number and known.get(line):
            time = _time(row[time_at]) if time_at is not None else None
            found[number.group(1)] = Owner(known[line], time)
    return found


def _time(text: str) -> datetime | None:
    """A time in Moodle's English words, or None."""
    try:
        return parser.parse(text, default=datetime(1970, 1, 1, tzinfo=tz.tzlocal()))
    except (ValueError, OverflowError):
        return None


def check_worksheet(sheet: Sheet) -> None:
    """Raise CourseError for a file that is no grading worksheet."""
    if sheet.column("Identifier") is None:
        raise CourseError(
            f"{sheet.path} is not a grading worksheet of Moodle: it lacks the column "
            "Identifier. Download it with your language set to English."
        )
