"""A static look at a student's own code for attempts on the grader.

Nothing found here changes a score: scores are computed where student code
cannot reach. It tells an instructor, in neutral words and with the evidence,
what the code would have done. There are honest reasons for most of it.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager

from autograder.remark import Remark, excerpt
from convlab.run import GRADED

LONGEST_CELL = 200_000  # characters; longer ones are noted, not parsed
# IPython reads a cell again for each magic in it: characters times magics.
MOST_TO_TRANSFORM = 2_000_000

# Names as they are after imports are resolved; an entry also covers what is
# below it ("os.exec" covers os.execv by prefix, "ctypes" covers ctypes.CDLL).
USES = {
    "shell": (
        "Starts another program.",
        ("subprocess", "os.system", "os.popen", "os.exec", "os.spawn", "os.posix_spawn",
         "pty", "pexpect"),
    ),
    "kills-process": (
        "Ends or signals a process.",
        ("os.kill", "os.killpg", "os._exit", "os.abort", "signal.raise_signal",
         "signal.signal", "signal.alarm", "faulthandler._sigsegv", "os.fork",
         "psutil.Process"),
    ),
    "network": (
        "Uses the network.",
        ("socket", "urllib.request", "requests", "http.client", "http.server", "ftplib",
         "smtplib", "aiohttp", "httpx", "websocket", "zmq", "asyncio.open_connection"),
    ),
    "native-code": (
        "Calls native code or memory directly.",
        ("ctypes", "cffi", "_ctypes", "mmap"),
    ),
    "patched-kernel": (
        "Reaches into the running notebook's kernel.",
        ("IPython.core", "IPython.get_ipython", "ipykernel", "IPython.extensions",
         "sys.displayhook", "sys.settrace", "sys.setprofile", "atexit.register"),
    ),
    "changed-imports": (
        "Changes how modules are found or what they are.",
        ("sys.modules", "sys.meta_path", "sys.path_hooks", "importlib.reload",
         "importlib.machinery", "importlib.util"),
    ),
    "reads-grader": (
        "Imports or names the grader.",
        ("autograder", "nbgrader"),
    ),
    "inspects-frames": (
        "Looks into the code that calls it.",
        ("sys._getframe", "sys._current_frames", "inspect.stack",
         "inspect.currentframe", "gc.get_objects", "gc.get_referrers"),
    ),
    "forged-output": (
        "Writes cell outputs by hand.",
        ("IPython.display.publish_display_data", "IPython.core.display_functions"
         ".publish_display_data"),
    ),
    "privileges": (
        "Asks for another user's rights or for a device.",
        ("os.setuid", "os.setgid", "os.seteuid", "os.setegid", "os.setresuid",
         "os.setresgid", "os.setgroups", "os.chroot", "os.mknod", "os.chown"),
    ),
    "dynamic-code": (
        "Runs code that is put together while it runs.",
        ("exec", "eval", "compile", "builtins.exec", "builtins.eval", "__import__",
         "importlib.import_module", "marshal", "pickle.loads", "types.CodeType"),
    ),
}  # fmt: skip
PATCHED = (
    "numpy.testing", "unittest", "numpy.allclose", "numpy.array_equal",
    "numpy.isclose", "numpy.array_equiv", "builtins", "convlab.checks", "math.isclose",
)  # fmt: skip
# Libraries whose own functions the grader, or an honest notebook, builds on.
LIBRARIES = {"numpy", "numba", "scipy", "json", "struct", "socket", "io", "time", "os",
             "math", "operator", "pickle", "copy", "threading", "convlab"}  # fmt: skip
KERNEL_PARTS = {
    "run_cell", "run_code", "ast_transformers", "input_transformers_cleanup",
    "input_transformers_post", "displayhook", "display_pub", "events", "kernel",
    "user_ns", "history_manager", "showtraceback", "set_custom_exc",
    "execution_count", "ast_node_interactivity",
}  # fmt: skip
LYING = {
    "__eq__", "__array__", "__array_ufunc__", "__array_function__", "__lt__", "__le__",
    "__array_interface__", "__array_struct__", "__instancecheck__", "__class__",
}  # fmt: skip
SHELL = "get_ipython()"
HISTORY = {"In", "_ih", "_oh", "_i", "_ii", "_iii", "Out"}
# Of Linux: nothing in them is a notebook's business.
SYSTEM = ("proc", "etc", "home", "root")
ELSEWHERE = ("solutions/", "gradebook", "hidden_tests", "/hidden/", "../",
             *(f"/{folder}/" for folder in SYSTEM),
             "submitted/", "autograded/")  # fmt: skip
# A text that is such a path is noted wherever it stands.
PLACES = re.compile("/(" + "|".join(SYSTEM)
                    + r"|sys|var|srv|grader|course)(/[^\s<>]*)?\Z")  # fmt: skip
READERS = {"open", "listdir", "scandir", "walk", "glob", "iglob", "rglob", "iterdir",
           "read_text", "read_bytes", "load", "loadtxt", "genfromtxt", "fromfile",
           "memmap", "Path", "chdir", "symlink", "copy", "copytree"}  # fmt: skip
SHELL_MAGICS = {"system", "getoutput", "sx", "bash", "sh", "script", "pip", "conda",
                "perl", "ruby", "run", "load", "cd"}  # fmt: skip
# Modules that a handed-in file of the same name would stand in front of.
SHADOWED = set(sys.stdlib_module_names) | {
    "numpy", "numba", "llvmlite", "scipy", "matplotlib", "IPython", "ipykernel",
    "ipykernel_launcher", "jupyter_client", "jupyter_core", "traitlets", "zmq",
    "tornado", "psutil", "tqdm", "nbformat", "nbclient", "nbconvert", "nbgrader",
    "convlab", "autograder", "sitecustomize", "usercustomize", "sklearn", "requests",
    "platformdirs", "comm", "debugpy",
}  # fmt: skip

WORDS = {
    "patched-assert": "Replaces a comparison or a check by the student's own.",
    "patched-library": "Replaces a function of a library by the student's own.",
    "looks-for-grader": "Looks whether it is being graded.",
    "lying-object": "Defines an object that decides itself what it is equal to.",
    "reads-history": "Reads the notebook's own history of inputs and outputs.",
    "reads-elsewhere": "Names files outside the assignment's folder.",
    "shadowed-module": "A handed-in file has the name of a module that the notebook "
    "imports; it was set aside.",
    "not-looked-at": "The cell is too long or too deep to be looked at.",
} | {flag: words for flag, (words, _) in USES.items()}


@dataclass(frozen=True)
class _Sighting:
    flag: str
    line: int


def look_at_code(
    cells: Iterable[tuple[str, str]], around: Iterable[str] = ()
) -> list[Remark]:
    """What stands out in a student's code cells, given as (title, source).

    `around` is the notebook's other code, which may import what they name.
    """
    trees = [(title, *_parse(source)) for title, source in cells]
    names: dict[str, str] = {}
    for tree in [_parse(source)[0] for source in around] + [t for _, t, _ in trees]:
        if tree:
            names.update(_imported(tree))
            names.update(_renamed(tree, names))
    remarks = []
    for title, tree, text in trees:
        if tree is None:
            if text is None:
                remarks.append(Remark("not-looked-at", WORDS["not-looked-at"], title))
            continue
        remarks += _remarks(title, text.splitlines(), _Look(names).sightings(tree))
    return remarks


def look_at_files(names: Iterable[str]) -> list[Remark]:
    """A remark for each handed-in file that would stand in for a module."""
    return [
        Remark("shadowed-module", WORDS["shadowed-module"], excerpt(name, 120))
        for name in names
        if shadows_module(name)
    ]


def shadows_module(name: str) -> bool:
    """Whether a file (relative name) would be imported in a module's place."""
    first, _, below = name.partition("/")
    stem, _, ending = first.partition(".")
    if name.endswith(".pth"):  # Python runs what stands in one
        return True
    is_code = bool(below) or ending.split(".")[-1] in ("py", "so", "pyd", "zip")
    return is_code and stem in SHADOWED


