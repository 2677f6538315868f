"""The class report: one page for the instructor that works offline and on paper."""

from __future__ import annotations

import os
import statistics
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from autograder import hidden
from autograder.course import Course
from autograder.feedback import environment, page_of, style
from autograder.gradebook import opened
from autograder.grades import Row, by_hand, by_machine, number, rows_of
from autograder.record import QUARANTINED, REPAIRED, Record, read_records, write_text
from autograder.scores import HandGraded, bonus_questions, hand_graded

BINS = 10


def write_report(course: Course, assignments: Sequence[str]) -> Path:
    """Write reports/report.html over these assignments; the path."""
    sections = []
    for assignment in assignments:
        records = read_records(course.verdicts, assignment)
        if records:
            sections.append(_section(course, assignment, records))
    page = environment().get_template("report.html.j2")
    path = course.reports / "report.html"
    write_text(path, page.render(sections=sections, style=style()))
    return path


def _section(
    course: Course, assignment: str, records: Sequence[Record]
) -> dict[str, Any]:
    rows = {row.student_id: row for row in rows_of(course, records)}
    judged = [record for record in records if record.judgement]
    seconds = sum(record.judgement.seconds for record in judged)
    most = max(row.max_score for row in rows.values())
    bonus = bonus_questions(assignment)
    with opened(course) as gradebook:
        people = hand_graded(gradebook, assignment, [r.student for r in judged])
    return {
        "assignment": assignment,
        "submissions": len(records),
        "median": number(statistics.median(row.score for row in rows.values())),
        "most": number(most),
        "repaired": sum(record.status == REPAIRED for record in records),
        "quarantined": [r for r in records if r.status == QUARANTINED],
        "minutes": f"{seconds / 60:.1f}",
        "seed": ", ".join(sorted({str(record.seed) for record in records})),
        "sandbox": ", ".join(sorted({r.judgement.sandbox for r in judged})) or "none",
        "distribution": distribution([row.score for row in rows.values()], most),
        "waiting": sum(row.parts.waiting for row in rows.values()),
        "by_hand": [_by_hand(one) for one in people],
        "lost": points_lost(judged, bonus),
        "earned": bonus_earned(judged, bonus),
        "mistakes": mistakes(assignment, judged),
        "rows": [_row(course, record, rows[record.student]) for record in records],
        "findings": _lines(records, lambda record: record.findings),
        "repairs": _lines(records, lambda record: record.repairs),
        "incidents": _incidents(judged),
    }


def distribution(scores: Sequence[float], most: float) -> list[dict[str, Any]]:
    """How many scores lie in each tenth of the maximum; full marks stand alone."""
    width = most / BINS
    counts = [0] * (BINS + 1)
    for score in scores:
        counts[min(BINS, int(score / width)) if width else 0] += 1
    tallest = max(counts)
    rows = []
    for i, count in enumerate(counts):
        last = i == BINS
        upper = f" to under {number((i + 1) * width)}"
        label = number(most) if last else number(i * width) + upper
        rows.append(_bar(label, count, tallest, str(count)))
    return rows


def points_lost(
    judged: Sequence[Record], bonus: Collection[str] = ()
) -> list[dict[str, Any]]:
    """For each question, the share of all its points that was not earned.

    Nobody loses the points of a bonus.
    """
    lost: dict[str, float] = {}
    there: dict[str, float] = {}
    for record in judged:
        for name, verdict in record.judgement.verdicts.items():
            if name in bonus:
                continue
            lost[name] = lost.get(name, 0) + verdict.max_points - verdict.points
            there[name] = there.get(name, 0) + verdict.max_points
    return [
        _bar(name, lost[name], there[name], f"{100 * lost[name] / there[name]:.0f}%")
        for name in lost
    ]


def bonus_earned(
    judged: Sequence[Record], bonus: Collection[str]
) -> list[dict[str, Any]]:
    """For each bonus question, how many students have its points."""
    earned = dict.fromkeys(sorted(bonus), 0)
    for record in judged:
        for name in earned:
            verdict = record.judgement.verdicts.get(name)
            earned[name] += bool(verdict and verdict.right)
    return [_bar(name, earned[name], len(judged), str(earned[name])) for name in earned]


def _by_hand(question: HandGraded) -> dict[str, Any]:
    scores = question.scores
    return {
        "name": question.name,
        "points": number(question.points),
        "waiting": question.waiting,
        "done": len(scores),
        "mean": number(round(statistics.mean(scores), 1)) if scores else "",
    }


def mistakes(assignment: str, judged: Sequence[Record]) -> list[dict[str, Any]]:
    """The known mistakes that were made, most frequent first, with their hints."""
    questions = hidden.questions(assignment)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for record in judged:
        for name, verdict in record.judgement.verdicts.items():
            if not verdict.misconception or name not in questions:
                continue
            known = questions[name].misconceptions
            hints = [m.hint for m in known if m.name == verdict.misconception]
            hint = hints[0] if hints else ""
            entry = found.setdefault(
                (verdict.misconception, hint),
                {"name": verdict.misconception.replace("_", " "), "hint": hint,
                 "students": [], "questions": []},
            )  # fmt: skip
            _add(entry["students"], record.student)
            _add(entry["questions"], name)
    return sorted(found.values(), key=lambda e: (-len(e["students"]), e["name"]))


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _bar(label: str, value: float, whole: float, shown: str) -> dict[str, Any]:
    percent = 100 * value / whole if whole else 0
    return {"label": label, "percent": f"{percent:.1f}", "value": shown}


def _row(course: Course, record: Record, row: Row) -> dict[str, Any]:
    page = page_of(course, record)
    seconds = record.judgement.seconds if record.judgement else None
    return {
        "student": row.student_id,
        "score": number(row.score),
        "most": number(row.max_score),
        "by_machine": by_machine(row.parts),
        "by_hand": by_hand(row.parts),
        "status": row.status,
        "flags": row.flags.split(),
        "seconds": f"{seconds:.1f} s" if seconds is not None else "",
        "page": os.path.relpath(page, course.reports) if page.is_file() else "",
    }


def _lines(records: Iterable[Record], of: Any) -> list[dict[str, str]]:
    return [
        {"student": record.student, **remark.as_json()}
        for record in records
        for remark in of(record)
    ]


def _incidents(judged: Iterable[Record]) -> list[dict[str, str]]:
    return [
        {"student": record.student, "words": incident.message,
         "kind": incident.kind, "where": incident.where, "evidence": ""}
        for record in judged
        for incident in record.incidents
    ]  # fmt: skip
