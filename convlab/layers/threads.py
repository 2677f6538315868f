"""How a layer's work is shared among the cores.

The batch is cut into parts, two for each thread, and each thread does all of the
work on a part before it takes the next one: nobody waits for anybody before the end,
and a thread that something else holds up leaves a part to another. These are Python
threads, which run side by side because kernels and matrix products
release the GIL. Unlike the threads of numba's parallel loops they may be used
from several threads at once and after a fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import ContextVar
from functools import cache
from itertools import count
from threading import Lock, get_native_id
from typing import Any

import numba
from threadpoolctl import LibController, ThreadpoolController

# Below this many numbers, handing work to another thread takes longer than
# doing it.
WORTH_SHARING = 1 << 15
PARTS = 2  # for each thread: more of them cost more than they even out
_most: ContextVar[int | None] = ContextVar("most", default=None)


@contextlib.contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Use no more threads than this, BLAS's included, as where there are fewer."""
    before = [(blas, blas.num_threads) for blas in _blas()]
    token = _most.set(threads)
    try:
        for blas, most in before:
            blas.set_num_threads(min(threads, most))
        yield
    finally:
        _most.reset(token)
        for blas, most in before:
            blas.set_num_threads(most)


def share(work: Callable, items: int, size: int, *args: Any) -> list[Any]:
    """What work(first, last, *args) returns for each part of all the items, in order.

    `size` is how many numbers are touched in all: a small job stays in one
    part, in the calling thread. NUMBA_NUM_THREADS, which numba reads as it
    starts, sets how many threads there are, and `at_most` lowers that.
    """
    threads = min(_most.get() or items, numba.config.NUMBA_NUM_THREADS, items)
    if threads <= 1 or size < WORTH_SHARING:
        return [work(0, items, *args)]
    parts = min(PARTS * threads, items)
    ends = [items * part // parts for part in range(parts + 1)]
    results, following = [None] * parts, count()

    def take_parts() -> None:
        # next() of a count is one step under the GIL: no part is taken twice.
        while (part := next(following)) < parts:
            results[part] = work(ends[part], ends[part + 1], *args)

    with _one_blas_thread:
        cores = _keep_apart()
        helpers = [_pool().submit(_elsewhere, cores, take_parts)
                   for _ in range(threads - 1)]
        try:
            take_parts()
        finally:  # nothing is left at work on the arrays after an error
            wait(helpers)
        for helper in helpers:
            helper.result()
    return results


# A thread that wakes another one is often given it to its own core, where the other
# waits for milliseconds while a second core does nothing, until the system moves it.
# So before they are woken, our helpers are kept off this core, and once they run, they
# may go where they like: only where they begin is decided.


def _keep_apart() -> set[int]:
    """Keep the helpers off the core that this runs on; the cores there are."""
    if _current_core is None:
        return set()
    cores = os.sched_getaffinity(0)
    others = cores - {_current_core()}
    for helper in _pool().ids if others else ():
        with contextlib.suppress(OSError):
            os.sched_setaffinity(helper, others)
    return cores


def _elsewhere(cores: set[int], work: Callable[[], None]) -> None:
    """Work done by a helper that may use these cores from now on."""
    if cores:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores)
    work()


def _find_current_core() -> Callable[[], int] | None:
    """sched_getcpu(3), where there is one and threads can be kept on cores."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


_current_core = _find_current_core()


class _OneBlasThread:
    """While anyone is inside, BLAS starts no threads of its own.

    Each of our threads multiplies its own matrices; with BLAS's threads on
    top, there would be more of them than cores, each waiting for the others.
    """

    def __init__(self) -> None:
        self.lock, self.inside, self.before = Lock(), 0, []

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.before = [(blas, blas.num_threads) for blas in _blas()]
                for blas, _ in self.before:
                    blas.set_num_threads(1)
            self.inside += 1

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                for blas, threads in self.before:
                    blas.set_num_threads(threads)


_one_blas_thread = _OneBlasThread()


@cache
def _blas() -> list[LibController]:
    return ThreadpoolController().select(user_api="blas").lib_controllers


class _Pool(ThreadPoolExecutor):
    """The helpers, and the numbers by which the system knows them."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        super().__init__(numba.config.NUMBA_NUM_THREADS, thread_name_prefix="convlab",
                         initializer=lambda: self.ids.append(get_native_id()))


@cache
def _pool() -> _Pool:
    return _Pool()


def _start_anew() -> None:
    """In a forked child, where the parent's threads do not live on."""
    _pool.cache_clear()
    _one_blas_thread.__init__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
