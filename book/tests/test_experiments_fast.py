"""The convolutions that are timed are all right, and what is timed is counted right."""

from __future__ import annotations

import numpy as np
import pytest

from book.experiments import fast_convolution as fast
from book.experiments.convolutions import WAYS, chunks_as_rows, eight_pixels
from book.recording import recorded
from convlab.arithmetic import Conv
from convlab.layers import conv2d_forward, products, threads

CASE = fast.Case("small", 2, (5, 6, 3), Conv(4, 3, stride=2, pad=2))


@pytest.fixture(scope="module")
def layer():
    # Wider than high, so that rows and columns cannot be swapped unnoticed.
    x = np.random.default_rng(1).normal(size=(2, 7, 9, 3)).astype(np.float32)
    w = np.random.default_rng(2).normal(size=(4, 3, 5, 3)).astype(np.float32)
    return x, w, np.array([1, -2, 0.5, 0], np.float32)


@pytest.mark.parametrize("name", WAYS)
def test_every_way_computes_the_same(layer, name):
    x, w, b = layer
    y = np.full((2, 3, 3, 4), np.nan, np.float32)
    made = WAYS[name](x, w, b, 2, y)
    y = y if made is None else made
    patches = [[x[:, p:p + 3, q:q + 5].astype(float) for q in (0, 2, 4)]
               for p in (0, 2, 4)]
    expected = np.einsum("pqnrsc,krsc->npqk", patches, w.astype(float)) + b
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("block", "in_registers"),
                         [(None, False), (16, False), (16, True)])
def test_loops_with_sums_here_or_there_compute_the_same(block, in_registers):
    rng = np.random.default_rng(3)
    x, w, b = (rng.normal(size=shape).astype(np.float32)
               for shape in ((2, 6, 18, 3), (16, 2, 3, 3), (16,)))
    weights, y = np.ascontiguousarray(w.transpose(1, 2, 3, 0)), fast.outputs(x, w)
    assert y.shape == (2, 5, 16, 16)
    eight_pixels(block, in_registers)(x, weights, b, y, np.empty(8 * 16, np.float32))
    np.testing.assert_allclose(y, conv2d_forward(x, w, b), rtol=1e-4, atol=1e-4)


def test_what_is_held_is_multiplied_and_added_in_turn():
    # 1 becomes 2 * 1 + 3, and that 2 * 5 + 3; 2 and 3 go on likewise.
    start = np.ones(fast.IN_REGISTERS, np.float32)
    start[:2] = 2, 3
    rest = (fast.IN_REGISTERS - 2) * 13
    assert fast._multiply_add(1, 2, 2, start) == 2 + (17 + 21) + rest


def test_chunks_as_rows_by_hand():
    x = np.arange(12.0).reshape(1, 3, 4, 1)
    np.testing.assert_array_equal(
        chunks_as_rows(x, 2, 2, 1)[[0, 1, 5]],
        [[0, 1, 4, 5], [1, 2, 5, 6], [6, 7, 10, 11]])


def test_costs_of_the_layers_by_hand():
    by_name = {case.name: case for case in fast.CASES}
    strided = by_name["strided"]
    assert strided.macs == 55 * 55 * 96 * 11 * 11 * 3
    assert strided.numbers() == {
        "input": 227 * 227 * 3, "weights": 96 * (11 * 11 * 3 + 1),
        "columns": 55 * 55 * 11 * 11 * 3, "output": 55 * 55 * 96}
    first = by_name["first"]
    assert first.macs == 16 * 32 * 32 * 32 * 5 * 5 * 3
    assert first.numbers()["input"] == 16 * 36 * 36 * 3
    assert first.title == "32x32x3, 32 of 5x5"


def test_arrays_of_a_layer_are_padded_and_float32():
    x, w, b = CASE.arrays(np.random.default_rng(0))
    assert (x.shape, w.shape, b.shape) == ((2, 9, 10, 3), (4, 3, 3, 3), (4,))
    assert {a.dtype for a in (x, w, b)} == {np.dtype(np.float32)}
    assert not x[:, :2].any()
    assert x[:, 2:7, 2:8].all()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(fast, "REST", 0)
    monkeypatch.setattr(fast, "SAMPLE", 1e-9)  # one call
    monkeypatch.setattr(fast, "ROUNDS", 2)


def test_a_round_times_every_call_once_after_one_that_wakes_it(quick):
    called = []
    seconds = fast.timed({name: lambda name=name: called.append(name)
                          for name in ("a", "b")})
    assert called == ["a", "a", "b", "b"] * 2
    assert {name: len(of) for name, of in seconds.items()} == {"a": 2, "b": 2}
    assert all(s >= 0 for of in seconds.values() for s in of)
    assert fast.medians({"a": [3.0, 1.0, 2.00006]}) == {"a": 2.0}


