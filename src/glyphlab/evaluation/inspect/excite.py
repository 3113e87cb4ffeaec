"""The input that a class likes best: what the network would draw, if it could.

Gradient ascent on pixels (Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks", 2014). Left alone it
finds noise that no one has ever written. What keeps it to strokes is told in Olah, Mordvintsev & Schubert, "Feature
Visualization", Distill 2017: the image is turned, scaled and shifted a little at each step, so that no single pixel can
matter; total variation has a price; a blur fades as the image takes shape. Glyphs also pay for ink near the border.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from glyphlab.errors import ModelError
from glyphlab.evaluation.inspect.colours import as_rgb
from glyphlab.evaluation.inspect.layers import answering, array
from glyphlab.evaluation.inspect.saliency import empty_image
from glyphlab.evaluation.inspect.tiles import Tile, draw_tiles, in_rows
from glyphlab.evaluation.wording import percent, shortened
from glyphlab.networks.classifier import Classifier, evaluating

Floats: TypeAlias = NDArray[np.float32]

# Tried by eye on digits and on letters: readable images on three networks, none of which chose the numbers alone.
_STEPS, _LR = 300, 0.1
_VARIATION = 6.0  # price of the mean difference of neighbouring pixels
_DISTANCE = 1.0  # price of the mean distance from an empty image
_BORDER = 30.0  # what is added to it at a glyph's border
_TURN_DEGREES, _SCALE, _SHIFT = 15.0, 0.2, 0.15  # largest; the shift as a share of half a side
_BLUR_EVERY, _BLUR_SIGMA = 10, 0.8
_ROUNDS, _ENOUGH = 3, 0.5  # a class that stays less probable is begun anew, at half the price


@dataclass(frozen=True, eq=False)
class Excitation:
    """The images found for some classes.

    classes: their numbers. images: float32 [n, C, H, W] in 0..1. probs: float32 [n], the probability of its class that
    each image reaches. scores: float32 [n], the logit.
    """

    classes: tuple[int, ...]
    images: Floats
    probs: Floats
    scores: Floats


def excite(
    classifier: Classifier,
    classes: Sequence[int] | None = None,
    *,
    steps: int = _STEPS,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Excitation:
    """An image for each of `classes` (default: all) that the network is sure of; the same for the same seed.

    steps: of gradient ascent. on_progress: told how much is done, 0 to 1. Raises `ModelError` for a class that does not
    exist.
    """
    known = len(classifier.spec.class_names)
    chosen = tuple(range(known) if classes is None else classes)
    wrong = next((number for number in chosen if not 0 <= number < known), None)
    if wrong is not None:
        raise ModelError(f"no class {wrong}; expected 0 to {known - 1}")
    tell = on_progress or (lambda share: None)
    random = torch.Generator().manual_seed(seed)
    targets = torch.tensor(chosen, device=classifier.mean.device)
    images = empty_image(classifier).repeat(len(chosen), 1, 1, 1)
    for number in range(_ROUNDS):
        probs = _probs(classifier, images, targets)[1]
        poor = torch.arange(len(chosen), device=targets.device) if number == 0 else (probs < _ENOUGH).nonzero()[:, 0]
        if not len(poor):
            break
        found = _ascend(classifier, targets[poor], steps, random, 0.5**number, partial(_tell_round, tell, number))
        better = _probs(classifier, found, targets[poor])[1] > (probs[poor] if number else -1)
        images[poor[better]] = found[better]
    tell(1.0)
    scores, probs = _probs(classifier, images, targets)
    return Excitation(chosen, array(images), array(probs), array(scores))


def draw_excitation(found: Excitation, class_names: Sequence[str], path: Path, heading: str) -> None:
    """Draw the images in a grid, each with its class and the probability reached. Raises `RunError`."""
    pixels = np.rint(found.images * 255).astype(np.uint8)
    tiles = []
    for number, image, prob in zip(found.classes, pixels, found.probs.tolist(), strict=True):
        name = shortened(class_names[number], 10)
        picture = as_rgb(image[0]) if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
        tiles.append(Tile(picture, f"{name}  {percent(prob)}%", wrong=prob < 0.5))
    lines = [
        "found by gradient ascent from noise, kept smooth and steady under small movements; no training image was used",
        "class and the probability that the image reaches; red: less than half",
    ]
    draw_tiles(in_rows(tiles), path, f"{heading}: the input that most excites each class", lines, tile_inches=0.95)


def _ascend(
    classifier: Classifier,
    targets: Tensor,
    steps: int,
    random: torch.Generator,
    price: float,
    tell: Callable[[float], None],
) -> Tensor:
    """Gradient ascent from noise: images, float32 [n, C, H, W] in 0..1, one for each of `targets`.

    price: what all prices are multiplied by.
    """
    blank = empty_image(classifier)
    # Ascent is on what a sigmoid turns into pixels, so that these stay in 0..1 and never stick at an end.
    raw = torch.logit(blank.clamp(0.05, 0.95)) + _noise(len(targets), classifier, random)
    raw.requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=_LR)
    dear = _prices(classifier)
    with answering(classifier):
        for step in range(steps):
            pixels = raw.sigmoid()
            logits = classifier(blank + _moved(pixels - blank, random))
            # The score asks for more of the class, its spread making prices mean the same to every network; the
            # log-probability asks for less of the others.
            score = _of(logits, targets) / logits.detach().std(dim=1).clamp_min(1e-6)
            liked = score + _of(logits.log_softmax(dim=1), targets)
            cost = _VARIATION * _total_variation(pixels) + ((pixels - blank).abs() * dear).mean(dim=(1, 2, 3))
            optimizer.zero_grad()
            (price * min(1.0, 2 * step / steps) * cost - liked).sum().backward()
            optimizer.step()
            if step % _BLUR_EVERY == 0 and step < steps * 3 // 4:
                with torch.no_grad():
                    raw.copy_(_blurred(raw, _BLUR_SIGMA * (1 - step / steps)))
            tell((step + 1) / steps)
    return raw.detach().sigmoid()


def _tell_round(tell: Callable[[float], None], number: int, share: float) -> None:
    tell((number + share) / _ROUNDS)


def _probs(classifier: Classifier, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Logit and probability of each image's own class, float32 [n] each."""
    with evaluating(classifier):
        logits = classifier(images).float()
    return _of(logits, targets), _of(logits.softmax(dim=1), targets)


