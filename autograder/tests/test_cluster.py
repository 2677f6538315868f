"""A Dask cluster: what it costs when workers or the scheduler end, and clear errors."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest
from distributed import LocalCluster

from autograder import cluster, keys, lock
from autograder.course import Course, CourseError
from autograder.judging import Task
from autograder.record import Record
from autograder.sandbox import SandboxUnavailable
from autograder.trials import processes


def task(folder: Path, student: str, run: str = "now") -> Task:
    (folder / "handed_in" / student).mkdir(parents=True, exist_ok=True)
    course = Course(folder / "course", folder)
    course.exercises.mkdir(exist_ok=True)
    return Task(course, "tiny", student, folder / "handed_in" / student, 1, run=run)


def judge_or_die(task: Task, versions: object) -> Record:
    if task.student == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    return Record(task.student, task.assignment, "key", "", task.seed)


@pytest.fixture
def quick(monkeypatch):
    """Judge by name, on workers that are all fit."""
    monkeypatch.setattr(cluster, "_judge_here", judge_or_die)
    monkeypatch.setattr(cluster, "_why_unfit", lambda task, versions, dask_worker: "")


def local_cluster(**options) -> LocalCluster:
    return LocalCluster(dashboard_address=None, **options)


def test_only_the_submission_that_ends_workers_is_set_aside(tmp_path, quick):
    names = ("s1", "dies", "s2", "s3")
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        local_cluster(n_workers=1, threads_per_worker=2) as workers,
        cluster.connected(workers.scheduler_address) as client,
    ):
        found = cluster.judge_all(client, [task(tmp_path, name) for name in names])
        status = {record.student: record.status for record in found}
    assert status == {"s1": "graded", "dies": "quarantined", "s2": "graded",
                      "s3": "graded"}  # fmt: skip


def test_workers_that_cannot_judge_are_refused_with_the_reason(tmp_path):
    with (
        local_cluster(n_workers=1, threads_per_worker=1, processes=False) as workers,
        cluster.connected(workers.scheduler_address) as client,
        pytest.raises(CourseError, match="inproc.*does not see the course folder"),
    ):
        cluster.judge_all(client, [task(tmp_path, "s1")])


def test_a_worker_is_fit_in_this_course_and_run_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "find_bwrap", lambda: ())
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=1))
    with lock.locked(task(tmp_path, "s1").course) as run:
        fit = task(tmp_path, "s1", run)
        versions = cluster._versions("tiny")

        def why(task=fit, versions=versions):
            return cluster._why_unfit(task, versions, worker)

        assert why() == ""
        assert "does not see the course folder" in why(task(tmp_path, "s1"))
        assert "another version" in why(versions=("older", versions[1]))
        fit.folder.rmdir()
        assert f"does not see {fit.folder}" in why()
        fit.folder.mkdir()

        def none():
            raise SandboxUnavailable("Install bubblewrap.")

        monkeypatch.setattr(cluster, "find_bwrap", none)
        assert "no sandbox. Install" in why()
        worker.state.nthreads = 4
        assert "--nthreads 1" in why()


def test_the_version_is_that_of_the_code_that_was_imported(monkeypatch):
    before = cluster._versions("ps1_backprop")
    monkeypatch.setattr(keys, "hash_files", lambda files: "changed on disk")
    assert cluster._versions("ps1_backprop") == before


@pytest.mark.parametrize(
    ("where", "said"),
    [("tcp://127.0.0.1:1", "no Dask scheduler at tcp://127.0.0.1:1"),
     ("nowhere", "'nowhere' is not where a Dask scheduler can be")],
)  # fmt: skip
def test_a_scheduler_that_is_not_there(where, said, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with pytest.raises(CourseError, match=said), cluster.connected(where):
        pass


def test_a_scheduler_that_is_killed_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_refuse_unfit", lambda client, task: None)
    with processes.Cluster(os.environ, tmp_path, workers=0) as one:
        [scheduler] = one.victims("scheduler")
        with cluster.connected(one.address) as client:
            found = cluster.judge_all(client, [task(tmp_path, "s1")])
            killed = threading.Timer(0.5, scheduler.kill)
            killed.start()
            with pytest.raises(cluster.SchedulerLost, match="same command again"):
                next(found)
            killed.join()


def test_a_cluster_without_workers_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    monkeypatch.setattr(cluster, "LOOK", 0.1)
    with (
        local_cluster(n_workers=0, processes=False) as none,
        cluster.connected(none.scheduler_address) as client,
    ):
        with pytest.raises(CourseError, match="has no workers. Start some"):
            cluster.judge_all(client, [task(tmp_path, "s1")])
        monkeypatch.setattr(cluster, "_refuse_unfit", lambda client, task: None)
        with pytest.raises(CourseError, match="no worker for .* kept"):
            next(cluster.judge_all(client, [task(tmp_path, "s1")]))
