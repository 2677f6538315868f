"""CIFAR-10: 60,000 photographs of 32x32 in ten classes (Krizhevsky 2009).

The binary version is read, https://www.cs.toronto.edu/~kriz/cifar.html: six
files of 10,000 records, a record being 3,073 bytes: the label, then 1,024 bytes
each of red, green and blue, row by row. The Python version holds pickles, which
can run code when they are opened; it is never read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convlab.data.dataset import BadFileError, Dataset

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
        # What a download needs is slow to import, and most often there is none.
        from convlab.data import archive

        archive.install(home, source, progress)
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
