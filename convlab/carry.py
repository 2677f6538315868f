"""Carry one's own functions from a notebook into the next one.

`save` at the end of a notebook writes the functions named, and what they need,
into a module, carried/<name>.py; `load` imports it in another notebook. What
belongs into the module is worked out from the cells that were run, by static
analysis: nothing is pickled, and the module is plain Python to read and edit.
`choose` gathers the layer functions of a network from such modules.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import inspect
import os
import shutil
import symtable
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = "carried"
REFERENCE = "reference"  # the choice of the course's own layer function
FAST = "_gemm"  # a convolution's name may end so: conv2d_forward_gemm
HEAD = '"""Carried over from {name}: written by convlab.carry, from its cells."""\n'


class CarryError(ImportError):
    """A carried module that is missing or broken; the message says what to do."""


def save(*functions: Callable[..., Any], to: str) -> None:
    """Write functions and what they need to carried/<to>.py, and say what was done.

    functions: this notebook's own, as save(output_size, conv2d_forward, to=...).
    Functions that still raise NotImplementedError are left out. Raises nothing
    for what cannot be carried: it is left out, and named with the reason.
    """
    names, statements = _session(functions)
    wanted = [_name_of(function, names) for function in functions]
    plan = {name: _collect(name, statements) for name in wanted}
    unwritten = [name for name, one in plan.items() if one.unwritten]
    missing = {name: one.missing for name, one in plan.items()
               if one.missing and not one.unwritten}
    kept = [name for name in wanted if name not in unwritten and name not in missing]
    if kept:
        _save(Path(FOLDER) / f"{to}.py", kept, plan, statements, names)
    else:
        print("Nothing is saved yet.")
    for name in unwritten:
        print(f"Left out: {name} is not written yet.")
    for name, needs in missing.items():
        print(f"Left out: {name} needs {', '.join(sorted(needs))}, which no cell "
              "that was run defines.")


def _save(path: Path, kept, plan, statements, names) -> None:
    text = _module(path.stem, kept, {name: plan[name] for name in kept}, statements)
    try:
        _write(path, text)
    except OSError as error:
        print(f"Nothing is saved: {path} cannot be written ({error.strerror}).")
        return
    print(f"Saved to {path}: {', '.join(kept)}.")
    for name, reason in _verify(text, kept, names).items():
        print(f"Look at {name}: {reason}")


def load(name: str) -> ModuleType:
    """The module carried/<name>.py, from here or from the notebook that saved it.

    Looks in ./carried and in ../<name>/carried. What is found there, and was
    saved after the copy here, is copied to ./carried, so that it is handed in
    with this notebook. Raises CarryError where there is none, or where it cannot
    be imported: with file and line.
    """
    here = Path(FOLDER) / f"{name}.py"
    there = Path("..") / name / FOLDER / f"{name}.py"
    if not here.exists() and not there.exists():
        raise CarryError(
            f"{here} is not there, nor is {there}. Run {name}.ipynb to its end: "
            "its last cell saves your functions.")
    if _is_newer(there, here):
        again = here.exists()
        here.parent.mkdir(exist_ok=True)
        beside = here.with_name(here.name + ".part")
        shutil.copyfile(there, beside)
        os.replace(beside, here)
        if again:
            print(f"{there} was saved after {here} and has taken its place.")
    return _import(f"{FOLDER}.{name}", here)


def _is_newer(there: Path, here: Path) -> bool:
    """Whether a file was written after another one, and is not the same."""
    if not there.exists():
        return False
    return not here.exists() or (there.stat().st_mtime > here.stat().st_mtime
                                 and there.read_bytes() != here.read_bytes())


def choose(choices: Mapping[str, str], reference: Any) -> dict[str, Callable]:
    """Layer functions by name, each from where it is chosen; says which is whose.

    choices: for each function the carried module that it comes from, as
    {"conv2d_forward": "ps2_convolution"}, or "reference" for the function of that
    name in `reference` (a module). A module may have it under its own name or
    with _gemm behind. What cannot be had is said, with file and line, and stands
    in the result as a function that raises CarryError when it is called: never
    is one function quietly replaced by another.
    """
    modules: dict[str, ModuleType | CarryError] = {}
    found = {}
    for function, chosen in choices.items():
        if chosen == REFERENCE:
            found[function] = getattr(reference, function)
            print(f"{function:<22} the reference layer")
            continue
        if chosen not in modules:
            modules[chosen] = _load_or_error(chosen)
        try:
            found[function], name = _function_of(modules[chosen], chosen, function)
            print(f"{function:<22} yours: {name} of {FOLDER}/{chosen}.py")
        except CarryError as error:
            found[function] = _stand_in(function, str(error))
            print(f"{function:<22} MISSING. {error}")
    return found


def _load_or_error(name: str) -> ModuleType | CarryError:
    try:
        return load(name)
    except CarryError as error:
        return error


def _function_of(module: ModuleType | CarryError, name: str, function: str
                 ) -> tuple[Callable, str]:
    if isinstance(module, CarryError):
        raise module
    for known_as in (function, function + FAST):
        if callable(getattr(module, known_as, None)):
            return getattr(module, known_as), known_as
    raise CarryError(f"{FOLDER}/{name}.py has no {function}. Save it from "
                     f"{name}.ipynb, whose last cell says what it leaves out and why.")


def _stand_in(function: str, why: str) -> Callable:
    def missing(*_: Any, **__: Any) -> None:
        raise CarryError(f"There is no {function}: {why}")
    return missing


def as_module(cells: Sequence[str], functions: Sequence[str], to: str) -> str:
    """The text of carried/<to>.py as `save` writes it, for functions by name.

    cells: the sources of a notebook's cells, which are not run.
    """
    statements = _statements(cells)
    plans = {name: _collect(name, statements) for name in functions}
    return _module(to, functions, plans, statements)


# --- what a session has


@dataclass(frozen=True)
class Statement:
    """A top-level statement that was run."""

    source: str
    binds: frozenset[str]  # names it defines
    now: frozenset[str]  # global names it needs when it runs
    later: frozenset[str]  # global names that functions in it need when called
    unwritten: bool  # a function that raises NotImplementedError


@dataclass(frozen=True)
class Plan:
    """What has to be written down for one function."""

    numbers: frozenset[int]  # of statements
    missing: frozenset[str]  # names that nothing defines
    unwritten: bool


def _session(functions: Sequence[Callable]) -> tuple[Mapping, list[Statement]]:
    """The names of the notebook (or script) and the statements it ran, in order."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        cells = [cell for cell in shell.user_ns.get("In", []) if cell]
        return shell.user_ns, _statements(cells)
    files = dict.fromkeys(_plain(one).__code__.co_filename for one in functions)
    sources = [Path(file).read_text(encoding="utf-8") for file in files
               if Path(file).is_file()]
    return (getattr(_plain(functions[0]), "__globals__", {}) if functions else {},
            _statements(sources))


