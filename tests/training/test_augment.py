from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from glyphlab.training.augment import augment, sampling_grid
from glyphlab.training.seeds import Purpose, generator
from glyphlab.training.settings import AugmentSettings

STRENGTHS = {
    "rotation_degrees": 30.0,
    "scale": 0.3,
    "shear_degrees": 20.0,
    "shift": 0.2,
    "elastic": 0.05,
    "stroke": 0.9,
    "brightness": 0.4,
    "contrast": 0.4,
    "flip_horizontal": 0.5,
    "erase": 1.0,
}


def settings(**strengths: float | str) -> AugmentSettings:
    return AugmentSettings.model_validate(strengths)


def blob(batch: int = 6, height: int = 28, width: int = 28) -> Tensor:
    """Smooth blobs off the centre: a resampling changes them little, a wrong direction a lot."""
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.exp(-(((ys - height * 0.35) / 3) ** 2) - ((xs - width * 0.6) / 5) ** 2)
    return image.float().repeat(batch, 1, 1, 1)


def stream(index: int = 0) -> torch.Generator:
    return generator(7, Purpose.AUGMENT, index)


def test_zero_strength_is_identity() -> None:
    images = torch.rand(4, 1, 28, 28)
    assert torch.equal(augment(images, settings(), stream()), images)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("setting", STRENGTHS)
def test_every_setting_acts_and_keeps_shape_and_range(setting: str, channels: int) -> None:
    images = blob().expand(-1, channels, -1, -1).contiguous()
    varied = augment(images, settings(**{setting: STRENGTHS[setting]}), stream())
    assert varied.shape == images.shape and varied.dtype == torch.float32
    assert 0 <= varied.min() and varied.max() <= 1
    assert not torch.equal(varied, images)


@pytest.mark.parametrize("setting", [name for name in STRENGTHS if name != "flip_horizontal"])
def test_each_image_has_parameters_of_its_own(setting: str) -> None:
    varied = augment(blob(), settings(**{setting: STRENGTHS[setting]}), stream())
    assert len({image.numpy().tobytes() for image in varied}) == len(varied)


def test_same_seed_same_bytes_another_seed_others() -> None:
    images, all_of_it = blob(), settings(**STRENGTHS)
    first, again = augment(images, all_of_it, stream()), augment(images, all_of_it, stream())
    assert torch.equal(first, again)
    assert not torch.equal(first, augment(images, all_of_it, stream(1)))


def test_the_input_is_left_alone() -> None:
    images = blob()
    before = images.clone()
    augment(images, settings(**STRENGTHS), stream())
    assert torch.equal(images, before)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 40)])
def test_affine_part_agrees_with_opencv(height: int, width: int) -> None:
    """The grid's own matrix, in pixels, handed to OpenCV's warpAffine gives the same picture."""
    spec = settings(rotation_degrees=40.0, scale=0.2, shear_degrees=15.0, shift=0.1)
    images = blob(8, height, width)
    ours = augment(images, spec, stream())
    grid = sampling_grid(images.shape, spec, stream())
    for index in range(len(images)):
        pixels = (grid[index] + 1) * torch.tensor([width, height]) / 2 - 0.5
        origin, right, down = pixels[0, 0], pixels[0, 1] - pixels[0, 0], pixels[1, 0] - pixels[0, 0]
        matrix = torch.stack([right, down, origin], dim=1).numpy()
        theirs = cv2.warpAffine(
            images[index, 0].numpy(), matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        # OpenCV rounds coordinates to 1/32 of a pixel.
        assert np.abs(ours[index, 0].numpy() - theirs).max() < 0.02


def test_rotation_keeps_lengths_on_images_that_are_not_square() -> None:
    grid = sampling_grid(torch.Size((5, 1, 20, 40)), settings(rotation_degrees=60.0), stream())
    pixels = grid * torch.tensor([40.0, 20.0]) / 2
    for right, down in zip(pixels[:, 0, 1] - pixels[:, 0, 0], pixels[:, 1, 0] - pixels[:, 0, 0], strict=True):
        assert math.isclose(right.norm(), 1, rel_tol=1e-4) and math.isclose(down.norm(), 1, rel_tol=1e-4)
        assert abs(right @ down) < 1e-4


def test_flips_mirror_exactly_and_about_as_often_as_asked() -> None:
    images = torch.rand(400, 1, 8, 8)
    varied = augment(images, settings(flip_horizontal=0.25), stream())
    flipped = [torch.allclose(after, before.flip(-1), atol=1e-5) for before, after in zip(images, varied, strict=True)]
    kept = [torch.allclose(after, before, atol=1e-5) for before, after in zip(images, varied, strict=True)]
    assert all(a or b for a, b in zip(flipped, kept, strict=True))
    assert 70 <= sum(flipped) <= 130


def test_elastic_field_has_the_stated_strength_and_is_smooth() -> None:
    spec = settings(elastic=0.05)
    shape = torch.Size((300, 1, 28, 28))
    field = (sampling_grid(shape, spec, stream()) - sampling_grid(shape, settings(shift=1e-9), stream())) / 2
    assert 0.035 < field.std() < 0.055  # as share of the side; interpolation between knots takes some of it
    steps = (field[:, :, 1:] - field[:, :, :-1]).abs().mean()
    assert steps < field.abs().mean() / 3


def test_strokes_become_thicker_and_thinner_within_dilation_and_erosion() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[..., 6:22, 12:15] = 1
    images = image.repeat(50, 1, 1, 1)
    varied = augment(images, settings(stroke=1.0), stream())
    kernel = np.ones((3, 3), np.uint8)
    low, high = cv2.erode(image[0, 0].numpy(), kernel), cv2.dilate(image[0, 0].numpy(), kernel)
    mass = varied.sum(dim=(1, 2, 3))
    assert mass.min() < image.sum() < mass.max()
    assert all((low <= one + 1e-6).all() and (one <= high + 1e-6).all() for one in varied[:, 0].numpy())


def test_border_padding_repeats_the_edge() -> None:
    paper = torch.full((3, 1, 28, 28), 0.8)
    assert torch.allclose(augment(paper, settings(shift=0.5, padding="border"), stream()), paper)
    assert augment(paper, settings(shift=0.5), stream()).min() == 0


def test_erasing_paints_one_whole_rectangle_of_one_colour() -> None:
    images = torch.full((400, 3, 20, 40), -1.0)  # a value that no paint has
    varied = augment(images, settings(erase=1.0), stream())
    assert torch.equal(images.unique(), torch.tensor([-1.0]))
    shares = []
    for image in varied:
        painted = image[0] >= 0
        rows, columns = painted.any(dim=1), painted.any(dim=0)
        assert torch.equal(painted, rows[:, None] & columns)  # a rectangle ...
        for sides in (rows, columns):
            assert len(sides.nonzero()) == sides.nonzero().max() - sides.nonzero().min() + 1  # ... in one piece
        for channel in image:
            assert len(channel[painted].unique()) == 1
        shares.append(float(painted.float().mean()))
    assert 0.005 < min(shares) < 0.04 and 0.3 < max(shares) < 0.4 and 0.15 < sum(shares) / len(shares) < 0.22


def test_erasing_leaves_the_images_that_are_not_chosen() -> None:
    images = torch.full((1000, 1, 28, 28), -1.0)
    kept = [
        torch.equal(before, after)
        for before, after in zip(images, augment(images, settings(erase=0.3), stream()), strict=True)
    ]
    assert 0.65 < sum(kept) / len(kept) < 0.75
