"""What is measured on: glyphs, pictures of characters, pages, of the embedded digits where these are missing."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

import glyphlab
from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError

T = TypeVar("T")
BYCLASS = "emnist-byclass"
STAND_IN = "the embedded digits, since {} is not at hand"
_CHUNK_IMAGES = 10_000
_PICTURE_SIZE = (1200, 900)  # width, height, as in drawn-characters
_PAGE_SIDE, _LINES, _WORDS, _WORD_LENGTH = 600, 8, 3, 4


def glyphs(name: str, split: Literal["train", "test"], data_dir: str | Path | None) -> GlyphSet:
    """A known data set, or the digits that come with Glyphlab where its files are not at hand."""
    try:
        return glyphlab.load_dataset(name, split, Path(data_dir) if data_dir else None)
    except DataError as error:
        print(f"measuring on the embedded digits: {error}", file=sys.stderr)
        return glyphlab.load_dataset("digits", split)


def at_hand(name: str, data_dir: str | Path | None) -> dict[str, str]:
    """What `glyphs` finds: its "name", the data set's or "digits", and "words" for a section, with what it is not."""
    found = glyphs(name, "test", data_dir)
    remark = f" ({found.remark})" if found.remark else ""
    return {"name": found.name, "words": f"{name}{remark}" if found.name == name else STAND_IN.format(name)}


def write_as_byclass(glyphs: GlyphSet, split: Literal["train", "test"], count: int, data_dir: Path) -> None:
    """Write `count` images with their labels, repeated as often as it takes, under the names and layout of byclass.

    EMNIST stores its images transposed.
    """
    images = np.ascontiguousarray(glyphs.images.transpose(0, 2, 1))
    stem = data_dir / "emnist" / f"{BYCLASS}-{split}"
    stem.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{stem}-images-idx3-ubyte").open("wb") as file:
        file.write(struct.pack(">IIII", 0x803, count, *images.shape[1:]))
        for start in range(0, count, _CHUNK_IMAGES):
            indices = np.arange(start, min(start + _CHUNK_IMAGES, count)) % len(images)
            file.write(images[indices].tobytes())
    with Path(f"{stem}-labels-idx1-ubyte").open("wb") as file:
        file.write(struct.pack(">II", 0x801, count))
        file.write(glyphs.targets[np.arange(count) % len(images)].astype(np.uint8).tobytes())


@dataclass(frozen=True)
class Pictures:
    """Pictures of one character each, dark on light. characters: what each shows. words: where they come from."""

    paths: tuple[Path, ...]
    characters: tuple[str, ...]
    words: str


def pictures(data_dir: Path | None, count: int | None, folder: Path) -> Pictures:
    """Up to `count` pictures of drawn-characters, else digits drawn into `folder`, all of 1200x900.

    Those of the even-numbered writers, since the preparation was tuned on the others'; drawn by lot, always the same.
    """
    import cv2
    from robustness import list_drawn

    found = list_drawn(data_dir / "drawn-characters", ("digit", "upper", "lower"), "even") if data_dir else []
    if found:
        chosen = [found[place] for place in sorted(np.random.default_rng(1).permutation(len(found))[:count])]
        words = f"{len(chosen)} of the {len(found):,} pictures of `drawn-characters` by even-numbered writers"
        return Pictures(tuple(one.path for one in chosen), tuple(one.character for one in chosen), words)
    digits = glyphlab.load_dataset("digits", "test")
    paths, names = [], []
    for index in range(len(digits))[:count]:
        picture = np.full(_PICTURE_SIZE[::-1], 255, np.uint8)
        large = cv2.resize(digits.images[index], (700, 700), interpolation=cv2.INTER_CUBIC)
        picture[100:800, 250:950] = 255 - large
        paths.append(folder / f"{index:04}.png")
        cv2.imwrite(str(paths[-1]), picture)
        names.append(digits.class_names[digits.targets[index]])
    return Pictures(tuple(paths), tuple(names), STAND_IN.format("drawn-characters"))


def pages(data_dir: Path | None, count: int | None, folder: Path) -> str:
    """Put up to `count` pages with their texts into `folder`, spread over `pages`, else made of digits.

    Returns what they are, in words.
    """
    import cv2

    originals = sorted((data_dir / "pages").glob("*.png")) if data_dir else []
    if originals:
        chosen = _spread_over(originals, count or len(originals))
        for page in chosen:
            for path in (page, page.with_suffix(".txt")):
                (folder / path.name).symlink_to(path.resolve())
        return f"{len(chosen)} of the {len(originals)} pages of `pages`"
    digits, rng = glyphlab.load_dataset("digits", "test"), np.random.default_rng(1)
    count = count or 20
    for number in range(count):
        picture, text = _page_of_digits(digits, rng)
        cv2.imwrite(str(folder / f"{number:03}.png"), picture)
        (folder / f"{number:03}.txt").write_text(text, encoding="utf-8")
    return STAND_IN.format("pages")


def _spread_over(found: Sequence[T], count: int) -> list[T]:
    """At most `count` of them, evenly."""
    count = min(count, len(found))
    return [found[place * len(found) // count] for place in range(count)]


def _page_of_digits(digits: GlyphSet, rng: np.random.Generator) -> tuple[NDArray[np.uint8], str]:
    """A page of words of digits, light on dark, uint8 [side, side], and its text."""
    page = np.zeros((_PAGE_SIDE, _PAGE_SIDE), np.uint8)
    lines = []
    for line in range(_LINES):
        words = []
        for word in range(_WORDS):
            chosen = rng.integers(len(digits), size=_WORD_LENGTH)
            for place, index in enumerate(chosen):
                top, left = 30 + 70 * line, 30 + 190 * word + 34 * place
                page[top : top + 28, left : left + 28] = digits.images[index]
            words.append("".join(digits.class_names[digits.targets[index]] for index in chosen))
        lines.append(" ".join(words))
    return page, "\n".join(lines) + "\n"
