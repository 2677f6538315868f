"""What each trick of the layers is worth: the same work with it and without.

A trick is a function under @trick that returns the two as calls, inputs and all.
Their results are compared before they are timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numba
import numpy as np
from tqdm import tqdm

from benchmarks import timing
from benchmarks.contenders import TOLERANCE, WrongResult
from benchmarks.problem import Problem
from benchmarks.shapes import problems
from benchmarks.tables import milliseconds, ratio, table, title
from benchmarks.timing import Call, median
from convlab import layers
from convlab.layers import direct, products, registers, winograd
from convlab.layers.compiled import compiled
from convlab.layers.threads import at_most, share


class Pair(NamedTuple):
    """The same work, done with a trick and without it."""

    with_it: Call
    without: Call


TRICKS: dict[str, Callable[[], Pair]] = {}


def trick(name: str) -> Callable[[Callable[[], Pair]], Callable[[], Pair]]:
    """Register what makes a pair, under the name that the table shows."""
    def register(make: Callable[[], Pair]) -> Callable[[], Pair]:
        TRICKS[name] = make
        return make
    return register


@trick("each thread computes a part of the batch (convolution forward)")
def threads() -> Pair:
    problem = problems()[-1]
    given, places = problem.inputs, problem.places
    convolve = partial(layers.conv2d_forward, given.x, given.w, given.b, *places)

    def alone() -> np.ndarray:
        with at_most(1):
            return convolve()

    return Pair(convolve, alone)


@trick("a quarter of the multiplications, Winograd's way (convolution forward)")
def fewer_multiplications() -> Pair:
    problem = problems()[-1]
    given = problem.inputs
    convolve = partial(layers.conv2d_forward, given.x, given.w, given.b,
                       *problem.places)
    return Pair(convolve, _by_definition(convolve))


@trick("the same for the gradient by the weights")
def fewer_multiplications_back() -> Pair:
    problem = problems()[-1]
    given = problem.inputs
    gradients = partial(layers.conv2d_weight_gradients, given.dy, given.x, given.w,
                        *problem.places)
    return Pair(gradients, _by_definition(gradients))


@trick("loops with sums in registers, not im2col tiles (convolution forward)")
def direct_loops() -> Pair:
    problem = problems()[-1]
    given = problem.inputs
    return Pair(_by_definition(partial(layers.conv2d_forward, given.x, given.w, given.b,
                                       *problem.places)),
                partial(_by_products, problem))


@trick("the same for filters of 1x1, where the product needs no im2col")
def pointwise_loops() -> Pair:
    problem = next(one for one in problems() if one.layer.size == 1)
    given = problem.inputs
    rows, w = given.x.reshape(-1, given.x.shape[3]), given.w.reshape(len(given.w), -1)
    return Pair(
        partial(layers.conv2d_forward, given.x, given.w, given.b, *problem.places),
        lambda: (rows @ w.T + given.b).reshape(problem.inputs.dy.shape))


@trick("im2col in tiles that stay in the cache, not as a whole")
def tiles() -> Pair:
    by_products = partial(_by_products, problems()[-1])
    return Pair(by_products, _instead(products, "TILE_BYTES", 1 << 40, by_products))


def _instead(module: Any, name: str, value: Any, call: Call) -> Call:
    """The call, made while the module's `name` is another one."""
    def changed() -> Any:
        before = getattr(module, name)
        setattr(module, name, value)
        try:
            return call()
        finally:
            setattr(module, name, before)
    return changed


def _by_definition(call: Call) -> Call:
    """The call, with all of the definition's multiplications."""
    def by_definition() -> Any:
        with winograd.left_out():
            return call()
    return by_definition


def _by_products(problem: Problem) -> np.ndarray:
    """The forward pass by im2col, tile by tile, shared among the threads."""
    given, (stride, pad) = problem.inputs, problem.places
    y = np.empty_like(given.dy)
    slide = direct.Slide(*given.w.shape[1:3], stride, pad, pad, *y.shape[1:3])
    share(products.forward, len(given.x), y.size, given.x, given.w, given.b, y, slide)
    return y


