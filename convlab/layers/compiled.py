"""How the layers' kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba


def compiled(kernel: Callable | None = None, **options: Any) -> Callable:
    """The kernel, compiled on its first call and kept on disk for the next run.

    Where no folder can be written (a read-only sandbox without a home), it is
    compiled in memory, once a process. A kernel releases the GIL, so that
    several threads can run it at once. `options` are further ones of numba's:
    `@compiled` or `@compiled(fastmath=...)`.
    """
    if kernel is None:
        return partial(compiled, **options)
    options = {"nogil": True, "error_model": "numpy", **options}
    try:
        return numba.njit(cache=True, **options)(kernel)
    except RuntimeError:  # numba: "cannot cache function: no locator available"
        return numba.njit(**options)(kernel)