def _parse(source: str) -> tuple[ast.Module | None, str | None]:
    """The tree and the text it was made from; magics are calls in it.

    (None, text) for code that does not parse and so cannot run; (None, None)
    for what is too long or too deep to look at.
    """
    if len(source) > LONGEST_CELL:
        return None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with contextlib.suppress(SyntaxError):
                return ast.parse(source), source
            marks = sum(map(source.count, "%!?"))
            if marks * len(source) > MOST_TO_TRANSFORM:
                return None, None
            text = TransformerManager().transform_cell(source)
            return ast.parse(text), text
        except (SyntaxError, ValueError, UnicodeError):
            return None, source
        except (RecursionError, MemoryError):
            return None, None


def _remarks(
    title: str, lines: Sequence[str], sightings: Iterable[_Sighting]
) -> list[Remark]:
    """One remark a flag and cell, with the lines that gave rise to it."""
    seen: dict[str, list[int]] = {}
    for sighting in sightings:
        numbers = seen.setdefault(sighting.flag, [])
        if sighting.line not in numbers:
            numbers.append(sighting.line)
    return [
        Remark(
            flag,
            WORDS[flag],
            title,
            excerpt("\n".join(lines[n - 1].strip() for n in numbers[:4])),
        )
        for flag, numbers in seen.items()
    ]


