"""What is to be learned: pictures, what the base network sees in them, and the settings."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphlab.data.glyphset import GlyphSet
from glyphlab.networks.classifier import Classifier, evaluating, to_pixels
from glyphlab.networks.features import output_layer, predict_with_features
from glyphlab.training.augment import augment
from glyphlab.training.recipe import Recipe
from glyphlab.training.seeds import Purpose, generator
from glyphlab.training.settings import AugmentSettings, TransferSettings
from glyphlab.training.transfer.frozen import constant_layers, frozen_layers
from glyphlab.training.transfer.heads import Floats, Integers

# "auto" copies: about so many pictures in all. One picture a letter gains a point from its copies, ten gain nothing.
_AUTO_PICTURES = 1_500
_AUTO_COPIES = (2, 20)
# Of pictures with more values than this there are as few copies as may be: ImageNet's networks look at one for long.
_LARGE_VALUES = 20_000
# Pictures that are looked at at once: so many values, which is 64 glyphs of 28x28, a quarter faster than 512; but no
# fewer than eight.
_BATCH_VALUES, _SMALLEST_BATCH = 64 * 28 * 28, 8
_VARIED_BATCHES = 64  # varied at once


@dataclass(frozen=True, eq=False)
class Views:
    """What the base network sees in pictures, each as it is and in varied copies.

    images: uint8 [M, H, W] or [M, H, W, 3], of the N pictures themselves first. features: float32 [M, D]. source: int64
    [M], the picture behind each row. seconds_per_image: what the network took for one.
    """

    images: NDArray[np.uint8]
    features: Floats
    source: Integers
    seconds_per_image: float

    def of(self, pictures: Integers) -> Integers:
        """The rows of some pictures, copies included, int64 [m]; the pictures themselves come first, in order."""
        return np.flatnonzero(np.isin(self.source, pictures))


@dataclass(frozen=True, eq=False)
class Task:
    """A base network and the pictures it shall learn.

    base: in evaluation mode. glyphs: all pictures to learn from, of the base's image shape; with `kept` classes, the
    pictures of those come along, to be rehearsed. recipe: its [augment] varies copies, its [training] is
    fine-tuning's. frozen_recipe: whose [training] the way "frozen" follows. kept: how many of the classes, the first
    ones, are the base's own and keep their outputs; 0: none.
    """

    base: Classifier
    glyphs: GlyphSet
    recipe: Recipe
    frozen_recipe: Recipe
    kept: int = 0

    def __post_init__(self) -> None:
        assert self.glyphs.image_shape == self.base.spec.image_shape, self.glyphs.image_shape
        assert self.glyphs.class_names[: self.kept] == self.base.spec.class_names[: self.kept], self.kept
        _ = self.frozen  # a depth beyond the network is found now

    @property
    def classes(self) -> int:
        """Classes that the new network tells apart."""
        return len(self.glyphs.class_names)

    @property
    def settings(self) -> TransferSettings:
        """The recipe's [transfer]."""
        return self.recipe.transfer or TransferSettings()

    @property
    def has_bias(self) -> bool:
        """Whether the network's last layer has one."""
        return output_layer(self.base)[1].bias is not None

    @property
    def rehearses(self) -> bool:
        """Whether pictures of the kept classes are at hand."""
        return self.kept > 0 and bool((self.glyphs.targets < self.kept).any())

    @cached_property
    def frozen(self) -> int:
        """How many lower layers fine-tuning leaves alone. Raises `ModelError` for more than the network has."""
        return frozen_layers(self.base, self.settings.freeze or "none")

    @cached_property
    def views(self) -> Views:
        """The features, computed once for all folds and ways. Pictures that are only rehearsed are not varied."""
        images = self.glyphs.images
        everything = np.arange(len(images))
        new = everything[self.glyphs.targets >= self.kept]
        copies = range(1, self._copies(len(new)))
        shown = np.concatenate([images, *(self._varied(new, copy) for copy in copies)])
        began = time.perf_counter()
        features = predict_with_features(self.base, torch.from_numpy(shown), batch_size=self.batch_size)[1].numpy()
        seconds = (time.perf_counter() - began) / len(shown)
        return Views(shown, features, np.concatenate([everything, *(new for _ in copies)]), seconds)

    @cached_property
    def constant(self) -> int:
        """How many of the body's first layers say the same of a picture each time that the way "frozen" shows it.

        0 where its recipe varies the pictures, so that none do.
        """
        return 0 if self.frozen_recipe.augment != AugmentSettings() else constant_layers(self.base)

    @cached_property
    def constants(self) -> Tensor:
        """What these layers say of the pictures, computed once for all folds and epochs: float32 [N, ...]."""
        if self.base.body[self.constant] is output_layer(self.base)[1]:  # type: ignore[index]
            return torch.from_numpy(self.views.features[: len(self.glyphs)])
        layers, parts = self.base.body[: self.constant], []  # type: ignore[index]
        images = torch.from_numpy(self.glyphs.images)
        with evaluating(self.base):
            for batch in torch.split(images, self.batch_size):
                pixels = to_pixels(batch.to(self.base.mean.device))
                parts.append(layers((pixels - self.base.mean) / self.base.std).float().cpu())
        return torch.cat(parts)

    @property
    def batch_size(self) -> int:
        """How many of the pictures are looked at at once, whose size decides how much memory that takes."""
        return max(_SMALLEST_BATCH, _BATCH_VALUES // math.prod(self.glyphs.image_shape))

    def _copies(self, pictures: int) -> int:
        if isinstance(self.settings.copies, int):
            return self.settings.copies
        fewest, most = _AUTO_COPIES
        if math.prod(self.glyphs.image_shape) > _LARGE_VALUES:
            return fewest
        return min(max(_AUTO_PICTURES // max(pictures, 1), fewest), most)

    def _varied(self, pictures: Integers, copy: int) -> NDArray[np.uint8]:
        """The pictures, each varied as the recipe's [augment] says, uint8 in the shape of images."""
        images = torch.from_numpy(self.glyphs.images[pictures])
        stream = generator(self.recipe.training.seed, Purpose.AUGMENT, copy)
        varied = [
            (augment(to_pixels(batch), self.recipe.augment, stream) * 255).round_().to(torch.uint8)
            for batch in torch.split(images, _VARIED_BATCHES * self.batch_size)
        ]
        bytes_ = torch.cat(varied)
        pixels: NDArray[np.uint8] = (bytes_.squeeze(1) if images.ndim == 3 else bytes_.permute(0, 2, 3, 1)).numpy()
        return np.ascontiguousarray(pixels)
