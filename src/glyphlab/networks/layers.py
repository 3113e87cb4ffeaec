"""The few parts that all our networks are put together from."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATION_MODULES: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class GlobalAvgPool2d(nn.AdaptiveAvgPool2d):
    """The mean of each feature map: AdaptiveAvgPool2d(1), computed so that training stays quick."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 1, 1]."""
        return _Means.apply(maps)  # type: ignore[no-untyped-call, no-any-return]


class _Means(torch.autograd.Function):
    """The mean of each feature map, with a gradient in the memory order that the maps have.

    The gradient of torch's adaptive pooling has another order, which makes the batch norm before it several times as
    slow, and that of avg_pool2d is slow by itself (with channels_last and bf16 on a CPU 13 and 4 % of a training step
    of advancednet).
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 1, 1]."""
        ctx.save_for_backward(maps)
        return F.avg_pool2d(maps, maps.shape[-2:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """[B, C, 1, 1] -> [B, C, H, W]."""
        (maps,) = ctx.saved_tensors
        return torch.empty_like(maps).copy_(gradient / maps[0, 0].numel())


def activation_module(name: str) -> nn.Module:
    """The activation function called `name` (one of `options.ACTIVATIONS`), with torch's own parameters."""
    return ACTIVATION_MODULES[name]()


def flat_features(maps: int, height: int, width: int, poolings: int) -> int:
    """Length of the vector that `maps` feature maps make after `poolings` halvings, each rounded down."""
    return maps * (height >> poolings) * (width >> poolings)
