"""Does memory grow? Thousands of training steps, and what the process holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
from tqdm import tqdm

from benchmarks.step import CLASSES, IMAGE, noise
from benchmarks.tables import table, title
from convlab import layers
from convlab.network import Network
from convlab.recipes import SETUPS, Setup
from convlab.training import Training

BATCH = 32  # of the recipe's own size, the steps would take more than an hour
EVERY = 100  # steps between two looks
IMAGES = 20 * BATCH  # an epoch ends now and then, as in a training
# Growth through the second half, by the line through it, that counts as none: less
# than an allocator keeps back for a while.
FLAT_MIB, FLAT_PART = 2.0, 0.01
MIB = 1 << 20


def measure(steps: int, setup: Setup = SETUPS["cifar10"], batch: int = BATCH,
            every: int = EVERY) -> dict[str, Any]:
    """Resident memory in MiB, before the first step and each `every` steps."""
    training = _training(setup, steps, batch)
    process = psutil.Process()
    seen = [{"step": 0, "mib": process.memory_info().rss / MIB}]
    for step in tqdm(range(1, steps + 1), unit="step", desc="soak"):
        training.step()
        if step % every == 0:
            seen.append({"step": step, "mib": process.memory_info().rss / MIB})
    return {"architecture": setup.architecture, "batch": batch, "seen": seen}


def _training(setup: Setup, steps: int, batch: int) -> Training:
    """The recipe's own training, on noise, slowly enough to stay finite."""
    recipe = replace(setup.recipe, batch_size=batch, held_out=0, learning_rate=1e-4,
                     epochs=-(-steps * batch // IMAGES))
    network = Network(setup.architecture, IMAGE, CLASSES, layers)
    return Training(network, noise(IMAGES), recipe)


def verdict(seen: list[Mapping[str, float]]) -> tuple[float, bool]:
    """(MiB a thousand steps, is it flat?) of the line through the second half."""
    half = seen[len(seen) // 2:]
    steps = np.array([one["step"] for one in half], float)
    mib = np.array([one["mib"] for one in half])
    if len(half) < 2:
        return 0.0, True
    slope = np.polyfit(steps, mib, 1)[0]
    growth = slope * (steps[-1] - steps[0])
    return 1000 * float(slope), bool(growth < max(FLAT_MIB, FLAT_PART * mib.mean()))


def lines(found: Mapping[str, Any]) -> list[str]:
    slope, flat = verdict(found["seen"])
    text = title(f"Memory through {found['seen'][-1]['step']:,} training steps, batch "
                 f"{found['batch']}")
    text += table(("step", "resident MiB"), [
        (f"{one['step']:,}", f"{one['mib']:.1f}") for one in found["seen"]])
    return [*text, "", f"Second half: {slope:+.2f} MiB a thousand steps: "
            + ("flat." if flat else "NOT flat, memory grows.")]
