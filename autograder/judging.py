"""One submission, from the handed-in folder to its record.

A task is plain data and its result lies in the verdicts folder, so that any
process, on any machine that sees the course folder, can do it.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from autograder import hidden
from autograder.course import Course, is_student_id
from autograder.intake import lay_out, take_in
from autograder.judge import judge
from autograder.kernel import KernelLost, KernelStartFailed
from autograder.keys import code_digest, submission_key
from autograder.lock import is_current
from autograder.record import Record, read_record, write_record
from autograder.sandbox import SandboxUnavailable
from autograder.verdict import FAULT

STARTS = 3  # times that a submission is begun which the grader does not finish
log = logging.getLogger(__name__)


class Superseded(Exception):
    """Another run grades this course now: what this one finds is not wanted."""


@dataclass(frozen=True)
class Task:
    """A submission to be judged."""

    course: Course
    assignment: str
    student: str
    folder: Path  # what was handed in
    seed: int
    sandbox: str = "bwrap"
    run: str = ""  # of the grader that asked, if one did

    def __str__(self) -> str:
        return f"{self.student}'s {self.assignment}"


def up_to_date(task: Task) -> Record | None:
    """The record of an earlier run, if nothing has changed since.

    What the grader failed at by its own fault is done again.
    """
    if not is_student_id(task.student):
        return None
    record = read_record(task.course.verdicts, task.assignment, task.student)
    if record is None or record.key != _key(task) or FAULT in record.flags:
        return None
    laid_out = task.course.intake / task.student / task.assignment
    return record if record.reason or laid_out.is_dir() else None


def judge_or_say_why(task: Task) -> Record:
    """Judge a submission; any fault costs it alone, and is said in its record.

    A student's process that does not start, or ends before student code runs in
    it, is nobody's doing, so the submission is begun again. So it is after any
    other fault, which may have been a passing one.
    Raises SandboxUnavailable.
    """
    for start in range(1, STARTS + 1):
        try:
            return judge_submission(task)
        except SandboxUnavailable:
            raise
        except (KernelLost, KernelStartFailed) as error:
            log.warning("Judging %s, start %d: %s", task, start, error)
            why = f"{type(error).__name__}: {error}."
        except Superseded as error:
            log.warning("Judging %s: %s", task, error)
            why = f"{error}."
            break
        except Exception as error:
            log.exception("Judging %s failed, start %d", task, start)
            why = f"{type(error).__name__}: {error}."
    return failed(task, why)


def judge_submission(task: Task) -> Record:
    """Take in, judge and record one submission; raises Superseded."""
    began = time.monotonic()
    course = task.course
    record = Record(
        task.student, task.assignment, _key(task), str(task.folder), task.seed
    )
    if not is_student_id(task.student):
        return record.quarantined(
            "The folder's name cannot be a student's id: letters, digits and . _ @ + - "
            "only, beginning with a letter or digit. Rename it and grade again."
        )
    intake = take_in(
        task.folder,
        task.assignment,
        release_of(course, task.assignment),
        _other_releases(course, task.assignment),
    )
    laid_out = course.intake / task.student / task.assignment
    _check_wanted(task)
    lay_out(intake, laid_out)
    record = replace(
        record, repairs=tuple(intake.repairs), findings=tuple(intake.findings)
    )
    if intake.notebook is None:
        record = record.quarantined(intake.reason)
    else:
        took = {"intake": time.monotonic() - began}
        judgement = judge(
            intake.notebook,
            hidden.questions(task.assignment),
            seed=task.seed,
            assignment=task.assignment,
            folder=laid_out,
            sandbox=task.sandbox,
        )
        record = replace(
            record,
            digest=code_digest(intake.notebook),
            judgement=replace(judgement, timings={**took, **judgement.timings}),
        )
    _check_wanted(task)
    write_record(course.verdicts, record)
    return record


def _check_wanted(task: Task) -> None:
    if task.run and not is_current(task.course, task.run):
        raise Superseded("the course is being graded by another run now")


def failed(task: Task, why: str) -> Record:
    """The record of a submission that the grader itself could not finish.

    It is not written, so that the next run tries again.
    """
    record = Record(
        task.student, task.assignment, "", str(task.folder), task.seed
    )
    return record.quarantined(
        f"The grader could not finish with this submission: {why} It is tried again "
        "the next time the assignment is graded."
    )


def release_of(course: Course, assignment: str) -> NotebookNode:
    """The notebook that this course's gradebook knows, as students got it."""
    path = course.released / assignment / f"{assignment}.ipynb"
    return _read(path, path.stat().st_mtime_ns)


def _other_releases(course: Course, assignment: str) -> dict[str, NotebookNode]:
    paths = {
        name: course.exercises / name / f"{name}.ipynb"
        for name in course.assignments()
        if name != assignment
    }
    return {
        name: _read(path, path.stat().st_mtime_ns)
        for name, path in paths.items()
        if path.is_file()
    }


@cache
def _read(path: Path, modified: int) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def _key(task: Task) -> str:
    release = release_of(task.course, task.assignment)
    return submission_key(
        task.folder, task.assignment, release, task.seed, task.sandbox
    )
