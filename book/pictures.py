"""Pictures that pages make of recorded arrays, with the colours of convlab.plotting.

Text is its grey, INK, and figures are transparent: they read in both themes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from convlab.plotting import INK, PALETTE, WIDTH, Picture


def rows_of_images(rows: Mapping[str, np.ndarray], size: tuple[int, int]) -> Figure:
    """Grey images (N, H*W) uint8 side by side, one row a name, the name on its left."""
    figure = Picture(figsize=(WIDTH, 0.56 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, (name, images) in zip(axes, rows.items(), strict=True):
        bordered = np.pad(images.reshape(-1, *size), ((0, 0), (0, 0), (0, 1)),
                          constant_values=255)
        ax.imshow(np.hstack(list(bordered)), cmap="gray", vmin=0, vmax=255)
        ax.set_ylabel(name, rotation=0, ha="right", va="center", color=INK, fontsize=9)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    figure.patch.set_alpha(0)
    return figure


def labelled_points(panels: Mapping[str, np.ndarray], labels: Sequence[int]) -> Figure:
    """Points (N, 2) in a plane, each drawn as its label, a panel a name."""
    figure = Picture(figsize=(WIDTH, 0.52 * WIDTH * 2 / len(panels)),
                     layout="constrained")
    for ax, (name, points) in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                  panels.items(), strict=True):
        for (x, y), label in zip(points, labels, strict=True):
            ax.text(x, y, str(label), color=PALETTE[label % len(PALETTE)],
                    ha="center", va="center", fontsize=7, clip_on=True)
        edge = 0.04 * np.ptp(points, axis=0)
        (left, low), (right, high) = points.min(0) - edge, points.max(0) + edge
        ax.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[])
        ax.patch.set_alpha(0)
        ax.spines[:].set_color(INK)
        ax.set_title(name, color=INK, fontsize=10)
    figure.patch.set_alpha(0)
    return figure
