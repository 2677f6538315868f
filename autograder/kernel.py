"""The trusted end of a student's process: ask, wait so long, believe nothing."""

from __future__ import annotations

import json
import logging
import re
import secrets
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import psutil

from autograder import wire
from autograder.room import NoRoom, Room
from autograder.sandbox import Limits, Sandbox
from autograder.watch import Watch

PART = 4 << 20  # bytes of a file sent at once
PEACE = 2.0  # seconds for a process whose channel closed to be gone
EXTRA = 1 << 16  # bytes of text around outputs and values
OUTPUTS = 500  # of one cell
STREAMS = ("stdout", "stderr")
log = logging.getLogger(__name__)
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class KernelLost(Exception):
    """The student's process is no more. `status`: why, as in a verdict."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class KernelStartFailed(RuntimeError):
    """Not the student's doing: Python or its libraries did not start."""


@dataclass(frozen=True)
class CellRun:
    """What a cell showed."""

    outputs: list[dict[str, Any]]
    ok: bool  # it did not raise
    cut: bool  # it showed more than is kept
    size: int  # of the outputs, about, in bytes


@dataclass(frozen=True)
class Reply:
    """What came of a call; `value` may hold `wire.Opaque`."""

    kind: str  # "returned", "raised" or "missing"
    value: Any = None
    types: tuple[str, ...] = ()  # of an exception: its class, then its bases
    message: str = ""
    line: str = ""  # of the student's code, where it raised
    seconds: float = 0.0  # by our clock, sending included


class Kernel:
    """A student's process: started, asked, killed.

    It belongs to the thread that starts it: when that thread ends, so does the
    process, as bubblewrap ends with its parent.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.limits: Limits = sandbox.limits
        self.versions: dict[str, str] = {}
        self._alive = False

    def start(self) -> Kernel:
        """Start Python with its libraries: warm where that can be done."""
        if self.sandbox.warm:
            try:
                with self.sandbox.warmth.tried():
                    return self._start(self.sandbox.start_warm)
            except (NoRoom, KernelStartFailed) as error:
                log.warning("A student process starts cold: %s", error)
        return self._start(self.sandbox.start)

    def _start(self, open_room: Callable[[int, str], Room]) -> Kernel:
        hello = secrets.token_hex(8)
        self._channel, theirs = socket.socketpair()
        with theirs:
            try:
                self._room = open_room(theirs.fileno(), hello)
            except (NoRoom, OSError, psutil.Error) as error:
                self._channel.close()
                raise KernelStartFailed(f"There is no room for a student process: "
                                        f"{error}") from error
            except BaseException:
                self._channel.close()
                raise
        self._watch = Watch(self._room, self.limits.memory, self.limits.processes)
        self._alive = True
        try:
            deadline = time.monotonic() + self.limits.start_seconds
            reply, _ = self._receive(hello, deadline)
            self._room.check_walls()
        except KernelLost as lost:
            raise KernelStartFailed(
                f"A student process did not start: {lost.message}\n"
                f"{self.printed}".rstrip()) from lost
        except NoRoom as error:
            self.close()
            raise KernelStartFailed(f"A student process did not start: {error}"
                                    ) from error
        except BaseException:
            self.close()
            raise
        versions = reply.get("versions")
        if isinstance(versions, dict):
            self.versions = {str(name): str(one) for name, one in versions.items()}
        return self

    @property
    def warm(self) -> bool:
        """Whether it was forked from a process that had imported its libraries."""
        return self._room.warm

    @property
    def alive(self) -> bool:
        return self._alive

    @property
    def printed(self) -> str:
        """The first of what the process printed past Python, as crash reports."""
        return self._watch.printed.decode("utf-8", "replace")

    @property
    def peak_memory(self) -> int:
        """Bytes, of all processes together, as far as was seen."""
        return self._watch.peak

    @property
    def in_step(self) -> bool:
        """Whether the process is there, and has said nothing but answers so far."""
        return self._alive and not select.select([self._channel], [], [], 0)[0]

    @property
    def hung_up(self) -> bool:
        """Whether the connection was closed, with nothing more said."""
        try:
            return not self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def check_in_step(self) -> None:
        """Raises KernelLost where something has been said that was not asked for."""
        if not self.in_step:
            raise self._gone() if self.hung_up else self._nonsense()

    def put(self, name: str, content: bytes) -> None:
        """Write a file into the process's working directory."""
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name!r} would lie outside of the working directory")
        for at in range(0, max(len(content), 1), PART):
            self._ask({"do": "put", "name": name}, [content[at:at + PART]],
                      self.limits.start_seconds)

    def run_cell(self, source: str, seconds: float | None = None,
                 cap: int | None = None) -> CellRun:
        """Run a cell, keeping `cap` bytes of what it shows.

        Raises KernelLost where it does not come back in time, or in one piece.
        """
        cap = self.limits.output_bytes if cap is None else cap
        reply, _ = self._ask({"do": "run", "source": source, "cap": cap}, (),
                             seconds or self.limits.cell_seconds, text_cap=6 * cap)
        self.check_in_step()
        try:
            outputs = [_checked_output(one) for one in reply["outputs"][:OUTPUTS]]
            cut = bool(reply["cut"]) or len(reply["outputs"]) > OUTPUTS
            return CellRun(outputs, bool(reply["ok"]), cut, len(json.dumps(outputs)))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise self._nonsense() from error

    def call(self, function: str, args: Sequence[Any] = (),
             kwargs: Mapping[str, Any] | None = None,
             seconds: float = 30.0) -> Reply:
        """Call a student's function; raises KernelLost if it does not come back."""
        encoder = wire.Encoder(layouts=True)
        request = {"do": "call", "function": function,
                   "args": [encoder.encode(one) for one in args],
                   "kwargs": {name: encoder.encode(one)
                              for name, one in (kwargs or {}).items()},
                   "cap": self.limits.reply_bytes}
        started = time.monotonic()
        reply, data = self._ask(request, encoder.chunks, seconds,
                                data_cap=self.limits.reply_bytes, text_cap=PART)
        taken = time.monotonic() - started
        try:
            return _checked_reply(reply, data, taken)
        except (wire.ProtocolError, KeyError, TypeError, AttributeError) as error:
            raise self._nonsense() from error

    def frozen(self) -> AbstractContextManager[None]:
        """Stops all of the student's processes for as long as it is entered."""
        return self._watch.frozen()

    def close(self) -> None:
        """Kill the process and all that it started; idempotent."""
        if not self._alive:
            return
        self._alive = False
        self._watch.kill()
        self._watch.stop()
        self._channel.close()
        self._room.clear()

    def __enter__(self) -> Kernel:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: dict[str, Any], chunks: Sequence[bytes], seconds: float,
             text_cap: int = 0, data_cap: int = 0) -> tuple[dict[str, Any], bytearray]:
        if not self._alive:
            raise KernelLost("crash", "The Python process had ended before.")
        self.check_in_step()
        deadline = time.monotonic() + seconds
        request["id"] = secrets.token_hex(8)
        try:
            for part in wire.pack(request, chunks):
                self._channel.settimeout(_left(deadline))
                self._channel.sendall(part)
        except TimeoutError:
            raise self._lost("timeout", _too_long(seconds)) from None
        except OSError:
            raise self._gone() from None
        return self._receive(request["id"], deadline, text_cap, data_cap, seconds)

    def _receive(self, name: str, deadline: float, text_cap: int = 0, data_cap: int = 0,
                 seconds: float = 0.0) -> tuple[dict[str, Any], bytearray]:
        try:
            head = self._read(wire.HEADER.size, deadline)
            text, data = wire.unpack_header(bytes(head), text_cap + EXTRA, data_cap)
            message = wire.unpack_text(self._read(text, deadline))
            if message.get("id") != name:
                raise wire.ProtocolError("an answer to another question")
            return message, self._read(data, deadline)
        except TimeoutError:
            raise self._lost("timeout", _too_long(seconds)) from None
        except wire.ProtocolError as error:
            raise self._nonsense() from error
        except OSError:
            raise self._gone() from None

    def _read(self, count: int, deadline: float) -> bytearray:
        """Exactly so many bytes; memory is taken only as they arrive."""
        found = bytearray()
        while len(found) < count:
            self._channel.settimeout(_left(deadline))
            part = self._channel.recv(min(count - len(found), 1 << 20))
            if not part:
                raise ConnectionResetError
            found += part
        return found

    def _gone(self) -> KernelLost:
        status = self._room.exit_status(PEACE)
        if status is None:
            return self._lost("crash", "It closed its connection to the grader.")
        return self._lost("crash", _last_words(status))

    def _nonsense(self) -> KernelLost:
        return self._lost("crash", "The Python process sent what is not an answer: its "
                                   "connection to the grader was written to.")

    def _lost(self, status: str, message: str) -> KernelLost:
        self.close()
        return KernelLost(*(self._watch.verdict or (status, message)))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _too_long(seconds: float) -> str:
    return f"It took longer than {seconds:.3g} s and was stopped."


