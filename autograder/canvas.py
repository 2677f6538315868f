"""What Canvas's files look like: its gradebook, and its archive of submissions.

Source: canvas-lms, lib/gradebook_exporter.rb writes the gradebook and
lib/gradebook_importer.rb reads it back. A student is matched by ID, else by SIS User
ID, else by SIS Login ID; an assignment by the number in its heading, "Title (123)".
lib/content_zipper.rb names what students handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from autograder.course import CourseError
from autograder.grades import number
from autograder.matching import Row, factor, match, points, safe_cell
from autograder.roster import Student
from autograder.spreadsheet import Sheet, as_csv, harmless
from autograder.standings import Standing

POINTS_POSSIBLE = "    Points Possible"
# A student whom no roster names is called this and Canvas's own number.
PREFIX = "canvas-"
# A student's file: the name in small letters without spaces, LATE, Canvas's numbers
# for the student and for the file, and the name that the student gave it. A file
# that was handed in again has "-1" and so on before its ending. Graded anonymously,
# there is no number for the student.
SUBMISSION = re.compile(
    r"(?:(?P<name>[^/]*?)_)?(?:(?P<late>LATE|late)_)?"
    r"(?P<number>[0-9]{1,30})_(?P<order>[0-9]{1,30})_(?P<file>.+)",
    re.DOTALL,
)
ANONYMOUS = re.compile(r"(LATE_)?anon_(?=\d*[A-Za-z])[A-Za-z0-9]+_\d+_")
AGAIN = re.compile(r"-\d{1,2}(?=\.ipynb$)")
_KEYS = (
    ("lms_user_id", "ID"), ("id", "SIS Login ID"), ("id", "SIS User ID"),
    ("id", "Integration ID"), ("email", "SIS Login ID"),
)  # fmt: skip
_KNOWN_BY = ("ID", "SIS User ID", "SIS Login ID")
_TEST_STUDENT = "Student, Test"
_NO_SCORE = ("EX", "N/A")  # excused; not assigned to this student


def file_name_of(student: Student) -> str:
    """A student's name as Canvas writes it before their files."""
    sortable = f"{student.last_name}, {student.first_name}".lower()
    return re.sub(r"\W", "", sortable)


def new_gradebook(assignments: Sequence[str], standings: Sequence[Standing]) -> str:
    """A file to import: Canvas's own ID where the roster has it, and the login."""
    students = {one.student.id: _numbered(one.student) for one in standings}
    scores = {(one.student.id, one.assignment): one.score for one in standings}
    most = _most(standings)
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *assignments]
    rows = [[POINTS_POSSIBLE, "", "", "", "", *(number(most[n]) for n in assignments)]]
    for student in students.values():
        names = [part for part in (student.last_name, student.first_name) if part]
        rows.append(
            [
                harmless(", ".join(names) or student.id),
                harmless(student.lms_user_id),
                "",
                student.id,
                "",
                *(points(scores[student.id, name].total) for name in assignments),
            ]
        )
    return as_csv(header, rows)


def filled_gradebook(
    sheet: Sheet,
    assignments: Sequence[str],
    standings: Sequence[Standing],
    columns: Mapping[str, str],
    scale: bool,
) -> tuple[str, list[str]]:
    """An exported gradebook with the columns of these assignments filled in.

    Other assignments are left out, so that importing it changes nothing else.
    The text, and remarks. Raises CourseError where the file does not fit.
    """
    section = sheet.column("Section")
    if section is None or sheet.column("ID") is None:
        raise CourseError(
            f"{sheet.path} is not a gradebook that Canvas exported: it lacks the "
            "columns ID and Section."
        )
    places = {n: _column(sheet, n, section, columns.get(n, "")) for n in assignments}
    possible = _points_possible(sheet)
    most = _most(standings)
    theirs = {n: possible[at].strip() or number(most[n]) for n, at in places.items()}
    factors = {n: factor(n, most[n], theirs[n], scale) for n in assignments}
    people = _people(sheet, section)
    remarks: list[str] = []
    matched: dict[str, dict[int, Standing]] = {}
    for name in assignments:
        ours = {one.student.id: one for one in standings if one.assignment == name}
        students = [_numbered(one.student) for one in ours.values()]
        lines, alone = match(students, sheet, people, _KEYS)
        matched[name] = {line: ours[student] for line, student in lines.items()}
        remarks += [f"{name}: {remark}" for remark in alone]
    rows = [[POINTS_POSSIBLE, *[""] * section, *theirs.values()]]
    for line, row in people:
        cells = [safe_cell(sheet, at, row, _KNOWN_BY) for at in range(section + 1)]
        for name, place in places.items():
            one, before = matched[name].get(line), row[place]
            if one and before.strip().upper() in _NO_SCORE:
                words = "excused or not assigned in Canvas, left as it is"
                remarks.append(f"{name}: {words}: {one.student.id}")
                one = None
            cells.append(points(one.score.total * factors[name]) if one else before)
        rows.append(cells)
    header = [*sheet.header[: section + 1], *(sheet.header[p] for p in places.values())]
    return as_csv(header, rows), remarks


def _column(sheet: Sheet, assignment: str, section: int, wanted: str) -> int:
    """Where an assignment's scores are: by its title, without Canvas's number."""

    def plain(text: str) -> str:
        return re.sub(r"[\W_]", "", re.sub(r"\s*\(\d+\)\s*$", "", text)).lower()

    there = list(enumerate(sheet.header))[section + 1 :]
    found = [place for place, text in there if text.strip() == wanted.strip()]
    if not found:
        title = plain(wanted or assignment)
        found = [place for place, text in there if plain(text) == title]
    if len(found) == 1:
        return found[0]
    headings = ", ".join(repr(text) for _, text in there[:20])
    raise CourseError(
        f"{sheet.path} has {'more than one' if found else 'no'} column for "
        f"{assignment}. Say which with --column {assignment}=HEADING. "
        f"There are: {headings}."
    )


def _points_possible(sheet: Sheet) -> tuple[str, ...]:
    for _, row in sheet.rows:
        if row[0].strip() == POINTS_POSSIBLE.strip():
            return row
    return ("",) * len(sheet.header)


def _people(sheet: Sheet, section: int) -> list[Row]:
    """The rows of students: not the points possible, nor how scores are posted."""
    return [
        (line, row)
        for line, row in sheet.rows
        if any(cell.strip() for cell in row[: section + 1])
        and row[0].strip() not in (POINTS_POSSIBLE.strip(), _TEST_STUDENT)
    ]


def _most(standings: Sequence[Standing]) -> dict[str, float]:
    return {one.assignment: one.score.most for one in standings}


def _numbered(student: Student) -> Student:
    """With Canvas's number, which an id made up of it gives away."""
    if student.lms_user_id or not student.id.startswith(PREFIX):
        return student
    return replace(student, lms_user_id=student.id.removeprefix(PREFIX))
