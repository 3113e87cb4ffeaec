"""The pipelines of `pipelines` in torch: what people write who have no Glyphlab.

Each image is a Pillow picture that is varied and turned into a tensor by itself, in a DataLoader; the network is made
of torch's own layers, in float32, and trained eagerly by the loop of every tutorial. torchvision is no dependency of
ours, so its steps stand here as it does them: parameters drawn as torch scalars, Pillow for the geometry and the
colours, then ToTensor and Normalize.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageEnhance
from pipelines import PIPELINES, Pipeline
from report_networks import advancednet, balanced_arch2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from glyphlab.data.glyphset import GlyphSet
from glyphlab.networks import registry
from glyphlab.training.recipe import Recipe

Picture = Image.Image
Example = tuple[Tensor, int]
Vary = Callable[[Picture], Picture]


class PerImage(Dataset[Example]):
    """One Pillow picture at a time, as torchvision's EMNIST and its transforms handle it.

    vary: what happens to the picture before it becomes a tensor; None: nothing.
    """

    def __init__(self, glyphs: GlyphSet, pipeline: Pipeline, vary: Vary | None) -> None:
        images = glyphs.images.transpose(0, 2, 1).copy() if pipeline.transposed else glyphs.images
        self.images = torch.from_numpy(images)
        self.targets = torch.from_numpy(glyphs.targets) + int(pipeline.one_based)
        self.vary, self.normalised = vary, pipeline.normalised

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy())
        if self.vary is not None:
            picture = self.vary(picture)
        pixels = torch.from_numpy(np.array(picture, dtype=np.uint8, copy=True))  # ToTensor()
        pixels = pixels.view(*pixels.shape, 1).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        if self.normalised:  # Normalize((0.5,), (0.5,))
            mean, std = torch.as_tensor([0.5]), torch.as_tensor([0.5])
            pixels = pixels.clone().sub_(mean.view(-1, 1, 1)).div_(std.view(-1, 1, 1))
        return pixels, int(self.targets[index])


def uniform(low: float, high: float) -> float:
    """One random number, drawn as torchvision draws it."""
    return float(torch.empty(1).uniform_(low, high).item())


def vary_as_report_a(picture: Picture) -> Picture:
    """Rotation, mirror, brightness and contrast, shift."""
    picture = picture.rotate(uniform(-15, 15), resample=Image.Resampling.NEAREST)  # RandomRotation(15)
    if torch.rand(1) < 0.5:  # RandomHorizontalFlip()
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    brightness, contrast = uniform(0.9, 1.1), uniform(0.9, 1.1)  # ColorJitter(0.1, 0.1), in random order
    for change in torch.randperm(4):
        if change == 0:
            picture = ImageEnhance.Brightness(picture).enhance(brightness)
        elif change == 1:
            picture = ImageEnhance.Contrast(picture).enhance(contrast)
    uniform(0, 0)  # RandomAffine(0, translate=(0.1, 0.1)): the angle, then the shift
    width, height = picture.size
    dx, dy = round(uniform(-0.1 * width, 0.1 * width)), round(uniform(-0.1 * height, 0.1 * height))
    return picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy))


# The strengths of Glyphlab's default recipe. For its elastic distortion and its strokes Pillow has no step.
ROTATION_DEGREES, SCALE, SHEAR_DEGREES, SHIFT = 10, 0.1, 10, 0.06


def vary_with_pillow(picture: Picture) -> Picture:
    """Rotation, scale, slant and shift in one resampling, drawn with NumPy: the quickest way with Pillow alone."""
    angle, slant, across, along = np.random.uniform(-1, 1, 4)
    cos, sin = math.cos(math.radians(ROTATION_DEGREES * angle)), math.sin(math.radians(ROTATION_DEGREES * angle))
    shear, size = math.tan(math.radians(SHEAR_DEGREES * slant)), 1 / (1 + SCALE * np.random.uniform(-1, 1))
    a, b, d, e = cos * size, (shear * cos - sin) * size, sin * size, (shear * sin + cos) * size
    width, height = picture.size
    x, y = width / 2, height / 2
    c = x - a * x - b * y + SHIFT * width * across
    f = y - d * x - e * y + SHIFT * height * along
    return picture.transform(picture.size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR)


def our_network(classes: int) -> nn.Module:
    """The network of Glyphlab's default recipe, as a plain module."""
    ours = Recipe.load(PIPELINES["Pillow"].recipe).network
    return registry.create(ours.name, (1, 28, 28), classes, **ours.options)


NETWORKS = {"A": advancednet, "C": balanced_arch2, "C in memory": balanced_arch2, "Pillow": our_network}
VARIED = {"A": vary_as_report_a, "C": None, "C in memory": None, "Pillow": vary_with_pillow}


class Peer:
    """A pipeline, ready to train on these images. name: a key of `PIPELINES`. seed: of everything random."""

    def __init__(self, name: str, glyphs: GlyphSet, seed: int = 1) -> None:
        torch.manual_seed(seed)
        np.random.seed(seed)
        self.name, self.pipeline = name, PIPELINES[name]
        self.network = NETWORKS[name](len(glyphs.class_names) + int(self.pipeline.one_based))
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.pipeline.lr)
        images: Dataset[Example] = PerImage(glyphs, self.pipeline, VARIED[name])
        if self.pipeline.in_memory:
            pixels, targets = zip(*(images[index] for index in range(len(glyphs))), strict=True)
            images = TensorDataset(torch.stack(pixels), torch.tensor(targets))
        order = torch.randperm(len(glyphs)).tolist()
        kept = round(self.pipeline.validation * len(glyphs))
        self.train, self.validation = Subset(images, order[kept:]), Subset(images, order[:kept])

    def loader(self, images: Dataset[Example], *, shuffle: bool = False, workers: int = 0) -> DataLoader[Example]:
        """Batches of the pipeline's size."""
        return DataLoader(images, self.pipeline.batch_size, shuffle=shuffle, num_workers=workers)

    def step(self, images: Tensor, targets: Tensor) -> int:
        """Learn from a batch; how many of it were right meanwhile."""
        self.optimizer.zero_grad()
        logits = self.network(images)
        nn.functional.cross_entropy(logits, targets).backward()
        self.optimizer.step()
        return int((logits.argmax(1) == targets).sum())

    def train_epoch(self) -> float:
        """One pass over the training images; the share that was right meanwhile, 0 to 1."""
        self.network.train()
        right = sum(self.step(images, targets) for images, targets in self.loader(self.train, shuffle=True))
        return right / len(self.train)

    def accuracy(self, images: Dataset[Example]) -> float:
        """The share of images that the network gets right, 0 to 1."""
        self.network.eval()
        with torch.no_grad():
            right = [self.network(batch).argmax(1) == targets for batch, targets in self.loader(images)]
        return float(torch.cat(right).float().mean())

    def test_images(self, glyphs: GlyphSet, *, varied: bool = False) -> PerImage:
        """Unseen pictures, plain, or varied as in training (which is how report A judged its network)."""
        return PerImage(glyphs, self.pipeline, VARIED[self.name] if varied else None)
