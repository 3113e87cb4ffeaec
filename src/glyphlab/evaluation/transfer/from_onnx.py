"""A model file back into the network it was made from, so that it can be trained on.

The counterpart of `onnx_graph`, which writes the weights under the names of the layers. What it folded stays folded: a
batch norm behind a convolution has become part of that convolution, and comes back as one that changes nothing but adds
the bias. The answers are the same; that is checked on every file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from glyphlab.errors import ModelError
from glyphlab.networks import registry
from glyphlab.networks.classifier import Classifier, ClassifierSpec, predict
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.recognizer import Recognizer

Stored = Mapping[str, NDArray[Any]]

LARGEST_DIFFERENCE = 1e-4
_CHECKED_GLYPHS = 64
# The operators that tell activation functions apart, see `onnx_graph`; GELU's and SiLU's occur in no other.
_ACTIVATION_OF = {"Relu": "relu", "LeakyRelu": "leaky-relu", "Elu": "elu", "Tanh": "tanh", "Erf": "gelu"}


def classifier_from_onnx(path: Path) -> tuple[Classifier, ModelInfo]:
    """The network in a model file that `glyphlab export` wrote, in evaluation mode, and the file's description.

    Its probabilities are compared with the file's own on 64 made-up glyphs. Raises `ModelError` for a quantised
    model, whose weights are rounded, for another program's, and where the comparison fails.
    """
    import onnx

    recognizer = Recognizer.load(path, threads=1)
    info = recognizer.info
    if info.precision != "float32":
        raise ModelError(f"{path} is quantised ({info.precision}), which cannot be trained on; name the float32 model")
    graph = onnx.load_model_from_string(path.read_bytes()).graph
    stored = {constant.name: onnx.numpy_helper.to_array(constant) for constant in graph.initializer}
    operators = [node.op_type for node in graph.node]
    try:
        spec = ClassifierSpec(
            network=info.network,
            image_shape=info.image_shape,
            class_names=info.class_names,
            mean=tuple(float(value) / 255 for value in stored["mean"].ravel()),
            std=tuple(1 / (255 * float(value)) for value in stored["scale"].ravel()),
            options=_options(info.network, stored, operators),
            shift_averaging="margins" in stored,
        )
        classifier = Classifier(spec).eval()
        _fill(classifier.body, stored)
    except (KeyError, IndexError, ModelError, RuntimeError) as error:
        raise ModelError(
            f"{path} does not hold the weights of a network '{info.network}' as this version writes them ({error}); "
            "transfer from the run it was exported from"
        ) from error
    _require_equal(classifier, recognizer, path)
    return classifier, info


def _options(network: str, stored: Stored, operators: list[str]) -> dict[str, Any]:
    """The network's options, read off the shapes of its weights and the operators between them.

    Dropout leaves no trace; its default is taken.
    """
    maps = [len(values) for name, values in stored.items() if name.endswith(".weight") and values.ndim == 4]
    hidden = [
        len(values)
        for name, values in stored.items()
        if name.endswith(".weight") and values.ndim == 2 and name != "output.weight"
    ]
    activation = next((_ACTIVATION_OF[operator] for operator in operators if operator in _ACTIVATION_OF), None)
    if activation is None and "Sigmoid" in operators:
        activation = "silu" if operators[operators.index("Sigmoid") + 1] == "Mul" else "sigmoid"
    found: dict[str, Any] = {}
    for option in registry.option_specs(network):
        if option == "widths":
            found[option] = maps
        elif option == "hidden":
            found[option] = hidden if network == "mlp" else hidden[0]
        elif option == "width":
            found[option] = maps[0]
        elif option == "depth":
            found[option] = maps.count(4 * maps[0])
        elif option == "activation" and activation is not None:
            found[option] = activation
    return found


def _fill(network: nn.Module, stored: Stored) -> None:
    """Give each layer its values; a norm that was folded into the layer before it is left to add that one's bias."""
    layers = [(name, layer) for name, layer in network.named_modules() if not list(layer.children())]
    with torch.no_grad():
        for place, (name, layer) in enumerate(layers):
            following = layers[place + 1][1] if place + 1 < len(layers) else None
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.copy_(_tensor(stored, f"{name}.weight"))
                norm = following if isinstance(following, nn.BatchNorm1d | nn.BatchNorm2d) else None
                if layer.bias is not None:
                    layer.bias.copy_(_tensor(stored, f"{name}.bias"))
                if norm is not None:
                    shift = torch.zeros_like(norm.bias) if layer.bias is not None else _tensor(stored, f"{name}.bias")
                    _set_norm(norm, torch.ones_like(norm.weight), shift)
            elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and f"{name}.scale" in stored:
                scale, shift = (_tensor(stored, f"{name}.{part}").ravel() for part in ("scale", "shift"))
                _set_norm(layer, scale, shift)


def _set_norm(norm: nn.BatchNorm1d | nn.BatchNorm2d, scale: Tensor, shift: Tensor) -> None:
    """x -> x * scale + shift, as a batch norm in evaluation mode."""
    assert norm.running_mean is not None and norm.running_var is not None, norm
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    norm.weight.copy_(scale)
    norm.bias.copy_(shift)


def _tensor(stored: Stored, name: str) -> Tensor:
    return torch.from_numpy(np.array(stored[name], dtype=np.float32))


def _require_equal(classifier: Classifier, recognizer: Recognizer, path: Path) -> None:
    """The rebuilt network must answer as the file does."""
    channels, height, width = classifier.spec.image_shape
    shape = (_CHECKED_GLYPHS, height, width) if channels == 1 else (_CHECKED_GLYPHS, height, width, channels)
    glyphs = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    logits = predict(classifier, torch.from_numpy(glyphs)) / recognizer.info.temperature
    difference = np.abs(torch.softmax(logits, dim=1).numpy() - recognizer.predict_glyphs(glyphs)).max()
    if not difference <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"{path}: the network '{classifier.spec.network}' rebuilt from it answers otherwise (a probability differs "
            f"by {difference:.1e}); transfer from the run it was exported from"
        )
