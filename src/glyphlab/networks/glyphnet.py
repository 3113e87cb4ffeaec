"""Glyphnet, our own default network, and glyphnet-fine, which looks closer: made for a laptop's processor.

Time goes where it helps. Strokes are two or three pixels wide, so glyphnet's stem halves the image at once and most of
the work is done on maps of a quarter of the image's side. The weave and the seams of clothes are finer than that:
glyphnet-fine first works at full size, and makes up for it by pooling once more. Both end with global max pooling,
which asks of each feature whether it occurs, not where, and lets one network take images of any size.

No convolution has a bias (the batch norm behind it has one). Pooling comes before batch norm and activation, which then
have a quarter of the work; for a rising activation the result is the same up to the sign of the norm's scale.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from glyphlab.networks.layers import activation_module


def glyphnet(
    image_shape: tuple[int, int, int], classes: int, *, width: int, depth: int, dropout: float, activation: str
) -> nn.Sequential:
    """A 5x5 stem with stride 2 and `width` maps, a 3x3 convolution with twice and `depth` with four times as many."""
    stem = nn.Conv2d(image_shape[0], width, kernel_size=5, stride=2, padding=2, bias=False)
    return _network(stem, [2 * width, *[4 * width] * depth], {2}, classes, dropout, activation)


def glyphnet_fine(
    image_shape: tuple[int, int, int], classes: int, *, width: int, depth: int, dropout: float, activation: str
) -> nn.Sequential:
    """Two 3x3 convolutions of `width` maps, then `depth` with twice and `depth` with four times as many.

    The second convolution and the first of each further width are pooled.
    """
    stem = nn.Conv2d(image_shape[0], width, kernel_size=3, padding=1, bias=False)
    widths = [width, *[2 * width] * depth, *[4 * width] * depth]
    return _network(stem, widths, {2, 3, 3 + depth}, classes, dropout, activation)


def _network(
    stem: nn.Conv2d, widths: list[int], pooled: set[int], classes: int, dropout: float, activation: str
) -> nn.Sequential:
    """The stem, 3x3 convolutions of these widths, those whose numbers are `pooled` halved, and a linear output."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps = stem.out_channels
    for number, width in enumerate([maps, *widths], start=1):
        conv = stem if number == 1 else nn.Conv2d(maps, width, kernel_size=3, padding=1, bias=False)
        layers[f"conv{number}"] = conv
        if number in pooled:
            layers[f"pool{number}"] = nn.MaxPool2d(2)
        layers[f"norm{number}"] = nn.BatchNorm2d(width)
        layers[f"act{number}"] = activation_module(activation)
        maps = width
    layers["pool"] = nn.AdaptiveMaxPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(dropout)
    layers["output"] = nn.Linear(maps, classes, bias=False)
    return nn.Sequential(layers)
