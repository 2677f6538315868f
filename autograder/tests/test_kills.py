"""Nothing is lost when a part of the grader is killed: short trials, real parts."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from autograder.tests.walls import needs_sandbox
from autograder.trials import processes, scratch
from autograder.trials.kills import Kill, Trial
from autograder.trials.outcome import differences, outcome
from autograder.trials.usage import Sample, growth

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
    pytest.mark.xdist_group("kills"),
]
STUDENTS = 3  # one sound, one whose process ends, one slow


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """A small class, graded once undisturbed."""
    folder = tmp_path_factory.mktemp("kills")
    with processes.orphans_adopted():
        trial = Trial(folder, STUDENTS, on_cluster=False, steps=("grade",),
                      registered=True)  # fmt: skip
        trial.undisturbed()
        yield trial


def test_the_class_is_worth_a_trial(trial):
    earned = [
        row.split(",")[2]
        for row in trial.expected["grades.csv"].decode().splitlines()[1:]
    ]
    assert earned == ["5", "2", "5"]
    assert trial.expected["grade tiny s002 tiny double_values"]["auto_score"] == 0
    assert trial.expected["grade tiny s002 tiny triple_values"]["auto_score"] == 2


@needs_sandbox
def test_a_regrade_repeats_every_verdict(trial):
    """With the seed on record, by other processes; only times differ."""
    again = scratch.grader(trial.course, "grade", scratch.ASSIGNMENT, "--regrade")
    subprocess.run(again, env=trial.environment, cwd=trial.folder, check=True,
                   capture_output=True)  # fmt: skip
    assert differences(outcome(trial.course), trial.expected) == []


@needs_sandbox
@pytest.mark.parametrize(
    "kill",
    [Kill("grader", "grade", 0.3), Kill("judge", "grade", 0.0),
     Kill("student", "grade", 0.0)],
    ids=lambda kill: kill.victim,
)  # fmt: skip
def test_a_kill_changes_nothing(trial, kill):
    result = trial.disturbed(kill, random.Random(5))
    assert result.at is not None, "somebody was killed"
    assert result.equal, result
    assert result.restarts == (kill.victim == "grader")


@needs_sandbox
def test_a_cluster_that_loses_a_worker_gives_the_same_grades(trial, monkeypatch):
    """A scheduler and two workers as processes; one is killed while it judges."""
    monkeypatch.setattr(trial, "on_cluster", True)
    result = trial.disturbed(Kill("judge", "grade", 0.0), random.Random(5))
    assert result.at is not None, "a worker was killed"
    assert result.equal, result
    assert result.restarts == 0


def test_memory_that_grows_is_seen():
    steady = [Sample(second, 300 + second % 2, 50) for second in range(100)]
    assert abs(growth(steady)) < 1
    leaking = [Sample(second, 300 + 2 * second, 50) for second in range(100)]
    assert growth(leaking) == pytest.approx(2 * 60)
