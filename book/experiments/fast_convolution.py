"""How fast a convolution is when it is written in several ways, and why.

Everything is timed in rounds, each way once a round, so that what else the machine
does meets all of them alike; what is recorded is the median of the rounds. Before
each call there is a short rest, in which the threads of the call before stop
waiting for more work. The input is padded beforehand.
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
from numba import njit, prange
from threadpoolctl import threadpool_limits

from book.experiments.convolutions import WAYS, chunks_as_rows, one_product
from convlab.arithmetic import Conv, Shape, times
from convlab.layers import conv, conv2d_backward, conv2d_forward, threads

DATA = "random numbers in the shapes of six convolution layers, float32"
SEED = 0
ROUNDS = 7
REST = 0.03  # seconds
PYTHON_MACS = 150_000  # of each layer, about so many are left to plain Python
FLOAT = 4  # bytes


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
    outcome["limits"] = limits(rng)
    outcome["order"] = reading_order()
    outcome["caches"] = round_trips(rng)
    outcome["compiling"] = compiling()
    outcome["seconds_of_each_round"] = np.array(raw)
    return outcome


def timed(calls: Mapping[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Seconds of each call in each round, after one call that does not count."""
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            time.sleep(REST)
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return seconds


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
    f_h, f_w = w.shape[1:3]
    y = np.empty((len(x), x.shape[1] - f_h + 1, x.shape[2] - f_w + 1, len(w)), x.dtype)

    def limited(most: int | None, call: Callable, *args: Any) -> None:
        with threadpool_limits(most, "blas"):
            call(*args)

    def alone() -> None:
        with threads.at_most(1):
            conv2d_forward(x, w, b)

    def both() -> None:
        with ours_and_blas():
            conv2d_forward(x, w, b)

    return medians(timed({
        "one product, one thread": partial(limited, 1, one_product, x, w, b, 1, y),
        "one product, BLAS's threads": partial(one_product, x, w, b, 1, y),
        "tiles, one thread": alone,
        "tiles, our threads": partial(conv2d_forward, x, w, b),
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
    """The layer's threads, each of whose products starts BLAS's threads as well."""
    guard = threads._one_blas_thread
    threads._one_blas_thread = contextlib.nullcontext()
    try:
        yield
    finally:
        threads._one_blas_thread = guard


def tile_sizes(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> dict[str, list]:
    """The course's layer with tiles from 16 KiB up to all that a thread does."""
    sizes = [2**power for power in range(14, 27)]

    def with_tiles(size: int) -> None:
        before, conv.TILE_BYTES = conv.TILE_BYTES, size
        try:
            conv2d_forward(x, w, b)
        finally:
            conv.TILE_BYTES = before

    found = medians(timed({str(size): partial(with_tiles, size) for size in sizes}))
    return {"bytes": sizes, "seconds": list(found.values()), "ours": conv.TILE_BYTES}


def limits(rng: np.random.Generator) -> dict[str, float]:
    """The most that the machine does: of a large product, and of a plain copy."""
    side, long = 2048, 1 << 25
    a = rng.normal(size=(side, side)).astype(np.float32)
    source, target = np.ones(long, np.float32), np.empty(long, np.float32)
    found = medians(timed({
        "product": partial(np.dot, a, a), "copy": partial(_copy, source, target)}))
    return {"gflops": rounded(2 * side**3 / found["product"] / 1e9),
            "gigabytes": rounded(2 * source.nbytes / found["copy"] / 1e9)}


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
from convlab.layers import conv
x, chunks = np.ones((1, 6, 6, 1), np.float32), np.empty((16, 9), np.float32)
slide = conv.Slide(3, 3, 1, 0, 4, 4)
for _ in range(2):
    started = time.perf_counter()
    conv._copy_chunks(x, chunks, 0, slide)
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
