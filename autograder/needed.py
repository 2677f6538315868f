"""The files of convlab that notebooks need, followed from import to import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat

import convlab

FOLDER = Path(convlab.__file__).parent
# Code in a text, for the student to copy.
LISTING = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def needed(notebooks: Iterable[Path]) -> set[Path]:
    """Files that the code of released notebooks imports, or what they import does.

    Code that a text gives to be copied counts, and so do imports inside of
    functions. A notebook's own lines (`!ls`, `%time`) are no imports; what is not
    Python raises SyntaxError.
    """
    found: set[Path] = set()
    waiting = [path for notebook in notebooks for path in _of_notebook(notebook)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path.read_text(encoding="utf-8"))
    return found


def _of_notebook(path: Path) -> Iterator[Path]:
    for cell in nbformat.read(path, as_version=4).cells:
        code = ([cell.source] if cell.cell_type == "code"
                else LISTING.findall(cell.source))
        for source in code:
            lines = ("" if line.startswith(("!", "%")) else line
                     for line in source.splitlines())
            yield from _imported("\n".join(lines))


def _imported(source: str) -> Iterator[Path]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        else:
            continue
        for name in names:
            yield from _files(name.split("."))


def _files(parts: list[str]) -> Iterator[Path]:
    """A dotted name's own file, and those of the packages it lies in."""
    if parts[0] != FOLDER.name:
        return
    for length in range(1, len(parts) + 1):
        path = FOLDER.joinpath(*parts[1:length])
        yield from (one for one in (path / "__init__.py", path.with_suffix(".py"))
                    if one.is_file())
