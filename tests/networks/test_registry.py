from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from glyphlab.errors import ModelError
from glyphlab.networks import registry
from glyphlab.networks.options import ACTIVATIONS

NAMES = registry.names()
WITH_WIDTHS = [name for name in NAMES if "widths" in registry.option_specs(name)]


def builder_of(name: str) -> object:
    module, function = registry._NETWORKS[name].builder.split(":")
    return getattr(importlib.import_module(f"glyphlab.networks.{module}"), function)


def test_the_names() -> None:
    assert NAMES == [
        "glyphnet",
        "glyphnet-fine",
        "mnist-net",
        "advancednet",
        "balanced-arch1",
        "balanced-arch2",
        "mnist-3conv",
        "mnist-3conv-bn",
        "mlp",
        "linear",
    ]


def test_checking_a_recipe_needs_no_torch() -> None:
    code = (
        "import sys; from glyphlab.networks import registry;"
        "registry.summary('mlp'); registry.problems('mlp', {'hidden': 3});"
        "registry.resolved_options('mlp', {});"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", NAMES)
def test_every_builder_takes_exactly_the_listed_options(name: str) -> None:
    parameters = inspect.signature(builder_of(name)).parameters.values()  # type: ignore[arg-type]
    by_name = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    assert by_name == list(registry.option_specs(name))


@pytest.mark.parametrize("name", NAMES)
def test_summaries_are_one_line_and_defaults_are_allowed(name: str) -> None:
    assert 10 < len(registry.summary(name)) < 110
    assert "\n" not in registry.summary(name)
    defaults = {option: spec.default for option, spec in registry.option_specs(name).items()}
    assert registry.problems(name, defaults) == []


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 20), (2, 16, 45)])
@pytest.mark.parametrize("name", NAMES)
def test_any_shape_gives_finite_logits_and_every_parameter_learns(name: str, shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    network = registry.create(name, shape, 7)
    logits = network(torch.randn(3, *shape))
    assert logits.shape == (3, 7)
    assert logits.dtype == torch.float32
    assert (logits < 0).any() and (logits > 0).any()  # neither probabilities nor their logarithms
    functional.cross_entropy(logits, torch.tensor([0, 3, 6])).backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_the_last_layer_is_a_linear_layer_called_output(name: str) -> None:
    last_name, last = list(registry.create(name, (1, 28, 28), 5).named_children())[-1]
    assert last_name == "output"
    assert isinstance(last, nn.Linear)
    assert last.out_features == 5


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_weights(name: str) -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(registry.create(name, (1, 28, 28), 10).state_dict())
    first, same, other = states
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first["output.weight"], other["output.weight"])


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "linear"])
def test_the_activation_is_the_chosen_one_and_the_only_one(name: str, activation: str) -> None:
    with torch.device("meta"):
        network = registry.create(name, (1, 28, 28), 10, activation=activation)
    functions = {type(layer) for key, layer in network.named_modules() if key.startswith("act")}
    assert functions == {
        {
            "relu": nn.ReLU,
            "leaky-relu": nn.LeakyReLU,
            "elu": nn.ELU,
            "gelu": nn.GELU,
            "silu": nn.SiLU,
            "tanh": nn.Tanh,
            "sigmoid": nn.Sigmoid,
        }[activation]
    }


@pytest.mark.parametrize("name", WITH_WIDTHS)
@pytest.mark.parametrize("widths", [[4], [4, 5], [4, 5, 6], [4, 5, 6, 7]])
def test_one_to_four_convolutions(name: str, widths: list[int]) -> None:
    network = registry.create(name, (1, 28, 28), 10, widths=widths)
    assert [layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)] == widths
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "options"),
    [(name, {}) for name in NAMES]
    + [(name, {"widths": [4] * count}) for name in WITH_WIDTHS for count in (1, 2, 4)]
    + [(name, {"depth": 1}) for name in ("glyphnet", "glyphnet-fine")],
)
def test_the_smallest_side_is_where_the_network_stops_working(name: str, options: dict[str, object]) -> None:
    side = registry.smallest_side(name, **options)
    network = registry.create(name, (1, side, side), 10, **options).eval()
    assert network(torch.zeros(1, 1, side, side)).shape == (1, 10)
    if side == 1:
        return
    for shape in ((1, side - 1, side), (1, side, side - 1)):
        with pytest.raises(
            ModelError,
            match=rf"images are {shape[1]}x{shape[2]}; network '{name}' .* expected at least {side}x{side}",
        ):
            registry.create(name, shape, 10, **options)
    with (
        torch.device("meta"),
        pytest.raises(RuntimeError, match=r"too small|greater than kernel|should be at least"),
    ):
        # The layers themselves agree: built for a larger image, they cannot pool this one.
        registry.create(name, (1, 32, 32), 10, **options).eval()(torch.zeros(1, 1, side - 1, side - 1))


def test_resolved_options_are_the_defaults_and_what_was_given() -> None:
    assert registry.resolved_options("balanced-arch2", {"hidden": 100, "widths": (4, 8)}) == {
        "widths": [4, 8],
        "hidden": 100,
        "dropout": 0.5,
        "activation": "relu",
    }


def test_dropout_reaches_the_network() -> None:
    for name in NAMES:
        if "dropout" not in registry.option_specs(name):
            continue
        network = registry.create(name, (1, 28, 28), 10, dropout=0.25)
        shares = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout | nn.Dropout2d)]
        assert shares and set(shares) == {0.25}, name


def test_all_problems_are_reported_at_once() -> None:
    options = {"hiden": 3, "dropout": 1.5, "activation": "rleu", "hidden": "many"}
    assert registry.problems("mnist-net", options) == [
        "unknown option 'hiden' of network 'mnist-net', did you mean 'hidden'?",
        "dropout is 1.5; expected 0 to below 1",
        "activation is 'rleu', did you mean 'relu'?",
        "hidden is 'many'; expected a whole number, 1 to 16384",
    ]
    with pytest.raises(ModelError, match="unknown option 'classes' of network 'linear', it has no options"):
        registry.create("linear", (1, 28, 28), 10, **{"classes": 5})
    assert registry.problems("linear", {"hidden": 3}) == [
        "unknown option 'hidden' of network 'linear', it has no options"
    ]
    assert registry.problems("mlp", {"colour": 3}) == [
        "unknown option 'colour' of network 'mlp', known: hidden, dropout, activation"
    ]
    with pytest.raises(
        ModelError, match=r"did you mean 'hidden'\?; dropout is 1.5; .* 1 to 16384; classes is 1; expec"
    ):
        registry.create("mnist-net", (1, 28, 28), 1, **options)


@pytest.mark.parametrize("shape", [(0, 28, 28), (1, 28, -1), (28, 28)])
def test_impossible_image_shapes_are_refused(shape: tuple[int, int, int]) -> None:
    written = "x".join(map(str, shape))
    with pytest.raises(
        ModelError, match=f"image shape is {written}; expected channels x height x width, each 1 or more"
    ):
        registry.create("linear", shape, 10)


def test_unknown_networks_are_refused_everywhere() -> None:
    message = "unknown network 'mnistnet', did you mean 'mnist-net'"
    assert registry.problems("mnistnet", {"anything": 1})[0].startswith(message)
    for call in (
        registry.summary,
        registry.option_specs,
        registry.smallest_side,
        lambda name: registry.resolved_options(name, {}),
        lambda name: registry.create(name, (1, 28, 28), 10),
    ):
        with pytest.raises(ModelError, match=message):
            call("mnistnet")
