from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.layers import layer_names, watch
from glyphlab.evaluation.inspect.responses import (
    Border,
    at_the_layers_places,
    draw_responses,
    filter_responses,
    responses_of,
    spread,
)
from glyphlab.networks.classifier import Classifier, ClassifierSpec

OPENCV = {"reflect": cv2.BORDER_REFLECT_101, "zero": cv2.BORDER_CONSTANT}


def classifier_of(network: str, shape: tuple[int, int, int]) -> Classifier:
    torch.manual_seed(0)
    channels = shape[0]
    spec = ClassifierSpec(network, shape, tuple("abcde"), (0.2,) * channels, (0.3,) * channels)
    classifier = Classifier(spec).eval()
    for module in classifier.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training, not the identity
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return classifier


def by_opencv(inputs: np.ndarray, weights: np.ndarray, border: Border) -> np.ndarray:
    """cv2.filter2D of each channel, summed."""
    return np.stack(
        [
            sum(
                cv2.filter2D(channel, cv2.CV_32F, kernel, borderType=OPENCV[border])
                for channel, kernel in zip(inputs, filter_, strict=True)
            )
            for filter_ in weights
        ]
    )


@pytest.mark.parametrize("border", ["reflect", "zero"])
@pytest.mark.parametrize("kernel", [(5, 5), (3, 3), (1, 1), (2, 4), (3, 6), (11, 11)])
def test_responses_are_those_of_opencv(kernel: tuple[int, int], border: Border, rng: np.random.Generator) -> None:
    inputs = rng.normal(size=(3, 13, 9)).astype(np.float32)
    weights = rng.normal(size=(4, 3, *kernel)).astype(np.float32) / 8
    ours = filter_responses(inputs, weights, border)
    assert ours.shape == (4, 13, 9) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, by_opencv(inputs, weights, border), atol=1e-5, rtol=0)


@pytest.mark.parametrize("network", ["mnist-net", "glyphnet", "balanced-arch2", "mnist-3conv-bn"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 33, 40)])
def test_every_layers_output_follows_from_opencv(
    network: str, shape: tuple[int, int, int], rng: np.random.Generator
) -> None:
    """Normalisation, zeros beyond the border, padding, stride and bias: done here by hand, with OpenCV's filter."""
    classifier = classifier_of(network, shape)
    image = rng.integers(0, 256, shape[1:] if shape[0] == 1 else (*shape[1:], 3), dtype=np.uint8)
    for number, layer in enumerate(layer_names(classifier)):
        found = responses_of(classifier, layer, image)
        if number == 0:
            pixels = image[None] if shape[0] == 1 else image.transpose(2, 0, 1)
            np.testing.assert_allclose(found.inputs, (pixels / 255 - 0.2) / 0.3, atol=1e-5)
        np.testing.assert_allclose(found.filtered, by_opencv(found.inputs, found.filters, "reflect"), atol=1e-5)
        convolution = classifier.body.get_submodule(layer)
        pad, step, kernel = convolution.padding[0], convolution.stride[0], convolution.kernel_size[0]
        zero = by_opencv(found.inputs, found.filters, "zero")
        first = kernel // 2 - pad
        places = zero[:, first : first + (found.outputs.shape[1] - 1) * step + 1 : step]
        places = places[:, :, first : first + (found.outputs.shape[2] - 1) * step + 1 : step]
        bias = 0 if convolution.bias is None else convolution.bias.detach().numpy()[:, None, None]
        np.testing.assert_allclose(places + bias, found.outputs, atol=1e-5, rtol=0)
        assert found.difference < 1e-5


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 4},
        {"kernel_size": (2, 5), "padding": (0, 1), "stride": (2, 3)},
        {"kernel_size": 4, "stride": 3},
        {"kernel_size": 3, "padding": "same", "dilation": 2},
        {"kernel_size": 3, "padding": "valid", "dilation": (1, 2)},
        {"kernel_size": 5, "padding": 2, "groups": 2, "bias": False},
        {"kernel_size": 11, "padding": 2, "stride": 4},
    ],
)
def test_any_convolution_is_made_from_its_responses(settings: dict, rng: np.random.Generator) -> None:
    torch.manual_seed(1)
    convolution = nn.Conv2d(4, 6, **settings)
    inputs = rng.normal(size=(4, 17, 14)).astype(np.float32)
    with torch.inference_mode():
        expected = convolution(torch.from_numpy(inputs)[None])[0].numpy()
    ours = at_the_layers_places(inputs, convolution, expected.shape[1:])
    np.testing.assert_allclose(ours, expected, atol=1e-5, rtol=0)


def test_a_tiny_map_is_mirrored_again_and_again_as_opencv_does(rng: np.random.Generator) -> None:
    inputs = rng.normal(size=(1, 2, 1)).astype(np.float32)
    weights = rng.normal(size=(1, 1, 7, 7)).astype(np.float32)
    np.testing.assert_allclose(
        filter_responses(inputs, weights), by_opencv(inputs, weights, "reflect"), atol=1e-5, rtol=0
    )


def test_spread_writes_gaps_out() -> None:
    kernel = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
    assert spread(kernel, (1, 2))[0, 0].tolist() == [[1, 0, 2], [3, 0, 4]]
    assert spread(kernel, (1, 1)) is kernel


def test_another_padding_is_refused_not_faked() -> None:
    classifier = classifier_of("mnist-3conv", (1, 28, 28))
    classifier.body.conv2.padding_mode = "reflect"
    with pytest.raises(ModelError, match="layer 'conv2' pads with 'reflect'"):
        responses_of(classifier, 2, np.zeros((28, 28), np.uint8))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 40, 24)])
def test_the_picture_shows_any_layer(tmp_path: Path, shape: tuple[int, int, int], rng: np.random.Generator) -> None:
    classifier = classifier_of("glyphnet", shape)
    image = rng.integers(0, 256, shape[1:] if shape[0] == 1 else (*shape[1:], 3), dtype=np.uint8)
    draw_responses(responses_of(classifier, "conv2", image, "zero"), image, tmp_path / "r.png", "some network")
    assert (tmp_path / "r.png").stat().st_size > 20_000


def test_the_first_image_of_mnist(real_data: Path) -> None:
    from glyphlab.data.sources import load_dataset

    image = load_dataset("mnist", "test", real_data).images[0]
    classifier = classifier_of("mnist-net", (1, 28, 28))
    found = responses_of(classifier, "conv1", image)
    normalised = ((image / np.float32(255) - np.float32(0.2)) / np.float32(0.3)).astype(np.float32)
    for kernel, response in zip(found.filters[:, 0], found.filtered, strict=True):
        np.testing.assert_allclose(response, cv2.filter2D(normalised, -1, kernel), atol=1e-5, rtol=0)
    own = next(one for one in watch(classifier, image) if one.name == "conv1").made[0].numpy()
    np.testing.assert_array_equal(found.outputs, own)
