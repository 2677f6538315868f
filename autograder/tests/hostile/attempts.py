"""Rows: notebooks whose code tries to get points, or to break the grader."""

from __future__ import annotations

from autograder.sandbox import Limits, MiB
from autograder.tests.hostile.broken import both
from autograder.tests.hostile.row import Row, dishonest, files, notebook
from autograder.tests.hostile.small import ANSWERS, NAME

CAPPED = "raise SystemExit('this module came before the real one')"
UNWRITTEN = "not written yet"
FIRST, THIRD = ANSWERS["double"], ANSWERS["total"]
# For rows that run into a limit. A limit decides no point that is deserved.
SHORT = Limits(cell_seconds=5, first_call_seconds=2)
TIGHT = Limits(memory=400 * MiB, processes=24)
SILENT = "def double(x):\n    return 0 * x\n\n\ntriple = total = double\n"
HELPERS = '''
def everything(*arguments, **named):
    return WHAT


double = triple = total = everything
'''


def returns(what: str, before: str = "") -> str:
    """Code whose functions all return the same."""
    return before + HELPERS.replace("WHAT", what)


PATCHED_TESTS = f"""
import unittest

np.testing.assert_allclose = lambda *arguments, **named: None
np.allclose = np.array_equal = lambda *arguments, **named: True
unittest.TestCase.assertEqual = lambda *arguments, **named: None
{SILENT}"""
PATCHED_RUN_CELL = f"""
shell = get_ipython()
shell.run_cell = lambda *arguments, **named: 7
{SILENT}"""
TRANSFORMERS = f"""
import ast


class Passing(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()


get_ipython().ast_transformers.append(Passing())
get_ipython().input_transformers_cleanup.append(lambda lines: ["7\\n"])
{SILENT}"""
FORGED_OUTPUT = f"""
from IPython.display import publish_display_data

print("4 of 4 points")
publish_display_data({{"text/plain": "4", "output_type": "execute_result"}})
get_ipython().display_pub.publish({{"text/plain": "4"}})
{SILENT}
7
"""
LIAR = """
class Right:
    __eq__ = __ge__ = __le__ = __lt__ = __gt__ = lambda self, other: True
    __array__ = lambda self, *a, **k: np.zeros((3, 5))
    __array_ufunc__ = lambda self, *a, **k: True
    __float__ = lambda self: 1.0
    __reduce__ = lambda self: (print, ("unpickled",))
    dtype, shape, ndim = np.dtype("f8"), (3, 5), 2
"""
SUBCLASS = """
class Array(np.ndarray):
    __eq__ = lambda self, other: np.ones(self.shape, bool)
    tobytes = lambda self, *a: b"7"
"""
STRIDES = "np.lib.stride_tricks.as_strided(np.zeros(1), (10**9, 10**9), (0, 0))"
GENERATOR = "(2 * one for one in arguments)"
LAZY = """
class Lazy:
    def __array__(self, dtype=None, copy=None):
        return np.ones((3, 5))
"""
SCALAR = """
class One(np.float64):
    __eq__ = lambda self, other: True
"""
NAN_INF = "np.full((3, 5), np.nan)"
DETECTS = f"""
import os

if os.environ.get("CONVLAB_GRADING"):
    {SILENT.replace(chr(10), chr(10) + "    ")}
"""
PARENT_READS = """
import os


def look(path):
    try:
        return open(path, "rb").read(4000)
    except OSError as error:
        return str(error)


print(In, Out)
print(look("/proc/self/environ"))
print(look("/proc/1/environ"))
print(look("/proc/%d/maps" % os.getppid()))
print(open.__self__, look("/etc/passwd"))
"""
SEARCHES = """
import os
import sys

mark = "the_hidden_" + "block_of"
count = 0
found = []
for top in ("ROOT", "/scratch", "/tmp", "/home", "/srv", "/root", "/course", "/grader",
            "/mnt", "/media", "/var", "/dev/shm", "/run"):
    for folder, _, names in os.walk(top):
        if folder.startswith((sys.prefix, sys.base_prefix)):
            continue  # Python and its libraries, wherever they lie
        for name in names:
            count += 1
            path = os.path.join(folder, name)
            if any(word in path for word in ("hidden", "solutions", "gradebook")):
                found.append(path)
            try:
                if name.endswith((".ipynb", ".json")) and mark in open(path).read():
                    found.append(path)
            except (OSError, UnicodeError):
                pass
print("searched", len(found), found)
"""
IMPORTS_GRADER = """
import glob
import sys

for place in ("..", "/proc/1/cwd", "/proc/self/root"):
    print(glob.glob(place + "/autograder/hidden/*"))
try:
    import autograder.hidden.small as hidden
    double = hidden.QUESTIONS[0].oracle
except ImportError as error:
    print(error)
print([name for name in sys.modules if name.startswith(("autograder", "nbgrader"))])
"""
WRITES = """
import os
import pathlib

for place in ("ROOT/course/gradebook.db", "ROOT/course/submitted/s001/small/x.ipynb",
              "ROOT/escaped", "/escaped", "../escaped", "/tmp/../escaped",
              "/course/escaped", "/grader/server.py", "/usr/escaped", "/etc/escaped",
              np.__file__, os.__file__):
    try:
        pathlib.Path(place).write_text("escaped")
        print("WROTE", place)
    except OSError as error:
        print("refused", error.strerror)
"""
CALLS_HOME = """
import socket
import urllib.request

for address in (("127.0.0.1", PORT), ("192.0.2.1", 80), ("::1", PORT)):
    try:
        socket.create_connection(address, timeout=2)
        print("CONNECTED", address)
    except OSError as error:
        print("refused", error)
try:
    urllib.request.urlopen("http://example.org", timeout=2)
except OSError as error:
    print("refused", error)
"""
FORKS = """
import os

while True:
    try:
        os.fork()
    except OSError:
        pass
"""
MEMORY = "hoard = [np.ones(8 * 2**20) for _ in range(10_000)]"
MANY_HOARDS = """
import os
import time

for _ in range(6):
    if os.fork() == 0:
        hoard = np.random.random(20 * 2**20)
        time.sleep(600)
        os._exit(0)
time.sleep(600)
"""
ALL_AT_ONCE = "hoard = np.ones(12_500_000_000)"
FILLS_DISK = """
import os

for number in range(10_000):
    with open(f"/tmp/{number}", "wb") as file:
        file.write(bytes(2**24))
"""
FLOOD = """
for _ in range(200):
    print("x" * 1_000_000, end="")
"""
RAW_FLOOD = """
import os

for _ in range(400):
    os.write(1, b"x" * 65_536)
    os.write(2, b"y" * 65_536)
"""
SWALLOWS = """
import signal
import time

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        time.sleep(0.2)
    except BaseException:
        pass
"""
KILLS_PARENT = """
import os

for number in (15, 9):
    for process in (os.getppid(), 1, 0, -1):
        try:
            os.kill(process, number)
        except OSError as error:
            print(error)
"""
THREAD = """
import threading
import time

shared = np.zeros((3, 5))


def change():
    while True:
        shared[:] = np.random.random((3, 5))
        time.sleep(0.0001)


threading.Thread(target=change, daemon=True).start()


def double(x):
    return shared


triple = total = double
"""
AT_EXIT = f"""
import atexit
import gc
import os
import sys
import weakref


class Last:
    def __del__(self):
        sys.stdout.write("4 of 4 points")


last = Last()
loop = [last]
loop.append(loop)
del last, loop
atexit.register(lambda: os.write(1, b"7 of 7 points"))
gc.callbacks.append(lambda *_: None)
{SILENT}"""
PATCHED_NUMPY = f"""
import gc
import json

np.array = np.asarray = np.ascontiguousarray = lambda *a, **k: 7
json.dumps = lambda *a, **k: '{{"returned": {{"plain": 7.0}}}}'
server = next(one for one in gc.get_objects() if type(one).__name__ == "Server")
for names in (vars(server.wire), type(server).serve.__globals__):
    for one in ("pack", "Encoder", "describe_error", "calm"):
        if one in names:
            names[one] = lambda *a, **k: []
{SILENT}"""
FORGED_REPLY = """
import gc
import json
import socket
import struct

channel = next(one for one in gc.get_objects() if isinstance(one, socket.socket))


def double(x):
    text = json.dumps({"id": "x", "returned": {"plain": 1.0}}).encode()
    channel.sendall(struct.pack(">4sIQ", b"CNV1", len(text), 0) + text)
    return x


def triple(x):
    channel.sendall(struct.pack(">4sIQ", b"CNV1", 20, 1 << 62))
    return x
"""
FORGED_ANSWERS = """
import gc

server = next(one for one in gc.get_objects() if type(one).__name__ == "Server")
send = server.send
result = {"output_type": "execute_result", "execution_count": 1, "metadata": {},
          "data": {"text/plain": "7"}}
server.send = lambda message, chunks=(): send(
    {"id": message["id"], "outputs": [result] * 9, "ok": True, "cut": False,
     "returned": {"plain": 7.0}})
"""
SERVER_PATCHED = """
import gc

for one in gc.get_objects():
    if type(one).__name__ == "Server":
        one.answers["call"] = lambda *a: ({"returned": {"opaque": "right"}}, ())
        one.answers["run"] = lambda *a: ({"outputs": [{"output_type": "execute_result",
            "execution_count": 1, "data": {"text/plain": "4"}, "metadata": {}}],
            "ok": True, "cut": False}, ())
"""
SHELL = """
!cat /etc/passwd; id; ls /
%cd /
%%time
"""
PRIVILEGES = """
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for attempt in (lambda: os.setuid(0), lambda: os.setgid(0),
                lambda: os.chmod("/usr/bin/env", 0o777),
                lambda: os.chroot("/scratch"), lambda: os.nice(-20),
                lambda: os.mknod("device", 0o060666, os.makedev(8, 0))):
    try:
        attempt()
        print("ALLOWED")
    except OSError as error:
        print("refused", error.strerror)
for call in (lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
             lambda: libc.unshare(0x10000000), lambda: libc.prctl(22, 0, 0, 0, 0),
             lambda: libc.ptrace(16, 1, 0, 0), lambda: libc.reboot(0x01234567)):
    print("refused" if call() else "ALLOWED")
"""
TRACEBACK = """
def down(n):
    if n == 0:
        raise ValueError("x" * 3_000_000)
    down(n - 1)


down(900)
"""
ESCAPES = r"""
print("\x1b[31m" * 100_000)
print("\x1b]0;title\x07\x1b[2J\x1b[H\x1b]8;;http://example.org\x1b\\click\x07\x00\x08")
raise ValueError("\x1b[5m" * 500 + "\u202e reversed")
"""
SCRIPT = """
from IPython.display import HTML, SVG, Javascript, Markdown, display

display(HTML("<script>alert('live')</script><b onclick='alert(1)'>bold</b>"
             "<iframe src='https://example.org/live'></iframe>"
             "<img src='https://example.org/live.png'><style>*{display:none}</style>"))
display(Javascript("alert('live')"))
display(SVG("<svg xmlns='http://www.w3.org/2000/svg'><script>alert('live')</script>"
            "</svg>"))
display(Markdown("[a](javascript:alert('live')) <script>alert('live')</script>"))
display({"text/html": "<object data='live'></object>", "application/x-live": "live"},
        raw=True)
"""
SLOW_HTML = """
from IPython.display import HTML, Markdown, display

display(HTML("<div>" * 100_000))
display(HTML("<b><p>" * 100_000))
display(Markdown("\\\\begin{a}" * 100_000))
display({"text/latex": "$" + "\\\\begin{a}" * 100_000 + "$"}, raw=True)
"""
FIGURES = """
from IPython.display import Image, display

picture = Image(data=b"\\x89PNG" + bytes(2000), format="png")
for _ in range(10_000):
    display(picture)
"""


