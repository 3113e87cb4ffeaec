"""For each image of a set its nearest others in feature space, in blocks, so that 100,000 images fit in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

# Similarities that are held at once: 64 MiB of float32.
_BLOCK_VALUES = 1 << 24

OnProgress = Callable[[int, int], None]


class Nearest(NamedTuple):
    """indices: int64 [N, count], the nearest others, nearest first. similarities: float32 [N, count], -1 to 1."""

    indices: NDArray[np.int64]
    similarities: NDArray[np.float32]


def nearest_others(features: NDArray[np.float32], count: int, on_progress: OnProgress | None = None) -> Nearest:
    """The `count` most similar other images of each image, by the cosine of their features.

    features: float32 [N, D]. Exact: all N x N similarities are made, as blocks of matrix products. count is cut to
    N - 1. on_progress: told of (images done, images in all).
    """
    total = len(features)
    count = min(count, total - 1)
    unit = torch.nn.functional.normalize(torch.from_numpy(features), dim=1)
    indices = np.empty((total, count), dtype=np.int64)
    similarities = np.empty((total, count), dtype=np.float32)
    rows = max(1, _BLOCK_VALUES // max(total, 1))
    for start in range(0, total, rows):
        block = unit[start : start + rows] @ unit.T
        own = torch.arange(len(block))
        block[own, start + own] = -2.0  # below every cosine
        best = block.topk(count, dim=1)
        indices[start : start + len(block)] = best.indices.numpy()
        similarities[start : start + len(block)] = best.values.clamp(-1.0, 1.0).numpy()
        if on_progress is not None:
            on_progress(start + len(block), total)
    return Nearest(indices, similarities)


def outlier_scores(nearest: Nearest) -> NDArray[np.float64]:
    """How far an image lies from its neighbours: mean cosine distance to them, float64 [N], 0 to 2; large: an outlier.

    Source: Kuan, Mueller, "Back to the Basics: Revisiting Out-of-Distribution Detection Baselines" (2022).
    """
    if nearest.similarities.shape[1] == 0:  # a single image is far from nothing
        return np.zeros(len(nearest.similarities))
    scores: NDArray[np.float64] = 1.0 - nearest.similarities.mean(axis=1, dtype=np.float64)
    return scores
