"""The one writer of a course's gradebook, through nbgrader's own converters.

Each step can be repeated: a stamp is written after a student's grades are
committed and taken away before they are touched, so that whoever kills the
grader in between only makes the next run do that student again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from autograder import hidden
from autograder.course import COURSE_ID, IGNORED, Course, CourseError
from autograder.keys import hash_files
from autograder.record import QUARANTINED, Record, write_text
from autograder.release import check_source
from autograder.scores import bonus_questions, grades_of

LATE_STEP = "nbgrader.preprocessors.AssignLatePenalties"


def register(course: Course, assignment: str) -> None:
    """Make sure that the gradebook knows the assignment as it is now.

    Writes the course's own copy of the release; exercises/ is not touched.
    Raises CourseError where the source notebook cannot be released, or has a
    graded cell without a hidden test of the same points.
    """
    source = course.source(assignment)
    notebook = nbformat.read(source, as_version=4)
    check_source(assignment, notebook, hidden.questions(assignment))
    files = sorted(map(Path, utils.find_all_files(str(source.parent), IGNORED)))
    version = hash_files((str(p.relative_to(source.parent)), p) for p in files)
    stamp = course.stamps / "released" / assignment
    released = course.released / assignment / f"{assignment}.ipynb"
    there = released.is_file() and course.gradebook.is_file()
    if not there or not is_stamped(stamp, version):
        stamp.unlink(missing_ok=True)
        config = course.nbgrader()
        config.CourseDirectory.release_directory = str(course.released)
        make_gradebook(course)
        try:
            convert(course, GenerateAssignment, config, assignment, ".")
        except NbGraderException as error:
            raise CourseError(
                f"nbgrader cannot release {assignment}: see the end of {course.log}. "
                "If cells were added to or removed from the source notebook after "
                "submissions were graded, grade them in a new --course folder."
            ) from error
        write_text(stamp, version)


def make_gradebook(course: Course) -> None:
    """An empty gradebook, where there is none, beside and renamed.

    What was done in an earlier one is to be done again.
    nbgrader asks the `alembic` command for its version, and finds it only if
    this Python's commands are on the path.
    """
    if course.gradebook.is_file():
        return
    course.folder.mkdir(parents=True, exist_ok=True)
    beside = course.gradebook.with_suffix(f".{os.getpid()}.part")
    beside.unlink(missing_ok=True)
    path = os.environ.get("PATH", os.defpath)
    commands = os.path.dirname(sys.executable)
    os.environ["PATH"] = commands + os.pathsep + path
    try:
        Gradebook(f"sqlite:///{beside}", COURSE_ID).close()
    finally:
        os.environ["PATH"] = path
    for done in ("released", "scored"):
        shutil.rmtree(course.stamps / done, ignore_errors=True)
    os.replace(beside, course.gradebook)


def is_scored(course: Course, record: Record) -> bool:
    """Whether the gradebook already has what this record says."""
    stamp = course.stamps / "scored" / record.assignment / record.student
    if not course.gradebook.is_file() or not is_stamped(stamp, _mark(record)):
        return False
    autograded = course.autograded / record.student / record.assignment
    return record.status == QUARANTINED or autograded.is_dir()


def score(course: Course, record: Record) -> None:
    """Write a record's points into the gradebook."""
    stamp = course.stamps / "scored" / record.assignment / record.student
    stamp.unlink(missing_ok=True)
    if record.status == QUARANTINED:
        _score_nothing(course, record)
    else:
        config = course.nbgrader(submitted=course.intake)
        config.ApplyVerdicts.rejudge = False
        # Penalties are worked out for the whole class afterwards (late.py), so that
        # a fault in the instructor's own rule costs no submission its score.
        steps = config.Autograde.autograde_preprocessors
        config.Autograde.autograde_preprocessors = [
            step for step in steps if step != LATE_STEP
        ]
        graded = _graded_answers(course, record)
        convert(course, Autograde, config, record.assignment, record.student)
        _keep_graded(course, record, graded)
    write_text(stamp, _mark(record))


def _graded_answers(course: Course, record: Record) -> dict[str, Any]:
    """The answers that a person has graded, as they were handed in then."""
    answers = _hand_graded_answers(course, record)
    if not answers:
        return {}
    with opened(course) as gradebook:
        done = {
            grade.name
            for grade in grades_of(gradebook, record.assignment, record.student)
            if grade.manual_score is not None and not grade.needs_manual_grade
        }
    return {name: answer for name, answer in answers.items() if name in done}


def _keep_graded(course: Course, record: Record, graded: Mapping[str, Any]) -> None:
    """An answer that is what a person graded need not be looked at again.

    nbgrader asks for it whenever it scores a notebook anew.
    """
    if not graded:
        return
    now = _hand_graded_answers(course, record)
    with opened(course) as gradebook:
        for grade in grades_of(gradebook, record.assignment, record.student):
            if grade.name in graded and now.get(grade.name) == graded[grade.name]:
                grade.needs_manual_grade = False
        gradebook.db.commit()


def _hand_graded_answers(course: Course, record: Record) -> dict[str, Any]:
    """What the autograded notebook holds where a person grades."""
    name = f"{record.assignment}.ipynb"
    path = course.autograded / record.student / record.assignment / name
    if not path.is_file():
        return {}
    return {
        cell.metadata.nbgrader["grade_id"]: (cell.source, cell.get("attachments"))
        for cell in nbformat.read(path, as_version=4).cells
        if utils.is_grade(cell) and utils.is_solution(cell)
    }


def _score_nothing(course: Course, record: Record) -> None:
    """Zero for each graded cell, as nbgrader does for a missing notebook.

    Points that a person gave by hand stay as they are.
    """
    folder = course.autograded / record.student / record.assignment
    if folder.is_dir():
        shutil.rmtree(folder)
    with opened(course) as gradebook, _calm():
        gradebook.update_or_create_student(record.student)
        submission = gradebook.update_or_create_submission(
            record.assignment, record.student
        )
        bonuses = bonus_questions(record.assignment)
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                grade.auto_score = 0
                grade.needs_manual_grade = False
                if grade.name in bonuses:
                    grade.extra_credit = 0
        gradebook.db.commit()


@contextmanager
def opened(course: Course) -> Iterator[Gradebook]:
    """The course's gradebook, closed afterwards with its connections."""
    gradebook = Gradebook(course.database_url, COURSE_ID)
    try:
        yield gradebook
    finally:
        gradebook.close()


def nbgrader_log(course: Course) -> logging.Logger:
    """A logger that writes to the course's log file and nowhere else."""
    logger = logging.getLogger(f"autograder.nbgrader.{course.folder}")
    if not logger.handlers:
        course.folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(course.log, delay=True, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.propagate = False
        logger.setLevel(logging.INFO)
    return logger


def convert(
    course: Course,
    converter: type[BaseConverter],
    config: Config,
    assignment: str,
    student: str,
) -> None:
    """Run one of nbgrader's converters for one student, over what was there."""
    log = nbgrader_log(course)
    directory = CourseDirectory(config=config, log=log)
    directory.assignment_id = assignment
    directory.student_id = student
    step = converter(coursedir=directory, config=config, log=log)
    step.force = True
    with _calm():
        step.start()


@contextmanager
def _calm() -> Iterator[None]:
    """Without the warnings of nbgrader's own queries, which are harmless."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield


def _mark(record: Record) -> str:
    """What a record says, in short: judged again, it may say something else."""
    said = json.dumps(record.substance(), sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def is_stamped(stamp: Path, content: str) -> bool:
    try:
        return stamp.read_text(encoding="utf-8") == content
    except OSError:
        return False
