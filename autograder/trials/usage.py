"""What a tree of processes uses while it runs: processor time and memory.

Processes that student code runs in come and go, and their times are nobody's to
collect afterwards. So the tree is looked at several times a second; of each
process, what it had used when last seen counts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field

import psutil

EVERY = 0.1  # seconds between two looks at times
MEMORY_EVERY = 10  # looks between two at memory, which takes longer
MiB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """Memory in MiB at one moment; what processes share is counted once."""

    seconds: float
    trusted: float
    students: float

    @property
    def together(self) -> float:
        return self.trusted + self.students


@dataclass
class Usage:
    """Of all processes below this one."""

    samples: list[Sample] = field(default_factory=list)
    cpu: dict[int, float] = field(default_factory=dict)  # seconds, by depth
    seconds: float = 0.0
    machine: float = 0.0  # share of the machine's processor time that anyone used


class Watched:
    """Looks at what runs below this process, from `with` until its end.

    Processes deeper than `trusted` (1 for a child) are students'.
    """

    def __init__(self, trusted: int) -> None:
        self.usage = Usage()
        self._trusted = trusted
        self._me = psutil.Process()
        self._depth: dict[psutil.Process, int] = {}
        self._cpu: dict[psutil.Process, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Usage:
        self._began = time.monotonic()
        psutil.cpu_percent()  # from here on
        self._thread.start()
        return self.usage

    def __exit__(self, *_: object) -> None:
        self.usage.seconds = time.monotonic() - self._began
        self.usage.machine = psutil.cpu_percent() / 100
        self._done.set()
        self._thread.join()
        for process, used in self._cpu.items():
            depth = self._depth[process]
            self.usage.cpu[depth] = self.usage.cpu.get(depth, 0.0) + used

    def _run(self) -> None:
        looks = 0
        while not self._done.wait(EVERY):
            there = self._me.children(recursive=True)
            for process in there:
                with contextlib.suppress(psutil.Error):
                    self._note_times(process)
            if looks % MEMORY_EVERY == 0:
                self._note_memory(there)
            looks += 1

    def _note_times(self, process: psutil.Process) -> None:
        if process not in self._depth:
            parents = [one.pid for one in process.parents()]
            self._depth[process] = parents.index(self._me.pid) + 1
        times = process.cpu_times()
        self._cpu[process] = times.user + times.system

    def _note_memory(self, there: list[psutil.Process]) -> None:
        elapsed = time.monotonic() - self._began
        memory = {True: 0.0, False: 0.0}
        for process in there:
            with contextlib.suppress(psutil.Error, OSError, KeyError):
                trusted = self._depth[process] <= self._trusted
                memory[trusted] += process.memory_full_info().pss / MiB
        self.usage.samples.append(Sample(elapsed, memory[True], memory[False]))


def growth(samples: list[Sample]) -> float:
    """MiB a minute by which the trusted processes grew in the second half."""
    later = samples[len(samples) // 2:]
    if len(later) < 2:
        return 0.0
    middle = sum(one.seconds for one in later) / len(later)
    mean = sum(one.trusted for one in later) / len(later)
    spread = sum((one.seconds - middle) ** 2 for one in later)
    slope = sum((one.seconds - middle) * (one.trusted - mean) for one in later) / spread
    return 60 * slope
