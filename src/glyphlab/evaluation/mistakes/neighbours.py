"""The training images that look most like an image: to the network, and by their pixels.

To the network two images are near each other when the inputs of its output layer point the same way (cosine
similarity): what it looked at before it decided. Showing the nearest training images as the explanation of an answer
follows Papernot, McDaniel, "Deep k-Nearest Neighbors: Towards Confident, Interpretable and Robust Deep Learning"
(2018). Such neighbours share the network's errors, though: a 5 that it takes for a 0 lies among zeros. Whoever wants a
witness that the network has not talked to looks at pixels, where neighbours are found as well, if less well.

The search is exact. The features of all training images are computed once for a network and kept in the run folder.
"""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.evaluate import match_classes
from glyphlab.evaluation.metrics import Integers
from glyphlab.files import whole_file
from glyphlab.networks.classifier import Classifier
from glyphlab.networks.features import predict_with_features
from glyphlab.training.images import load_images
from glyphlab.training.run import Run

Features = NDArray[np.float32]
Progress = Callable[[int, int], None]  # images done, images in all

VOTERS = 5  # nearest training images of any class, either way
_PIXELS_SIDE = 16  # images are compared at this size: strokes may lie a little apart
_CHUNK = 4096  # images between two reports of progress
_MOST_SIMILARITIES = 30_000_000  # that are held in memory at once: 120 MB


@dataclass(frozen=True, eq=False)
class Nearest:
    """The training images nearest to each of M images; indices into `train`, nearest first, -1 where there are fewer.

    true: int64 [M, count], of the images' labels. predicted: int64 [M, count], of the predicted classes.
    of_any: int64 [M, 5], of any class. by_pixels: int64 [M, 5], of any class, without the network's help.
    """

    train: GlyphSet
    true: Integers
    predicted: Integers
    of_any: Integers
    by_pixels: Integers

    @property
    def labels(self) -> Integers:
        """Classes of the nearest training images: five to the network, five by pixels, int64 [M, 10], -1 for none."""
        both = np.concatenate([self.of_any, self.by_pixels], axis=1)
        found: Integers = np.where(both >= 0, self.train.targets[both], -1)
        return found


def nearest(
    run: Run,
    glyphs: GlyphSet,
    indices: Integers,
    true: Integers,
    predicted: Integers,
    count: int = 3,
    *,
    data_dir: Path | None = None,
    classifier: Classifier | None = None,
    on_progress: Progress | None = None,
) -> Nearest:
    """For the images of `glyphs` at `indices`: the nearest training images of their true and predicted classes.

    true, predicted: int64 [M], class numbers of the network. An image that is a training image itself is not its
    own neighbour. Training images are all those of the training part, the ones kept for validation among them.
    Raises `DataError` where the run's training data is not at hand or has changed its classes.
    """
    network = run.classifier() if classifier is None else classifier
    bf16 = run.recipe.engine.precision == "bf16"
    train = match_classes(load_images(run.recipe, "train", run.data_dir(data_dir)), network.spec)
    keys = training_features(run, network, train, on_progress)
    queries = _unit(_features(network, glyphs, indices, bf16)) if len(indices) else keys[:0]
    itself = indices if glyphs.digest() == train.digest() else np.full(len(indices), -1, dtype=np.int64)
    every = np.arange(len(train), dtype=np.int64)

    def of_class(wanted: Integers) -> Integers:
        found = np.full((len(indices), count), -1, dtype=np.int64)
        for target in np.unique(wanted):
            rows = np.flatnonzero(wanted == target)
            found[rows] = _search(queries[rows], keys, np.flatnonzero(train.targets == target), itself[rows], count)
        return found

    return Nearest(
        train=train,
        true=of_class(true),
        predicted=of_class(predicted),
        of_any=_search(queries, keys, every, itself, VOTERS),
        by_pixels=_search(_small(glyphs.images[indices]), _small(train.images), every, itself, VOTERS),
    )


