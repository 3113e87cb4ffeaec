"""The networks without convolutions: what a classifier achieves that knows nothing of neighbourhood.

Interface as in `reports`: image shape, classes and all options in, a `torch.nn.Sequential` with named layers
out.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from glyphlab.networks.layers import activation_module


def mlp(
    image_shape: tuple[int, int, int], classes: int, *, hidden: Sequence[int], dropout: float, activation: str
) -> nn.Sequential:
    """A multi-layer perceptron: hidden linear layers, each with activation and dropout, and the output."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    features = math.prod(image_shape)
    for i, units in enumerate(hidden, start=1):
        layers[f"hidden{i}"] = nn.Linear(features, units)
        layers[f"act{i}"] = activation_module(activation)
        layers[f"dropout{i}"] = nn.Dropout(dropout)
        features = units
    layers["output"] = nn.Linear(features, classes)
    return nn.Sequential(layers)


def linear(image_shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """Multinomial logistic regression on the pixels: one weight for each pixel and class."""
    return nn.Sequential(
        OrderedDict(flatten=nn.Flatten(), output=nn.Linear(math.prod(image_shape), classes)),
    )
