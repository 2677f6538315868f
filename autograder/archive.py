"""Reading zip archives that nobody vouches for.

A member is used only if its name stays inside the archive, it is a plain file, and
its size, known before anything is unpacked, fits. What is left out is said, with
the reason; nothing here follows a link or believes a size twice.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from autograder.handin import IGNORED_ENDINGS, IGNORED_FOLDERS, IGNORED_NAMES
from autograder.remark import excerpt

NAME_BYTES = 255
DEEPEST = 20
_DRIVE = re.compile(r"[A-Za-z]:")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# The records at a zip's end that say how large its table of contents is: plain, and
# the one of large archives, which stands before its locator (APPNOTE.TXT 4.3.14-16).
_END, _END_MARK = struct.Struct("<4s4H2LH"), b"PK\5\6"
_LARGE, _LARGE_MARK = struct.Struct("<4sQ2H2L4Q"), b"PK\6\6"
_LOCATOR, _LOCATOR_MARK = struct.Struct("<4sLQL"), b"PK\6\7"
_COMMENT_BYTES = 1 << 16
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_CHUNK = 1 << 20


class BadArchive(Exception):
    """An archive, or a member of one, that is not used; says why, in words."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold: files, bytes in each and in all."""

    files: int
    file_bytes: int
    bytes: int
    index_bytes: int  # of its table of contents, read before anything else


@dataclass(frozen=True)
class Member:
    """A plain file in an archive; `name` is relative, with forward slashes."""

    name: str
    info: zipfile.ZipInfo

    @property
    def size(self) -> int:
        return self.info.file_size

    @property
    def written(self) -> str:
        """When the archive says that it was written, to compare as text."""
        return "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*self.info.date_time)


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[zipfile.ZipFile]:
    """A zip archive; BadArchive where it is none, or its index too large."""
    _check_index(path, limits)
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # zipfile raises many kinds for a broken index
        raise BadArchive("the archive is broken") from error
    with archive:
        yield archive


def members(
    archive: zipfile.ZipFile, limits: Limits
) -> tuple[list[Member], list[tuple[str, str]]]:
    """The files that may be used, and what is left out: (name, why) pairs."""
    kept: list[Member] = []
    left_out: list[tuple[str, str]] = []
    names: set[str] = set()
    total = 0
    for info in archive.infolist():
        if info.is_dir() or _is_litter(info.filename):
            continue
        try:
            member = Member(_safe_name(info), info)
            _check(member, limits)
            if member.name in names:
                raise BadArchive("another file has the same name")
            if len(kept) >= limits.files:
                raise BadArchive(f"there are more than {limits.files} files")
            if total + member.size > limits.bytes:
                raise BadArchive(
                    f"all together it is more than {limits.bytes // 1_000_000} MB"
                )
        except BadArchive as refused:
            left_out.append((excerpt(info.filename, 120), str(refused)))
            continue
        total += member.size
        names.add(member.name)
        kept.append(member)
    return kept, left_out


def unpack(archive: zipfile.ZipFile, member: Member, path: Path) -> None:
    """Write a member to a new file; BadArchive where it is not what it says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file, archive.open(member.info) as data:
            left = member.size
            while chunk := data.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise BadArchive("it holds more than it says")
                file.write(chunk)
    except Exception as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise
        raise BadArchive("it is broken, or not what the archive says") from error


def _check_index(path: Path, limits: Limits) -> None:
    """Refuse a table of contents that would itself fill the memory."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        most = _COMMENT_BYTES + _END.size + _LOCATOR.size + _LARGE.size
        file.seek(max(0, size - most))
        tail = file.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise BadArchive("it is not a zip archive, or is cut short")
    index = _END.unpack_from(tail, at)[5]
    if tail[max(0, at - _LOCATOR.size) : at].startswith(_LOCATOR_MARK):
        before = at - _LOCATOR.size - _LARGE.size
        if before < 0 or not tail.startswith(_LARGE_MARK, before):
            raise BadArchive("the archive is broken")
        index = _LARGE.unpack_from(tail, before)[8]
    if index > limits.index_bytes:
        raise BadArchive("its table of contents is too large")


def _is_litter(name: str) -> bool:
    """What operating systems and tools add, and nobody meant to hand in."""
    parts = set(name.replace("\\", "/").split("/"))
    return bool(parts & (IGNORED_FOLDERS | IGNORED_NAMES)) or name.endswith(
        IGNORED_ENDINGS
    )


def _safe_name(info: zipfile.ZipInfo) -> str:
    """A member's name, with forward slashes; BadArchive where it leads elsewhere."""
    name = info.filename
    if not info.flag_bits & _UTF8_NAME:
        with suppress(UnicodeError):  # written as UTF-8 without saying so
            name = name.encode("cp437").decode("utf-8")
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or _DRIVE.match(name):
        raise BadArchive("its name is an absolute path")
    if ".." in parts:
        raise BadArchive("its name leads out of the archive")
    if not parts or len(parts) > DEEPEST or not all(map(_is_plain, parts)):
        raise BadArchive("its name is no plain file name")
    return "/".join(parts)


def _is_plain(part: str) -> bool:
    try:
        return part.isprintable() and len(part.encode()) <= NAME_BYTES
    except UnicodeEncodeError:
        return False


def _check(member: Member, limits: Limits) -> None:
    kind = stat.S_IFMT(member.info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BadArchive("it is a link or a special file")
    if member.info.flag_bits & _ENCRYPTED:
        raise BadArchive("it is encrypted")
    if member.info.compress_type not in _METHODS:
        raise BadArchive("it is compressed in an unusual way")
    if member.size > limits.file_bytes:
        raise BadArchive(
            f"it is {member.size / 1e6:.0f} MB; a file may have "
            f"{limits.file_bytes // 1_000_000} MB"
        )
