"""One layer in its place in a network: which functions it calls, with what.

Each stage does forward(x) -> (y, memory) and backward(dy, memory) -> (dx,
gradients by its own weights), and checks the shapes of what the layer functions
return: they may be a student's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convlab.arithmetic import Conv, Dense, Pool, Relu, Row, Shape, numbers_in, pair

Gradients = dict[str, np.ndarray]
Forward = tuple[np.ndarray, Any]  # y, and what backward needs
Backward = tuple[np.ndarray, Gradients]


class LayerError(RuntimeError):
    """A layer function that is missing, or returned what it should not."""


class LayerFunctions:
    """The layer functions of a module, class or dict, called with checks."""

    def __init__(self, source: Any):
        self.source = source

    def __getitem__(self, name: str) -> Callable:
        if isinstance(self.source, Mapping):
            function = self.source.get(name)
        else:
            function = getattr(self.source, name, None)
        if not callable(function):
            raise LayerError(
                f"the network needs a function {name}, which is not among the layer "
                "functions that it was given")
        return function

    def call(self, name: str, where: str, returns: Mapping[str, Shape | None],
             *args: Any, **settings: Any) -> tuple:
        """What the function returns, always as a tuple.

        `returns` names the values and their shapes; None is not checked.
        """
        result = self[name](*args, **settings)
        values = result if isinstance(result, tuple) else (result,)
        if len(values) != len(returns):
            raise LayerError(
                f"{name} returned {_count(len(values))}, expected "
                f"{_count(len(returns))}: {', '.join(returns)} (in {where})")
        for value, (what, shape) in zip(values, returns.items(), strict=True):
            found = getattr(value, "shape", None)
            if shape is not None and found != tuple(shape):
                got = type(value).__name__ if found is None else f"shape {found}"
                raise LayerError(
                    f"{name} returned {what} of {got}, expected shape "
                    f"{tuple(shape)} (in {where})")
        return values


def _count(n: int) -> str:
    return f"{n} value" + "s" * (n != 1)


class Stage:
    """What all stages share. `parameters` are the network's, by name."""

    word = ""  # layers of a kind are counted: conv1, conv2

    def __init__(self, name: str, row: Row, functions: LayerFunctions,
                 parameters: Mapping[str, np.ndarray]):
        self.name, self.row, self.layer = name, row, row.layer
        self.functions, self.parameters = functions, parameters

    def call(self, function: str, returns: Mapping[str, Shape | None],
             *args: Any, **settings: Any) -> tuple:
        where = f"{self.name}: {self.layer}"
        return self.functions.call(function, where, returns, *args, **settings)

    def batch(self, n: int) -> Shape:
        """The shape of this stage's output for n images."""
        return (n, *self.row.output_shape)


class Unweighted(Stage):
    """A stage with nothing to learn."""

    def weight_shapes(self) -> dict[str, Shape]:
        return {}


class Weighted(Stage):
    """A stage with weights w and biases b."""

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        return self.parameters[f"{self.name}.w"], self.parameters[f"{self.name}.b"]

    def gradients_of(self, x: np.ndarray) -> dict[str, Shape]:
        w, b = self.weights
        return {"dx": x.shape, "dw": w.shape, "db": b.shape}


class ConvStage(Weighted):
    word, forward_function = "conv", "conv2d_forward"

    def weight_shapes(self) -> dict[str, Shape]:
        channels = self.row.input_shape[2]
        rows, columns = pair(self.layer.size, "the filter size")
        return {"w": (self.layer.filters, rows, columns, channels),
                "b": (self.layer.filters,)}

    def forward(self, x: np.ndarray) -> Forward:
        (y,) = self.call("conv2d_forward", {"y": self.batch(len(x))},
                         x, *self.weights, **self._places)
        return y, x

    def backward(self, dy: np.ndarray, x: np.ndarray) -> Backward:
        dx, dw, db = self.call("conv2d_backward", self.gradients_of(x),
                               dy, x, self.weights[0], **self._places)
        return dx, {"w": dw, "b": db}

    @property
    def _places(self) -> dict[str, int]:
        return {"stride": self.layer.stride, "pad": self.layer.pad}

    def settings(self) -> str:
        layer = self.layer
        return (f"{layer.filters} of {layer.size}x{layer.size}, "
                f"stride {layer.stride}, pad {layer.pad}")


