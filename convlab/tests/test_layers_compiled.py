"""Compiled kernels are kept on disk, and work where they can't be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convlab


def run(code: str, **environment: str) -> str:
    """What a fresh Python prints, with these variables added to its own.

    -P keeps this folder's own convlab out of its way.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the layers in a folder of its own, without anything cached."""
    source = Path(convlab.__file__).parent
    copy = tmp_path / "convlab"
    shutil.copytree(source / "layers", copy / "layers",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "arithmetic.py"):
        shutil.copy(source / name, copy)
    return tmp_path


CALL_RELU = """
import numpy as np
from convlab.layers import activation
print(activation.relu_forward(np.array([-1.0, 2.0])).tolist(), activation.__file__)
print(sum(activation._relu.stats.cache_hits.values()), "from the cache")
"""


def test_the_second_run_compiles_nothing(package):
    for hits in (0, 1):
        printed = run(CALL_RELU, PYTHONPATH=str(package))
        assert printed.startswith(f"[0.0, 2.0] {package}")
        assert f"{hits} from the cache" in printed


CONVOLVE = """
import numpy as np
from convlab.layers import conv2d_backward, conv2d_forward
for size, depth in ((3, 3), (3, 16), (5, 16)):
    x, w = np.ones((9, 12, 12, depth), "f4"), np.ones((16, size, size, depth), "f4")
    y = conv2d_forward(x, w, np.zeros(16, "f4"), pad=1)
    conv2d_backward(y, x, w, pad=1)
"""


def test_kernels_that_are_made_for_a_shape_are_found_again_too(package):
    """numba keeps them by what they refer to, which may differ in each process."""
    def kept() -> list[str]:
        return sorted(path.name for path in package.rglob("*.nbc"))

    run(CONVOLVE, PYTHONPATH=str(package))
    once = kept()
    assert len(once) > 10
    run(CONVOLVE, PYTHONPATH=str(package))
    assert kept() == once


def test_layers_work_where_nothing_can_be_cached(package):
    # A file where a folder is wanted stops even root from making one.
    (package / "convlab/layers/__pycache__").write_text("")
    nowhere = str(package / "convlab/layers/__pycache__/x")
    printed = run(CALL_RELU, PYTHONPATH=str(package), NUMBA_CACHE_DIR=nowhere,
                  HOME=nowhere, XDG_CACHE_HOME=nowhere)
    assert printed.startswith(f"[0.0, 2.0] {package}")
