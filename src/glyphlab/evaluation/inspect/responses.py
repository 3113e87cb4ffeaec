"""What each filter of a convolution answers to an image: as `cv2.filter2D` gives it, and as the layer itself does.

A filter's response at a place is the sum of the products of its weights with what lies below it, over all input
channels. `cv2.filter2D` computes that (a correlation, as in all convolutional networks) at every pixel and mirrors the
image at its border (BORDER_REFLECT_101). The layer differs in four ways, all of which can be undone: it pads with
zeros, may leave out the border, may step over pixels, and adds a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.colours import SIGNED, Scale, as_rgb, paint, reach
from glyphlab.evaluation.inspect.filters import filter_pictures
from glyphlab.evaluation.inspect.layers import array, find_convolution, watch
from glyphlab.evaluation.inspect.tiles import Tile, draw_tiles, in_rows
from glyphlab.networks.classifier import Classifier

Floats: TypeAlias = NDArray[np.float32]
Border: TypeAlias = Literal["reflect", "zero"]

BORDERS: dict[Border, str] = {
    "reflect": "mirrored at the border, as cv2.filter2D does (BORDER_REFLECT_101)",
    "zero": "zeros beyond the border, as the layer has them (BORDER_CONSTANT)",
}
MOST_DRAWN = 32


@dataclass(frozen=True, eq=False)
class Responses:
    """One layer's answers to one image.

    inputs: float32 [C, H, W], what the layer was given: for the first layer the image as normalised.
    filters: float32 [out, in, kh, kw].
    filtered: float32 [out, H, W], the filters' responses, as cv2.filter2D gives them with this `border`.
    outputs: float32 [out, H', W'], what the layer made of it, before any activation function.
    settings: how the layer differs from filter2D, in words.
    difference: the largest absolute difference between `outputs` and the responses with zeros beyond the border, taken
        at the layer's places and with its bias: rounding only.
    """

    layer: str
    inputs: Floats
    filters: Floats
    filtered: Floats
    outputs: Floats
    border: Border
    settings: str
    difference: float


def responses_of(
    classifier: Classifier, layer: str | int, image: NDArray[np.uint8], border: Border = "reflect"
) -> Responses:
    """The responses of a convolution's filters to an image, and the layer's own outputs.

    layer: name or number, counted from 1. image: uint8 [H, W] or [H, W, 3]. Raises `ModelError` and `ImageError`.
    """
    name, convolution = find_convolution(classifier, layer)
    if convolution.padding_mode != "zeros":
        raise ModelError(f"layer '{name}' pads with '{convolution.padding_mode}'; responses are known for zeros only")
    seen = next(one for one in watch(classifier, image) if one.name == name)
    inputs, outputs, weights = array(seen.given[0]), array(seen.made[0]), array(convolution.weight)
    again = at_the_layers_places(inputs, convolution, outputs.shape[1:])
    return Responses(
        layer=name,
        inputs=inputs,
        filters=weights,
        filtered=filter_responses(inputs, spread(weights, convolution.dilation), border),
        outputs=outputs,
        border=border,
        settings=_settings(convolution),
        difference=float(np.abs(again - outputs).max(initial=0.0)),
    )


def filter_responses(inputs: Floats, weights: Floats, border: Border = "reflect") -> Floats:
    """The response of each filter at each pixel; what cv2.filter2D gives, summed over the input channels.

    inputs: float32 [C, H, W]. weights: float32 [out, in, kh, kw]; where in is a part of C, the filters come in C / in
    groups, each for its own channels. Returns float32 [out, H, W]; sums are made in float64.
    A kernel of even size is anchored right of and below its middle, as in OpenCV.
    """
    height, width = weights.shape[2:]
    before, after = (height // 2, width // 2), ((height - 1) // 2, (width - 1) // 2)
    margins = ((0, 0), (before[0], after[0]), (before[1], after[1]))
    padded = np.pad(inputs, margins, mode="reflect") if border == "reflect" else np.pad(inputs, margins)
    groups = len(inputs) // weights.shape[1]
    summed = F.conv2d(
        torch.from_numpy(padded.astype(np.float64))[None], torch.from_numpy(weights.astype(np.float64)), groups=groups
    )
    return array(summed[0])


def at_the_layers_places(inputs: Floats, convolution: nn.Conv2d, size: tuple[int, ...]) -> Floats:
    """A layer's outputs, made from `filter_responses`: zeros beyond the border, its padding, stride and bias.

    inputs: float32 [C, H, W]. size: height and width of the outputs. Returns float32 [out, *size].
    """
    weights = spread(array(convolution.weight), convolution.dilation)
    rows, columns = (
        _places(kernel, pad, step, count)
        for kernel, pad, step, count in zip(
            weights.shape[2:], _padding(convolution), convolution.stride, size, strict=True
        )
    )
    # Where a layer pads by more than half a kernel, its first places lie outside the image.
    extra = max(0, -rows[0], -columns[0], rows[-1] - inputs.shape[1] + 1, columns[-1] - inputs.shape[2] + 1)
    widened = np.pad(inputs, ((0, 0), (extra, extra), (extra, extra)))
    responses = filter_responses(widened, weights, "zero")[:, rows[:, None] + extra, columns + extra]
    return responses if convolution.bias is None else responses + array(convolution.bias)[:, None, None]


def spread(weights: Floats, dilation: tuple[int, ...]) -> Floats:
    """Kernels with the gaps that a dilation leaves written out as zeros: [out, in, (kh - 1) * dilation + 1, ...]."""
    if all(step == 1 for step in dilation):
        return weights
    extents = [(side - 1) * step + 1 for side, step in zip(weights.shape[2:], dilation, strict=True)]
    wide = np.zeros((*weights.shape[:2], *extents), dtype=np.float32)
    wide[:, :, :: dilation[0], :: dilation[1]] = weights
    return wide


def draw_responses(responses: Responses, image: NDArray[np.uint8], path: Path, heading: str) -> None:
    """Draw each filter beside its response and the layer's own output; the format follows the suffix.

    image: the one they answer, uint8 [H, W] or [H, W, 3]. Beyond `MOST_DRAWN` filters, those that answer strongest are
    drawn. Raises `RunError` when the file cannot be written.
    """
    strength = np.square(responses.filtered, dtype=np.float64).mean(axis=(1, 2))
    chosen = np.sort(np.argsort(-strength, kind="stable")[:MOST_DRAWN])
    pictures, filter_scale, meaning = filter_pictures(responses.filters)
    filtered, outputs = _signed(responses.filtered, "response"), _signed(responses.outputs, "the layer's output")
    answers = paint(responses.filtered, filtered), paint(responses.outputs, outputs)
    tiles: list[Tile | None] = [Tile(as_rgb(image), "the image"), None, None]
    for number in chosen.tolist():
        tiles += [Tile(pictures[number], f"filter {number}"), Tile(answers[0][number], "filter2D")]
        tiles.append(Tile(answers[1][number], "layer"))

    count, _, height, width = responses.filters.shape
    given, made = ("x".join(map(str, maps.shape)) for maps in (responses.inputs, responses.outputs))
    drawn = "" if len(chosen) == count else f"; the {len(chosen)} that answer strongest are drawn"
    lines = [
        f"{count} filters of {height}x{width}{drawn}; the layer is given {given} and makes {made}",
        f"filter: {meaning}",
        f"filter2D: the filter alone on what the layer is given, {BORDERS[responses.border]}",
        f"layer: its own output ({responses.settings}), before any activation function; made from the responses it is "
        f"the same to {responses.difference:.0e}",
    ]
    scales = [scale for scale in (filter_scale, filtered, outputs) if scale is not None]
    title = f"{heading}: what its filters answer"
    draw_tiles(in_rows(tiles, group=3), path, title, lines, group=3, scales=scales, tile_inches=0.78)


def _signed(values: Floats, label: str) -> Scale:
    limit = reach(values)
    return Scale(label, -limit, limit, SIGNED)


def _settings(convolution: nn.Conv2d) -> str:
    pads, steps = _padding(convolution), convolution.stride
    words = [f"{max(pads)} pixels of zeros around it" if max(pads) else "no padding"]
    words += [f"stride {max(steps)}"] if max(steps) > 1 else []
    words.append("with its bias" if convolution.bias is not None else "no bias")
    return ", ".join(words)


def _padding(convolution: nn.Conv2d) -> tuple[int, int]:
    """Rows and columns of zeros before the image."""
    if isinstance(convolution.padding, str):
        if convolution.padding == "valid":
            return 0, 0
        extents = zip(convolution.kernel_size, convolution.dilation, strict=True)
        rows, columns = ((side - 1) * step // 2 for side, step in extents)
        return rows, columns
    rows, columns = convolution.padding
    return rows, columns


def _places(kernel: int, pad: int, step: int, count: int) -> NDArray[np.int64]:
    """The pixels, along one side, below the anchor of the kernel; some may lie outside the image."""
    return np.arange(count, dtype=np.int64) * step - pad + kernel // 2
