"""Keys: what a verdict was made from, as a hash.

A verdict is used again exactly when nothing that could change it has changed:
the files handed in, the release, the hidden tests, the grader, and the seed.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from autograder import handin
from autograder.course import REPOSITORY
from autograder.handin import Unreadable

# What can change a verdict. Reports, feedback and the gradebook cannot.
DECIDING = (
    "autograder/*.py",
    "autograder/hidden/__init__.py",
    "convlab/*.py",
    "convlab/layers/*.py",
    "convlab/checks/*.py",
    "convlab/data/*.py",
)
NOT_DECIDING = {
    "__main__.py", "archive.py", "canvas.py", "cluster.py", "collect.py", "export.py",
    "feedback.py", "gradebook.py", "grades.py", "grading.py", "kit.py", "late.py",
    "lock.py", "matching.py", "moodle.py", "nbgrader_config.py", "preview.py",
    "release.py", "report.py", "roster.py", "scores.py", "similarity.py",
    "spreadsheet.py", "standings.py", "tallies.py", "uploads.py", "workers.py",
}  # fmt: skip


@functools.cache
def grader_version(assignment: str, repository: Path = REPOSITORY) -> str:
    """The version of everything that decides this assignment's verdicts."""
    patterns = (*DECIDING, f"autograder/hidden/{assignment}.py")
    paths = {path for pattern in patterns for path in repository.glob(pattern)}
    deciding = sorted(path for path in paths if path.name not in NOT_DECIDING)
    return hash_files((str(p.relative_to(repository)), p) for p in deciding)


def hash_files(files: Iterable[tuple[str, Path]]) -> str:
    """One hash of trusted files, as (name, path)."""
    whole = hashlib.sha256()
    for name, path in files:
        whole.update(f"{name}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def folder_hash(folder: Path) -> str:
    """One hash of what a student handed in; large files by size and time."""
    whole = hashlib.sha256()
    if folder.is_symlink() or not folder.is_dir():
        return "no folder"
    listing = handin.list_files(folder)
    for name in handin.names_alike(folder):
        whole.update(f"beside {name}\0".encode("utf-8", "surrogateescape"))
    for name, why in listing.left_out:
        whole.update(f"{name}\0{why}\0".encode("utf-8", "surrogateescape"))
    for file in listing.files:
        whole.update(f"{file.name}\0".encode("utf-8", "surrogateescape"))
        try:
            whole.update(hashlib.sha256(_content(file)).digest())
        except Unreadable as error:
            whole.update(str(error).encode())
    return whole.hexdigest()


def _content(file: handin.HandedIn) -> bytes:
    if file.size > handin.FILE_BYTES:
        return f"{file.size} {file.path.stat().st_mtime_ns}".encode()
    return handin.read_bytes(file.path, handin.FILE_BYTES)


def submission_key(
    folder: Path, assignment: str, release: NotebookNode, seed: int, sandbox: str
) -> str:
    """What a record is made from."""
    parts = [
        assignment,
        folder_hash(folder),
        release_hash(release),
        grader_version(assignment),
        str(seed),
        sandbox,
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def release_hash(release: NotebookNode) -> str:
    cells = [[c.cell_type, c.source, c.metadata] for c in release.cells]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def code_digest(notebook: NotebookNode) -> str:
    """The code that a student wrote, in order, whatever nbgrader did around it."""
    code = []
    for cell in notebook.cells:
        settings = cell.metadata.get("nbgrader", {})
        ours = settings.get("grade_id") and not settings.get("solution")
        if cell.cell_type == "code" and not ours:
            code.append([settings.get("grade_id", ""), cell.source])
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()
