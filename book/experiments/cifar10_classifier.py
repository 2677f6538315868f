"""Chapter "Training on CIFAR-10": the classifier of `make train`, with SEEDS seeds.

Each is a run of `python -m convlab.train`, in its own folder under runs/. One that
is finished there already is taken as it is, so that a recording can be stopped and
gone on with; its log says how long it took and on which machine.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from convlab import data, layers
from convlab.machine import machine
from convlab.network import Network
from convlab.recipes import SETUPS, Setup
from convlab.train import WEIGHTS, read_log, usual_folder
from convlab.train import run as train
from convlab.training import classify

DATA = "CIFAR-10, 50,000 training and 10,000 test photographs"
SEED = 0
SEEDS = 3  # half an hour each
RECIPE = "cifar10"


def run(seed: int) -> dict[str, Any]:
    """The settings, each run's outcome, and the first one's predictions (M,) uint8."""
    setups = [replace(SETUPS[RECIPE], recipe=replace(SETUPS[RECIPE].recipe, seed=each))
              for each in range(seed, seed + SEEDS)]
    logs = [_log(setup) for setup in setups]
    dataset = data.load(SETUPS[RECIPE].data)
    network = _trained(setups[0], dataset)
    found = classify(network, dataset.test_images, setups[0].recipe)
    return {
        "architecture": setups[0].architecture,
        "recipe": logs[0]["recipe"],
        "parameters": sum(p.size for p in network.parameters.values()),
        "learned_from": len(dataset.train_labels) - setups[0].recipe.held_out,
        "tested": len(dataset.test_labels),
        "classes": list(dataset.classes),
        "runs": [{"seed": log["recipe"]["seed"], **{key: log[key] for key in (
            "test_accuracy", "best_epoch", "seconds", "peak_memory_bytes",
            "history")}} for log in logs],
        "labels": dataset.test_labels.astype(np.uint8),
        "predictions": found.astype(np.uint8),
    }


def _log(setup: Setup) -> dict[str, Any]:
    """The log of a run, which is done now where it was not before."""
    folder = usual_folder(RECIPE, setup)
    with threadpool_limits(1, user_api="blas"):  # as the command line does
        train(setup, folder)
    log = read_log(folder, setup)
    if log is None or log["machine"] != machine():
        raise ValueError(f"{folder} holds no finished run of this machine: delete it, "
                         "and record again")
    return log


def _trained(setup: Setup, dataset: data.Dataset) -> Network:
    network = Network(setup.architecture, dataset.image_shape, len(dataset.classes),
                      layers)
    network.load_weights(usual_folder(RECIPE, setup) / WEIGHTS)
    return network
