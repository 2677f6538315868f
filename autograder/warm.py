"""Student processes that start warm: forked from one that has imported it all.

Starting Python and importing numpy, numba and matplotlib takes a second or
two, and numba's first compilation most of another. `zygote.py` has done that
once; here it is asked to fork into a sandbox that bubblewrap makes for each
student process anew. The walls are bubblewrap's own, and before any student
code runs they are looked at from outside: a process that is not behind all of
them is ended.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

from autograder import seccomp
from autograder.room import LOOK, NoRoom, Room, end_group, has_ended

# What a holder runs: it says that all is mounted, and waits until the grader's end
# of its standard input is closed, at the latest when the grader ends. As the first
# process of its sandbox it cannot be signalled from inside, and it is handed all
# orphans, which are reaped by ignoring SIGCHLD.
HOLD = ("import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); "
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.write({0}, b'.'); "
        "os.close({0}); os.read(0, 1)")
# Namespaces, as /proc/PID/ns has them, and their flags for setns(2).
NAMESPACES = {"user": 0x10000000, "mnt": 0x00020000, "pid": 0x20000000,
              "net": 0x40000000, "ipc": 0x08000000, "uts": 0x04000000,
              "cgroup": 0x02000000}
GRADER = "/grader"  # where the sandbox has MODULES
MODULES = ("wire.py", "server.py")
HERE = Path(__file__).parent
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
LOST = -signal.SIGKILL  # what a process that can say nothing more came to
FAILURES = 3  # in a row, of whatever kind, and no more are forked
WARMING_SECONDS = 120.0  # to import all there is, on a machine that is very busy
FORK_SECONDS = 30.0
log = logging.getLogger(__name__)


class NotWarm(NoRoom):
    """A student process cannot be forked here; it can still be started anew."""


class Zygote:
    """The warm process, and how it is asked."""

    def __init__(self, environment: Mapping[str, str], preload: Sequence[str]) -> None:
        """Start it and wait until it is warm. Raises NotWarm.

        Neither its command nor its first environment, which a student's process
        can read, says where the grader lies.
        """
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(HERE / "zygote.py", "rb") as program:
            fds = [program.fileno(), theirs.fileno()]
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-B", "-X", "faulthandler",
                 f"/dev/fd/{fds[0]}", str(fds[1])],
                env=dict(environment), pass_fds=fds, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True)
        try:
            self._warm_up(preload)
        except (NotWarm, OSError) as error:
            self.end()
            said = self.process.communicate()[1].decode("utf-8", "replace")
            raise NotWarm(f"{error} {said[-500:]}".strip()) from error
        self.process.stderr.close()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self._control.close()
        self.process.kill()

    def fork(self, config: Mapping[str, Any], fds: Sequence[int]) -> int:
        """The process id of a keeper (see zygote.py). Raises NotWarm."""
        with self._lock:
            try:
                socket.send_fds(self._control, [json.dumps(config).encode()], fds)
                return int(self._receive(FORK_SECONDS))
            except (OSError, ValueError) as error:
                raise NotWarm(f"The warm process does not answer: {error}.") from error

    def _warm_up(self, preload: Sequence[str]) -> None:
        """OSError, of one kind or another, where it ends meanwhile."""
        import matplotlib

        self._control.send(json.dumps({
            "preload": list(preload),
            # The folder of its list of fonts; the scratch folder is not there yet.
            "environment": {"MPLCONFIGDIR": matplotlib.get_cachedir()},
            "modules": [(f"{GRADER}/{name}", (HERE / name).read_text("utf-8"))
                        for name in MODULES]}).encode())
        self._receive(WARMING_SECONDS)

    def _receive(self, seconds: float) -> bytes:
        if not select.select([self._control], [], [], seconds)[0]:
            raise NotWarm(f"The warm process said nothing for {seconds:.0f} s.")
        said = self._control.recv(100)
        if not said:
            raise NotWarm("The warm process ended.")
        return said


class Warmth:
    """A zygote for as long as forks of it succeed: a lost one is replaced."""

    def __init__(self, environment: Mapping[str, str], preload: Sequence[str]) -> None:
        """`environment`: the one that libraries are imported in."""
        self.environment, self.preload = environment, preload
        self.failures = 0  # in a row
        self._zygote: Zygote | None = None
        self._lock = threading.Lock()

    def zygote(self) -> Zygote:
        """Raises NotWarm."""
        with self._lock:
            if self._zygote and not self._zygote.alive:
                self._zygote.end()
                self._zygote = None
            if self._zygote is None:
                self._zygote = Zygote(self.environment, self.preload)
            return self._zygote

    @contextmanager
    def tried(self) -> Iterator[None]:
        """For a student process to be started in, and counted. Raises NotWarm."""
        if self.failures >= FAILURES:
            raise NotWarm(f"It failed {FAILURES} times in a row.")
        try:
            yield
        except Exception:
            self.failures += 1
            raise
        self.failures = 0


_kept: dict[tuple, Warmth] = {}


def warmth(environment: Mapping[str, str], preload: Sequence[str]) -> Warmth:
    """This process's, for such students."""
    key = (tuple(sorted(environment.items())), tuple(preload))
    return _kept.setdefault(key, Warmth(environment, preload))


