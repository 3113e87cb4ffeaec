from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from glyphlab.errors import ImageError, ModelError
from glyphlab.evaluation.inspect.layers import answering, blocks, find_convolution, layer_names, watch
from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier, ClassifierSpec


def classifier_of(network: str, shape: tuple[int, int, int] = (1, 28, 28), **options: object) -> Classifier:
    torch.manual_seed(0)
    channels = shape[0]
    spec = ClassifierSpec(network, shape, tuple("abcde"), (0.2,) * channels, (0.3,) * channels, dict(options))
    return Classifier(spec).eval()


def test_convolutions_are_found_by_name_and_by_number() -> None:
    classifier = classifier_of("glyphnet", depth=2)
    assert layer_names(classifier) == ["conv1", "conv2", "conv3", "conv4"]
    for layer in ("conv2", "2", 2):
        name, module = find_convolution(classifier, layer)
        assert name == "conv2" and module.out_channels == 64


@pytest.mark.parametrize(
    ("network", "layer", "problem"),
    [
        ("glyphnet", "conv22", "no convolution 'conv22' in network 'glyphnet'; did you mean 'conv2'"),
        ("glyphnet", "0", "no convolution 0 in network 'glyphnet'; expected 1 to 4"),
        ("glyphnet", "-1", "no convolution -1 .*expected 1 to 4"),
        ("glyphnet", "act1", "layer 'act1' is of the kind ReLU; expected a convolution: conv1, conv2, conv3, conv4"),
        ("mlp", "conv1", "network 'mlp' has no convolutions"),
    ],
)
def test_an_unknown_layer_is_one_line(network: str, layer: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        find_convolution(classifier_of(network), layer)


@pytest.mark.parametrize("image", [np.zeros((28, 27), np.uint8), np.zeros((28, 28, 3), np.uint8), np.zeros((28, 28))])
def test_an_image_of_another_shape_or_type_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"the network takes uint8 28x28$"):
        watch(classifier_of("mnist-net"), image)


@pytest.mark.parametrize("network", registry.names())
def test_layers_are_met_in_order_and_nothing_stays_behind(network: str, rng: np.random.Generator) -> None:
    classifier = classifier_of(network)
    image = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    passes = watch(classifier, image)
    pixels = (torch.from_numpy(image)[None, None] / 255 - classifier.mean) / classifier.std
    torch.testing.assert_close(passes[0].given, pixels)
    with torch.inference_mode():
        for one in passes:  # each layer makes of its input what was recorded
            torch.testing.assert_close(one.layer(one.given), one.made)
        torch.testing.assert_close(passes[-1].made, classifier(torch.from_numpy(image)[None, None] / 255))
    assert not any(module._forward_hooks for module in classifier.modules())


def test_what_works_in_place_does_not_change_the_record(rng: np.random.Generator) -> None:
    classifier = classifier_of("mnist-3conv")
    classifier.body.act1 = nn.ReLU(inplace=True)
    first = watch(classifier, rng.integers(0, 256, (28, 28), dtype=np.uint8))[0]
    assert first.name == "conv1" and first.made.min() < 0


def test_blocks_begin_with_convolutions_and_hold_maps_only(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    names = [[one.name for one in block] for block in blocks(watch(classifier_of("glyphnet", depth=1), image))]
    assert names == [["conv1", "norm1", "act1"], ["conv2", "pool2", "norm2", "act2"], ["conv3", "norm3", "act3"]]
    assert blocks(watch(classifier_of("linear"), image)) == []


def test_answering_restores_mode_and_gradients() -> None:
    classifier = classifier_of("mnist-net").train()
    classifier.body.conv1.weight.requires_grad_(False)
    with answering(classifier):
        assert not classifier.training and not any(p.requires_grad for p in classifier.parameters())
    frozen = [name for name, parameter in classifier.named_parameters() if not parameter.requires_grad]
    assert classifier.training and frozen == ["body.conv1.weight"]
