"""The machine: what it is, and how fast it multiplies and copies at best."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info
from tqdm import tqdm

from benchmarks import pytorch
from benchmarks.tables import MISSING, title
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
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "versions": {**versions(), "scipy": version("scipy"), "torch":
                     pytorch.torch.__version__ if pytorch.torch else None},
        "blas": _blas(), "gflops": gflops, "bandwidth": bandwidth}


def _product(size: int, threads: int, bar: tqdm) -> float:
    """GFLOP/s of a size x size product, the best of a few."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, size, size), np.float32)
    out = np.empty_like(a)
    with at_most(threads):
        best = min(_seconds(lambda: np.dot(a, b, out=out)) for _ in range(TRIES + 1))
    bar.update()
    return 2 * size ** 3 / best / 1e9


def _copy(size: int, threads: int, bar: tqdm) -> float:
    """GB/s read and written, all threads copying their parts of an array at once."""
    parts = [(np.ones(size // threads, np.uint8), np.zeros(size // threads, np.uint8))
             for _ in range(threads)]

    def copy() -> None:
        list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))

    with ThreadPoolExecutor(threads) as pool:
        best = min(_seconds(copy) for _ in range(TRIES + 1))
    bar.update()
    return 2 * sum(part[0].size for part in parts) / best / 1e9


def _seconds(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _blas() -> list[str]:
    return sorted({f"{one['internal_api']} {one['version']} ({one['architecture']})"
                   if one.get("architecture") else f"{one['internal_api']} "
                   f"{one['version']}" for one in threadpool_info()
                   if one["user_api"] == "blas"})


def lines(found: Mapping[str, Any]) -> list[str]:
    """A table of one fact a line."""
    facts = [("processor", found["processor"]), ("threads", str(found["threads"]))]
    if found["load"]:
        facts.append(("load before", f"{found['load'][0]:.1f} processes at work in the "
                                     "minute before"))
    facts += [(name, value or MISSING) for name, value in found["versions"].items()]
    facts.append(("BLAS", ", ".join(found["blas"])))
    facts += [(f"peak, {name} thread{'s' * (name == 'all')}",
               f"{value:.1f} GFLOP/s (float32 matrix product, best size)")
              for name, value in found["gflops"].items()]
    facts.append(("memory", f"{found['bandwidth']:.1f} GB/s (copy, read and written)"))
    width = max(len(name) for name, _ in facts)
    return [*title("Machine")[1:], *(f"{name:<{width}}  {value}"
                                     for name, value in facts)]