class WarmRoom(Room):
    """Namespaces that bubblewrap made, and a process that was forked into them."""

    warm = True

    def __init__(self, process: subprocess.Popen, output: IO[bytes],
                 holder: psutil.Process, keeper: psutil.Process,
                 ended: IO[bytes], held: IO[bytes]) -> None:
        """holder: keeps the namespaces; keeper: waits outside of them (zygote.py).

        `ended`: where the keeper writes how the student's process ended;
        `held`: the holder goes when it is closed.
        """
        super().__init__(process, output)
        self.holder, self.keeper = holder, keeper
        self.tops.append(keeper)
        self.ours = frozenset({process.pid, keeper.pid})
        self._ended, self._held = ended, held

    @property
    def ended(self) -> bool:
        """The student's process, what keeps its number, or its sandbox."""
        return bool(select.select([self._ended], [], [], 0)[0]) or super().ended

    def check_walls(self) -> None:
        """Raises NoRoom where the student's process is not behind all walls."""
        super().check_walls()
        try:
            student = self.keeper.children()[0].pid
            problems = what_is_open(student, self.holder.pid)
        except (IndexError, OSError, psutil.Error) as error:
            raise NotWarm(f"The student's process cannot be looked at: {error}"
                          ) from error
        if problems:
            raise NotWarm(f"The student's process has {', '.join(problems)}.")

    def exit_status(self, seconds: float) -> int | None:
        if not select.select([self._ended], [], [], seconds)[0]:
            return None
        said = self._ended.read(4)
        return struct.unpack("=i", said)[0] if said and len(said) == 4 else LOST

    def clear(self) -> None:
        super().clear()
        self._ended.close()
        self._held.close()


def what_is_open(student: int, holder: int) -> list[str]:
    """The walls that a process is not behind, beside one that bubblewrap put there."""
    lines = Path(f"/proc/{student}/status").read_text().splitlines()
    said = {name: value.strip() for name, _, value in (x.partition(":") for x in lines)}
    found = [f"another {name} namespace than its sandbox" for name in NAMESPACES
             if _namespace(student, name) != _namespace(holder, name)]
    if not os.path.samefile(f"/proc/{student}/root", f"/proc/{holder}/root"):
        found.append("another root folder than its sandbox")
    found += [f"capabilities ({name})" for name in CAPABILITIES
              if int(said.get(name, "0"), 16)]
    if said.get("NoNewPrivs") != "1":
        found.append("a way to gain privileges")
    if seccomp.program() and said.get("Seccomp") != "2":
        found.append("no filter on system calls")
    return found


def open_room(asked: Zygote, command: Sequence[str], inherited: Sequence[int],
              config: Mapping[str, Any], channel: int, seconds: float) -> WarmRoom:
    """A student's process behind walls: `command` (bubblewrap's) makes them.

    `inherited`: descriptors for bubblewrap; `config`: for `server.py`;
    `channel`: the student's end of the connection. Raises NotWarm.
    """
    with ExitStack() as kept, ExitStack() as passed_on:
        output, printing = _pipe(kept, passed_on)
        ended, ending = _pipe(kept, passed_on)
        ready, holding = _pipe(passed_on, passed_on)
        waiting, held = _pipe(passed_on, kept)
        number = holding.fileno()
        process = subprocess.Popen(
            [*command, "--", sys.executable, "-I", "-S", "-B", "-c",
             HOLD.format(number)],
            env={}, pass_fds=[number, *inherited], stdin=waiting,
            stdout=printing, stderr=printing, start_new_session=True)
        kept.callback(_end, process)
        holding.close()
        if not _is_held(process, ready, seconds):
            raise NotWarm(f"bubblewrap made no room. {_said(output)}")
        try:
            holder = psutil.Process(process.pid).children(recursive=True)[-1]
            namespaces = os.pidfd_open(holder.pid)
            passed_on.callback(os.close, namespaces)
            request = {**config, "namespaces": _flags(holder.pid),
                       "filter": seccomp.program().hex()}
            keeper = psutil.Process(asked.fork(
                request, [namespaces, channel, printing.fileno(), ending.fileno()]))
        except (IndexError, OSError, psutil.Error) as error:
            raise NotWarm(f"The room cannot be entered: {error}") from error
        kept.pop_all()
        return WarmRoom(process, output, holder, keeper, ended, held)


def _pipe(readers: ExitStack, writers: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return (readers.enter_context(open(reading, "rb", buffering=0)),
            writers.enter_context(open(writing, "wb", buffering=0)))


def _is_held(process: subprocess.Popen, ready: IO[bytes], seconds: float) -> bool:
    """Whether a holder says so in time; not one whose bubblewrap has ended."""
    deadline = time.monotonic() + seconds
    while not select.select([ready], [], [], LOOK)[0]:
        if has_ended(process) or time.monotonic() > deadline:
            return False
    return bool(ready.read(1))


def _end(process: subprocess.Popen) -> None:
    end_group(process)
    process.wait()


def _said(output: IO[bytes]) -> str:
    with suppress(OSError):
        if select.select([output], [], [], 0)[0]:
            return os.read(output.fileno(), 500).decode("utf-8", "replace").strip()
    return ""


def _flags(pid: int) -> int:
    """The namespaces of a process that are not ours, as setns(2) takes them."""
    return sum(flag for name, flag in NAMESPACES.items()
               if _namespace(pid, name) != _namespace(os.getpid(), name))


def _namespace(pid: int, name: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/{name}")
    except FileNotFoundError:
        return None  # this kernel has no such namespaces
