"""CIFAR-10's archive: downloaded once, checked, and unpacked so that it can do no harm.

Several processes may ask at once: one fetches it and the others wait.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from convlab.data import download
from convlab.data.cifar10 import (
    ARCHIVE,
    PICKLED,
    SMALL_FILES,
    TEST_FILES,
    TRAIN_FILES,
    UNPACKED,
    Source,
)
from convlab.data.dataset import BadFileError, DownloadError


def install(home: Path, source: Source, progress: bool) -> None:
    """Make home/cifar-10-batches-bin, from an archive that is there or downloaded."""
    archive = home / ARCHIVE
    download.make_room(home, 6 * source.file_size
                       + (0 if archive.exists() else source.size))
    with download.plain_disk_errors(home), _one_at_a_time(home, progress):
        if (home / UNPACKED).is_dir():  # by the process that was waited for
            return
        by_hand = archive.exists()
        if by_hand:
            download.check(archive, source.size, source.md5, source.url)
        else:
            _download(archive, source, progress)
        _unpack(archive, home / UNPACKED, source)
        if not by_hand:
            archive.unlink()


@contextmanager
def _one_at_a_time(home: Path, progress: bool) -> Iterator[None]:
    """Hold a lock, which the system lets go of if this process dies."""
    lock = FileLock(home / "cifar-10.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if progress:
            print("Another process is fetching CIFAR-10; waiting for it.",
                  file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download(archive: Path, source: Source, progress: bool) -> None:
    try:
        download.fetch(source.url, archive, source.size, source.md5, progress)
    except (DownloadError, BadFileError) as error:
        raise type(error)(f"{error} {_without_download(archive, source)}") from error


def _without_download(archive: Path, source: Source) -> str:
    text = (
        "You can go on without it: the drawn images need no download "
        '(make train DATA=shapes, or convlab.data.load("shapes")). Or get '
        f"{source.url} on another machine and put it in {archive.parent} as "
        f"{archive.name}: it is checked and unpacked at the next try.")
    if (archive.parent / PICKLED).exists():
        text += (f" The folder {PICKLED} that is there is the Python version: it "
                 "holds pickles, which can run code, and is never read.")
    return text


def _unpack(archive: Path, target: Path, source: Source) -> None:
    """Unpack beside `target`, which appears whole or not at all."""
    beside = target.with_name(target.name + ".unpacking")
    shutil.rmtree(beside, ignore_errors=True)  # of a process that was killed
    beside.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _take(tar, member, beside, source)
        missing = {*TRAIN_FILES, *TEST_FILES} - {p.name for p in beside.iterdir()}
        if missing:
            raise BadFileError(f"it lacks {', '.join(sorted(missing))}")
        beside.rename(target)
    except (BadFileError, tarfile.TarError, EOFError, zlib.error) as error:
        aside = download.set_aside(archive)
        raise BadFileError(
            f"{archive} cannot be unpacked: {error}. It was moved to {aside}. "
            f"Get {source.url} again.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _take(
    tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path, source: Source
) -> None:
    """Copy one record file out; refuse a member that has no business there.

    The archive only gives bytes: the names written to are ours, so neither a
    path with "..", nor a link, nor a device in it can reach anything.
    """
    folder, _, name = member.name.rpartition("/")
    if member.isdir() and member.name.rstrip("/") == UNPACKED:
        return
    if not member.isreg() or folder != UNPACKED:
        raise BadFileError(f"it has a member that does not belong: {member.name!r}")
    if name in SMALL_FILES and member.size < 100_000:
        return
    if name not in TRAIN_FILES + TEST_FILES or (into / name).exists():
        raise BadFileError(f"it has a member that does not belong: {member.name!r}")
    if member.size != source.file_size:
        raise BadFileError(
            f"its {name} has {member.size:,} bytes, not {source.file_size:,}")
    with open(into / name, "xb") as file:
        shutil.copyfileobj(tar.extractfile(member), file)
