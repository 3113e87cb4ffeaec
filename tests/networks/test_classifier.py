from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from glyphlab.errors import ModelError
from glyphlab.networks.classifier import (
    Classifier,
    ClassifierSpec,
    evaluating,
    load_weights,
    predict,
    save_weights,
    single_view,
    to_pixels,
)
from glyphlab.networks.features import output_layer, predict_with_features
from glyphlab.training.recipe import Recipe

SPEC = ClassifierSpec("mnist-3conv-bn", (1, 12, 12), ("α", "β", "γ"), (0.25,), (0.5,), {"widths": [4, 4], "hidden": 8})


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(SPEC)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (37, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_pixels_become_channels_in_0_to_1() -> None:
    grey = torch.tensor([[[0, 255], [51, 102]]], dtype=torch.uint8)
    assert torch.allclose(to_pixels(grey), torch.tensor([[[[0, 1], [0.2, 0.4]]]]))
    colour = torch.zeros(2, 4, 5, 3, dtype=torch.uint8)
    colour[..., 2] = 255
    pixels = to_pixels(colour)
    assert pixels.shape == (2, 3, 4, 5)
    assert pixels[:, 2].min() == 1 and pixels[:, :2].max() == 0


def test_normalisation_is_inside(classifier: Classifier) -> None:
    pixels = torch.rand(2, 1, 12, 12)
    classifier.eval()
    assert torch.equal(classifier(pixels), classifier.body((pixels - 0.25) / 0.5))


def test_predict_does_not_depend_on_batches_or_mode(classifier: Classifier, images: torch.Tensor) -> None:
    whole = predict(classifier.train(), images, batch_size=100)
    assert classifier.training
    assert whole.shape == (37, 3) and whole.dtype == torch.float32
    assert torch.allclose(predict(classifier, images, batch_size=10), whole, atol=1e-6)
    some = torch.tensor([30, 2, 2])
    assert torch.allclose(predict(classifier, images, some), whole[some], atol=1e-6)


def test_evaluating_restores_the_mode_after_an_error(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="inside"), evaluating(classifier.train()):
        assert not classifier.training
        raise ValueError("inside")
    assert classifier.training


def averaging(classifier: Classifier) -> Classifier:
    again = Classifier(dataclasses.replace(SPEC, shift_averaging=True))
    again.load_state_dict(classifier.state_dict())
    return again


def test_shift_averaging_is_the_mean_over_five_views(classifier: Classifier) -> None:
    pixels = torch.rand(3, 1, 12, 12)
    wider = torch.nn.functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
    corners = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    with evaluating(classifier):
        views = torch.stack([classifier(wider[:, :, y : y + 12, x : x + 12]) for y, x in corners])
    again = averaging(classifier)
    with evaluating(again):
        assert torch.allclose(again(pixels), views.mean(dim=0), atol=1e-6)
        with single_view(again):
            assert torch.allclose(again(pixels), views[0], atol=1e-6)
        assert not torch.allclose(again(pixels), views[0], atol=1e-6)
    assert again.train()(pixels).shape == (3, 3)  # in training, one view


def test_features_are_averaged_as_the_answers_are(classifier: Classifier, images: torch.Tensor) -> None:
    again = averaging(classifier)
    logits, features = predict_with_features(again, images)
    _, last = output_layer(again)
    assert torch.allclose(logits, predict(again, images), atol=1e-6)
    assert torch.allclose(last(features), logits, atol=1e-5)


def test_a_recipe_says_all_of_the_network() -> None:
    network = Recipe.parse({"network": dataclasses.replace(SPEC, shift_averaging=True).network_section()}).network
    assert (network.name, network.shift_averaging, network.options) == (SPEC.network, True, SPEC.options)


def test_shift_averaging_belongs_to_the_weights(classifier: Classifier, tmp_path: Path) -> None:
    save_weights(averaging(classifier), tmp_path / "w.safetensors")
    assert load_weights(tmp_path / "w.safetensors").spec.shift_averaging


def test_weights_describe_their_own_network(classifier: Classifier, images: torch.Tensor, tmp_path: Path) -> None:
    save_weights(classifier, tmp_path / "w.safetensors")
    again = load_weights(tmp_path / "w.safetensors")
    assert again.spec == SPEC and not again.training
    classifier.to(memory_format=torch.channels_last)  # as weights are loaded: another order sums to other bits
    assert torch.equal(predict(again, images), predict(classifier, images))
    kept, tensors = again.state_dict(), classifier.state_dict()
    assert list(kept) == list(tensors) and all(torch.equal(kept[name], tensors[name]) for name in tensors)
    assert again.parameter_count() == sum(parameter.numel() for parameter in classifier.parameters())


def test_weights_that_cannot_be_used(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelError, match=r"no weights at .*w\.safetensors; train first"):
        load_weights(path)
    save_weights(classifier, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ModelError, match=r"not a whole \.safetensors file .* cut short"):
        load_weights(path)
    path.write_bytes(whole)
    tensors = load_file(path)
    save_file(tensors, path, metadata={"format": "glyphlab-weights-7"})
    with pytest.raises(ModelError, match="not written by this version: format 'glyphlab-weights-7'"):
        load_weights(path)
    save_file(tensors, path, metadata={"format": "glyphlab-weights-1", "classifier": "[]"})
    with pytest.raises(ModelError, match="no valid description"):
        load_weights(path)
    other = dataclasses.replace(SPEC, options={"widths": [4, 5], "hidden": 8})
    save_file(tensors, path, metadata={"format": "glyphlab-weights-1", "classifier": other.to_json()})
    with pytest.raises(ModelError, match="holds the weights of another network"):
        load_weights(path)
