"""From a handed-in folder to a notebook that can be graded, or to quarantine.

Trusted parsing of untrusted files. Nothing here runs a student's code, and
nothing a student hands in stops the grading of the others.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader import utils

from autograder import handin
from autograder.handin import HandedIn, Unreadable
from autograder.integrity import look_at_code, look_at_files, shadows_module
from autograder.rebuild import WrongAssignment, belongs, is_worked_on, rebuild
from autograder.remark import Remark, excerpt

TIMESTAMP = "timestamp.txt"
TIMESTAMP_BYTES = 200
CLOCKS = timedelta(minutes=10)  # that two clocks may be apart
MOST_LETTERS = {"code": 1_000_000, "markdown": 8_000_000, "raw": 1_000_000}
FIRST_YEAR = 2000  # before it, a clock was not set
NOTEBOOK_ENDINGS = (".ipynb", ".ipynb.txt", ".ipynb.json")


@dataclass
class Intake:
    """What came in: a notebook made whole, or the reason why there is none."""

    assignment: str
    notebook: NotebookNode | None = None
    reason: str = ""
    repairs: list[Remark] = field(default_factory=list)
    findings: list[Remark] = field(default_factory=list)
    files: list[HandedIn] = field(default_factory=list)
    timestamp: str = ""

    def quarantine(self, reason: str) -> Intake:
        self.notebook, self.reason = None, reason
        return self


def take_in(
    folder: Path,
    assignment: str,
    release: NotebookNode,
    others: Mapping[str, NotebookNode] | None = None,
) -> Intake:
    """Read what lies in a student's folder and put it back on the release.

    `others` are the releases of the other assignments, to name the one that
    was handed in by mistake.
    """
    intake = Intake(assignment)
    _note_names(folder, intake)
    if folder.is_symlink() or not folder.is_dir():
        return intake.quarantine(
            "What was handed in is not a folder with files in it, or is only a link "
            "to one. Collect the submission again."
        )
    listing = handin.list_files(folder)
    for name, why in listing.left_out:
        words = f"A file was left out: {why}."
        intake.repairs.append(Remark("left-out", words, excerpt(name, 120)))
    notebooks = [f for f in listing.files if f.name.endswith(NOTEBOOK_ENDINGS)]
    _keep_files([f for f in listing.files if f not in notebooks], intake)
    found = _find_notebook(notebooks, listing.files, release, intake, others or {})
    if found is None:
        return intake
    try:
        intake.notebook, repairs = rebuild(found, release)
    except WrongAssignment:
        return intake.quarantine(_wrong_assignment(found, assignment, others or {}))
    except RecursionError:
        return intake.quarantine("The notebook is nested too deeply to be read.")
    intake.repairs += repairs
    for kind, most in MOST_LETTERS.items():
        letters = sum(
            len(c.source) for c in intake.notebook.cells if c.cell_type == kind
        )
        if letters > most:
            return intake.quarantine(
                f"Its {kind} cells hold {letters / 1e6:.1f} million characters, and at "
                f"most {most / 1e6:.0f} million are read. Put data into a file beside "
                "the notebook, and read it from there."
            )
    around = [cell.source for cell in release.cells if cell.cell_type == "code"]
    intake.findings += look_at_code(own_code(intake.notebook, release), around)
    return intake


def own_code(
    notebook: NotebookNode, release: NotebookNode
) -> list[tuple[str, str]]:
    """The code cells of a rebuilt notebook that the student wrote, with titles."""
    ours = {(cell.cell_type, cell.source) for cell in release.cells}
    cells = []
    for index, cell in enumerate(notebook.cells):
        settings = cell.metadata.get("nbgrader", {})
        theirs = not settings or settings.get("solution", False)
        if theirs and cell.cell_type == "code" and ("code", cell.source) not in ours:
            cells.append((settings.get("grade_id", f"cell {index + 1}"), cell.source))
    return cells


def lay_out(intake: Intake, folder: Path) -> None:
    """Write the notebook and the kept files as nbgrader reads them.

    The folder appears whole or not at all; a quarantined submission has none.
    """
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(beside, ignore_errors=True)
    if intake.notebook is None:
        _replace_folder(None, folder, beside)
        return
    beside.mkdir(parents=True)
    name = f"{intake.assignment}.ipynb"
    nbformat.write(intake.notebook, beside / name)
    if intake.timestamp:
        (beside / TIMESTAMP).write_text(intake.timestamp + "\n", encoding="utf-8")
    for file in intake.files:
        data = handin.read_bytes(file.path, handin.FILE_BYTES)
        (beside / file.name).parent.mkdir(parents=True, exist_ok=True)
        (beside / file.name).write_bytes(data)
    _replace_folder(beside, folder, beside.with_suffix(".old"))


def _replace_folder(new: Path | None, folder: Path, aside: Path) -> None:
    """Put a folder in the place of another; a kill leaves none, never half."""
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(folder, aside)
    if new is not None:
        os.replace(new, folder)
    shutil.rmtree(aside, ignore_errors=True)


def _note_names(folder: Path, intake: Intake) -> None:
    alike = handin.names_alike(folder)
    if alike:
        words = (
            "Another folder has almost this name: is it one student under two names? "
            "Each is graded by itself. What belongs together goes into one folder; "
            "then grade again."
        )
        evidence = excerpt(", ".join(map(repr, alike)))
        where = excerpt(folder.parent.name, 120)
        intake.findings.append(Remark("similar-name", words, where, evidence))


def _keep_files(files: list[HandedIn], intake: Intake) -> None:
    """Choose the other files that go with the notebook."""
    total = 0
    intake.findings += look_at_files(file.name for file in files)
    for file in files:
        if file.name == TIMESTAMP:
            _read_timestamp(file, intake)
            continue
        if shadows_module(file.name):
            words = (
                "A file has the name of a module of Python's or a library's, so it was "
                "left out. If your notebook needs it, give it another name."
            )
            intake.repairs.append(Remark("left-out", words, excerpt(file.name, 120)))
            continue
        total += file.size
        if file.size > handin.FILE_BYTES or total > handin.FOLDER_BYTES:
            words = (
                f"A file of {file.size / 1e6:.0f} MB was left out: a file may have "
                f"{handin.FILE_BYTES / 1e6:.0f} MB, all together "
                f"{handin.FOLDER_BYTES / 1e6:.0f} MB."
            )
            intake.repairs.append(Remark("left-out", words, excerpt(file.name, 120)))
            total -= file.size
        elif len(intake.files) < handin.MOST_FILES and _has_plain_name(file.name):
            intake.files.append(file)
        else:
            words = "Too many files, or a name that is no plain file name; left out."
            intake.repairs.append(Remark("left-out", words, excerpt(file.name, 120)))


def _has_plain_name(name: str) -> bool:
    """Whether a name can be written again as it is, and is not nbgrader's."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return name.isprintable() and not name.startswith(".")


