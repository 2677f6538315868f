"""The same tasks on a Dask cluster, whose machines share the course folder.

Workers judge and write verdicts; the gradebook is written by the grader alone.
Before a worker's word is taken, it must see the course folder of this very run
and be the same version of the grader.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import (
    CancelledError,
    Client,
    Future,
    KilledWorker,
    Worker,
    get_worker,
    wait,
)
from distributed.client import ClosedClientError
from distributed.comm import CommClosedError

from autograder.course import CourseError
from autograder.judging import Task, failed, judge_or_say_why
from autograder.keys import grader_version
from autograder.lock import is_current
from autograder.record import Record
from autograder.sandbox import SandboxUnavailable, find_bwrap

CONNECT_SECONDS = 10.0
PATIENCE = 60.0  # seconds without any worker, until the grader stops
LOOK = 2.0  # seconds between two looks at how many workers there are
log = logging.getLogger(__name__)
Versions = tuple[str, str]


class SchedulerLost(CourseError):
    """The scheduler has gone; what was done until then is kept."""


@contextmanager
def connected(scheduler: str) -> Iterator[Client]:
    """A client of the cluster; raises CourseError where there is none.

    `scheduler` is an address, as tcp://host:8786, or the path of the file that
    `dask scheduler --scheduler-file` writes. TLS is set up as everywhere in Dask.
    """
    # Lost connections are our own errors' business, in one sentence.
    for name in ("distributed.client", "distributed.comm", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    where = _where(scheduler)
    try:
        client = Client(**where, timeout=CONNECT_SECONDS, name="grader")
    except (OSError, ValueError, TypeError) as error:
        raise CourseError(
            f"There is no Dask scheduler at {scheduler}, or it does not answer "
            f"({error}). Start one with `dask scheduler`, and workers with `dask "
            "worker`, or grade on this machine, without --scheduler."
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=LOOK)


def judge_all(client: Client, tasks: Iterable[Task]) -> Iterator[Record]:
    """The records of all tasks, as they are finished on the cluster.

    A worker that ends costs nothing: Dask gives its tasks to another. What was
    being judged each time when several of them ended is tried again alone, so
    that only the submission that ends workers is quarantined.
    Raises CourseError where workers cannot be used, SchedulerLost where they
    can no longer be reached.
    """
    waiting = deque(tasks)
    if waiting:
        with _scheduler_may_go(client):
            _refuse_unfit(client, waiting[0])
    return _judged(client, waiting)


def _judged(client: Client, waiting: deque[Task]) -> Iterator[Record]:
    with _scheduler_may_go(client):
        suspects: deque[Task] = deque()
        for task, record in _judge(client, waiting, alone=False):
            if record:
                yield record
            else:
                suspects.append(task)
        for task, record in _judge(client, suspects, alone=True):
            yield record or failed(task, "each Dask worker that judged it ended.")


def _where(scheduler: str) -> dict[str, str]:
    if "://" in scheduler:
        return {"address": scheduler}
    if Path(scheduler).is_file():
        return {"scheduler_file": scheduler}
    if ":" in scheduler and os.sep not in scheduler:
        return {"address": scheduler}
    raise CourseError(
        f"{scheduler!r} is not where a Dask scheduler can be: give an address, as "
        "tcp://host:8786, or the file that `dask scheduler --scheduler-file` wrote."
    )


def _judge(
    client: Client, waiting: deque[Task], alone: bool
) -> Iterator[tuple[Task, Record | None]]:
    """Each task and its record; None where the workers that judged it ended."""
    running: dict[Future, Task] = {}
    try:
        while waiting or running:
            places = 1 if alone else _places(client)
            while waiting and len(running) < places:
                task = waiting.popleft()
                running[client.submit(_judge_here, task, _versions(task.assignment),
                                      pure=False)] = task  # fmt: skip
            for future in _finished(client, running):
                yield running.pop(future), _record(future)
    finally:
        client.cancel(list(running))


def _places(client: Client) -> int:
    """How many tasks to hand over: one for each thread, and one more to a worker."""
    threads = client.nthreads()
    return max(1, sum(threads.values()) + len(threads))


def _finished(client: Client, running: Iterable[Future]) -> list[Future]:
    """Those that are done, once there are any; stops where no worker is left."""
    seen = time.monotonic()
    while True:
        try:
            return list(wait(list(running), LOOK, "FIRST_COMPLETED").done)
        except TimeoutError:
            if client.nthreads():
                seen = time.monotonic()
        if time.monotonic() - seen > PATIENCE:
            raise CourseError(
                f"The Dask scheduler has had no worker for {PATIENCE:.0f} s. What was "
                "done is kept: start workers, and run the same command again."
            )


def _record(future: Future) -> Record | None:
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, KilledWorker):
        log.warning("Workers ended: %s", error)
        return None
    if isinstance(error, (CourseError, CommClosedError, CancelledError)):
        raise error
    raise CourseError(f"A Dask worker cannot run the grader: {error!r}") from error


def _judge_here(task: Task, versions: Versions) -> Record:
    """On a worker: judge, if this worker is fit to."""
    if why := _why_unfit(task, versions, get_worker()):
        raise CourseError(_unfit({f"the worker with process {os.getpid()}": why}))
    return judge_or_say_why(task)


def _refuse_unfit(client: Client, task: Task) -> None:
    """CourseError where a worker would not judge as this process would."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise CourseError(
            f"The Dask scheduler at {client.scheduler.address} has no workers. Start "
            f"some with `dask worker {client.scheduler.address} --nthreads 1`."
        ) from error
    found = client.run(
        _why_unfit, task, _versions(task.assignment), on_error="return"
    )
    there = client.nthreads()  # a worker that ended meanwhile is no trouble
    problems = {
        where: why
        for where, why in found.items()
        if why and where in there and not isinstance(why, CommClosedError)
    }
    if problems:
        raise CourseError(_unfit(problems))


