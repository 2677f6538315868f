"""Putting a student's work back on the notebook that was released.

Locked and graded cells are ours, answers are the student's, and cells that the
student added keep their place. Whatever was duplicated, deleted, stripped,
flipped or edited is put right, and each repair becomes a remark.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder.handin import raw_cells
from autograder.remark import Remark, excerpt

MOST_CELLS = 3_000
CELL_TYPES = ("code", "markdown", "raw")
_SETTINGS = ("grade", "solution", "locked", "task", "points")
# Repairs that another release of the same assignment makes necessary.
OF_A_RELEASE = {"deleted-answer", "deleted-cell", "deleted-test", "edited-cell",
                "edited-test", "changed-points", "changed-settings"}  # fmt: skip
_DEFINES = re.compile(r"^(?:async\s+)?(?:def|class)\s+(\w+)", re.MULTILINE)


class WrongAssignment(Exception):
    """No cell of the notebook belongs to the assignment."""


@dataclass(frozen=True)
class Handed:
    """A cell as the student handed it in, whatever its format."""

    index: int
    cell_type: str
    source: str
    cell_id: str
    settings: Mapping[str, Any] | None  # nbgrader's metadata, if there is any
    attachments: Mapping[str, Any]

    @property
    def grade_id(self) -> str:
        value = (self.settings or {}).get("grade_id")
        return value if isinstance(value, str) else ""


@dataclass
class Slot:
    """A cell of the release, and the student's cells that claim its place."""

    index: int
    cell: NotebookNode
    claims: list[Handed] = field(default_factory=list)
    chosen: Handed | None = None

    @property
    def grade_id(self) -> str:
        return self.cell.metadata.get("nbgrader", {}).get("grade_id", "")

    @property
    def is_answer(self) -> bool:
        return utils.is_solution(self.cell)

    @property
    def is_ours(self) -> bool:
        return bool(self.grade_id) and not self.is_answer

    @property
    def is_graded(self) -> bool:
        return utils.is_grade(self.cell)

    @property
    def title(self) -> str:
        return self.grade_id or f"cell {self.index + 1}"


def handed_cells(notebook: dict[str, Any]) -> tuple[list[Handed], list[Remark]]:
    """A notebook's cells, read tolerantly, and what could not be read."""
    cells, remarks = [], []
    found = raw_cells(notebook) or []
    for index, raw in enumerate(found[:MOST_CELLS]):
        cell = _handed(index, raw)
        if cell is None:
            words = "Something that is not a cell was left out."
            remarks.append(
                Remark("invalid-cell", words, f"cell {index + 1}", excerpt(repr(raw)))
            )
        else:
            cells.append(cell)
    if len(found) > MOST_CELLS:
        words = f"It has {len(found)} cells; only the first {MOST_CELLS} were read."
        remarks.append(Remark("too-many-cells", words))
    return cells, remarks


def _handed(index: int, raw: Any) -> Handed | None:
    if not isinstance(raw, dict):
        return None
    kind = raw.get("cell_type")
    kind = "markdown" if kind in ("heading", "html") else kind
    if kind not in CELL_TYPES:
        return None
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    if not isinstance(source, str):
        return None
    metadata = raw.get("metadata")
    settings = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    cell_id = raw.get("id")
    return Handed(
        index,
        kind,
        _clean(source),
        cell_id if isinstance(cell_id, str) else "",
        settings if isinstance(settings, dict) else None,
        _attachments(raw.get("attachments")),
    )


