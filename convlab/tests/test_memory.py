"""Freed memory stays with a process that asks for it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Pages that the system had to give while the same large array was made again.
PROGRAM = """
import resource
import numpy as np
from convlab.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if {keep}:
    assert keep_freed_memory()
np.ones(10_000_000)
before = faults()
for _ in range(5):
    np.ones(10_000_000)
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_a_large_array_is_made_where_the_last_one_was():
    asked, not_asked = (
        int(subprocess.run([sys.executable, "-c", PROGRAM.format(keep=keep)],
                           capture_output=True, text=True, check=True).stdout)
        for keep in (True, False))
    assert asked < 20 < not_asked
