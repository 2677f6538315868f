"""How fast a convolution is when it is written in several ways, and why.

Everything is timed in rounds, each way once a round, so that what else the machine
does meets all of them alike; what is recorded is the median of the rounds. Before
each call there is a short rest, in which the threads of the call before stop
waiting for more work, and then a call that does not count: it wakes the call's own
threads, which are awake in a training. A short call is made again and again, for
as long as SAMPLE, and the round's time is the median. The input is padded beforehand.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numba import config, njit, prange
from threadpoolctl import threadpool_limits

from book.experiments.convolutions import (
    WAYS,
    chunks_as_rows,
    eight_pixels,
    one_product,
    tile_by_tile,
)
from convlab.arithmetic import Conv, Shape, times
from convlab.layers import conv2d_backward, direct, products, threads, winograd
from convlab.layers.registers import on_stack
from convlab.layers.scratch import aligned

DATA = "random numbers in the shapes of six convolution layers, float32"
SEED = 0
ROUNDS = 7
REST = 0.03  # seconds
SAMPLE = 0.02  # seconds
PYTHON_MACS = 150_000  # of each layer, about so many are left to plain Python
IN_REGISTERS = 256  # numbers: as many sums as the course's layer holds


@dataclass(frozen=True)
class Case:
    """A layer on a batch of images, and what it costs."""

    name: str
    images: int
    shape: Shape
    layer: Conv

    @property
    def title(self) -> str:
        """The image and the filters: "32x32x3, 32 of 5x5"."""
        size = times((self.layer.size,) * 2)
        return f"{times(self.shape)}, {self.layer.filters} of {size}"

    @property
    def macs(self) -> int:
        return self.images * self.layer.macs(self.shape)

    @property
    def padded(self) -> Shape:
        height, width, channels = self.shape
        return height + 2 * self.layer.pad, width + 2 * self.layer.pad, channels

    def numbers(self) -> dict[str, int]:
        """How many numbers the input, the weights, the im2col matrix and the output
        hold: what has to come from memory, or go there."""
        rows, columns, filters = self.layer.output_shape(self.shape)
        chunk = self.layer.size**2 * self.shape[2]
        positions = self.images * rows * columns
        return {"input": self.images * int(np.prod(self.padded)),
                "weights": filters * (chunk + 1),
                "columns": positions * chunk, "output": positions * filters}

    def arrays(self, rng: np.random.Generator) -> list[np.ndarray]:
        """x, padded already, w and b."""
        rows, columns, channels = self.padded
        filters, size, pad = self.layer.filters, self.layer.size, self.layer.pad
        x = np.zeros((self.images, rows, columns, channels), np.float32)
        x[:, pad:rows - pad, pad:columns - pad] = rng.normal(
            size=(self.images, *self.shape))
        w = rng.normal(size=(filters, size, size, channels))
        return [x, w.astype(np.float32), rng.normal(size=filters).astype(np.float32)]

    def output(self, x: np.ndarray) -> np.ndarray:
        """An empty y for padded images x."""
        rows, columns = (
            (n - self.layer.size) // self.layer.stride + 1 for n in x.shape[1:3])
        return np.empty((len(x), rows, columns, self.layer.filters), x.dtype)


CASES = (
    Case("first", 16, (32, 32, 3), Conv(32, 5, pad=2)),
    Case("middle", 16, (16, 16, 32), Conv(64, 3, pad=1)),
    Case("deep", 16, (8, 8, 128), Conv(128, 3, pad=1)),
    Case("pointwise", 8, (56, 56, 64), Conv(32, 1)),
    Case("strided", 1, (227, 227, 3), Conv(96, 11, stride=4)),
    Case("large", 16, (32, 32, 32), Conv(32, 5, pad=2)),
)


@winograd.left_out()  # all ways do the same multiplications
def run(seed: int) -> dict[str, Any]:
    """All measurements: see the chapter "Making it fast" for what each is for."""
    rng = np.random.default_rng(seed)
    outcome: dict[str, Any] = {"ways": list(WAYS), "rounds": ROUNDS}
    raw = []
    outcome["layers"] = {}
    for case in CASES:
        measured, rounds = measure(case, *case.arrays(rng))
        outcome["layers"][case.name] = measured
        raw.append(rounds)
    large = next(case for case in CASES if case.name == "large").arrays(rng)
    outcome["threads"] = threads_compared(*large)
    with other_work():
        outcome["threads_with_other_work"] = threads_compared(*large)
    outcome["tiles"] = tile_sizes(*large)
    outcome["sums"] = where_sums_are(*large)
    outcome["limits"] = limits(rng)
    outcome["order"] = reading_order()
    outcome["caches"] = round_trips(rng)
    outcome["compiling"] = compiling()
    outcome["seconds_of_each_round"] = np.array(raw)
    return outcome


def timed(calls: Mapping[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Seconds of each call in each round, each after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            time.sleep(REST)
            call()
            seconds[name].append(_sample(call))
    return seconds


def _sample(call: Callable[[], Any]) -> float:
    """The median of calls that fill SAMPLE, or the time of one that is longer."""
    took: list[float] = []
    while sum(took) < SAMPLE:
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return float(np.median(took))


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: rounded(np.median(of)) for name, of in seconds.items()}


def rounded(value: float) -> float:
    """To four digits: more is noise."""
    return float(f"{value:.4g}")


def measure(case: Case, x: np.ndarray, w: np.ndarray, b: np.ndarray
            ) -> tuple[dict[str, Any], list[list[float]]]:
    """One layer in all ways, its parts, and its way back; and the raw times."""
    stride, size = case.layer.stride, case.layer.size
    part = python_part(case, x)
    y, small = case.output(x), case.output(part)
    calls = {name: partial(way, *((part, w, b, stride, small) if name == python_way()
                                  else (x, w, b, stride, y)))
             for name, way in WAYS.items()}
    columns, rows_of_w = chunks_as_rows(x, size, size, stride), w.reshape(len(w), -1).T
    flat = y.reshape(-1, len(w))
    dy = np.ones_like(y)
    rest = {
        "columns": partial(chunks_as_rows, x, size, size, stride),
        "product": partial(np.dot, columns, rows_of_w, out=flat),
        "bias": partial(np.add, flat, b, out=flat),
        "backward": partial(conv2d_backward, dy, x, w, stride),
    }
    seconds = timed({**calls, **rest})
    middle = medians(seconds)
    done = dict.fromkeys(WAYS, case.macs)
    done[python_way()] = small.size * int(np.prod(w.shape[1:]))
    found = {
        "title": case.title, "images": case.images, "stride": stride,
        "flops": 2 * case.macs, "numbers": case.numbers(),
        "seconds": {name: middle[name] for name in WAYS},
        "python_part": rounded(done[python_way()] / case.macs),
        "gflops": {name: rounded(2 * done[name] / middle[name] / 1e9)
                   for name in WAYS},
        "parts": {name: middle[name] for name in ("columns", "product", "bias")},
        "backward": middle["backward"],
    }
    return found, [seconds[name] for name in seconds]


def python_way() -> str:
    return next(iter(WAYS))


def python_part(case: Case, x: np.ndarray) -> np.ndarray:
    """The top rows of the first image: enough for PYTHON_MACS, or one row."""
    row = case.layer.macs(case.shape) // case.layer.output_shape(case.shape)[0]
    rows = min(max(1, PYTHON_MACS // row), case.layer.output_shape(case.shape)[0])
    return x[:1, :(rows - 1) * case.layer.stride + case.layer.size]


def threads_compared(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """Medians of one layer with one thread, with BLAS's, with ours, and with both."""
    y = outputs(x, w)

    def limited(most: int | None, call: Callable, *args: Any) -> None:
        with threadpool_limits(most, "blas"):
            call(*args)

    def alone() -> None:
        with threads.at_most(1):
            tile_by_tile(x, w, b, 1, y)

    def both() -> None:
        with ours_and_blas():
            tile_by_tile(x, w, b, 1, y)

    return medians(timed({
        "one product, one thread": partial(limited, 1, one_product, x, w, b, 1, y),
        "one product, BLAS's threads": partial(one_product, x, w, b, 1, y),
        "tiles, one thread": alone,
        "tiles, our threads": partial(tile_by_tile, x, w, b, 1, y),
        "tiles, our threads and BLAS's": both,
    }))


