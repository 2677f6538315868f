"""A process that has imported what takes long, and forks one for each student.

Started by `autograder.warm`, before any submission is looked at. It imports
libraries and is given the text of `server.py`; nothing else of the grader, not
even where it lies, is ever here. A child that it forks enters the namespaces that
bubblewrap has made for it, gives up every privilege, takes on the filter on
system calls, and only then becomes the server that student code runs in. The
grader looks from outside whether it did (`warm.check_walls`).

Between the zygote and that server stands a keeper: a list of processes can only
be entered by a child, so the child that enters it forks once more, waits,
and passes on how the server ended. Sources: setns(2), prctl(2),
capabilities(7), pid_namespaces(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
import types
from collections.abc import Collection
from typing import Any, NoReturn

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
CAPABILITIES = 64  # more than there are; the kernel refuses those there are not
FAILED = 70  # exit status of a child that could not become a student's process
REQUEST_BYTES = 1 << 18
LIBC = ctypes.CDLL(None, use_errno=True)


def load(path: str, source: str) -> Any:
    """A module of the grader's, as it lies in the sandbox.

    It cannot be imported: a student may have a module of that name.
    """
    module = types.ModuleType(os.path.basename(path).removesuffix(".py"))
    module.__file__ = path
    exec(compile(source, path, "exec"), module.__dict__)
    return module


def call(name: str, *arguments: Any) -> None:
    """Call a function of the C library; OSError where it fails."""
    if getattr(LIBC, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments[:2]}: {os.strerror(number)}")


def prctl(option: int, *arguments: int) -> None:
    four = [*arguments, 0, 0, 0, 0][:4]
    call("prctl", option, *map(ctypes.c_ulong, four))


def compile_once() -> None:
    """The first function that numba compiles takes most of a second more.

    Nothing parallel: threads started here would not be there in a child.
    """
    import numpy
    from numba import njit

    @njit
    def total(values):
        found = 0.0
        for i in range(len(values)):
            found += values[i]
        return found

    total(numpy.ones(3))


def close_all_but(kept: Collection[int]) -> None:
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number not in kept:
            with contextlib.suppress(OSError):  # the one that lists them
                os.close(number)


def give_up_privileges() -> None:
    """No capability, and no way to gain one, for this process or what it starts.

    Entering a user namespace gives a process all capabilities inside of it.
    """
    for number in range(CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError:
            break
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    call("capset", struct.pack("=Ii", CAPABILITY_VERSION_3, 0), bytes(24))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def filter_calls(program: bytes) -> None:
    """Take on a filter on system calls (struct sock_fprog: a length, a pointer)."""
    if program:
        steps = ctypes.create_string_buffer(program, len(program))
        fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
        whole = ctypes.create_string_buffer(fprog, len(fprog))
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(whole))


def stand_alone(output: int) -> None:
    """A session of its own; what is printed past Python goes to `output`."""
    os.setsid()
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(nothing)
    os.close(output)


def settle(environment: dict[str, str]) -> None:
    """Take on the sandbox's environment where a library remembers another."""
    os.environ.clear()
    os.environ.update(environment)
    if matplotlib := sys.modules.get("matplotlib"):
        folder = environment["MPLCONFIGDIR"]
        os.makedirs(folder, exist_ok=True)
        matplotlib.get_configdir = matplotlib.get_cachedir = lambda: folder
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # as in a process that is new


def keep(student: int, ended: int) -> NoReturn:
    """Tell how the student's process ended; stay until the grader ends this one.

    While it is there, no other process can get its number. Where the grader's end
    of `ended` is closed, as when nobody learnt of this process, it goes by itself.
    """
    give_up_privileges()
    _, status = os.waitpid(student, 0)
    os.write(ended, struct.pack("=i", os.waitstatus_to_exitcode(status)))
    listener = select.poll()
    listener.register(ended, 0)  # no events but errors: that nobody listens
    listener.poll()
    os._exit(0)


def become_student(request: dict[str, Any], fds: list[int], server: Any,
                   wire: Any) -> NoReturn:
    """In a forked child: go behind the walls, and serve."""
    namespaces, channel, output, ended = fds
    close_all_but(fds)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    call("setns", namespaces, request["namespaces"])
    os.close(namespaces)
    student = os.fork()
    if student:
        os.close(channel)
        os.close(output)
        keep(student, ended)
    os.close(ended)
    stand_alone(output)
    settle(request["environment"])
    give_up_privileges()
    # The kernel makes a process that has changed its rights unreadable to itself.
    prctl(PR_SET_DUMPABLE, 1)
    filter_calls(bytes.fromhex(request["filter"]))
    server.prepare(request)
    server.serve(request, wire, channel)
    os._exit(0)


def warm_up(control: socket.socket) -> tuple[Any, Any]:
    """Import what the grader asks for; its own two modules, `wire` and `server`."""
    asked = json.loads(control.recv(REQUEST_BYTES))
    os.environ.update(asked["environment"])
    wire, server = (load(path, source) for path, source in asked["modules"])
    server.preload(asked["preload"])
    if "numba" in sys.modules:
        compile_once()
    return wire, server


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    wire, server = warm_up(control)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are reaped by themselves
    gc.collect()
    gc.freeze()  # so that a child's own collections copy none of these pages
    control.send(b"ready")
    while True:
        text, fds, _, _ = socket.recv_fds(control, REQUEST_BYTES, 4)
        if not text:
            return  # the grader has gone
        child = os.fork()
        if child == 0:
            try:
                become_student(json.loads(text), list(fds), server, wire)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.dup2(fds[2], 2)  # before it is where print goes anyway
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(FAILED)
        for fd in fds:
            os.close(fd)
        control.send(str(child).encode())


if __name__ == "__main__":
    main()