def training_features(run: Run, classifier: Classifier, train: GlyphSet, on_progress: Progress | None) -> Features:
    """Features of all training images, float32 [N, D], rows of length 1; from the run folder where they are current.

    They lie in RUN/features/train.npz with the digests of the weights and of the data they were made of.
    """
    path = run.folder / "features" / "train.npz"
    weights, data, bf16 = run.weights_sha256(), train.digest(), run.recipe.engine.precision == "bf16"
    stored = _load(path, weights, data)
    if stored is None:
        # Half precision halves the file; what is used is always what was stored, so that both ways agree.
        stored = _unit(_features(classifier, train, None, bf16, on_progress)).astype(np.float16)
        with whole_file(path) as temporary:
            np.savez(temporary, features=stored, weights_sha256=np.str_(weights), data_sha256=np.str_(data))
    return _unit(stored.astype(np.float32))


def _features(
    classifier: Classifier,
    glyphs: GlyphSet,
    indices: Integers | None,
    bf16: bool,
    on_progress: Progress | None = None,
) -> Features:
    """Features of some or all images, float32 [N, D], as the network makes them.

    bf16: as quick and as coarse as the run's training, which found that to be quicker on its machine.
    """
    images, device = torch.from_numpy(glyphs.images), classifier.mean.device.type
    chosen = torch.arange(len(glyphs)) if indices is None else torch.from_numpy(indices)
    parts: list[Features] = []
    for start in range(0, len(chosen), _CHUNK):
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            parts.append(predict_with_features(classifier, images, chosen[start : start + _CHUNK])[1].numpy())
        if on_progress is not None:
            on_progress(min(start + _CHUNK, len(chosen)), len(chosen))
    return np.concatenate(parts)


def _load(path: Path, weights: str, data: str) -> NDArray[np.float16] | None:
    """The stored features; None where there are none, or damaged ones, or those of other weights or data."""
    with (
        contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error),
        path.open("rb") as stream,
        np.load(stream, allow_pickle=False) as stored,
    ):
        if str(stored["weights_sha256"]) == weights and str(stored["data_sha256"]) == data:
            features: NDArray[np.float16] = stored["features"]
            return features
    return None


def _search(queries: Features, keys: Features, members: Integers, itself: Integers, count: int) -> Integers:
    """For each query the `count` nearest of the keys at `members`, nearest first, int64 [M, count], -1 beyond.

    itself: int64 [M], the key that is the query's own image, or -1. Equally near ones come in the order of the keys.
    """
    found = np.full((len(queries), count), -1, dtype=np.int64)
    rows_at_once = max(1, _MOST_SIMILARITIES // max(1, len(members)))
    own_keys = keys[members]
    for start in range(0, len(queries), rows_at_once):
        block = slice(start, start + rows_at_once)
        similarities = queries[block] @ own_keys.T
        similarities[members[None, :] == itself[block, None]] = -np.inf
        shown = min(count, len(members))
        best = np.argpartition(-similarities, shown - 1, axis=1)[:, :shown] if shown else np.empty((0, 0), np.int64)
        for row, candidates in enumerate(best):
            order = np.lexsort((candidates, -similarities[row, candidates]))
            ranked = candidates[order]
            usable = ranked[np.isfinite(similarities[row, ranked])]
            found[start + row, : len(usable)] = members[usable]
    return found


def _small(images: NDArray[np.uint8]) -> Features:
    """Pixels of images brought to 16 x 16, float32 [N, D], rows of length 1."""
    side = (_PIXELS_SIDE, _PIXELS_SIDE)
    small = [cv2.resize(image, side, interpolation=cv2.INTER_AREA).reshape(-1) for image in images]
    width = _PIXELS_SIDE**2 * (1 if images.ndim == 3 else 3)
    return _unit(np.stack(small) if small else np.empty((0, width), dtype=np.uint8))


def _unit(rows: NDArray[Any]) -> Features:
    """Rows scaled to length 1; a row of zeros stays one."""
    wide = rows.astype(np.float32)
    scaled: Features = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return scaled