def live_markdown(book: dict) -> None:
    """Script in a text cell, in an answer in words, in an attachment."""
    text = ("<script>alert('live')</script> [x](javascript:alert('live')) "
            "<img src=x onerror=alert('live')> ![p](attachment:p.svg)")  # fmt: skip
    svg = "<svg onload=alert('live')>"
    book["cells"].insert(2, {"cell_type": "markdown", "id": "live", "metadata": {},
                             "source": text, "attachments": {
                                 "p.svg": {"image/svg+xml": svg}}})  # fmt: skip
    why = next(c for c in book["cells"] if c.get("id") == "why")
    why["source"] = text
    book["cells"].append({"cell_type": "raw", "id": "raw", "source": text,
                          "metadata": {"raw_mimetype": "text/html"}})  # fmt: skip
    book["metadata"]["title"] = "</title><script>alert('live')</script>"


def slow_markdown(book: dict) -> None:
    """Text cells that a page takes hours to make of."""
    for text in ("<div>" * 100_000, "\\begin{a}" * 100_000, "[" * 100_000,
                 "$" + "{" * 100_000 + "$", "> " * 100_000):
        book["cells"].append({"cell_type": "markdown", "source": text, "metadata": {}})


def slow_code(book: dict) -> None:
    """Code that IPython reads again for each magic in it."""
    for text in ("%time 1\n" * 300 + "x = 1\n" * 20_000, "x = " + "(" * 90_000):
        book["cells"].append({"cell_type": "code", "source": text, "metadata": {},
                              "outputs": [], "execution_count": None})  # fmt: skip


