"""How many submissions a minute, beside plain nbgrader on the same ones?

`python -m autograder.trials.throughput` makes a sample class of ps2_convolution
and grades it with `python -m autograder grade`. Before and after, in the same
run, plain `nbgrader autograde` with nbgrader's own configuration grades some of
the same submissions: ones that it can, with their notebooks intact. The time
that it takes to start is taken off its time, and left in ours.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import nbformat

from autograder import hidden
from autograder.course import IGNORED, Course
from autograder.record import Record, read_records
from autograder.sample_class import make_class
from autograder.trials import scratch
from autograder.trials.usage import Usage, Watched, growth
from autograder.workers import default_workers

ASSIGNMENT = "ps2_convolution"
# Not what plain nbgrader can grade, or survives.
NOT_FOR_PLAIN = ("broken", "dishonest")
PLAIN_CONFIG = """c = get_config()
c.CourseDirectory.root = {root!r}
c.Execute.timeout = 300
"""
SCORED = re.compile(r" Scored .+ in ([0-9.]+) s$", re.MULTILINE)
# Depths below this process: the grader, what makes its workers, the workers. What
# is below is a student's. nbgrader has its kernels below it.
GRADER, WORKERS = 1, 3
NBGRADER = 1


@dataclass(frozen=True)
class Measured:
    """Some submissions graded, and what it took."""

    submissions: int
    seconds: float
    usage: Usage

    @property
    def each(self) -> float:
        return self.seconds / self.submissions


class Plain:
    """A folder in which plain nbgrader grades some of the class."""

    def __init__(self, folder: Path, course: Course, students: Sequence[str]) -> None:
        self.folder = folder
        self.students = students
        folder.mkdir(parents=True)
        config = PLAIN_CONFIG.format(root=str(folder))
        (folder / "nbgrader_config.py").write_text(config)
        source = folder / "source" / ASSIGNMENT
        shutil.copytree(course.source(ASSIGNMENT).parent, source,
                        ignore=shutil.ignore_patterns(*IGNORED))  # fmt: skip
        _give_bonus_cells_points(source / f"{ASSIGNMENT}.ipynb")
        for student in students:
            shutil.copytree(course.submitted / student / ASSIGNMENT,
                            folder / "submitted" / student / ASSIGNMENT)  # fmt: skip
        self._nbgrader("generate_assignment", ASSIGNMENT, "--force")

    def autograde(self) -> Measured:
        with Watched(NBGRADER) as usage:
            self._nbgrader("autograde", ASSIGNMENT)
        graded = list((self.folder / "autograded").glob(f"*/{ASSIGNMENT}/*.ipynb"))
        if len(graded) != len(self.students):
            raise RuntimeError(f"nbgrader graded {len(graded)}: see {self.folder}")
        began = time.monotonic()
        self._nbgrader("autograde", ASSIGNMENT)  # has nothing left to do
        start = time.monotonic() - began
        return Measured(len(graded), usage.seconds - start, usage)

    def _nbgrader(self, *words: str) -> None:
        command = [str(Path(sys.executable).with_name("nbgrader")), *words]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with open(self.folder / "log", "ab") as log:
            subprocess.run(command, cwd=self.folder, check=True, stdout=log,
                           stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                           env={**os.environ, "PATH": path})  # fmt: skip


def _give_bonus_cells_points(notebook: Path) -> None:
    """nbgrader refuses a score above a cell's points, and a bonus cell has none."""
    found = nbformat.read(notebook, as_version=4)
    asked = hidden.questions(ASSIGNMENT)
    for cell in found.cells:
        settings = cell.metadata.get("nbgrader", {})
        question = asked.get(settings.get("grade_id"))
        if question and question.bonus:
            settings["points"] = question.points
    nbformat.write(found, notebook)


def grade(course: Course, workers: int) -> Measured:
    """Grade the class as an instructor would."""
    words = (ASSIGNMENT, "--workers", str(workers), "--seed", "1")
    with Watched(WORKERS) as usage, open(course.folder / "grader.out", "wb") as out:
        subprocess.run(scratch.grader(course, "grade", *words), check=True, stdout=out,
                       stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)  # fmt: skip
    submissions = len(read_records(course.verdicts, ASSIGNMENT))
    return Measured(submissions, usage.seconds, usage)


