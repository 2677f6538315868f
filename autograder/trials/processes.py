"""The processes of a grader and of a Dask cluster: found, ended, cleared away."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from autograder.sandbox import PROBE

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
GONE_SECONDS = 10.0  # for processes to end whose parent has
UP_SECONDS = 120.0  # for a scheduler or a worker to start, on a busy machine


@contextlib.contextmanager
def orphans_adopted() -> Iterator[None]:
    """Meanwhile, whoever outlives its parent becomes a child of this process."""
    _adopt(1)
    try:
        yield
    finally:
        _adopt(0)


def _adopt(orphans: int) -> None:
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, orphans, 0, 0, 0):
        raise OSError("prctl(PR_SET_CHILD_SUBREAPER) failed: this needs Linux")


def children() -> set[int]:
    """The process ids of this process's children."""
    return {child.pid for child in psutil.Process().children()}


def left_over(kept: set[int]) -> list[psutil.Process]:
    """What still runs below this process, but for `kept` and what is below them.

    Given time to end, and reaped.
    """
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        found = []
        for child in psutil.Process().children():
            if child.pid not in kept and not _reaped(child):
                found += [child, *below(child)]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def described(process: psutil.Process) -> str:
    """Its name, and how its command ends."""
    with contextlib.suppress(psutil.Error):
        return f"{process.name()} ... {' '.join(process.cmdline())[-60:]}"
    return "a process that has ended"


def below(process: psutil.Process) -> list[psutil.Process]:
    """Its children, their children, and so on."""
    with contextlib.suppress(psutil.Error):
        return process.children(recursive=True)
    return []


def _reaped(child: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, ChildProcessError):
        if child.status() == psutil.STATUS_ZOMBIE:
            os.waitpid(child.pid, os.WNOHANG)
            return True
        return False
    return True


class Grader:
    """A running `python -m autograder …`."""

    def __init__(self, command: list[str], environment: Mapping[str, str],
                 log: Path) -> None:  # fmt: skip
        with open(log, "ab") as file:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, cwd=log.parent)  # fmt: skip
        self.top = psutil.Process(self.process.pid)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def victims(self, kind: str) -> list[psutil.Process]:
        """What can be ended now: the "grader", a "worker", a "student" process.

        A worker, or one of the two that make workers; a student's, or one of those
        that keep its sandbox. A "judge" is a worker with a student's process.
        """
        if kind == "grader":
            return [self.top]
        helpers = [one for one in _children(self.top) if _makes_workers(one)]
        workers = [child for helper in helpers for child in _children(helper)]
        return helpers + workers if kind == "worker" else _judging(workers, kind)


class Cluster:
    """A `dask scheduler` and `dask worker`s, as separate processes."""

    def __init__(self, environment: Mapping[str, str], folder: Path,
                 workers: int = 2) -> None:  # fmt: skip
        self.environment = {**environment, "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED":
                            "warning"}  # fmt: skip
        self.folder = folder
        self.count = workers
        self.address = ""
        self.scheduler: subprocess.Popen | None = None
        self.workers: list[subprocess.Popen] = []

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pids(self) -> set[int]:
        return {one.pid for one in (self.scheduler, *self.workers) if one}

    @property
    def lost_its_scheduler(self) -> bool:
        return self.scheduler is not None and self.scheduler.poll() is not None

    def start(self) -> None:
        """Start it; what still runs of an earlier one is ended first."""
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._dask(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file))  # fmt: skip
        self.address = self._address(file)
        for _ in range(self.count):
            self.start_worker()

    def start_worker(self, **environment: str) -> subprocess.Popen:
        """One more; `environment` is for it alone."""
        worker = self._dask(
            "worker", self.address, "--nthreads", "1", "--no-dashboard",
            "--local-directory", str(self.folder), **environment)  # fmt: skip
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        for one in (*self.workers, self.scheduler):
            if one and one.poll() is None:
                end([*below(psutil.Process(one.pid)), psutil.Process(one.pid)])
            if one:
                one.wait()
        self.scheduler, self.workers = None, []

    def victims(self, kind: str) -> list[psutil.Process]:
        """What can be ended now: the "scheduler", a "worker", a "student" process.

        `dask worker` is a nanny, which starts the worker again: either may go.
        """
        if kind == "scheduler":
            return [psutil.Process(self.scheduler.pid)]
        nannies = [psutil.Process(one.pid) for one in self.workers if not one.poll()]
        workers = [child for nanny in nannies for child in _children(nanny)]
        return nannies + workers if kind == "worker" else _judging(workers, kind)

    def _dask(self, *words: str, **environment: str) -> subprocess.Popen:
        with open(self.folder / "dask.log", "ab") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *words], stdin=subprocess.DEVNULL,
                env={**self.environment, **environment}, cwd=self.folder,
                stdout=file, stderr=subprocess.STDOUT)  # fmt: skip

    def _address(self, file: Path) -> str:
        deadline = time.monotonic() + UP_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if found := re.search(r'"address": "([^"]+)"', file.read_text()):
                    return found[1]
            time.sleep(0.05)
        raise TimeoutError(f"no scheduler in {UP_SECONDS:.0f} s: see {self.folder}")


def _judging(workers: list[psutil.Process], kind: str) -> list[psutil.Process]:
    """Those that have a student's process ("judge"), or else such processes."""
    below_each = [[one for one in below(worker) if not _is_probe(one)]
                  for worker in workers]  # fmt: skip
    if kind == "judge":
        return [worker for worker, found in zip(workers, below_each, strict=True)
                if found]  # fmt: skip
    return [one for found in below_each for one in found]


def _is_probe(process: psutil.Process) -> bool:
    """Whether it only tries if there can be a sandbox: no student is ever there."""
    with contextlib.suppress(psutil.Error):
        return PROBE in process.cmdline()
    return False


def _makes_workers(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any("multiprocessing" in word for word in process.cmdline())
    return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.children()
    return []


def kill_one(victims: list[psutil.Process], draw: random.Random) -> bool:
    """End one of them, for certain; whether there was one."""
    if not victims:
        return False
    try:
        draw.choice(sorted(victims, key=lambda one: one.pid)).send_signal(
            signal.SIGKILL)  # fmt: skip
    except psutil.Error:
        return False
    return True
