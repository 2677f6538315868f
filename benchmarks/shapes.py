"""Ten convolution layers of real networks, ours beside others'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tqdm import tqdm

from benchmarks import timing
from benchmarks.contenders import CONTENDERS, OURS, PYTORCH, Calls, Contender, check
from benchmarks.problem import Problem
from benchmarks.tables import MISSING, milliseconds, ratio, table, title
from benchmarks.timing import geometric_mean, median
from convlab.architecture import trace_architecture
from convlab.arithmetic import Conv, Shape, numbers_in
from convlab.published import ALEXNET, GOOGLENET, LENET5, VGG16, Published
from convlab.recipes import SETUPS

PASSES = ("forward", "backward", "both")
# A batch is halved until a call takes well below a second, and fits in memory with
# all contenders' copies.
BATCH, MOST_MACS, MOST_NUMBERS = 128, 8_000_000_000, 1 << 25
CIFAR_IMAGE, CIFAR_CLASSES = (32, 32, 3), 10


def problems() -> list[Problem]:
    """The ten; all sizes are those of convlab.published and convlab.recipes."""
    return [
        _published(LENET5, "C1"), _published(LENET5, "C3"),
        _published(ALEXNET, "conv1"), _published(ALEXNET, "conv2"),
        _published(VGG16, "conv1_1"), _published(VGG16, "conv2_2"),
        _published(VGG16, "conv4_2"), _published(GOOGLENET, "conv2"),
        *_of_the_course(2)]


def _published(network: Published, name: str) -> Problem:
    """A paper's layer, every filter on all channels (LeNet's C3 and AlexNet's conv2
    have filters that see some of them)."""
    row = network[name].rows[0]
    layer = row.layer
    conv = Conv(row.output_shape[2], layer.size, getattr(layer, "stride", 1),
                getattr(layer, "pad", 0))
    return _problem(f"{network.name} {name}", conv, row.input_shape)


def _of_the_course(count: int) -> list[Problem]:
    """Of the network that the course trains on CIFAR-10, the convolutions that
    compute most, in their order."""
    rows = trace_architecture(
        SETUPS["cifar10"].architecture, CIFAR_IMAGE, CIFAR_CLASSES)
    found = {f"CIFAR-10 net conv{at}": row for at, row in enumerate(
        (row for row in rows if isinstance(row.layer, Conv)), start=1)}
    most = sorted(found, key=lambda name: found[name].macs)[-count:]
    return [_problem(name, row.layer, row.input_shape)
            for name, row in found.items() if name in most]


def _problem(name: str, layer: Conv, input_shape: Shape) -> Problem:
    batch = BATCH
    while True:
        problem = Problem(name, layer, input_shape, batch)
        numbers = batch * (
            numbers_in(input_shape) + numbers_in(problem.output_shape))
        if batch == 1 or (problem.macs <= MOST_MACS and numbers <= MOST_NUMBERS):
            return problem
        batch //= 2


def measure(asked: Sequence[Problem], repeats: int,
            contenders: Sequence[Contender] = CONTENDERS, **timed: float
            ) -> list[dict[str, Any]]:
    """A dict a layer; raises WrongResult before anything wrong is timed."""
    with tqdm(total=len(asked) * repeats, unit="round", desc="layers") as bar:
        return [_measure(problem, repeats, contenders, bar, timed) for problem in asked]


def _measure(problem: Problem, repeats: int, contenders: Sequence[Contender],
             bar: tqdm, timed: Mapping[str, float]) -> dict[str, Any]:
    bar.set_description(problem.name)
    present = [one for one in contenders if one.installed]
    calls = prepare(problem, present)
    times = timing.in_turn(
        {(name, pass_): getattr(made, pass_) for name, made in calls.items()
         for pass_ in PASSES[:2]}, repeats, after=bar.update, **timed)
    seconds = {}
    for one in present:
        scale = problem.macs / one.problem(problem).macs
        forward, backward = ([scale * t for t in times[one.name, pass_]]
                             for pass_ in PASSES[:2])
        seconds[one.name] = dict(zip(
            PASSES, (forward, backward, timing.both(forward, backward)), strict=True))
    return {
        "name": problem.name, "layer": str(problem), "batch": problem.batch,
        "flops": {pass_: problem.flops(pass_) for pass_ in PASSES},
        "bytes": {pass_: problem.bytes(pass_) for pass_ in PASSES},
        "seconds": seconds,
        "missing": [one.name for one in contenders if not one.installed],
        "parts": {one.name: str_of_part(one.problem(problem), problem)
                  for one in present if one.problem(problem) != problem}}


def str_of_part(part: Problem, whole: Problem) -> str:
    """How much of a problem a slow contender was given."""
    text = f"{part.batch} of {whole.batch} images"
    if part.layer != whole.layer:
        text += f", {part.layer.filters} of {whole.layer.filters} filters"
    return text


def prepare(problem: Problem, contenders: Sequence[Contender]) -> dict[str, Calls]:
    """The calls of all, each checked against ours on what it computes."""
    ours = next(one for one in contenders if one.name == OURS)
    expected, calls = {}, {}
    for one in contenders:
        given = one.problem(problem)
        if given not in expected:
            expected[given] = ours.prepare(given).results()
        calls[one.name] = one.prepare(given)
        if one is not ours:
            check(one, given, calls[one.name], expected[given])
    return calls


Of = Callable[[Sequence[float]], float]


def seconds_of(row: Mapping[str, Any], pass_: str, of: Of = median
               ) -> dict[str, float]:
    """Seconds by contender: the median of its times, or what else is asked for."""
    return {name: of(times[pass_]) for name, times in row["seconds"].items()}


def against_pytorch(row: Mapping[str, Any], pass_: str, of: Of = median
                    ) -> float | None:
    """PyTorch's time in its faster layout over ours; None without PyTorch."""
    seconds = seconds_of(row, pass_, of)
    theirs = [seconds[name] for name in PYTORCH if name in seconds]
    return min(theirs) / seconds[OURS] if theirs else None


