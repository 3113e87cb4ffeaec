from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from glyphlab.errors import ModelError
from glyphlab.evaluation.onnx_graph import build_model
from glyphlab.evaluation.transfer.from_onnx import classifier_from_onnx
from glyphlab.networks.classifier import Classifier, ClassifierSpec, predict
from glyphlab.recognition.modelfile import ModelInfo, find_model, shipped_models
from glyphlab.recognition.recognizer import Recognizer

OPTIONS: dict[str, dict[str, Any]] = {
    "glyphnet": {"width": 6, "depth": 3, "activation": "silu"},
    "glyphnet-fine": {"width": 4, "depth": 3},
    "mnist-net": {"hidden": 17, "activation": "tanh"},
    "advancednet": {"widths": [4, 6], "activation": "leaky-relu"},
    "balanced-arch1": {"widths": [3, 4, 5], "hidden": 9, "activation": "gelu"},
    "balanced-arch2": {"widths": [3, 4], "hidden": 9, "activation": "elu"},
    "mnist-3conv": {"widths": [3, 4], "activation": "sigmoid"},
    "mnist-3conv-bn": {"widths": [3, 4, 5], "hidden": 8},
    "mlp": {"hidden": [12, 7, 5], "activation": "relu"},
    "linear": {},
}


def exported(network: str, options: dict[str, Any], path: Path, **info: Any) -> Classifier:
    """A model file of a network whose norms and weights are all but what they were at the start."""
    torch.manual_seed(1)
    spec = ClassifierSpec(network, (1, 28, 28), ("a", "b", "c"), (0.13,), (0.31,), options)
    classifier = Classifier(spec)
    with torch.no_grad():
        for name, values in classifier.body.state_dict().items():
            if "running_var" in name:
                values.uniform_(0.5, 2)
            elif "num_batches" not in name:
                values.add_(0.1 * torch.randn_like(values))
    described = ModelInfo(spec.class_names, spec.image_shape, None, temperature=0.7, network=network, **info)
    path.write_bytes(build_model(classifier.eval(), described).SerializeToString())
    return classifier


@pytest.mark.parametrize("network", OPTIONS)
def test_a_network_comes_back_from_its_model_file(network: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    classifier = exported(network, OPTIONS[network], path)
    again, info = classifier_from_onnx(path)
    images = torch.randint(0, 256, (20, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(predict(again, images), predict(classifier, images), atol=1e-4, rtol=1e-4)
    assert again.spec.class_names == info.class_names == ("a", "b", "c")
    assert {**again.spec.options, "dropout": 0} == {**OPTIONS[network], **again.spec.options, "dropout": 0}
    assert not again.training


@pytest.mark.parametrize("name", shipped_models())
def test_the_shipped_models_can_be_trained_on(name: str) -> None:
    classifier, info = classifier_from_onnx(find_model(name))
    assert classifier.spec.class_names == Recognizer.load(name).class_names == info.class_names


def test_a_quantised_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model-int8.onnx"
    exported("linear", {}, path, precision="int8")
    with pytest.raises(ModelError, match=r"is quantised \(int8\).*name the float32 model"):
        classifier_from_onnx(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "model.onnx"
    exported("mnist-3conv", {"widths": [3, 4]}, path)
    info = Recognizer.load(path).info
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {"glyphlab": replace(info, network="mnist-net").to_json()})
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"does not hold the weights of a network 'mnist-net'"):
        classifier_from_onnx(path)


def test_a_network_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "model.onnx"
    exported("mnist-3conv", {"widths": [3, 4]}, path)
    model = onnx.load(str(path))
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type = "Abs"  # as a file of some other program might have it
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"rebuilt from it answers otherwise .* transfer from the run"):
        classifier_from_onnx(path)
