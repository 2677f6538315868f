"""Grade all rows of the table in one run, with the real judge and sandbox."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest import mock

from bs4 import BeautifulSoup

from autograder import grading, judging, keys, sandbox
from autograder.feedback import page_of, write_feedback
from autograder.gradebook import opened
from autograder.record import Record, read_record
from autograder.report import write_report
from autograder.scores import WAITS
from autograder.tests.hostile.row import Row
from autograder.tests.hostile.small import NAME, Small, install

DUE = "2026-03-01 12:00:00 UTC"
SEED = 4


@dataclass(frozen=True)
class Outcome:
    """What came of a row."""

    row: Row
    points: float
    status: str
    flags: str
    student: str  # all that the feedback page says
    instructor: str  # all that the report says of this submission
    record: Record | None
    page: str  # the feedback page's HTML

    def problems(self) -> list[str]:
        """What is not as the row says; nothing if all is."""
        row, found = self.row, []
        for what in ("points", "status", "flags"):
            wanted, got = getattr(row, what), getattr(self, what)
            if wanted != got:
                found.append(f"{what}: {got!r} where {wanted!r} is expected")
        for who in ("student", "instructor"):
            for words in getattr(row, who):
                if " ".join(words.split()) not in " ".join(getattr(self, who).split()):
                    found.append(f"{who} does not read {words!r}")
        return found


@dataclass
class Run:
    """A graded class, and what it left behind."""

    small: Small
    outcomes: dict[str, Outcome]  # by the row's name
    calls: int  # connections to a port of the grader's machine
    changed: list[str]  # files that were handed in and are not as they were
    left: set = field(default_factory=set)  # processes

    def report(self) -> str:
        """All that the class report says."""
        return _text(write_report(self.small.course, [NAME]).read_text())


def grade_rows(root: Path, rows: Sequence[Row]) -> Run:
    """Hand in the rows, grade them in one run, write feedback and the report."""
    rows = [replace(row, shown=row.folder or f"s{number:03d}")
            for number, row in enumerate(rows, start=1)]  # fmt: skip
    install()
    by_student = {row.shown: row for row in rows}
    with _settings(by_student), _listening() as (port, heard):
        small = Small(root, port)
        with opened(small.course) as gradebook:
            gradebook.update_or_create_assignment(NAME, duedate=DUE)
        for row in rows:
            folder = small.folder(row.shown)
            folder.mkdir(parents=True)
            row.hand_in(small, folder)
        before = _handed_in(small)
        graded = grading.grade(small.course, [NAME], workers=0, seed=SEED,
                               say=lambda line: None)  # fmt: skip
        write_feedback(small.course, [NAME])
        calls = heard()
    scores = {row.student_id: row for row in graded}
    outcomes = {row.name: _outcome(small, row, scores) for row in rows}
    after = _handed_in(small)
    changed = sorted(str(path) for path in before.keys() | after.keys()
                     if before.get(path) != after.get(path))  # fmt: skip
    return Run(small, outcomes, calls, changed)


def _handed_in(small: Small) -> dict[Path, tuple[int, int, int]]:
    """Every file that was handed in: its kind, size and time."""
    found = {}
    for path in small.course.submitted.rglob("*"):
        about = path.lstat()
        found[path] = (about.st_mode, about.st_size, about.st_mtime_ns)
    return found


def _outcome(small: Small, row: Row, scores: dict) -> Outcome:
    shown = scores.get(row.shown)
    if shown is None:  # a folder whose name cannot be an id
        shown = next(one for name, one in scores.items() if name.startswith("?"))
    record = read_record(small.course.verdicts, NAME, row.shown)
    page = ""
    if record and page_of(small.course, record).is_file():
        page = page_of(small.course, record).read_text()
    flags = " ".join(flag for flag in shown.flags.split() if flag != WAITS)
    return Outcome(row, shown.score, shown.status, flags, _text(page),
                   _said(record), record, page)  # fmt: skip


def _said(record: Record | None) -> str:
    """What an instructor is told of a submission: remarks, incidents, a reason."""
    if record is None:
        return ""
    remarks = [(r.kind, r.where, r.words, r.evidence)
               for r in (*record.repairs, *record.findings)]  # fmt: skip
    events = [(i.kind, i.where, i.message) for i in record.incidents]
    return "\n".join([record.reason, *map(" | ".join, (*remarks, *events))])


def _text(page: str) -> str:
    return re.sub(r"\s+", " ", BeautifulSoup(page, "html.parser").get_text(" "))


@contextlib.contextmanager
def _settings(rows: dict[str, Row]) -> Iterator[None]:
    """Processes without numba and matplotlib, and a row's own limits."""
    real = judging.judge

    def judge(notebook, questions, *, folder, **options):
        row = rows[folder.parent.name]
        if row.seconds is not None:
            questions = {name: replace(one, seconds=row.seconds)
                         for name, one in questions.items()}  # fmt: skip
        return real(notebook, questions, folder=folder, limits=row.limits, **options)

    with (
        mock.patch.object(sandbox, "PRELOAD", ("numpy",)),
        mock.patch.object(judging, "judge", judge),
        mock.patch.object(keys, "grader_version", lambda assignment: "test"),
    ):
        yield


@contextlib.contextmanager
def _listening() -> Iterator:
    """A port of this machine that nobody should reach; how many did."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)

        def heard() -> int:
            count = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    server.accept()[0].close()
                    count += 1
            return count

        yield server.getsockname()[1], heard


def cpu_seconds() -> float:
    """Of this process and all that it waited for."""
    found = [resource.getrusage(who)
             for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]  # fmt: skip
    return sum(one.ru_utime + one.ru_stime for one in found)
