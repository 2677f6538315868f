"""What every data set is: uint8 images, labels, the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


class DataError(RuntimeError):
    """Data that cannot be had; the message says why and what to do."""


class DownloadError(DataError):
    """No network, or a server that does not give the file."""


class BadFileError(DataError):
    """A file that is missing, cut short, too long or not what it should be."""


class DiskError(DataError):
    """No room or no permission in the data folder."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with their labels, ready to be trained on.

    name          "cifar10", "shapes" or "digits"
    train_images  (N, H, W, C) uint8, contiguous, 0 black to 255 full
    train_labels  (N,) int64, each an index into `classes`
    test_images   (M, H, W, C) uint8
    test_labels   (M,) int64
    classes       the names of the classes, by label
    about         one sentence: what the images are and where they are from
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    about: str

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            images = getattr(self, f"{part}_images")
            labels = getattr(self, f"{part}_labels")
            _check_part(f"{self.name}, {part}", images, labels, self.classes)
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise ValueError(
                f"{self.name}: training images are {self.train_images.shape[1:]} "
                f"and test images {self.test_images.shape[1:]}, "
                "but both need one size")

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        return self.train_images.shape[1:]

    def __repr__(self) -> str:
        size = "x".join(map(str, self.image_shape))
        return (f"<Dataset {self.name}: {len(self.train_labels):,} training and "
                f"{len(self.test_labels):,} test images of {size}, "
                f"{len(self.classes)} classes>")


def _check_part(
    what: str, images: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> None:
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(
            f"{what}: images are uint8 of shape (N, H, W, C), "
            f"got {images.dtype} of shape {images.shape}")
    if labels.shape != images.shape[:1] or labels.dtype != np.int64:
        raise ValueError(
            f"{what}: {len(images)} images need int64 labels of shape "
            f"({len(images)},), got {labels.dtype} of shape {labels.shape}")
    if labels.size and (
            labels.min() < 0 or labels.max() >= len(classes)):
        raise ValueError(
            f"{what}: labels run from {labels.min()} to {labels.max()}, "
            f"but {len(classes)} classes take 0 to {len(classes) - 1}")


def hold_out(dataset: Dataset, n: int, seed: int = 0) -> Dataset:
    """The same data set with n training images standing in for the test images.

    Choose settings (a learning rate, when to stop) by the held-out images and
    use the real test images once, at the end: they are not in the result, so
    they cannot be looked at by mistake. Which images are held out depends on
    the seed alone; the order of the others is kept.
    """
    total = len(dataset.train_labels)
    if not 0 < n < total:
        raise ValueError(
            f"{n} images cannot be held out of {total:,}: give a number "
            f"from 1 to {total - 1:,}")
    held = np.zeros(total, bool)
    held[np.random.default_rng(seed).choice(total, n, replace=False)] = True
    return replace(
        dataset,
        train_images=dataset.train_images[~held],
        train_labels=dataset.train_labels[~held],
        test_images=dataset.train_images[held],
        test_labels=dataset.train_labels[held],
        about=f"{dataset.about} Here {n:,} training images are held out and "
              "stand in for the test images.")
