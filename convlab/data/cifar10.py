"""CIFAR-10: 60,000 photographs of 32x32 in ten classes (Krizhevsky 2009).

The binary version is read, https://www.cs.toronto.edu/~kriz/cifar.html: six
files of 10,000 records, a record being 3,073 bytes: the label, then 1,024 bytes
each of red, green and blue, row by row. The Python version holds pickles, which
can run code when they are opened; it is never read.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from convlab.data import download
from convlab.data.dataset import BadFileError, Dataset, DownloadError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer",
           "dog", "frog", "horse", "ship", "truck")
SIDE, CHANNELS = 32, 3
RECORD = 1 + SIDE * SIDE * CHANNELS
ARCHIVE = "cifar-10-binary.tar.gz"
UNPACKED = "cifar-10-batches-bin"
PICKLED = "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_FILES = ("test_batch.bin",)
SMALL_FILES = ("batches.meta.txt", "readme.html")  # in the archive, not needed


@dataclass(frozen=True)
class Source:
    """Where the archive is and what it must be."""

    url: str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    size: int = 170_052_171
    md5: str = "c32a1d4ab5d03f1284b67883e8d87530"
    records: int = 10_000  # in each of the six files

    @property
    def file_size(self) -> int:
        """Bytes in each of the six files."""
        return self.records * RECORD


OFFICIAL = Source()


def data_folder() -> Path:
    """$CONVLAB_DATA, or else a folder in the user's cache."""
    chosen = os.environ.get("CONVLAB_DATA")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path  # wanted only where nothing is chosen

    return user_cache_path("convlab", appauthor=False)


def load(
    folder: str | os.PathLike | None = None,
    progress: bool = True,
    source: Source = OFFICIAL,
) -> Dataset:
    """CIFAR-10: (50000, 32, 32, 3) and (10000, 32, 32, 3) uint8, about 190 MB.

    folder    where cifar-10-batches-bin is or shall be; default: data_folder().
              Where it is present nothing is downloaded or written. An archive
              put there by hand, cifar-10-binary.tar.gz, is used.
    progress  show a bar while 170 MB are downloaded
    source    another address, size and checksum, for a mirror or a test

    Raises DownloadError, BadFileError or DiskError.
    """
    home = Path(folder).expanduser() if folder else data_folder()
    unpacked = home / UNPACKED
    if not unpacked.is_dir():
        _install(home, source, progress)
    train = read([unpacked / name for name in TRAIN_FILES], source.records)
    test = read([unpacked / name for name in TEST_FILES], source.records)
    return Dataset(
        "cifar10", *train, *test, CLASSES,
        "CIFAR-10 (Krizhevsky 2009): photographs of 32x32 in ten classes.")


def read(paths: list[Path], records: int) -> tuple[np.ndarray, np.ndarray]:
    """(images, labels) of files of `records` records each, one after the other.

    images (N, 32, 32, 3) uint8 contiguous, labels (N,) int64. Raises
    BadFileError for a file that is missing, of another size, or that has a
    label above 9.
    """
    images = np.empty((len(paths) * records, SIDE, SIDE, CHANNELS), np.uint8)
    labels = np.empty(len(paths) * records, np.int64)
    for number, path in enumerate(paths):
        part = slice(number * records, (number + 1) * records)
        raw = _read_records(path, records)
        labels[part] = raw[:, 0]
        planes = raw[:, 1:].reshape(records, CHANNELS, SIDE, SIDE)
        images[part] = planes.transpose(0, 2, 3, 1)
    return images, labels


def _read_records(path: Path, records: int) -> np.ndarray:
    """A file as (records, 3073) uint8, checked."""
    way_out = (f'Delete the folder {path.parent} and load "cifar10" again, which '
               "downloads it anew, or copy it from a machine that has it.")
    try:
        size = path.stat().st_size
        if size != records * RECORD:
            what = "cut short" if size < records * RECORD else "too long"
            raise BadFileError(
                f"{path} is {what}: it has {size:,} bytes, and {records:,} records "
                f"of {RECORD:,} bytes are {records * RECORD:,}. {way_out}")
        raw = np.fromfile(path, np.uint8).reshape(records, RECORD)
    except FileNotFoundError:
        raise BadFileError(f"{path} is missing. {way_out}") from None
    except OSError as error:
        raise BadFileError(
            f"{path} cannot be read: {error.strerror}. {way_out}") from error
    wrong = np.flatnonzero(raw[:, 0] >= len(CLASSES))
    if wrong.size:
        raise BadFileError(
            f"{path} is damaged: record {wrong[0]} (from 0) begins with the byte "
            f"{raw[wrong[0], 0]}, and a label is 0 to {len(CLASSES) - 1}. {way_out}")
    return raw


def _install(home: Path, source: Source, progress: bool) -> None:
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
