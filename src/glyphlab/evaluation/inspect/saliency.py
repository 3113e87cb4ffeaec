"""On which pixels an answer rests: three methods that disagree in instructive ways.

Each explains one logit, the network's score for a class before softmax, which unlike a probability does not saturate:

  integrated gradients   what each pixel adds to the score, compared with an empty image; the parts add up to the whole
                         (Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", ICML 2017)
  Grad-CAM               where the last maps speak for the class, coarse, but never fooled by single pixels
                         (Selvaraju et al., "Grad-CAM", ICCV 2017)
  occlusion              how far the score falls when a patch is hidden; needs no gradients
                         (Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.layers import (
    answering,
    array,
    blocks,
    find_convolution,
    image_pixels,
    layer_names,
    recording,
)
from glyphlab.networks.classifier import Classifier, evaluating
from glyphlab.networks.layers import ACTIVATION_MODULES

Floats: TypeAlias = NDArray[np.float32]

LARGEST_GAP = 0.01
_FIRST_PIECES, _NODES = 8, 4
_MOST_STEPS = 1024
_REFINED = 0.7  # share of the error in the pieces that are halved at a time
_ACTIVATIONS = tuple(ACTIVATION_MODULES.values())
_BATCH_VALUES = 2_000_000  # pixels a batch, so that large pictures do not fill the memory


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each input value adds to a class's score, compared with the baseline.

    values: float32 [C, H, W]; their sum is `score` - `baseline_score`, but for the numerical integration's error.
    gap: that error as a share of the difference. steps: gradients that were taken.
    """

    values: Floats
    score: float
    baseline_score: float
    gap: float
    steps: int


def empty_image(classifier: Classifier) -> Tensor:
    """An image that says nothing, float32 [1, C, H, W] in 0..1: black for glyphs, the mean colour for colour images."""
    channels, height, width = classifier.spec.image_shape
    level = torch.zeros_like(classifier.mean) if channels == 1 else classifier.mean
    return level.expand(1, channels, height, width).contiguous()


def integrated_gradients(
    classifier: Classifier,
    image: NDArray[np.uint8],
    target: int,
    *,
    largest_gap: float = LARGEST_GAP,
    most_steps: int = _MOST_STEPS,
) -> Attribution:
    """Integrated gradients of the logit `target` along the straight line from `empty_image` to the image.

    image: uint8 [H, W] or [H, W, 3]. The line is cut into pieces with a Gauss-Legendre quadrature each. As the parts of
    each piece must add up to what the score gains along it, it is known where the error lies: the worst pieces are
    halved until the whole is within `largest_gap`, or `most_steps` gradients were taken. The gap that is left is in
    the answer. Raises `ImageError`.
    """
    line = _Line(classifier, image_pixels(classifier, image), empty_image(classifier), target)
    edges = np.linspace(0.0, 1.0, _FIRST_PIECES + 1).tolist()
    scores = line.scores(edges)
    pieces = line.pieces(list(pairwise(zip(edges, scores, strict=True))))
    steps = _NODES * len(pieces)
    gain = scores[-1] - scores[0]
    while True:
        gap = abs(sum(piece.error for piece in pieces)) / max(abs(gain), 1e-12)
        if gap <= largest_gap or steps >= most_steps:
            values = torch.stack([piece.values for piece in pieces]).sum(dim=0, dtype=torch.float64)
            return Attribution(array(values), scores[-1], scores[0], gap, steps)
        worst = _worst(pieces)
        middles = [(piece.start[0] + piece.end[0]) / 2 for piece in worst]
        halves: list[tuple[_Place, _Place]] = []
        for piece, middle, score in zip(worst, middles, line.scores(middles), strict=True):
            halves += [(piece.start, (middle, score)), ((middle, score), piece.end)]
        pieces = [piece for piece in pieces if piece not in worst] + line.pieces(halves)
        steps += _NODES * len(halves)


