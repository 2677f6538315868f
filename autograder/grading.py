"""Grading a class: judge in parallel, write the gradebook in one place.

Everything can be started again after a kill at any moment: a verdict is
written whole or not at all, and a student is scored again until the gradebook
says so. What has not changed is not done twice.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from autograder.course import Course, CourseError, is_student_id
from autograder.gradebook import is_scored, nbgrader_log, register, score
from autograder.grades import Row, write_grades
from autograder.judging import Task, failed, up_to_date
from autograder.late import refresh_penalties
from autograder.record import Record, write_record
from autograder.sandbox import find_bwrap
from autograder.seeds import seed_of
from autograder.workers import default_workers, judge_all

Say = Callable[[str], None]


def grade(
    course: Course,
    assignments: Sequence[str],
    *,
    submitted: Path | None = None,
    workers: int | None = None,
    sandbox: str = "bwrap",
    seed: int | None = None,
    regrade: bool = False,
    say: Say = print,
) -> list[Row]:
    """Grade assignments and write grades.csv; the rows of those assignments.

    `submitted` holds <student>/<assignment>/ folders; the course's own by
    default. `seed` sets the hidden tests' seed, `regrade` judges again what
    has not changed. Raises CourseError and SandboxUnavailable.
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
    if sandbox == "bwrap":
        find_bwrap()
    workers = default_workers() if workers is None else workers
    unnamed: list[Record] = []
    with locked(course):
        for assignment in assignments:
            register(course, assignment)
            tasks = [
                Task(course, assignment, student, folder / student / assignment,
                     seed_of(course, assignment, seed), sandbox)
                for student in handed_in(folder, assignment)
            ]  # fmt: skip
            if not tasks:
                say(f"{assignment}: nobody handed in anything in {folder}.")
            unnamed += _grade_tasks(course, tasks, workers, regrade, say)
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


def _grade_tasks(
    course: Course, tasks: Sequence[Task], workers: int, regrade: bool, say: Say
) -> list[Record]:
    """Judge and score; the records of folders that cannot be students'."""
    done = {task: None if regrade else up_to_date(task) for task in tasks}
    waiting = [task for task in tasks if done[task] is None]
    if tasks:
        kept = len(tasks) - len(waiting)
        say(
            f"{tasks[0].assignment}: {len(tasks)} submissions, {kept} unchanged since "
            f"they were judged, {len(waiting)} to judge."
        )
    records = [record for record in done.values() if record]
    unnamed = []
    for record in (*records, *_watched(judge_all(waiting, workers), len(waiting))):
        if is_student_id(record.student):
            _score(course, record)
        else:
            unnamed.append(record)
    return unnamed


def _score(course: Course, record: Record) -> None:
    """Score a record; what nbgrader cannot score is quarantined, not fatal."""
    if not record.key:
        write_record(course.verdicts, record)
    if is_scored(course, record):
        return
    try:
        score(course, record)
    except Exception as error:
        nbgrader_log(course).exception("Scoring %s failed", record.student)
        task = Task(course, record.assignment, record.student,
                    Path(record.source), record.seed)  # fmt: skip
        broken = failed(task, f"nbgrader could not score it ({error}).")
        write_record(course.verdicts, broken)
        score(course, broken)


def _watched(records: Iterator[Record], total: int) -> Iterator[Record]:
    """The records, with a line of progress: rate, and time left."""
    yield from tqdm(
        records,
        total=total,
        unit="submission",
        desc="judged",
        disable=not total,
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
        smoothing=0.1,
    )


@contextmanager
def locked(course: Course) -> Iterator[None]:
    """Only one process grades a course; the lock goes when the process does."""
    course.folder.mkdir(parents=True, exist_ok=True)
    with open(course.folder / ".lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise CourseError(
                f"This course is being graded already, by process {file.read() or '?'}."
                " Wait for it to finish, or end it."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
