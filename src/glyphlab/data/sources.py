"""Data sets by name or by path: the one door through which glyphs come in.

from glyphlab import load_dataset

train = load_dataset("mnist")                       # a public set, from the data directory
test = load_dataset("mnist", "test")
mine = load_dataset("photos/greek", invert=True)    # a folder of one's own
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

from glyphlab.data.catalogue import SOURCES, Source, Split
from glyphlab.data.decode import Channels, PictureSettings
from glyphlab.data.digits import load_digits
from glyphlab.data.download import Quiet, Reporter, fetch_source
from glyphlab.data.emnist import read_mapping, refuse_cut_off_letters, turn_upright
from glyphlab.data.folders import OnProgress, OnSkip, list_folder, read_folder
from glyphlab.data.formats import read_cifar, read_idx_pair
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.locate import default_data_dir, find_file, given_path, source, user_path
from glyphlab.data.pixel_csv import has_test_part, is_pixel_csv, read_pixel_csv
from glyphlab.data.saved import is_saved_folder, read_saved_folder
from glyphlab.errors import DataError, GlyphlabWarning, did_you_mean, quoted

ARRAYS = "arrays"
"""The data set's name of a run whose images came from a program and were not kept."""


def names() -> list[str]:
    """The names of the public data sets, in the order of the catalogue."""
    return list(SOURCES)


def fetch(name: str, data_dir: Path | None = None, reporter: Reporter | None = None) -> Path | None:
    """Download a public data set into `data_dir` (None: GLYPHLAB_DATA, else the per-user cache).

    Returns the folder that holds it, None for a set that needs no download. Raises `DataError` for an unknown
    name, or when no address gives the right files, `RunError` when the folder cannot be written.
    """
    known = source(name)
    if known.layout == "embedded":
        (reporter or Quiet()).note(f"{name}: comes with scikit-learn, nothing to fetch")
        return None
    return fetch_source(known, data_dir or default_data_dir(), reporter or Quiet())


def load_dataset(
    data: str | Path,
    split: Split = "train",
    data_dir: str | Path | None = None,
    *,
    size: int | None = None,
    channels: Channels = "auto",
    invert: bool = False,
    skip_bad: bool = False,
    on_skip: OnSkip | None = None,
    on_progress: OnProgress | None = None,
) -> GlyphSet:
    """Read one split of a data set; nothing is ever downloaded.

        glyphs = glyphlab.load_dataset("mnist", "test", data_dir="data")
        glyphs.images[0], glyphs.class_names[glyphs.targets[0]]

    data: a name of `names()`, or the path of a folder of pictures (one folder a class, or train/ and test/
        with such folders), of a CSV of pixels, of a folder with train.csv and test.csv, or of one with saved
        glyph sets (train.npz and test.npz, as `glyphlab labels apply` makes it).
    split: "train" or "test". Where the user's data have no test part, a fixed 15 % of each class are held
    out.
    data_dir: where public sets lie; None: the folder named by GLYPHLAB_DATA, else a per-user cache.
    size, channels, invert: how pictures in folders become images, see `PictureSettings`.
    skip_bad: leave unreadable pictures in folders out; on_skip is told of each (None: a `GlyphlabWarning`).
    on_progress: told of (pictures read, pictures in all) while a folder is read.

    Raises `DataError` when data are unknown, missing, damaged or contradictory, or when a setting for
    pictures is given for data that have none.
    """
    if split not in ("train", "test"):
        raise DataError(f"unknown split '{split}'; expected train or test (validation is carved from train)")
    settings = PictureSettings(size, channels, invert)
    known = SOURCES.get(data) if isinstance(data, str) else None
    if known is not None:
        _refuse_settings(known.name, settings, skip_bad)
        return read_source(known, split, given_path(data_dir) or default_data_dir())
    path = user_path(data)
    _refuse_missing(data, path)
    if is_pixel_csv(path):
        _refuse_settings(str(data), settings, skip_bad)
        return read_pixel_csv(path, split)
    if is_saved_folder(path):
        _refuse_settings(str(data), settings, skip_bad)
        return read_saved_folder(path, split)
    if not path.is_dir():
        raise DataError(f"{path} is a file; expected a folder of pictures or a .csv of pixels")
    return read_folder(path, split, settings, skip_bad=skip_bad, on_skip=on_skip or _warn, on_progress=on_progress)


