"""A classifier as an ONNX graph, written layer by layer.

torch's own exporters need a further package (onnxscript) or print warnings, and both choose names and operators
by version. Our networks are sequences of a dozen kinds of layer, so that the graph is written here: the same
for every version of torch, with the names the layers have. Scaling, normalisation, temperature and softmax are
inside; batch norm behind a convolution or linear layer is folded into it, in float64; dropout is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from glyphlab import __version__
from glyphlab.errors import ModelError
from glyphlab.networks.classifier import SHIFTS, Classifier, evaluating
from glyphlab.networks.layers import GlobalAvgPool2d
from glyphlab.networks.resnet import Bottleneck
from glyphlab.recognition.modelfile import INPUT, IR_VERSION, METADATA_KEY, OPSET, OUTPUT, ModelInfo

Values = NDArray[np.float64]


def build_model(classifier: Classifier, info: ModelInfo) -> onnx.ModelProto:
    """The classifier, in evaluation mode, as a whole model with `info` as its metadata, checked by onnx.checker.

    Input `glyphs`: uint8 [N, H, W] or [N, H, W, 3]. Output `probabilities`: float32 [N, K], softmax of the
    logits divided by info.temperature. Raises `ModelError` for a layer that this cannot express.
    """
    graph = _Graph()
    channels, height, width = info.image_shape
    pixels = graph.to_channels_first(channels)
    normalised = graph.normalise(pixels, classifier)
    if classifier.spec.shift_averaging:
        logits = _append_network(graph, classifier, graph.shifted(normalised, height, width))
        logits = graph.mean_of_views(logits, len(info.class_names))
    else:
        logits = _append_network(graph, classifier, normalised)
    cooled = graph.add("Div", "cooled", logits, graph.constant("temperature", np.array(info.temperature)))
    graph.add("Softmax", OUTPUT, cooled, axis=1)

    glyph_shape = [height, width] if channels == 1 else [height, width, channels]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "glyphlab",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", *glyph_shape])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(info.class_names)])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="glyphlab",
        producer_version=__version__,
    )
    helper.set_model_props(model, {METADATA_KEY: info.to_json()})
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants, in order. Every value is float32 but for what is said to be otherwise."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, which is called as the node is. Returns its name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: NDArray[Any], dtype: type[np.generic] = np.float32) -> str:
        """Stored values. Returns their name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype), name))
        return name

    def to_channels_first(self, channels: int) -> str:
        """The input as uint8 [N, C, H, W]."""
        if channels == 1:
            return self.add("Unsqueeze", "channels", INPUT, self.constant("channel_axis", np.array([1]), np.int64))
        return self.add("Transpose", "channels", INPUT, perm=(0, 3, 1, 2))

    def normalise(self, pixels: str, classifier: Classifier) -> str:
        """(pixels / 255 - mean) / std, as (pixels - 255 mean) * (1 / (255 std))."""
        mean, std = (_values(part)[None] for part in (classifier.mean, classifier.std))
        floats = self.add("Cast", "pixels", pixels, to=TensorProto.FLOAT)
        centred = self.add("Sub", "centred", floats, self.constant("mean", 255 * mean))
        return self.add("Mul", "normalised", centred, self.constant("scale", 1 / (255 * std)))

    def shifted(self, images: str, height: int, width: int) -> str:
        """As `classifier.shifted`."""
        margins = self.constant("margins", np.array([0, 0, 1, 1, 0, 0, 1, 1]), np.int64)
        wider = self.add("Pad", "wider", images, margins, mode="edge")
        axes = self.constant("sides", np.array([2, 3]), np.int64)
        views = []
        for number, (down, right) in enumerate(SHIFTS):
            top, left = 1 + down, 1 + right
            starts = self.constant(f"view{number}.starts", np.array([top, left]), np.int64)
            ends = self.constant(f"view{number}.ends", np.array([top + height, left + width]), np.int64)
            views.append(self.add("Slice", f"view{number}", wider, starts, ends, axes))
        return self.add("Concat", "views", *views, axis=0)

    def mean_of_views(self, logits: str, classes: int) -> str:
        """[5 N, K] -> [N, K]."""
        shape = self.constant("views_apart", np.array([len(SHIFTS), -1, classes]), np.int64)
        return self.add(
            "ReduceMean", "mean_of_views", self.add("Reshape", "apart", logits, shape), axes=[0], keepdims=0
        )


def _append_network(graph: _Graph, classifier: Classifier, value: str) -> str:
    """The layers of the network, each under its own name. Returns the name of the logits."""
    pooled = _adaptively_pooled(classifier)
    body = classifier.body
    return _append_layers(
        graph, _layers(body) if isinstance(body, nn.Sequential) else [("network", body)], value, pooled
    )