@contextlib.contextmanager
def other_work() -> Iterator[None]:
    """A process for each core that never rests, as on a machine that is shared."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"])
                for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@contextlib.contextmanager
def ours_and_blas() -> Iterator[None]:
    """Our threads, each of whose products starts BLAS's threads as well."""
    guard = threads._one_blas_thread
    threads._one_blas_thread = contextlib.nullcontext()
    try:
        yield
    finally:
        threads._one_blas_thread = guard


def outputs(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """An empty y (N, H', W', K) for stride 1 and no padding."""
    (rows, columns), (f_h, f_w) = x.shape[1:3], w.shape[1:3]
    return np.empty((len(x), rows - f_h + 1, columns - f_w + 1, len(w)), x.dtype)


def tile_sizes(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    """One layer with tiles from 16 KiB up to all that a thread does."""
    sizes, y = [2**power for power in range(14, 27)], outputs(x, w)

    def with_tiles(size: int) -> None:
        before, products.TILE_BYTES = products.TILE_BYTES, size
        try:
            tile_by_tile(x, w, b, 1, y)
        finally:
            products.TILE_BYTES = before

    found = medians(timed({str(size): partial(with_tiles, size) for size in sizes}))
    return {"bytes": sizes, "seconds": list(found.values()),
            "ours": products.TILE_BYTES}


def where_sums_are(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> dict[str, float]:
    """GFLOP/s of the same loops on one core, with sums in an array and in registers,
    and of the whole matrix on one core. The filters must be one block of the layer's.
    """
    block, y = len(w), outputs(x, w)
    weights = direct.pack(w, block).reshape(*w.shape[1:], block)
    sums = aligned((direct.PIXELS * block,), x.dtype)

    def matrix() -> None:
        with threadpool_limits(1, "blas"):
            one_product(x, w, b, 1, y)

    found = medians(timed({
        "one product": matrix,
        "in an array, any number of filters": partial(
            eight_pixels(None, False), x, weights, b, y, sums),
        "in an array": partial(eight_pixels(block, False), x, weights, b, y, sums),
        "in registers": partial(eight_pixels(block, True), x, weights, b, y, sums)}))
    return {name: rounded(2 * y.size * w[0].size / seconds / 1e9)
            for name, seconds in found.items()}


def limits(rng: np.random.Generator) -> dict[str, float]:
    """The most that the machine does: in registers, in a large product, and in a
    plain copy."""
    side, long, turns = 2048, 1 << 25, 1 << 18
    a = rng.normal(size=(side, side)).astype(np.float32)
    source, target = np.ones(long, np.float32), np.empty(long, np.float32)
    start, cores = np.full(IN_REGISTERS, 0.5, np.float32), config.NUMBA_NUM_THREADS
    found = medians(timed({
        "registers": partial(threads.share, _multiply_add, cores,
                             threads.WORTH_SHARING, turns, start),
        "product": partial(np.dot, a, a), "copy": partial(_copy, source, target)}))
    operations = 2 * cores * turns * IN_REGISTERS
    return {"registers": rounded(operations / found["registers"] / 1e9),
            "gflops": rounded(2 * side**3 / found["product"] / 1e9),
            "gigabytes": rounded(2 * source.nbytes / found["copy"] / 1e9)}


@njit(fastmath=direct.LOOSE, nogil=True)
def _multiply_add(first, last, turns, start):
    """`turns` times, for each part of the work: all that is in registers, times a
    number and plus another."""
    held, factor, more = on_stack(IN_REGISTERS, start), start[0], start[1]
    for k in range(IN_REGISTERS):
        held[k] = start[k]
    for _ in range((last - first) * turns):
        for k in range(IN_REGISTERS):
            held[k] = held[k] * factor + more
    total = start[0]
    for k in range(IN_REGISTERS):
        total += held[k]
    return total  # what nobody asks for, the compiler leaves out


@njit(parallel=True)
def _copy(source, target):
    for i in prange(source.size):
        target[i] = source[i]


def reading_order() -> dict[str, float]:
    """Seconds to add up the same numbers along memory, and across it."""
    x = np.ones((64, 64, 64, 64), np.float32)
    found = medians(timed({"along": partial(_add_along, x),
                           "across": partial(_add_across, x)}))
    return {**found, "numbers": x.size}


@njit
def _add_along(x):
    total = 0.0
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                for c in range(x.shape[3]):
                    total += x[n, i, j, c]
    return total


@njit
def _add_across(x):
    total = 0.0
    for c in range(x.shape[3]):
        for j in range(x.shape[2]):
            for i in range(x.shape[1]):
                for n in range(x.shape[0]):
                    total += x[n, i, j, c]
    return total


def round_trips(rng: np.random.Generator) -> dict[str, list]:
    """Nanoseconds a read takes that waits for the one before, by size of the array."""
    sizes, reads = [2**power for power in range(13, 28)], 200_000
    calls = {}
    for size in sizes:
        order = rng.permutation(size // 8)
        following = np.empty_like(order)
        following[order] = np.roll(order, -1)
        calls[str(size)] = partial(_walk, following, reads)
    found = medians(timed(calls))
    return {"bytes": sizes,
            "nanoseconds": [rounded(of / reads * 1e9) for of in found.values()]}


@njit
def _walk(following, reads):
    place = 0
    for _ in range(reads):
        place = following[place]
    return place


FIRST_CALL = """
import time
import numpy as np
from convlab.layers import direct
x, w = np.ones((1, 6, 6, 1), np.float32), np.ones((16, 3, 3, 1), np.float32)
y, slide = np.empty((1, 4, 4, 16), np.float32), direct.Slide(3, 3, 1, 0, 0, 4, 4)
packed, biases = direct.pack(w, 16), direct.pack_biases(w[:, 0, 0, 0], 16)
for _ in range(2):
    started = time.perf_counter()
    direct.forward(0, 1, x, packed, biases, y, slide, False)
    print(time.perf_counter() - started)
"""


def compiling() -> dict[str, float]:
    """Seconds of calls of a compiled function: the very first, the next, and the
    first one of a new process, which finds it on disk."""
    calls = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            calls.append([*_first_calls(folder), *_first_calls(folder)])
    first, second, from_disk, _ = np.median(calls, axis=0)
    return {"first": rounded(first), "second": rounded(second),
            "from_disk": rounded(from_disk)}


def _first_calls(cache: str) -> list[float]:
    """Seconds of the first two calls in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", FIRST_CALL], text=True, check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": cache}, capture_output=True)
    return list(map(float, run.stdout.split()))