def untouched_with(contents: dict[str, bytes]):
    return both(notebook(), files(contents))


def scored_nothing(name: str, source: str, flags: str, *seen: str,
                   student: tuple[str, ...] = (), **options) -> Row:  # fmt: skip
    """An attempt, and no right answer: no points."""
    points = options.pop("points", 0)
    return Row(name, dishonest(source, **options.pop("written", {})), points, "graded",
               flags, student, seen, **options)  # fmt: skip


CHECKS = (
    scored_nothing("patches asserts", PATCHED_TESTS, "patched-assert",
                   "np.testing.assert_allclose = lambda", "cell 13",
                   student=("All 15 values are wrong",)),
    scored_nothing("replaces run_cell", PATCHED_RUN_CELL, "patched-kernel",
                   "shell.run_cell = lambda",
                   student=("All 15 values are wrong",)),
    scored_nothing("replaces run_cell, with right answers", PATCHED_RUN_CELL.replace(
                   SILENT, ""), "patched-kernel", written=ANSWERS, points=7),
    scored_nothing("AST and input transformers", TRANSFORMERS, "patched-kernel",
                   "get_ipython().ast_transformers",
                   student=("All 15 values are wrong",)),
    scored_nothing("forges a result", FORGED_OUTPUT, "forged-output patched-kernel",
                   "publish_display_data",
                   student=("All 15 values are wrong",)),
    scored_nothing("an object that is equal to everything", returns("Right()", LIAR),
                   "lying-object", "class Right",
                   student=("Right", "not an array")),
    scored_nothing("a subclass of ndarray", returns(
                   "np.ones((3, 5)).view(Array)", SUBCLASS), "lying-object",
                   "class Array", student=("Array", "not an array")),
    scored_nothing("a number that is equal to everything", returns("One(1)", SCALAR),
                   "lying-object", "class One"),
    scored_nothing("an array of objects", returns("np.array([object()] * 3)"), "",
                   student=("dtype object",)),
    scored_nothing("an array of absurd strides", returns(STRIDES), "",
                   student=("MemoryError",)),
    scored_nothing("an array of 200 MB", returns("np.zeros(200 * 2**20, np.uint8)"),
                   "", student=("bytes",)),
    scored_nothing("a generator", returns(GENERATOR), "", student=("generator",)),
    scored_nothing("a lazy object", returns("Lazy()", LAZY), "lying-object",
                   "class Lazy", student=("Lazy",)),
    scored_nothing("NaN everywhere", returns(NAN_INF), "",
                   student=("15 of them NaN",)),
    scored_nothing("a tuple a thousand deep", returns("deep", "deep = ()\n"
                   "for _ in range(900):\n    deep = (deep,)\n"), "",
                   student=("deeply nested",)),
    scored_nothing("is otherwise when it is graded", DETECTS, "looks-for-grader",
                   'os.environ.get("CONVLAB_GRADING")', written=ANSWERS),
    scored_nothing("reads history and processes", PARENT_READS,
                   "reads-elsewhere reads-history", "/proc/self/environ", "print(In"),
    scored_nothing("searches the file system", SEARCHES, "reads-elsewhere",
                   "/root", student=("searched 0 []",)),
    scored_nothing("imports the hidden tests", IMPORTS_GRADER,
                   "changed-imports reads-elsewhere reads-grader",
                   "import autograder.hidden.small as hidden",
                   student=("No module named 'autograder'",)),
    scored_nothing("writes to the gradebook and elsewhere", WRITES, "reads-elsewhere",
                   "/etc/escaped", student=("refused",)),
    scored_nothing("uses the network", CALLS_HOME, "network", "socket",
                   student=("refused",)),
    scored_nothing("replaces numpy's functions", PATCHED_NUMPY,
                   "inspects-frames patched-library timeout", "np.array = ",
                   limits=SHORT,
                   student=("longer than 5 s",)),
    scored_nothing("writes to the grader's connection", FORGED_REPLY,
                   "crash inspects-frames network", "gc.get_objects",
                   "what is not an answer", written={"total": THIRD}, points=4,
                   student=("was written to",)),
    scored_nothing("answers in the server's place", FORGED_ANSWERS,
                   "forged-output inspects-frames", "gc.get_objects",
                   student=("got the float 7.0",)),
    scored_nothing("replaces the server's answers", SERVER_PATCHED,
                   "forged-output inspects-frames", "gc.get_objects"),
    scored_nothing("shell and magics", SHELL, "shell", "/etc/passwd"),
    scored_nothing("asks for privileges", PRIVILEGES, "native-code privileges",
                   "os.setuid(0)", student=("refused",)),
    scored_nothing("leaves a thread that changes results", THREAD, "",
                   student=("values are wrong",)),
    scored_nothing("at exit, and as objects go", AT_EXIT, "patched-kernel",
                   "atexit.register"),
)  # fmt: skip