def _read_timestamp(file: HandedIn, intake: Intake) -> None:
    try:
        text = handin.read_bytes(file.path, TIMESTAMP_BYTES).decode("utf-8").strip()
        if not text:
            return
        moment = utils.parse_utc(text)
        late = moment - datetime.now(UTC).replace(tzinfo=None) > CLOCKS
    except (Unreadable, ValueError, OverflowError, TypeError, AttributeError):
        words = "The time of submission cannot be read, so none is recorded."
        intake.repairs.append(Remark("unreadable-timestamp", words, TIMESTAMP))
        return
    intake.timestamp = text
    if late or moment.year < FIRST_YEAR:
        why = ("is in the future" if late else
               f"lies before {FIRST_YEAR}, as of a clock that was not set")  # fmt: skip
        words = f"The time of submission {why}. It is taken as it stands."
        intake.findings.append(
            Remark("doubtful-timestamp", words, TIMESTAMP, excerpt(text))
        )


def _find_notebook(
    notebooks: list[HandedIn],
    files: tuple[HandedIn, ...],
    release: NotebookNode,
    intake: Intake,
    others: Mapping[str, NotebookNode],
) -> dict[str, Any] | None:
    """The notebook of this assignment among the files; sets the reason if none."""
    name = f"{intake.assignment}.ipynb"
    read, unreadable = {}, {}
    for file in notebooks:
        try:
            read[file.name] = handin.read_notebook(file.path)
        except Unreadable as error:
            unreadable[file.name] = str(error)
    fit = {one: belongs(notebook, release) for one, notebook in read.items()}
    blank = {one: not is_worked_on(read[one], release) for one in fit if fit[one]}
    ours = sorted(blank, key=lambda n: (blank[n], n != name, -fit[n], n))
    if not ours:
        _no_notebook(name, read, unreadable, files, intake, others)
        return None
    chosen = ours[0]
    if chosen != name:
        words = f"The notebook was recognised under another name; it is {name}."
        intake.repairs.append(
            Remark("renamed-notebook", words, excerpt(chosen, 120))
        )
        if name in unreadable:
            words = f"{name} could not be read: {unreadable[name]}"
            intake.repairs.append(Remark("left-out", words, name))
    if len(ours) > 1:
        words = f"{len(ours)} notebooks of this assignment; {chosen} was graded."
        others_there = excerpt(", ".join(ours[1:]))
        intake.repairs.append(Remark("several-notebooks", words, chosen, others_there))
    return read[chosen]


def _no_notebook(
    name: str,
    read: Mapping[str, dict[str, Any]],
    unreadable: Mapping[str, str],
    files: tuple[HandedIn, ...],
    intake: Intake,
    others: Mapping[str, NotebookNode],
) -> None:
    if unreadable:
        worst = name if name in unreadable else sorted(unreadable)[0]
        intake.quarantine(f"{excerpt(worst, 80)}: {unreadable[worst]}")
    elif read:
        notebook = read.get(name) or read[sorted(read)[0]]
        intake.quarantine(_wrong_assignment(notebook, intake.assignment, others))
    elif files:
        there = excerpt(", ".join(file.name for file in files[:5]), 200)
        intake.quarantine(
            f"There is no notebook. Handed in: {there}. "
            f"Hand in {name} itself, not an archive or a copy of its page."
        )
    else:
        intake.quarantine(f"Nothing was handed in. Hand in {name}.")


def _wrong_assignment(
    notebook: dict[str, Any], assignment: str, others: Mapping[str, NotebookNode]
) -> str:
    for other, release in sorted(others.items()):
        if other != assignment and belongs(notebook, release):
            return (
                f"This is the notebook of another assignment, {other}. "
                f"Hand in {assignment}.ipynb here."
            )
    return (
        f"The notebook has no answer and no graded cell of {assignment}: it belongs "
        f"to another assignment. Hand in {assignment}.ipynb."
    )
