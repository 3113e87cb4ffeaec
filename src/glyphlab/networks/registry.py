"""The networks by name: what there is, which options each takes, and how to make one.

Names, summaries and the checking of options need no torch: a network's own module is imported when it is
created. A new network is a function in a module of this room and an entry in `_NETWORKS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glyphlab.errors import ModelError, did_you_mean
from glyphlab.networks.options import (
    ACTIVATIONS,
    ChoiceOption,
    IntListOption,
    IntOption,
    OptionSpec,
    ShareOption,
)

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class _Network:
    """builder: ``"module:function"`` of this room, called with image shape, classes and all options by name.

    smallest_side: from all options to the height and width, in pixels, below which the poolings leave
    nothing.
    home: channels, height, width of the images and number of classes that it was made for.
    """

    summary: str
    builder: str
    options: dict[str, OptionSpec]
    smallest_side: Callable[[Mapping[str, Any]], int]
    home: tuple[tuple[int, int, int], int] = ((1, 28, 28), 10)


_IMAGENET = ((3, 224, 224), 1000)


def _widths(*default: int) -> IntListOption:
    return IntListOption(default, "feature maps of each convolution", shortest=1, longest=4, low=1, high=4096)


def _hidden(default: int) -> IntOption:
    return IntOption(default, "units of the hidden linear layer", low=1, high=16_384)


def _dropout(default: float, where: str) -> ShareOption:
    return ShareOption(default, f"dropout probability {where}")


_ACTIVATION = ChoiceOption("relu", "activation function", choices=ACTIVATIONS)

_NETWORKS: dict[str, _Network] = {
    "glyphnet": _Network(
        "our default: four convolutions with batch norm, global max pooling; small, fast and accurate",
        "glyphnet:glyphnet",
        {
            "width": IntOption(32, "feature maps of the stem; what follows has 2 and 4 times as many", low=1, high=512),
            "depth": IntOption(2, "convolutions behind the pooling", low=1, high=8),
            "dropout": _dropout(0.0, "before the output"),
            "activation": _ACTIVATION,
        },
        lambda options: 3,
    ),
    "glyphnet-fine": _Network(
        "six convolutions, the first two at full size; for pictures with fine detail, such as clothes",
        "glyphnet:glyphnet_fine",
        {
            "width": IntOption(
                32, "feature maps at full size; what follows has 2 and 4 times as many", low=1, high=512
            ),
            "depth": IntOption(2, "convolutions with 2 and with 4 times as many", low=1, high=8),
            "dropout": _dropout(0.0, "before the output"),
            "activation": _ACTIVATION,
        },
        lambda options: 8,
    ),
    "mnist-net": _Network(
        "two 5x5 convolutions and two linear layers, the classic small network for digits",
        "reports:mnist_net",
        {
            "dropout": _dropout(0.5, "of whole feature maps after the second convolution"),
            "hidden": _hidden(50),
            "activation": _ACTIVATION,
        },
        lambda options: 16,
    ),
    "advancednet": _Network(
        "three 3x3 convolutions with batch norm, global average pooling; made for letters",
        "reports:advancednet",
        {
            "widths": _widths(32, 64, 128),
            "dropout": _dropout(0.5, "before the output"),
            "activation": _ACTIVATION,
        },
        lambda options: 2 ** (len(options["widths"]) - 1),
    ),
    "balanced-arch1": _Network(
        "3x3 convolutions and a hidden linear layer, without batch norm",
        "reports:balanced_arch1",
        {
            "widths": _widths(32, 64),
            "hidden": _hidden(128),
            "dropout": _dropout(0.3, "after the hidden layer"),
            "activation": _ACTIVATION,
        },
        lambda options: 2 ** len(options["widths"]),
    ),
    "balanced-arch2": _Network(
        "a 3x3 and then 5x5 convolutions with batch norm, and a large hidden linear layer",
        "reports:balanced_arch2",
        {
            "widths": _widths(8, 32),
            "hidden": _hidden(600),
            "dropout": _dropout(0.5, "after the hidden layer"),
            "activation": _ACTIVATION,
        },
        lambda options: 2 ** len(options["widths"]),
    ),
    "mnist-3conv": _Network(
        "three 3x3 convolutions and one linear layer, the plainest convolutional network",
        "reports:mnist_3conv",
        {"widths": _widths(32, 64, 128), "activation": _ACTIVATION},
        lambda options: 2 ** len(options["widths"]),
    ),
    "mnist-3conv-bn": _Network(
        "three 3x3 convolutions with batch norm and a hidden linear layer",
        "reports:mnist_3conv_bn",
        {
            "widths": _widths(32, 64, 128),
            "hidden": _hidden(128),
            "dropout": _dropout(0.4, "after the hidden layer"),
            "activation": _ACTIVATION,
        },
        lambda options: 2 ** len(options["widths"]),
    ),
    "mlp": _Network(
        "a multi-layer perceptron: linear layers only, blind to neighbourhood",
        "simple:mlp",
        {
            "hidden": IntListOption(
                (256, 128), "units of each hidden layer", shortest=1, longest=8, low=1, high=16_384
            ),
            "dropout": _dropout(0.2, "after each hidden layer"),
            "activation": _ACTIVATION,
        },
        lambda options: 1,
    ),
    "linear": _Network(
        "one linear layer, which is multinomial logistic regression: the baseline",
        "simple:linear",
        {},
        lambda options: 1,
    ),
    "alexnet": _Network(
        "five convolutions and three linear layers, for photographs; weights learned on ImageNet load",
        "alexnet:alexnet",
        {"dropout": _dropout(0.5, "before each hidden linear layer")},
        lambda options: 63,
        _IMAGENET,
    ),
    "resnet50": _Network(
        "fifty layers in residual blocks, for photographs; weights learned on ImageNet load",
        "resnet:resnet50",
        {},
        lambda options: 1,
        _IMAGENET,
    ),
}


def names() -> list[str]:
    """The names of the networks for glyphs, our default first."""
    return [name for name, network in _NETWORKS.items() if network.home is not _IMAGENET]


def imagenet_names() -> list[str]:
    """The names of the networks for photographs, whose weights others learned on ImageNet."""
    return [name for name, network in _NETWORKS.items() if network.home is _IMAGENET]


def home(name: str) -> tuple[tuple[int, int, int], int]:
    """Image shape (channels, height, width) and number of classes that the network `name` was made for.

    Raises `ModelError` when there is none of that name.
    """
    return _network(name).home


def summary(name: str) -> str:
    """One line on the network `name`. Raises `ModelError` when there is none of that name."""
    return _network(name).summary


def option_specs(name: str) -> dict[str, OptionSpec]:
    """The options of the network `name`. Raises `ModelError` when there is none of that name."""
    return dict(_network(name).options)


def problems(name: str, options: Mapping[str, object]) -> list[str]:
    """Everything that is wrong with a network's name and options, each in words; empty when they are fine."""
    if name not in _NETWORKS:
        return [f"unknown network '{name}', {did_you_mean(name, _NETWORKS)}"]
    specs = _NETWORKS[name].options
    found: list[str] = []
    for option, value in options.items():
        if option not in specs:
            hint = did_you_mean(option, specs) if specs else "it has no options"
            found.append(f"unknown option '{option}' of network '{name}', {hint}")
        elif problem := specs[option].problem(value):
            found.append(f"{option} {problem}")
    return found


