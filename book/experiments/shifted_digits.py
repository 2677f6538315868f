"""Chapter "Why not a feed-forward net?": nets of like size on digits that move.

Real 8x8 digits stand in the middle of a dark 20x20 ground. Five questions:

moved     Trained on digits in the middle, tested on digits moved by 0 to 6 pixels
          in each of four directions.
anywhere  Trained in the middle, tested at any place where the digit fits.
copies    Tested at any place too: how many copies of each training digit, each at
          a place of its own, does a feed-forward net need?
once      One copy of each, at a place of its own, for the ConvNet.
shuffled  The pixels of all images in one other order: who notices?
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from convlab import layers
from convlab.data import Dataset, digits
from convlab.network import Network
from convlab.training import Recipe, accuracy, train

DATA = ("scikit-learn's 1,797 real 8x8 digits, 360 of them for testing, on a 20x20 "
        "ground; five runs, each with its own split, weights and order")
SEED = 0
RUNS = 5
SIDE, DIGIT = 20, 8
MIDDLE = (SIDE - DIGIT) // 2
SHIFTS = tuple(range(MIDDLE + 1))
COPIES = (1, 2, 4, 8, 16)
POOLED = "ConvNet, pooled over all"
ARCHITECTURES = {
    "feed-forward": "FC{32}-RELU,SOFTMAX",
    "ConvNet, places kept":
        "CONV{16 size=5}-RELU-POOL-CONV{20 size=5}-RELU-POOL,SOFTMAX",
    POOLED:
        "CONV{16 size=5}-RELU-POOL-CONV{32 size=5}-RELU-POOL{10},SOFTMAX",
}
LARGE = "feed-forward, 8 times the units"
LEARNERS = {"feed-forward": ARCHITECTURES["feed-forward"],
            LARGE: "FC{256}-RELU,SOFTMAX"}
RECIPE = Recipe(epochs=8, batch_size=32, learning_rate=0.02, held_out=0)
PASSES = 32  # over the training digits, with few copies as with many


def run(seed: int) -> dict[str, Any]:
    """Accuracies as nested dicts of lists, one number a run; see `one_run`."""
    runs = [one_run(seed + number) for number in range(RUNS)]
    return {"architectures": ARCHITECTURES | LEARNERS, "shifts": list(SHIFTS),
            "copies per digit": list(COPIES), "runs": RUNS} | {
        question: {name: [found[question][name] for found in runs]
                   for name in runs[0][question]}
        for question in runs[0]}


def one_run(seed: int) -> dict[str, dict[str, Any]]:
    """For each question, networks by name and what they got right.

    moved: an accuracy for each of SHIFTS; copies: one for each of COPIES; the
    others: one.
    """
    small = digits.load(seed=seed)
    rng = np.random.default_rng((seed, 2))
    middle = placed(small, np.full((2, len(small.train_labels)), MIDDLE))
    anywhere = scattered(small.test_images, rng)
    order = rng.permutation(SIDE * SIDE)
    found: dict[str, dict[str, Any]] = {
        "moved": {}, "anywhere": {}, "shuffled": {}, "copies": {}}
    for name, architecture in ARCHITECTURES.items():
        network = learn(architecture, middle, RECIPE, seed)
        found["moved"][name] = [
            accuracy_at(network, small, shift) for shift in SHIFTS]
        found["anywhere"][name] = accuracy(network, anywhere, small.test_labels)
    mixed = shuffled(middle, order)
    for name, architecture in ARCHITECTURES.items():
        network = learn(architecture, mixed, RECIPE, seed)
        found["shuffled"][name] = accuracy(
            network, mixed.test_images, mixed.test_labels)
    for name, architecture in LEARNERS.items():
        found["copies"][name] = [
            accuracy(learn(architecture, copied(small, copies, rng),
                           recipe_for(copies), seed),
                     anywhere, small.test_labels)
            for copies in COPIES]
    network = learn(ARCHITECTURES[POOLED], copied(small, 1, rng), RECIPE, seed)
    found["once"] = {POOLED: accuracy(network, anywhere, small.test_labels)}
    return found


def learn(architecture: str, dataset: Dataset, recipe: Recipe, seed: int) -> Network:
    network = Network(architecture, dataset.image_shape, len(dataset.classes), layers,
                      seed=seed)
    with threadpool_limits(1, user_api="blas"):  # small products: faster on one core
        train(network, dataset, replace(recipe, seed=seed), progress=False)
    return network


def recipe_for(copies: int) -> Recipe:
    """As many steps for few copies as for many, but no less than 4 epochs."""
    return replace(RECIPE, epochs=max(PASSES // copies, 4))


def on_ground(images: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Digits (N, 8, 8, 1) on a dark ground (N, 20, 20, 1).

    corners (2, N): the row and column of each digit's top left pixel.
    """
    ground = np.zeros((len(images), SIDE, SIDE, 1), images.dtype)
    for image, into, row, column in zip(images, ground, *corners, strict=True):
        into[row:row + DIGIT, column:column + DIGIT] = image
    return ground


def placed(small: Dataset, corners: np.ndarray) -> Dataset:
    """The training digits at these corners, the test digits in the middle."""
    return replace(
        small, train_images=on_ground(small.train_images, corners),
        test_images=on_ground(small.test_images,
                              np.full((2, len(small.test_labels)), MIDDLE)))


def scattered(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each digit at a place of its own, any at which it fits."""
    return on_ground(images, rng.integers(0, SIDE - DIGIT + 1, (2, len(images))))


def copied(small: Dataset, copies: int, rng: np.random.Generator) -> Dataset:
    """So many copies of each training digit, each at a place of its own."""
    images = np.concatenate([small.train_images] * copies)
    labels = np.concatenate([small.train_labels] * copies)
    corners = rng.integers(0, SIDE - DIGIT + 1, (2, len(images)))
    return placed(replace(small, train_images=images, train_labels=labels), corners)


def shuffled(dataset: Dataset, order: np.ndarray) -> Dataset:
    """The pixels of every image in another order, the same for all."""
    def mix(images: np.ndarray) -> np.ndarray:
        flat = images.reshape(len(images), -1)
        return np.ascontiguousarray(flat[:, order].reshape(images.shape))

    return replace(dataset, train_images=mix(dataset.train_images),
                   test_images=mix(dataset.test_images))


def accuracy_at(network: Network, small: Dataset, shift: int) -> float:
    """On test digits moved right, left, down and up by `shift` pixels: the mean."""
    count = len(small.test_labels)
    found = []
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        corners = np.tile([[MIDDLE + down * shift], [MIDDLE + right * shift]], count)
        found.append(accuracy(network, on_ground(small.test_images, corners),
                              small.test_labels))
    return float(np.mean(found))
