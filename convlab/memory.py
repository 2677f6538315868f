"""How a training process keeps the memory that it frees."""

from __future__ import annotations

import ctypes

# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = 2**31 - 1  # bytes; the largest number that mallopt takes


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, from now on; whether it can.

    A training step makes arrays of some hundred megabytes, and frees them. The C
    library gives such large ones back to the system, which has to clear each page when
    the next step asks for it: 5 to 12% of a step in batches of 500. For a process
    that trains and ends; only where the C library is glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, NEVER))
