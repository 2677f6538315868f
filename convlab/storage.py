"""Arrays and a note in one .npz file: weights and checkpoints.

A file is written aside and renamed, so that a crash leaves the old one or the
new one, never half of one. Reading trusts nothing: no pickle, and where the
shapes are known beforehand, an array of another shape is refused before any
memory is set aside for it.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

NOTE = "note.json"
LARGEST_NOTE = 10_000_000  # bytes
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError,
              NotImplementedError, RuntimeError)  # what a damaged zip can raise


class StorageError(ValueError):
    """A file that is not what was asked for; the message says what is wrong."""


def write(path: str | os.PathLike, arrays: Mapping[str, np.ndarray],
          note: Mapping[str, Any]) -> None:
    """Write arrays and a note of JSON values; makes the folder where needed."""
    with _aside(path) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(NOTE, json.dumps(note))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file, UTF-8, the same way."""
    with _aside(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def _aside(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A file to write that takes its place under `path` once it is whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.partial")
    with open(aside, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def read(path: str | os.PathLike, shapes: Mapping[str, tuple[int, ...]] | None = None
         ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, note) of a file that `write` made.

    `shapes`: the names and shapes that must be there, no more and no fewer, as
    finite floats. Raises FileNotFoundError, and StorageError for a file that is
    damaged or holds something else.
    """
    with _opened(path) as archive:
        if shapes is not None:
            _check_contents(archive, shapes)
        arrays = {name: _read_array(archive, name) for name in _names(archive)}
        note = _read_note(archive)
    if shapes is not None:
        _check_finite(path, arrays)
    return arrays, note


def read_note(path: str | os.PathLike) -> dict[str, Any]:
    """The note alone, with the same errors."""
    with _opened(path) as archive:
        return _read_note(archive)


@contextmanager
def _opened(path: str | os.PathLike) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever is wrong with it becomes a StorageError."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except StorageError as error:
        raise StorageError(f"{path}: {error}") from None
    except UNREADABLE as error:
        raise StorageError(
            f"{path} is damaged, or not a file of this course: {error}") from None


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name != NOTE]


def _check_contents(archive: zipfile.ZipFile, shapes: Mapping) -> None:
    names = _names(archive)
    missing = [name for name in shapes if name not in names]
    extra = [name for name in names if name not in shapes]
    if missing or extra or len(names) > len(shapes):
        raise StorageError(
            "made by another architecture: "
            + "; ".join(f"{what} {', '.join(those[:4])}" for what, those in
                        (("it has no", missing), ("it has", extra)) if those))
    for name, wanted in shapes.items():
        with archive.open(f"{name}.npy") as member:
            shape, dtype = _read_header(member)
        if shape != tuple(wanted) or dtype.kind != "f":
            raise StorageError(
                f"made by another architecture: {name} is {dtype} of shape {shape}, "
                f"here it is a float array of shape {tuple(wanted)}")


def _read_header(member: Any) -> tuple[tuple[int, ...], np.dtype]:
    if np.lib.format.read_magic(member) != (1, 0):
        raise StorageError("its arrays have an unknown version")
    shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    return shape, dtype


def _read_array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _read_note(archive: zipfile.ZipFile) -> dict[str, Any]:
    if archive.getinfo(NOTE).file_size > LARGEST_NOTE:
        raise StorageError(f"its note is larger than {LARGEST_NOTE:,} bytes")
    note = json.loads(archive.read(NOTE))
    if not isinstance(note, dict):
        raise StorageError("its note is not a JSON object")
    return note


def _check_finite(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise StorageError(
                f"{path}: {name} holds numbers that are infinite or not a number: "
                "the training went wrong, try a smaller learning rate")
