"""The pool of judges: what a killed worker costs."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from autograder import workers
from autograder.course import Course, CourseError
from autograder.judging import Task
from autograder.record import Record


def tasks(folder: Path, *names: str) -> list[Task]:
    return [Task(Course(folder), "tiny", name, folder / name, 1) for name in names]


def judge_or_die(task: Task) -> Record:
    """Judge by name: "dies" always kills its worker, "once" the first time."""
    mark = task.course.folder / f"{task.student}.tried"
    if task.student == "dies" or (task.student == "once" and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Record(task.student, task.assignment, "key", "", task.seed)


@pytest.fixture
def quick(monkeypatch):
    """Judge by name."""
    monkeypatch.setattr(workers, "judge_or_say_why", judge_or_die)


def test_a_killed_worker_costs_only_the_submission_that_kills(tmp_path, quick):
    names = ("s1", "dies", "s2", "once", "s3")
    records = list(workers.judge_all(tasks(tmp_path, *names), 2))
    found = {record.student: record.status for record in records}
    assert len(records) == len(names)
    assert found.pop("dies") == "quarantined"
    assert set(found.values()) == {"graded"}


def test_no_tasks_need_no_workers(tmp_path):
    assert list(workers.judge_all([], 2)) == []


def test_a_pool_that_cannot_start_is_made_again(tmp_path, quick, monkeypatch):
    """What workers are forked from may end just then; ever again is an error."""
    submit, failures = ProcessPoolExecutor.submit, []

    def ends(self, *args):
        future = submit(self, *args)
        if len(failures) < most and args[1].student == "s2":
            failures.append(None)
            raise EOFError
        return future

    monkeypatch.setattr(ProcessPoolExecutor, "submit", ends)
    most = 1
    records = list(workers.judge_all(tasks(tmp_path, "s1", "s2", "s3"), 2))
    assert sorted(record.student for record in records) == ["s1", "s2", "s3"]
    assert {record.status for record in records} == {"graded"}
    most = 100
    with pytest.raises(CourseError, match="No process can be started.*EOFError"):
        list(workers.judge_all(tasks(tmp_path, "s2"), 2))