def _imported(tree: ast.Module) -> dict[str, str]:
    """What the names of imports stand for: {"np": "numpy"}."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _renamed(tree: ast.Module, names: dict[str, str]) -> dict[str, str]:
    """Other names given to what was imported, or to the shell: `t = np.testing`."""
    found: dict[str, str] = {}
    roots = {SHELL, *(one.partition(".")[0] for one in names.values())}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
            continue
        target, value = node.targets[0], _dotted(node.value, names | found)
        if isinstance(target, ast.Name) and value.partition(".")[0] in roots:
            found[target.id] = value
    return found


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """A name with its imports resolved: np.testing -> numpy.testing."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Call):
        shell = _dotted(node.func, names).rpartition(".")[2] == "get_ipython"
        parts.append(SHELL if shell else "()")
    elif isinstance(node, ast.Name):
        parts.append(names.get(node.id, node.id))
    else:
        return ""
    return ".".join(reversed(parts))


class _Look:
    """One walk over the tree of a cell."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def sightings(self, tree: ast.Module) -> Iterator[_Sighting]:
        try:
            for node in ast.walk(tree):
                for flag in self._flags(node):
                    yield _Sighting(flag, node.lineno)
        except RecursionError:
            yield _Sighting("not-looked-at", 1)

    def _flags(self, node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from self._of_import(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            yield from self._of_name(node)
        elif isinstance(node, ast.Call):
            yield from self._of_call(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name in ("check", "assert_allclose", "assert_array_equal"):
                yield "patched-assert"
        elif isinstance(node, ast.ClassDef):
            if any(LYING & set(_defined(item)) for item in node.body):
                yield "lying-object"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from self._of_text(node.value)

    def _of_import(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        module = getattr(node, "module", None)
        for alias in node.names:
            yield from _uses(f"{module}.{alias.name}" if module else alias.name)

    def _of_name(self, node: ast.Name | ast.Attribute) -> Iterator[str]:
        name = self._dotted(node)
        stored = isinstance(node.ctx, ast.Store | ast.Del)
        if stored and isinstance(node, ast.Attribute) and _below(name, PATCHED):
            yield "patched-assert"
        if stored and isinstance(node, ast.Attribute) and _of_library(name):
            yield "patched-library"
        if isinstance(node, ast.Attribute) and name:
            yield from _uses(name)
        if isinstance(node, ast.Name) and not stored:
            if node.id in self.names or node.id in ("exec", "eval", "__import__"):
                yield from _uses(self.names.get(node.id, node.id))
            if node.id in HISTORY:
                yield "reads-history"
        if name.startswith(f"{SHELL}.") and name.split(".")[1] in KERNEL_PARTS:
            yield "patched-kernel"

    def _of_call(self, node: ast.Call) -> Iterator[str]:
        name = self._dotted(node.func)
        last = name.rpartition(".")[2]
        words = [a.value for a in node.args if isinstance(a, ast.Constant)]
        if name in ("setattr", "delattr") and node.args:
            target = self._dotted(node.args[0])
            if _below(f"{target}.", PATCHED):
                yield "patched-assert"
            if target.startswith(SHELL):
                yield "patched-kernel"
        if name.startswith(f"{SHELL}."):
            magic = str(words[0]) if words else ""
            if last in SHELL_MAGICS or (last.startswith("run_") and _shell(magic)):
                yield "shell"
        if last in READERS and any(_elsewhere(word) for word in words):
            yield "reads-elsewhere"
        if last == "display" and any(k.arg == "raw" for k in node.keywords):
            yield "forged-output"

    def _of_text(self, text: str) -> Iterator[str]:
        if text == "execute_result":
            yield "forged-output"
        if text == GRADED:
            yield "looks-for-grader"
        if PLACES.match(text):
            yield "reads-elsewhere"

    def _dotted(self, node: ast.AST) -> str:
        return _dotted(node, self.names)


def _defined(node: ast.stmt) -> Iterator[str]:
    """The names that a line of a class defines: `def f` or `f = g = ...`."""
    yield getattr(node, "name", "")
    for target in getattr(node, "targets", ()):
        for one in ast.walk(target):
            yield getattr(one, "id", "")


def _of_library(name: str) -> bool:
    """Whether a name is a library's own function, not one of its settings."""
    parts = name.split(".")
    return (
        len(parts) > 1
        and parts[0] in LIBRARIES
        and not {"config", "options"} & set(parts)
        and not _below(name, PATCHED)
    )


def _uses(name: str) -> Iterator[str]:
    for flag, (_, entries) in USES.items():
        if _below(name, entries):
            yield flag


def _below(name: str, entries: Iterable[str]) -> bool:
    """Whether a dotted name is one of the entries, or below one.

    os.exec and os.spawn stand for their whole family.
    """
    return any(
        name == entry
        or name.startswith(entry + ".")
        or (entry in ("os.exec", "os.spawn") and name.startswith(entry))
        for entry in entries
    )


def _shell(magic: str) -> bool:
    return magic in SHELL_MAGICS


def _elsewhere(word: object) -> bool:
    if not isinstance(word, str):
        return False
    return word.startswith(("/", "~", "..")) or any(part in word for part in ELSEWHERE)
