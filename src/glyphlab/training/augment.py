"""Augmentation as one pure function over a batch: same images, settings and generator, same result.

All geometric changes (rotation, scale, shear, shift, mirror, elastic distortion) are composed into one sampling grid
per image, so that each image is resampled exactly once. Parameters are drawn on the CPU, whatever the device of the
images: a seed means the same images everywhere. What is made of them is made where the images are, which on a GPU
spares it a wait for whole grids.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from glyphlab.training.settings import AugmentSettings


def augment(images: Tensor, settings: AugmentSettings, generator: torch.Generator) -> Tensor:
    """Vary each image of a batch with parameters of its own.

    images: float32 [B, C, H, W], 0 to 1. generator: a CPU generator; it is advanced.
    Returns the same shape and range. With all strengths 0 the images come back unchanged.
    """
    if settings.moves_pixels:
        grid = sampling_grid(images.shape, settings, generator, images.device)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode=settings.padding, align_corners=False)
    if settings.stroke:
        images = _vary_strokes(images, _symmetric(images, settings.stroke, generator))
    if settings.brightness:
        factor = 1 + _symmetric(images, settings.brightness, generator)
        images = (images * factor).clamp_(0, 1)
    if settings.contrast:
        factor = 1 + _symmetric(images, settings.contrast, generator)
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        images = (mean + (images - mean) * factor).clamp_(0, 1)
    if settings.erase:
        images = _erase(images, settings.erase, generator)
    return images


def sampling_grid(
    shape: torch.Size, settings: AugmentSettings, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Tensor:
    """Where each output pixel is looked up: float32 [B, H, W, 2], (x, y) with -1 and 1 at the image's edges.

    Elastic distortion displaces every pixel by a smooth random field (Simard, Steinkraus and Platt 2003); here the
    field is Gaussian noise on `elastic_cells` squared knots, interpolated cubically, which costs a fraction of
    blurring noise at full resolution.
    """
    batch, _, height, width = shape
    angle = torch.deg2rad(_uniform(batch, settings.rotation_degrees, generator))
    shear = torch.tan(torch.deg2rad(_uniform(batch, settings.shear_degrees, generator)))
    # The grid maps output to input, hence the inverse of the wanted scale.
    inverse_scale = 1 / (1 + _uniform(2 * batch, settings.scale, generator).view(2, batch))
    mirror = torch.ones(batch)
    if settings.flip_horizontal:
        mirror = 1 - 2 * (torch.rand(batch, generator=generator) < settings.flip_horizontal).float()
    cos, sin = torch.cos(angle), torch.sin(angle)
    aspect = width / height  # rotate in pixels, not in units of a side
    x_from_x = cos * inverse_scale[0]
    x_from_y = (shear * cos - sin) * inverse_scale[1] / aspect
    y_from_x = sin * inverse_scale[0] * aspect
    y_from_y = (shear * sin + cos) * inverse_scale[1]
    shift = 2 * _uniform(2 * batch, settings.shift, generator).view(2, batch)
    affine = torch.stack([mirror * x_from_x, mirror * x_from_y, shift[0], y_from_x, y_from_y, shift[1]], dim=1)
    cells = settings.elastic_cells if settings.elastic else 0
    noise = torch.randn(batch, cells * cells, 2, generator=generator) * (2 * settings.elastic)
    # Affine and elastic parts are both linear in their parameters: one matrix product makes all grids of the batch.
    parameters, there = torch.cat([affine.view(batch, 2, 3), noise.transpose(1, 2)], dim=2), torch.device(device)
    planes = sent(parameters, there).view(2 * batch, -1) @ _grid_basis(height, width, cells, there)
    return planes.view(batch, 2, height, width).permute(0, 2, 3, 1)


@lru_cache(maxsize=8)
def _grid_basis(height: int, width: int, cells: int, device: torch.device) -> Tensor:
    """float32 [3 + cells * cells, H * W]: each pixel's x, y and 1, then the weight of each knot of the noise."""
    ys, xs = torch.meshgrid(_centres(height), _centres(width), indexing="ij")
    affine = torch.stack([xs, ys, torch.ones_like(xs)]).view(3, height * width)
    if not cells:
        return affine.to(device)
    knots = torch.eye(cells * cells).view(cells * cells, 1, cells, cells)
    weights = F.interpolate(knots, size=(height, width), mode="bicubic", align_corners=True)
    return torch.cat([affine, weights.view(cells * cells, height * width)]).to(device)


def _centres(count: int) -> Tensor:
    """Centres of `count` pixels where -1 and 1 are the edges of the first and the last."""
    return (torch.arange(count) * 2 + 1) / count - 1


def _vary_strokes(images: Tensor, amount: Tensor) -> Tensor:
    """Blend towards the 3x3 dilation (amount above 0) or erosion (below 0); amount: [B, 1, 1, 1] in -1..1."""
    dilated, eroded = images, images
    for dim in (-1, -2):  # a square neighbourhood is one along rows, then one along columns
        dilated = _with_neighbours(dilated, dim, torch.maximum)
        eroded = _with_neighbours(eroded, dim, torch.minimum)
    return torch.lerp(images, torch.where(amount > 0, dilated, eroded), amount.abs())


def _erase(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Paint a rectangle of one random grey, or colour, over some of the images.

    Random erasing (Zhong et al. 2017): the network has to know a thing by any of its parts. The rectangle has 2 to 35 %
    of the image's area and sides in a ratio of up to 3.3, and lies wholly within the image.
    """
    batch, channels, height, width = images.shape
    chance, area, shape, down, right = torch.rand(5, batch, generator=generator)
    grey = sent(torch.rand(batch, channels, 1, 1, generator=generator), images.device)
    area, ratio = 0.02 + 0.33 * area, 3.3 ** (2 * shape - 1)
    tall, wide = (area * ratio).sqrt().clamp(max=1) * height, (area / ratio).sqrt().clamp(max=1) * width
    top, left = down * (height - tall), right * (width - wide)
    tall = tall * (chance < probability)  # nothing is as high as nothing
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    in_rows = (rows > top[:, None]) & (rows < (top + tall)[:, None])
    in_columns = (columns > left[:, None]) & (columns < (left + wide)[:, None])
    inside = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    return torch.where(sent(inside, images.device), grey, images)


def _with_neighbours(images: Tensor, dim: int, combine: Callable[..., Tensor]) -> Tensor:
    """Combine each pixel with the one before and the one behind along `dim`; several times faster than pooling."""
    result, reach = images.clone(), images.shape[dim] - 1
    for here, there in ((1, 0), (0, 1)):
        mine = result.narrow(dim, here, reach)
        combine(mine, images.narrow(dim, there, reach), out=mine)
    return result


def _uniform(count: int, strength: float, generator: torch.Generator) -> Tensor:
    """float32 [count], uniform in -strength..strength; zeros, and nothing drawn, where strength is 0."""
    if not strength:
        return torch.zeros(count)
    return (torch.rand(count, generator=generator) * 2 - 1) * strength


def _symmetric(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """As `_uniform`, one number an image, shaped [B, 1, 1, 1] to act on images, where they are."""
    numbers = _uniform(len(images), strength, generator)
    return sent(numbers.view(-1, 1, 1, 1), images.device)


def sent(values: Tensor, device: torch.device) -> Tensor:
    """On a device, without a wait for a GPU.

    CUDA takes pageable memory at once. Apple's MPS reads it later, when it may belong to something else
    (github.com/pytorch/pytorch/issues/139550), so that it has to be waited for.
    """
    return values.to(device, non_blocking=device.type == "cuda")