def _append_layers(
    graph: _Graph, layers: list[tuple[str, nn.Module]], value: str, pooled: dict[nn.Module, tuple[int, int]]
) -> str:
    """Layers in order of execution. pooled: height and width of what adaptive poolings are given."""
    place = 0
    while place < len(layers):
        name, layer = layers[place]
        following = layers[place + 1][1] if place + 1 < len(layers) else None
        if isinstance(layer, nn.Conv2d | nn.Linear):
            norm = following if isinstance(following, nn.BatchNorm2d | nn.BatchNorm1d) else None
            value = _append_weighted(graph, name, layer, norm, value)
            place += norm is not None
        elif isinstance(layer, Bottleneck):
            value = _append_bottleneck(graph, name, layer, value)
        elif isinstance(layer, nn.AdaptiveAvgPool2d) and _pair(layer.output_size) != [1, 1]:
            value = _append_adaptive_mean(graph, name, pooled[layer], _pair(layer.output_size), value)
        elif not isinstance(layer, nn.Dropout | nn.Dropout2d | nn.Identity):
            append = _LAYERS.get(type(layer))
            if append is None:
                raise _inexpressible(name, layer)
            value = append(graph, name, layer, value)
        place += 1
    return value


def _layers(network: nn.Module, prefix: str = "") -> list[tuple[str, nn.Module]]:
    """The layers in order of execution, sequences within sequences opened up."""
    if not isinstance(network, nn.Sequential):
        return [(prefix or "network", network)]
    return [
        found
        for name, layer in network.named_children()
        for found in _layers(layer, f"{prefix}.{name}" if prefix else name)
    ]


def _append_bottleneck(graph: _Graph, name: str, block: Bottleneck, value: str) -> str:
    """relu(x + f(x)), as `Bottleneck.forward` has it."""
    activation = nn.ReLU()
    parts = [("conv1", block.conv1), ("bn1", block.bn1), ("relu1", activation)]
    parts += [("conv2", block.conv2), ("bn2", block.bn2), ("relu2", activation)]
    parts += [("conv3", block.conv3), ("bn3", block.bn3)]
    change = _append_layers(graph, [(f"{name}.{part}", layer) for part, layer in parts], value, {})
    if block.downsample is not None:
        value = _append_layers(graph, _layers(block.downsample, f"{name}.downsample"), value, {})
    return graph.add("Relu", name, graph.add("Add", f"{name}.sum", change, value))


def _adaptively_pooled(classifier: Classifier) -> dict[nn.Module, tuple[int, int]]:
    """Height and width of the maps that each adaptive pooling is given, found by sending an image through."""
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sizes[layer] = (inputs[0].shape[2], inputs[0].shape[3])

    layers = [layer for layer in classifier.modules() if isinstance(layer, nn.AdaptiveAvgPool2d)]
    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    try:
        if layers:
            with evaluating(classifier):
                classifier(classifier.mean.new_zeros(1, *classifier.spec.image_shape))
    finally:
        for handle in handles:
            handle.remove()
    return sizes


def _append_adaptive_mean(graph: _Graph, name: str, size: tuple[int, int], wanted: list[int], value: str) -> str:
    """An adaptive average pooling to more than one value: a matrix of means on either side of each map."""
    if list(size) == wanted:
        return graph.add("Identity", name, value)
    rows, columns = (_means(extent, cells) for extent, cells in zip(size, wanted, strict=True))
    shorter = graph.add("MatMul", f"{name}.rows", graph.constant(f"{name}.row_means", rows), value)
    return graph.add("MatMul", name, shorter, graph.constant(f"{name}.column_means", columns.T))


def _means(extent: int, cells: int) -> Values:
    """The matrix [cells, extent] of torch's adaptive means: cell i covers floor(i*n/k) to ceil((i+1)*n/k)."""
    matrix = np.zeros((cells, extent))
    for cell in range(cells):
        start, end = cell * extent // cells, -(-(cell + 1) * extent // cells)
        matrix[cell, start:end] = 1 / (end - start)
    return matrix


def _append_weighted(
    graph: _Graph, name: str, layer: nn.Conv2d | nn.Linear, norm: nn.BatchNorm2d | nn.BatchNorm1d | None, value: str
) -> str:
    """A convolution or linear layer, with the batch norm behind it folded in."""
    weight = _values(layer.weight)
    bias = None if layer.bias is None else _values(layer.bias)
    if norm is not None:
        scale, shift = _scale_and_shift(norm)
        weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
        bias = shift if bias is None else bias * scale + shift
    inputs = [value, graph.constant(f"{name}.weight", weight)]
    if bias is not None:
        inputs.append(graph.constant(f"{name}.bias", bias))
    if isinstance(layer, nn.Linear):
        return graph.add("Gemm", name, *inputs, transB=1)
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise _inexpressible(name, layer)
    return graph.add(
        "Conv",
        name,
        *inputs,
        kernel_shape=list(layer.kernel_size),
        strides=list(layer.stride),
        pads=list(layer.padding) * 2,
        dilations=list(layer.dilation),
        group=layer.groups,
    )


def _scale_and_shift(norm: nn.BatchNorm2d | nn.BatchNorm1d) -> tuple[Values, Values]:
    """A batch norm in evaluation mode as x * scale + shift, per channel."""
    assert norm.running_mean is not None and norm.running_var is not None, norm
    scale = 1 / np.sqrt(_values(norm.running_var) + norm.eps)
    if norm.affine:
        scale = scale * _values(norm.weight)
    shift = -_values(norm.running_mean) * scale
    return scale, shift + _values(norm.bias) if norm.affine else shift


