"""How the kernels are compiled, and how their work is shared among the cores.

A kernel here is a loop over `first <= item < last` in which every item writes
its own part of the result. So the items can be done in any order and by any
thread, and the numbers do not depend on how many threads there are. Kernels
release the GIL, so ordinary Python threads run them at the same time. Unlike
numba's own parallel loops, these threads may be used from several threads at
once and after a fork, and they do not compete with the matrix products of
numpy's BLAS, which run between kernels and never inside one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numba

# Below this many numbers, handing work to another thread takes longer than
# doing it.
WORTH_SHARING = 1 << 15


def compiled(kernel: Callable) -> Callable:
    """The kernel, compiled on its first call and kept on disk for the next run.

    Where no folder can be written (a read-only sandbox without a home), it is
    compiled in memory, once a process.
    """
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(kernel)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(**options)(kernel)


def share(kernel: Callable, items: int, size: int, *args: Any) -> None:
    """Run kernel(first, last, *args) over all items, on all cores.

    `size` is how many numbers are touched in all; a small job stays in the
    calling thread. NUMBA_NUM_THREADS, read by numba as it starts, sets how
    many threads there are.
    """
    parts = min(numba.config.NUMBA_NUM_THREADS, items)
    if parts <= 1 or size < WORTH_SHARING:
        kernel(0, items, *args)
        return
    ends = [items * part // parts for part in range(parts + 1)]
    helpers = [_pool().submit(kernel, first, last, *args)
               for first, last in pairwise(ends[1:])]
    kernel(ends[0], ends[1], *args)
    for helper in helpers:
        helper.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        numba.config.NUMBA_NUM_THREADS, thread_name_prefix="convlab")


# Threads do not live on in a forked child: it starts its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
