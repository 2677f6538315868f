"""What a recorded run names beside its data and seed: machine and versions."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numba
import numpy as np


def machine() -> str:
    """The processor, and how many of its cores this process may use."""
    cores = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
             else os.cpu_count())
    return f"{_processor()}, {cores} core" + "s" * (cores != 1)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of Python, and of the two packages that the layers are made with."""
    return {"python": platform.python_version(), "numpy": np.__version__,
            "numba": numba.__version__}
