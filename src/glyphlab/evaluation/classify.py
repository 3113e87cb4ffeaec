"""What photographs show, by a network that learned ImageNet's classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.errors import ImageError
from glyphlab.imaging.picture import PictureSource
from glyphlab.networks.classifier import Classifier, predict
from glyphlab.networks.imagenet import photo_pixels

_BATCH = 16


@dataclass(frozen=True)
class Guess:
    """One class for a picture. probability: 0 to 1, as the softmax gives it; not calibrated."""

    index: int
    label: str
    probability: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, the probability with six decimals."""
        return {"index": self.index, "label": self.label, "probability": round(self.probability, 6)}


def classify(
    classifier: Classifier, pictures: Iterable[PictureSource], top: int = 5
) -> Iterator[tuple[PictureSource, list[Guess] | ImageError]]:
    """Each picture with its most probable classes, the best first, or with what is wrong with it; in order.

    classifier: from `networks.imagenet.load_pretrained`. top: how many classes, 1 or more. No more than a batch of
    pictures is held at once.
    """
    waiting = iter(pictures)
    while batch := list(islice(waiting, _BATCH)):
        prepared = [_prepared(picture) for picture in batch]
        usable = [pixels for pixels in prepared if not isinstance(pixels, ImageError)]
        guesses = iter(_best(classifier, np.stack(usable), top) if usable else ())
        for picture, pixels in zip(batch, prepared, strict=True):
            yield picture, pixels if isinstance(pixels, ImageError) else next(guesses)


def _prepared(picture: PictureSource) -> NDArray[np.uint8] | ImageError:
    """One bad picture must not stop the others."""
    try:
        return photo_pixels(picture)
    except ImageError as error:
        return error


def _best(classifier: Classifier, photos: NDArray[np.uint8], top: int) -> list[list[Guess]]:
    """photos: uint8 [N, 224, 224, 3]."""
    names = classifier.spec.class_names
    probs = torch.softmax(predict(classifier, torch.from_numpy(photos)).double(), dim=1)
    best = probs.topk(min(top, len(names)), dim=1)
    return [
        [Guess(index, names[index], probability) for index, probability in zip(indices, values, strict=True)]
        for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
