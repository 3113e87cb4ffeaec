from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from glyphlab.networks import registry
from glyphlab.networks.describe import (
    LayerRow,
    describe,
    shape_text,
    total_multiply_adds,
    total_parameters,
)


def test_mnist_net_by_hand() -> None:
    rows = describe(registry.create("mnist-net", (1, 28, 28), 10), (1, 28, 28))
    assert rows == [
        LayerRow("conv1", "Conv2d", (1, 28, 28), (10, 24, 24), 260, 10 * 24 * 24 * 25, "5x5", (5, 5)),
        LayerRow("pool1", "MaxPool2d", (10, 24, 24), (10, 12, 12), 0, 0, "2x2"),
        LayerRow("act1", "ReLU", (10, 12, 12), (10, 12, 12), 0, 0),
        LayerRow("conv2", "Conv2d", (10, 12, 12), (20, 8, 8), 5_020, 20 * 8 * 8 * 25 * 10, "5x5", (5, 5)),
        LayerRow("dropout", "Dropout2d", (20, 8, 8), (20, 8, 8), 0, 0, "0.5"),
        LayerRow("pool2", "MaxPool2d", (20, 8, 8), (20, 4, 4), 0, 0, "2x2"),
        LayerRow("act2", "ReLU", (20, 4, 4), (20, 4, 4), 0, 0),
        LayerRow("flatten", "Flatten", (20, 4, 4), (320,), 0, 0),
        LayerRow("hidden", "Linear", (320,), (50,), 16_050, 16_000),
        LayerRow("act3", "ReLU", (50,), (50,), 0, 0),
        LayerRow("output", "Linear", (50,), (10,), 510, 500),
    ]
    assert total_parameters(rows) == 21_840
    assert total_multiply_adds(rows) == 144_000 + 320_000 + 16_000 + 500


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 33, 20)])
@pytest.mark.parametrize("name", registry.names())
def test_totals_agree_with_torch(name: str, shape: tuple[int, int, int]) -> None:
    network = registry.create(name, shape, 11).eval()
    rows = describe(network, shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    assert 2 * total_multiply_adds(rows) == counter.get_total_flops()
    assert total_parameters(rows) == sum(parameter.numel() for parameter in network.parameters())


def test_settings_are_spelt_out_and_groups_divide_the_work() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 8, (3, 5), stride=2, padding=1, groups=4),
        nn.MaxPool2d(3, stride=2),
        nn.AvgPool2d(2),
        nn.AdaptiveMaxPool2d(1),
        nn.Conv2d(8, 2, 1, padding="same"),
    )
    rows = describe(network, (4, 32, 32))
    assert [row.detail for row in rows] == [
        "3x5, stride 2, pad 1, 4 groups",
        "3x3, stride 2",
        "2x2",
        "to 1x1",
        "1x1, pad same",
    ]
    assert rows[0].output_shape == (8, 16, 15)
    assert rows[0].multiply_adds == 8 * 16 * 15 * 15
    assert rows[0].kernel == (3, 5)


def test_the_network_is_left_as_it_was() -> None:
    network = registry.create("advancednet", (1, 28, 28), 10)
    network.get_submodule("norm1").eval()  # frozen by hand: this too must stay
    before = {key: value.clone() for key, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    describe(network, (1, 28, 28))
    assert [module.training for module in network.modules()] == modes
    assert not any(module._forward_hooks for module in network.modules())
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert network(torch.zeros(2, 1, 28, 28)).device.type == "cpu"


def test_nested_layers_have_their_path_and_shared_parameters_count_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(9, 9))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            once: torch.Tensor = self.body(images)
            again: torch.Tensor = self.body(once)
            return again

    rows = describe(Twice(), (1, 3, 3))
    assert [row.name for row in rows] == ["body.0", "body.1", "body.0", "body.1"]
    assert [row.parameters for row in rows] == [0, 90, 0, 0]
    assert total_multiply_adds(rows) == 2 * 81


def test_a_network_in_half_precision_is_described_as_well() -> None:
    network = registry.create("linear", (1, 28, 28), 10).to(torch.bfloat16)
    assert total_parameters(describe(network, (1, 28, 28))) == 7_850


def test_shape_text() -> None:
    assert shape_text((10, 24, 24)) == "10x24x24"
    assert shape_text((50,)) == "50"