def _why_unfit(task: Task, versions: Versions, dask_worker: Worker) -> str:
    """Why a worker cannot judge a task, or would judge another way.

    It runs there; where Dask runs it for us, `dask_worker` is Dask's to give.
    """
    if not is_current(task.course, task.run):
        return f"it does not see the course folder {task.course.folder}"
    for folder in (task.folder, task.course.exercises):
        if not os.path.lexists(folder):
            return f"it does not see {folder}"
    if _versions(task.assignment) != versions:
        return "it runs another version of the grader, or began before it was changed"
    if (threads := dask_worker.state.nthreads) > 1:
        # Two at once in one process disturb each other's times, and Python 3.11
        # cannot even parse in two threads (its issue 106905).
        return (
            f"it has {threads} threads: start it with --nthreads 1, and with "
            f"--nworkers {threads} for as many processes"
        )
    if task.sandbox == "bwrap":
        try:
            find_bwrap()
        except SandboxUnavailable as error:
            return f"it has no sandbox. {error}"
    return ""


def _versions(assignment: str) -> Versions:
    """Of the code that all assignments share, and of this assignment's.

    Both are kept for as long as the process runs, as the imported code is.
    """
    return grader_version(""), grader_version(assignment)


def _unfit(problems: dict[str, object]) -> str:
    lines = [f"  {where}: {_said(why)}" for where, why in sorted(problems.items())]
    return "\n".join(
        [
            "These Dask workers cannot judge for this course:",
            *lines,
            "Each needs this repository and the course folder under the same paths, as "
            "on a shared file system, with the same libraries installed. Put that "
            "right, start the workers again, and run the same command again.",
        ]
    )


def _said(why: object) -> str:
    if isinstance(why, BaseException):
        return f"it cannot run the grader: {type(why).__name__}: {why}"
    return str(why)


@contextmanager
def _scheduler_may_go(client: Client) -> Iterator[None]:
    """SchedulerLost in place of the errors that Dask has for it."""
    address = client.scheduler.address
    try:
        yield
    except (CancelledError, ClosedClientError, OSError) as error:
        raise SchedulerLost(
            f"The Dask scheduler at {address} has gone. What was done is kept: start "
            "it and its workers again, and run the same command again to go on."
        ) from error
