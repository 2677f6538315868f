"""How long the compiler keeps one waiting: first calls, with and without its cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from benchmarks.tables import table, title

PROCESSES = ("empty cache", "second process")


def measure() -> dict[str, dict[str, float]]:
    """Seconds by layer of each process; the second one finds the first one's cache."""
    with tempfile.TemporaryDirectory(prefix="numba-") as cache:
        return {name: _first_calls(cache)
                for name in tqdm(PROCESSES, unit="process", desc="compiling")}


def _first_calls(cache: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_calls"], check=True, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        env={**os.environ, "NUMBA_CACHE_DIR": cache,
             "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    return json.loads(done.stdout)


def lines(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    names = list(next(iter(found.values())))
    rows = [(name, *(f"{seconds[name]:.2f}" for seconds in found.values()))
            for name in names]
    rows.append(("in all", *(f"{sum(seconds.values()):.2f}"
                             for seconds in found.values())))
    return [*title("Seconds of the first call, forward and backward"),
            "In a fresh process, float32. What kernels share is compiled by the first "
            "that needs it.", "", *table(("layer", *found), rows)]
