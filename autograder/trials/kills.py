"""Is anything lost when a part of the grader is killed at a random moment?

`python -m autograder.trials.kills` grades a small class undisturbed. Then, again
and again, it grades it afresh while one part is ended by SIGKILL: the grader, a
worker, a student's process, and on a cluster the scheduler. What ended is started
again until all is done. Each time the gradebook, the verdicts, the feedback pages
and grades.csv must be those of the undisturbed run, and no process may be left.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from autograder.course import Course
from autograder.trials import processes, scratch
from autograder.trials.outcome import differences, outcome
from autograder.trials.processes import Cluster, Grader

STEPS = ("grade", "feedback")
ORDERS = {"grade": (scratch.ASSIGNMENT, "--seed", "4"), "feedback": ()}
VICTIMS = (("grader", "grade"), ("worker", "grade"), ("student", "grade"),
           ("grader", "feedback"))  # fmt: skip
VICTIMS_ON_CLUSTER = (("scheduler", "grade"), *VICTIMS)
# What the grader says when it has lost the scheduler, or never met it.
SCHEDULER_GONE = ("The Dask scheduler at", "There is no Dask scheduler at")
MOST_RESTARTS = 5
LOOK = 0.01  # seconds between two looks at what runs
COLUMNS = "{:>3}  {:<9}  {:<8}  {:>8}  {:>8}  {:>9}  {}"


@dataclass(frozen=True)
class Kill:
    """Who is ended, while which step runs, and when: a share of its usual time."""

    victim: str
    step: str
    moment: float


@dataclass(frozen=True)
class Result:
    """One disturbed run: what was done, and what came out otherwise."""

    kill: Kill
    at: float | None  # seconds into the step; None where there was nobody to end
    restarts: int
    different: list[str]
    left_over: list[str]  # processes, by the end of their commands
    errors: list[str]  # of commands that were not killed, and failed

    @property
    def equal(self) -> bool:
        return not (self.different or self.left_over or self.errors)

    def as_line(self, number: int) -> str:
        wrong = [*self.errors, *self.different, *self.left_over]
        return COLUMNS.format(number, self.kill.victim, self.kill.step,
                              f"{self.at:.2f} s", self.restarts, len(self.left_over),
                              "; ".join(wrong) or "yes")  # fmt: skip


class Trial:
    """A class in a scratch folder, graded again and again."""

    def __init__(self, folder: Path, students: int, on_cluster: bool,
                 steps: Sequence[str] = STEPS, registered: bool = False
                 ) -> None:  # fmt: skip
        """registered: the gradebook knows the assignment before the class comes."""
        self.folder = folder
        self.repository = scratch.make_repository(folder / "repository")
        self.environment = scratch.environment(self.repository)
        self.course = Course(folder / "course", self.repository)
        self.students = students
        self.on_cluster = on_cluster
        self.steps = steps
        self.registered = registered
        self.usual: dict[str, float] = {}  # seconds a step takes, undisturbed
        self.expected: dict[str, Any] = {}

    def undisturbed(self) -> None:
        """Grade the class, and keep what came out and how long each step took."""
        run = Run(self, None)
        self.expected, self.usual = run.graded(), run.seconds

    def disturbed(self, kill: Kill, draw: random.Random) -> Result:
        """Grade the class afresh, with one kill."""
        run = Run(self, Killing(kill, self.usual[kill.step], draw))
        different = differences(run.graded(), self.expected)
        return Result(kill, run.killing.at, run.restarts, different,
                      run.left_over, run.errors)  # fmt: skip

    @property
    def log(self) -> Path:
        """What the graders said."""
        return self.folder / "grader.log"


class Killing:
    """Waits for its moment, then ends one process."""

    def __init__(self, kill: Kill, usual: float, draw: random.Random) -> None:
        self.kill = kill
        self.due = kill.moment * usual
        self.draw = draw
        self.at: float | None = None  # seconds into the step

    def look(self, step: str, elapsed: float, grader: Grader,
             cluster: Cluster | None) -> None:  # fmt: skip
        if self.at is not None or step != self.kill.step or elapsed < self.due:
            return
        parts = cluster if cluster and self.kill.victim != "grader" else grader
        if processes.kill_one(parts.victims(self.kill.victim), self.draw):
            self.at = elapsed


class Run:
    """All steps for a class, from its submissions on."""

    def __init__(self, trial: Trial, killing: Killing | None) -> None:
        self.trial = trial
        self.killing = killing
        self.cluster: Cluster | None = None
        self.seconds: dict[str, float] = {}
        self.restarts = 0
        self.errors: list[str] = []
        self.left_over: list[str] = []
        self.others = processes.children()

    def graded(self) -> dict[str, Any]:
        """Do it all, started again as often as needed; what came out."""
        course = self.trial.course
        shutil.rmtree(course.folder, ignore_errors=True)
        if self.trial.registered:
            scratch.register_in(course)
        scratch.hand_in(course, self.trial.students)
        if self.trial.on_cluster:
            self.cluster = Cluster(self.trial.environment, self.trial.folder / "dask")
        try:
            self._start_cluster()
            for step in self.trial.steps:
                self._until_done(step)
            ours = self.cluster.pids if self.cluster else set()
            left = processes.left_over(self.others | ours)
            self.left_over = [processes.described(one) for one in left]
            processes.end(left)
        finally:
            if self.cluster:
                self.cluster.stop()
        return outcome(course)

    def _start_cluster(self) -> None:
        if self.cluster:
            self.cluster.start()

    def _until_done(self, step: str) -> None:
        for _ in range(MOST_RESTARTS):
            began = time.monotonic()
            code = self._once(step, began)
            self.seconds[step] = time.monotonic() - began
            if code == 0:
                return
            self.restarts += 1
            if self.cluster and self.cluster.lost_its_scheduler:
                self._start_cluster()
                said = self._said()
                if not any(words in said for words in SCHEDULER_GONE):
                    self.errors.append(f"{step} said: {said}")
            elif code > 0:
                self.errors.append(f"{step} failed: {self._said()}")
        raise RuntimeError(f"{step} does not finish: see {self.trial.log}")

    def _once(self, step: str, began: float) -> int:
        words = list(ORDERS[step])
        if self.cluster and step == "grade":
            words += ["--scheduler", self.cluster.address]
        command = scratch.grader(self.trial.course, step, *words)
        grader = Grader(command, self.trial.environment, self.trial.log)
        while grader.running:
            if self.killing:
                elapsed = time.monotonic() - began
                self.killing.look(step, elapsed, grader, self.cluster)
            time.sleep(LOOK)
        return grader.process.returncode

    def _said(self) -> str:
        """The end of the log, where an error is."""
        return self.trial.log.read_text("utf-8", "replace")[-400:].strip()


def draw_kill(draw: random.Random, number: int, on_cluster: bool) -> Kill:
    """Every victim in turn, at a moment drawn anew."""
    victims = VICTIMS_ON_CLUSTER if on_cluster else VICTIMS
    victim, step = victims[number % len(victims)]
    return Kill(victim, step, draw.random())


def trial(folder: Path, runs: int, students: int, seed: int, on_cluster: bool,
          say: Callable[[str], None]) -> list[Result]:  # fmt: skip
    """Grade undisturbed, then `runs` times with a kill; the results."""
    whole = Trial(folder, students, on_cluster)
    whole.undisturbed()
    usual = ", ".join(f"{step} {took:.1f} s" for step, took in whole.usual.items())
    say(f"Undisturbed, {students} submissions: {usual}.\n")
    say(COLUMNS.format("run", "victim", "step", "moment", "restarts", "left over",
                       "equal?"))  # fmt: skip
    results = []
    for number in range(runs):
        draw = random.Random(f"{seed} {number}")
        result = None
        while result is None or result.at is None:  # nobody was there to end
            result = whole.disturbed(draw_kill(draw, number, on_cluster), draw)
        results.append(result)
        say(result.as_line(number + 1))
    return results


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--runs", type=click.IntRange(1), default=30, show_default=True)
@click.option("--students", type=click.IntRange(1), default=11, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Of victims and moments.")
@click.option("--scheduler", "on_cluster", is_flag=True,
              help="Judge on a Dask scheduler and two workers.")  # fmt: skip
def main(runs: int, students: int, seed: int, on_cluster: bool) -> None:
    """Kill a part of the grader at a random moment; nothing may be lost by it."""
    with (
        tempfile.TemporaryDirectory(prefix="kills-") as folder,
        processes.orphans_adopted(),
    ):
        results = trial(Path(folder), runs, students, seed, on_cluster, click.echo)
    equal = sum(result.equal for result in results)
    click.echo(f"\n{equal} of {runs} as undisturbed.")
    sys.exit(equal < runs)


if __name__ == "__main__":
    main(prog_name="python -m autograder.trials.kills")
