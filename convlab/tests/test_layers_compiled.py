"""Kernels on any number of threads, after a fork, and with nowhere to cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

import convlab
from convlab.layers import (
    compiled,
    conv2d_backward,
    conv2d_forward,
    maxpool_forward,
    relu_forward,
)


@pytest.fixture
def three_threads(monkeypatch):
    """Every job is shared among three threads, however small."""
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
    monkeypatch.setattr(compiled, "WORTH_SHARING", 0)
    compiled._pool.cache_clear()
    yield
    compiled._pool().shutdown()
    compiled._pool.cache_clear()


def results():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 8, 8, 3)), rng.standard_normal((4, 3, 3, 3))
    y = conv2d_forward(x, w, np.ones(4), pad=1)
    return [y, *conv2d_backward(y, x, w, pad=1), *maxpool_forward(y), relu_forward(y)]


def test_sharing_the_work_changes_no_number(request):
    alone = results()
    request.getfixturevalue("three_threads")
    for shared, expected in zip(results(), alone, strict=True):
        np.testing.assert_array_equal(shared, expected)


def test_every_item_is_done_once(three_threads):
    done = []
    compiled.share(lambda first, last: done.extend(range(first, last)), 10, 10)
    assert sorted(done) == list(range(10))


def test_an_error_in_a_thread_reaches_the_caller(three_threads):
    def fail(first, last):
        raise ArithmeticError(f"{first} to {last}")

    with pytest.raises(ArithmeticError):
        compiled.share(fail, 3, 3)


def test_layers_may_be_called_from_several_threads(three_threads):
    expected = results()
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: results(), range(8)):
            for ours, theirs in zip(got, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def run(code: str, **environment: str) -> str:
    """What a fresh Python prints, with these variables added to its own.

    -P keeps this folder's own convlab out of its way.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork (Linux, macOS)")
def test_a_forked_child_has_threads_of_its_own():
    assert run("""
import os
import numba, numpy as np
numba.config.NUMBA_NUM_THREADS = 2
from convlab.layers import relu_forward
x = np.ones(1 << 17, np.float32)
relu_forward(x)  # starts the parent's threads
child = os.fork()
if child == 0:
    os._exit(int(relu_forward(x).sum() != x.size))
print(os.waitpid(child, 0)[1])
""") == "0\n"


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


def test_layers_work_where_nothing_can_be_cached(package):
    # A file where a folder is wanted stops even root from making one.
    (package / "convlab/layers/__pycache__").write_text("")
    nowhere = str(package / "convlab/layers/__pycache__/x")
    printed = run(CALL_RELU, PYTHONPATH=str(package), NUMBA_CACHE_DIR=nowhere,
                  HOME=nowhere, XDG_CACHE_HOME=nowhere)
    assert printed.startswith(f"[0.0, 2.0] {package}")
