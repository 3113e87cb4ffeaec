"""The user's folders of pictures: one folder a class, or train/ and test/ with such folders within."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import Split
from glyphlab.data.decode import SMALLEST_SIZE, SUFFIXES, PictureSettings, decode, is_coloured, picture_size
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.holdout import held_out
from glyphlab.data.naming import clean_name, natural_key
from glyphlab.errors import DataError, ImageError, did_you_mean

DEFAULT_SIZE = 28
LARGEST_KEPT_SIZE = 64
# "auto" looks for colour in at most so many pictures, spread evenly over the training part: one look decides
# for both parts, and a folder of large photos need not be read twice.
COLOUR_SAMPLE = 256

_TRAIN_FOLDERS = ("train", "training")
_TEST_FOLDERS = ("test", "testing")
_UNUSED_FOLDERS = ("val", "valid", "validation", "dev")

OnProgress = Callable[[int, int], None]
OnSkip = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """Picture files with their targets: int64 [N], 0 to the number of classes - 1."""

    paths: tuple[Path, ...]
    targets: NDArray[np.int64]


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, before any picture is opened. test is None where the user gives no test part."""

    root: Path
    class_names: tuple[str, ...]
    train: Part
    test: Part | None

    @property
    def name(self) -> str:
        """The folder's own name."""
        return clean_name(self.root.resolve().name)

    def all_paths(self) -> tuple[Path, ...]:
        """The pictures of both parts."""
        return self.train.paths + (self.test.paths if self.test is not None else ())

    def id_of(self, path: Path) -> str:
        """The picture's path within the folder, with forward slashes."""
        return clean_name(path.relative_to(self.root).as_posix())

    def part(self, split: Split) -> Part:
        """The pictures of `split`; without a test part of the user's, 15 % of each class are held out."""
        if self.test is not None:
            return self.train if split == "train" else self.test
        chosen = held_out(self.train.targets, self.class_names, self.name, split)
        return Part(tuple(self.train.paths[index] for index in chosen), self.train.targets[chosen])


def list_folder(root: Path) -> Listing:
    """Find the classes and pictures of a folder, in natural order, without opening a picture.

    Hidden files and files that are no pictures by their suffix are passed over. Raises `DataError` when there
    are no class folders, only one, one without pictures, or when train/ and test/ disagree.
    """
    subfolders = _subfolders(root)
    train = _the_one(subfolders, _TRAIN_FOLDERS)
    if train is None or _pictures(train):  # a folder "train" with pictures in it is a class of locomotives
        class_names, part = _list_classes(root)
        return Listing(root, class_names, part, None)
    for path in subfolders:
        if path.name.casefold() in _UNUSED_FOLDERS:
            raise DataError(
                f"{root}: found '{path.name}' beside '{train.name}', expected train and test "
                "only; merge it into train (a validation part is taken from there) or rename it to test"
            )
    class_names, part = _list_classes(train)
    test = _the_one(subfolders, _TEST_FOLDERS)
    return Listing(root, class_names, part, None if test is None else _list_test(test, class_names))


def _the_one(subfolders: Sequence[Path], names: Sequence[str]) -> Path | None:
    """The folder of one of these names, in small letters or capitals. Raises `DataError` for two of them."""
    found = [path for path in subfolders if path.name.casefold() in names]
    if len(found) > 1 and not any(_pictures(path) for path in found):
        first, second = found[0], found[1]
        raise DataError(
            f"{first.parent}: found '{first.name}' and '{second.name}', expected one of them; merge the two"
        )
    return found[0] if found else None


def read_folder(
    root: Path,
    split: Split,
    settings: PictureSettings,
    *,
    skip_bad: bool = False,
    on_skip: OnSkip | None = None,
    on_progress: OnProgress | None = None,
) -> GlyphSet:
    """Read one split of a folder of pictures.

    skip_bad: leave unreadable pictures out and tell `on_skip` about each; else they are a `DataError`.
    on_progress: called with (pictures done, pictures in all).
    Raises `DataError` as `list_folder` does, and for unreadable pictures.
    """
    listing = list_folder(root)
    size = settings.size or _common_size(listing)
    channels = _common_channels(listing) if settings.channels == "auto" else settings.channels
    shape = (size, size) if channels == "grey" else (size, size, 3)
    fit = partial(decode, size=size, channels=channels, invert=settings.invert)
    bad: list[str] = []
    glyphs = read_pictures(listing, listing.part(split), split, shape, fit, bad.append, on_progress)
    if bad and not skip_bad:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise DataError(
            f"{listing.name}: cannot read {bad[0]}{more}; repair or remove such pictures, or leave them out "
            "with --skip-bad or --set data.skip_bad=true (in Python skip_bad=True)"
        )
    for message in bad:
        if on_skip is not None:
            on_skip(message)
    _refuse_emptied_class(listing, split, glyphs.targets)
    return glyphs