def test_a_layer_is_measured_by_its_operations(quick):
    case = fast.Case("one", 2, (6, 7, 3), Conv(4, 3))
    found, rounds = fast.measure(case, *case.arrays(np.random.default_rng(0)))
    assert found["flops"] == 2 * 2 * 4 * 5 * 4 * 3 * 3 * 3
    assert found["python_part"] == 0.5  # one image of two
    for name in WAYS:
        part = 0.5 if name == fast.python_way() else 1
        assert found["gflops"][name] == pytest.approx(
            part * found["flops"] / found["seconds"][name] / 1e9, rel=1e-2)
    assert len(rounds) == len(WAYS) + 4
    assert {len(of) for of in rounds} == {2}


def test_plain_python_gets_whole_rows(monkeypatch):
    case = fast.Case("one", 2, (9, 7, 3), Conv(4, 3, stride=2))
    x, _, _ = case.arrays(np.random.default_rng(0))
    monkeypatch.setattr(fast, "PYTHON_MACS", 2 * 3 * 4 * 27 + 5)  # two rows of three
    assert fast.python_part(case, x).shape == (1, 5, 7, 3)
    monkeypatch.setattr(fast, "PYTHON_MACS", 1)
    assert fast.python_part(case, x).shape == (1, 3, 7, 3)


def test_settings_of_the_layer_are_put_back(quick, layer):
    guard, tile = threads._one_blas_thread, products.TILE_BYTES
    x, w, b = layer
    assert len(fast.threads_compared(x, w, b)) == 5
    assert fast.tile_sizes(x, w, b)["ours"] == tile
    assert (threads._one_blas_thread, products.TILE_BYTES) == (guard, tile)


def test_a_round_trip_goes_through_the_whole_array():
    order = np.array([2, 0, 3, 1])
    following = np.empty_like(order)
    following[order] = np.roll(order, -1)
    place, seen = 0, []
    for _ in order:
        place = int(following[place])
        seen.append(place)
    assert sorted(seen) == [0, 1, 2, 3]
    assert fast._walk(following, 4) == 0


def test_the_chapter_says_what_the_record_shows():
    """Recorded anew, figures change; these are what the text relies on."""
    run = recorded("fast_convolution")
    python, across, written, along, _, product, tiled, ours = run["ways"]
    speeds = [layer["gflops"] for layer in run["layers"].values()]
    assert all(of[written] > 50 * of[python] for of in speeds)
    assert all(of[written] < run["limits"]["gflops"] / 3 for of in speeds)
    assert all(of[written] > of[across] for of in speeds)
    assert sum(of[along] > of[written] for of in speeds) >= 5
    assert all(of[ours] > 500 * of[python] for of in speeds)
    gain = [of[tiled] / of[product] for of in speeds]
    assert gain[-1] == max(gain) > 1
    assert sum(of[ours] > of[tiled] for of in speeds) > len(speeds) / 2
    assert all(of[ours] > of[along] for of in speeds)
    limits, sums = run["limits"], run["sums"]
    assert limits["gflops"] < limits["registers"]
    assert max(of[ours] for of in speeds) < 1.1 * limits["registers"]
    assert sums["in registers"] > 1.5 * sums["in an array"]
    assert sums["in registers"] > sums["one product"]
    assert sums["in an array, any number of filters"] < 1.1 * sums["in an array"]
    assert run["order"]["across"] > 3 * run["order"]["along"]
    reads = run["caches"]["nanoseconds"]
    assert reads[-1] > 10 * reads[0]
    compiling = run["compiling"]
    assert compiling["second"] < compiling["from_disk"] < compiling["first"]
    assert compiling["first"] > 100 * compiling["second"]
    shared = run["threads_with_other_work"]
    assert shared.keys() == run["threads"].keys()
    assert shared["tiles, our threads and BLAS's"] > 1.3 * shared["tiles, our threads"]
    assert run["tiles"]["seconds"][-1] > min(run["tiles"]["seconds"])
    assert run["rounds"] >= 7


def test_the_record_has_every_round_and_their_medians():
    run = recorded("fast_convolution")
    raw = run["seconds_of_each_round"]
    assert raw.shape == (len(run["layers"]), len(run["ways"]) + 4, run["rounds"])
    for layer, rounds in zip(run["layers"].values(), raw, strict=True):
        middle = np.median(rounds, axis=1)
        np.testing.assert_allclose(
            list(layer["seconds"].values()), middle[:len(run["ways"])], rtol=1e-3)
        assert layer["backward"] == pytest.approx(middle[-1], rel=1e-3)


def test_the_record_is_of_the_layers_that_are_there():
    layers = recorded("fast_convolution")["layers"]
    assert {name: (layer["title"], layer["flops"], layer["numbers"])
            for name, layer in layers.items()} == {
        case.name: (case.title, 2 * case.macs, case.numbers()) for case in fast.CASES}
