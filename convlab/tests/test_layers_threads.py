"""Any number of threads gives the same numbers, also after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from convlab.layers import (
    avgpool_backward,
    avgpool_forward,
    conv2d_backward,
    conv2d_forward,
    dense_backward,
    dense_forward,
    maxpool_backward,
    maxpool_forward,
    relu_backward,
    relu_forward,
    threads,
)


@pytest.fixture
def three_threads(monkeypatch):
    """Every job is shared among three threads, however small."""
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
    monkeypatch.setattr(threads, "WORTH_SHARING", 0)
    threads._pool.cache_clear()
    yield
    threads._pool().shutdown()
    threads._pool.cache_clear()


def results():
    """What the layers return on one small batch."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 8, 8, 3)), rng.standard_normal((4, 3, 3, 3))
    y = conv2d_forward(x, w, np.ones(4), pad=1)
    pooled, argmax = maxpool_forward(y)
    mean = avgpool_forward(y)
    rows, units = pooled.reshape(5, -1), rng.standard_normal((6, 64))
    scores = dense_forward(rows, units, np.ones(6))
    return [y, *conv2d_backward(y, x, w, pad=1),
            pooled, argmax, maxpool_backward(pooled, argmax, y.shape),
            mean, avgpool_backward(mean, y.shape),
            relu_forward(y), relu_backward(y, y),
            scores, *dense_backward(scores, rows, units)]


def test_the_number_of_threads_changes_no_result(request):
    alone = results()
    request.getfixturevalue("three_threads")
    for shared, expected in zip(results(), alone, strict=True):
        # Sums over the batch are added up in another order.
        np.testing.assert_allclose(shared, expected, rtol=1e-12, atol=1e-12)


def test_the_same_threads_give_the_same_bits(three_threads):
    for again, first in zip(results(), results(), strict=True):
        np.testing.assert_array_equal(again, first)


def test_every_item_is_done_once(three_threads):
    done = []
    threads.share(lambda first, last: done.extend(range(first, last)), 10, 10)
    assert sorted(done) == list(range(10))


def test_results_come_in_order_whoever_is_held_up(three_threads):
    others, rest = threading.Event(), []

    def work(first, last):
        if first == 0:
            assert others.wait(60)  # until all other parts are done, by others
        else:
            rest.append(first)
        if len(rest) == 5:
            others.set()
        return first, last

    assert threads.share(work, 6, 6) == [(n, n + 1) for n in range(6)]


def test_fewer_threads_may_be_asked_for(three_threads):
    def parts():
        return len(threads.share(lambda first, last: None, 6, 6))

    before = [blas.num_threads for blas in threads._blas()]
    with threads.at_most(2):
        assert parts() == 2 * threads.PARTS
        assert all(blas.num_threads <= 2 for blas in threads._blas())
    with threads.at_most(5):
        assert parts() == 3 * threads.PARTS
    assert parts() == 3 * threads.PARTS
    assert [blas.num_threads for blas in threads._blas()] == before


def test_an_error_in_a_thread_reaches_the_caller(three_threads):
    def fail(first, last):
        raise ArithmeticError(f"{first} to {last}")

    with pytest.raises(ArithmeticError):
        threads.share(fail, 3, 3)


def blas_threads_inside(blas):
    return threads.share(lambda first, last: blas.num_threads, 3, 3)


def test_blas_starts_no_threads_of_its_own_while_ours_run(three_threads):
    if not threads._blas():
        pytest.skip("numpy's BLAS is none that threadpoolctl knows")
    for blas in threads._blas():
        before = blas.num_threads
        blas.set_num_threads(2)
        try:
            with threads._one_blas_thread:  # as another caller would be
                assert blas_threads_inside(blas) == [1, 1, 1]
                assert blas.num_threads == 1
            assert blas_threads_inside(blas) == [1, 1, 1]
            assert blas.num_threads == 2
        finally:
            blas.set_num_threads(before)


def test_layers_may_be_called_from_several_threads(three_threads):
    expected = results()
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: results(), range(8)):
            for ours, theirs in zip(got, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork (Linux, macOS)")
def test_a_forked_child_has_threads_of_its_own():
    code = """
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
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True,
                          text=True, timeout=300)
    assert done.stdout == "0\n", done.stderr


@pytest.mark.skipif(threads._current_core is None or (os.cpu_count() or 1) < 2,
                    reason="needs Linux and two cores")
def test_helpers_begin_on_another_core_and_may_go_anywhere(three_threads):
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("this process may use one core")
    threads.share(lambda first, last: None, 3, 3)  # starts them
    here = threads._current_core()
    assert threads._keep_apart() == cores
    assert threads._pool().ids
    kept = [os.sched_getaffinity(helper) for helper in threads._pool().ids]
    assert all(core < cores and len(core) == len(cores) - 1 for core in kept)
    assert here in cores
    allowed = threads.share(lambda first, last: os.sched_getaffinity(0), 3, 3)
    assert allowed == [cores] * 3


def test_where_threads_cannot_be_kept_on_cores_nothing_is_lost(
        three_threads, monkeypatch):
    def refuse(*_):
        raise PermissionError("not here")

    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    assert threads.share(lambda first, last: last - first, 12, 9) == [2] * 6
    monkeypatch.setattr(threads, "_current_core", None)
    assert threads.share(lambda first, last: last - first, 12, 9) == [2] * 6
