"""Glyphnet, our own default network: small enough for a laptop's processor, accurate enough to be used.

Time goes where it helps: the stem halves the image at once, since strokes are two or three pixels wide; most of the
work is done on maps of a quarter of the image's side. Global max pooling asks of each feature whether it occurs, not
where, and lets one network take images of any size.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from glyphlab.networks.layers import activation_module


def glyphnet(
    image_shape: tuple[int, int, int], classes: int, *, width: int, depth: int, dropout: float, activation: str
) -> nn.Sequential:
    """A 5x5 stem with stride 2 and `width` maps, a 3x3 convolution with twice and `depth` with four times as many.

    No convolution has a bias (the batch norm behind it has one). The second is pooled before its batch norm and
    activation, which then have a quarter of the work; for a rising activation the result is the same up to the sign
    of the norm's scale.
    """
    widths = [width, 2 * width, *[4 * width] * depth]
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps = image_shape[0]
    for number, conv_width in enumerate(widths, start=1):
        if number == 1:
            layers["conv1"] = nn.Conv2d(maps, conv_width, kernel_size=5, stride=2, padding=2, bias=False)
        else:
            layers[f"conv{number}"] = nn.Conv2d(maps, conv_width, kernel_size=3, padding=1, bias=False)
        if number == 2:
            layers["pool2"] = nn.MaxPool2d(2)
        layers[f"norm{number}"] = nn.BatchNorm2d(conv_width)
        layers[f"act{number}"] = activation_module(activation)
        maps = conv_width
    layers[f"pool{len(widths)}"] = nn.AdaptiveMaxPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(dropout)
    layers["output"] = nn.Linear(maps, classes, bias=False)
    return nn.Sequential(layers)
