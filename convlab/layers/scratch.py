"""Work arrays that are kept from one call to the next.

Asking the system for memory costs more than filling it: each page of a new
array is a trap into the kernel on its first touch. A thread keeps the largest
array that it has used under a name, so that memory is bounded by the largest
layer, and the next call finds it in place.
"""

from __future__ import annotations

import math
import threading

import numpy as np

CACHE_LINE = 64  # bytes, and the longest vector of today's processors
_kept = threading.local()


def work_array(name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array of this thread's own, with whatever the last call left in it.

    It is good until this thread asks for `name` again.
    """
    size = math.prod(shape)
    key = name, np.dtype(dtype)
    kept = _kept.__dict__.get(key)
    if kept is None or kept.size < size:
        kept = _kept.__dict__[key] = aligned((size,), dtype)
    return kept[:size].reshape(shape)


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array that begins where a line of the cache begins.

    A vector that lies across two lines takes two loads.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    room = np.empty(size + CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % CACHE_LINE
    return room[begin:begin + size].view(dtype).reshape(shape)
