"""What every layer refuses, each with one sentence that says what to do.

A wrong kind of thing (not an array, integers, mixed dtypes) is a TypeError;
sizes and values that do not fit are a ValueError.
"""

from __future__ import annotations

import numpy as np

from convlab.arithmetic import output_size, times

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def array(value: object, name: str, *axes: str, like: np.ndarray | None = None
          ) -> np.ndarray:
    """The value as a C-contiguous float array with the named axes.

    No copy is made of what is contiguous already. With no axes, any shape
    will do. `like` is an array whose dtype the value must share.
    """
    if not isinstance(value, np.ndarray):
        raise TypeError(
            f"{name} must be a numpy array, got {type(value).__name__}: "
            f"convert with np.asarray({name}, dtype=np.float32)")
    if value.dtype not in FLOATS:
        raise TypeError(
            f"{name} must be float32 or float64, got {value.dtype}: "
            f"convert with {name}.astype(np.float32)")
    if like is not None and value.dtype != like.dtype:
        raise TypeError(
            f"{name} is {value.dtype} but the layer's input is {like.dtype}: "
            f"convert with {name}.astype(np.{like.dtype})")
    if axes and value.ndim != len(axes):
        raise ValueError(
            f"{name} must have {_count(len(axes), 'axis', 'axes')} "
            f"({', '.join(axes)}), "
            f"got {value.ndim}: shape {value.shape}")
    if value.size == 0:
        raise ValueError(_empty(value, name, axes))
    return np.ascontiguousarray(value)


def _empty(value: np.ndarray, name: str, axes: tuple[str, ...]) -> str:
    if axes and axes[0] == "N" and value.shape[0] == 0:
        return (f"the batch is empty: {name} has shape {value.shape}, "
                "and a layer needs at least one example")
    return f"{name} is empty: shape {value.shape}"


def images(x: object) -> np.ndarray:
    """A batch of volumes (N, H, W, C)."""
    return array(x, "x", "N", "H", "W", "C")


def filters(w: object, x: np.ndarray) -> np.ndarray:
    """Filters (K, Fh, Fw, C) as deep as the images."""
    w = array(w, "w", "K", "Fh", "Fw", "C", like=x)
    if w.shape[3] != x.shape[3]:
        deeper = "deeper" if w.shape[3] > x.shape[3] else "shallower"
        raise ValueError(
            f"the filter is {times(w.shape[1:])} but the image has "
            f"{_count(x.shape[3], 'channel')}, so the filter is {deeper} than "
            "the image: a filter always extends the full depth")
    return w


def weights(w: object, x: np.ndarray) -> np.ndarray:
    """Fully connected weights (K, D), one row a unit, as long as x's rows."""
    w = array(w, "w", "K", "D", like=x)
    if w.shape[1] != x.shape[1]:
        raise ValueError(
            f"each unit has {w.shape[1]} weights but each input has "
            f"{_count(x.shape[1], 'number')}: w is (K, D) where x is (N, D), "
            f"got w {w.shape} and x {x.shape}")
    return w


def bias(b: object, units: int, x: np.ndarray, of: str) -> np.ndarray:
    """One bias (K,) for each filter or unit."""
    b = array(b, "b", "K", like=x)
    if b.size != units:
        raise ValueError(
            f"b holds {_count(b.size, 'bias', 'biases')} for {units} {of}: "
            "each has one")
    return b


def gradient(dy: object, shape: tuple[int, ...], like: np.ndarray | None = None
             ) -> np.ndarray:
    """The gradient of the loss by a layer's output, of the output's shape."""
    dy = array(dy, "dy", like=like)
    if dy.shape != tuple(shape):
        raise ValueError(
            f"dy has shape {dy.shape} but the layer's output has shape "
            f"{tuple(shape)}: the gradient has one number for each output")
    return dy


def positions(x_shape: tuple[int, ...], f_h: int, f_w: int, stride: int, pad: int
              ) -> tuple[int, int]:
    """(H', W'), where a filter or window fits; SizeError where it does not."""
    return (output_size(x_shape[1], f_h, stride, pad),
            output_size(x_shape[2], f_w, stride, pad))


def volume_shape(x_shape: object) -> tuple[int, int, int, int]:
    """The shape (N, H, W, C) of a layer's input, handed to a backward pass."""
    shape = tuple(x_shape)
    whole = all(hasattr(n, "__index__") and n > 0 for n in shape)
    if len(shape) != 4 or not whole:
        raise ValueError(
            f"x_shape must be (N, H, W, C), four positive whole numbers, got {shape}")
    return shape


def argmax_of(argmax: object, x_shape: tuple[int, int, int, int]) -> None:
    """What maxpool_forward returned for an input of shape x_shape."""
    n, h, w, c = x_shape
    if not isinstance(argmax, np.ndarray) or argmax.dtype != np.int64:
        kind = getattr(argmax, "dtype", type(argmax).__name__)
        raise TypeError(
            f"argmax must be the int64 array that maxpool_forward returned, got {kind}")
    fits = argmax.ndim == 4 and (argmax.shape[0], argmax.shape[3]) == (n, c)
    if not fits or argmax.size == 0:
        raise ValueError(
            f"argmax has shape {argmax.shape}, which no input of shape "
            f"{x_shape} has: it is (N, H', W', C)")
    if argmax.min() < 0 or argmax.max() >= h * w:
        raise ValueError(
            f"argmax points outside an image of {h}x{w} pixels: it runs from "
            f"{argmax.min()} to {argmax.max()}; was x_shape that of this input?")


def class_labels(labels: object, scores: np.ndarray) -> np.ndarray:
    """One whole number 0 <= label < K for each row of scores (N, K)."""
    n, k = scores.shape
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise TypeError(
            f"labels must be an array of whole numbers, got {kind}: "
            "convert with np.asarray(labels, dtype=np.int64)")
    if labels.shape != (n,):
        raise ValueError(
            f"labels has shape {labels.shape} but scores has {n} rows: "
            f"labels must have shape ({n},), one class for each")
    if labels.min() < 0 or labels.max() >= k:
        wrong = labels[(labels < 0) | (labels >= k)][0]
        raise ValueError(
            f"label {wrong} is out of range: scores has {k} columns, "
            f"so labels run from 0 to {k - 1}")
    return labels


def _count(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"