def _last_words(code: int) -> str:
    number = -code if code < 0 else code - 128
    names = {signal.SIGSEGV: "a memory error in compiled code (segmentation fault)",
             signal.SIGABRT: "an abort in compiled code",
             signal.SIGFPE: "an arithmetic error in compiled code",
             signal.SIGXCPU: "the limit on processor time",
             signal.SIGXFSZ: "the limit on file size"}
    if number in names:
        return f"The Python process was ended by {names[number]}."
    if 0 < number < 65:
        return f"The Python process was ended by signal {number}."
    return f"The code ended the Python process (exit status {code})."


def _checked_reply(reply: dict[str, Any], data: bytearray, seconds: float) -> Reply:
    if "missing" in reply:
        return Reply("missing", message=_text(reply["missing"], 100), seconds=seconds)
    if "returned" in reply:
        value = wire.decode(reply["returned"], data)
        return Reply("returned", value, seconds=seconds)
    raised = reply["raised"]
    types = tuple(_text(one, 100) for one in raised["types"][:20])
    return Reply("raised", None, types or ("Exception",),
                 _text(raised["message"], 2000), _text(raised["line"], 200), seconds)


def _text(value: Any, longest: int) -> str:
    """A plain text: no terminal codes, nothing that cannot be written to a file."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return ESCAPES.sub("", _writable(value[:longest]))


def _writable(value: Any) -> Any:
    """JSON with texts that UTF-8 can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_writable(one) for one in value]
    if isinstance(value, dict):
        return {_writable(name): _writable(one) for name, one in value.items()}
    return value


def _checked_output(output: dict[str, Any]) -> dict[str, Any]:
    """One output as nbformat has it; raises where it is not."""
    output = _writable(output)
    kind = output["output_type"]
    if kind == "stream" and output["name"] in STREAMS:
        return {"output_type": kind, "name": output["name"],
                "text": "" + output["text"]}
    if kind == "error":
        return {"output_type": kind, "ename": "" + output["ename"],
                "evalue": "" + output["evalue"],
                "traceback": ["" + one for one in output["traceback"]]}
    if kind in ("display_data", "execute_result"):
        data = {name: one for name, one in output["data"].items()
                if name.endswith("json") or isinstance(one, str)}
        found = {"output_type": kind, "data": data, "metadata": {}}
        if kind == "execute_result":
            found["execution_count"] = int(output["execution_count"])
        return found
    raise ValueError("not an output")
