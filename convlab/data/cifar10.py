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
UNPACKED = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_FILES = ("test_batch.bin",)


@dataclass(frozen=True)
class Source:
    """Where the archive is and what it must be."""

    url: str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    size: int = 170_052_171
    md5: str = "c32a1d4ab5d03f1284b67883e8d87530"
    records: int = 10_000  # in each of the six files


OFFICIAL = Source()


def folder() -> Path:
    """$CONVLAB_DATA, or else a folder in the user's cache."""
    chosen = os.environ.get("CONVLAB_DATA")
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("convlab", appauthor=False)


def load(
    folder: str | os.PathLike | None = None, progress: bool = True,
    source: Source = OFFICIAL,
) -> Dataset:
    """CIFAR-10 as (50000, 32, 32, 3) and (10000, 32, 32, 3) uint8.

    Reads `folder`/cifar-10-batches-bin where it is present.
    """
    unpacked = Path(folder or globals()["folder"]()) / UNPACKED
    train = read([unpacked / name for name in TRAIN_FILES], source.records)
    test = read([unpacked / name for name in TEST_FILES], source.records)
    return Dataset(
        "cifar10", *train, *test, CLASSES,
        "CIFAR-10 (Krizhevsky 2009): photographs of 32x32 in ten classes.")


def read(paths: list[Path], records: int) -> tuple[np.ndarray, np.ndarray]:
    """(images, labels) of record files, one after the other.

    images (N, 32, 32, 3) uint8 contiguous, labels (N,) int64.
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
    try:
        raw = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise BadFileError(f"{path} is missing") from None
    if raw.size != records * RECORD:
        raise BadFileError(
            f"{path} has {raw.size:,} bytes, not {records * RECORD:,}")
    raw = raw.reshape(records, RECORD)
    if raw[:, 0].max(initial=0) >= len(CLASSES):
        raise BadFileError(f"{path} has a label above {len(CLASSES) - 1}")
    return raw
