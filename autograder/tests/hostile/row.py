"""A row of the table: a submission, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from autograder.sandbox import Limits
from autograder.tests.hostile.small import ALL, NAME, Small, as_bytes

HandIn = Callable[[Small, Path], None]


@dataclass(frozen=True)
class Row:
    """`flags` as in grades.csv, without `needs-manual`, which the rest implies.

    `student` and `instructor` are words that the feedback page and the report
    must hold. `limits` and `seconds` (of one call) are for rows that run into
    them; all others have the grader's own, and so never depend on speed.
    """

    name: str
    hand_in: HandIn
    points: float = ALL
    status: str = "graded"
    flags: str = ""
    student: tuple[str, ...] = ()
    instructor: tuple[str, ...] = ()
    limits: Limits | None = None
    seconds: float | None = None
    folder: str = ""  # the student's folder, where its name is what matters
    shown: str = field(default="", repr=False)  # its id in the table


def files(contents: dict[str, bytes]) -> HandIn:
    """Hand in files as they are."""

    def hand_in(_: Small, folder: Path) -> None:
        for name, data in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)

    return hand_in


def notebook(change: Callable[[dict], None] | None = None,
             beside: dict[str, bytes] | None = None, name: str = f"{NAME}.ipynb",
             **instead: str) -> HandIn:  # fmt: skip
    """Hand in right answers, some replaced, the notebook changed by `change`."""

    def hand_in(small: Small, folder: Path) -> None:
        found = small.answered(**instead)
        if change:
            change(found)
        files({name: as_bytes(found), **(beside or {})})(small, folder)

    return hand_in


def dishonest(source: str, **written: str) -> HandIn:
    """Hand in no answers but those given, and a cell of one's own at the end.

    In it PORT and ROOT stand for a port and a folder of the grader's machine.
    """

    def hand_in(small: Small, folder: Path) -> None:
        found = small.untouched()
        for cell in found.cells:
            name = cell.metadata.get("nbgrader", {}).get("grade_id")
            if name in written:
                cell.source = written[name]
        text = source.replace("PORT", str(small.port)).replace("ROOT", str(small.root))
        found.cells.append(_own(text))
        files({f"{NAME}.ipynb": as_bytes(found)})(small, folder)

    return hand_in


def honest(source: str, place: int = 2, **instead: str) -> HandIn:
    """Hand in right answers, some in other words, and a cell of one's own."""

    def change(found: dict) -> None:
        if source:
            found["cells"].insert(place, _own(source))

    return notebook(change, **instead)


def _own(source: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_code_cell(source, id="own")
