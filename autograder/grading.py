"""Grading a class: judge in parallel, write the gradebook in one place.

Everything can be started again after a kill at any moment: a verdict is
written whole or not at all, and a student is scored again until the gradebook
says so. What has not changed is not done twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from autograder.course import Course, CourseError, is_student_id
from autograder.gradebook import is_scored, nbgrader_log, register, score
from autograder.grades import Row, write_grades
from autograder.judging import Task, failed, up_to_date
from autograder.late import refresh_penalties
from autograder.lock import locked
from autograder.record import Record, write_record
from autograder.sandbox import LIMITS_LACKS, find_bwrap
from autograder.seeds import seed_of
from autograder.workers import default_workers, judge_all

SCORED = "Scored %s's %s in %.3f s"  # in the log
Say = Callable[[str], None]
Judge = Callable[[Iterable[Task]], Iterator[Record]]


def grade(
    course: Course,
    assignments: Sequence[str],
    *,
    submitted: Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    sandbox: str = "bwrap",
    seed: int | None = None,
    regrade: bool = False,
    say: Say = print,
) -> list[Row]:
    """Grade assignments and write grades.csv; the rows of those assignments.

    `submitted` holds <student>/<assignment>/ folders; the course's own by
    default. `workers` processes judge, or a Dask cluster if its `scheduler` is
    given. `seed` sets the hidden tests' seed, `regrade` judges again what has
    not changed. Raises CourseError and SandboxUnavailable.
    """
    course.check_assignments(assignments)
    course.nbgrader()  # the instructor's settings, before anything is judged
    folder = (submitted or course.submitted).resolve()
    if not folder.is_dir():
        raise CourseError(
            f"There is no folder {folder}. Put submissions there as "
            "<student>/<assignment>/<assignment>.ipynb, or name another with "
            "--submitted."
        )
    if sandbox == "limits":
        say(LIMITS_LACKS)
    elif not scheduler:
        find_bwrap()
    unnamed: list[Record] = []
    with judges(workers, scheduler) as judge, locked(course) as run:
        for assignment in assignments:
            register(course, assignment)
            tasks = [
                Task(course, assignment, student, folder / student / assignment,
                     seed_of(course, assignment, seed), sandbox, run)
                for student in handed_in(folder, assignment)
            ]  # fmt: skip
            if not tasks:
                say(f"{assignment}: nobody handed in anything in {folder}.")
            unnamed += _grade_tasks(course, tasks, judge, regrade, say)
        for record in unnamed:
            say(f"The folder {record.student!r}: {record.reason}")
        refresh_penalties(course, assignments)
        rows = write_grades(course, unnamed)
    return [row for row in rows if row.assignment in assignments]


def handed_in(submitted: Path, assignment: str) -> list[str]:
    """The names of the folders that hold something for an assignment."""
    return sorted(
        entry.name
        for entry in os.scandir(submitted)
        if not entry.name.startswith(".")
        and entry.is_dir()
        and os.path.lexists(os.path.join(entry.path, assignment))
    )


@contextmanager
def judges(workers: int | None, scheduler: str | None) -> Iterator[Judge]:
    """Who judges: processes here, one for each core by default, or a cluster."""
    if not scheduler:
        yield partial(
            judge_all, workers=default_workers() if workers is None else workers
        )
        return
    from autograder import cluster  # a second of imports, needed here alone

    with cluster.connected(scheduler) as client:
        yield partial(cluster.judge_all, client)


def _grade_tasks(
    course: Course, tasks: Sequence[Task], judge: Judge, regrade: bool, say: Say
) -> list[Record]:
    """Judge and score; the records of folders that cannot be students'."""
    waiting, unscored = _to_do(course, tasks, regrade)
    if tasks:
        kept = len(tasks) - len(waiting)
        say(
            f"{tasks[0].assignment}: {len(tasks)} submissions, {kept} unchanged since "
            f"they were judged, {len(waiting)} to judge."
        )
    judged = _watched(judge(waiting), len(waiting), "judged")
    known = _watched(filter(None, map(up_to_date, unscored)), len(unscored), "scored")
    unnamed = []
    for record in chain(known, judged):
        if is_student_id(record.student):
            _score(course, record)
        else:
            unnamed.append(record)
    return unnamed


def _to_do(
    course: Course, tasks: Sequence[Task], regrade: bool
) -> tuple[list[Task], list[Task]]:
    """What is to be judged, and what was judged but never reached the gradebook.

    No record is kept: a class of them would fill the memory.
    """
    waiting, unscored = [], []
    looking = tqdm(tasks, "looked at", unit="submission", delay=2, leave=False,
                   disable=not sys.stderr.isatty())  # fmt: skip
    for task in looking:
        record = None if regrade else up_to_date(task)
        if record is None:
            waiting.append(task)
        elif not is_scored(course, record):
            unscored.append(task)
    return waiting, unscored


def _score(course: Course, record: Record) -> None:
    """Score a record; what nbgrader cannot score is quarantined, not fatal."""
    if not record.key:
        write_record(course.verdicts, record)
    if is_scored(course, record):
        return
    began = time.monotonic()
    log = nbgrader_log(course)
    try:
        score(course, record)
        log.info(SCORED, record.student, record.assignment, time.monotonic() - began)
    except Exception as error:
        log.exception("Scoring %s failed", record.student)
        task = Task(course, record.assignment, record.student,
                    Path(record.source), record.seed)  # fmt: skip
        broken = failed(task, f"nbgrader could not score it ({error}).")
        write_record(course.verdicts, broken)
        score(course, broken)


def _watched(records: Iterator[Record], total: int, done: str) -> Iterator[Record]:
    """The records, with a line of progress: rate, and time left.

    In a terminal it is drawn over again; in a file there is a new one now and then.
    """
    terminal = sys.stderr.isatty()
    yield from tqdm(
        records,
        total=total,
        unit="submission",
        desc=done,
        disable=not total,
        file=sys.stderr if terminal else _Lines(sys.stderr),
        ncols=None if terminal else 80,
        mininterval=0.5 if terminal else 10.0,
        smoothing=0.1,
    )


class _Lines:
    """A file in which each state of a line of progress is a line of its own."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._last = ""

    def write(self, text: str) -> None:
        if text != self._last:  # the last one is drawn twice
            self._file.write(text.replace("\r", "\n"))
        self._last = text

    def flush(self) -> None:
        self._file.flush()
