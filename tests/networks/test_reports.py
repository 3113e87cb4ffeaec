"""The reports' networks against the reports: kinds of layers in order, shapes and parameter counts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from glyphlab.networks import registry
from glyphlab.networks.describe import describe

GREY = (1, 28, 28)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.children()]


def test_mnist_net() -> None:
    network = registry.create("mnist-net", GREY, 10)
    assert count(network) == 21_840
    assert kinds(network) == [
        *("Conv2d", "MaxPool2d", "ReLU"),
        *("Conv2d", "Dropout2d", "MaxPool2d", "ReLU"),
        *("Flatten", "Linear", "ReLU", "Linear"),
    ]
    assert network.get_submodule("hidden").in_features == 320


def test_mnist_net_computes_what_the_report_computes() -> None:
    torch.manual_seed(0)
    network = registry.create("mnist-net", GREY, 10).eval()
    weights = dict(network.named_parameters())
    images = torch.randn(4, *GREY)
    maps = functional.conv2d(images, weights["conv1.weight"], weights["conv1.bias"])
    maps = functional.relu(functional.max_pool2d(maps, 2))
    maps = functional.conv2d(maps, weights["conv2.weight"], weights["conv2.bias"])
    maps = functional.relu(functional.max_pool2d(maps, 2)).reshape(4, 320)
    units = functional.relu(maps @ weights["hidden.weight"].T + weights["hidden.bias"])
    torch.testing.assert_close(network(images), units @ weights["output.weight"].T + weights["output.bias"])


@pytest.mark.parametrize("hidden", [20, 40, 60, 80, 100])
def test_mnist_net_with_the_hidden_units_of_the_experiment(hidden: int) -> None:
    network = registry.create("mnist-net", GREY, 10, hidden=hidden)
    assert count(network) == 260 + 5_020 + 321 * hidden + 10 * (hidden + 1)


def test_advancednet() -> None:
    network = registry.create("advancednet", GREY, 26)
    block = ["Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds(network) == [
        *(*block, "MaxPool2d"),
        *(*block, "MaxPool2d"),
        *(*block, "GlobalAvgPool2d"),
        *("Flatten", "Dropout", "Linear"),
    ]
    convolutions = 32 * (9 + 1) + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1)
    assert count(network) == convolutions + 2 * (32 + 64 + 128) + 26 * 129


def test_balanced_arch1() -> None:
    network = registry.create("balanced-arch1", GREY, 47)
    block = ["Conv2d", "ReLU", "MaxPool2d"]
    assert kinds(network) == [*block, *block, "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    assert count(network) == 320 + 64 * (9 * 32 + 1) + 128 * (49 * 64 + 1) + 47 * 129


def test_balanced_arch2() -> None:
    network = registry.create("balanced-arch2", GREY, 47, widths=[8, 32], hidden=600)
    block = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert kinds(network) == [*block, *block, "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    assert count(network) == 976_239
    assert count(registry.create("balanced-arch2", GREY, 47)) == 976_239
    table = {row.name: (row.input_shape, row.output_shape) for row in describe(network, GREY)}
    assert table["conv1"] == ((1, 28, 28), (8, 28, 28))
    assert table["conv2"] == ((8, 14, 14), (32, 14, 14))
    assert table["hidden"] == ((1568,), (600,))
    assert table["output"] == ((600,), (47,))


def test_balanced_arch2_has_a_small_and_then_large_kernels() -> None:
    network = registry.create("balanced-arch2", GREY, 47, widths=[4, 5, 6, 7])
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.kernel_size for layer in convolutions] == [(3, 3), (5, 5), (5, 5), (5, 5)]


def test_mnist_3conv() -> None:
    network = registry.create("mnist-3conv", GREY, 10)
    block = ["Conv2d", "ReLU", "MaxPool2d"]
    assert kinds(network) == [*block, *block, *block, "Flatten", "Linear"]
    assert network.get_submodule("output").in_features == 128 * 3 * 3


def test_mnist_3conv_bn() -> None:
    network = registry.create("mnist-3conv-bn", GREY, 10)
    block = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    assert kinds(network) == [*block, *block, *block, "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    widths = [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [32, 64, 128]
    assert network.get_submodule("hidden").out_features == 128
    assert network.get_submodule("dropout").p == 0.4
