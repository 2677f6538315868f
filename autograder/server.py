"""The untrusted side: a process that runs a student's cells and functions.

Started by `autograder.kernel` inside the sandbox as `python -I server.py CONFIG`,
it answers requests that come over a socket. Student code shares this process
and may do to it what it likes, so nothing here is believed by the grader, and
nothing of the grader (hidden tests, solutions, scores) is ever here. It
imports only the standard library, numpy, IPython, and `wire.py` beside it.

An IPython shell runs the cells, so that magics, `display`, figures and `await`
work as the student saw them.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import linecache
import os
import resource
import signal
import socket
import sys
import traceback
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"  # means nothing without a kernel
REQUEST_CAP = 1 << 30


class Outputs:
    """A cell's outputs as a notebook stores them, cut at a number of bytes."""

    def __init__(self) -> None:
        self.start(0)

    def start(self, cap: int) -> None:
        self.found: list[dict[str, Any]] = []
        self.left = cap
        self.cut = False
        self.shown: dict[str, dict[str, Any]] = {}  # by display_id
        self.clear_next = False

    def write(self, name: str, text: str) -> None:
        """Add printed text to the stream "stdout" or "stderr"."""
        self._clear_if_due()
        self.cut |= len(text) > self.left
        text = text[:self.left]
        self.left -= len(text)
        if not text:
            return
        last = self.found[-1] if self.found else {}
        if last.get("name") == name:
            last["parts"].append(text)
        else:
            self.found.append({"output_type": "stream", "name": name, "parts": [text]})

    def add(self, output: dict[str, Any], display_id: str | None = None) -> None:
        """Add a picture, a result or an error."""
        self._clear_if_due()
        size = len(json.dumps(output))
        if size > self.left:
            self.cut = True
            return
        self.left -= size
        self.found.append(output)
        if display_id:
            self.shown[display_id] = output

    def update(self, display_id: str, output: dict[str, Any]) -> None:
        """Replace what `display(..., display_id=...)` showed."""
        shown = self.shown.get(display_id)
        size = len(json.dumps(output))
        if shown is None or size > self.left:
            return
        self.left -= size
        shown.update(data=output["data"], metadata=output["metadata"])

    def clear(self, wait: bool = False) -> None:
        if wait:
            self.clear_next = True
        else:
            self.found.clear()
            self.clear_next = False

    def _clear_if_due(self) -> None:
        if self.clear_next:
            self.clear()

    def finished(self) -> list[dict[str, Any]]:
        def stream(one):
            return {"output_type": "stream", "name": one["name"],
                    "text": "".join(one["parts"])}
        return [stream(one) if "parts" in one else one for one in self.found]


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr: what is printed becomes an output."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, outputs: Outputs) -> None:
        self.name = name
        self.outputs = outputs

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.outputs.write(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True


def mime_bundle(data: dict[str, Any]) -> dict[str, Any]:
    """Output data as a notebook stores it: pictures as base64 text."""
    found = {}
    for kind, value in data.items():
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        if kind != WIDGET:
            found[kind] = value
    return found


def make_shell(outputs: Outputs) -> Any:
    """An IPython shell whose outputs go to `outputs`."""
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config

    class Hook(DisplayHook):
        def start_displayhook(self):
            pass

        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            outputs.add({"output_type": "execute_result",
                         "execution_count": self.prompt_count,
                         "data": mime_bundle(format_dict), "metadata": md_dict or {}})

        def finish_displayhook(self):
            pass

    class Publisher(DisplayPublisher):
        def publish(self, data, metadata=None, *, transient=None, update=False, **_):
            output = {"output_type": "display_data", "data": mime_bundle(data),
                      "metadata": metadata or {}}
            display_id = (transient or {}).get("display_id")
            if update:
                outputs.update(display_id, output)
            elif output["data"]:
                outputs.add(output, display_id)

        def clear_output(self, wait=False):
            outputs.clear(wait)

    class Shell(InteractiveShell):
        displayhook_class = Type(Hook)
        display_pub_class = Type(Publisher)

        def _showtraceback(self, etype, evalue, stb):
            outputs.add({"output_type": "error", "ename": str(etype.__name__),
                         "evalue": safe_text(evalue), "traceback": list(stb)})

        def enable_gui(self, gui=None):
            """There is no screen."""

        def ask_exit(self):
            """`exit` in a notebook ends nothing here."""

        def system(self, cmd):
            print(self.getoutput(self.var_expand(cmd, depth=1), split=False), end="")

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = Shell.instance(config=config)
    if "matplotlib" in sys.modules:
        shell.run_line_magic("matplotlib", "inline")
    return shell


def safe_text(value: Any) -> str:
    try:
        return str(value)[:2000]
    except BaseException:
        return "(an error whose text cannot be shown)"


def describe_error(error: BaseException) -> dict[str, Any]:
    """An exception as data: its class and its bases, its text, the line."""
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith("<ipython-input") or "carried/" in frame.filename:
            where = (linecache.getline(frame.filename, frame.lineno) or "").strip()
    return {"types": [kind.__name__ for kind in type(error).__mro__],
            "message": safe_text(error), "line": where[:200]}


class Server:
    """Answers `put`, `run` and `call` until the socket closes."""

    def __init__(self, channel: socket.socket, wire: Any) -> None:
        self.channel = channel
        self.wire = wire
        self.outputs = Outputs()
        self.process = os.getpid()
        sys.stdout = Stream("stdout", self.outputs)
        sys.stderr = Stream("stderr", self.outputs)
        self.shell = make_shell(self.outputs)
        self.answers = {"put": self.put, "run": self.run, "call": self.call}

    def serve(self) -> None:
        while True:
            request, data = self.receive()
            calm()
            reply, chunks = self.answers[request["do"]](request, data)
            if os.getpid() != self.process:  # student code forked, and came back
                os._exit(0)
            self.send({"id": request["id"], **reply}, chunks)

    def receive(self) -> tuple[dict[str, Any], bytes]:
        head = self.read(self.wire.HEADER.size)
        text, data = self.wire.unpack_header(head, REQUEST_CAP, REQUEST_CAP)
        return self.wire.unpack_text(self.read(text)), self.read(data)

    def read(self, count: int) -> bytes:
        found = bytearray(count)
        view = memoryview(found)
        while view:
            got = self.channel.recv_into(view)
            if not got:
                os._exit(0)  # the grader has gone
            view = view[got:]
        return bytes(found)

    def send(self, message: dict[str, Any], chunks: Any = ()) -> None:
        for part in self.wire.pack(message, chunks):
            self.channel.sendall(part)

    def put(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
        """Write (a part of) a file into the working directory."""
        os.makedirs(os.path.dirname(request["name"]) or ".", exist_ok=True)
        with open(request["name"], "ab") as file:
            file.write(data)
        return {}, ()

    def run(self, request: dict[str, Any], _: bytes) -> tuple[dict[str, Any], Any]:
        """Run a cell."""
        self.outputs.start(request["cap"])
        result = self.shell.run_cell(request["source"], store_history=True)
        return {"outputs": self.outputs.finished(), "ok": bool(result.success),
                "cut": self.outputs.cut}, ()

    def call(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], Any]:
        """Call a function of the student's."""
        function = self.shell.user_ns.get(request["function"])
        if not callable(function):
            return {"missing": "" if function is None else type(function).__name__}, ()
        args = [self.wire.decode(one, data, True) for one in request["args"]]
        kwargs = {name: self.wire.decode(one, data, True)
                  for name, one in request["kwargs"].items()}
        self.outputs.start(0)
        try:
            value = function(*args, **kwargs)
            encoder = self.wire.Encoder()
            tree = encoder.encode(value)
        except BaseException as error:
            return {"raised": describe_error(error)}, ()
        if encoder.length > request["cap"]:
            return {"returned": {"opaque": f"{encoder.length} bytes"}}, ()
        return {"returned": tree}, encoder.chunks


def calm() -> None:
    """Undo what earlier student code may have left ticking, or caught."""
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.settrace(None)
    sys.setprofile(None)


def prepare(config: dict[str, Any]) -> None:
    """Limits, the working directory, and where modules are found."""
    for name, value in config["rlimits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    os.chdir(config["scratch"])
    sys.argv = [""]
    sys.path += config["path"]


def preload(names: list[str]) -> None:
    """The imports that take long."""
    for name in [*names, "IPython.core.interactiveshell"]:
        importlib.import_module(name)


def serve(config: dict[str, Any], wire: Any, fd: int) -> None:
    """Greet the grader at the other end of `fd`, and answer until it has gone."""
    server = Server(socket.socket(fileno=fd), wire)
    # What a student hands in comes last: it cannot stand in for numpy.
    sys.path[:] = [*(one for one in sys.path if one), config["scratch"]]
    versions = {name: getattr(module, "__version__", "")
                for name in config["preload"] + ["IPython"]
                if "." not in name and (module := sys.modules.get(name))}
    server.send({"id": config["id"], "versions": versions})
    server.serve()


def main() -> None:
    config = json.loads(sys.argv[1])
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    wire = importlib.import_module("wire")
    del sys.modules["wire"]  # a student may have a module of that name
    sys.path.remove(here)
    prepare(config)
    preload(config["preload"])
    serve(config, wire, config["fd"])


if __name__ == "__main__":
    main()
