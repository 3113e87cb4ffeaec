"""The few parts that all our networks are put together from."""

from __future__ import annotations

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
    """The mean of each feature map: AdaptiveAvgPool2d(1), computed so that training stays quick.

    The gradient of torch's own comes back in another memory order than the maps had, and the batch norm before it then
    takes several times as long (measured with channels_last and bf16 on a CPU: 13 % of a training step).
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, 1, 1]."""
        return F.avg_pool2d(maps, maps.shape[-2:])


def activation_module(name: str) -> nn.Module:
    """The activation function called `name` (one of `options.ACTIVATIONS`), with torch's own parameters."""
    return ACTIVATION_MODULES[name]()


def flat_features(maps: int, height: int, width: int, poolings: int) -> int:
    """Length of the vector that `maps` feature maps make after `poolings` halvings, each rounded down."""
    return maps * (height >> poolings) * (width >> poolings)
