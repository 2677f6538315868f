"""The same network in PyTorch, with the same weights and the same training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks import pytorch
from benchmarks.pytorch import torch
from convlab.arithmetic import Row, numbers_in
from convlab.network import Network
from convlab.optimisers import ITERATIONS, NEWTON_SCHULZ
from convlab.training import Recipe

Weights = Mapping[str, np.ndarray]  # of one layer, by their short names: w, b
IMAGE_AXES = (1, -1, 1, 1)  # where one number a channel goes


class NoTwin(ValueError):
    """A layer that this module does not know in PyTorch."""


class Twin:
    """A PyTorch model made of a network's rows, to be called on images (N, C, H, W).

    `parameters` has the network's names: those of frozen layers are not in it.
    """

    def __init__(self, network: Network, layout: str):
        modules, self.parameters = [], {}
        for name, row, weights in zip(network.names, network.rows, _weights(network),
                                      strict=True):
            modules += _modules(row, weights)
            for key, parameter in zip(weights, modules[-1].parameters(), strict=True):
                parameter.requires_grad = name not in network.frozen
                if parameter.requires_grad:
                    self.parameters[f"{name}.{key}"] = parameter
        formats = {"contiguous": torch.contiguous_format,
                   "channels_last": torch.channels_last}
        self.model = torch.nn.Sequential(*modules).to(memory_format=formats[layout])
        self.mean, self.std = (torch.tensor(array).reshape(IMAGE_AXES)
                               for array in (network.mean, network.std))
        self.layout = layout

    def step(self, images: np.ndarray, labels: np.ndarray, recipe: Recipe, rate: float,
             rates: Mapping[str, float]) -> Callable[[], float]:
        """A training step as convlab.training takes it; returns the loss."""
        images = pytorch.laid_out(images, self.layout)
        labels = torch.tensor(labels)
        filters = {name: parameter for name, parameter in self.parameters.items()
                   if recipe.filter_rate and parameter.ndim == 4}
        optimiser = torch.optim.SGD(
            [{"params": [parameter], "lr": rate * rates.get(name, 1.0),
              "weight_decay": recipe.weight_decay if parameter.ndim > 1 else 0.0}
             for name, parameter in self.parameters.items() if name not in filters],
            momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)
        muon = _Muon({parameter: rate * rates[name]
                      for name, parameter in filters.items()}, recipe.filter_momentum)

        def step() -> float:
            self.model.zero_grad()
            scores = self.model((images.float() - self.mean) / self.std)
            loss = torch.nn.functional.cross_entropy(
                scores * recipe.score_scale, labels,
                label_smoothing=recipe.label_smoothing)
            loss.backward()
            optimiser.step()
            muon.step()
            return loss.item()

        return step


class _Muon:
    """convlab.optimisers.Muon of filters (K, C, Fh, Fw), each with its rate."""

    def __init__(self, rates: Mapping[Any, float], momentum: float):
        self.rates, self.momentum = rates, momentum
        self.velocities = {p: torch.zeros_like(p) for p in rates}

    def step(self) -> None:
        with torch.no_grad():
            for p, rate in self.rates.items():
                v = self.velocities[p].mul_(self.momentum).add_(p.grad)
                move = _orthogonalised((p.grad + self.momentum * v).flatten(1))
                p.mul_(len(p) ** 0.5 / p.norm())
                p.sub_(move.reshape(p.shape), alpha=rate)


def _orthogonalised(matrix: Any) -> Any:
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / wide.norm()
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x if wide is matrix else x.T


def _weights(network: Network) -> Iterator[Weights]:
    """What each layer has learned."""
    for name in network.names:
        yield {key.rpartition(".")[2]: array for key, array
               in network.parameters.items() if key.startswith(f"{name}.")}


def _modules(row: Row, weights: Weights) -> list[Any]:
    kind = type(row.layer).__name__
    if kind not in _BUILDERS:
        raise NoTwin(f"{kind} has no twin in PyTorch here: add it to benchmarks.twin")
    return _BUILDERS[kind](row, weights)


def _filled(module: Any, weight: np.ndarray, bias: np.ndarray) -> list[Any]:
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weight))
        module.bias.copy_(torch.tensor(bias))
    return [module]


def _conv(row: Row, weights: Weights) -> list[Any]:
    layer = row.layer
    module = torch.nn.Conv2d(row.input_shape[2], layer.filters, layer.size,
                             layer.stride, layer.pad)
    return _filled(module, weights["w"].transpose(0, 3, 1, 2), weights["b"])


def _pool(row: Row, weights: Weights) -> list[Any]:
    kinds = {"max": torch.nn.MaxPool2d, "average": torch.nn.AvgPool2d}
    return [kinds[row.layer.kind](row.layer.size, row.layer.stride)]


def _relu(row: Row, weights: Weights) -> list[Any]:
    return [torch.nn.ReLU(inplace=True)]


def _norm(row: Row, weights: Weights) -> list[Any]:
    kind = torch.nn.BatchNorm2d if len(row.input_shape) == 3 else torch.nn.BatchNorm1d
    return _filled(kind(row.input_shape[-1]), weights["gamma"], weights["beta"])


def _dense(row: Row, weights: Weights) -> list[Any]:
    """PyTorch stretches a volume channel by channel, we pixel by pixel."""
    module = torch.nn.Linear(numbers_in(row.input_shape), row.layer.units)
    w = weights["w"]
    if len(row.input_shape) == 1:
        return _filled(module, w, weights["b"])
    volumes = w.reshape(len(w), *row.input_shape).transpose(0, 3, 1, 2)
    return [torch.nn.Flatten(),
            *_filled(module, volumes.reshape(len(w), -1), weights["b"])]


_BUILDERS = {"Conv": _conv, "Pool": _pool, "Relu": _relu, "Norm": _norm,
             "Dense": _dense}
