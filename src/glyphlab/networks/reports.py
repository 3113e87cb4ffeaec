"""The networks of five student reports on handwritten characters (2022 to 2024), as published.

Each function takes the image shape (channels, height, width), the number of classes and all options by name,
and returns a `torch.nn.Sequential` whose layers are named in order of execution; names do not depend on the
options, so ``act1`` is the first activation function whichever it is. All end in the layer ``output`` and
give logits [B, classes]; where a report ends in log-softmax, that is part of our loss (cross-entropy)
instead. `registry` has the defaults and has checked everything that arrives here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from glyphlab.networks.layers import GlobalAvgPool2d, activation_module, flat_features


def mnist_net(
    image_shape: tuple[int, int, int], classes: int, *, dropout: float, hidden: int, activation: str
) -> nn.Sequential:
    """Two unpadded 5x5 convolutions and two linear layers. 21,840 parameters on 1x28x28 with 10 classes."""
    channels, height, width = image_shape
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 10, kernel_size=5),
            pool1=nn.MaxPool2d(2),
            act1=activation_module(activation),
            conv2=nn.Conv2d(10, 20, kernel_size=5),
            dropout=nn.Dropout2d(dropout),
            pool2=nn.MaxPool2d(2),
            act2=activation_module(activation),
            flatten=nn.Flatten(),
            hidden=nn.Linear(20 * rows * columns, hidden),
            act3=activation_module(activation),
            output=nn.Linear(hidden, classes),
        )
    )


def advancednet(
    image_shape: tuple[int, int, int], classes: int, *, widths: Sequence[int], dropout: float, activation: str
) -> nn.Sequential:
    """3x3 convolutions with activation, batch norm (in this order) and pooling; the last pools everything."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps = image_shape[0]
    for i, width in enumerate(widths, start=1):
        layers[f"conv{i}"] = nn.Conv2d(maps, width, kernel_size=3, padding=1)
        layers[f"act{i}"] = activation_module(activation)
        layers[f"norm{i}"] = nn.BatchNorm2d(width)
        layers[f"pool{i}"] = nn.MaxPool2d(2) if i < len(widths) else GlobalAvgPool2d()
        maps = width
    layers["flatten"] = nn.Flatten()
    layers["dropout"] = nn.Dropout(dropout)
    layers["output"] = nn.Linear(maps, classes)
    return nn.Sequential(layers)


def balanced_arch1(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    widths: Sequence[int],
    hidden: int,
    dropout: float,
    activation: str,
) -> nn.Sequential:
    """3x3 convolutions, each with activation and pooling, then one hidden linear layer."""
    layers = _convolutions(image_shape[0], widths, [3] * len(widths), activation, batch_norm=False)
    _append_head(layers, image_shape, widths, hidden, dropout, activation, classes)
    return nn.Sequential(layers)


def balanced_arch2(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    widths: Sequence[int],
    hidden: int,
    dropout: float,
    activation: str,
) -> nn.Sequential:
    """A 3x3 and then 5x5 convolutions with batch norm, activation and pooling, then a hidden linear layer.

    With widths 8 and 32, 600 hidden units and 47 classes on 1x28x28: 976,239 parameters.
    """
    kernels = [3] + [5] * (len(widths) - 1)
    layers = _convolutions(image_shape[0], widths, kernels, activation, batch_norm=True)
    _append_head(layers, image_shape, widths, hidden, dropout, activation, classes)
    return nn.Sequential(layers)


def mnist_3conv(
    image_shape: tuple[int, int, int], classes: int, *, widths: Sequence[int], activation: str
) -> nn.Sequential:
    """3x3 convolutions, each with activation and pooling, then the output.

    The report gives neither the widths nor the padding. The default widths are those of `mnist_3conv_bn`, to
    compare the two; padding 1 keeps the border and leaves room for a fourth convolution.
    """
    layers = _convolutions(image_shape[0], widths, [3] * len(widths), activation, batch_norm=False)
    layers["flatten"] = nn.Flatten()
    layers["output"] = nn.Linear(_features(image_shape, widths), classes)
    return nn.Sequential(layers)


def mnist_3conv_bn(
    image_shape: tuple[int, int, int],
    classes: int,
    *,
    widths: Sequence[int],
    hidden: int,
    dropout: float,
    activation: str,
) -> nn.Sequential:
    """3x3 convolutions, each with batch norm, activation and pooling, then one hidden linear layer.

    The report names no activation between its two linear layers; we have one, for without it they would be
    one linear map.
    """
    layers = _convolutions(image_shape[0], widths, [3] * len(widths), activation, batch_norm=True)
    _append_head(layers, image_shape, widths, hidden, dropout, activation, classes)
    return nn.Sequential(layers)


def _convolutions(
    channels: int, widths: Sequence[int], kernels: Sequence[int], activation: str, *, batch_norm: bool
) -> OrderedDict[str, nn.Module]:
    """Blocks of convolution (padded to keep the size), batch norm if wanted, activation and pooling by 2."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    maps = channels
    for i, (width, kernel) in enumerate(zip(widths, kernels, strict=True), start=1):
        layers[f"conv{i}"] = nn.Conv2d(maps, width, kernel_size=kernel, padding=kernel // 2)
        if batch_norm:
            layers[f"norm{i}"] = nn.BatchNorm2d(width)
        layers[f"act{i}"] = activation_module(activation)
        layers[f"pool{i}"] = nn.MaxPool2d(2)
        maps = width
    return layers


def _append_head(
    layers: OrderedDict[str, nn.Module],
    image_shape: tuple[int, int, int],
    widths: Sequence[int],
    hidden: int,
    dropout: float,
    activation: str,
    classes: int,
) -> None:
    """One hidden linear layer with activation and dropout, and the output."""
    layers["flatten"] = nn.Flatten()
    layers["hidden"] = nn.Linear(_features(image_shape, widths), hidden)
    layers[f"act{len(widths) + 1}"] = activation_module(activation)
    layers["dropout"] = nn.Dropout(dropout)
    layers["output"] = nn.Linear(hidden, classes)


def _features(image_shape: tuple[int, int, int], widths: Sequence[int]) -> int:
    """Length of the flattened feature maps after as many poolings as there are convolutions."""
    _, height, width = image_shape
    return flat_features(widths[-1], height, width, poolings=len(widths))
