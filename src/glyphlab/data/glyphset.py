"""The one in-memory form of a data set: a block of uint8 images with their targets and class names."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from glyphlab.errors import DataError
from glyphlab.files import whole_file


@dataclass(frozen=True, eq=False)
class GlyphSet:
    """Images of characters with their classes.

        few = glyphlab.load_dataset("digits").subset(range(100))
        mine = glyphlab.GlyphSet(images, targets, ("a", "b"), name="mine")

    images: uint8, [N, H, W] grey or [N, H, W, 3] RGB, 0 to 255, upright, row-major.
    targets: int64, [N], 0 to len(class_names) - 1.
    class_names: what each target stands for.
    name, split: where the images come from ("mnist", "train").
    ids: a name for each image (a path within its folder); None: its index.
    remark: what a reader must know beside any figure on this set ("" : nothing).
    origin: the public set whose images these are, also when its labels were corrected; they come framed as it has them
        ("": none).

    Raises `DataError` when the parts contradict each other.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    class_names: tuple[str, ...]
    name: str = "unnamed"
    split: str = "train"
    ids: tuple[str, ...] | None = None
    remark: str = ""
    origin: str = ""

    def __post_init__(self) -> None:
        grey, colour = self.images.ndim == 3, self.images.ndim == 4 and self.images.shape[-1] == 3
        if self.images.dtype != np.uint8 or not (grey or colour):
            raise DataError(
                f"{self.name}: images are {self.images.dtype} {list(self.images.shape)}; "
                "expected uint8 [N, H, W] or [N, H, W, 3]"
            )
        if self.targets.dtype != np.int64 or self.targets.ndim != 1:
            raise DataError(
                f"{self.name}: targets are {self.targets.dtype} {list(self.targets.shape)}; expected int64 [N]"
            )
        if len(self.images) != len(self.targets):
            raise DataError(
                f"{self.name} {self.split}: {len(self.images):,} images but {len(self.targets):,} labels; "
                "one of the two files is damaged or belongs to another set"
            )
        if len(self.targets):
            low, high = int(self.targets.min()), int(self.targets.max())
            if low < 0 or high >= len(self.class_names):
                wrong = low if low < 0 else high
                raise DataError(
                    f"{self.name} {self.split}: label {wrong} found, but there are {len(self.class_names)} "
                    f"classes (labels 0 to {len(self.class_names) - 1})"
                )
        if self.ids is not None and len(self.ids) != len(self.images):
            raise DataError(f"{self.name} {self.split}: {len(self.images):,} images but {len(self.ids):,} ids")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one image."""
        height, width = self.images.shape[1:3]
        return (1 if self.images.ndim == 3 else 3, int(height), int(width))

    def id_of(self, index: int) -> str:
        """The image's own name (a path), or its index."""
        return self.ids[index] if self.ids is not None else str(index)

    def counts(self) -> NDArray[np.int64]:
        """Images per class, int64 [len(class_names)]."""
        return np.bincount(self.targets, minlength=len(self.class_names)).astype(np.int64)

    def subset(self, indices: Sequence[int] | NDArray[np.int64], split: str | None = None) -> GlyphSet:
        """The images at `indices`, in that order (a copy)."""
        chosen = np.asarray(indices, dtype=np.int64)
        return replace(
            self,
            images=self.images[chosen],
            targets=self.targets[chosen],
            ids=None if self.ids is None else tuple(self.ids[i] for i in chosen),
            split=split or self.split,
        )

    def digest(self) -> str:
        """SHA-256 over shape, images, targets and class names: equal digests, equal data."""
        sha = hashlib.sha256(repr((self.images.shape, self.class_names)).encode())
        sha.update(np.ascontiguousarray(self.images).reshape(-1).data)
        sha.update(np.ascontiguousarray(self.targets).data)
        return sha.hexdigest()

    def save(self, path: Path) -> None:
        """Write everything as one compressed .npz file (plain arrays, no pickle)."""
        with whole_file(path) as temporary:
            np.savez_compressed(
                temporary,
                images=self.images,
                targets=self.targets,
                class_names=np.array(self.class_names, dtype=np.str_),
                ids=np.array(self.ids or (), dtype=np.str_),
                about=np.array([self.name, self.split, self.remark, self.origin], dtype=np.str_),
            )

    @classmethod
    def load(cls, path: Path) -> GlyphSet:
        """Read what `save` wrote; `DataError` when the file is missing, cut short or something else."""
        with _opened(path) as stored:
            return cls(
                images=stored["images"],
                targets=stored["targets"],
                class_names=tuple(map(str, stored["class_names"])),
                ids=tuple(map(str, stored["ids"])) or None,
                **_about(stored),
            )

    @staticmethod
    def stored_origin(path: Path) -> str:
        """The origin of what `save` wrote, without reading its images. Raises `DataError` as `load` does."""
        with _opened(path) as stored:
            return _about(stored)["origin"]


@contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    """A file of `GlyphSet.save`; whatever is wrong with it is a `DataError`."""
    try:
        # Opened here, since numpy leaves the file open when it is damaged.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            yield stored
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not a saved glyph set: {error}") from error


def _about(stored: NpzFile) -> dict[str, str]:
    name, split, remark, *rest = (str(word) for word in stored["about"])
    if Path(name).name != name:  # it names files and folders
        raise ValueError(f"its name is '{name}', expected one without a path")
    # Files of former versions have no origin.
    return {"name": name, "split": split, "remark": remark, "origin": rest[0] if rest else ""}


def stratified_split(
    targets: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide indices into a large and a small part with the same mix of classes.

    targets: int64 [N]. share: part of each class that goes into the small part, 0 to below 1; a class with
    two or more images keeps at least one on each side (unless share is 0). Same arguments, same split.
    Returns (large, small), each int64 and in ascending order.
    """
    assert 0 <= share < 1, share
    rng = np.random.default_rng(seed)
    small: list[NDArray[np.int64]] = []
    for target in np.unique(targets):
        members = rng.permutation(np.flatnonzero(targets == target))
        wanted = round(share * len(members))
        if share > 0 and len(members) > 1:
            wanted = min(max(wanted, 1), len(members) - 1)
        small.append(members[:wanted])
    taken = np.sort(np.concatenate(small)) if small else np.empty(0, dtype=np.int64)
    kept = np.setdiff1d(np.arange(len(targets), dtype=np.int64), taken, assume_unique=True)
    return kept, taken.astype(np.int64)
