"""Images to train on: `load("cifar10")`, `load("shapes")` or `load("digits")`."""

from __future__ import annotations

from convlab.data import cifar10, digits, shapes
from convlab.data.dataset import (
    BadFileError,
    DataError,
    Dataset,
    DiskError,
    DownloadError,
    hold_out,
)

__all__ = ["NAMES", "BadFileError", "DataError", "Dataset", "DiskError",
           "DownloadError", "hold_out", "load"]

_LOADERS = {"cifar10": cifar10.load, "shapes": shapes.load, "digits": digits.load}
NAMES = tuple(_LOADERS)


def load(name: str, **options) -> Dataset:
    """A data set by name.

    name      images             options
    cifar10   32x32x3 photos     folder=None, progress=True
    shapes    32x32x3, drawn     train=10_000, test=2_000, seed=0
    digits    8x8x1, real        test=360, seed=0

    CIFAR-10 is downloaded when it is first asked for and kept in $CONVLAB_DATA, or
    else in the user's cache; the others need no network.
    Raises DataError with a sentence that says what to do.
    """
    if name not in _LOADERS:
        raise DataError(
            f'there is no data set called {name!r}; there are {", ".join(NAMES)}')
    return _LOADERS[name](**options)
