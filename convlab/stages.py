"""One layer in its place in a network: which functions it calls, with what.

Each stage does forward(x) -> (y, memory) and backward(dy, memory) -> (dx,
gradients by its own weights), and checks the shapes of what the layer functions
return: they may be a student's. `learn` is the forward pass while the network
learns, which differs for the layers that behave otherwise then, and
`weight_gradients` is the backward pass of a stage whose dx nobody asks for.

    batchnorm_forward(x, gamma, beta, eps)             -> y, mean, inverse_std
    batchnorm_backward(dy, x, gamma, mean, inverse_std) -> dx, dgamma, dbeta
    batchnorm_predict(x, gamma, beta, mean, variance, eps) -> y
    dropout_forward(x, rate, rng)                      -> y, kept
    dropout_backward(dy, kept, rate)                   -> dx

`joined` puts neighbours together where the layer functions can do both in one
go, because each go through a batch takes time:

    conv2d_relu_forward(x, w, b, stride, pad)          -> y
    batchnorm_relu_forward(x, gamma, beta, eps)        -> y, mean, inverse_std
    batchnorm_relu_backward(dy, x, gamma, beta, mean, inverse_std)
                                                       -> dx, dgamma, dbeta
    batchnorm_relu_predict(x, gamma, beta, mean, variance, eps) -> y
    conv2d_weight_gradients(dy, x, w, stride, pad)     -> dw, db (and no dx)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convlab.arithmetic import (
    Conv,
    Dense,
    Dropout,
    Norm,
    Pool,
    Relu,
    Row,
    Shape,
    numbers_in,
    pair,
)

NORM_EPS = 1e-5  # is added to each variance

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

    def have(self, name: str, *instead_of: str) -> bool:
        """Whether there is a function `name` that can stand for these others.

        It has to come from where they do: where a student's own convolution is
        among the reference layers, no reference function may take its place.
        """
        try:
            return len({_home(self[one]) for one in (name, *instead_of)}) == 1
        except LayerError:
            return False

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


def _home(function: Callable) -> str | None:
    """The package or folder of modules that a function was written in."""
    module = getattr(function, "__module__", None)
    return module and module.rpartition(".")[0]


@dataclass
class State:
    """What a network keeps besides its parameters, from one batch to the next.

    running   by name, as "norm1.mean" and "norm1.variance": averages over the
              batches, of which each new batch makes the part `momentum`
    rng       draws what dropout leaves out
    """

    rng: np.random.Generator
    momentum: float = 0.1
    running: dict[str, np.ndarray] = field(default_factory=dict)


class Stage:
    """What all stages share. `parameters` are the network's, by name."""

    word = ""  # layers of a kind are counted: conv1, conv2

    def __init__(self, name: str, row: Row, functions: LayerFunctions,
                 parameters: Mapping[str, np.ndarray], state: State):
        self.name, self.row, self.layer = name, row, row.layer
        self.functions, self.parameters, self.state = functions, parameters, state

    def learn(self, x: np.ndarray) -> Forward:
        """The forward pass while the network learns."""
        return self.forward(x)

    def weight_gradients(self, dy: np.ndarray, memory: Any) -> Gradients:
        """As backward, for a stage below which nothing learns."""
        return self.backward(dy, memory)[1]

    def first_averages(self) -> dict[str, np.ndarray]:
        """What State.running holds of this stage at first."""
        return {}

    @property
    def needs(self) -> tuple[str, ...]:
        """The layer functions without which there is no forward pass."""
        return (self.forward_function,)

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

    def weight_gradients(self, dy: np.ndarray, x: np.ndarray) -> Gradients:
        if not self.functions.have("conv2d_weight_gradients", "conv2d_backward"):
            return ConvStage.backward(self, dy, x)[1]
        w, b = self.weights
        dw, db = self.call("conv2d_weight_gradients", {"dw": w.shape, "db": b.shape},
                           dy, x, w, **self._places)
        return {"w": dw, "b": db}

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


