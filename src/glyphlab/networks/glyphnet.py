"""Glyphnet, our own default network: small enough for a laptop's processor, accurate enough to be used.

Most of the work is done on small maps: a narrow stem at full size, then two stages at a half and a quarter of
it. Global max pooling asks of each feature whether it occurs, not where, and lets one network take images of
any size.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from glyphlab.networks.layers import activation_module


def glyphnet(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    width: int,
    depth: int,
    dropout: float,
    activation: str,
) -> nn.Sequential:
    """A stem of `width` maps and two stages of `depth` convolutions with 2 and 4 times `width` maps.

    Every convolution is 3x3, keeps the size, has no bias (the batch norm behind it has one) and is followed
    by batch norm and activation.
    """
    stages = [[width], [2 * width] * depth, [4 * width] * depth]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps, conv = image_shape[0], 0
    for stage, stage_widths in enumerate(stages, start=1):
        for stage_width in stage_widths:
            conv += 1
            layers[f"conv{conv}"] = nn.Conv2d(maps, stage_width, kernel_size=3, padding=1, bias=False)
            layers[f"norm{conv}"] = nn.BatchNorm2d(stage_width)
            layers[f"act{conv}"] = activation_module(activation)
            maps = stage_width
        layers[f"pool{stage}"] = nn.MaxPool2d(2) if stage < len(stages) else nn.AdaptiveMaxPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(dropout)
    layers["output"] = nn.Linear(maps, classes, bias=False)
    return nn.Sequential(layers)