BREAKS = (
    scored_nothing("a fork bomb", FORKS, "kills-process processes",
                   "more than 24 processes", "os.fork()", limits=TIGHT,
                   written={"double": FIRST}, points=1,
                   student=("more than 24 processes",)),
    scored_nothing("a memory bomb", MEMORY, "", limits=TIGHT,
                   written={"double": FIRST}, points=1, student=("MemoryError",)),
    scored_nothing("memory in many processes", MANY_HOARDS, "kills-process memory",
                   "GiB of memory", limits=TIGHT, written={"double": FIRST}, points=1,
                   student=("GiB of memory",)),
    scored_nothing("100 GB at once", ALL_AT_ONCE, "", written={"double": FIRST},
                   points=1, student=("MemoryError",)),
    scored_nothing("fills the disk", FILLS_DISK, "",
                   written={"double": FIRST}, points=1,
                   student=("No space left on device",)),
    scored_nothing("200 MB on one line", FLOOD, "output", "the rest was cut off",
                   written={"double": FIRST}, points=1,
                   student=("the rest was cut off",)),
    scored_nothing("a flood past Python", RAW_FLOOD, "", written={"double": FIRST},
                   points=1),
    scored_nothing("an endless loop", "while True:\n    pass", "timeout",
                   "longer than 5 s", written={"double": FIRST}, points=1,
                   limits=SHORT, student=("longer than 5 s",)),
    scored_nothing("a loop that swallows everything", SWALLOWS,
                   "kills-process timeout", "longer than 5 s", limits=SHORT,
                   written={"double": FIRST}, points=1,
                   student=("longer than 5 s",)),
    scored_nothing("sleeps in one question", "", "timeout", "longer than",
                   limits=SHORT, seconds=4, points=1 + 4,
                   written={"double": FIRST, "total": THIRD,
                            "triple": "import time\n\n\ndef triple(x):\n"
                                      "    time.sleep(600)"},
                   student=("was stopped",)),
    scored_nothing("os._exit in one question", "", "crash kills-process",
                   "exit status 3", points=1 + 4,
                   written={"double": FIRST, "total": THIRD, "triple":
                            "import os\n\n\ndef triple(x):\n    os._exit(3)"},
                   student=("ended the Python process",)),
    scored_nothing("a segmentation fault in one question", "", "crash native-code",
                   "segmentation fault", points=1 + 4,
                   written={"double": FIRST, "total": THIRD, "triple":
                            "import ctypes\n\n\ndef triple(x):\n"
                            "    ctypes.string_at(0)"},
                   student=("segmentation fault",)),
    scored_nothing("kills itself in a cell",
                   "import os\nimport signal\nos.kill(os.getpid(), signal.SIGKILL)",
                   "crash kills-process", "signal 9", points=1,
                   written={"double": FIRST}, student=("signal 9",)),
    scored_nothing("kills its parent, and all it sees", KILLS_PARENT,
                   "crash kills-process", "signal", points=1,
                   written={"double": FIRST},
                   student=("ended by signal",)),
    scored_nothing("sys.exit", "import sys\nsys.exit(0)", "", points=1,
                   written={"double": FIRST}, student=("SystemExit",)),
    scored_nothing("exit and quit", "quit()\nexit()", "", points=1,
                   written={"double": FIRST}),
    scored_nothing("waits for input", "x = input('Your name? ')", "", points=1,
                   written={"double": FIRST}, student=("input",)),
    scored_nothing("%reset", "%reset -f", "", points=0, written={"double": FIRST},
                   student=("There is no function",)),
    scored_nothing("deletes its functions", "del double, triple", "", points=4,
                   written={"double": FIRST, "total": THIRD},
                   student=("There is no function",)),
    scored_nothing("recursion without end",
                   "def double(x):\n    return double(x)", "", points=4,
                   written={"total": THIRD}, student=("RecursionError",)),
    scored_nothing("recursion past every limit",
                   "import sys\nsys.setrecursionlimit(10**9)\n\n\n"
                   "def down(n):\n    return max([n], key=down)\n\n\ndown(1)",
                   "crash", "segmentation fault", points=1, written={"double": FIRST},
                   student=("segmentation fault",)),
    scored_nothing("an output without end",
                   "n = 0\nwhile True:\n    n += 1\n    display(n)",
                   "timeout", "longer than 5 s", points=1,
                   limits=SHORT, written={"double": FIRST},
                   student=("longer than 5 s",)),
    scored_nothing("a traceback and a message of megabytes", TRACEBACK, "output",
                   points=1, written={"double": FIRST},
                   student=("the rest was cut off",)),
    scored_nothing("10,000 figures", FIGURES, "output", "the rest was cut off",
                   points=1, written={"double": FIRST},
                   student=("the rest was cut off",)),
    scored_nothing("terminal escapes", ESCAPES, "", points=1,
                   written={"double": FIRST}),
)  # fmt: skip

