from __future__ import annotations

import torch
from torch import nn

from glyphlab.networks import registry


def test_width_and_depth_shape_the_stages() -> None:
    network = registry.create("glyphnet", (1, 28, 28), 10, width=8, depth=3)
    widths = [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [8, 16, 32, 32, 32]


def test_one_network_takes_images_of_any_size() -> None:
    network = registry.create("glyphnet", (1, 28, 28), 10, width=8).eval()
    for side in (16, 28, 64):
        assert network(torch.zeros(2, 1, side, side)).shape == (2, 10)