def read_pictures(
    listing: Listing,
    part: Part,
    split: Split,
    shape: tuple[int, ...],
    prepare: Callable[[Path], NDArray[np.uint8]],
    on_bad: Callable[[str], None],
    on_progress: OnProgress | None = None,
) -> GlyphSet:
    """Pictures of a folder, each made an image of one shape.

    shape: [H, W] or [H, W, 3]. prepare: gives such a uint8 image of a file, or raises `ImageError`; then the picture
    is left out, and `on_bad` told its name and what is wrong with it.
    """
    images = np.empty((len(part.paths), *shape), dtype=np.uint8)
    kept: list[int] = []
    for index, path in enumerate(part.paths):
        try:
            images[len(kept)] = prepare(path)
            kept.append(index)
        except ImageError as error:
            on_bad(f"{listing.id_of(path)} ({str(error).removeprefix(f'{path}: ')})")
        if on_progress is not None:
            on_progress(index + 1, len(part.paths))
    return GlyphSet(
        images=images[: len(kept)],
        targets=part.targets[kept],
        class_names=listing.class_names,
        name=listing.name,
        split=split,
        ids=tuple(listing.id_of(part.paths[index]) for index in kept),
    )


def _list_classes(folder: Path) -> tuple[tuple[str, ...], Part]:
    """Class names and pictures of a folder with one folder a class."""
    class_folders = _subfolders(folder)
    if not class_folders:
        loose = len(_pictures(folder))
        found = f"{loose} pictures lie loose in it" if loose else "found none"
        raise DataError(f"{folder}: no class folders ({found}); expected one folder a class, named by the class")
    if len(class_folders) == 1:
        raise DataError(
            f"{folder}: only one class ('{clean_name(class_folders[0].name)}'); expected at least two class folders"
        )
    paths: list[Path] = []
    targets: list[int] = []
    for target, class_folder in enumerate(class_folders):
        pictures = _pictures(class_folder)
        if not pictures:
            raise DataError(_empty_class_message(class_folder))
        paths += pictures
        targets += [target] * len(pictures)
    names = tuple(clean_name(class_folder.name) for class_folder in class_folders)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{folder}: two class folders are both named '{twice}'; rename one")
    return names, Part(tuple(paths), np.array(targets, dtype=np.int64))


def _list_test(folder: Path, class_names: tuple[str, ...]) -> Part:
    """Pictures of a test folder, whose classes must be among those of the training part."""
    paths: list[Path] = []
    targets: list[int] = []
    for class_folder in _subfolders(folder):
        name = clean_name(class_folder.name)
        if name not in class_names:
            raise DataError(f"{folder}: class '{name}' is not in the training part; {did_you_mean(name, class_names)}")
        pictures = _pictures(class_folder)
        paths += pictures
        targets += [class_names.index(name)] * len(pictures)
    if not paths:
        raise DataError(f"{folder}: no pictures in class folders; fill it, or remove it to have 15 % held out")
    return Part(tuple(paths), np.array(targets, dtype=np.int64))


def _empty_class_message(class_folder: Path) -> str:
    inner = [path.name for path in _subfolders(class_folder)]
    if inner:
        return (
            f"{class_folder}: a class folder without pictures, but with folders "
            f"({', '.join(map(clean_name, inner[:3]))}{', ...' * (len(inner) > 3)}); expected the pictures "
            "directly in it"
        )
    return f"{class_folder}: a class folder without pictures ({', '.join(sorted(SUFFIXES))}); fill or remove it"


def _refuse_emptied_class(listing: Listing, split: Split, targets: NDArray[np.int64]) -> None:
    """After skipping, a training part must still show every class."""
    counts = np.bincount(targets, minlength=len(listing.class_names))
    if split == "train" and (counts == 0).any():
        name = listing.class_names[int(np.argmin(counts))]
        raise DataError(
            f"{listing.name}: none of the pictures of class '{name}' can be read; replace them or remove the class"
        )


def _common_size(listing: Listing) -> int:
    """The one small square size that all readable pictures have, else the default."""
    common = 0
    for path in listing.all_paths():
        try:
            width, height = picture_size(path)
        except ImageError:
            continue  # named when it is decoded
        if width != height or width > LARGEST_KEPT_SIZE or common not in (0, width):
            return DEFAULT_SIZE
        common = width
    return max(common, SMALLEST_SIZE) if common else DEFAULT_SIZE


def _common_channels(listing: Listing) -> Literal["grey", "rgb"]:
    """Grey when no picture of an even sample of the training part shows colour."""
    paths = listing.train.paths
    sample = np.unique(np.linspace(0, len(paths) - 1, min(len(paths), COLOUR_SAMPLE)).round().astype(int))
    for index in sample:
        try:
            if is_coloured(paths[index]):
                return "rgb"
        except ImageError:
            continue  # named when it is decoded
    return "grey"


def is_hidden(name: str) -> bool:
    """Whether an entry of this name is passed over: hidden, or the debris of macOS's archives."""
    return name.startswith((".", "__MACOSX"))


def _visible(folder: Path) -> list[Path]:
    """The folder's entries in natural order, without hidden ones."""
    try:
        entries = [path for path in folder.iterdir() if not is_hidden(path.name)]
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror or error}") from error
    return sorted(entries, key=lambda path: natural_key(clean_name(path.name)))


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir()]


def _pictures(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() in SUFFIXES and not path.is_dir()]
