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
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from autograder.judging import Task, failed, judge_submission
from autograder.record import Record
from autograder.sandbox import SandboxUnavailable

TRIES = 3
log = logging.getLogger(__name__)


def default_workers() -> int:
    """One for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (
        os.cpu_count() or 1
    )


def judge_all(tasks: Iterable[Task], workers: int) -> Iterator[Record]:
    """The records of all tasks, as they are finished.

    `workers` processes judge at the same time; 0 judges in this process.
    Raises SandboxUnavailable; any other fault costs its own submission.
    """
    if workers == 0:
        for task in tasks:
            yield _judge_or_say_why(task)
        return
    waiting = deque((task, 1) for task in tasks)
    suspects: deque[tuple[Task, int]] = deque()
    while waiting or suspects:
        # What was being judged when a worker died is tried again alone, so that
        # only the submission that kills workers uses up its tries.
        if suspects:
            yield from _judge_until_broken(suspects, 1, suspects)
        else:
            yield from _judge_until_broken(
                waiting, min(workers, len(waiting)), suspects
            )


def _judge_until_broken(
    waiting: deque[tuple[Task, int]],
    workers: int,
    suspects: deque[tuple[Task, int]],
) -> Iterator[Record]:
    """Judge what waits; when a worker dies, hand over what was being judged."""
    running: dict[Future[Record], tuple[Task, int]] = {}
    pool = _pool(workers)
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                task, tries = waiting.popleft()
                running[pool.submit(_judge_or_say_why, task)] = (task, tries)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                record = future.result()
                del running[future]
                yield record
    except BrokenProcessPool:
        for task, tries in running.values():
            log.warning("A worker ended while it judged %s (try %d)", task, tries)
            if tries < TRIES:
                suspects.append((task, tries + 1))
            else:
                yield failed(task, f"the judging process ended {TRIES} times.")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_the_grader,
    )


def _end_with_the_grader() -> None:
    """A worker waits for work on a pipe that its own end keeps open for ever."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _judge_or_say_why(task: Task) -> Record:
    try:
        return judge_submission(task)
    except SandboxUnavailable:
        raise
    except Exception as error:
        log.exception("Judging %s failed", task)
        return failed(task, f"{type(error).__name__}: {error}.")
