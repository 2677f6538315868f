"""A student's process and what belongs to it, as the grader's side holds it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

import psutil

LOOK = 0.01  # seconds between two looks at whether a process has ended


class NoRoom(RuntimeError):
    """A student's process did not come to be behind its walls."""


def has_ended(process: subprocess.Popen) -> bool:
    """Whether it has. Until it is waited for, its number stays its own."""
    if process.returncode is not None:
        return True
    with contextlib.suppress(ChildProcessError):  # whoever waited for it said so
        return os.waitid(os.P_PID, process.pid,
                         os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return True


def end_group(process: subprocess.Popen) -> None:
    """End it and all of its process group, which must have been made for it.

    A bubblewrap that is killed while it makes its sandbox leaves another, which
    waits for it and does not end with it: that one is still in the group.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()


class Room:
    """A process that was started in its sandbox, and the folder of mode "limits"."""

    warm = False  # whether it was forked from a process that had imported it all

    def __init__(self, process: subprocess.Popen, output: IO[bytes],
                 folder: Path | None = None) -> None:
        self.process = process  # bubblewrap, or without it the server itself
        self.output = output  # what is printed past Python
        self.folder = folder
        self.tops = [psutil.Process(process.pid)]
        self.ours: frozenset[int] = frozenset()  # those that run no student code

    @property
    def ended(self) -> bool:
        """Whether a process has ended without which nothing here should go on."""
        return has_ended(self.process)

    def check_walls(self) -> None:
        """Raises NoRoom where something is not as bubblewrap makes it.

        What bubblewrap starts ends with it, from the moment that it is started: a
        bubblewrap that ended before that is known to have by now.
        """
        if self.ended:
            raise NoRoom("It ended when it had just begun.")

    def exit_status(self, seconds: float) -> int | None:
        """As Popen has it, or None where it runs for longer than that."""
        deadline = time.monotonic() + seconds
        while not has_ended(self.process):
            if time.monotonic() > deadline:
                return None
            time.sleep(LOOK)
        end_group(self.process)
        return self.process.wait()

    def clear(self) -> None:
        """Remove what is left once its processes have been killed."""
        end_group(self.process)
        self.process.wait()
        self.output.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
