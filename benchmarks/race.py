"""Time to an accuracy: the recipe of `make train`, here and in PyTorch.

Both trainings are `convlab.training`'s: the same seed, batches, changed images,
rates and optimiser, the same held-out images after each epoch. Only who computes
the network differs. Where `make train` has finished this training on this machine,
its log is our side of the race.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pytorch
from benchmarks.contenders import OURS
from benchmarks.pytorch import torch
from benchmarks.tables import MISSING, table, title
from convlab import data, layers
from convlab.arithmetic import Conv, Dense, Norm, Pool, Relu, Row
from convlab.data import Dataset
from convlab.machine import machine
from convlab.network import Network
from convlab.recipes import SETUPS, Setup
from convlab.train import read_log, usual_folder
from convlab.training import train

TORCH = "PyTorch, channels last"
MARKS = (0.80, 0.85, 0.90)  # of the held-out images


class TorchNetwork(Network):
    """A network whose weights PyTorch computes with.

    Its tensors lie in the same memory as `parameters`: filters (K, Fh, Fw, C) are
    what PyTorch calls (K, C, Fh, Fw) in its layout "channels last".
    """

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self._tensors = {name: _tensor(array)
                         for name, array in self.parameters.items()}
        self._running = {name: torch.from_numpy(array)
                         for name, array in self.state.running.items()}

    def forward(self, images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self._scores(images, learning=False).numpy()

    def learn_from(
        self, images: np.ndarray, labels: np.ndarray, smoothing: float = 0.0,
        score_scale: float = 1.0,
    ) -> tuple[float, dict[str, np.ndarray], np.ndarray]:
        learned = {name: self._tensors[name] for name in self.trained}
        for name, tensor in self._tensors.items():
            tensor.requires_grad_(name in learned).grad = None
        scores = self._scores(images, learning=True) * score_scale
        classes = torch.from_numpy(labels.astype(np.int64))
        loss = torch.nn.functional.cross_entropy(scores, classes,
                                                 label_smoothing=smoothing)
        loss.backward()
        gradients = {name: np.ascontiguousarray(pytorch.plain(tensor.grad))
                     for name, tensor in learned.items()}
        return loss.item(), gradients, scores.detach().numpy()

    def _scores(self, images: np.ndarray, learning: bool) -> Any:
        x = torch.from_numpy(self._prepare(images)).permute(0, 3, 1, 2)
        for name, row in zip(self.names, self.rows, strict=True):
            x = self._layer(x, name, row, learning)
        return x

    def _layer(self, x: Any, name: str, row: Row, learning: bool) -> Any:
        functions, layer = torch.nn.functional, row.layer
        if isinstance(layer, Conv):
            return functions.conv2d(x, *self._of(name, "w", "b"), layer.stride,
                                    layer.pad)
        if isinstance(layer, Pool) and layer.kind == "max":
            return functions.max_pool2d(x, layer.size, layer.stride)
        if isinstance(layer, Norm):
            running = [self._running[f"{name}.{key}"] for key in ("mean", "variance")]
            return functions.batch_norm(
                x, *running, *self._of(name, "gamma", "beta"), training=learning,
                momentum=self.state.momentum)
        if isinstance(layer, Relu):
            return functions.relu(x)
        if isinstance(layer, Dense):
            flat = x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x
            return functions.linear(flat, *self._of(name, "w", "b"))
        raise ValueError(f"PyTorch is not told here how to compute {layer}")

    def _of(self, name: str, *keys: str) -> list[Any]:
        return [self._tensors[f"{name}.{key}"] for key in keys]


def _tensor(array: np.ndarray) -> Any:
    tensor = torch.from_numpy(array)
    return tensor.permute(0, 3, 1, 2) if array.ndim == 4 else tensor


def measure(seed: int, recipe: str = "cifar10", take_finished: bool = True
            ) -> dict[str, Any]:
    """History and the seconds at which each epoch ended, by who computes."""
    usual = SETUPS[recipe]
    setup = replace(usual, recipe=replace(usual.recipe, seed=seed))
    folder, dataset = usual_folder(recipe, setup), data.load(setup.data)
    finished = _finished(folder, setup) if take_finished else None
    found = {OURS: finished or _trained(Network, setup, dataset)}
    if torch is not None:
        found[TORCH] = _trained(TorchNetwork, setup, dataset)
    return {"architecture": setup.architecture, "epochs": setup.recipe.epochs,
            "seed": seed, "taken_from": str(folder) if finished else None,
            "runs": found}


def _finished(folder: Path, setup: Setup) -> dict[str, list[float]] | None:
    """What `make train` wrote of this training, if it did so on this machine."""
    log = read_log(folder, setup)
    if log is None or log["machine"] != machine():
        return None
    ends = [row["seconds"] for row in log["history"]]
    return None if None in ends else {"ends": ends, "held_out": [
        row["validation_accuracy"] for row in log["history"]]}


def _trained(kind: type[Network], setup: Setup, dataset: Dataset
             ) -> dict[str, list[float]]:
    network = kind(setup.architecture, dataset.image_shape, len(dataset.classes),
                   layers, seed=setup.recipe.seed)
    result = train(network, dataset, setup.recipe)
    return {"ends": result.epoch_ends,
            "held_out": [row["validation_accuracy"] for row in result.history]}


def first_at(mark: float, run: Mapping[str, list[float]]) -> float | None:
    """Seconds until the first epoch's end with so many held-out images right."""
    return next((end for end, right in zip(run["ends"], run["held_out"], strict=True)
                 if right >= mark), None)


def lines(found: Mapping[str, Any]) -> list[str]:
    text = title(f"Time to an accuracy, {found['epochs']} epochs, seed {found['seed']}")
    text += [found["architecture"], "Seconds until an epoch ended with so many of the "
             "held-out images right.", ""]
    text += table(("", *(f"{mark:.0%}" for mark in MARKS), "whole", "last epoch"), [
        (name, *(_seconds(first_at(mark, run)) for mark in MARKS),
         _seconds(run["ends"][-1]), f"{run['held_out'][-1]:.1%}")
        for name, run in found["runs"].items()])
    if found["taken_from"]:
        text += ["", f"Ours is what make train wrote to {found['taken_from']}."]
    return text if TORCH in found["runs"] else [*text, "", f"PyTorch is {MISSING}."]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f} s"
