"""Who takes the course: read from a platform's file, kept with the course.

Understood are nbgrader's own columns (`id`, `first_name`, `last_name`, `email`,
`lms_user_id`), the gradebook that Canvas exports (the columns of canvas-lms,
lib/gradebook_exporter.rb) and the lists that Moodle exports: participants, grades,
and an assignment's grading worksheet (mod/assign/gradingtable.php).

The roster goes into nbgrader's gradebook, and into roster.csv of the course, which
alone says who is expected: a gradebook also has whoever handed something in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

from autograder.course import Course, CourseError, is_student_id
from autograder.gradebook import make_gradebook, opened
from autograder.record import write_text
from autograder.spreadsheet import Sheet, as_csv, harmless, read_sheet, unquoted

NOT_ON_ROSTER = "not-on-roster"
# For each thing we keep, the headings it goes by, the surest first.
HEADINGS = {
    "id": ("id", "student_id", "sis login id", "username", "id number", "sis user id",
           "email address", "email"),
    "first_name": ("first_name", "first name", "firstname"),
    "last_name": ("last_name", "last name", "surname", "lastname"),
    "email": ("email", "email address", "mail"),
    "lms_user_id": ("lms_user_id",),
}  # fmt: skip
WHOLE_NAME = ("student", "full name", "user full name", "name")
# Formgrader writes a name into its pages as it is, markup and all.
_SHOWN = str.maketrans("<>", "‹›")
NO_STUDENTS = re.compile(r"\s*(Points Possible|Student, Test)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Student:
    """A student on the roster; what is not known is empty."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @property
    def known(self) -> dict[str, str]:
        """What is known besides the id, as nbgrader's gradebook takes it."""
        everything = {one.name: getattr(self, one.name) for one in fields(self)[1:]}
        return {name: value for name, value in everything.items() if value}


@dataclass(frozen=True)
class Owner:
    """Whose something is that a platform has, and when it was handed in."""

    student: str
    handed_in: datetime | None = None


COLUMNS = tuple(one.name for one in fields(Student))


@dataclass(frozen=True)
class Imported:
    """What importing a roster came to. `left_out` are (line, why) pairs."""

    students: tuple[Student, ...]
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()  # on the roster before, not in this file
    left_out: tuple[tuple[str, str], ...] = field(default=())


def read_roster(path: Path, id_column: str = "") -> Imported:
    """The students in a file, and what was left out of it.

    `id_column` names the column that is the student's id in this course.
    Raises CourseError for a file that is no list of students.
    """
    sheet = read_sheet(path)
    columns = _columns(sheet, id_column)
    found: dict[str, Student] = {}
    left_out: list[tuple[str, str]] = []
    for line, row in sheet.rows:
        if not any(cell.strip() for cell in row) or NO_STUDENTS.fullmatch(row[0]):
            continue
        student = _student(row, columns)
        where = f"line {line}"
        if not student.id and not student.known:
            continue  # Canvas's row on how scores are posted
        if not is_student_id(student.id):
            why = f"{student.id!r} cannot be a student's id" if student.id else (
                f"it has nothing in the column {sheet.header[columns['id']]!r}"
            )
            left_out.append((where, why))
        elif student.id in found:
            if found[student.id] != student:
                left_out.append((where, f"{student.id} was there before"))
        else:
            found[student.id] = student
    if not found:
        raise CourseError(f"There is no student in {path}.")
    return Imported(tuple(found.values()), left_out=tuple(left_out))


def import_roster(
    course: Course, path: Path, id_column: str = "", add: bool = False
) -> Imported:
    """Make a file's students the roster, or `add` them to it."""
    given = read_roster(path, id_column)
    before = roster_of(course) or {}
    now = {student.id: student for student in given.students}
    for name, student in now.items():
        if name in before:
            now[name] = replace(before[name], **student.known)
    kept = {name: one for name, one in before.items() if name not in now}
    make_gradebook(course)
    with opened(course) as gradebook:
        for student in now.values():
            known = student.known.items()
            shown = {name: text.translate(_SHOWN) for name, text in known}
            gradebook.update_or_create_student(student.id, **shown)
    whole = now | kept if add else now
    rows = (
        [harmless(getattr(whole[student], name)) for name in COLUMNS]
        for student in sorted(whole)
    )
    write_text(course.roster, as_csv(COLUMNS, rows))
    return replace(
        given,
        new=tuple(name for name in now if name not in before),
        gone=() if add else tuple(kept),
    )


def roster_of(course: Course) -> dict[str, Student] | None:
    """The roster by id; None where none was imported.

    Raises CourseError where roster.csv cannot be read.
    """
    if not course.roster.is_file():
        return None
    students = read_roster(course.roster, "id").students
    plain = (
        replace(one, **{name: unquoted(text) for name, text in one.known.items()})
        for one in students
    )
    return {student.id: student for student in plain}


def missing(
    roster: Mapping[str, Student] | None, handed_in: Iterable[str]
) -> list[str]:
    """Who is on the roster and not among those who handed in."""
    return sorted(set(roster or ()) - set(handed_in))


def _columns(sheet: Sheet, id_column: str) -> dict[str, int]:
    """Where each field is; `name` for a whole name in one column."""
    names = [heading.strip().lower() for heading in sheet.header]
    canvas = "section" in names and ("sis login id" in names or "student" in names)
    columns = {
        wanted: places[0]
        for wanted, headings in HEADINGS.items()
        if (places := [names.index(h) for h in headings if h in names])
    }
    if canvas:  # where ID is Canvas's own number for a user
        columns["lms_user_id"] = names.index("id") if "id" in names else -1
        others = [h for h in ("sis login id", "sis user id", "id") if h in names]
        columns["id"] = names.index(others[0]) if others else -1
        columns = {name: place for name, place in columns.items() if place >= 0}
    if id_column:
        if id_column.strip().lower() not in names:
            raise CourseError(_no_column(sheet, f"no column {id_column!r}"))
        columns["id"] = names.index(id_column.strip().lower())
    if "id" not in columns:
        raise CourseError(_no_column(sheet, "no column with ids"))
    whole = [names.index(heading) for heading in WHOLE_NAME if heading in names]
    if whole:
        columns["name"] = whole[0]
    return columns


def _no_column(sheet: Sheet, what: str) -> str:
    there = ", ".join(repr(heading) for heading in sheet.header[:12])
    return (
        f"There is {what} in {sheet.path}. Say with --id which of its columns is the "
        f"student's id. It has: {there}."
    )


def _student(row: Sequence[str], columns: Mapping[str, int]) -> Student:
    given = {name: row[place].strip() for name, place in columns.items()}
    name = unquoted(given.pop("name", ""))
    if name and not given.get("last_name"):
        last, comma, first = name.partition(",")
        if not comma:
            first, _, last = name.rpartition(" ")
        given |= {"first_name": first.strip(), "last_name": last.strip()}
    return Student(**given)
