"""Where the files of a public data set lie: in which folder, under which of their usual names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glyphlab.data.catalogue import SOURCES, Source
from glyphlab.errors import DataError, did_you_mean

DATA_DIR_VARIABLE = "GLYPHLAB_DATA"


@dataclass(frozen=True)
class Presence:
    """What of a source is at hand.

    state: "embedded" needs no files; "complete"; "partial": some files are missing; "missing": all are.
    folder: where the files lie, or where `fetch` would put them; None for an embedded source.
    size_bytes: of the files that are there.
    """

    state: Literal["embedded", "complete", "partial", "missing"]
    folder: Path | None
    found: tuple[Path, ...]
    missing: tuple[str, ...]
    size_bytes: int


def source(name: str) -> Source:
    """The catalogue's entry; `DataError` with the nearest names for an unknown one."""
    try:
        return SOURCES[name]
    except KeyError:
        raise DataError(f"unknown data set '{name}'; {did_you_mean(name, SOURCES)}") from None


def user_path(data: str | Path) -> Path:
    """The path that a user means, with "~" for a home folder. Raises `DataError` for the home of nobody."""
    try:
        return Path(data).expanduser()
    except RuntimeError as error:
        raise DataError(
            f"no folder or file {data}: '~' stands for a home folder, and there is none of that name"
        ) from error


def given_path(path: str | Path | None) -> Path | None:
    """As `user_path`; None stays None."""
    return None if path is None else user_path(path)


def default_data_dir() -> Path:
    """The folder named by GLYPHLAB_DATA, else a per-user cache."""
    named = os.environ.get(DATA_DIR_VARIABLE)
    if named:
        return user_path(named)
    import pooch

    return Path(pooch.os_cache("glyphlab"))


def find_file(source: Source, data_dir: Path, name: str) -> Path | None:
    """The file `name` (without ".gz") of a source, plain or gzipped; None where it is not there."""
    dotted = name.replace("-idx", ".idx")  # as in many copies: train-images.idx3-ubyte
    for folder in source.folders:
        for variant in dict.fromkeys((name, f"{name}.gz", dotted, f"{dotted}.gz")):
            path = data_dir / folder / variant
            if path.is_file():
                return path
    return None


def presence(source: Source, data_dir: Path) -> Presence:
    """Look for all files of a source."""
    if source.layout == "embedded":
        return Presence("embedded", None, (), (), 0)
    found: list[Path] = []
    missing: list[str] = []
    for name in (*source.train_files, *source.test_files):
        path = find_file(source, data_dir, name)
        if path is None:
            missing.append(name)
        else:
            found.append(path)
    state: Literal["complete", "partial", "missing"] = "partial" if found else "missing"
    folder = found[0].parent if found else data_dir / source.folders[0]
    size_bytes = sum(path.stat().st_size for path in found)
    return Presence(state if missing else "complete", folder, tuple(found), tuple(missing), size_bytes)
