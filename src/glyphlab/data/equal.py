"""Images that are equal in every pixel."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def image_digests(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """A 128-bit hash of each image, uint64 [N, 2]. Images of another shape get other hashes."""
    shape = repr(images.shape[1:]).encode()
    flat = np.ascontiguousarray(images).reshape(len(images), int(np.prod(images.shape[1:])))
    start = hashlib.blake2b(shape, digest_size=16)
    found = bytearray()
    for row in flat:
        state = start.copy()
        state.update(row.data)
        found += state.digest()
    return np.frombuffer(bytes(found), dtype=np.uint64).reshape(-1, 2)


def groups_of_equal(digests: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
    """Positions of equal digests, at least two each, ascending; groups in order of their first."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))  # stable, so positions ascend within a group
    ordered = digests[order]
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]) if len(order) else order
    ends = np.r_[starts[1:], len(order)]
    several = np.flatnonzero(ends - starts > 1) if len(order) else starts
    groups = [order[starts[group] : ends[group]].astype(np.int64) for group in several]
    return sorted(groups, key=lambda group: int(group[0]))


def known_among(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which images are among the others, bool [N]. images: uint8 [N, ...]; others: uint8 [M, ...]."""
    if images.shape[1:] != others.shape[1:]:
        return np.zeros(len(images), dtype=np.bool_)
    known: NDArray[np.bool_] = np.isin(_as_one(image_digests(images)), _as_one(image_digests(others)))
    return known


def _as_one(digests: NDArray[np.uint64]) -> NDArray[np.void]:
    return np.ascontiguousarray(digests).view([("high", np.uint64), ("low", np.uint64)])[:, 0]
