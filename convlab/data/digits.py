"""digits: the 1,797 real 8x8 handwritten digits that scikit-learn ships.

They are the test part of the UCI "Optical Recognition of Handwritten Digits"
data (Alpaydin and Kaynak 1998): 32x32 bitmaps of which each 4x4 block was
counted, so that a pixel is a number from 0 to 16.
"""

from __future__ import annotations

import numpy as np

from convlab.data.dataset import Dataset

CLASSES = tuple("0123456789")
COUNT = 1797
DARKEST = 16  # the largest count of a 4x4 block


def load(test: int = 360, seed: int = 0) -> Dataset:
    """The digits as (N, 8, 8, 1) uint8, split at random by the seed.

    A count of 0 to 16 becomes a grey of 0 to 255, rounded to the nearest.
    """
    if not 0 < test < COUNT:
        raise ValueError(
            f"{test} test images cannot be taken from {COUNT:,}: give a number "
            f"from 1 to {COUNT - 1:,}")
    from sklearn.datasets import load_digits  # slow to import, wanted only here

    digits = load_digits()
    counts = digits.images[..., np.newaxis]
    images = np.rint(counts * (255 / DARKEST)).astype(np.uint8)
    labels = digits.target.astype(np.int64)
    order = np.random.default_rng(seed).permutation(COUNT)
    train, held = order[test:], order[:test]
    return Dataset(
        "digits", images[train], labels[train], images[held], labels[held], CLASSES,
        "1,797 real handwritten digits of 8x8 grey pixels, from the UCI data that "
        "scikit-learn ships.")