def resolved_options(name: str, options: Mapping[str, object]) -> dict[str, Any]:
    """All options of a network: those given, and the defaults of the rest; lists are lists, as in JSON.

    Raises `ModelError` with all `problems`.
    """
    if found := problems(name, options):
        raise ModelError("; ".join(found))
    chosen = {option: options.get(option, spec.default) for option, spec in _NETWORKS[name].options.items()}
    return {option: list(value) if isinstance(value, tuple) else value for option, value in chosen.items()}


def smallest_side(name: str, /, **options: object) -> int:
    """The least height and width, in pixels, of images that the network can take.

    Raises `ModelError` with all `problems`.
    """
    return _network(name).smallest_side(resolved_options(name, options))


def create(name: str, image_shape: tuple[int, int, int], classes: int, /, **options: object) -> nn.Module:
    """A new network with torch's default initialisation, drawn from torch's global random numbers.

    image_shape: channels, height, width of one image, in pixels. classes: how many to tell apart, 2 or more.
    options: as `option_specs` has them; defaults give the published networks.

    The network maps normalised images, float32 [B, C, H, W], to logits, float32 [B, classes]: softmax belongs
    to the loss and to whoever shows probabilities. Its last layer is a `torch.nn.Linear`, called ``output`` in the
    networks for glyphs; those of `imagenet_names` keep torchvision's names, see `features.output_layer`.

    Raises `ModelError` that lists all mistakes of name, options, image shape and classes.
    """
    found = problems(name, options)
    found += _shape_problems(name, image_shape, smallest=1 if found else smallest_side(name, **options))
    if classes < 2:
        found.append(f"classes is {classes}; expected 2 or more")
    if found:
        raise ModelError("; ".join(found))
    module, function = _NETWORKS[name].builder.split(":")
    build = getattr(importlib.import_module(f"glyphlab.networks.{module}"), function)
    network: nn.Module = build(image_shape, classes, **resolved_options(name, options))
    return network


def _shape_problems(name: str, image_shape: tuple[int, ...], smallest: int) -> list[str]:
    if len(image_shape) != 3 or min(image_shape) < 1:
        shape = "x".join(map(str, image_shape))
        return [f"image shape is {shape}; expected channels x height x width, each 1 or more"]
    _, height, width = image_shape
    if min(height, width) >= smallest:
        return []
    return [
        f"images are {height}x{width}; network '{name}' with these options halves them to nothing, "
        f"expected at least {smallest}x{smallest} (or fewer convolutions, or the network 'mlp')"
    ]


def _network(name: str) -> _Network:
    if found := problems(name, {}):
        raise ModelError("; ".join(found))
    return _NETWORKS[name]
