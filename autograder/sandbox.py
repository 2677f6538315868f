"""The walls around a student's process: what it sees, and how much it may use."""

from __future__ import annotations

import os
from dataclasses import dataclass

MiB = 1 << 20
GiB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """How much a submission may use. Sizes in bytes, times in seconds."""

    memory: int = 2 * GiB  # of all its processes together
    processes: int = 64
    file_bytes: int = 256 * MiB  # of one file
    scratch_bytes: int = 512 * MiB  # of all files it writes
    output_bytes: int = 2 * MiB  # printed or drawn by one cell
    reply_bytes: int = 64 * MiB  # of what one call returns
    start_seconds: float = 60.0  # to start Python and its libraries
    cell_seconds: float = 60.0
    first_call_seconds: float = 30.0  # more for a first call: numba compiles
    total_seconds: float = 600.0  # for the whole submission
    restarts: int = 12
    threads: int = min(os.cpu_count() or 1, 4)


class SandboxUnavailable(RuntimeError):
    """No sandbox can be made here. The message says what to do."""