@trick("what a filter sees beyond the edge is left out (convolution forward)")
def no_padding() -> Pair:
    problem = problems()[-1]
    given, (stride, pad) = problem.inputs, problem.places
    framed = np.pad(given.x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    return Pair(
        _by_definition(partial(
            layers.conv2d_forward, given.x, given.w, given.b, stride, pad)),
        _by_definition(partial(
            layers.conv2d_forward, framed, given.w, given.b, stride, 0)))


@trick("RELU in the convolution's own pass over its output (first CIFAR-10 layer)")
def convolution_and_relu() -> Pair:
    # 2x2 filters on 32x32x3 images: so little arithmetic that passes count.
    rng = np.random.default_rng(0)
    x = rng.standard_normal((128, 32, 32, 3)).astype(np.float32)
    w = rng.standard_normal((24, 2, 2, 3)).astype(np.float32)
    b = np.zeros(24, np.float32)
    return Pair(lambda: layers.conv2d_relu_forward(x, w, b),
                lambda: layers.relu_forward(layers.conv2d_forward(x, w, b)))


@trick("vectors of 512 bits, not 256 (convolution forward)")
def wide_vectors() -> Pair:
    problem = problems()[-1]
    given = problem.inputs
    convolve = _by_definition(partial(
        layers.conv2d_forward, given.x, given.w, given.b, *problem.places))
    kernel = direct.forward_kernel(direct.block_for(len(given.w)))
    # Not kept on disk, where it would be taken for the other one.
    narrow = numba.njit(nogil=True, error_model="numpy", fastmath=direct.LOOSE)(
        kernel.py_func)
    narrowly = _instead(direct, "forward_kernel", lambda block: narrow, convolve)
    # Compiled here and now.
    _instead(registers, "WIDE_VECTORS", '"prefer-vector-width"="256"', narrowly)()
    return Pair(convolve, narrowly)


VECTOR = 16  # numbers


@compiled
def _copy_at_once(pixels, places, out):
    for i in range(len(places)):
        of, to = places[i], np.uintp(i * VECTOR)
        for k in range(VECTOR):
            out[to + np.uintp(k)] = pixels[of + np.uintp(k)]


@compiled
def _copy_by_the_stack(pixels, places, out):
    held = registers.on_stack(VECTOR, pixels)
    for i in range(len(places)):
        of, to = places[i], np.uintp(i * VECTOR)
        for k in range(VECTOR):
            held[k] = pixels[of + np.uintp(k)]
        for k in range(VECTOR):
            out[to + np.uintp(k)] = held[k]


@trick("vectors are copied by way of an array on the stack (as Winograd's tiles are)")
def copied_vectors() -> Pair:
    rng = np.random.default_rng(0)
    pixels = rng.standard_normal(4096).astype(np.float32)  # both stay in the cache
    places = rng.integers(0, len(pixels) // VECTOR, 256).astype(np.uintp) * VECTOR
    out = np.empty(places.size * VECTOR, np.float32)

    def by(copy: Callable) -> Call:
        def often() -> np.ndarray:
            for _ in range(2000):
                copy(pixels, places, out)
            return out.copy()
        return often

    return Pair(by(_copy_by_the_stack), by(_copy_at_once))


@trick("images in eights of their depth, not in frames (gradient by the weights)")
def in_eights() -> Pair:
    problem = problems()[-1]
    given = problem.inputs
    gradients = _by_definition(partial(
        layers.conv2d_weight_gradients, given.dy, given.x, given.w, *problem.places))
    return Pair(gradients, _instead(direct, "_comes_in_eights", lambda depth: False,
                                    gradients))


@trick("no gradient by the images where nobody asks for it (first layer)")
def no_image_gradients() -> Pair:
    problem = problems()[-1]
    given, places = problem.inputs, problem.places
    return Pair(
        lambda: layers.conv2d_weight_gradients(given.dy, given.x, given.w, *places),
        lambda: layers.conv2d_backward(given.dy, given.x, given.w, *places)[1:])


@trick("work arrays kept from call to call (convolution forward)")
def kept_work_arrays() -> Pair:
    problem = problems()[-1]
    given = problem.inputs
    convolve = _by_definition(partial(
        layers.conv2d_forward, given.x, given.w, given.b, *problem.places))
    return Pair(convolve, _instead(
        direct, "work_array", lambda name, shape, dtype: np.empty(shape, dtype),
        convolve))


@trick("NORM and RELU in the same pass over memory (forward)")
def one_pass() -> Pair:
    x = problems()[-1].inputs.x
    gamma, beta = np.ones((2, x.shape[-1]), x.dtype)
    return Pair(
        lambda: layers.batchnorm_relu_forward(x, gamma, beta)[0],
        lambda: layers.relu_forward(layers.batchnorm_forward(x, gamma, beta)[0]))


def measure(repeats: int, tricks: Mapping[str, Callable[[], Pair]] = TRICKS,
            **timed: float) -> list[dict[str, Any]]:
    """A dict a trick; raises WrongResult where it changes what comes out."""
    found = []
    with tqdm(total=len(tricks) * repeats, unit="round", desc="tricks") as bar:
        for name, make in tricks.items():
            pair = make()
            _check(name, pair)
            times = timing.in_turn({"with": pair.with_it, "without": pair.without},
                                   repeats, after=bar.update, **timed)
            found.append({"name": name, "seconds": times})
    return found


def _check(name: str, pair: Pair) -> None:
    """The results, arrays or tuples of arrays, agree within rounding."""
    results = [value if isinstance(value, tuple) else (value,)
               for value in (pair.with_it(), pair.without())]
    for ours, plain in zip(*results, strict=True):
        off = np.abs(np.asarray(ours, np.float64) - plain).max()
        if not off <= TOLERANCE * np.abs(plain).max():
            raise WrongResult(f"with and without it, results differ by {off:.2g}: "
                              f"{name}")


def lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in found:
        with_it, without = (median(one["seconds"][key]) for key in ("with", "without"))
        rows.append((one["name"], milliseconds(with_it), milliseconds(without),
                     ratio(without / with_it)))
    return [*title("Tricks"), *table(
        ("trick", "ms with it", "without", "times as fast"), rows)]
