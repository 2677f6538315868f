"""A student's process and what belongs to it, as the grader's side holds it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import IO

import psutil


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

    def check_walls(self) -> None:
        """A room made by bubblewrap alone is as bubblewrap made it."""

    def exit_status(self, seconds: float) -> int | None:
        """As Popen has it, or None where it runs for longer than that."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def clear(self) -> None:
        """Remove what is left once its processes have been killed."""
        self.process.wait()
        self.output.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
