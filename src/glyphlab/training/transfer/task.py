"""What is to be learned: pictures, what the base network sees in them, and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.networks.classifier import Classifier, to_pixels
from glyphlab.networks.features import output_layer, predict_with_features
from glyphlab.training.augment import augment
from glyphlab.training.recipe import Recipe, TransferSettings
from glyphlab.training.seeds import Purpose, generator
from glyphlab.training.transfer.frozen import frozen_layers
from glyphlab.training.transfer.heads import Floats, Integers

# "auto" copies: about so many pictures in all. One picture a letter gains a point from its copies, ten gain nothing.
_AUTO_PICTURES = 1_500
_AUTO_COPIES = (2, 20)


@dataclass(frozen=True, eq=False)
class Views:
    """What the base network sees in pictures, each as it is and in varied copies.

    images: uint8 [M, H, W] or [M, H, W, 3], of the N pictures themselves first. features: float32 [M, D]. source: int64
    [M], the picture behind each row.
    """

    images: NDArray[np.uint8]
    features: Floats
    source: Integers

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
        features = predict_with_features(self.base, torch.from_numpy(shown))[1].numpy()
        return Views(shown, features, np.concatenate([everything, *(new for _ in copies)]))

    def _copies(self, pictures: int) -> int:
        if isinstance(self.settings.copies, int):
            return self.settings.copies
        fewest, most = _AUTO_COPIES
        return min(max(_AUTO_PICTURES // max(pictures, 1), fewest), most)

    def _varied(self, pictures: Integers, copy: int) -> NDArray[np.uint8]:
        """The pictures, each varied as the recipe's [augment] says, uint8 in the shape of images."""
        images = torch.from_numpy(self.glyphs.images[pictures])
        stream = generator(self.recipe.training.seed, Purpose.AUGMENT, copy)
        varied = augment(to_pixels(images), self.recipe.augment, stream)
        bytes_ = (varied * 255).round_().to(torch.uint8)
        pixels: NDArray[np.uint8] = (bytes_.squeeze(1) if images.ndim == 3 else bytes_.permute(0, 2, 3, 1)).numpy()
        return np.ascontiguousarray(pixels)
