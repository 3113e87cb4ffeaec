"""The user's folder of pictures -> glyphs, prepared exactly as reading prepares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.equal import known_among
from glyphlab.data.folders import Listing, list_folder
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ImageError
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.preparation import preparation_of

OnPicture = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Prepared pictures.

    unusable: each one's name with what is wrong with it. before: what the network learned from already, if anything.
    untested: all pictures are learned from, and the test part is the same once more.
    """

    train: GlyphSet
    test: GlyphSet
    unusable: tuple[str, ...]
    before: GlyphSet | None = None
    untested: bool = False

    def to_json(self) -> dict[str, Any]:
        """How many there are."""
        tested = 0 if self.untested else len(self.test)
        return {"train": len(self.train), "test": tested, "unusable": list(self.unusable)}

    @cached_property
    def repeated(self) -> NDArray[np.int64]:
        """Places in the test part of pictures that are, pixel for pixel, also among those learned from, int64."""
        known = known_among(self.test.images, self.train.images)
        if self.before is not None:
            known |= known_among(self.test.images, self.before.images)
        return np.flatnonzero(known)


def prepare_pictures(
    folder: Path,
    info: ModelInfo,
    on_picture: OnPicture | None = None,
    *,
    hold_out: bool = True,
    skip_bad: bool = False,
) -> Pictures:
    """Prepare all pictures of a folder with one folder a class, or with train/ and test/ of such folders.

    hold_out: without a test part 15 % of each class, and at least one picture, are held out for it; else none is.
    skip_bad: pictures that cannot be used are left out and named; else they are a `DataError`.
    on_picture: told of (pictures done, pictures in all).
    Raises `DataError` also for: no such folder, one class only, a class with too few usable pictures, a test part
    where nothing shall be held out.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; expected one with a folder of pictures a class, named by the class")
    listing = list_folder(folder)
    prepare = preparation_of(info)
    glyphs: dict[Path, NDArray[np.uint8]] = {}
    unusable: list[str] = []
    paths = listing.all_paths()
    for number, path in enumerate(paths, start=1):
        try:
            glyphs[path] = prepare(path)
        except ImageError as error:
            unusable.append(f"{listing.id_of(path)} ({str(error).removeprefix(f'{path}: ')})")
        if on_picture is not None:
            on_picture(number, len(paths))
    if unusable and not skip_bad:
        more = f" and {len(unusable) - 1} more" if len(unusable) > 1 else ""
        raise DataError(
            f"{listing.name}: cannot use {unusable[0]}{more}; replace or remove such pictures, or leave them out with "
            "--skip-bad (in Python skip_bad=True)"
        )
    if not hold_out:
        listing = _untested(listing)
    _refuse_too_few(listing, glyphs)
    train, test = (_part(listing, split, glyphs) for split in get_args(Split))
    return Pictures(train, test, tuple(unusable), untested=not hold_out)


def _untested(listing: Listing) -> Listing:
    """All pictures to learn from, and the same ones once more in place of a test part."""
    if listing.test is not None:
        raise DataError(
            f"{listing.name} has a test part, so that nothing is held out of the others; leave out --learn-all "
            "(in Python hold_out=False)"
        )
    return replace(listing, test=listing.train)


def _part(listing: Listing, split: Split, glyphs: dict[Path, NDArray[np.uint8]]) -> GlyphSet:
    part = listing.part(split)
    kept = [(path, target) for path, target in zip(part.paths, part.targets.tolist(), strict=True) if path in glyphs]
    if not kept:
        raise DataError(f"{listing.name}: none of the pictures of its {split} part can be used; replace them")
    return GlyphSet(
        images=np.stack([glyphs[path] for path, _ in kept]),
        targets=np.array([target for _, target in kept], dtype=np.int64),
        class_names=listing.class_names,
        name=listing.name,
        split=split,
        ids=tuple(listing.id_of(path) for path, _ in kept),
    )


def _refuse_too_few(listing: Listing, glyphs: dict[Path, NDArray[np.uint8]]) -> None:
    """Every class needs a usable picture to learn from, and one more where the test part is taken from the same."""
    least = 1 if listing.test is not None else 2
    purpose = "to learn from" if least == 1 else "one to learn from and one to test, since there is no test part"
    part = listing.train
    for target, name in enumerate(listing.class_names):
        own = [path for path, of in zip(part.paths, part.targets.tolist(), strict=True) if of == target]
        usable = sum(path in glyphs for path in own)
        learned = listing.part("train")
        left = sum(
            path in glyphs for path, of in zip(learned.paths, learned.targets.tolist(), strict=True) if of == target
        )
        if usable < least or left == 0:
            lost = f" ({len(own) - usable} of {len(own)} cannot be used)" if usable < len(own) else ""
            raise DataError(
                f"{listing.name}: class '{name}' has {usable} usable picture{'s' * (usable != 1)}{lost}; at least "
                f"{least} {'is' if least == 1 else 'are'} needed ({purpose}), 5 or more are better"
            )
