"""The benchmark: right results, right sums, all rows; never how fast anything is."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks import (
    __main__,
    compiling,
    hardware,
    pytorch,
    shapes,
    soak,
    step,
    timing,
    tricks,
)
from benchmarks.contenders import CONTENDERS, OURS, PYTORCH, Calls, Contender, check
from benchmarks.contenders import WrongResult as Wrong
from benchmarks.problem import Problem
from benchmarks.tables import MISSING, milliseconds, table
from benchmarks.timing import both, geometric_mean
from benchmarks.twin import NoTwin
from convlab.arithmetic import Conv

QUICK = {"rest": 0.0, "sample": 0.0}
MACHINE = {"gflops": {"one": 50.0, "all": 100.0}, "bandwidth": 10.0}
PROBLEMS = [
    Problem("plain", Conv(4, 3), (6, 7, 3), 2),
    Problem("padded", Conv(5, 3, pad=1), (5, 6, 2), 3),
    Problem("strided", Conv(3, 3, stride=2, pad=1), (7, 9, 2), 2),
    Problem("strided, of odd filters", Conv(2, 5, stride=3, pad=2), (10, 7, 4), 1),
    Problem("1x1", Conv(6, 1), (4, 3, 5), 2),
]
INSTALLED = [one for one in CONTENDERS if one.installed]


def oracle(problem: Problem) -> dict[str, np.ndarray]:
    """All results in float64: y by einsum over windows, gradients by its transpose."""
    given, (stride, pad) = problem.inputs, problem.places
    x, w, b, dy = (a.astype(np.float64) for a in (given.x, given.w, given.b, given.dy))
    around = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    padded, size = np.pad(x, around), w.shape[1]
    windows = sliding_window_view(padded, (size, size), axis=(1, 2))
    seen = windows[:, ::stride, ::stride]
    dx = np.zeros_like(padded)
    for p in range(dy.shape[1]):
        for q in range(dy.shape[2]):
            chunk = np.s_[:, p * stride:p * stride + size, q * stride:q * stride + size]
            dx[chunk] += np.einsum("nk,kijc->nijc", dy[:, p, q], w)
    height, width = x.shape[1:3]
    return {"y": np.einsum("npqcij,kijc->npqk", seen, w) + b,
            "dx": dx[:, pad:pad + height, pad:pad + width],
            "dw": np.einsum("npqk,npqcij->kijc", dy, seen), "db": dy.sum((0, 1, 2))}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: one.name)
@pytest.mark.parametrize("contender", INSTALLED, ids=lambda one: one.name)
def test_every_contender_computes_what_an_oracle_does(contender, problem):
    found = contender.prepare(problem).results()
    for name, expected in oracle(problem).items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-4)


class TestWrongResults:
    @staticmethod
    def spoiled(name, change):
        """A contender whose one result is changed."""
        def prepare(problem):
            calls = CONTENDERS[0].prepare(problem)
            results = calls.results()
            results[name] = change(results[name])
            y, *gradients = results.values()
            return Calls(lambda: y, lambda: tuple(gradients))
        return Contender("a quick one", prepare)

    @pytest.mark.parametrize("name", ["y", "dx", "dw", "db"])
    @pytest.mark.parametrize("change", [
        lambda a: a * 1.01, lambda a: a[..., :-1], lambda a: a * np.nan,
        lambda a: np.where(np.arange(a.size).reshape(a.shape) == 1, 0, a)],
        ids=["scaled", "too small", "not a number", "one number"])
    def test_are_refused_before_anything_is_timed(self, name, change, monkeypatch):
        monkeypatch.setattr(timing, "in_turn", lambda *_, **__: pytest.fail("timed"))
        contenders = [CONTENDERS[0], self.spoiled(name, change)]
        with pytest.raises(Wrong, match=f"a quick one gets another {name} than ours"):
            shapes.measure(PROBLEMS[:1], 1, contenders, **QUICK)

    def test_the_command_says_so_and_fails(self, monkeypatch, capsys, machine):
        monkeypatch.setattr(__main__.shapes, "problems", lambda: PROBLEMS[:1])
        wrong = self.spoiled("dw", np.zeros_like)
        monkeypatch.setattr(__main__, "CONTENDERS", (CONTENDERS[0], wrong))
        assert __main__.main(["--only", "shapes", "--repeats", "1"]) == 1
        out, err = capsys.readouterr()
        assert "Forward" not in out
        assert "Not timed, because a result is wrong: a quick one gets" in err

    def test_what_rounds_differently_is_not_wrong(self):
        calls = CONTENDERS[0].prepare(PROBLEMS[0])
        nearly = {name: a * (1 + 1e-5) for name, a in calls.results().items()}
        check(CONTENDERS[0], PROBLEMS[0], calls, nearly)

    def test_a_trick_that_changes_the_result(self):
        pair = tricks.Pair(lambda: np.ones(3), lambda: np.array([1, 1, 1.1]))
        with pytest.raises(Wrong, match="results differ by 0.1: a shortcut"):
            tricks.measure(1, {"a shortcut": lambda: pair}, **QUICK)

    def test_losses_that_do_not_agree(self):
        steps = {OURS: iter([2.0, 1.9, 1.8]).__next__,
                 "other": iter([2.0, 1.9, 1.7]).__next__}
        with pytest.raises(Wrong, match="loss of step 3 is 1.700000 with other"):
            step.agree(steps)


class TestTiming:
    def test_contenders_take_turns(self):
        order, rounds = [], []
        calls = {name: lambda name=name: order.append(name) for name in "abc"}
        times = timing.in_turn(calls, 2, **QUICK, after=lambda: rounds.append(1))
        assert "".join(order) == "aabbcc" "abcabc"
        assert [len(found) for found in times.values()] == [2, 2, 2]
        assert len(rounds) == 2

    def test_short_calls_are_repeated_until_they_fill_a_sample(self, monkeypatch):
        clock = iter(np.arange(1000) * 0.25)  # each look at the clock is 0.25 s later
        monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
        calls = []
        times = timing.in_turn({"a": lambda: calls.append(1)}, 2, rest=0, sample=1.0)
        assert times == {"a": [0.25, 0.25]}
        assert len(calls) == 2 + 2 * (1 + 4)

    def test_geometric_mean(self):
        assert geometric_mean([2, 0.5]) == pytest.approx(1)
        assert geometric_mean([1, 10, 100]) == pytest.approx(10)

    def test_both_is_added_round_by_round(self):
        assert both([1, 5, 2], [10, 20, 90]) == [11, 25, 92]


def made_up(name, ours, contiguous=None, channels_last=None):
    """A row whose forward times are given, backward twice them."""
    seconds = {OURS: ours, PYTORCH[0]: contiguous, PYTORCH[1]: channels_last}
    problem = replace(PROBLEMS[0], name=name)
    return {
        "name": name, "layer": str(problem), "batch": problem.batch, "parts": {},
        "flops": {"forward": 1e9, "backward": 2e9, "both": 3e9},
        "bytes": {"forward": 5e8, "backward": 1e7, "both": 5.1e8},
        "missing": [key for key, times in seconds.items() if not times],
        "seconds": {key: {"forward": times, "backward": [2 * t for t in times],
                          "both": [3 * t for t in times]}
                    for key, times in seconds.items() if times}}


class TestTables:
    rows = [made_up("first", [0.1, 0.2, 9.0], [0.8, 0.8, 0.8], [0.4, 0.4, 0.1]),
            made_up("second", [0.1, 0.1, 0.1], [0.05, 0.05, 0.01], [7, 7, 7])]

    def test_ratios_are_of_medians_with_the_faster_layout(self):
        assert [shapes.against_pytorch(row, "forward") for row in self.rows] == [
            pytest.approx(2), pytest.approx(0.5)]
        assert shapes.against_pytorch(self.rows[0], "forward", min) == pytest.approx(1)
        assert shapes.against_pytorch(made_up("alone", [1.0]), "both") is None

    def test_the_verdict(self):
        text = shapes.lines(self.rows, MACHINE)
        assert ("  medians: geometric mean 1.00, worst 0.50 (second); 1 of 2 layers "
                "at least as fast") in text
        assert ("  best times: geometric mean 0.32, worst 0.10 (second); 1 of 2 layers "
                "at least as fast") in text

    def test_speed_and_roofline(self):
        text = shapes.lines(self.rows, MACHINE)
        forward = next(line for line in text[text.index("Forward"):]
                       if line.startswith("first"))
        # 1 GFLOP in 0.2 s, of a peak of 100; 200 ms, 800 ms, 400 ms
        assert forward.split() == ["first", "200", "800", "400", "5.0", "5%", "2.00"]
        bound = text[-2].split()
        # 2 FLOPs/byte at 10 GB/s; backward 200 FLOPs/byte, which the peak bounds
        assert bound == ["first", "2.0", "20.0", "5.0", "25%",
                         "200.0", "100.0", "5.0", "5%"]

    def test_every_row_is_in_every_table(self):
        text = shapes.lines(self.rows, MACHINE)
        for row in self.rows:
            assert sum(line.startswith(row["name"]) for line in text) == 5

    def test_without_pytorch_its_columns_say_so(self):
        text = "\n".join(shapes.lines([made_up("alone", [1.0, 1.0])], MACHINE))
        assert f"PyTorch is {MISSING}" in text
        found = step.lines({"architecture": "", "batch": 2, "seconds": {OURS: [1.0]}})
        said = [line for line in found if line.startswith(PYTORCH[0])]
        assert [line.split()[2:] for line in said] == [MISSING.split()]

    def test_who_was_not_asked_for_has_no_column(self):
        row = made_up("alone", [1.0, 1.0]) | {"missing": []}
        assert "PyTorch contiguous" not in "\n".join(shapes.lines([row], MACHINE))

    def test_columns_line_up(self):
        assert table(("a", "bb"), [("long", "1"), ("x", "333")]) == [
            "a      bb", "---------", "long    1", "x     333"]

    def test_milliseconds(self):
        assert [milliseconds(s) for s in (1.2e-5, 1.2e-4, 0.0012, 0.012, 1.2)] == [
            "0.0120", "0.120", "1.20", "12.0", "1,200"]


class TestProblems:
    def test_there_are_ten_with_sizes_of_their_papers(self):
        found = {one.name: one for one in shapes.problems()}
        assert len(found) == 10
        assert str(found["AlexNet conv1"]) == "227x227x3, 96 of 11x11 stride 4"
        assert found["VGG-16 conv4_2"].output_shape == (28, 28, 512)
        assert any(one.layer.size == 1 for one in found.values())
        assert all(one.macs <= shapes.MOST_MACS for one in found.values())

    def test_costs(self):
        problem = Problem("", Conv(4, 3), (6, 7, 3), 2)
        macs = 2 * (4 * 5 * 4) * (3 * 3 * 3)
        assert problem.macs == macs
        assert [problem.flops(p) for p in shapes.PASSES] == [
            2 * macs, 4 * macs, 6 * macs]
        x, w, y = 2 * 6 * 7 * 3, 4 * 27 + 4, 2 * 4 * 5 * 4
        assert problem.bytes("forward") == 4 * (x + w + y)
        assert problem.bytes("backward") == 4 * (y + 2 * x + 2 * w)

    def test_a_part_is_fewer_images_and_then_fewer_filters(self):
        problem = Problem("", Conv(4, 3), (6, 7, 3), 8)
        each = problem.macs // 8
        assert problem.part(3 * each) == replace(problem, batch=3)
        assert problem.part(100 * each) == problem
        assert problem.part(each // 2) == replace(
            problem, batch=1, layer=Conv(2, 3))
        assert problem.part(1).layer.filters == 1

    def test_a_part_is_scaled_up_and_the_table_says_so(self, monkeypatch):
        monkeypatch.setattr(timing, "in_turn", lambda calls, repeats, **_: {
            name: [1.0] * repeats for name in calls})
        slow = replace(CONTENDERS[-1], macs=PROBLEMS[0].macs // 2)
        rows = shapes.measure(PROBLEMS[:1], 1, [CONTENDERS[0], slow])
        assert rows[0]["seconds"][slow.name]["forward"] == [2.0]
        text = shapes.lines(rows, MACHINE)
        assert any("~2,000" in line for line in text)
        assert f"{slow.name}: scaled up from 1 of 2 images (plain)" in text


@pytest.fixture
def machine(monkeypatch):
    """Small matrices and a small copy."""
    measure = hardware.measure
    monkeypatch.setattr(hardware, "measure",
                        lambda threads: measure(threads, (8,), 1 << 12))


class TestCommand:
    def test_json_holds_what_is_printed(self, machine, monkeypatch, capsys, tmp_path):
        monkeypatch.setattr(__main__.shapes, "problems", lambda: PROBLEMS)
        monkeypatch.setattr(timing, "in_turn", partial(timing.in_turn, **QUICK))
        monkeypatch.setattr(compiling, "measure", lambda: {
            name: {"import": 0.5, "relu": 1.0} for name in compiling.PROCESSES})
        small = step.measure
        monkeypatch.setattr(step, "measure",
                            lambda repeats: small(repeats, SMALL, 2))
        path = tmp_path / "times.json"
        words = ["--repeats", "1", "--threads", "1", "--json", str(path)]
        assert __main__.main(words) == 0
        found = json.loads(path.read_text())
        printed = capsys.readouterr().out
        parts = ("machine", "shapes", "step", "compile", "tricks")
        assert printed == "".join(
            "\n".join(__main__.section(part, found)) + "\n" for part in parts)
        assert set(found) == {"others", *parts}
        for problem in PROBLEMS:
            assert printed.count(f"\n{problem.name} ") >= 5
        assert "in all" in printed and "1.50" in printed
        assert printed.count("Meanwhile other processes used") == len(found["others"])

    @pytest.mark.parametrize("words", [
        ["--repeats", "0"], ["--threads", "1000000"], ["--only", "nothing"]])
    def test_refuses_what_makes_no_sense(self, words, capsys):
        with pytest.raises(SystemExit):
            __main__.main(words)
        assert "error: argument" in capsys.readouterr().err

    def test_a_layer_that_is_none(self, machine):
        with pytest.raises(SystemExit, match="No layer has 'ResNet-9000'"):
            __main__.main(["--only", "shapes", "--layers", "ResNet-9000"])

    def test_the_machine(self):
        found = hardware.measure(1, (8,), 1 << 12)
        assert found["gflops"]["one"] > 0 and found["bandwidth"] > 0
        text = "\n".join(hardware.lines(found))
        assert "GFLOP/s" in text and "GB/s" in text and "BLAS" in text
        if pytorch.torch is None:
            assert any(line.split() == ["torch", "not", "installed"]
                       for line in hardware.lines(found))


class TestOthers:
    def test_their_share_of_the_processors(self, monkeypatch):
        # 10 s of processors, 8 of them used, 5 by this process
        looks = iter([(1.0, 2.0, 10.0), (6.0, 10.0, 20.0)])
        monkeypatch.setattr(hardware, "_processor_times", lambda: next(looks))
        with hardware.Others() as others:
            pass
        assert others.share == pytest.approx(0.3)

    def test_a_process_that_is_alone_uses_what_it_uses(self):
        ours, used, whole = hardware._processor_times()
        assert 0 < ours < used < whole

    def test_a_busy_machine_is_said(self):
        quiet, busy = (" ".join(__main__._others("step", {"others": {"step": share}}))
                       for share in (0.01, 0.4))
        assert quiet == " Meanwhile other processes used 1% of the processors."
        assert "used 40% of the processors. That is too much" in busy


def setup(architecture):
    """A plain recipe for an architecture."""
    return replace(step.SETUPS["shapes"], architecture=architecture)


SMALL = setup("CONV{5 size=2 pad=0}-RELU-CONV{4}-POOL{3 stride=2}-RELU,SOFTMAX")
TRAININGS = {
    "strided pooling": SMALL,
    "average pooling": setup("[CONV{4}-RELU-POOL{2 average}]*2-(FC{7}-RELU),SOFTMAX"),
    "NORM": setup("CONV{4}-POOL-NORM-RELU-CONV{3}-NORM-POOL{4}-FC{6}-NORM-RELU,"
                  "SOFTMAX"),
    "the recipe's": step.SETUPS["cifar10"],
}


class TestStep:
    @pytest.mark.parametrize("training", TRAININGS)
    def test_steps_are_of_one_network(self, training):
        steps = step.contenders(TRAININGS[training], 6)
        assert set(steps) == {OURS, *(PYTORCH if pytorch.torch else ())}
        step.agree(steps)
        assert all(math.isfinite(call()) for call in steps.values())

    @pytest.mark.skipif(pytorch.torch is None, reason="needs PyTorch")
    def test_a_layer_without_a_twin_is_named(self):
        with pytest.raises(NoTwin, match="Dropout has no twin in PyTorch here"):
            step.measure(1, setup("CONV-DROPOUT,SOFTMAX"), 2, **QUICK)

    def test_each_contender_has_all_its_times(self):
        found = step.measure(2, SMALL, 4, **QUICK)
        assert all(len(times) == 2 for times in found["seconds"].values())
        assert f"A training step, batch {found['batch']}" in step.lines(found)


class TestSoak:
    @staticmethod
    def seen(mib):
        return [{"step": 100 * at, "mib": float(value)} for at, value in enumerate(mib)]

    def test_memory_that_only_rises_at_first_is_flat(self):
        slope, flat = soak.verdict(self.seen([50, 150, 200, 250, 300, 301, 301, 300]))
        assert flat and slope == pytest.approx(0)

    def test_memory_that_grows_is_not(self):
        slope, flat = soak.verdict(self.seen(100 + 2 * np.arange(21)))
        assert slope == pytest.approx(20) and not flat

    def test_it_trains_and_looks(self):
        found = soak.measure(4, setup("CONV{2}-RELU,SOFTMAX"), batch=2, every=2)
        assert [one["step"] for one in found["seen"]] == [0, 2, 4]
        assert "MiB a thousand steps" in soak.lines(found)[-1]


@pytest.mark.slow
def test_a_second_process_finds_what_the_first_one_compiled():
    found = compiling.measure()
    assert list(found) == list(compiling.PROCESSES)
    first, second = found.values()
    assert first.keys() == second.keys() and "relu" in first
    assert any(line.startswith("in all") for line in compiling.lines(found))


def test_a_trick_is_shown_with_and_without():
    pair = tricks.Pair(lambda: np.ones(2), lambda: np.ones(2))
    found = tricks.measure(2, {"made up": lambda: pair}, **QUICK)
    found[0]["seconds"] = {"with": [0.1, 0.1], "without": [0.3, 0.3]}
    assert tricks.lines(found)[-1].split() == ["made", "up", "100", "300", "3.00"]