def holds_out(data: str | Path) -> bool:
    """Whether the user's data at this path have no test part, so that one is held out; False where nothing is there.

    Raises `DataError` for a folder that is no data set.
    """
    path = user_path(data)
    if data in SOURCES or not path.exists() or is_saved_folder(path):
        return False
    return not has_test_part(path) if is_pixel_csv(path) else list_folder(path).test is None


def read_source(source: Source, split: Split, data_dir: Path) -> GlyphSet:
    """Read one split of a public data set: upright, targets from 0, with a remark where it is not the
    official one.

    Raises `DataError` when files are missing (says how to get them), damaged, or not of this set.
    """
    if source.layout == "embedded":
        return load_digits(source, split)
    paths = _files(source, split, data_dir)
    class_names = source.class_names
    if source.layout == "cifar":
        images, targets = read_cifar(paths, len(class_names))
    else:
        images, targets = read_idx_pair(paths[0], paths[1], len(class_names), source.first_label)
        if images.shape[1:] != source.image_shape[1:]:
            found, expected = list(images.shape[1:]), list(source.image_shape[1:])
            raise DataError(f"{paths[0]}: images are {found}, expected {expected}; it belongs to another set")
        refuse_cut_off_letters(source, split, targets, paths[0])
        if source.transposed:
            turn_upright(images)
        mapping = find_file(source, data_dir, source.mapping_file) if source.mapping_file else None
        if mapping is not None:
            class_names = read_mapping(mapping, len(class_names), source.first_label)
    loaded = GlyphSet(images, targets, class_names, name=source.name, split=split, origin=source.name)
    if len(loaded) == source.count(split):
        return loaded
    remark = (
        f"not the official split ({len(loaded):,} images, official {source.count(split):,}): "
        "figures are not comparable with published ones"
    )
    return replace(loaded, remark=remark)


def _files(source: Source, split: Split, data_dir: Path) -> list[Path]:
    """The files of a split; `DataError` with both cures when any is missing."""
    found = {name: find_file(source, data_dir, name) for name in source.files(split)}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise DataError(
            f"{source.name} is not in {data_dir}: {', '.join(missing)} missing (plain or .gz); run: glyphlab "
            f"data fetch {source.name} --data-dir {quoted(data_dir)}, or put the files into "
            f"{data_dir / source.folders[0]}"
        )
    return [path for path in found.values() if path is not None]


def _refuse_settings(name: str, settings: PictureSettings, skip_bad: bool) -> None:
    """A setting that would be ignored is an error."""
    plain = PictureSettings()
    given = [key for key in ("size", "channels", "invert") if getattr(settings, key) != getattr(plain, key)]
    given += ["skip_bad"] if skip_bad else []
    if given:
        raise DataError(
            f"{name}: {', '.join(given)} would have no effect; it concerns folders of pictures only, leave it out"
        )


def _refuse_missing(data: str | Path, path: Path) -> None:
    if path.exists():
        return
    if data == ARRAYS:
        raise DataError(
            "the run learned from arrays of a program, which it did not keep; name images with --data where that is an "
            "option, or train from a folder"
        )
    looks_like_path = not isinstance(data, str) or "/" in data or "\\" in data or path.suffix
    if looks_like_path:
        raise DataError(
            f"no folder or file {data}; expected a folder of pictures, a .csv, or one of: {', '.join(SOURCES)}"
        )
    raise DataError(
        f"unknown data set '{data}', and no folder or file of that name; {did_you_mean(str(data), SOURCES)}"
    )


def _warn(message: str) -> None:
    warnings.warn(f"skipped {message}", GlyphlabWarning, stacklevel=2)
