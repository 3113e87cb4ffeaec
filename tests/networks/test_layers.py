from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from glyphlab.networks.layers import ACTIVATION_MODULES, GlobalAvgPool2d, activation_module, flat_features
from glyphlab.networks.options import ACTIVATIONS

FUNCTIONS = {
    "relu": functional.relu,
    "leaky-relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def test_every_activation_that_recipes_may_name_exists() -> None:
    assert tuple(ACTIVATION_MODULES) == ACTIVATIONS


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_compute_what_their_name_says(name: str) -> None:
    numbers = torch.linspace(-3, 3, 31)
    torch.testing.assert_close(activation_module(name)(numbers), FUNCTIONS[name](numbers))


@pytest.mark.parametrize(("height", "width", "poolings"), [(28, 28, 2), (28, 28, 3), (31, 17, 4), (5, 9, 0)])
def test_flat_features_counts_what_pooling_leaves(height: int, width: int, poolings: int) -> None:
    maps = torch.zeros(1, 6, height, width)
    for _ in range(poolings):
        maps = functional.max_pool2d(maps, 2)
    assert flat_features(6, height, width, poolings) == maps.numel()


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_the_global_average_is_torchs_own_in_value_and_gradient(order: torch.memory_format) -> None:
    maps = torch.randn(3, 4, 7, 5, dtype=torch.float64).contiguous(memory_format=order)
    ours, theirs = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    torch.testing.assert_close(GlobalAvgPool2d()(ours), nn.AdaptiveAvgPool2d(1)(theirs))
    weights = torch.randn(3, 4, 1, 1, dtype=torch.float64)
    (mine,) = torch.autograd.grad((GlobalAvgPool2d()(ours) * weights).sum(), ours)
    (expected,) = torch.autograd.grad((nn.AdaptiveAvgPool2d(1)(theirs) * weights).sum(), theirs)
    torch.testing.assert_close(mine, expected)
    assert mine.is_contiguous(memory_format=order)
    torch.testing.assert_close(GlobalAvgPool2d().eval()(maps), GlobalAvgPool2d()(maps), rtol=0, atol=0)
