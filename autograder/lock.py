"""One grader at a time for a course, and a name for each of its runs.

A judge on another machine may go on for a while after its grader was killed.
The name tells it whether what it finds is still wanted.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from autograder.course import Course, CourseError

NAME = ".lock"


@contextmanager
def locked(course: Course) -> Iterator[str]:
    """The course for this process alone; the name of this run.

    The lock goes when the process does. Raises CourseError where another has it.
    """
    course.folder.mkdir(parents=True, exist_ok=True)
    with open(course.folder / NAME, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            process = file.read().split()[:1] or ["?"]
            raise CourseError(
                f"This course is being graded already, by process {process[0]}."
                " Wait for it to finish, or end it."
            ) from error
        run = secrets.token_hex(8)
        file.truncate(0)
        file.write(f"{os.getpid()} {run}\n")
        file.flush()
        os.fsync(file.fileno())  # now other machines see it, too
        yield run


def is_current(course: Course, run: str) -> bool:
    """Whether a run is the last that began, as seen from this machine."""
    try:
        words = (course.folder / NAME).read_text(encoding="utf-8").split()
    except OSError:
        return False
    return words[1:] == [run]
