"""What is wrong with a data set: equal images, contradictions, blanks, odd or unreadable files, class counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.catalogue import SOURCES, Split
from glyphlab.data.decode import SMALLEST_SIZE, SUFFIXES, Channels, picture_size
from glyphlab.data.equal import groups_of_equal, image_digests
from glyphlab.data.folders import Listing, OnProgress, is_hidden, list_folder
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import user_path
from glyphlab.data.pixel_csv import is_pixel_csv
from glyphlab.data.saved import is_saved_folder
from glyphlab.data.sources import load_dataset
from glyphlab.errors import ImageError

Severity = Literal["error", "warning", "note"]

# An image whose brightest and darkest pixel differ by less is blank.
BLANK_CONTRAST = 16
# Fewer training images of a class than this teach little; fewer test images measure little.
FEW_IMAGES = 10
# Largest over smallest class of the training part.
IMBALANCE_RATIO = 10.0
# Duplicates within a split: up to this share they hardly matter.
DUPLICATE_SHARE = 0.01
# Test images that are also training images: from this share on the test figure is not to be believed.
LEAK_SHARE = 0.01
# Longer over shorter side of a picture: beyond, it is hardly one character.
LONGEST_ASPECT = 4.0
_EXAMPLES = 5
_CHUNK_IMAGES = 8192


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    severity: "error": figures on these data mislead; "warning": worth mending; "note": worth knowing.
    count: how many images or classes are concerned. examples: ids of some of them.
    """

    kind: Literal[
        "duplicate", "leak", "contradiction", "blank", "size", "unreadable", "empty", "few", "imbalance", "unused"
    ]
    severity: Severity
    message: str
    count: int
    examples: tuple[str, ...] = ()


def check(
    data: str | Path,
    data_dir: Path | None = None,
    *,
    size: int | None = None,
    channels: Channels = "auto",
    invert: bool = False,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Finding]:
    """Load both splits of a data set and look for everything that `check_sets` looks for, the gravest first.

    In a folder of pictures also: unreadable files (errors; notes with skip_bad), odd picture sizes, and pictures that
    lie where none are looked for. The other arguments are those of `load_dataset`. Raises `DataError` for data that
    cannot be loaded at all.
    """
    path = user_path(data)
    in_folder = not (isinstance(data, str) and data in SOURCES) and path.is_dir()
    in_folder = in_folder and not is_pixel_csv(path) and not is_saved_folder(path)
    unreadable: list[str] = []

    def load(split: Split) -> GlyphSet:
        return load_dataset(
            data,
            split,
            data_dir,
            size=size,
            channels=channels,
            invert=invert,
            skip_bad=in_folder or skip_bad,
            on_skip=unreadable.append,
            on_progress=on_progress,
        )

    sets = [load("train"), load("test")]
    findings = _unreadable(unreadable, skip_bad)
    if in_folder:
        listing = list_folder(path)
        findings += _odd_sizes(listing) + _unused(listing)
    return _gravest_first(findings + check_sets(sets))


def check_sets(sets: Sequence[GlyphSet]) -> list[Finding]:
    """Look for leaks between splits, contradictions, duplicates, blanks, and missing, small and unequal
    classes.

    sets: the splits of one data set, with the same classes. Equal images are found by a 128-bit BLAKE2b hash
    of their pixels, so that a million images take seconds and 16 bytes each. Blank images count as blank
    only.
    """
    blank = [_is_blank(glyphs.images) for glyphs in sets]
    findings = _equal_images(sets, blank)
    for glyphs, marks in zip(sets, blank, strict=True):
        findings += [*_blanks(glyphs, marks), *_classes(glyphs)]
    return _gravest_first(findings)


def _gravest_first(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.severity))


def _unreadable(messages: list[str], skip_bad: bool) -> list[Finding]:
    if not messages:
        return []
    text = f"{_images(len(messages), 'file')} cannot be read as pictures" + (", left out" if skip_bad else "")
    return [Finding("unreadable", "note" if skip_bad else "error", text, len(messages), _some(messages))]


def _odd_sizes(listing: Listing) -> list[Finding]:
    """Pictures too small or too long to be a character; and whether sizes differ at all."""
    sizes: Counter[tuple[int, int]] = Counter()
    odd: list[str] = []
    for path in listing.all_paths():
        try:
            width, height = picture_size(path)
        except ImageError:
            continue  # reported as unreadable
        sizes[width, height] += 1
        if min(width, height) < SMALLEST_SIZE or max(width, height) > LONGEST_ASPECT * min(width, height):
            odd.append(f"{listing.id_of(path)} ({width}x{height})")
    findings = []
    if odd:
        limits = f"smaller than {SMALLEST_SIZE} pixels or longer than {LONGEST_ASPECT:g}:1"
        text = f"{_images(len(odd), 'picture')} {limits}"
        findings.append(Finding("size", "warning", text, len(odd), _some(odd)))
    if len(sizes) > 1:
        (width, height), most = sizes.most_common(1)[0]
        others = sizes.total() - most
        text = (
            f"pictures have {len(sizes):,} different sizes (most often {width}x{height}, {others:,} others); "
            "they are fitted"
        )
        findings.append(Finding("size", "note", text, others))
    return findings


