"""Reading what a student handed in, without trusting any of it.

Nothing is executed, no link is followed, and no file is read before its size
is known. A file that cannot be a notebook is refused with a reason that a
student can act on.
"""

from __future__ import annotations

import codecs
import functools
import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTEBOOK_BYTES = 20_000_000
FILE_BYTES = 20_000_000
FOLDER_BYTES = 60_000_000
MOST_FILES = 200
MOST_ENTRIES = 5_000
DEEPEST = 6
MOST_PIECES = 1_000_000  # lists and objects of a notebook; each takes 60 bytes or more
# Left by tools, never part of an answer; numba's cache files are pickles.
IGNORED_FOLDERS = {".ipynb_checkpoints", "__pycache__", "__MACOSX", ".git"}
IGNORED_ENDINGS = (".pyc", ".nbi", ".nbc", "~")
IGNORED_NAMES = {".DS_Store", "Thumbs.db", "desktop.ini"}

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"Rar!", "a RAR archive"),
    (b"\x89HDF", "an HDF5 file"),
)
_MERGE = re.compile(r"^(<{7}|>{7}|={7})( |$)", re.MULTILINE)
_PAGE = re.compile(r"\s*<(!doctype html|html)", re.IGNORECASE)


class Unreadable(Exception):
    """A file that cannot be read as what it should be; says why, in words."""


@dataclass(frozen=True)
class HandedIn:
    """A regular file as handed in. `name` is relative, with forward slashes."""

    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class Listing:
    """The files of a submission, and what was left out: (name, why) pairs."""

    files: tuple[HandedIn, ...]
    left_out: tuple[tuple[str, str], ...]


def list_files(folder: Path) -> Listing:
    """The regular files below a folder, by name; links are never followed."""
    files: list[HandedIn] = []
    left_out: list[tuple[str, str]] = []
    for count, (name, path, mode, size) in enumerate(_walk(folder, "", 0)):
        if count >= MOST_ENTRIES:
            left_out.append((name, f"more than {MOST_ENTRIES} files were handed in"))
            break
        if stat.S_ISLNK(mode):
            left_out.append((name, "it is a link, and links are not followed"))
        elif stat.S_ISDIR(mode):
            left_out.append((name, f"it lies more than {DEEPEST} folders deep"))
        elif not stat.S_ISREG(mode):
            left_out.append((name, "it is not a regular file"))
        else:
            files.append(HandedIn(name, path, size))
    return Listing(tuple(sorted(files, key=lambda file: file.name)), tuple(left_out))


def _walk(
    folder: Path, prefix: str, depth: int
) -> Iterator[tuple[str, Path, int, int]]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name in IGNORED_FOLDERS | IGNORED_NAMES:
            continue
        if entry.name.endswith(IGNORED_ENDINGS):
            continue
        about = entry.stat(follow_symlinks=False)
        name = prefix + entry.name
        if stat.S_ISDIR(about.st_mode) and depth < DEEPEST:
            yield from _walk(Path(entry.path), name + "/", depth + 1)
        else:
            yield name, Path(entry.path), about.st_mode, about.st_size


def names_alike(folder: Path) -> list[str]:
    """Other students' folders whose names differ from this one's in little.

    In capitals, in spaces, or in how a letter is written in Unicode. `folder` is
    <student>/<assignment>.
    """
    student, submitted = folder.parent.name, folder.parent.parent
    try:
        groups = _groups(submitted, submitted.stat().st_mtime_ns)
    except OSError:
        return []
    return [name for name in groups.get(_plain(student), ()) if name != student]


@functools.lru_cache(maxsize=4)
def _groups(submitted: Path, modified: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(submitted)):
        if not name.startswith("."):
            found.setdefault(_plain(name), []).append(name)
    return found


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes.

    Raises Unreadable for a link, a device, a pipe, or a file that is larger.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise Unreadable(f"The file cannot be opened ({error.strerror}).") from error
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("It is not a regular file.")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Unreadable(
            f"The file is larger than {limit // 1_000_000} MB. Clear the outputs "
            "(Kernel > Restart and Clear Outputs), save, and hand it in again."
        )
    return data


def read_notebook(path: Path) -> dict[str, Any]:
    """A notebook file as plain JSON data; Unreadable where it is not one."""
    return parse_notebook(read_bytes(path, NOTEBOOK_BYTES))


def parse_notebook(data: bytes) -> dict[str, Any]:
    """The JSON object in a notebook's bytes; Unreadable says what is wrong."""
    text = _decode(data)
    pieces = text.count("[") + text.count("{")
    if pieces > MOST_PIECES:
        raise Unreadable(
            f"The file is made of {pieces:,} pieces, far more than a notebook has. "
            "Clear the outputs, save, and hand it in again."
        )
    try:
        notebook = json.loads(text, strict=False)
    except RecursionError as error:
        raise Unreadable("The file is nested too deeply to be a notebook.") from error
    except ValueError as error:
        raise Unreadable(_why_not_json(text, error)) from error
    if not isinstance(notebook, dict) or not isinstance(raw_cells(notebook), list):
        raise Unreadable("The file is JSON, but not a notebook: it has no cells.")
    return notebook


def raw_cells(notebook: dict[str, Any]) -> Any:
    """The list of cells of a notebook of any format version, or None."""
    if "cells" in notebook:
        return notebook["cells"]
    sheets = notebook.get("worksheets")
    if not isinstance(sheets, list):
        return None
    cells: list[Any] = []
    for sheet in sheets:
        found = sheet.get("cells") if isinstance(sheet, dict) else None
        cells.extend(found if isinstance(found, list) else [])
    return cells


def _decode(data: bytes) -> str:
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("The file is empty. Save the notebook and hand it in again.")
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise Unreadable(
                f"The file is {what}, not a notebook. Hand in the .ipynb file itself."
            )
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8-sig")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable(
            "The file is not text, so it is not a notebook "
            f"(byte {error.start} cannot be read as {encoding})."
        ) from error


def _why_not_json(text: str, error: ValueError) -> str:
    if _PAGE.match(text):
        return (
            "The file is a web page. Download the notebook itself "
            "(File > Download), not the page that shows it."
        )
    merge = _MERGE.search(text)
    if merge:
        line = text.count("\n", 0, merge.start()) + 1
        return (
            f"Line {line} is the mark of a merge conflict ({merge.group(1)}). "
            "Settle the conflict in git, open the notebook once, and hand it in again."
        )
    if not isinstance(error, json.JSONDecodeError):
        return "The file is not valid JSON, so it is not a notebook."
    if error.pos >= len(text.rstrip()) - 1 or "Unterminated string" in error.msg:
        return (
            f"The file stops in the middle (line {error.lineno}): it was cut short "
            "while it was saved or uploaded. Save it again and check that it opens."
        )
    return (
        f"The file is not valid JSON (line {error.lineno}, column {error.colno}), "
        "so Jupyter cannot open it either."
    )