def lines(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> list[str]:
    """The tables: what the layers are, each pass, and what bounds it."""
    names = [one.name for one in CONTENDERS
             if one.name in rows[0]["seconds"] or one.name in rows[0]["missing"]]
    text = title("Convolution layers, float32")
    text += table(("layer", "images", "", "batch", "GFLOP"), [
        (row["name"], row["layer"].split(",")[0], row["layer"].split(", ")[1],
         str(row["batch"]), f"{row['flops']['forward'] / 1e9:.2f}") for row in rows])
    text += ["", "GFLOP: of the definition, forward; backward has twice as many."]
    for pass_ in PASSES:
        text += _pass_lines(rows, pass_, names, machine)
    return text + _parts(rows) + _bounds(rows, machine)


def _pass_lines(rows: Sequence[Mapping[str, Any]], pass_: str, names: Sequence[str],
                machine: Mapping[str, Any]) -> list[str]:
    repeats = len(rows[0]["seconds"][OURS][pass_])
    text = title({"forward": "Forward", "backward": "Backward (dx, dw, db)",
                  "both": "Forward and backward"}[pass_])
    text += [f"Milliseconds: medians of {repeats}, ~ scaled up from a part; at the "
             "right: PyTorch's faster layout / ours.", ""]
    peak = machine["gflops"]["all"]
    body = []
    for row in rows:
        seconds = seconds_of(row, pass_)
        speed = row["flops"][pass_] / seconds[OURS] / 1e9
        body.append((
            row["name"], *(_cell(seconds.get(name), name in row["parts"])
                           for name in names),
            f"{speed:.1f}", f"{speed / peak:.0%}", _ratio(against_pytorch(row, pass_))))
    body.append(("times ours, geometric mean",
                 *(_mean_ratio(rows, pass_, name) for name in names), "", "", ""))
    text += table(("layer", *names, "GFLOP/s", "of peak", "PyTorch/ours"), body)
    return [*text, "", *_verdict(rows, pass_)]


def _cell(seconds: float | None, scaled: bool) -> str:
    if seconds is None:
        return MISSING
    return "~" * scaled + milliseconds(seconds)


def _ratio(value: float | None) -> str:
    return MISSING if value is None else ratio(value)


def _mean_ratio(rows: Sequence[Mapping[str, Any]], pass_: str, name: str) -> str:
    found = [seconds_of(row, pass_) for row in rows]
    if any(name not in seconds for seconds in found):
        return MISSING
    return ratio(geometric_mean(seconds[name] / seconds[OURS] for seconds in found))


def _verdict(rows: Sequence[Mapping[str, Any]], pass_: str) -> list[str]:
    """By the medians, and by the best times, which other processes hinder less."""
    if against_pytorch(rows[0], pass_) is None:
        missing = set(PYTORCH) & set(rows[0]["missing"])
        return [f"PyTorch is {MISSING}: see CONTRIBUTING.md, Speed."] * bool(missing)
    text = ["PyTorch's faster layout / ours:"]
    for name, of in (("medians", median), ("best times", min)):
        ratios = {row["name"]: against_pytorch(row, pass_, of) for row in rows}
        worst = min(ratios, key=ratios.get)
        text.append(
            f"  {name}: geometric mean {geometric_mean(ratios.values()):.2f}, worst "
            f"{ratios[worst]:.2f} ({worst}); {sum(r >= 1 for r in ratios.values())} of "
            f"{len(ratios)} layers at least as fast")
    return text


def _parts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the slow ones computed."""
    names = dict.fromkeys(name for row in rows for name in row["parts"])
    text = []
    for name in names:
        text += ["", f"{name}: scaled up from " + "; ".join(
            f"{row['parts'][name]} ({row['name']})" for row in rows
            if name in row["parts"])]
    return text


def _bounds(rows: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]
            ) -> list[str]:
    """The roofline: peak or bandwidth, whichever is reached first."""
    peak, bandwidth = machine["gflops"]["all"], machine["bandwidth"]
    body = []
    for row in rows:
        cells = [row["name"]]
        for pass_ in PASSES[:2]:
            flops = row["flops"][pass_]
            intensity = flops / row["bytes"][pass_]
            bound = min(peak, intensity * bandwidth)
            speed = flops / median(row["seconds"][OURS][pass_]) / 1e9
            cells += [f"{intensity:.1f}", f"{bound:.1f}", f"{speed:.1f}",
                      f"{speed / bound:.0%}"]
        body.append(tuple(cells))
    text = title("What bounds them")
    text += [f"The lower one of {peak:.0f} GFLOP/s and FLOPs/byte x {bandwidth:.1f} "
             "GB/s, bytes counted as if each array moved once.", ""]
    heads = ("FLOPs/byte", "bound GFLOP/s", "ours", "of it")
    return text + table(("layer", *(f"{pass_[0]}w {head}" if place == 0 else head
                                    for pass_ in ("fw", "bw")
                                    for place, head in enumerate(heads))), body)