PAGES = (
    scored_nothing("script in outputs", SCRIPT, "forged-output", "display(",
                   written={"double": FIRST}, points=1, student=("bold",)),
    Row("script in texts", notebook(live_markdown)),
    scored_nothing("HTML that takes hours", SLOW_HTML, "forged-output output",
                   written={"double": FIRST}, points=1,
                   student=("HTML object",)),
    Row("texts that take hours", notebook(slow_markdown),
        student=("Too much markup to be shown",)),
    Row("code that takes hours to look at", notebook(slow_code), limits=SHORT,
        flags="not-looked-at timeout", instructor=("too long or too deep",)),
)  # fmt: skip

MODULES = tuple(
    Row(f"a file {name}", untouched_with({name: CAPPED.encode()}), 7, "repaired",
        "left-out shadowed-module", (name, "give it another name"),
        (name, "set aside"))
    for name in ("numpy.py", "numba/__init__.py", "ipykernel_launcher.py",
                 "convlab/__init__.py", "sitecustomize.py")
) + (
    Row("a .pth file", untouched_with({"start.pth": b"import os; os._exit(1)"}), 7,
        "repaired", "left-out shadowed-module", ("start.pth",), ("start.pth",)),
    Row("a poisoned numba cache", untouched_with(
        {"__pycache__/small.double-1.py311.nbi": b"\x80\x04cos\nsystem\n.",
         ".numba/small.nbc": b"\x80\x04cos\nsystem\n."}), 7),
    Row("a startup file for IPython", untouched_with(
        {".ipython/profile_default/startup/00.py": CAPPED.encode(),
         "ipython_config.py": CAPPED.encode()}), 7, "repaired", "left-out",
        ("left out",), ("left out", "startup/00.py")),
)  # fmt: skip

ROWS = (*CHECKS, *BREAKS, *PAGES, *MODULES)
assert NAME == "small"  # named in the texts above
