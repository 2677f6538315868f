"""The functions that a student carried in from earlier assignments, called alone.

Which function comes from which module stands in the notebook as a table, LAYERS.
It is read as text, so that nothing a notebook does while it runs can change it.
The modules run in a process of their own, in which the reference layers are not
there: what is said to be a student's own is a student's own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.sandbox import Limits, Sandbox
from autograder.session import Cell, Session
from autograder.verdict import Incident
from convlab.carry import FOLDER, REFERENCE, CarryError

TABLE = "LAYERS"
KIND = "reference-layers"  # of the incident that tells an instructor of the choice
NOT_CARRIED = CarryError.__name__  # raised by what stands in for a lost function


class ChoiceError(Exception):
    """LAYERS cannot be read, or lacks a function; says so to the student."""


@dataclass(frozen=True)
class ModuleCell(Cell):
    """Loads a carried module and takes functions out of it."""

    module: str
    functions: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{FOLDER}/{self.module}.py"

    def defines(self, function: str) -> bool:
        return function in self.functions


class Carried:
    """A submission's carried functions: what was chosen, and a process to ask."""

    def __init__(self, notebook: Mapping[str, Any], folder: Path | None,
                 sandbox: str, limits: Limits | None) -> None:
        self._error: ChoiceError | None = None
        self._choices: dict[str, str] = {}
        try:
            self._choices = choices_in(notebook)
        except ChoiceError as error:
            self._error = error
        walls = Sandbox(sandbox, limits)
        self.session = Session(cells(self._choices), walls, folder)

    def choice(self, function: str) -> str:
        """The module that a function comes from, or "reference"."""
        if self._error:
            raise self._error
        if function not in self._choices:
            raise ChoiceError(f"{TABLE} does not say where {function} comes from.")
        return self._choices[function]

    def close(self) -> None:
        self.session.close()

    @property
    def incidents(self) -> list[Incident]:
        """What an instructor should know; no cell of the notebook's is meant."""
        found = [Incident(one.kind, one.where, one.message)
                 for one in self.session.incidents]
        names = [name for name, chosen in self._choices.items() if chosen == REFERENCE]
        if names:
            found.append(Incident(
                KIND, TABLE, f"Chosen in place of their own: {', '.join(names)}."))
        return found


def choices_in(notebook: Mapping[str, Any]) -> dict[str, str]:
    """The last LAYERS = {...} of a notebook's code cells, read without running it."""
    found = None
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            for value in _assigned("".join(cell["source"])):
                found = value
    if found is None:
        raise ChoiceError(f"There is no {TABLE} = {{...}} in the notebook: keep its "
                          "cell as it was handed out, and change only the texts in it.")
    try:
        choices = ast.literal_eval(found)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        choices = None
    if not isinstance(choices, dict) or not all(
            isinstance(one, str) and len(one) < 100 for pair in choices.items()
            for one in pair):
        raise ChoiceError(f"{TABLE} is not a plain table of texts, as "
                          '{"conv2d_forward": "ps2_convolution", ...}.')
    return choices


def _assigned(source: str) -> Iterator[ast.expr]:
    """The values given to LAYERS at the top of a cell."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # it holds a magic, or never ran
    for statement in body:
        if isinstance(statement, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == TABLE
                for target in statement.targets):
            yield statement.value


def cells(choices: Mapping[str, str]) -> list[Cell]:
    """A cell for each module, so that a broken one costs its own functions alone."""
    modules: dict[str, dict[str, str]] = {}
    for function, module in choices.items():
        if module != REFERENCE:
            modules.setdefault(module, {})[function] = module
    return [ModuleCell(
        index, "from convlab import carry\n"
        f"globals().update(carry.choose({wanted!r}, None))", module, tuple(wanted))
        for index, (module, wanted) in enumerate(modules.items())]
