"""Judging many submissions at once, in processes that may die.

A worker that is killed takes nothing with it: its submission is tried again in
a fresh worker, and after a few tries it is quarantined, so that one submission
cannot stop the others. When the grader itself is killed, its workers end too.
"""

from __future__ import annotations

import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from autograder.course import CourseError
from autograder.judging import Task, failed, judge_or_say_why
from autograder.record import Record

TRIES = 3
PAUSE = 1.0  # seconds until what has just been killed is known to have ended
AHEAD = 1  # tasks that lie ready, so that no worker waits for the gradebook
# Imported once, in a process that workers are forked from.
PRELOAD = ["autograder.judging"]
log = logging.getLogger(__name__)


class NotStarted(Exception):
    """A worker could not be started: what it is forked from has ended."""


def default_workers() -> int:
    """One for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1
    )


def judge_all(tasks: Iterable[Task], workers: int) -> Iterator[Record]:
    """The records of all tasks, as they are finished.

    `workers` processes judge at the same time; 0 judges in this process.
    Raises SandboxUnavailable, and CourseError where no process can be started;
    any other fault costs its own submission.
    """
    if workers == 0:
        for task in tasks:
            yield judge_or_say_why(task)
        return
    waiting = deque((task, 1) for task in tasks)
    suspects: deque[tuple[Task, int]] = deque()
    failures = 0
    while waiting or suspects:
        # What was being judged when a worker died is tried again alone, so that
        # only the submission that kills workers uses up its tries.
        if suspects:
            judged = _judge_until_broken(suspects, 1, 0, suspects)
        else:
            most = min(workers, len(waiting))
            judged = _judge_until_broken(waiting, most, AHEAD, suspects)
        try:
            for record in judged:
                failures = 0
                yield record
        except NotStarted as error:
            failures += 1
            if failures == TRIES:
                raise CourseError(
                    f"No process can be started to judge in ({error}). What was done "
                    "is kept: run the same command again to go on."
                ) from error
            time.sleep(PAUSE)


def _judge_until_broken(
    waiting: deque[tuple[Task, int]],
    workers: int,
    ahead: int,
    suspects: deque[tuple[Task, int]],
) -> Iterator[Record]:
    """Judge what waits; when a worker dies, hand over what was being judged."""
    running: dict[Future[Record], tuple[Task, int]] = {}
    pool = _pool(workers)
    try:
        while waiting or running:
            while waiting and len(running) < workers + ahead:
                # Taken from the queue only once the pool has it: it may be broken.
                running[_submitted(pool, waiting[0][0])] = waiting[0]
                waiting.popleft()
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=_is_broken):
                record = future.result()
                del running[future]
                yield record
    except NotStarted:
        for child in multiprocessing.active_children():
            child.kill()  # or they would go on, beside those that come next
        suspects.extend(running.values())
        raise
    except BrokenProcessPool:
        for task, tries in running.values():
            log.warning("A worker ended while it judged %s (try %d)", task, tries)
            if tries < TRIES:
                suspects.append((task, tries + 1))
            else:
                yield failed(task, f"the judging process ended {TRIES} times.")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, task: Task) -> Future[Record]:
    """The pool starts its processes as it is given work. Raises NotStarted."""
    try:
        return pool.submit(judge_or_say_why, task)
    except (EOFError, OSError) as error:
        raise NotStarted(f"{type(error).__name__} {error}".strip()) from error


def _is_broken(done: Future[Record]) -> bool:
    return isinstance(done.exception(), BrokenProcessPool)


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    try:
        return ProcessPoolExecutor(workers, context, _end_with_the_grader)
    except OSError as error:
        raise NotStarted(str(error)) from error


def _end_with_the_grader() -> None:
    """A worker waits for work on a pipe that its own end keeps open for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    signal.signal(signal.SIGINT, lambda *_: os._exit(1))
    threading.Thread(target=watch, daemon=True).start()
