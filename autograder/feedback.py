"""Feedback pages: for each question what was checked, what went wrong, a hint.

nbgrader makes the page; our step removes the hidden blocks, which a student has
no use for, and adds what the judge said. A page is made again only when
something on it changed.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.converters import GenerateFeedback
from pygments import highlight
from pygments.filter import simplefilter
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, String, Token
from tqdm import tqdm

from autograder import hidden
from autograder.course import TEMPLATES, Course
from autograder.execute import CourseStep
from autograder.gradebook import convert, is_stamped, nbgrader_log, opened
from autograder.grades import number
from autograder.handin import Unreadable, read_bytes
from autograder.mathml import with_mathml
from autograder.questions import Question
from autograder.record import QUARANTINED, Record, read_record, read_records, write_text
from autograder.scores import grades_of
from autograder.verdict import FAULT, Incident, Verdict

BEGIN, END = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
# What nbgrader's exchange wants to find beside a page, to hand it back.
FOR_EXCHANGE = ("timestamp.txt", "submission_secret.txt")
EXCHANGE_BYTES = 1000
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
    "reference": "the reference layer was chosen",
    "unjudged": "not judged",
    "fault": "not judged, by a fault of the grader: tell your instructor",
}


FIRST = 3  # places to look at first
_HEADING = re.compile(r"(</?h)([1-6])\b")
_BLOCK_FORMULA = re.compile(r'<math (?=[^>]*display="block")')
COLOURED = (Comment, Keyword, String)


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
            if cell.cell_type == "markdown":
                cell.source = with_mathml(cell.source)
        questions = list(_questions(nb, record, ids))
        judged = [one for one in questions if one["judged"]]
        looked = _look_first(questions)
        resources["course"] = {
            "student": ids["student"],
            "assignment": ids["assignment"],
            "style": style(),
            "score": number(ids["score"]),
            "most": number(ids["max_score"]),
            "bonus": number(sum(question["bonus"] for question in questions)),
            "penalty": number(ids["late_penalty"]) if ids["late_penalty"] else "",
            "late": _late(ids),
            "first": looked[:FIRST],
            "more": len(looked) - FIRST,
            "questions": questions,
            "judged": len(judged),
            "right": sum(question["kind"] == "right" for question in judged),
            "waiting": any(question["waits"] for question in questions),
            "repairs": record.repairs if record else (),
            "incidents": _incidents(record),
        }
        return nb, resources


@functools.lru_cache(maxsize=2048)
def coloured(source: str) -> str:
    """Code as HTML, everything in it escaped.

    Most cells are the same in every notebook of a class, and kept. Few kinds of
    words are coloured: each is an element that nbconvert goes through again.
    """
    lexer = get_lexer_by_name("ipython3")
    lexer.add_filter(_few_colours())
    lexer.add_filter("tokenmerge")
    return highlight(source, lexer, HtmlFormatter())


@simplefilter
def _few_colours(_, lexer, stream, options):
    for kind, text in stream:
        kept = next((one for one in COLOURED if kind in one), Token.Text)
        yield kept, text


def below(text: str) -> str:
    """A text cell's HTML as a part of the page.

    Its headings go two levels down, under the page's own; a formula of its own line
    may be wider than a phone, and what scrolls is reached by keyboard.
    """
    text = _BLOCK_FORMULA.sub('<math tabindex="0" ', text)
    return _HEADING.sub(lambda h: f"{h[1]}{min(6, int(h[2]) + 2)}", text)


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
    for name in FOR_EXCHANGE:
        with suppress(Unreadable):
            data = read_bytes(Path(record.source) / name, EXCHANGE_BYTES)
            (page.parent / name).write_bytes(data)


def _signature(course: Course, gradebook: Gradebook, record: Record) -> str:
    """A hash of all that a page shows."""
    whole = hashlib.sha256(repr(record).encode())
    name = f"{record.assignment}.ipynb"
    notebook = course.autograded / record.student / record.assignment / name
    for path in (notebook, Path(__file__), *sorted(TEMPLATES.rglob("*.*"))):
        whole.update(path.read_bytes() if path.is_file() else b"none")
    for words in _in_the_gradebook(gradebook, record):
        whole.update(words.encode())
    return whole.hexdigest()


def _in_the_gradebook(gradebook: Gradebook, record: Record) -> Iterator[str]:
    try:
        submission = gradebook.find_submission(record.assignment, record.student)
    except MissingEntry:
        return
    penalty = submission.late_submission_penalty
    yield f"{submission.score} {penalty} {submission.total_seconds_late}"
    for notebook in submission.notebooks:
        for grade in sorted(notebook.grades, key=lambda grade: grade.name):
            yield f"{grade.name} {grade.score} {grade.needs_manual_grade}"
        for comment in sorted(notebook.comments, key=lambda comment: comment.name):
            yield f"{comment.name} {comment.comment}"


def _questions(
    nb: NotebookNode, record: Record | None, ids: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """What the page says of each graded cell, in the order of the notebook."""
    asked = hidden.questions(ids["assignment"])
    verdicts = record.judgement.verdicts if record and record.judgement else {}
    with Gradebook(ids["db_url"]) as gradebook:
        waiting = {
            grade.name: grade.needs_manual_grade
            for grade in grades_of(gradebook, ids["assignment"], ids["student"])
        }
    for cell in nb.cells:
        if not utils.is_grade(cell):
            continue
        settings = cell.metadata.nbgrader
        name = settings["grade_id"]
        if name in asked:
            said = _judged(settings, asked[name], verdicts.get(name))
        else:
            said = _graded_by_hand(settings, waiting.get(name, True))
        yield {
            "name": name,
            "function": asked[name].function if name in asked else "",
            "judged": name in asked and not asked[name].bonus,
            "waits": waiting.get(name, False),
            "comment": settings.get("comment") or "",
            **said,
        }


def _judged(
    settings: dict[str, Any], question: Question, verdict: Verdict | None
) -> dict[str, Any]:
    """A question that has hidden tests, or a bonus."""
    points = f"{number(settings['score'])} of {number(question.points)}"
    points = f"bonus: {points}" if question.bonus else f"{points} points"
    full = settings["score"] >= question.points
    missed = "note" if question.bonus or verdict is None else "wrong"
    return {
        "lost": 0 if question.bonus else max(0, question.points - settings["score"]),
        "bonus": settings["score"] if question.bonus else 0,
        "status": SAID[verdict.status] if verdict else "not judged",
        "said": f"{points}, {SAID[verdict.status] if verdict else 'not judged'}",
        "kind": "right" if full else missed,
        "checked": question.checked,
        **_parts(verdict.explanation if verdict else "", question.name),
    }


def _graded_by_hand(settings: dict[str, Any], waits: bool) -> dict[str, Any]:
    """A question that a person grades."""
    score, points = number(settings["score"]), number(settings["points"])
    said = f"{score} of {points} points"
    if waits:
        again = f"{said}, to be looked at again"
        said = again if settings["score"] else f"not yet, of {points} points"
    full = not waits and settings["score"] >= settings["points"]
    return {
        "said": f"graded by hand: {said}",
        "kind": "right" if full else "note",
        "checked": "", "found": "", "hint": "", "lost": 0, "bonus": 0, "status": "",
    }  # fmt: skip


def _look_first(questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What lost points by machine, a function at a time, in the notebook's order.

    Later functions call earlier ones, so one mistake may be behind several.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for question in questions:
        if question["lost"] > 0:
            key = (question["function"], question["hint"] or question["status"])
            place = found.setdefault(
                key, {**question, "lost": 0, "names": [], "words": _words(question)}
            )
            place["lost"] += question["lost"]
            place["names"].append(question["name"])
    return [{**place, "lost": number(place["lost"])} for place in found.values()]


def _words(question: dict[str, Any]) -> str:
    """The hint, else the beginning of what was found."""
    if question["status"] == SAID["unwritten"]:
        return ""
    return question["hint"] or "\n".join(question["found"].splitlines()[:4])


def _late(ids: dict[str, Any]) -> str:
    """How late it was handed in; empty if it was not."""
    with Gradebook(ids["db_url"]) as gradebook:
        submission = gradebook.find_submission(ids["assignment"], ids["student"])
        seconds = round(submission.total_seconds_late)
    return str(timedelta(seconds=seconds)) if seconds > 0 else ""


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