def _statements(cells: Sequence[str]) -> list[Statement]:
    found = []
    for cell in cells:
        try:
            tree = ast.parse(cell)
        except SyntaxError:
            continue  # it never ran
        lines = cell.splitlines()
        found += [_statement(node, lines) for node in tree.body]
    return found


def _statement(node: ast.stmt, lines: list[str]) -> Statement:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    source = textwrap.dedent("\n".join(lines[first - 1:node.end_lineno]))
    if not _same(source, node):  # several statements on one line
        source = ast.unparse(node)
    top = symtable.symtable(source, "cell", "exec")
    binds = frozenset(one.get_name() for one in top.get_symbols()
                      if one.is_assigned() or one.is_imported() or one.is_namespace())
    now = frozenset(one.get_name() for one in top.get_symbols()
                    if one.is_referenced())
    later = frozenset(_globals_of(top))
    return Statement(source, binds, now, later, _is_unwritten(node))


def _same(source: str, node: ast.stmt) -> bool:
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return len(body) == 1 and ast.dump(body[0]) == ast.dump(node)


def _globals_of(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that the scopes inside of a statement look up in the module."""
    for child in table.get_children():
        for one in child.get_symbols():
            if one.is_global() and one.is_referenced():
                yield one.get_name()
        yield from _globals_of(child)


def _is_unwritten(node: ast.stmt) -> bool:
    """A function whose body, not one branch of it, raises NotImplementedError."""
    if not isinstance(node, ast.FunctionDef):
        return False
    raised = (one.exc for one in node.body if isinstance(one, ast.Raise))
    return any(isinstance(name, ast.Name) and name.id == "NotImplementedError"
               for exc in raised for name in ast.walk(exc or node.args))


def _plain(function: Callable) -> Callable:
    """The Python function inside of a numba one."""
    return getattr(function, "py_func", function)


def _name_of(function: Callable, names: Mapping[str, Any]) -> str:
    name = getattr(_plain(function), "__name__", "")
    if names.get(name) is function:
        return name
    return next((key for key, value in names.items()
                 if value is function and not key.startswith("_")), name)


# --- what a function needs


def _collect(name: str, statements: Sequence[Statement]) -> Plan:
    """Follow a name to all the statements that its function depends on."""
    numbers: set[int] = set()
    missing: set[str] = set()
    last = _binding(name, len(statements), statements)
    todo = [(name, last)]
    while todo:
        needed, number = todo.pop()
        if number is None:
            if not hasattr(builtins, needed):
                missing.add(needed)
            continue
        if number in numbers:
            continue
        numbers.add(number)
        one = statements[number]
        todo += [(n, _binding(n, number, statements)) for n in one.now - one.binds]
        # A name that a statement both needs and binds: `f = njit(f)`.
        todo += [(n, before) for n in one.now & one.binds
                 if (before := _binding(n, number, statements)) is not None]
        todo += [(n, _binding(n, len(statements), statements)) for n in one.later]
    unwritten = last is not None and statements[last].unwritten
    return Plan(frozenset(numbers), frozenset(missing), unwritten)


def _binding(name: str, before: int, statements: Sequence[Statement]) -> int | None:
    """The last statement before that number which defines the name."""
    return next((number for number in reversed(range(before))
                 if name in statements[number].binds), None)


def _module(
    to: str, names: Sequence[str], plans: Mapping[str, Plan],
    statements: Sequence[Statement],
) -> str:
    numbers = sorted({number for plan in plans.values() for number in plan.numbers})
    parts = [HEAD.format(name=to), f"__all__ = {sorted(names)!r}\n"]
    parts += [statements[number].source + "\n" for number in numbers]
    return "\n".join(parts)


# --- is it the same


def _verify(text: str, names: Sequence[str], session: Mapping) -> dict[str, str]:
    """What is not in the module as it is in the session: name -> sentence."""
    module = ModuleType("carried")
    try:
        exec(compile(text, "carried", "exec"), module.__dict__)
    except Exception as error:
        return {"the module": f"running it raises {type(error).__name__}: {error}"}
    saved = {node.name: node for node in ast.walk(ast.parse(text))
             if isinstance(node, ast.FunctionDef)}
    wrong = {}
    for name in names:
        function = _plain(session.get(name))
        if not inspect.isfunction(function) or not callable(getattr(module, name)):
            wrong[name] = "it is no plain function."
        elif not _equal(function, saved.get(function.__name__)):
            wrong[name] = ("what was saved is not what this notebook runs. Restart "
                           "the kernel, run all cells, and save again.")
    return wrong


def _equal(function: Callable, saved: ast.FunctionDef | None) -> bool:
    """Whether a function's own source is what stands in the module.

    Bytecode would not do: it depends on what else a cell holds.
    """
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except OSError:  # a notebook keeps no source of what came by other ways
        return False
    return saved is not None and ast.dump(ast.parse(source).body[0]) == ast.dump(saved)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def _import(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise CarryError(f"{path}, line {error.lineno}: this is not Python "
                         f"({error.msg}). Put it right there, or save again from "
                         "the notebook it came from.") from error
    except Exception as error:
        raise CarryError(f"{path} cannot be imported: {type(error).__name__}: "
                         f"{error}") from error
    return module