def _of(values: Tensor, targets: Tensor) -> Tensor:
    """The column of each row's target: [n, K], [n] -> [n]."""
    return values.gather(1, targets[:, None])[:, 0]


def _from_middle(classifier: Classifier) -> tuple[Tensor, Tensor]:
    """Where each pixel lies, from the middle: rows [H, 1] and columns [1, W], -1 to 1."""
    _, height, width = classifier.spec.image_shape
    device = classifier.mean.device
    rows, columns = (torch.linspace(-1, 1, side, device=device) for side in (height, width))
    return rows[:, None], columns[None]


def _noise(count: int, classifier: Classifier, random: torch.Generator) -> Tensor:
    """What ascent begins with: noise that fades from the middle, so that strokes begin there."""
    rows, columns = _from_middle(classifier)
    noise = torch.randn((count, *classifier.spec.image_shape), generator=random).to(rows.device)
    return 0.9 * noise * torch.exp(-(rows**2 + columns**2) / (2 * 0.35**2))


def _prices(classifier: Classifier) -> Tensor:
    """Of a pixel's distance from empty, by its place: [H, W]. A glyph keeps to the middle, a photo need not."""
    rows, columns = _from_middle(classifier)
    outside = (rows.abs().maximum(columns.abs()) - 0.6).clamp_min(0) / 0.4
    return _DISTANCE + (_BORDER * outside if classifier.spec.image_shape[0] == 1 else torch.zeros_like(outside))


def _moved(images: Tensor, random: torch.Generator) -> Tensor:
    """Each image turned, scaled and shifted a little, at random; zeros move in."""
    turn, scale, across, down = (torch.rand(4, len(images), generator=random) * 2 - 1).to(images.device)
    angle, factor = turn * math.radians(_TURN_DEGREES), 1 + scale * _SCALE
    cos, sin = factor * angle.cos(), factor * angle.sin()
    top = torch.stack((cos, -sin, across * _SHIFT), dim=1)
    bottom = torch.stack((sin, cos, down * _SHIFT), dim=1)
    grid = F.affine_grid(torch.stack((top, bottom), dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def _total_variation(images: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels, [B]."""
    down = images.diff(dim=2).abs().mean(dim=(1, 2, 3))
    across = images.diff(dim=3).abs().mean(dim=(1, 2, 3))
    return down + across


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur, the border repeated. sigma: in pixels."""
    radius = max(1, math.ceil(2 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / max(sigma, 1e-3)) ** 2)
    kernel = kernel / kernel.sum()
    channels = images.shape[1]
    padded = F.pad(images, (radius,) * 4, mode="replicate")
    along = kernel.expand(channels, 1, 1, -1)
    return F.conv2d(F.conv2d(padded, along, groups=channels), along.transpose(2, 3), groups=channels)
