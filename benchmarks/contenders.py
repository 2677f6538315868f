"""Who computes a convolution: ours, PyTorch, numpy, scipy, and plain loops.

A contender lays out its inputs beforehand, so that no conversion is timed, and is
compared with ours before it is timed: nobody is quick with a wrong result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal

from benchmarks import naive, pytorch
from benchmarks.problem import Problem
from convlab import layers

# Of the largest number of a result. Sums of up to 400,000 float32 products, added up
# in another order, differ by less; a filter's number left out is far more.
TOLERANCE = 1e-3
RESULTS = ("y", "dx", "dw", "db")


class WrongResult(RuntimeError):
    """A contender whose result is not ours: there is nothing to time."""


@dataclass(frozen=True)
class Calls:
    """A convolution's two passes, with all their inputs at hand."""

    forward: Callable[[], Any]
    backward: Callable[[], Any]
    plain: Callable[[Any], np.ndarray] = np.asarray  # one of its results in our layout

    def results(self) -> dict[str, np.ndarray]:
        """y (N, H', W', K), dx (N, H, W, C), dw (K, F, F, C), db (K,)."""
        found = (self.forward(), *self.backward())
        return {name: self.plain(value)
                for name, value in zip(RESULTS, found, strict=True)}


@dataclass(frozen=True)
class Contender:
    """`prepare` makes the calls; `macs` is how much of a problem it is given."""

    name: str
    prepare: Callable[[Problem], Calls]
    macs: int | None = None  # all of it
    installed: bool = True

    def problem(self, whole: Problem) -> Problem:
        """What it computes: the whole, or for a slow one a part."""
        return whole if self.macs is None else whole.part(self.macs)


def ours(problem: Problem) -> Calls:
    given, (stride, pad) = problem.inputs, problem.places
    return Calls(
        partial(layers.conv2d_forward, given.x, given.w, given.b, stride, pad),
        partial(layers.conv2d_backward, given.dy, given.x, given.w, stride, pad))


def with_pytorch(layout: str, problem: Problem) -> Calls:
    """The kernel that PyTorch's autograd calls backward, and nothing around it."""
    given, (stride, pad) = problem.inputs, problem.places
    x, w, b, dy = (pytorch.laid_out(array, layout)
                   for array in (given.x, given.w, given.b, given.dy))
    torch = pytorch.torch
    return Calls(
        partial(torch.nn.functional.conv2d, x, w, b, stride, pad),
        partial(torch.ops.aten.convolution_backward, dy, x, w, [len(b)],
                [stride] * 2, [pad] * 2, [1, 1], False, [0, 0], 1, [True] * 3),
        pytorch.plain)


def with_numpy(problem: Problem) -> Calls:
    """im2col, all chunks in one matrix, and a matrix product."""
    given, (stride, pad) = problem.inputs, problem.places
    return Calls(partial(_im2col_forward, given.x, given.w, given.b, stride, pad),
                 partial(_im2col_backward, given.dy, given.x, given.w, stride, pad))


def _im2col(x: np.ndarray, size: int, stride: int, pad: int) -> np.ndarray:
    """(N*H'*W', F*F*C)."""
    windows = sliding_window_view(_padded(x, pad), (size, size), axis=(1, 2))
    chunks = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    return chunks.reshape(-1, size * size * x.shape[3])


def _padded(x: np.ndarray, pad: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def _im2col_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int,
                    pad: int) -> np.ndarray:
    rows, columns = ((extent + 2 * pad - w.shape[1]) // stride + 1
                     for extent in x.shape[1:3])
    y = _im2col(x, w.shape[1], stride, pad) @ w.reshape(len(w), -1).T + b
    return y.reshape(len(x), rows, columns, len(w))


def _im2col_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int,
                     pad: int) -> tuple[np.ndarray, ...]:
    (n, rows, columns, _), size = dy.shape, w.shape[1]
    dy_rows = dy.reshape(-1, len(w))
    dw = (dy_rows.T @ _im2col(x, size, stride, pad)).reshape(w.shape)
    chunks = (dy_rows @ w.reshape(len(w), -1)).reshape(
        n, rows, columns, size, size, x.shape[3])
    dx = np.zeros_like(_padded(x, pad))
    for i in range(size):
        for j in range(size):
            dx[:, i:i + rows * stride:stride,
               j:j + columns * stride:stride] += chunks[:, :, :, i, j]
    return _inside(dx, pad), dw, dy_rows.sum(axis=0)


def _inside(padded: np.ndarray, pad: int) -> np.ndarray:
    _, height, width, _ = padded.shape
    return padded[:, pad:height - pad, pad:width - pad]


def with_scipy(problem: Problem) -> Calls:
    """scipy.signal, an image and a filter at a time."""
    given, (stride, pad) = problem.inputs, problem.places
    return Calls(partial(_scipy_forward, given.x, given.w, given.b, stride, pad),
                 partial(_scipy_backward, given.dy, given.x, given.w, stride, pad))


def _scipy_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int,
                   pad: int) -> np.ndarray:
    return np.stack([
        np.stack([signal.correlate(image, filter_, "valid")[::stride, ::stride, 0]
                  for filter_ in w], axis=-1) + b
        for image in _padded(x, pad)])


def _scipy_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int,
                    pad: int) -> tuple[np.ndarray, ...]:
    n, rows, columns, filters = dy.shape
    spread = np.zeros((n, (rows - 1) * stride + 1, (columns - 1) * stride + 1, 1,
                       filters), dy.dtype)
    spread[:, ::stride, ::stride, 0] = dy
    images = _padded(x, pad)
    dx, dw = np.zeros_like(images), np.zeros_like(w)
    for at, image in enumerate(images):
        for k, filter_ in enumerate(w):
            dx[at] += signal.convolve(spread[at, ..., k], filter_, "full")
            dw[k] += signal.correlate(image, spread[at, ..., k], "valid")
    return _inside(dx, pad), dw, dy.sum(axis=(0, 1, 2))


def with_loops(problem: Problem) -> Calls:
    given, places = problem.inputs, problem.places
    return Calls(partial(naive.forward, given.x, given.w, given.b, *places),
                 partial(naive.backward, given.dy, given.x, given.w, *places))


OURS = "ours"
CONTENDERS = (
    Contender(OURS, ours),
    *(Contender(f"PyTorch {layout}", partial(with_pytorch, layout),
                installed=pytorch.torch is not None) for layout in pytorch.LAYOUTS),
    # At least an image with all its filters, which share one matrix.
    Contender("numpy im2col", with_numpy, macs=2_000_000_000),
    Contender("scipy", with_scipy, macs=4_000_000),
    Contender("numba loops", with_loops, macs=60_000_000),
)
PYTORCH = tuple(f"PyTorch {layout}" for layout in pytorch.LAYOUTS)


def check(contender: Contender, problem: Problem, calls: Calls,
          expected: dict[str, np.ndarray]) -> None:
    """Raises WrongResult where a contender's results are not the expected ones."""
    for name, found in calls.results().items():
        wanted = expected[name]
        where = f"{contender.name} gets another {name} than ours in {problem.name}"
        if found.shape != wanted.shape:
            raise WrongResult(
                f"{where}: of shape {found.shape}, ours has {wanted.shape}")
        off = np.abs(found.astype(np.float64) - wanted).max()
        most = TOLERANCE * np.abs(wanted).max()
        if not off <= most:  # a NaN is wrong, too
            raise WrongResult(f"{where}: off by {off:.2g}, where up to {most:.2g} may "
                              "come from adding up in another order")
