"""What is inspected: a network, the image that it is shown, and a sample of the images it was made for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError
from glyphlab.evaluation.evaluate import own_images
from glyphlab.evaluation.inspect.feature_map import sample
from glyphlab.evaluation.inspect.layers import image_pixels
from glyphlab.evaluation.metrics import Integers
from glyphlab.networks.classifier import Classifier, evaluating
from glyphlab.networks.features import predict_with_features
from glyphlab.networks.imagenet import photo_pixels
from glyphlab.recognition.preparation import as_glyph, preparation_of
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.run import Run


@dataclass(frozen=True, eq=False)
class Shown:
    """One image that the network is shown.

    image: uint8 [H, W] or [H, W, 3]. name: in headings. target: its class; None where it is not known.
    """

    image: NDArray[np.uint8]
    name: str
    target: int | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Images drawn at random, with what the network makes of them.

    indices, targets: int64 [N]. logits: float32 [N, K]. features: float32 [N, D], what its last layer is given.
    """

    indices: Integers
    targets: Integers
    logits: NDArray[np.float32]
    features: NDArray[np.float32]

    @cached_property
    def predictions(self) -> Integers:
        """The class of largest output, int64 [N]."""
        best: Integers = self.logits.argmax(axis=1).astype(np.int64)
        return best


class Subject:
    """A network with the images to look at it by. Images are loaded when they are first asked for.

    name: for headings. load: gives the images, with the network's own class names and numbers; None: there are none.
    """

    def __init__(self, name: str, classifier: Classifier, load: Callable[[], GlyphSet] | None = None) -> None:
        self.name, self.classifier = name, classifier
        self._load = load

    @classmethod
    def of_run(cls, run: Run, split: Split = "test", data_dir: Path | None = None) -> Subject:
        """A run's best weights and the images of its data. Raises `RunError` and `ModelError`."""
        classifier = run.classifier()

        return cls(run.name, classifier, lambda: own_images(run, classifier.spec, split, data_dir))

    @property
    def has_images(self) -> bool:
        """Whether there are images beside the one that is shown."""
        return self._load is not None

    @cached_property
    def glyphs(self) -> GlyphSet:
        """The images. Raises `DataError`."""
        if self._load is None:
            raise DataError(
                f"{self.name} comes without images; give one with --image, or name a run, which has its data"
            )
        return self._load()

    def shown(self, index: int) -> Shown:
        """The image at `index`. Raises `DataError` where there is none."""
        glyphs = self.glyphs
        if not 0 <= index < len(glyphs):
            raise DataError(f"no image {index} in {glyphs.name} {glyphs.split}; expected 0 to {len(glyphs) - 1}")
        target, name = int(glyphs.targets[index]), glyphs.id_of(index)
        return Shown(glyphs.images[index], f"{glyphs.split} image {name} ({glyphs.class_names[target]})", target)

    def probs(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What the network says to one image: float64 [K], as it gives them (not calibrated)."""
        with evaluating(self.classifier):
            logits = self.classifier(image_pixels(self.classifier, image))[0].double().cpu()
        return np.asarray(torch.softmax(logits, dim=0).numpy(), dtype=np.float64)

    @cached_property
    def sample(self) -> Sample:
        """Some thousand of the images at most, the same ones always."""
        glyphs = self.glyphs
        indices = sample(glyphs.targets)
        logits, features = predict_with_features(
            self.classifier, torch.from_numpy(glyphs.images), torch.from_numpy(indices), batch_size=256
        )
        return Sample(indices, glyphs.targets[indices], logits.numpy(), features.numpy())


def image_of(subject: Subject, run: Run | None, wanted: str, *, prepared: bool = False) -> Shown:
    """The image meant: an index into the subject's images, or a picture file.

    run: whose model file says how pictures are prepared; None: the network is one for photographs. Raises `DataError`,
    `ImageError`, `ModelError`.
    """
    if wanted.lstrip("-").isdecimal():
        return subject.shown(int(wanted))
    path = Path(wanted)
    return Shown(photo_pixels(path), path.name) if run is None else picture_of(run, path, prepared=prepared)


def picture_of(run: Run, path: Path, *, prepared: bool = False) -> Shown:
    """A picture file as the run's model sees it, prepared exactly as `glyphlab predict` prepares it.

    prepared: it is a glyph of the network's size already. Raises `ModelError` where the run holds no model file, which
    says how pictures are prepared; `ImageError` for a picture that cannot be used or, if prepared, is of another size.
    """
    info = Recognizer.load(run.folder, threads=1).info
    return Shown(as_glyph(path, info) if prepared else preparation_of(info)(path), path.name)
