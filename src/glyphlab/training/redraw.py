"""Training images drawn anew, each with a pen of one width.

How thick and how soft the strokes of a scan are can tell its class where the shape does not: what was written small was
enlarged, its pen with it, so that EMNIST's O has thicker strokes than its 0. That holds for those scans alone, and a
network that goes by it reads the circles of other people's pens as 0. Among redrawn images pen, size and softness are
the same for all classes, so that the shape has to tell, or nothing does.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import ImageError, RecipeError
from glyphlab.imaging.glyph import FRAMINGS, Framing, redraw
from glyphlab.training.images import Parts, framing_of
from glyphlab.training.progress import Reporter
from glyphlab.training.recipe import Recipe
from glyphlab.training.seeds import Purpose, derived_seed

# Of the framing's own box and blur.
_BOXES, _BLURS = (0.94, 1.02), (0.7, 1.3)
_AT_ONCE = 512


def redrawing_framing(recipe: Recipe, glyphs: GlyphSet) -> Framing | None:
    """How the recipe's images are to be redrawn; None: it asks for none. Raises `RecipeError` where they cannot be."""
    if not recipe.augment.redraw:
        return None
    name = framing_of(recipe, glyphs.origin, glyphs.image_shape)
    if name is None:
        raise RecipeError(
            f"augment.redraw is {recipe.augment.redraw:g}, but '{recipe.data.name}' is not one of the sets of digits "
            "and letters that come framed (MNIST, EMNIST), which alone can be redrawn; remove it"
        )
    return FRAMINGS[name]


def redrawn_for(recipe: Recipe, glyphs: GlyphSet, parts: Parts, reporter: Reporter) -> NDArray[np.uint8] | None:
    """All images, uint8 [N, H, W], those that are trained on drawn anew; None where the recipe asks for none."""
    framing = redrawing_framing(recipe, glyphs)
    if framing is None:
        return None
    reporter.note(f"drawing {len(parts.train):,} images anew, each with a pen of its own")
    images, seed = glyphs.images.copy(), derived_seed(recipe.training.seed, Purpose.PENS)
    try:
        images[parts.train] = redrawn(
            images[parts.train], framing, seed, lambda done, total: reporter.preparing("images drawn anew", done, total)
        )
    finally:
        reporter.stop()
    return images


def redrawn(
    images: NDArray[np.uint8], framing: Framing, seed: int, on_progress: Callable[[int, int], None] | None = None
) -> NDArray[np.uint8]:
    """Each image drawn with a pen of its own, of any width that the framing calls usual; same seed, same pens.

    images: uint8 [N, S, S], light ink on black. Returns uint8 [N, S, S]; images without ink come back as they are. It
    takes a good millisecond of one core for each; as many threads share it as torch has. on_progress hears
    (images drawn, images in all).
    """
    rng = np.random.default_rng(seed)
    pens = rng.uniform(framing.thinnest, framing.thickest, len(images)).tolist()
    boxes = (framing.box * rng.uniform(*_BOXES, len(images))).tolist()
    blurs = (framing.blur * rng.uniform(*_BLURS, len(images))).tolist()
    drawn, side = images.copy(), images.shape[1]

    def draw(start: int) -> None:
        for place in range(start, min(start + _AT_ONCE, len(images))):
            pen = pens[place]
            own = replace(framing, size=side, box=boxes[place], blur=blurs[place], thinnest=pen, thickest=pen)
            with suppress(ImageError):  # nothing is written on it
                drawn[place] = redraw(images[place], own)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for part, _ in enumerate(pool.map(draw, range(0, len(images), _AT_ONCE)), 1):
            if on_progress:
                on_progress(min(part * _AT_ONCE, len(images)), len(images))
    return drawn
