"""A whole training step of the course's CIFAR-10 network, beside PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks import pytorch, timing
from benchmarks.contenders import OURS, PYTORCH, WrongResult
from benchmarks.tables import MISSING, milliseconds, ratio, table, title
from benchmarks.timing import median
from benchmarks.twin import Twin
from convlab import layers
from convlab.data import Dataset
from convlab.network import Network
from convlab.recipes import SETUPS, Setup
from convlab.training import Training

IMAGE, CLASSES = (32, 32, 3), 10
BATCH = SETUPS["cifar10"].recipe.batch_size
# Losses that are compared: the first says that the forward passes agree, the others
# that the backward passes and the optimisers do.
COMPARED, TOLERANCE = 3, 2e-3
RATE = 0.01

Step = Callable[[], float]


def measure(repeats: int, setup: Setup = SETUPS["cifar10"], batch: int = BATCH,
            **timed: float) -> dict[str, Any]:
    """Seconds of a step (forward, loss, backward, optimiser) by contender.

    Raises WrongResult where the losses of the first steps do not agree.
    """
    steps = contenders(setup, batch)
    agree(steps)
    with tqdm(total=repeats, unit="round", desc="training step") as bar:
        times = timing.in_turn(steps, repeats, after=bar.update, **timed)
    return {"architecture": setup.architecture, "batch": batch, "seconds": times}


def noise(count: int) -> Dataset:
    """Images and labels by chance, of CIFAR-10's shape."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, *IMAGE), np.uint8)
    labels = rng.integers(0, CLASSES, count)
    return Dataset("noise", images, labels, images[:1], labels[:1],
                   tuple(map(str, range(CLASSES))), "noise")


def contenders(setup: Setup, batch: int) -> dict[str, Step]:
    """Training steps that begin from the same weights; each returns its loss.

    The recipe starts as in a training, and so with the first layer frozen where it
    says so. The images are one batch, which nothing changes.
    """
    data, recipe = noise(batch), replace(setup.recipe, held_out=0)
    images, labels = data.train_images, data.train_labels
    network = Network(setup.architecture, IMAGE, CLASSES, layers)
    optimiser = Training(network, data, recipe).optimiser
    steps = {}
    if pytorch.torch is not None:
        steps = {name: Twin(network, layout).step(
            images, labels, recipe, RATE, optimiser.rates)
            for name, layout in zip(PYTORCH, pytorch.LAYOUTS, strict=True)}

    def ours() -> float:
        loss, gradients, _ = network.learn_from(
            images, labels, recipe.label_smoothing, recipe.score_scale)
        optimiser.step(gradients, RATE)
        return loss

    return {OURS: ours, **steps}


def agree(steps: Mapping[str, Step]) -> None:
    """Take the first steps; raises WrongResult where a loss is another one's."""
    losses = {name: [step() for _ in range(COMPARED)] for name, step in steps.items()}
    for name, found in losses.items():
        for at, (loss, ours) in enumerate(zip(found, losses[OURS], strict=True), 1):
            if not math.isclose(loss, ours, rel_tol=TOLERANCE):
                raise WrongResult(f"the loss of step {at} is {loss:.6f} with {name} "
                                  f"and {ours:.6f} with ours")


def lines(found: Mapping[str, Any]) -> list[str]:
    seconds = {name: median(times) for name, times in found["seconds"].items()}
    best = {name: min(times) for name, times in found["seconds"].items()}
    text = title(f"A training step, batch {found['batch']}")
    text += [found["architecture"],
             f"Forward, loss, backward, optimiser; medians of "
             f"{len(found['seconds'][OURS])}.", ""]
    text += table(("", "ms a step", "best", "images/s", "times ours"), [
        (name, *_cells(name, seconds, best, found["batch"]))
        for name in (OURS, *PYTORCH)])
    if not any(name in seconds for name in PYTORCH):
        return [*text, "", f"PyTorch is {MISSING}: see CONTRIBUTING.md, Speed."]
    return [*text, "", "PyTorch's faster layout / ours: "
            f"{_against_pytorch(seconds):.2f}, of the best times "
            f"{_against_pytorch(best):.2f}"]


def _against_pytorch(seconds: Mapping[str, float]) -> float:
    return min(seconds[name] for name in PYTORCH if name in seconds) / seconds[OURS]


def _cells(name: str, seconds: Mapping[str, float], best: Mapping[str, float],
           batch: int) -> Sequence[str]:
    if name not in seconds:
        return MISSING, "", "", ""
    return (milliseconds(seconds[name]), milliseconds(best[name]),
            f"{batch / seconds[name]:,.0f}", ratio(seconds[name] / seconds[OURS]))
