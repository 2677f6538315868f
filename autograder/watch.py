"""Watches a student's processes from outside, and ends them when they go too far.

Resource limits inside count each process alone, and do not count root's at
all; so all of a sandbox's processes are counted together from here.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from itertools import islice

import psutil

from autograder.room import Room, end_group

EVERY = 0.05  # seconds
AT_REST = 0.5  # seconds, at most, until a stopped process does stand still
KEPT = 20_000  # bytes of what the process prints past Python
GiB = 1 << 30


class Watch:
    """A thread beside a room's processes: counts, reads what they print, kills."""

    def __init__(self, room: Room, memory: int, processes: int) -> None:
        """memory: bytes of all its processes together."""
        self.room = room
        self.memory = memory
        self.processes = processes
        self.verdict: tuple[str, str] | None = None  # status, and a sentence
        self.printed = bytearray()  # the first KEPT bytes
        self.peak = 0  # bytes
        self._done = threading.Event()
        self._stopping = threading.Lock()  # whoever stops processes lets them go on
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """End every process of the tree, at once and for certain."""
        for one in reversed(list(self._tree())):
            with contextlib.suppress(psutil.Error):
                one.send_signal(signal.SIGKILL)
        end_group(self.room.process)

    def stop(self) -> None:
        self._done.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing of the tree runs meanwhile: what is timed here is undisturbed."""
        with self._stopping:
            self._signal(signal.SIGSTOP)
            deadline = time.monotonic() + AT_REST
            while self._running() and time.monotonic() < deadline:
                time.sleep(0.001)
            try:
                yield
            finally:
                self._signal(signal.SIGCONT)

    def _running(self) -> bool:
        with contextlib.suppress(psutil.Error):
            return any(one.status() == psutil.STATUS_RUNNING for one in self._tree())
        return False

    def _signal(self, number: signal.Signals) -> None:
        for one in self._tree():
            with contextlib.suppress(psutil.Error):
                one.send_signal(number)

    def _tree(self) -> Iterator[psutil.Process]:
        for top in self.room.tops:
            with contextlib.suppress(psutil.Error):
                yield from [top, *top.children(recursive=True)]

    def _seen(self) -> Iterator[psutil.Process]:
        """The same as `_tree`, for less: a process that ends may hide another.

        psutil reads about every process of the machine, which is too much to do
        twenty times a second.
        """
        pids = [top.pid for top in self.room.tops if top.is_running()]
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                yield psutil.Process(pid)
            pids += _children(pid)

    def _students(self) -> list[psutil.Process]:
        """One more than may be, at most: a fork bomb is faster than a whole list."""
        found = (one for one in self._seen() if one.pid not in self.room.ours)
        return list(islice(found, self.processes + 1))

    def _shares(self) -> tuple[list[psutil.Process], int]:
        """The processes and their own shares of memory, while they stand still.

        The kernel takes seconds to say what a process shares that goes on forking.
        """
        still: dict[int, psutil.Process] = {}
        with self._stopping:
            try:
                while new := [one for one in self._students() if one.pid not in still]:
                    for one in new:
                        with contextlib.suppress(psutil.Error):
                            one.send_signal(signal.SIGSTOP)
                    still |= {one.pid: one for one in new}
                    if len(still) > self.processes:
                        return list(still.values()), 0
                return list(still.values()), sum(map(_own_share, still.values()))
            finally:
                for one in still.values():
                    with contextlib.suppress(psutil.Error):
                        one.send_signal(signal.SIGCONT)

    def _run(self) -> None:
        pipe = self.room.output
        waiting = [pipe]
        ended = False
        while not self._done.is_set():
            ready, _, _ = select.select(waiting, [], [], EVERY)
            if ready:
                # A process that floods the pipe is read no faster than this.
                data = os.read(pipe.fileno(), 65536)
                self.printed += data[:KEPT - len(self.printed)]
                waiting = waiting if data else []
                self._done.wait(0.001)
            if not waiting:
                self._done.wait(EVERY)
            if self._done.is_set() or ended:
                continue
            ended = self.room.ended
            if ended:
                self.kill()  # or what is left might hold the connection open
            else:
                self._count()

    def _count(self) -> None:
        tree = self._students()
        memory = sum(map(_resident, tree))
        if memory > self.memory and len(tree) <= self.processes:
            tree, memory = self._shares()  # forks share most of it
        if len(tree) > self.processes:
            self.verdict = ("processes", f"It started more than {self.processes} "
                            "processes.")
            self.kill()
            return
        self.peak = max(self.peak, memory)
        if memory > self.memory:
            self.verdict = ("memory", "It used more than "
                            f"{self.memory / GiB:.3g} GiB of memory.")
        if self.verdict:
            self.kill()


def _children(pid: int) -> list[int]:
    """A process's children, by proc(5); psutil where there is no such file."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    except ProcessLookupError:
        return found
    except FileNotFoundError:
        with contextlib.suppress(psutil.Error):
            return [one.pid for one in psutil.Process(pid).children()]
    return found


def _resident(process: psutil.Process) -> int:
    """Bytes of memory that a process has, shared or not."""
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


def _own_share(process: psutil.Process) -> int:
    """Bytes of memory, those that n processes share counted as 1/n."""
    try:
        return process.memory_full_info().pss
    except (psutil.Error, OSError):
        return _resident(process)
