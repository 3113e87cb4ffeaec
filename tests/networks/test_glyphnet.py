from __future__ import annotations

import pytest
import torch
from torch import nn

from glyphlab.networks import registry


def test_width_and_depth_shape_the_stages() -> None:
    network = registry.create("glyphnet", (1, 28, 28), 10, width=8, depth=3)
    widths = [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [8, 16, 32, 32, 32]


def test_the_fine_one_works_at_full_size_first_and_pools_thrice() -> None:
    network = registry.create("glyphnet-fine", (1, 28, 28), 10, width=8, depth=2)
    sides, widths = [], []

    def note(layer: nn.Module, _: object, maps: torch.Tensor) -> None:
        sides.append(maps.shape[-1])
        widths.append(maps.shape[1])

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(note)
    network(torch.zeros(2, 1, 28, 28))
    assert sides == [28, 28, 14, 7, 7, 3]
    assert widths == [8, 8, 16, 16, 32, 32]


@pytest.mark.parametrize("name", ["glyphnet", "glyphnet-fine"])
def test_one_network_takes_images_of_any_size(name: str) -> None:
    network = registry.create(name, (1, 28, 28), 10, width=8).eval()
    for side in (16, 28, 64):
        assert network(torch.zeros(2, 1, side, side)).shape == (2, 10)