def _unused(listing: Listing) -> list[Finding]:
    """Pictures in the folder that belong to no part, such as those in folders within class folders."""
    used = set(listing.all_paths())
    unused = [
        listing.id_of(path)
        for path in sorted(listing.root.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path not in used
        and not any(map(is_hidden, path.relative_to(listing.root).parts))
        and path.is_file()
    ]
    if not unused:
        return []
    text = f"{_images(len(unused), 'picture')} passed over, in no class folder of the training or test part"
    return [Finding("unused", "warning", text, len(unused), _some(unused))]


def _is_blank(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which images are (nearly) of one colour, bool [N]."""
    blank = np.zeros(len(images), dtype=np.bool_)
    for start in range(0, len(images), _CHUNK_IMAGES):
        flat = images[start : start + _CHUNK_IMAGES].reshape(-1, int(np.prod(images.shape[1:])))
        blank[start : start + len(flat)] = flat.max(axis=1) - flat.min(axis=1) < BLANK_CONTRAST
    return blank


def _blanks(glyphs: GlyphSet, blank: NDArray[np.bool_]) -> list[Finding]:
    places = np.flatnonzero(blank)
    if not places.size:
        return []
    text = f"{glyphs.split}: {_images(len(places))} blank (all pixels alike)"
    return [Finding("blank", "warning", text, len(places), _ids(glyphs, places))]


def _equal_images(sets: Sequence[GlyphSet], blank: Sequence[NDArray[np.bool_]]) -> list[Finding]:
    """Leaks, contradictions and duplicates, from groups of equal images over all splits."""
    which = np.concatenate([np.full(len(glyphs), number) for number, glyphs in enumerate(sets)])
    place = np.concatenate([np.arange(len(glyphs)) for glyphs in sets])
    targets = np.concatenate([glyphs.targets for glyphs in sets])
    seen = np.flatnonzero(~np.concatenate(list(blank)))
    digests = np.concatenate([image_digests(glyphs.images) for glyphs in sets])[seen]

    leaks: list[str] = []
    contradictions: list[str] = []
    duplicates: list[list[str]] = [[] for _ in sets]

    def id_of(index: int, with_class: bool = False) -> str:
        glyphs = sets[which[index]]
        label = f" ({glyphs.class_names[targets[index]]})" if with_class else ""
        return f"{_id(glyphs, int(place[index]))}{label}"

    for members in groups_of_equal(digests):
        group = seen[members]
        first_of: dict[int, int] = {}
        for index in group:
            first = first_of.setdefault(int(which[index]), int(index))
            if first != index:
                duplicates[which[index]].append(f"{id_of(first)} = {id_of(int(index))}")
            if which[index] != which[group[0]]:
                leaks.append(f"{id_of(int(group[0]))} = {id_of(int(index))}")
        _, firsts = np.unique(targets[group], return_index=True)
        if len(firsts) > 1:
            names = [id_of(int(group[first]), with_class=True) for first in sorted(firsts)]
            contradictions.append(" = ".join(names))
    return _report_equal(sets, leaks, contradictions, duplicates)


def _report_equal(
    sets: Sequence[GlyphSet], leaks: list[str], contradictions: list[str], duplicates: list[list[str]]
) -> list[Finding]:
    findings = []
    if leaks:
        share = len(leaks) / sum(map(len, sets[1:]))
        severity: Severity = "error" if share >= LEAK_SHARE else "warning"
        text = f"{_images(len(leaks))} of the test part also in the training part ({share:.2%} of it)"
        findings.append(Finding("leak", severity, text, len(leaks), _some(leaks)))
    if contradictions:
        text = f"{_images(len(contradictions))} present under different labels"
        findings.append(Finding("contradiction", "warning", text, len(contradictions), _some(contradictions)))
    for glyphs, pairs in zip(sets, duplicates, strict=True):
        if pairs:
            share = len(pairs) / len(glyphs)
            severity = "warning" if share > DUPLICATE_SHARE else "note"
            text = f"{glyphs.split}: {_images(len(pairs))} equal to an earlier one ({share:.2%})"
            findings.append(Finding("duplicate", severity, text, len(pairs), _some(pairs)))
    return findings


def _classes(glyphs: GlyphSet) -> list[Finding]:
    """Missing and small classes of a split; of the training part also how unequal the classes are."""
    counts = glyphs.counts()
    training = glyphs.split == "train"
    empty, few = np.flatnonzero(counts == 0), np.flatnonzero((counts > 0) & (counts < FEW_IMAGES))
    findings = []
    if empty.size:
        text = f"{glyphs.split}: {_classes_text(len(empty))} without any image"
        findings.append(Finding("empty", "warning", text, len(empty), _named(glyphs, empty)))
    if few.size:
        text = f"{glyphs.split}: {_classes_text(len(few))} with fewer than {FEW_IMAGES} images"
        severity: Severity = "warning" if training else "note"
        findings.append(Finding("few", severity, text, len(few), _named(glyphs, few)))
    present = counts[counts > 0]
    if training and present.size and present.max() > IMBALANCE_RATIO * present.min():
        large, small = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max()).argmin())
        ratio = counts[large] / counts[small]
        text = f"{glyphs.split}: the largest class has {ratio:.1f} times the images of the smallest"
        findings.append(Finding("imbalance", "warning", text, 2, _named(glyphs, np.array([large, small]))))
    return findings


def _named(glyphs: GlyphSet, classes: NDArray[np.int64]) -> tuple[str, ...]:
    counts = glyphs.counts()
    return _some([f"{glyphs.class_names[index]} ({counts[index]:,})" for index in classes])


def _id(glyphs: GlyphSet, index: int) -> str:
    """An id that also says the split, where the image has no path of its own."""
    return glyphs.id_of(index) if glyphs.ids is not None else f"{glyphs.split} {index}"


def _ids(glyphs: GlyphSet, places: NDArray[np.int64]) -> tuple[str, ...]:
    return tuple(_id(glyphs, int(place)) for place in places[:_EXAMPLES])


def _some(examples: list[str]) -> tuple[str, ...]:
    return tuple(examples[:_EXAMPLES])


def _images(count: int, noun: str = "image") -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _classes_text(count: int) -> str:
    return f"{count:,} class{'es' * (count != 1)}"
