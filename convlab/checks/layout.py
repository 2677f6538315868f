"""Copies of arrays that keep their memory layout.

A test array may be a view of every second row, or its columns may lie side by
side: a student's function has to cope, so a copy must not tidy it up.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def with_strides(values: np.ndarray, strides: tuple[int, ...]) -> np.ndarray:
    """A new array with these values and these strides (bytes, any sign)."""
    if values.size == 0:
        return values.copy()
    reach = [(size - 1) * stride
             for size, stride in zip(values.shape, strides, strict=True)]
    first = -sum(step for step in reach if step < 0)
    last = sum(step for step in reach if step > 0)
    memory = np.zeros(first + last + values.itemsize, np.uint8)
    array = np.ndarray(values.shape, values.dtype, memory, first, strides)
    array[...] = values
    return array


def copied(value: Any) -> Any:
    """A copy of an argument (array, number, string, tuple, dict of these)."""
    if isinstance(value, np.ndarray):
        return with_strides(value, value.strides)
    if isinstance(value, tuple):
        return tuple(map(copied, value))
    if isinstance(value, dict):
        return {name: copied(one) for name, one in value.items()}
    return value
