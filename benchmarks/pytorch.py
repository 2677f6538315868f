"""PyTorch, where it is installed: it is no part of the course.

OpenMP's settings are left as PyTorch finds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

try:
    import torch
except ImportError:
    torch = None

LAYOUTS = ("contiguous", "channels_last")  # (N, C, H, W) in memory, or (N, H, W, C)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch uses so many threads."""
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def laid_out(array: np.ndarray, layout: str) -> Any:
    """A tensor of its own, (N, C, H, W) or (K,), from (N, H, W, C) or (K,)."""
    tensor = torch.tensor(array)
    if array.ndim != 4:
        return tensor
    formats = {"contiguous": torch.contiguous_format,
               "channels_last": torch.channels_last}
    return tensor.permute(0, 3, 1, 2).contiguous(memory_format=formats[layout])


def plain(tensor: Any) -> np.ndarray:
    """The other way round."""
    tensor = tensor.detach()
    return (tensor.permute(0, 2, 3, 1) if tensor.ndim == 4 else tensor).numpy()
