"""The few parts that all our networks are put together from."""

from __future__ import annotations

from torch import nn

ACTIVATION_MODULES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def activation_module(name: str) -> nn.Module:
    """The activation function called `name` (one of `options.ACTIVATIONS`), with torch's own parameters."""
    return ACTIVATION_MODULES[name]()


def flat_features(maps: int, height: int, width: int, poolings: int) -> int:
    """Length of the vector that `maps` feature maps make after `poolings` halvings, each rounded down."""
    return maps * (height >> poolings) * (width >> poolings)