def _append_norm(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    assert isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d)
    parts = _scale_and_shift(layer)
    shape = (1, -1, 1, 1) if isinstance(layer, nn.BatchNorm2d) else (1, -1)
    scale, shift = (
        graph.constant(f"{name}.{part}", values.reshape(shape))
        for part, values in zip(("scale", "shift"), parts, strict=True)
    )
    return graph.add("Add", name, graph.add("Mul", f"{name}.scaled", value, scale), shift)


def _append_pool(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    assert isinstance(layer, nn.MaxPool2d | nn.AvgPool2d)
    operator = "MaxPool" if isinstance(layer, nn.MaxPool2d) else "AveragePool"
    settings: dict[str, Any] = {
        "kernel_shape": _pair(layer.kernel_size),
        "strides": _pair(layer.stride if layer.stride is not None else layer.kernel_size),
        "pads": _pair(layer.padding) * 2,
        "ceil_mode": int(layer.ceil_mode),
    }
    if isinstance(layer, nn.MaxPool2d):
        settings["dilations"] = _pair(layer.dilation)
    elif layer.divisor_override is not None or layer.ceil_mode:
        raise _inexpressible(name, layer)
    else:
        settings["count_include_pad"] = int(layer.count_include_pad)
    return graph.add(operator, name, value, **settings)


def _append_global_pool(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    assert isinstance(layer, nn.AdaptiveMaxPool2d | nn.AdaptiveAvgPool2d)
    if _pair(layer.output_size) != [1, 1]:
        raise _inexpressible(name, layer)
    kind = "Max" if isinstance(layer, nn.AdaptiveMaxPool2d) else "Average"
    return graph.add(f"Global{kind}Pool", name, value)


def _append_flatten(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    assert isinstance(layer, nn.Flatten)
    if (layer.start_dim, layer.end_dim) != (1, -1):
        raise _inexpressible(name, layer)
    return graph.add("Flatten", name, value, axis=1)


def _append_gelu(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    """x / 2 * (1 + erf(x / sqrt 2)): an operator of its own only since opset 20."""
    assert isinstance(layer, nn.GELU)
    if layer.approximate != "none":
        raise _inexpressible(name, layer)
    root, one, half = (
        graph.constant(f"{name}.{word}", np.array(number))
        for word, number in (("root", math.sqrt(2)), ("one", 1.0), ("half", 0.5))
    )
    error = graph.add("Erf", f"{name}.erf", graph.add("Div", f"{name}.divided", value, root))
    doubled = graph.add("Mul", f"{name}.doubled", value, graph.add("Add", f"{name}.raised", error, one))
    return graph.add("Mul", name, doubled, half)


def _append_silu(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    return graph.add("Mul", name, value, graph.add("Sigmoid", f"{name}.sigmoid", value))


def _append_leaky_relu(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    assert isinstance(layer, nn.LeakyReLU)
    return graph.add("LeakyRelu", name, value, alpha=float(layer.negative_slope))


def _append_elu(graph: _Graph, name: str, layer: nn.Module, value: str) -> str:
    assert isinstance(layer, nn.ELU)
    return graph.add("Elu", name, value, alpha=float(layer.alpha))


def _plain(operator: str) -> Callable[[_Graph, str, nn.Module, str], str]:
    """A layer that is one operator without settings."""
    return lambda graph, name, layer, value: graph.add(operator, name, value)


_LAYERS: dict[type[nn.Module], Callable[[_Graph, str, nn.Module, str], str]] = {
    nn.BatchNorm1d: _append_norm,
    nn.BatchNorm2d: _append_norm,
    nn.MaxPool2d: _append_pool,
    nn.AvgPool2d: _append_pool,
    nn.AdaptiveMaxPool2d: _append_global_pool,
    nn.AdaptiveAvgPool2d: _append_global_pool,
    GlobalAvgPool2d: _append_global_pool,
    nn.Flatten: _append_flatten,
    nn.ReLU: _plain("Relu"),
    nn.Tanh: _plain("Tanh"),
    nn.Sigmoid: _plain("Sigmoid"),
    nn.GELU: _append_gelu,
    nn.SiLU: _append_silu,
    nn.LeakyReLU: _append_leaky_relu,
    nn.ELU: _append_elu,
}


def _values(tensor: Tensor) -> Values:
    values: Values = tensor.detach().cpu().double().numpy()
    return values


def _pair(value: Any) -> list[int]:
    """Both directions of a setting that torch allows to be one number."""
    return [int(part) for part in value] if isinstance(value, tuple | list) else [int(value)] * 2


def _inexpressible(name: str, layer: nn.Module) -> ModelError:
    known = ", ".join(sorted(kind.__name__ for kind in (nn.Conv2d, nn.Linear, Bottleneck, *_LAYERS)))
    return ModelError(
        f"the layer '{name}' ({' '.join(str(layer).split())[:120]}) cannot be written to a model file; "
        f"expected a sequence of {known} in their usual forms"
    )
