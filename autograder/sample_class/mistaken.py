"""Known mistakes as code that a student could have written.

A hidden test's misconception is a wrong function, mostly its oracle with one
thing done wrong. In a student's notebook the student's own right function can
stand for the oracle, so the wrong one can be written down after it. What needs
more than that (closures, tables of the hidden tests) is left out.
"""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from autograder import hidden


@dataclass(frozen=True)
class Mistake:
    """A wrong function, to be written below the right one."""

    name: str  # "filter_flipped"
    function: str  # "conv2d_forward"
    source: str


class NotExpressible(Exception):
    """A misconception that needs more than the student's own functions."""


def mistakes(assignment: str, functions: set[str]) -> dict[str, Mistake]:
    """The mistakes that can be written down, as "conv2d_forward filter_flipped".

    functions: those that the student's notebook defines.
    """
    module = importlib.import_module(f"{hidden.__name__}.{assignment}")
    writer = Writer(module, functions)
    found = {}
    for question in module.QUESTIONS:
        for one in question.misconceptions:
            key = f"{question.function} {one.name}"
            if question.function not in functions or key in found:
                continue
            try:
                source = writer.write(question.function, one.wrong)
            except NotExpressible:
                continue
            found[key] = Mistake(one.name, question.function, source)
    return found


class Writer:
    """Writes wrong functions of one hidden module as a student's."""

    def __init__(self, module: ModuleType, functions: set[str]) -> None:
        self.module = module
        self.functions = functions
        self.nodes: dict[int, list[ast.Lambda | ast.FunctionDef]] = {}  # by line
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Lambda | ast.FunctionDef):
                self.nodes.setdefault(node.lineno, []).append(node)
        asked = (*module.QUESTIONS, *module.CHECKS)
        self.oracles = {one.oracle: one.function for one in asked}

    def write(self, function: str, wrong: Callable[..., Any]) -> str:
        """The text of a wrong function with the right one's name."""
        plain = inspect.unwrap(wrong)
        helpers: dict[str, ast.stmt] = {}
        written = self._function(plain, function, helpers)
        right = f"right_{function}"
        if plain is not wrong:  # it refuses what is to be refused
            written.body.insert(0, _call(right, written.args))
        imports = [one for one in helpers.values() if not _defines(one)]
        defined = [*filter(_defines, helpers.values()), written]
        used = {name for one in defined for name in _names([one], ast.Load)}
        head = [ast.unparse(ast.fix_missing_locations(one)) for one in imports]
        head += [f"{right} = {function}"] if right in used else []
        parts = ["\n".join(head)] if head else []
        return "\n\n\n".join([*parts, *map(ast.unparse, defined)])

    def _function(
        self, plain: Any, function: str, helpers: dict[str, ast.stmt], name: str = ""
    ) -> ast.FunctionDef:
        node = self._node(plain)
        if isinstance(node, ast.Lambda):
            body = [ast.Return(node.body)]
            node = ast.FunctionDef(name or function, node.args, body, [])
        else:
            node.name = name or function
            node.decorator_list = []
        renamed = {}
        for free in sorted(_free_names(node)):
            renamed[free] = self._needed(free, function, helpers)
        return ast.fix_missing_locations(_Rename(renamed).visit(node))

    def _node(self, plain: Any) -> ast.Lambda | ast.FunctionDef:
        """A copy of the one place in the module that a function comes from."""
        if not isinstance(plain, FunctionType) or plain.__code__.co_freevars:
            raise NotExpressible
        if plain.__module__ != self.module.__name__:
            raise NotExpressible
        code = plain.__code__
        names = list(code.co_varnames[: code.co_argcount])
        found = [
            node
            for node in self.nodes.get(code.co_firstlineno, ())
            if [one.arg for one in (*node.args.posonlyargs, *node.args.args)] == names
        ]
        if len(found) != 1:
            raise NotExpressible
        return copy.deepcopy(found[0])

    def _needed(self, name: str, function: str, helpers: dict[str, ast.stmt]) -> str:
        """Make sure that a global name is there; what it is called there."""
        if name not in vars(self.module):
            raise NotExpressible
        value = vars(self.module)[name]
        if value is np:
            pass  # every notebook has it, by this name
        elif isinstance(value, ModuleType):
            helpers[name] = ast.Import([ast.alias(value.__name__, _as(value, name))])
        elif _is_oracle(value, self.oracles):
            asked = self.oracles[value]
            if asked not in self.functions:
                raise NotExpressible
            return f"right_{function}" if asked == function else asked
        elif getattr(value, "__module__", None) == self.module.__name__:
            if name in self.functions:
                raise NotExpressible
            if name not in helpers:
                helpers[name] = ast.Pass()  # it may call itself
                helpers[name] = self._function(value, function, helpers, name)
        elif inspect.isfunction(value) and not _is_ours(value):
            origin = ast.alias(value.__name__, _as(value, name))
            helpers[name] = ast.ImportFrom(value.__module__, [origin], 0)
        else:
            raise NotExpressible
        return name


def _is_oracle(value: Any, oracles: Mapping[Any, str]) -> bool:
    return isinstance(value, FunctionType) and value in oracles


def _is_ours(value: Any) -> bool:
    return value.__module__.partition(".")[0] == __name__.partition(".")[0]


def _as(value: Any, name: str) -> str | None:
    return None if value.__name__ == name else name


def _defines(statement: ast.stmt) -> bool:
    return not isinstance(statement, ast.Import | ast.ImportFrom)


class _Rename(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


def _free_names(function: ast.FunctionDef) -> set[str]:
    """Names that a function looks up outside of itself."""
    used = set(_names(function.body, ast.Load))
    bound = set(_names(function.body, ast.Store))
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef) and node is not function:
            bound.add(node.name)
    defaults = (*function.args.defaults, *filter(None, function.args.kw_defaults))
    used |= set(_names(defaults, ast.Load))
    return {name for name in used - bound if not hasattr(builtins, name)}


def _names(nodes: Any, context: type) -> Iterator[str]:
    for node in nodes:
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and isinstance(one.ctx, context):
                yield one.id


def _call(name: str, args: ast.arguments) -> ast.Expr:
    """A call that hands on a function's own arguments."""
    passed: list[ast.expr] = [
        ast.Name(one.arg, ast.Load()) for one in (*args.posonlyargs, *args.args)
    ]
    if args.vararg:
        passed.append(ast.Starred(ast.Name(args.vararg.arg, ast.Load()), ast.Load()))
    keywords = [ast.keyword(one.arg, ast.Name(one.arg, ast.Load()))
                for one in args.kwonlyargs]  # fmt: skip
    if args.kwarg:
        keywords.append(ast.keyword(None, ast.Name(args.kwarg.arg, ast.Load())))
    return ast.Expr(ast.Call(ast.Name(name, ast.Load()), passed, keywords))
