"""Students here and rows of a platform's file: who is who, and in what points.

Nothing is guessed: a key that two rows or two students share tells nobody apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from autograder.course import CourseError
from autograder.grades import number
from autograder.roster import Student
from autograder.spreadsheet import Sheet, harmless

Row = tuple[int, tuple[str, ...]]
NAME = "name"


def match(
    students: Sequence[Student],
    sheet: Sheet,
    rows: Sequence[Row],
    keys: Sequence[tuple[str, str]],
) -> tuple[dict[int, str], list[str]]:
    """Each row's student, by its line; and who is in one place alone, in words.

    `keys` are pairs, the surest first: what we know a student by, and the heading
    of the column that may hold it.
    """
    matched: dict[int, str] = {}
    left = {student.id for student in students}
    for ours, heading in keys:
        place = sheet.column(heading)
        if place is None:
            continue
        theirs: dict[str, list[int]] = {}
        for line, row in rows:
            theirs.setdefault(plain(row[place]), []).append(line)
        mine: dict[str, list[str]] = {}
        for student in students:
            mine.setdefault(_key(student, ours), []).append(student.id)
        for key, names in mine.items():
            lines = theirs.get(key, [])
            if not key or len(names) != 1 or len(lines) != 1:
                continue
            if names[0] in left and lines[0] not in matched:
                matched[lines[0]] = names[0]
                left.remove(names[0])
    return matched, _alone(sheet, rows, matched, sorted(left))


def _alone(
    sheet: Sheet, rows: Sequence[Row], matched: dict[int, str], left: list[str]
) -> list[str]:
    file, remarks = sheet.path.name, []
    if left:
        remarks.append(f"not in {file}, so not in the export: {', '.join(left)}")
    if alone := [row for line, row in rows if line not in matched]:
        named = (" ".join(cell for cell in row[:2] if cell) for row in alone)
        remarks.append(f"in {file} alone, left as it is: {', '.join(named)}")
    return remarks


def factor(assignment: str, most: float, theirs: str, scale: bool) -> float:
    """What scores are multiplied by, to fit a platform's maximum.

    Raises CourseError where the two differ and `scale` does not allow it.
    """
    their_most = value(theirs)
    if not their_most or not most or abs(their_most - most) < 0.005:
        return 1.0
    if not scale:
        raise CourseError(
            f"{assignment} has {number(most)} points here and {number(their_most)} on "
            "the platform. Make them the same there, or change scores in proportion "
            "with --scale."
        )
    return their_most / most


def safe_cell(sheet: Sheet, place: int, row: Sequence[str], keys: Sequence[str]) -> str:
    """A cell of a platform's file that can be opened in a spreadsheet.

    It stays as it is where it is the first of `keys` that the row has: what the
    platform will know it by.
    """
    key = next((at for name in keys if (at := sheet.column(name)) is not None
                and row[at].strip()), None)  # fmt: skip
    return row[place] if place == key else harmless(row[place])


def value(text: str) -> float:
    """A number as a platform writes it, with a point or a comma; else 0."""
    try:
        return float(text.strip().replace(",", ".") or 0)
    except ValueError:
        return 0.0


def points(score: float) -> str:
    """Points as the platforms keep them: two decimals at most."""
    return f"{score:.2f}".rstrip("0").rstrip(".")


def _key(student: Student, ours: str) -> str:
    if ours == NAME:
        return plain(f"{student.first_name} {student.last_name}")
    return plain(getattr(student, ours))


def plain(text: str) -> str:
    """A key without what people type differently."""
    return " ".join(text.split()).casefold()
