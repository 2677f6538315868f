"""The machine: what it is, and how fast it multiplies and copies at best."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
import psutil
from threadpoolctl import threadpool_info
from tqdm import tqdm

from benchmarks import pytorch
from benchmarks.tables import MISSING, title
from benchmarks.timing import seconds_of
from convlab.layers.threads import at_most
from convlab.machine import machine, versions

SIZES = (512, 768, 1024, 1536, 2048)  # of the matrices: their products' best counts
COPIED = 1 << 28  # bytes, well beyond any cache
TRIES = 5


def measure(threads: int, sizes: Sequence[int] = SIZES, copied: int = COPIED
            ) -> dict[str, Any]:
    """Processor, versions, GFLOP/s of a float32 product, GB/s of a copy."""
    counts = {"one": 1, "all": threads}
    with tqdm(total=1 + len(counts) * len(sizes), unit="size", desc="machine") as bar:
        gflops = {name: max(_product(size, count, bar) for size in sizes)
                  for name, count in counts.items()}
        bandwidth = _copy(copied, threads, bar)
    return {
        "processor": machine(), "threads": threads,
        "versions": {**versions(), "scipy": version("scipy"), "torch":
                     pytorch.torch.__version__ if pytorch.torch else None},
        "waiting": os.environ.get("OMP_WAIT_POLICY"), "blas": _blas(), "gflops": gflops,
        "bandwidth": bandwidth}


class Others:
    """Processor time that went elsewhere, from `with` until its end.

    `share` is the part of all processors' time that was used, by other processes or
    by other machines on the same processor, and not by this process or what it ran.
    """

    def __init__(self) -> None:
        self.share = 0.0

    def __enter__(self) -> Others:
        self._before = _processor_times()
        return self

    def __exit__(self, *error: object) -> None:
        ours, used, whole = (after - before for after, before in zip(
            _processor_times(), self._before, strict=True))
        self.share = max(0.0, used - ours) / whole if whole > 0 else 0.0


def _processor_times() -> tuple[float, float, float]:
    """Seconds of this process and its children, of all, and with idle ones."""
    machine, mine = psutil.cpu_times(), psutil.Process().cpu_times()
    whole = sum(machine) - getattr(machine, "guest", 0.0)  # which counts as user
    idle = machine.idle + getattr(machine, "iowait", 0.0)
    ours = sum(getattr(mine, name, 0.0) for name in
               ("user", "system", "children_user", "children_system"))
    return ours, whole - idle, whole


def _product(size: int, threads: int, bar: tqdm) -> float:
    """GFLOP/s of a size x size product, the best of a few."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, size, size), np.float32)
    out = np.empty_like(a)
    with at_most(threads):
        best = min(seconds_of(lambda: np.dot(a, b, out=out)) for _ in range(TRIES + 1))
    bar.update()
    return 2 * size ** 3 / best / 1e9


def _copy(size: int, threads: int, bar: tqdm) -> float:
    """GB/s read and written, all threads copying their parts of an array at once."""
    parts = [(np.ones(size // threads, np.uint8), np.zeros(size // threads, np.uint8))
             for _ in range(threads)]

    def copy() -> None:
        list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))

    with ThreadPoolExecutor(threads) as pool:
        best = min(seconds_of(copy) for _ in range(TRIES + 1))
    bar.update()
    return 2 * sum(part[0].size for part in parts) / best / 1e9


def _blas() -> list[str]:
    return sorted({f"{one['internal_api']} {one['version']} ({one['architecture']})"
                   if one.get("architecture") else f"{one['internal_api']} "
                   f"{one['version']}" for one in threadpool_info()
                   if one["user_api"] == "blas"})


def lines(found: Mapping[str, Any]) -> list[str]:
    """A table of one fact a line."""
    facts = [("processor", found["processor"]), ("threads", str(found["threads"]))]
    facts += [(name, value or MISSING) for name, value in found["versions"].items()]
    facts += [("BLAS", ", ".join(found["blas"])),
              ("OMP_WAIT_POLICY", found["waiting"] or "not set")]
    facts += [(f"peak, {name} thread{'s' * (name == 'all')}",
               f"{value:.1f} GFLOP/s (float32 matrix product, best size)")
              for name, value in found["gflops"].items()]
    facts.append(("memory", f"{found['bandwidth']:.1f} GB/s (copy, read and written)"))
    width = max(len(name) for name, _ in facts)
    return [*title("Machine")[1:], *(f"{name:<{width}}  {value}"
                                     for name, value in facts)]
