"""What a network consists of, layer by layer: shapes, parameters and the work of one image."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class LayerRow:
    """One layer, as it was met when one image went through.

    name: path within the network ("conv1"). kind: its torch class ("Conv2d").
    input_shape, output_shape: of one image, without the batch: (channels, height, width) or (features,).
    parameters: trainable and frozen numbers; 0 where the layer shares them with one above.
    multiply_adds: for one image, see `describe`.
    detail: the layer's settings, short ("5x5, pad 2"). kernel: height and width of a convolution's kernel.
    """

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    detail: str = ""
    kernel: tuple[int, int] | None = None


def describe(network: nn.Module, image_shape: tuple[int, int, int]) -> list[LayerRow]:
    """The leaf layers of `network` in order of execution, for images of (channels, height, width).

    A copy of the network without data (torch's "meta" device) runs once in evaluation mode: the network
    itself, its mode, hooks and batch-norm statistics are untouched, and nothing is computed.

    Multiply-adds follow the usual convention: a convolution has (numbers put out) x kernel height x kernel
    width x input channels / groups of them, a linear layer inputs x outputs; biases, norms, activations and
    poolings count 0.
    """
    ghost = copy.deepcopy(network).to("meta").eval()
    rows: list[LayerRow] = []
    counted: set[int] = set()  # ids of parameters, to count shared ones once

    def record(name: str) -> Callable[[nn.Module, tuple[Any, ...], torch.Tensor], None]:
        def hook(layer: nn.Module, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
            fresh = [parameter for parameter in layer.parameters() if id(parameter) not in counted]
            counted.update(map(id, fresh))
            rows.append(
                LayerRow(
                    name=name,
                    kind=type(layer).__name__,
                    input_shape=tuple(inputs[0].shape[1:]),
                    output_shape=tuple(output.shape[1:]),
                    parameters=sum(parameter.numel() for parameter in fresh),
                    multiply_adds=_multiply_adds(layer, output),
                    detail=_detail(layer),
                    kernel=_pair(layer.kernel_size) if isinstance(layer, nn.Conv2d) else None,
                )
            )

        return hook

    for name, layer in ghost.named_modules():
        if not any(True for _ in layer.children()):
            layer.register_forward_hook(record(name))
    dtype = next((parameter.dtype for parameter in ghost.parameters()), torch.float32)
    with torch.no_grad():
        ghost(torch.zeros(1, *image_shape, dtype=dtype, device="meta"))
    return rows


def total_parameters(rows: Sequence[LayerRow]) -> int:
    """Parameters of all layers together."""
    return sum(row.parameters for row in rows)


def total_multiply_adds(rows: Sequence[LayerRow]) -> int:
    """Multiply-adds of all layers for one image."""
    return sum(row.multiply_adds for row in rows)


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people write it: ``10x24x24``."""
    return "x".join(map(str, shape))


def _multiply_adds(layer: nn.Module, output: torch.Tensor) -> int:
    numbers = output[0].numel()
    if isinstance(layer, nn.Conv2d):
        return numbers * math.prod(layer.kernel_size) * layer.in_channels // layer.groups
    if isinstance(layer, nn.Linear):
        return numbers * layer.in_features
    return 0


def _detail(layer: nn.Module) -> str:
    """The settings that a reader of a layer table looks for."""
    match layer:
        case nn.Conv2d():
            parts = [shape_text(layer.kernel_size)]
            if layer.stride != (1, 1):
                parts.append(f"stride {layer.stride[0]}")
            if layer.padding != (0, 0):
                parts.append(f"pad {layer.padding if isinstance(layer.padding, str) else layer.padding[0]}")
            if layer.groups > 1:
                parts.append(f"{layer.groups} groups")
            return ", ".join(parts)
        case nn.MaxPool2d() | nn.AvgPool2d():
            size, stride = _pair(layer.kernel_size), _pair(layer.stride)
            return shape_text(size) + (f", stride {stride[0]}" if stride != size else "")
        case nn.AdaptiveAvgPool2d() | nn.AdaptiveMaxPool2d():
            return f"to {shape_text(_pair(layer.output_size))}"
        case nn.Dropout() | nn.Dropout2d():
            return f"{layer.p:g}"
    return ""


def _pair(size: Any) -> tuple[int, int]:
    """Torch's sizes are a number for both sides or a pair."""
    return (size, size) if isinstance(size, int) else tuple(size)