def _clean(text: str) -> str:
    """Text that can be written as UTF-8: lone surrogates become '?'."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")


def _attachments(raw: Any) -> dict[str, dict[str, str]]:
    kept: dict[str, dict[str, str]] = {}
    for name, bundle in raw.items() if isinstance(raw, dict) else ():
        if isinstance(bundle, dict):
            kept[_clean(name)] = {
                _clean(kind): data
                for kind, data in bundle.items()
                if isinstance(data, str)
            }
    return kept


def belongs(notebook: dict[str, Any], release: NotebookNode) -> int:
    """How many answers and graded cells of a release a notebook has."""
    cells, _ = handed_cells(notebook)
    slots = _match(cells, release)
    return sum(bool(s.claims) for s in slots if s.is_answer or s.is_graded)


def is_worked_on(notebook: dict[str, Any], release: NotebookNode) -> bool:
    """Whether any answer is not as it was released."""
    cells, _ = handed_cells(notebook)
    answers = [slot for slot in _match(cells, release) if slot.is_answer]
    return any(
        not _alike(cell.source, slot.cell.source)
        for slot in answers
        for cell in slot.claims
    )


def rebuild(
    notebook: dict[str, Any], release: NotebookNode
) -> tuple[NotebookNode, list[Remark]]:
    """The student's work on the release's cells, and what was repaired.

    Raises WrongAssignment when no answer and no graded cell is there.
    """
    cells, remarks = handed_cells(notebook)
    slots = _match(cells, release)
    if not any(s.claims for s in slots if s.is_answer or s.is_graded):
        raise WrongAssignment
    for slot in slots:
        remarks += _settle(slot)
    remarks += _gather_stripped(slots)
    remarks += _out_of_order(slots)
    remarks += _unknown(cells, slots, remarks)
    return _assemble(cells, slots, release), remarks


# Matching: which of the student's cells stands for which cell of the release.


def _match(cells: Sequence[Handed], release: NotebookNode) -> list[Slot]:
    slots = [Slot(i, cell) for i, cell in enumerate(release.cells)]
    by_grade_id = {slot.grade_id: slot for slot in slots if slot.grade_id}
    rest = []
    for cell in cells:
        slot = by_grade_id.get(cell.grade_id)
        if slot is None:
            rest.append(cell)
        else:
            slot.claims.append(cell)
    rest = _claim(rest, slots, lambda cell, slot: cell.cell_id == slot.cell.get("id"))
    rest = _claim(rest, slots, _same)
    rest = _claim(rest, slots, _answers)
    if not any(cell.grade_id for cell in cells):
        _claim_by_place(rest, slots)
    return slots


def _claim(cells: Sequence[Handed], slots: Sequence[Slot], matches: Any) -> list:
    """Give each still unclaimed slot the last cell that matches it."""
    left = list(cells)
    for slot in slots:
        if slot.claims:
            continue
        found = [cell for cell in left if matches(cell, slot)]
        if found:
            slot.claims.append(found[-1])
            left.remove(found[-1])
    return left


def _claim_by_place(cells: Sequence[Handed], slots: Sequence[Slot]) -> None:
    """Where all settings are lost: the one cell that stands where an answer stood."""
    for number, slot in enumerate(slots):
        if slot.claims or not slot.is_answer:
            continue
        before = [c.index for s in slots[:number] for c in s.claims]
        after = [c.index for s in slots[number:] for c in s.claims]
        low, high = max(before, default=-1), min(after, default=MOST_CELLS)
        there = [
            cell
            for cell in cells
            if low < cell.index < high and cell.cell_type == slot.cell.cell_type
        ]
        if len(there) == 1:
            slot.claims.append(there[0])


def _same(cell: Handed, slot: Slot) -> bool:
    return cell.cell_type == slot.cell.cell_type and _alike(
        cell.source, slot.cell.source
    )


def _answers(cell: Handed, slot: Slot) -> bool:
    """Whether a cell without metadata defines what an answer must define."""
    if not slot.is_answer or cell.cell_type != "code":
        return False
    wanted = set(_DEFINES.findall(slot.cell.source))
    return bool(wanted) and wanted <= set(_DEFINES.findall(cell.source))


def _alike(one: str, other: str) -> bool:
    """Whether two sources differ in no more than white space at line ends."""
    return [line.rstrip() for line in one.strip().splitlines()] == [
        line.rstrip() for line in other.strip().splitlines()
    ]


# Settling: which claim is taken, and what has to be said about it.


def _settle(slot: Slot) -> list[Remark]:
    if not slot.claims:
        return _restored(slot)
    slot.chosen = _chosen(slot)
    remarks = _duplicated(slot)
    cell, ours = slot.chosen, slot.cell
    if not slot.grade_id:
        return remarks
    if cell.cell_type != ours.cell_type:
        words = f"The cell was turned into {cell.cell_type}; undone."
        remarks.append(Remark("changed-type", words, slot.title))
    if slot.is_ours and not _alike(cell.source, ours.source):
        kind = "edited-test" if slot.is_graded else "edited-cell"
        what = "graded" if slot.is_graded else "locked"
        words = f"The {what} cell was edited; the released text was put back."
        change = _first_change(ours.source, cell.source)
        remarks.append(Remark(kind, words, slot.title, change))
    return remarks + _changed_settings(slot)


def _restored(slot: Slot) -> list[Remark]:
    if not slot.grade_id:
        return []
    if slot.is_answer:
        words = "The answer cell was missing; it was put back as released."
        return [Remark("deleted-answer", words, slot.title)]
    kind = "deleted-test" if slot.is_graded else "deleted-cell"
    words = "The cell was missing; it was put back as released."
    return [Remark(kind, words, slot.title)]


def _chosen(slot: Slot) -> Handed:
    """The last claim that was worked on; for our own cells, an unchanged one."""
    worked_on = [c for c in slot.claims if not _alike(c.source, slot.cell.source)]
    if slot.is_ours:
        unchanged = [c for c in slot.claims if c not in worked_on]
        return (unchanged or slot.claims)[0]
    return (worked_on or slot.claims)[-1]


def _duplicated(slot: Slot) -> list[Remark]:
    if len(slot.claims) < 2:
        return []
    taken = ""
    if slot.is_answer:
        number = slot.claims.index(slot.chosen) + 1
        taken = f" Copy {number} is the answer: the last that was worked on."
    words = f"The cell was there {len(slot.claims)} times.{taken}"
    return [Remark("duplicated-cell", words, slot.title)]


def _changed_settings(slot: Slot) -> list[Remark]:
    given = slot.chosen.settings
    if given is None or given.get("grade_id") != slot.grade_id:
        return []  # said once for the whole notebook
    ours = slot.cell.metadata.nbgrader
    changed = {
        name: given.get(name)
        for name in _SETTINGS
        if given.get(name, None if name == "points" else False)
        != ours.get(name, None if name == "points" else False)
    }
    remarks = []
    if changed:
        kind = "changed-points" if set(changed) == {"points"} else "changed-settings"
        words = "The cell's grading settings were changed; undone."
        said = ", ".join(f"{name}: {value!r}" for name, value in changed.items())
        remarks.append(Remark(kind, words, slot.title, excerpt(said)))
    if given.get("schema_version") != ours.get("schema_version"):
        words = "The cell's grading settings had an unknown version; put right."
        said = excerpt(f"schema_version: {given.get('schema_version')!r}")
        remarks.append(Remark("changed-version", words, slot.title, said))
    return remarks


def _gather_stripped(slots: Sequence[Slot]) -> list[Remark]:
    """One remark for all cells that were recognised without their metadata."""
    stripped = [
        slot.title
        for slot in slots
        if slot.grade_id and slot.chosen and not slot.chosen.grade_id
    ]
    if not stripped:
        return []
    words = (
        f"{len(stripped)} cells had lost their grading settings and were "
        "recognised by their text, id, function or place."
    )
    return [Remark("stripped-metadata", words, "", excerpt(", ".join(stripped)))]


def _out_of_order(slots: Sequence[Slot]) -> list[Remark]:
    last = -1
    for slot in slots:
        if slot.grade_id and slot.chosen:
            if slot.chosen.index < last:
                words = "Cells were moved; the released order was put back."
                return [Remark("moved-cells", words, slot.title)]
            last = slot.chosen.index
    return []


def _unknown(
    cells: Sequence[Handed], slots: Sequence[Slot], repairs: Sequence[Remark]
) -> list[Remark]:
    """Cells with settings that this release does not have, by their names.

    If cells of this release are changed or missing as well, all of it is most
    likely due to another release.
    """
    ours = {slot.grade_id for slot in slots}
    named = {cell.grade_id for cell in cells if cell.grade_id}
    strange = sorted(named - ours)
    if not strange:
        return []
    renamed = [
        f"{slot.chosen.grade_id} is now {slot.title}"
        for slot in slots
        if slot.grade_id and slot.chosen and slot.chosen.grade_id in strange
    ]
    evidence = excerpt(", ".join(strange + renamed))
    if renamed or any(repair.kind in OF_A_RELEASE for repair in repairs):
        words = (
            "It looks like a notebook of another release of the assignment: some "
            "of its cells are not in this one. Answers were found by what they define; "
            "everything else was put on this release."
        )
        return [Remark("older-release", words, "", evidence)]
    words = (
        "Cells with grading settings that this assignment does not have (of another "
        "notebook, or another release) were kept as plain cells."
    )
    return [Remark("unknown-cells", words, "", evidence)]


def _first_change(ours: str, theirs: str) -> str:
    lines = difflib.unified_diff(ours.splitlines(), theirs.splitlines(), n=0)
    shown = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return excerpt("\n".join(shown[:8]))


# Assembling: the release's order, with the student's own cells in their place.


def _assemble(
    cells: Sequence[Handed], slots: Sequence[Slot], release: NotebookNode
) -> NotebookNode:
    place = {slot.chosen.index: slot.index for slot in slots if slot.chosen}
    dropped = {
        cell.index
        for slot in slots
        if slot.grade_id
        for cell in slot.claims
        if cell is not slot.chosen and _needless(cell, slot)
    }
    after: dict[int, list[Handed]] = {}
    current = -1
    for cell in cells:
        if cell.index in place:
            current = place[cell.index]
        elif cell.index not in dropped:
            after.setdefault(current, []).append(cell)
    built = _extras(after.get(-1, ()))
    for slot in slots:
        if slot.grade_id or slot.chosen:
            built.append(_filled(slot))
        built += _extras(after.get(slot.index, ()))
    return NotebookNode(
        cells=built,
        metadata=copy.deepcopy(release.metadata),
        nbformat=4,
        nbformat_minor=5,
    )


def _needless(cell: Handed, slot: Slot) -> bool:
    """Whether a duplicate says nothing of its own."""
    return _alike(cell.source, slot.cell.source) or _alike(
        cell.source, slot.chosen.source
    )


def _filled(slot: Slot) -> NotebookNode:
    cell = copy.deepcopy(slot.cell)
    if not slot.is_ours and slot.chosen:
        if not slot.grade_id:
            cell = _new_cell(slot.chosen, cell.get("id", f"plain-{slot.index}"))
        cell.source = slot.chosen.source
        if cell.cell_type != "code" and slot.chosen.attachments:
            cell.attachments = nbformat.from_dict(dict(slot.chosen.attachments))
    if cell.cell_type == "code":
        cell.outputs = []
        cell.execution_count = None
    return cell


def _extras(cells: Sequence[Handed]) -> list[NotebookNode]:
    return [_new_cell(cell, f"extra-{cell.index}") for cell in cells]


def _new_cell(cell: Handed, cell_id: str) -> NotebookNode:
    make = {
        "code": nbformat.v4.new_code_cell,
        "markdown": nbformat.v4.new_markdown_cell,
        "raw": nbformat.v4.new_raw_cell,
    }[cell.cell_type]
    made = make(source=cell.source, id=cell_id)
    if cell.cell_type != "code" and cell.attachments:
        made.attachments = nbformat.from_dict(dict(cell.attachments))
    return made
