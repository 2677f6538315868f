"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import (
    compiling,
    hardware,
    pytorch,
    race,
    shapes,
    soak,
    step,
    tricks,
)
from benchmarks.contenders import CONTENDERS, WrongResult
from convlab import storage
from convlab.layers.threads import at_most
from convlab.memory import keep_freed_memory

PARTS = ("shapes", "step", "compile", "tricks", "soak", "race")
LONG = ("soak", "race")  # run only where asked for
BUSY = 0.05  # part of the processors' time that others may use


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; 0, or 1 where a result was wrong."""
    given = _parser().parse_args(words)
    asked = given.only or [part for part in PARTS if part not in LONG]
    try:
        for part, found in measure(given, asked):
            print("\n".join(section(part, found)), flush=True)
            if given.json:  # each time: a run that is stopped leaves what it found
                storage.write_text(given.json, json.dumps(found, indent=1) + "\n")
    except WrongResult as error:
        print(f"Not timed, because a result is wrong: {error}.", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="How fast the layers are, beside "
        "PyTorch (where it is installed), numpy, scipy and plain numba loops.")
    parser.add_argument("--repeats", type=_count, default=7, help="rounds, of which "
                        "the medians are shown (7)")
    parser.add_argument("--threads", type=_threads, default=_cores(),
                        help="of each contender (all cores)")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; can "
                        "be given again. All but soak and race, if none is given")
    parser.add_argument("--layers", default="", metavar="WORD", help="of the shapes, "
                        "those that have this word in their names")
    parser.add_argument("--contenders", default="", metavar="WORD", help="for the "
                        "shapes, beside ours those that have this word in their names")
    parser.add_argument("--steps", type=_count, default=2000, help="of the soak (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the race (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times")
    return parser


def _count(word: str) -> int:
    value = int(word)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def _threads(word: str) -> int:
    value = _count(word)
    if value > _cores():
        raise argparse.ArgumentTypeError(
            f"{value} threads, but this process may use {_cores()} cores")
    return value


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure(given: argparse.Namespace, asked: Sequence[str]
            ) -> Iterator[tuple[str, dict[str, Any]]]:
    """Part by part, the machine first: (its name, all that was found up to it)."""
    parts: dict[str, Callable[[], Any]] = {
        "machine": partial(hardware.measure, given.threads),
        "shapes": partial(_shapes, given),
        "step": partial(step.measure, given.repeats),
        "compile": compiling.measure,
        "tricks": partial(tricks.measure, given.repeats),
        "soak": partial(soak.measure, given.steps),
        # `make train` uses all cores.
        "race": partial(race.measure, given.seed,
                        take_finished=given.threads == _cores())}
    found: dict[str, Any] = {"others": {}}
    with at_most(given.threads), pytorch.threads(given.threads):
        for name in dict.fromkeys(("machine", *asked)):
            with hardware.Others() as others:
                found[name] = parts[name]()
            found["others"][name] = others.share
            yield name, found


def _shapes(given: argparse.Namespace) -> list[dict[str, Any]]:
    asked = [one for one in shapes.problems() if given.layers in one.name]
    if not asked:
        raise SystemExit(f"No layer has {given.layers!r} in its name.")
    chosen = [one for one in CONTENDERS
              if one is CONTENDERS[0] or given.contenders in one.name]
    return shapes.measure(asked, given.repeats, chosen)


def section(part: str, found: Mapping[str, Any]) -> list[str]:
    """The text of a part that was measured."""
    printers = {
        "machine": hardware.lines, "step": step.lines, "compile": compiling.lines,
        "tricks": tricks.lines, "soak": soak.lines,
        "race": race.lines,
        "shapes": lambda rows: shapes.lines(rows, found["machine"])}
    return [*printers[part](found[part]), *_others(part, found)]


def _others(part: str, found: Mapping[str, Any]) -> list[str]:
    """What else ran meanwhile."""
    share = found["others"][part]
    said = f"Meanwhile other processes used {share:.0%} of the processors."
    if share > BUSY:
        said += (" That is too much: it costs most whoever waits for a thread by "
                 "spinning,\nas PyTorch does where OMP_WAIT_POLICY is not set. Trust "
                 "the best times more than the medians.")
    return ["", said]


if __name__ == "__main__":
    keep_freed_memory()  # for each contender alike, as in make train
    sys.exit(main())
