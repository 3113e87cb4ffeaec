"""Finding the pictures that a user means: files, folders, patterns; one after the other, never all at once."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from glyphlab.errors import ImageError
from glyphlab.imaging.picture import SUFFIXES


def find_pictures(
    places: Iterable[str], on_error: Callable[[ImageError], None], suffixes: Collection[str] = SUFFIXES
) -> Iterator[Path]:
    """The pictures at `places`, in order, folders with all that is in them in alphabetical order.

    places: paths of files (whatever they are called), of folders, or patterns such as "scans/*.png", which some
    shells leave to the program. Hidden files and folders are passed over. on_error: told of a place where there
    is no picture; the others are found all the same. suffixes: of the files that count in folders, lower case.
    """
    for place in places:
        found = False
        for path in _at(place, suffixes):
            found = True
            yield path
        if not found:
            on_error(ImageError(_nothing_at(place, suffixes)))


def _at(place: str, suffixes: Collection[str]) -> Iterator[Path]:
    path = Path(place)
    if path.is_dir():
        yield from _within(path, suffixes)
    elif path.exists():
        yield path
    elif glob.has_magic(place):
        matches = sorted(glob.glob(place, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute patterns)
        yield from (path for path in map(Path, matches) if path.is_file())


def _within(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in suffixes and not name.startswith("."):  # noqa: PTH122 (quick)
                yield Path(parent, name)


def _nothing_at(place: str, suffixes: Collection[str]) -> str:
    if Path(place).is_dir():
        return f"{place}: a folder without pictures; expected files ending in {', '.join(sorted(suffixes))}"
    if glob.has_magic(place):
        return f"{place}: no file matches this pattern"
    return f"{place}: no such file or folder"