class PoolStage(Unweighted):
    """Max or average pooling."""

    word = "pool"

    @property
    def forward_function(self) -> str:
        return "maxpool_forward" if self._is_max else "avgpool_forward"

    def forward(self, x: np.ndarray) -> Forward:
        returns = {"y": self.batch(len(x))} | ({"argmax": None} if self._is_max else {})
        y, *argmax = self.call(self.forward_function, returns, x, **self._windows)
        return y, (x.shape, *argmax)

    def backward(self, dy: np.ndarray, memory: tuple) -> Backward:
        x_shape, *argmax = memory
        returns = {"dx": x_shape}
        if self._is_max:
            (dx,) = self.call("maxpool_backward", returns, dy, *argmax, x_shape)
        else:
            (dx,) = self.call("avgpool_backward", returns, dy, x_shape,
                              **self._windows)
        return dx, {}

    @property
    def _is_max(self) -> bool:
        return self.layer.kind == "max"

    @property
    def _windows(self) -> dict[str, int]:
        return {"size": self.layer.size, "stride": self.layer.stride}

    def settings(self) -> str:
        layer = self.layer
        return f"{layer.kind} of {layer.size}x{layer.size}, stride {layer.stride}"


class ReluStage(Unweighted):
    word, forward_function = "relu", "relu_forward"

    def forward(self, x: np.ndarray) -> Forward:
        (y,) = self.call("relu_forward", {"y": x.shape}, x)
        return y, x

    def backward(self, dy: np.ndarray, x: np.ndarray) -> Backward:
        (dx,) = self.call("relu_backward", {"dx": x.shape}, dy, x)
        return dx, {}

    def settings(self) -> str:
        return ""


class DenseStage(Weighted):
    """A fully connected layer; a volume is stretched to a vector first."""

    word, forward_function = "fc", "dense_forward"

    def weight_shapes(self) -> dict[str, Shape]:
        units = self.layer.units
        return {"w": (units, numbers_in(self.row.input_shape)), "b": (units,)}

    def forward(self, x: np.ndarray) -> Forward:
        flat = x.reshape(len(x), -1)
        (y,) = self.call("dense_forward", {"y": self.batch(len(x))},
                         flat, *self.weights)
        return y, (flat, x.shape)

    def backward(self, dy: np.ndarray, memory: tuple) -> Backward:
        flat, x_shape = memory
        dx, dw, db = self.call("dense_backward", self.gradients_of(flat),
                               dy, flat, self.weights[0])
        return dx.reshape(x_shape), {"w": dw, "b": db}

    def settings(self) -> str:
        return f"{self.layer.units} units"


_KINDS = {Conv: ConvStage, Pool: PoolStage, Relu: ReluStage, Dense: DenseStage}


def stages(rows: list[Row], functions: LayerFunctions,
           parameters: Mapping[str, np.ndarray]) -> list[Stage]:
    """A stage a row, named conv1, relu1, ...; the last one is named "scores".

    Raises LayerError where a forward function is missing: said now, rather than
    in the middle of a training.
    """
    counts: dict[str, int] = {}
    result = []
    for row in rows:
        kind = _KINDS[type(row.layer)]
        counts[kind.word] = counts.get(kind.word, 0) + 1
        name = "scores" if row is rows[-1] else f"{kind.word}{counts[kind.word]}"
        stage = kind(name, row, functions, parameters)
        _ = functions[stage.forward_function]
        result.append(stage)
    return result
