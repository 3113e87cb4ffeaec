from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from glyphlab.errors import ModelError
from glyphlab.evaluation.onnx_graph import build_model
from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier, ClassifierSpec, predict
from glyphlab.networks.features import output_layer
from glyphlab.networks.layers import ACTIVATION_MODULES
from glyphlab.recognition.modelfile import ModelInfo

TEMPERATURE = 1.7


def classifier_of(network: str, shape: tuple[int, int, int] = (1, 28, 28), **options: object) -> Classifier:
    """Random weights, and batch norms as training leaves them: no statistic at its start."""
    torch.manual_seed(3)
    channels = shape[0]
    spec = ClassifierSpec(network, shape, ("a", "b", "c"), (0.2,) * channels, (0.3,) * channels, dict(options))
    classifier = Classifier(spec).eval()
    scramble(classifier)
    return classifier


def scramble(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            nn.init.normal_(layer.running_mean, 0.1, 0.3)
            nn.init.uniform_(layer.running_var, 0.3, 2.0)
            if layer.affine:
                nn.init.normal_(layer.weight, 0.5, 1.0)  # of both signs
                nn.init.normal_(layer.bias, 0.0, 0.5)


def model_of(classifier: Classifier) -> onnx.ModelProto:
    spec = classifier.spec
    return build_model(classifier, ModelInfo(spec.class_names, spec.image_shape, None, temperature=TEMPERATURE))


def check(classifier: Classifier, count: int = 5, tolerance: float = 2e-6) -> onnx.ModelProto:
    """Torch and ONNX Runtime agree on random glyphs."""
    channels, height, width = classifier.spec.image_shape
    shape = (count, height, width) if channels == 1 else (count, height, width, 3)
    glyphs = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = torch.softmax(predict(classifier, torch.from_numpy(glyphs)) / TEMPERATURE, dim=1).numpy()
    model = model_of(classifier)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (probs,) = session.run(["probabilities"], {"glyphs": glyphs})
    assert probs.dtype == np.float32 and probs.shape == (count, 3)
    np.testing.assert_allclose(probs, expected, atol=tolerance)
    assert np.ptp(probs, axis=0).max() > 1e-4  # that the images matter
    return model


@pytest.mark.parametrize("network", registry.names())
def test_every_network_answers_as_in_torch(network: str) -> None:
    check(classifier_of(network))


@pytest.mark.parametrize("network", ["glyphnet", "mnist-3conv-bn", "mlp"])
def test_colours_and_oblong_images(network: str) -> None:
    check(classifier_of(network, (3, 20, 33)))


@pytest.mark.parametrize(("network", "shape"), [("glyphnet", (1, 28, 28)), ("mlp", (3, 20, 33))])
def test_the_mean_over_shifts(network: str, shape: tuple[int, int, int]) -> None:
    classifier = classifier_of(network, shape)
    classifier.spec = replace(classifier.spec, shift_averaging=True)
    check(classifier)


def with_lively_logits(classifier: Classifier) -> Classifier:
    """Random deep networks answer almost the same to everything, or explode; here logits spread by about 1."""
    channels, height, width = classifier.spec.image_shape
    images = torch.randint(0, 256, (4, height, width, channels), dtype=torch.uint8)
    _, last = output_layer(classifier)
    with torch.no_grad():
        last.weight /= predict(classifier, images).std(dim=0).mean()
        last.bias -= predict(classifier, images).mean(dim=0)
    return classifier


@pytest.mark.parametrize("size", [64, 71])
def test_residual_blocks(size: int) -> None:
    check(with_lively_logits(classifier_of("resnet50", (3, size, size))), count=2, tolerance=5e-5)


@pytest.mark.parametrize("size", [96, 150, 224])
def test_adaptive_means_of_any_size(size: int) -> None:
    check(with_lively_logits(classifier_of("alexnet", (3, size, size))), count=2, tolerance=5e-5)


@pytest.mark.parametrize("activation", ACTIVATION_MODULES)
def test_every_activation(activation: str) -> None:
    check(classifier_of("mnist-net", activation=activation))


@pytest.mark.parametrize("count", [1, 2, 130])
def test_any_batch_size(count: int) -> None:
    classifier = classifier_of("linear")
    check(classifier, count=max(count, 2))
    session = onnxruntime.InferenceSession(model_of(classifier).SerializeToString())
    assert session.run(None, {"glyphs": np.zeros((count, 28, 28), np.uint8)})[0].shape == (count, 3)


def test_batch_norm_is_folded_and_dropout_left_out() -> None:
    operators = [node.op_type for node in check(classifier_of("mnist-3conv-bn")).graph.node]
    assert operators.count("Conv") == 3
    assert "BatchNormalization" not in operators and "Dropout" not in operators
    assert operators.count("Mul") == 1  # the pixels' scale: nothing is left of the batch norms


def test_the_other_layers_that_can_be_written() -> None:
    classifier = classifier_of("linear", (1, 12, 12))
    classifier.body = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, padding=(1, 2), dilation=(1, 2)),
        nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2, padding=1, bias=False)),
        nn.AvgPool2d(2, padding=1),
        nn.BatchNorm2d(4, affine=False),
        nn.MaxPool2d(3, stride=1, padding=1),
        nn.Identity(),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(4, 6, bias=False),
        nn.BatchNorm1d(6),
        nn.GELU(),
        nn.BatchNorm1d(6),
        nn.Dropout(0.5),
        nn.Linear(6, 3),
    )
    classifier.eval()
    scramble(classifier)
    check(classifier)


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(3, 3),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(0),
        nn.GELU("tanh"),
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(1, 1, 3, padding="same"),
        nn.AvgPool2d(2, ceil_mode=True),
    ],
)
def test_a_layer_that_cannot_be_written_is_named(layer: nn.Module) -> None:
    classifier = classifier_of("linear", (1, 12, 12))
    classifier.body = nn.Sequential(nn.ReLU(), layer)
    with pytest.raises(ModelError, match=r"the layer '1' .* cannot be written .* expected a sequence of .*Conv2d"):
        model_of(classifier)


def test_the_file_says_what_it_is() -> None:
    model = check(classifier_of("mlp"))
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    (entry,) = model.metadata_props
    assert entry.key == "glyphlab" and json.loads(entry.value)["class_names"] == ["a", "b", "c"]