class NormStage(Stage):
    """Batch normalisation: by the batch while learning, else by what was kept."""

    word = "norm"
    forward_function, predict_function = "batchnorm_forward", "batchnorm_predict"

    @property
    def needs(self) -> tuple[str, ...]:
        return self.forward_function, self.predict_function

    def weight_shapes(self) -> dict[str, Shape]:
        return {"gamma": self._channels, "beta": self._channels}

    def first_averages(self) -> dict[str, np.ndarray]:
        return {"mean": np.zeros(self._channels), "variance": np.ones(self._channels)}

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        return self.parameters[f"{self.name}.gamma"], self.parameters[
            f"{self.name}.beta"]

    @property
    def running(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (C,), at test time."""
        running = self.state.running
        return running[f"{self.name}.mean"], running[f"{self.name}.variance"]

    def forward(self, x: np.ndarray) -> Forward:
        (y,) = self.call(self.predict_function, {"y": x.shape}, x, *self.weights,
                         *self.running, eps=NORM_EPS)
        return y, (x, None, None)

    def learn(self, x: np.ndarray) -> Forward:
        returns = {"y": x.shape, "mean": self._channels, "inverse_std": self._channels}
        y, mean, inverse_std = self.call(
            self.forward_function, returns, x, *self.weights, eps=NORM_EPS)
        self._keep(mean, inverse_std, x.size // x.shape[-1])
        return y, (x, mean, inverse_std)

    def _keep(self, mean: np.ndarray, inverse_std: np.ndarray, count: int) -> None:
        """Let the running statistics follow those of a batch.

        The variance that is kept divides by count - 1, as in the paper: on
        average, it is that of all images.
        """
        variance = np.maximum(1 / np.square(inverse_std, dtype=np.float64) - NORM_EPS,
                              0) * (count / (count - 1))
        for running, batch in zip(self.running, (mean, variance), strict=True):
            running += self.state.momentum * (batch - running)

    def backward(self, dy: np.ndarray, memory: tuple) -> Backward:
        x, mean, inverse_std = memory
        if mean is None:
            return self._backward_at_test_time(dy, x)
        dx, dgamma, dbeta = self.call("batchnorm_backward", self._gradients_of(x),
                                      dy, x, self.weights[0], mean, inverse_std)
        return dx, {"gamma": dgamma, "beta": dbeta}

    def _backward_at_test_time(self, dy: np.ndarray, x: np.ndarray) -> Backward:
        """The statistics do not depend on the batch: a scale and a shift."""
        (gamma, _), (mean, variance) = self.weights, self.running
        inverse_std = 1 / np.sqrt(variance + x.dtype.type(NORM_EPS))
        axes = tuple(range(x.ndim - 1))
        return dy * (gamma * inverse_std), {
            "gamma": (dy * (x - mean) * inverse_std).sum(axes), "beta": dy.sum(axes)}

    def _gradients_of(self, x: np.ndarray) -> dict[str, Shape]:
        return {"dx": x.shape, "dgamma": self._channels, "dbeta": self._channels}

    @property
    def _channels(self) -> Shape:
        return self.row.input_shape[-1:]

    def settings(self) -> str:
        return ""


class DropoutStage(Unweighted):
    """Leaves numbers out while the network learns; at test time, does nothing."""

    word, forward_function = "dropout", "dropout_forward"

    def forward(self, x: np.ndarray) -> Forward:
        return x, None

    def learn(self, x: np.ndarray) -> Forward:
        return self.call("dropout_forward", {"y": x.shape, "kept": x.shape},
                         x, self._rate, self.state.rng)

    def backward(self, dy: np.ndarray, kept: np.ndarray | None) -> Backward:
        if kept is None:
            return dy, {}
        (dx,) = self.call("dropout_backward", {"dx": dy.shape}, dy, kept, self._rate)
        return dx, {}

    @property
    def _rate(self) -> float:
        return self.layer.percent / 100

    def settings(self) -> str:
        return f"{self.layer.percent}%"


class ConvReluStage(ConvStage):
    """A convolution and the ReLU after it."""

    def forward(self, x: np.ndarray) -> Forward:
        (y,) = self.call("conv2d_relu_forward", {"y": self.batch(len(x))},
                         x, *self.weights, **self._places)
        return y, (x, y)

    def backward(self, dy: np.ndarray, memory: tuple) -> Backward:
        return super().backward(*self._through_relu(dy, *memory))

    def weight_gradients(self, dy: np.ndarray, memory: tuple) -> Gradients:
        return super().weight_gradients(*self._through_relu(dy, *memory))

    def _through_relu(self, dy: np.ndarray, x: np.ndarray, y: np.ndarray
                      ) -> tuple[np.ndarray, np.ndarray]:
        """The ReLU's output is positive where its input was."""
        (dz,) = self.call("relu_backward", {"dx": y.shape}, dy, y)
        return dz, x


class NormReluStage(NormStage):
    """Batch normalisation and the ReLU after it."""

    forward_function = "batchnorm_relu_forward"
    predict_function = "batchnorm_relu_predict"

    def backward(self, dy: np.ndarray, memory: tuple) -> Backward:
        x, mean, inverse_std = memory
        dx, dgamma, dbeta = self.call(
            "batchnorm_relu_backward", self._gradients_of(x),
            dy, x, *self.weights, mean, inverse_std)
        return dx, {"gamma": dgamma, "beta": dbeta}


_KINDS = {Conv: ConvStage, Pool: PoolStage, Relu: ReluStage, Norm: NormStage,
          Dropout: DropoutStage, Dense: DenseStage}
_RELU = ("relu_forward", "relu_backward")
# What takes the place of a stage and the ReLU after it, and which functions have
# to be there for that, each with those that it stands for.
_WITH_RELU = {
    ConvStage: (ConvReluStage, {"conv2d_relu_forward": ("conv2d_forward", *_RELU)}),
    NormStage: (NormReluStage, {
        f"batchnorm_relu_{way}": (f"batchnorm_{way}", *_RELU)
        for way in ("forward", "backward", "predict")}),
}


def stages(rows: list[Row], functions: LayerFunctions,
           parameters: Mapping[str, np.ndarray], state: State) -> list[Stage]:
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
        stage = kind(name, row, functions, parameters, state)
        for needed in stage.needs:
            _ = functions[needed]
        result.append(stage)
    return result


def joined(separate: Sequence[Stage]) -> list[Stage]:
    """The same stages, each with the ReLU after it where one function does both."""
    result: list[Stage] = []
    for stage in separate:
        before = result[-1] if result else None
        both, needed = _WITH_RELU.get(type(before), (None, {}))
        if isinstance(stage, ReluStage) and both and all(
                before.functions.have(name, *parts) for name, parts in needed.items()):
            result[-1] = both(before.name, before.row, before.functions,
                              before.parameters, before.state)
        else:
            result.append(stage)
    return result
