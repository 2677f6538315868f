"""Feedback pages: for each question what was checked, what went wrong, a hint.

nbgrader makes the page; our step removes the hidden blocks, which a student has
no use for, and adds what the judge said. A page is made again only when
something on it changed.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import GenerateFeedback
from tqdm import tqdm

from autograder import hidden
from autograder.course import TEMPLATES, Course
from autograder.execute import CourseStep
from autograder.gradebook import convert, is_stamped, nbgrader_log, opened
from autograder.record import QUARANTINED, Record, read_record, read_records, write_text
from autograder.verdict import FAULT, Incident

BEGIN, END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
SAID = {
    "right": "right",
    "wrong": "not right yet",
    "error": "it raised an error",
    "unwritten": "not written yet",
    "missing": "the function is not there",
    "slow": "right, but too slow",
    "timeout": "stopped by the clock",
    "crash": "the process ended",
    "memory": "too much memory",
    "processes": "too many processes",
    "unjudged": "not judged",
    "fault": "not judged, by a fault of the grader: tell your instructor",
}


@dataclass(frozen=True)
class Written:
    """What writing feedback came to."""

    made: int
    unchanged: int
    failed: tuple[str, ...] = ()


class Explain(CourseStep):
    """Hide the hidden blocks and lay out what a student should read first."""

    def preprocess(
        self, nb: NotebookNode, resources: dict
    ) -> tuple[NotebookNode, dict]:
        ids = resources["nbgrader"]
        record = read_record(self.course.verdicts, ids["assignment"], ids["student"])
        for cell in nb.cells:
            if utils.is_locked(cell):
                cell.source = without_hidden(cell.source)
        questions = list(_questions(nb, record, ids["assignment"]))
        resources["course"] = {
            "student": ids["student"],
            "assignment": ids["assignment"],
            "style": style(),
            "score": number(ids["score"]),
            "most": number(ids["max_score"]),
            "penalty": number(ids["late_penalty"]) if ids["late_penalty"] else "",
            "questions": questions,
            "right": sum(question["kind"] == "right" for question in questions),
            "waiting": any(question["said"] == WAITS for question in questions),
            "repairs": record.repairs if record else (),
            "incidents": _incidents(record),
        }
        return nb, resources


WAITS = "waits for a person"


def without_hidden(source: str) -> str:
    """A graded cell's text without its hidden block."""
    kept, hiding = [], False
    for line in source.split("\n"):
        if BEGIN in line:
            hiding = True
        if not hiding:
            kept.append(line)
        if END in line:
            hiding = False
    return "\n".join(kept).rstrip()


def write_feedback(course: Course, assignments: Sequence[str]) -> Written:
    """Write a page for each graded or quarantined submission."""
    records = [r for name in assignments for r in read_records(course.verdicts, name)]
    made, unchanged, failed = 0, 0, []
    with opened(course) as gradebook:
        signatures = [_signature(course, gradebook, record) for record in records]
    watched = tqdm(
        list(zip(records, signatures, strict=True)), desc="feedback", unit="page"
    )
    for record, signature in watched:
        stamp = course.stamps / "feedback" / record.assignment / record.student
        page = page_of(course, record)
        if page.is_file() and is_stamped(stamp, signature):
            unchanged += 1
            continue
        stamp.unlink(missing_ok=True)
        try:
            _write_page(course, record, page)
        except Exception:
            nbgrader_log(course).exception("Feedback for %s failed", record.student)
            failed.append(record.student)
            continue
        write_text(stamp, signature)
        made += 1
    return Written(made, unchanged, tuple(failed))


def page_of(course: Course, record: Record) -> Path:
    """Where a submission's feedback page lies."""
    folder = course.feedback / record.student / record.assignment
    return folder / f"{record.assignment}.html"


def _write_page(course: Course, record: Record, page: Path) -> None:
    if record.status != QUARANTINED:
        convert(
            course, GenerateFeedback, course.nbgrader(), record.assignment,
            record.student,
        )  # fmt: skip
        return
    if page.parent.is_dir():
        shutil.rmtree(page.parent)
    template = environment().get_template("quarantine.html.j2")
    text = template.render(
        assignment=record.assignment,
        student=record.student,
        reason=record.reason,
        repairs=record.repairs,
        style=style(),
    )
    write_text(page, text)


def _signature(course: Course, gradebook: Gradebook, record: Record) -> str:
    """A hash of all that a page shows."""
    whole = hashlib.sha256(repr(record).encode())
    name = f"{record.assignment}.ipynb"
    notebook = course.autograded / record.student / record.assignment / name
    for path in (notebook, Path(__file__), *sorted(TEMPLATES.rglob("*.*"))):
        whole.update(path.read_bytes() if path.is_file() else b"none")
    for words in _graded_by_hand(gradebook, record):
        whole.update(words.encode())
    return whole.hexdigest()


def _graded_by_hand(gradebook: Gradebook, record: Record) -> Iterator[str]:
    try:
        submission = gradebook.find_submission(record.assignment, record.student)
    except MissingEntry:
        return
    yield f"{submission.score} {submission.late_submission_penalty}"
    for notebook in submission.notebooks:
        for grade in sorted(notebook.grades, key=lambda grade: grade.name):
            yield f"{grade.name} {grade.score} {grade.needs_manual_grade}"
        for comment in sorted(notebook.comments, key=lambda comment: comment.name):
            yield f"{comment.name} {comment.comment}"


def _questions(
    nb: NotebookNode, record: Record | None, assignment: str
) -> Iterator[dict[str, Any]]:
    """What the page says of each graded cell, in the order of the notebook."""
    asked = hidden.questions(assignment)
    verdicts = record.judgement.verdicts if record and record.judgement else {}
    for cell in nb.cells:
        if not utils.is_grade(cell):
            continue
        settings = cell.metadata.nbgrader
        name, verdict = settings["grade_id"], verdicts.get(settings["grade_id"])
        points = asked[name].points if name in asked else settings["points"]
        full = settings["score"] >= points
        said = SAID[verdict.status] if verdict else WAITS
        yield {
            "name": name,
            "checked": asked[name].checked if name in asked else "",
            "score": number(settings["score"]),
            "points": number(points),
            "bonus": points > settings["points"],
            "said": said,
            "kind": "right" if full else "wrong" if verdict else "note",
            **_parts(verdict.explanation if verdict else "", name),
            "comment": settings.get("comment") or "",
        }


def _incidents(record: Record | None) -> list[Incident]:
    """What happened while it ran; the grader's own faults are the instructor's."""
    return [one for one in record.incidents if one.kind != FAULT] if record else []


def _parts(explanation: str, name: str) -> dict[str, str]:
    """An explanation's lines by what they are: what was found, and the hint.

    What was checked stands in the question itself, and its name above it.
    """
    found, hints = [], []
    for line in explanation.strip().splitlines():
        if line.startswith("Hint: "):
            hints.append(line.removeprefix("Hint: "))
        elif not line.startswith("Checked: "):
            found.append(line.removeprefix(f"{name}: "))
    return {"found": "\n".join(found), "hint": "\n".join(hints)}


def environment() -> Environment:
    """Our own pages' templates, everything in them escaped."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> str:
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def number(value: float) -> str:
    """Points as people write them: 4, 2.5."""
    return f"{value:.6g}"
