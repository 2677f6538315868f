"""A forked student process is behind the walls, or there is none."""

import os
import signal

import psutil
import pytest

from autograder import seccomp, warm
from autograder.kernel import Kernel
from autograder.sandbox import HOME, Limits, Sandbox, environment
from autograder.tests.walls import needs_sandbox, quick


@pytest.fixture
def walls(monkeypatch):
    quick(monkeypatch)
    return Sandbox("bwrap")


@pytest.fixture
def new_walls(walls, monkeypatch):
    """The same, of a process that has forked nothing yet."""
    monkeypatch.setattr(warm, "_kept", {})
    return walls


def its_zygote(walls):
    return walls.warmth.zygote()


@needs_sandbox
def test_a_process_without_walls_is_told_from_one_behind_them(walls):
    with Kernel(walls) as kernel:
        holder = kernel._room.holder.pid
        student = kernel._room.keeper.children()[0].pid
        assert warm.what_is_open(student, holder) == []
        found = " ".join(warm.what_is_open(os.getpid(), holder))
    for name in ("mnt namespace", "pid namespace", "net namespace", "ipc namespace",
                 "uts namespace", "root folder", "a way to gain privileges"):
        assert name in found
    assert "no filter" in found or not seccomp.program()
    assert "CapBnd" in found or psutil.Process().uids().real


@needs_sandbox
def test_a_process_that_is_not_behind_all_walls_runs_nothing(walls, monkeypatch):
    """It is ended, and another is started the slow way."""
    monkeypatch.setattr(warm, "what_is_open", lambda *_: ["a hole"])
    with Kernel(walls) as kernel:
        assert not kernel.warm
        assert kernel.run_cell("1").ok
    assert its_zygote(walls).process.poll() is None
    assert not psutil.Process(its_zygote(walls).process.pid).children()


@needs_sandbox
def test_each_process_is_as_new(walls):
    """Nothing of one student's is there for the next."""
    seen = []
    for number in range(2):
        with Kernel(walls) as kernel:
            assert kernel.warm
            run = kernel.run_cell(f"""
import os, numpy, random
print(os.listdir("."), os.path.exists("/tmp/mine"), hasattr(numpy, "mine"))
print(numpy.random.rand(), random.random())
open("mine", "w").close(); open("/tmp/mine", "w").close()
numpy.mine = {number}""")
            first, drawn = run.outputs[0]["text"].splitlines()
            assert "mine" not in first.partition("]")[0]
            assert first.endswith("False False")
            seen.append(drawn)
    assert seen[0] != seen[1]


@needs_sandbox
def test_a_lost_zygote_is_replaced(walls):
    lost = its_zygote(walls)
    lost.process.kill()
    lost.process.wait(30)
    with Kernel(walls) as kernel:
        assert kernel.warm


@needs_sandbox
@pytest.mark.parametrize("asked", [False, True], ids=["unasked", "asked"])
def test_a_zygote_killed_while_it_warms_up_costs_that_alone(
    new_walls, monkeypatch, asked
):
    """What is asked of it then fails in one way or another: one start is cold."""
    warm_up, receive = warm.Zygote._warm_up, warm.Zygote._receive

    def kill(zygote):
        zygote.process.kill()
        os.waitid(os.P_PID, zygote.process.pid, os.WEXITED | os.WNOWAIT)

    def killed(zygote, preload):
        if asked:  # and it has not read that yet
            zygote.process.send_signal(signal.SIGSTOP)
            monkeypatch.setattr(warm.Zygote, "_receive",
                                lambda *of: kill(zygote) or receive(*of))
        else:
            kill(zygote)
        warm_up(zygote, preload)

    monkeypatch.setattr(warm.Zygote, "_warm_up", killed)
    with Kernel(new_walls) as kernel:
        assert not kernel.warm
        assert kernel.run_cell("1").ok
    monkeypatch.setattr(warm.Zygote, "_warm_up", warm_up)
    monkeypatch.setattr(warm.Zygote, "_receive", receive)
    with Kernel(new_walls) as kernel:
        assert kernel.warm


@needs_sandbox
def test_failures_count_in_a_row_whatever_they_are(new_walls, monkeypatch):
    def starts_warm():
        with Kernel(new_walls) as kernel:
            return kernel.warm

    def fails_by(owner, name, value):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            assert not starts_warm()

    def not_forked(*_):
        raise warm.NotWarm("no fork")

    start_warm = new_walls.start_warm
    ways = [(warm, "what_is_open", lambda *_: ["a hole"]),
            (new_walls, "start_warm", lambda fd, _: start_warm(fd, "another hello")),
            (warm.Zygote, "fork", not_forked)]
    assert len(ways) == warm.FAILURES
    for way in ways[1:]:
        fails_by(*way)
    assert starts_warm(), "so the count begins anew"
    for way in ways:
        fails_by(*way)
    assert not starts_warm(), "nothing fails now, and nothing is tried"


@needs_sandbox
def test_a_fork_that_nobody_heard_of_ends(walls, monkeypatch):
    fork, keepers = warm.Zygote.fork, []

    def unheard(self, *request):
        keepers.append(psutil.Process(fork(self, *request)))
        raise warm.NotWarm("The answer is lost.")

    monkeypatch.setattr(warm.Zygote, "fork", unheard)
    with Kernel(walls) as kernel:
        assert not kernel.warm
        _, alive = psutil.wait_procs(keepers, timeout=10)
        assert keepers
        assert not alive


@needs_sandbox
def test_a_student_process_ends_with_the_zygote(walls):
    with Kernel(walls) as kernel:
        student = kernel._room.keeper.children()[0]
        its_zygote(walls).process.kill()
        _, alive = psutil.wait_procs([student], timeout=10)
        assert not alive


@needs_sandbox
def test_how_a_forked_process_ended_is_known(walls):
    with Kernel(walls) as kernel:
        student = kernel._room.keeper.children()[0]
        assert kernel._room.exit_status(0) is None
        student.send_signal(signal.SIGTERM)
        assert kernel._room.exit_status(30) == -signal.SIGTERM


@needs_sandbox
def test_nothing_in_it_says_where_the_grader_lies(walls):
    with Kernel(walls) as kernel:
        run = kernel.run_cell("""
found = [open(f"/proc/self/{name}", "rb").read() for name in ("cmdline", "environ")]
print(b"".join(found), __import__("matplotlib").get_cachedir())""")
    text = run.outputs[0]["text"]
    assert str(warm.HERE) not in text
    assert "/scratch/.matplotlib" in text


@needs_sandbox
def test_it_inherits_no_open_file_but_its_own(walls):
    """Standard streams, the connection to the grader, no more."""
    with Kernel(walls) as kernel:
        run = kernel.run_cell("""
import os
for number in os.listdir("/proc/self/fd"):
    try:
        print(os.readlink(f"/proc/self/fd/{number}").partition(":")[0])
    except FileNotFoundError:
        pass  # the one that listed them""")
    held = sorted(run.outputs[0]["text"].split())
    assert held == ["/dev/null", "pipe", "pipe", "socket"]


def test_a_zygote_that_cannot_import_says_so():
    with pytest.raises(warm.NotWarm, match="no_such_library"):
        warm.Zygote(environment(HOME, Limits()), ["no_such_library"])