def grad_cam(classifier: Classifier, image: NDArray[np.uint8], target: int, layer: str | int | None = None) -> Floats:
    """Grad-CAM of the logit `target`: float32 [H, W], the size of the image, 0 or more.

    layer: the convolution whose maps speak, default the last; they are taken behind its activation function, where
    they say what was found and no longer what was not. Each map counts by the mean of its gradient; what speaks against
    the class is cut off; the result is enlarged bilinearly. It is most telling where the maps are pooled as wholes
    behind the layer; where each place has weights of its own, the mean over places blurs what they say.

    Raises `ModelError` (no convolutions, no such layer) and `ImageError`.
    """
    names = layer_names(classifier)
    name, _ = find_convolution(classifier, layer if layer is not None else len(names) or 1)
    pixels = image_pixels(classifier, image).requires_grad_()
    with answering(classifier), recording(classifier) as passes:
        logit = classifier(pixels)[0, target]
        block = next(block for block in blocks(passes) if block[0].name == name)
        activated = [one.made for one in block if isinstance(one.layer, _ACTIVATIONS)]
        maps = activated[-1] if activated else block[0].made
        (gradient,) = torch.autograd.grad(logit, maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = (weights * maps).sum(dim=1, keepdim=True).relu()
    return array(F.interpolate(heat, size=pixels.shape[-2:], mode="bilinear", align_corners=False)[0, 0])


def occlusion(
    classifier: Classifier,
    image: NDArray[np.uint8],
    target: int,
    *,
    patch: int | None = None,
    stride: int | None = None,
) -> Floats:
    """How far the logit `target` falls when a square around a pixel is hidden: float32 [H, W]; below 0: it rises.

    image: uint8 [H, W] or [H, W, 3]. patch: side of the square in pixels, default a sixth of the image's shorter side.
    stride: from one square to the next, default a quarter of its side, or half of it on images above 64 pixels, where
    each square costs a pass through a large network. A square shows `empty_image`, may reach over the
    border, and each pixel has the mean over the squares that hide it. Raises `ImageError`; `ModelError` for a patch or
    stride below 1.
    """
    pixels, blank = image_pixels(classifier, image), empty_image(classifier)
    height, width = pixels.shape[-2:]
    patch = max(3, min(height, width) // 6) if patch is None else patch
    stride = max(1, patch // (4 if min(height, width) <= 64 else 2)) if stride is None else stride
    if patch < 1 or stride < 1:
        raise ModelError(f"occlusion with patch {patch} and stride {stride}; expected 1 or more of both")
    falls = torch.zeros(height, width, dtype=torch.float64)
    hidden = torch.zeros_like(falls)
    squares = list(_squares(height, width, patch, min(stride, patch)))
    batch = max(1, _BATCH_VALUES // pixels.numel())
    with evaluating(classifier):
        whole = float(classifier(pixels)[0, target])
        for start in range(0, len(squares), batch):
            part = squares[start : start + batch]
            covered = pixels.repeat(len(part), 1, 1, 1)
            for one, (rows, columns) in zip(covered, part, strict=True):
                one[:, rows, columns] = blank[0, :, rows, columns]
            for (rows, columns), score in zip(part, classifier(covered)[:, target].tolist(), strict=True):
                falls[rows, columns] += whole - score
                hidden[rows, columns] += 1
    return array(falls / hidden)


_Place: TypeAlias = tuple[float, float]  # how far along the line, 0 to 1, and the score there


@dataclass(frozen=True, eq=False)
class _Piece:
    """A piece of the line with its attribution, float32 [C, H, W]. error: by how much that misses the score's gain."""

    start: _Place
    end: _Place
    values: Tensor
    error: float


@dataclass(frozen=True, eq=False)
class _Line:
    """The straight line from the baseline to an image, both float32 [1, C, H, W], and a class's logit along it."""

    classifier: Classifier
    pixels: Tensor
    baseline: Tensor
    target: int

    def scores(self, places: Sequence[float]) -> list[float]:
        """The logit at places along the line."""
        with evaluating(self.classifier):
            return [float(s) for part in self._batches(places) for s in self.classifier(part)[:, self.target].double()]

    def pieces(self, ends: Sequence[tuple[_Place, _Place]]) -> list[_Piece]:
        """The pieces between pairs of places."""
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)  # on -1..1, where the weights' sum is 2
        places = [a + (b - a) * (node + 1) / 2 for (a, _), (b, _) in ends for node in nodes.tolist()]
        with answering(self.classifier):
            gradients = torch.cat([self._gradients(part) for part in self._batches(places)])
        lengths = torch.tensor([b - a for (a, _), (b, _) in ends])
        means = torch.einsum(
            "pnchw,n->pchw",
            gradients.view(len(ends), _NODES, *gradients.shape[1:]),
            torch.from_numpy(weights / 2).float(),
        )
        values = means * lengths[:, None, None, None] * (self.pixels - self.baseline).cpu()
        sums = values.sum(dim=(1, 2, 3), dtype=torch.float64).tolist()
        return [
            _Piece(start, end, value, total - (end[1] - start[1]))
            for (start, end), value, total in zip(ends, values, sums, strict=True)
        ]

    def _gradients(self, points: Tensor) -> Tensor:
        points.requires_grad_()
        (gradients,) = torch.autograd.grad(self.classifier(points)[:, self.target].sum(), points)
        return gradients.cpu()

    def _batches(self, places: Sequence[float]) -> Iterator[Tensor]:
        size = max(1, _BATCH_VALUES // self.pixels.numel())
        for first in range(0, len(places), size):
            along = torch.tensor(places[first : first + size]).to(self.pixels)[:, None, None, None]
            yield self.baseline + along * (self.pixels - self.baseline)


def _worst(pieces: list[_Piece]) -> list[_Piece]:
    """The pieces that make up most of the error, worst first."""
    ordered = sorted(pieces, key=lambda piece: -abs(piece.error))
    reached = np.cumsum([abs(piece.error) for piece in ordered])
    return ordered[: int(np.searchsorted(reached, _REFINED * reached[-1])) + 1]


def _squares(height: int, width: int, patch: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """Squares that cover an image; those at its border reach over it, so that every pixel is hidden about as often."""
    for top in range(stride - patch, height, stride):
        for left in range(stride - patch, width, stride):
            yield slice(max(top, 0), top + patch), slice(max(left, 0), left + patch)
