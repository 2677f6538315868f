"""The class report: one page for the instructor that works offline and on paper."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder import similarity, tallies
from autograder.course import Course, is_student_id
from autograder.feedback import SAID, environment, page_of, style
from autograder.gradebook import opened
from autograder.grades import Row, by_hand, by_machine, number, rows_of
from autograder.intake import own_code
from autograder.judging import release_of
from autograder.record import (
    QUARANTINED,
    REPAIRED,
    Record,
    read_records,
    record_path,
    write_text,
)
from autograder.remark import Remark
from autograder.scores import LATE, hand_graded
from autograder.similarity import Alike, alike_code
from autograder.verdict import FAULT, UNJUDGED

OWN_ANSWERS = "the course's own answers"
FOLDED_FROM = 40  # a longer table of grades is folded


def write_report(course: Course, assignments: Sequence[str]) -> Path:
    """Write reports/report.html over these assignments; the path."""
    sections = []
    for assignment in assignments:
        records = read_records(course.verdicts, assignment)
        if records:
            sections.append(_section(course, assignment, records))
    templates = environment()
    templates.filters |= {"number": number, "minutes": minutes, "seconds": seconds}
    page = templates.get_template("report.html.j2")
    path = course.reports / "report.html"
    text = page.render(sections=sections, style=style(), said=SAID, rules=similarity)
    write_text(path, text)
    return path


def minutes(value: float) -> str:
    """Seconds in words: "45 s", "12 min", "3 h 20 min"."""
    whole = round(value / 60)
    if value < 90:
        return f"{value:.0f} s"
    return f"{whole} min" if whole < 90 else f"{whole // 60} h {whole % 60} min"


def seconds(value: float) -> str:
    return f"{value:.1f} s"


def _section(
    course: Course, assignment: str, records: Sequence[Record]
) -> dict[str, Any]:
    rows = {row.student_id: row for row in rows_of(course, records)}
    judged = [record for record in records if record.judgement]
    scores = [rows[record.student].score for record in judged]
    most = max(row.max_score for row in rows.values())
    with opened(course) as gradebook:
        people = hand_graded(gradebook, assignment, [r.student for r in judged])
    return {
        "assignment": assignment,
        "submissions": len(records),
        "judged": len(judged),
        "most": most,
        "spread": tallies.spread(scores),
        "bins": tallies.histogram(scores, most),
        "repaired": sum(record.status == REPAIRED for record in records),
        "quarantined": [r for r in records if r.status == QUARANTINED],
        "waiting": sum(row.parts.waiting for row in rows.values()),
        "strangers": _strangers(course, assignment),
        "failures": _failures(judged),
        "by_hand": people,
        "late": _late(course, assignment, rows),
        "questions": tallies.by_question(assignment, judged),
        "mistakes": tallies.mistakes(assignment, judged),
        "rows": [_row(course, record, rows[record.student]) for record in records],
        "folded": len(records) > FOLDED_FROM,
        "findings": tallies.by_kind(_remarks(records, "findings")),
        "repairs": tallies.by_kind(_remarks(records, "repairs")),
        "incidents": tallies.by_kind(_incidents(judged)),
        "alike": alike(course, assignment, judged),
        "own_answers": OWN_ANSWERS,
        "times": tallies.times(judged),
        "made": _made(course, assignment, records),
    }


def _failures(judged: Iterable[Record]) -> list[dict[str, str]]:
    """What the grader itself could not judge: an instructor must look."""
    return [
        {"student": record.student, "question": name, "status": verdict.status}
        for record in judged
        for name, verdict in record.judgement.verdicts.items()
        if verdict.status in (FAULT, UNJUDGED)
    ]


def _strangers(course: Course, assignment: str) -> list[str]:
    """Folders that hold something, and whose names cannot be a student's id.

    They have no record; the table of grades has them, their names made plain.
    """
    if not course.grades.is_file():
        return []
    with open(course.grades, encoding="utf-8", newline="") as file:
        return [
            row["student_id"]
            for row in csv.DictReader(file)
            if row["assignment"] == assignment and not is_student_id(row["student_id"])
        ]


def _late(
    course: Course, assignment: str, rows: dict[str, Row]
) -> list[dict[str, Any]]:
    """Who was late, by how much, and what nbgrader took off; latest first."""
    found = []
    with opened(course) as gradebook:
        for student, row in rows.items():
            if LATE in row.flags.split():
                submission = gradebook.find_submission(assignment, student)
                late = timedelta(seconds=round(submission.total_seconds_late))
                penalty = submission.late_submission_penalty or 0.0
                found.append({"student": student, "late": late, "penalty": penalty})
    return sorted(found, key=lambda one: (-one["late"], one["student"]))


def _row(course: Course, record: Record, row: Row) -> dict[str, Any]:
    page = page_of(course, record)
    return {
        "student": row.student_id,
        "score": number(row.score),
        "most": number(row.max_score),
        "by_machine": by_machine(row.parts),
        "by_hand": by_hand(row.parts),
        "status": row.status,
        "flags": row.flags.split(),
        "page": os.path.relpath(page, course.reports) if page.is_file() else "",
    }


def _remarks(records: Iterable[Record], which: str) -> list[tuple[str, Remark]]:
    return [
        (record.student, remark)
        for record in records
        for remark in getattr(record, which)
    ]


def _incidents(judged: Iterable[Record]) -> list[tuple[str, Remark]]:
    return [
        (record.student, Remark(incident.kind, incident.message, incident.where))
        for record in judged
        for incident in record.incidents
    ]


def alike(course: Course, assignment: str, judged: Iterable[Record]) -> Alike:
    """The code of a class compared, with the course's own answers in it."""
    release = release_of(course, assignment)
    notebooks = {
        record.student: course.intake / record.student / assignment
        for record in judged
    }
    code = {
        student: own_code(_notebook(folder / f"{assignment}.ipynb"), release)
        for student, folder in notebooks.items()
        if (folder / f"{assignment}.ipynb").is_file()
    }
    source = course.source(assignment)
    if source.is_file():
        answers = [cell for cell in _notebook(source).cells if utils.is_solution(cell)]
        code[OWN_ANSWERS] = own_code(NotebookNode(cells=answers), release)
    return alike_code(code, _handed_out(course, release))


def _handed_out(course: Course, release: NotebookNode) -> list[str]:
    """All code that students have from us, of other assignments too."""
    others = sorted(course.exercises.glob("*/*.ipynb"))
    return [
        cell.source
        for notebook in (release, *map(_notebook, others))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _notebook(path: Path) -> NotebookNode:
    """A notebook that the grader wrote itself: nothing is checked again."""
    return nbformat.v4.reads(path.read_text(encoding="utf-8"))


def _made(
    course: Course, assignment: str, records: Sequence[Record]
) -> dict[str, Any]:
    """How the verdicts came about. The time is that of the records, not the clock."""
    judgements = [record.judgement for record in records if record.judgement]
    written = [
        record_path(course.verdicts, assignment, record.student).stat().st_mtime
        for record in records
    ]
    first, last = (datetime.fromtimestamp(t, UTC) for t in (min(written), max(written)))
    versions = {
        f"{name} {version}"
        for judgement in judgements
        for name, version in judgement.versions.items()
        if version
    }
    return {
        "seeds": sorted({record.seed for record in records}),
        "sandboxes": sorted({judgement.sandbox for judgement in judgements}),
        "versions": sorted(versions, key=str.lower),
        "first": f"{first:%Y-%m-%d %H:%M}",
        "last": f"{last:%Y-%m-%d %H:%M}",
    }
