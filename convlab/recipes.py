"""The trainings that `make train` runs where nothing else is asked for.

Chosen by the accuracy on held-out training images.
"""

from __future__ import annotations

from dataclasses import dataclass

from convlab.training import Recipe


@dataclass(frozen=True)
class Setup:
    """An architecture, how to train it, and the name of the data set."""

    architecture: str
    recipe: Recipe
    data: str = ""


# The classifier: David Page's DAWNBench network and Keller Jordan's
# (arXiv:2404.00498), of about the latter's width: with 256 filters in the second stage
# too, half an hour of two cores would not do for eight epochs. 2x2 whitening filters
# make 31 of 32 pixels, so that pooling by 3 at stride 2 comes out whole: 31, 15, 7, 3.
# Most of the arithmetic is where the maps are small and the kernels at their best.
_STAGE = "CONV{%d}-POOL{3 stride=2}-NORM-RELU-CONV{%d}-NORM-RELU"
_STAGES = "-".join(f"[{_STAGE % (n, n)}]" for n in (64, 224, 256))

# `python -m convlab.train --data NAME` runs the setup of that name.
SETUPS = {
    "cifar10": Setup(
        "CONV{24 size=2 pad=0}-RELU-" + _STAGES + "-POOL{3},SOFTMAX",
        Recipe(epochs=8, batch_size=500, held_out=5000,
               # Up from a fifth of the rate to all of it, then down to nothing.
               learning_rate=0.3, start_rate=0.2, momentum=0.85,
               weight_decay=1.3e-3, bias_rate=16,
               # Filters by Muon. Nine epochs of 15,000 images, on a narrow network:
               # rates of 0.06, 0.12, 0.24 had 81.2, 82.3, 81.4% of others right, and
               # SGD 80.8%. 0.08 is what the whole training was tried with.
               filter_rate=0.08, filter_momentum=0.8,
               # The network at the start, and averages over some thousand images.
               whiten=True, identity_start=True, norm_momentum=0.1,
               # What it is asked for, and how loudly.
               label_smoothing=0.2, score_scale=1 / 9,
               # The images.
               flip=True, alternate=True, shift=2, mirror=True, around=1),
        "cifar10"),
    "cifar10-small": Setup(
        "[CONV-RELU-POOL]*3-(FC-RELU)*1,SOFTMAX",
        Recipe(epochs=8, learning_rate=0.05, flip=True, shift=2, held_out=5000),
        "cifar10"),
    "shapes": Setup(
        "[CONV-RELU-POOL]*3-(FC-RELU)*1,SOFTMAX",
        Recipe(epochs=10, batch_size=32, learning_rate=0.02, flip=True, shift=2,
               held_out=1000),
        "shapes"),
    "digits": Setup(
        "[CONV{16}-RELU-POOL]*2-(FC{64}-RELU)*1,SOFTMAX",
        Recipe(epochs=20, batch_size=32, learning_rate=0.05, shift=1,
               held_out=200),
        "digits"),
}
