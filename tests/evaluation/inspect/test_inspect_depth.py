from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.depth import draw_depth, maps_through_depth
from glyphlab.networks.classifier import Classifier, ClassifierSpec


def classifier_of(network: str, shape: tuple[int, int, int] = (1, 28, 28)) -> Classifier:
    torch.manual_seed(0)
    channels = shape[0]
    return Classifier(ClassifierSpec(network, shape, tuple("abc"), (0.2,) * channels, (0.3,) * channels)).eval()


def test_a_stage_holds_what_goes_to_the_next_convolution(rng: np.random.Generator) -> None:
    classifier = classifier_of("mnist-net")
    image = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    stages = maps_through_depth(classifier, image)
    assert [stage.layers for stage in stages] == [("conv1", "pool1", "act1"), ("conv2", "dropout", "pool2", "act2")]
    pixels = (torch.from_numpy(image)[None, None] / 255 - classifier.mean) / classifier.std
    with torch.inference_mode():
        np.testing.assert_array_equal(stages[0].maps, classifier.body[:3](pixels)[0].numpy())
        np.testing.assert_array_equal(stages[1].maps, classifier.body[:7](pixels)[0].numpy())


def test_a_deep_network_keeps_the_last_stage_of_each_size(rng: np.random.Generator) -> None:
    classifier = classifier_of("mnist-net")
    sizes = [16, 16, 16, 8, 8, 8, 8, 4, 4, 4, 2]
    layers: list[nn.Module] = []
    for before, size in zip([32, *sizes], sizes, strict=False):
        layers.append(nn.Conv2d(1, 1, kernel_size=3, padding=1, stride=before // size))
    classifier.body = nn.Sequential(*layers)
    classifier.spec = ClassifierSpec("mnist-net", (1, 32, 32), tuple("abc"), (0.2,), (0.3,))
    stages = maps_through_depth(classifier, rng.integers(0, 256, (32, 32), dtype=np.uint8))
    assert [(stage.layers, stage.maps.shape[1]) for stage in stages] == [
        (("2",), 16),
        (("6",), 8),
        (("9",), 4),
        (("10",), 2),
    ]


def test_a_network_without_convolutions_has_no_maps() -> None:
    with pytest.raises(ModelError, match="network 'linear' has no convolutions, so it makes no maps"):
        maps_through_depth(classifier_of("linear"), np.zeros((28, 28), np.uint8))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 24)])
def test_maps_are_drawn_a_row_a_stage(tmp_path: Path, shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, shape[1:] if shape[0] == 1 else (*shape[1:], 3), dtype=np.uint8)
    heights = []
    for network in ("mnist-net", "glyphnet"):
        stages = maps_through_depth(classifier_of(network, shape), image)
        draw_depth(image, stages, tmp_path / "maps.png", "some network")
        with Image.open(tmp_path / "maps.png") as picture:
            heights.append(picture.height)
    assert heights[1] > heights[0]
