"""Recorded runs: what takes too long to compute while the book is built.

    python -m book.recording lenet5_digits

runs `book/experiments/lenet5_digits.py` and writes `book/results/lenet5_digits.json`,
and the arrays beside it as an .npz. An experiment is a module with `DATA` (a
sentence: which data, how many), `SEED`, and `run(seed)`, which returns a mapping of
names to JSON values and NumPy arrays. A page asks for the record by name,
`recorded("lenet5_digits")`, in its `{numbers}` block or in a cell, and every record
says where it comes from: data, seed, machine, versions, commit and date.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convlab import storage
from convlab.machine import machine, versions

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "book" / "results"
# What a record must come out of, unchanged since the commit that it names.
SOURCES = ("convlab", "book/experiments")


class RecordError(ValueError):
    """A record that is not there or cannot be made; the message says what to do."""


@dataclass(frozen=True)
class Record:
    """A recorded run: what it gave, and where that comes from.

    values: names to JSON values. arrays: names to NumPy arrays.
    """

    name: str
    data: str
    seed: int
    machine: str
    versions: Mapping[str, str]
    commit: str
    date: str
    seconds: float
    values: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    def __getitem__(self, name: str) -> Any:
        """A value, or an array, by its name."""
        for found in (self.values, self.arrays):
            if name in found:
                return found[name]
        raise RecordError(f"the record {self.name!r} has no {name!r}: it has "
                          f"{', '.join([*self.values, *self.arrays])}")

    @property
    def about(self) -> str:
        """One sentence for a caption: data, seed, machine, commit, date."""
        return (f"{self.data}; seed {self.seed}; {self.machine}; commit "
                f"{self.commit[:7]}, {self.date}.")


def recorded(name: str, results: Path = RESULTS) -> Record:
    """Read a record. RecordError where there is none, or where it is no record."""
    path = results / f"{name}.json"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = ", ".join(sorted(p.stem for p in results.glob("*.json"))) or "none"
        raise RecordError(f"there is no record {name!r} (there: {there}): make it "
                          f"with python -m book.recording {name}") from None
    except ValueError as error:
        raise RecordError(f"{path.name} is no record: {error}") from None
    beside = path.with_suffix(".npz")
    arrays = storage.read(beside)[0] if beside.exists() else {}
    try:
        return Record(name=name, arrays=arrays, **fields)
    except TypeError as error:
        raise RecordError(f"{path.name} is no record: {error}") from None


def record(name: str, outcome: Mapping[str, Any], *, data: str, seed: int,
           seconds: float, commit: str, results: Path = RESULTS) -> Path:
    """Write what a run gave, and where it comes from; returns the JSON file."""
    arrays = {key: value for key, value in outcome.items()
              if isinstance(value, np.ndarray)}
    fields = {
        "data": data, "seed": seed, "machine": machine(), "versions": versions(),
        "commit": commit, "date": datetime.date.today().isoformat(),
        "seconds": round(seconds, 1),
        "values": {key: value for key, value in outcome.items() if key not in arrays}}
    path, beside = results / f"{name}.json", results / f"{name}.npz"
    text = json.dumps(fields, indent=1) + "\n"  # before anything is written
    if arrays:
        storage.write(beside, arrays, {"commit": commit})
    else:
        beside.unlink(missing_ok=True)
    storage.write_text(path, text)
    return path


def committed() -> str:
    """The commit of the code that runs. RecordError where files differ from it."""
    changed = _git("status", "--porcelain", "--", *SOURCES)
    if changed:
        raise RecordError("a record names the commit that made it, and these files are "
                          f"not committed:\n{changed}\nCommit them, run this again.")
    return _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RecordError("a record names the commit that made it: run this in a git "
                          f"clone of the course ({done.stderr.strip()})")
    return done.stdout.rstrip()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m book.recording", description="Run an experiment, record it.")
    parser.add_argument("name", help="a module of book/experiments")
    name = parser.parse_args(arguments).name
    try:
        experiment = importlib.import_module(f"book.experiments.{name}")
        commit = committed()
        started = time.perf_counter()
        outcome = experiment.run(experiment.SEED)
        path = record(name, outcome, data=experiment.DATA, seed=experiment.SEED,
                      seconds=time.perf_counter() - started, commit=commit)
    except (ModuleNotFoundError, RecordError) as error:
        print(error, file=sys.stderr)
        return 1
    print(path.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
