"""`make train`: train the classifier on the reference layers, from a command line.

    python -m convlab.train --data cifar10 --epochs 8 --seed 0
    python -m convlab.train --recipe cifar10-small

A run has a folder: weights.npz, log.json (data, recipe, machine, time of each
epoch, memory, history, test accuracy), curves.svg and confusion.svg. The same
command goes on with what was begun, and says so where all is done.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from convlab import data, layers, plotting, storage
from convlab.machine import machine, versions
from convlab.memory import keep_freed_memory
from convlab.network import Network
from convlab.recipes import SETUPS, Setup
from convlab.training import (
    Recipe,
    Result,
    TrainingError,
    checksum,
    classify,
    train,
)

try:
    import resource
except ImportError:  # Windows
    resource = None

LOG, WEIGHTS, CHECKPOINT = "log.json", "weights.npz", "checkpoint.npz"
DATA = tuple(dict.fromkeys(setup.data for setup in SETUPS.values()))
INTERRUPTED = 130  # the exit status of a program that Ctrl-C ended
REFUSED = (data.DataError, TrainingError, ValueError, OSError)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        # The layers share their work among the cores themselves. BLAS's own threads
        # on top would wait for each other wherever a machine has other work to do:
        # ten times slower, as measured.
        with threadpool_limits(1, user_api="blas"):
            return run(_setup(options), _folder(options))
    except REFUSED as error:
        print(error, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convlab.train",
        description="Train a convolutional network on the reference layers.")
    parser.add_argument("--data", choices=DATA, help="default: that of the recipe, "
                        "or cifar10")
    parser.add_argument("--recipe", choices=tuple(SETUPS), help="architecture and "
                        "training; default: that with the data's name")
    parser.add_argument("--epochs", type=int, help="default: by the recipe")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--architecture", help="as in "
                        f'"{SETUPS["shapes"].architecture}"; default: by the recipe')
    parser.add_argument("--out", type=Path, help="the run's folder; default: "
                        "runs/ and the recipe, the epochs and the seed")
    return parser


def _recipe_name(options: argparse.Namespace) -> str:
    """The name of the recipe; refuses one of other data."""
    name = options.recipe or options.data or "cifar10"
    if options.data not in (None, SETUPS[name].data):
        raise TrainingError(f"the recipe {name} is for --data {SETUPS[name].data}, "
                            f"not for {options.data}")
    return name


def _setup(options: argparse.Namespace) -> Setup:
    usual = SETUPS[_recipe_name(options)]
    epochs = usual.recipe.epochs if options.epochs is None else options.epochs
    return Setup(options.architecture or usual.architecture,
                 replace(usual.recipe, epochs=epochs, seed=options.seed), usual.data)


def _folder(options: argparse.Namespace) -> Path:
    if options.out:
        return options.out
    return usual_folder(_recipe_name(options), _setup(options))


def usual_folder(recipe: str, setup: Setup) -> Path:
    """Where a run is kept that begins with the recipe of this name."""
    name = f"{recipe}-{setup.recipe.epochs}epochs-seed{setup.recipe.seed}"
    if setup.architecture != SETUPS[recipe].architecture:
        name += f"-{zlib.crc32(setup.architecture.encode()):08x}"
    return Path("runs") / name


def run(setup: Setup, folder: Path) -> int:
    """Train, test once, write the folder; or go on with it; the exit status."""
    log = read_log(folder, setup)
    if log:
        print(f"Finished already: test accuracy {log['test_accuracy']:.1%}, in "
              f"{folder}. Delete the folder or give another --out to train anew.")
        return 0
    dataset = data.load(setup.data)
    network = Network(setup.architecture, dataset.image_shape, len(dataset.classes),
                      layers, seed=setup.recipe.seed)
    _introduce(dataset, setup, network)
    result = train(network, dataset, setup.recipe, checkpoint=folder / CHECKPOINT)
    if result.best_epoch is not None:
        network.save_weights(folder / WEIGHTS)
    if not result.finished:
        print("Run the same command again.")
        return INTERRUPTED
    _finish(dataset, setup, network, result, folder)
    return 0


def read_log(folder: Path, setup: Setup) -> dict[str, Any] | None:
    """The log of a finished run, None before; refuses that of another run."""
    path = folder / LOG
    if not path.exists():
        return None
    try:
        log = json.loads(path.read_text(encoding="utf-8"))
        # A log of before a recipe had some setting is of a run without it.
        log["recipe"] = {one.name: one.default for one in fields(Recipe)} | log[
            "recipe"]
        differences = [key for key, value in _settings(setup).items()
                       if log[key] != value]
        _ = log["test_accuracy"]
    except (ValueError, LookupError, TypeError):
        raise TrainingError(f"{path} is no log of a run: give another --out, or "
                            "delete it to train anew") from None
    if differences:
        raise TrainingError(
            f"{folder} holds a run with another {' and '.join(differences)}: "
            "give another --out, or delete it to train anew")
    return log


def _settings(setup: Setup) -> dict[str, Any]:
    return {"data": setup.data, "architecture": setup.architecture,
            "recipe": asdict(setup.recipe)}


def _introduce(dataset: data.Dataset, setup: Setup, network: Network) -> None:
    recipe = setup.recipe
    print(f"data          {dataset.about}\n"
          f"              {len(dataset.train_labels):,} training images "
          f"({recipe.held_out:,} of them held out), "
          f"{len(dataset.test_labels):,} test images\n"
          f"architecture  {setup.architecture}\n"
          f"recipe        {recipe.epochs} epochs, batches of {recipe.batch_size}, "
          f"learning rate {recipe.learning_rate} ({recipe.schedule}), "
          f"momentum {recipe.momentum}\n"
          f"seed          {recipe.seed}\n"
          f"machine       {machine()}\n\n{network.summary()}\n", flush=True)


def _finish(dataset: data.Dataset, setup: Setup, network: Network, result: Result,
            folder: Path) -> None:
    """Use the test images, once, and write what came out; the log comes last."""
    predictions = classify(network, dataset.test_images, setup.recipe)
    right = int((predictions == dataset.test_labels).sum())
    total = len(predictions)
    title = f"{dataset.name}, {setup.architecture}"
    last, ends = result.history[-1], result.epoch_ends
    # A run that an older version began has no times of its first epochs.
    ends = [None] * (len(result.history) - len(ends)) + ends
    plotting.save_svg(
        plotting.training_curves(result.history, title), folder / "curves.svg",
        f"Loss and accuracy by epoch on {title}. After {last['epoch']} epochs the "
        f"loss is {last['loss']:.2f} and the training accuracy "
        f"{last['train_accuracy']:.0%}.")
    plotting.save_svg(
        plotting.confusion_matrix(dataset.test_labels, predictions, dataset.classes),
        folder / "confusion.svg",
        f"Confusion matrix on {title}. {right:,} of {total:,} test images are right.")
    log = {
        **_settings(setup), "about": dataset.about,
        "data_crc32": checksum(dataset), "test_accuracy": right / total,
        "best_epoch": result.best_epoch, "seconds": round(result.seconds, 1),
        "peak_memory_bytes": _peak_memory(), "machine": machine(),
        "versions": versions(),
        "history": [{**row, "seconds": end and round(end, 1)}
                    for row, end in zip(result.history, ends, strict=True)]}
    storage.write_text(folder / LOG, json.dumps(log, indent=1) + "\n")
    (folder / CHECKPOINT).unlink(missing_ok=True)
    minutes, seconds = divmod(round(result.seconds), 60)
    print(f"test accuracy {right / total:.1%} ({right:,} of {total:,} images), trained "
          f"in {minutes} min {seconds} s\nwritten       {folder}/: {WEIGHTS}, {LOG}, "
          "curves.svg, confusion.svg")


def _peak_memory() -> int | None:
    """The most bytes that this process had at once; None where nobody counts."""
    if resource is None:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