def intact(made: Iterable[tuple[str, str]], wanted: int) -> list[str]:
    """Students that plain nbgrader can grade, from all over the class."""
    students = [student for student, about in made
                if not about.startswith(NOT_FOR_PLAIN)]  # fmt: skip
    wanted = min(wanted, len(students))
    return [students[i * len(students) // wanted] for i in range(wanted)]


def seconds_of(records: Sequence[Record], log: str) -> Mapping[str, float]:
    """Seconds a submission, of what its grading consists of.

    The first four are a student's process at work, or waited for.
    """
    judged = [record.judgement for record in records if record.judgement]

    def total(name: str) -> float:
        return sum(one.timings.get(name, 0.0) for one in judged)

    whole = sum(one.seconds for one in judged)
    start, cells, calls, intake = map(total, ("start", "cells", "calls", "intake"))
    scoring = sum(map(float, SCORED.findall(log)))
    found = {
        "starting the student's process": start,
        "running the notebook's cells": cells,
        "calling the student's functions": calls,
        "oracles, comparing, clearing up": whole - start - cells - calls,
        "taking the submission in": intake,
        "nbgrader's scoring (one process, beside the workers)": scoring,
    }
    return {name: value / len(records) for name, value in found.items()}


def report(plain: Sequence[Measured], ours: Measured, course: Course,
           workers: int) -> list[str]:  # fmt: skip
    """The table, in lines."""
    records = read_records(course.verdicts, ASSIGNMENT)
    submissions = sum(one.submissions for one in plain)
    plain_each = sum(one.seconds for one in plain) / submissions
    plain_cpu = sum(sum(one.usage.cpu.values()) for one in plain) / submissions
    plain_peak = max(_peak(one.usage) for one in plain)
    cpu = sum(ours.usage.cpu.values())
    row = "{:<36}{:>16}{:>16}".format
    lines = [
        row("", "plain nbgrader", f"{workers} workers"),
        row("submissions", submissions, ours.submissions),
        row("seconds a submission", f"{plain_each:.2f}", f"{ours.each:.2f}"),
        row("submissions a minute", f"{60 / plain_each:.1f}", f"{60 / ours.each:.1f}"),
        row("processor seconds a submission", f"{plain_cpu:.2f}",
            f"{cpu / ours.submissions:.2f}"),
        row("peak memory, all processes", f"{plain_peak:.0f} MiB",
            f"{_peak(ours.usage):.0f} MiB"),
        "",
        "plain nbgrader before and after: "
        + ", ".join(f"{one.each:.2f}" for one in plain) + " s a submission, without "
        "the start of the command",
        f"throughput: {plain_each / ours.each:.1f} times that of plain nbgrader",
        "",
        "Where a submission's time goes, in seconds, on average:",
    ]  # fmt: skip
    log = course.log.read_text("utf-8", "replace")
    parts = seconds_of(records, log)
    lines += [f"  {value:7.3f}  {name}" for name, value in parts.items()]
    busy = sum(list(parts.values())[:5])
    wait = workers * ours.each - busy
    lines.append(f"  {wait:7.3f}  a worker's start, and its waiting for work")
    lines += ["", *_bound(ours, cpu), "", *_memory(ours.usage)]
    return lines


def _bound(ours: Measured, cpu: float) -> list[str]:
    """What keeps it from being faster: the processors, or something else."""
    of = ours.usage.cpu
    cores = default_workers()
    busy = ours.usage.machine
    parts = {
        "students' processes and their sandboxes": sum(
            used for depth, used in of.items() if depth > WORKERS),
        "the workers": of.get(WORKERS, 0.0),
        "what the workers are forked from": of.get(GRADER + 1, 0.0),
        "the grader: nbgrader and the gradebook": of.get(GRADER, 0.0),
    }  # fmt: skip
    return [
        f"The machine's processors were busy for {busy:.0%} of the time, with this for "
        f"{cpu / (cores * ours.seconds):.0%}. What bounds it is "
        + ("the processors." if busy > 0.8 else "waiting, not the processors."),
        "The processor time went to",
        *(f"  {used / cpu:4.0%}  {name}" for name, used in parts.items()),
    ]


def _memory(usage: Usage) -> list[str]:
    half = len(usage.samples) // 2
    first, second = (statistics.median(one.trusted for one in part)
                     for part in (usage.samples[:half], usage.samples[half:]))
    students = max(one.students for one in usage.samples)
    return [
        f"Memory of the grader and its workers: {first:.0f} MiB in the first half, "
        f"{second:.0f} MiB in the second (medians), where it grew by "
        f"{growth(usage.samples):+.1f} MiB a minute. Students' processes and "
        f"sandboxes: {students:.0f} MiB at most, together.",
    ]  # fmt: skip


def _peak(usage: Usage) -> float:
    return max(one.together for one in usage.samples)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--students", type=click.IntRange(4), default=200, show_default=True)
@click.option("--plain", type=click.IntRange(2), default=20, show_default=True,
              help="How many of them plain nbgrader grades, too.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of the sample class.")
def main(students: int, plain: int, workers: int, seed: int) -> None:
    """Measure submissions a minute, processor time and memory, beside nbgrader's."""
    with tempfile.TemporaryDirectory(prefix="throughput-") as name:
        folder = Path(name)
        course = Course(folder / "course")
        made = make_class(course, ASSIGNMENT, students, seed)
        sample = intact(made, plain)
        half = len(sample) // 2
        before = Plain(folder / "before", course, sample[:half])
        after = Plain(folder / "after", course, sample[half:])
        click.echo(f"Plain nbgrader, {half} submissions ...")
        measured = [before.autograde()]
        click.echo(f"python -m autograder grade, {students} submissions ...")
        ours = grade(course, workers)
        click.echo(f"Plain nbgrader, {len(sample) - half} submissions ...\n")
        measured.append(after.autograde())
        click.echo("\n".join(report(measured, ours, course, workers)))


if __name__ == "__main__":
    main(prog_name="python -m autograder.trials.throughput")
