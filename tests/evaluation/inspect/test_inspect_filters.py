from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.filters import MOST_FILTERS, draw_filters, filter_pictures, filters_of, layer_names
from glyphlab.networks.classifier import Classifier, ClassifierSpec


def test_filters_are_the_layers_weights_and_a_copy() -> None:
    torch.manual_seed(0)
    classifier = Classifier(ClassifierSpec("mnist-net", (1, 28, 28), tuple("ab"), (0.1,), (0.3,)))
    assert layer_names(classifier) == ["conv1", "conv2"]
    weights = filters_of(classifier, "conv2")
    assert weights.shape == (20, 10, 5, 5) and weights.dtype == np.float32
    np.testing.assert_array_equal(weights, classifier.body.conv2.weight.detach().numpy())
    weights[:] = 0
    assert classifier.body.conv2.weight.abs().sum() > 0


def test_one_channel_is_red_above_and_blue_below_zero() -> None:
    weights = np.array([1.0, -1.0, 0.0, 0.0], dtype=np.float32).reshape(1, 1, 2, 2)
    (picture,), scale, meaning = filter_pictures(weights)
    red, _, blue = np.moveaxis(picture.astype(int), -1, 0)
    assert red[0, 0] > blue[0, 0] + 50 and blue[0, 1] > red[0, 1] + 50 and abs(red[1, 0] - blue[1, 0]) < 5
    assert scale is not None and scale.low == -scale.high and meaning == "weights"


def test_three_channels_are_colours_about_grey() -> None:
    weights = np.zeros((1, 3, 1, 2), dtype=np.float32)
    weights[0, 0, 0, 0] = 2.0
    (picture,), scale, _ = filter_pictures(weights)
    assert scale is None
    assert picture[0, 0].tolist()[0] == 255 and np.ptp(picture[0, 1].astype(int)) == 0


def test_a_channel_or_the_norm_can_be_chosen(rng: np.random.Generator) -> None:
    weights = rng.normal(size=(4, 6, 3, 3)).astype(np.float32)
    chosen, _, meaning = filter_pictures(weights, 5)
    alone, _, _ = filter_pictures(weights[:, 5:])
    np.testing.assert_array_equal(chosen, alone)
    assert "input channel 5" in meaning
    weights[2, :, 1, 1] = 40.0
    norm, _, _ = filter_pictures(weights, "norm")
    assert norm.sum(axis=-1).reshape(-1).argmax() == 2 * 9 + 4
    with pytest.raises(ModelError, match="no input channel 6 in these filters; expected 0 to 5"):
        filter_pictures(weights, 6)


def test_main_directions_give_equal_vectors_equal_colours(rng: np.random.Generator) -> None:
    weights = np.zeros((2, 8, 2, 2), dtype=np.float32)
    one, other = rng.normal(size=(2, 8))
    weights[0], weights[1] = one[:, None, None], other[:, None, None]
    pictures, _, meaning = filter_pictures(weights)
    assert len(np.unique(pictures[0].reshape(-1, 3), axis=0)) == 1
    assert not np.array_equal(pictures[0], pictures[1]) and "100% of their variance" in meaning


@pytest.mark.parametrize("shape", [(10, 1, 5, 5), (7, 3, 11, 11), (MOST_FILTERS + 5, 6, 3, 3), (4, 2, 1, 1)])
def test_any_filters_are_drawn(tmp_path: Path, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    path = tmp_path / "filters.png"
    draw_filters(rng.normal(size=shape).astype(np.float32), path, "made $up")
    with Image.open(path) as picture:
        assert picture.format == "PNG" and min(picture.size) > 150
    assert list(tmp_path.iterdir()) == [path]
