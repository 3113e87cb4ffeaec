"""Fetching a public data set: mirrors, hashes, safe unpacking, and what to do where there is no network.

A file gets its name only when its hash is right, so that an interrupted or refused download leaves nothing
behind.
Of an archive only the members that the catalogue expects are taken, each to a name chosen here: no path from
inside an archive is ever used.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from glyphlab.data.catalogue import Download, Source
from glyphlab.data.formats import read_idx
from glyphlab.data.locate import find_file
from glyphlab.errors import DataError
from glyphlab.files import make_folder, whole_file, writing

TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 18
_HTML_STARTS = (b"<!doctype", b"<html", b"<?xml", b"<head")


class Reporter(Protocol):
    """Who is told how a download goes."""

    def note(self, line: str) -> None:
        """Something was decided or done."""

    def advance(self, file_name: str, done_bytes: int, total_bytes: int) -> None:
        """So much of a file has arrived; total_bytes is 0 where the server does not say."""


class Quiet:
    """A reporter that says nothing."""

    def note(self, line: str) -> None:
        """Nothing."""

    def advance(self, file_name: str, done_bytes: int, total_bytes: int) -> None:
        """Nothing."""


class _RefusedError(Exception):
    """One address did not give the file; the text says why."""


def fetch_source(source: Source, data_dir: Path, reporter: Reporter) -> Path:
    """Download what `source` lacks in `data_dir`; returns the folder that holds it.

    Files with the right hash, whole files of images or labels, and members of archives are not fetched again. Raises
    `DataError` when no address gives a file of the right hash, `RunError` when the folder cannot be written.
    """
    folder = data_dir / source.folders[0]
    for download in source.downloads:
        if download.members:
            _fetch_archive(source, download, data_dir, reporter)
        else:
            _fetch_file(source, download, data_dir, reporter)
    return folder


def _fetch_file(source: Source, download: Download, data_dir: Path, reporter: Reporter) -> None:
    target = data_dir / source.folders[0] / download.name
    there = find_file(source, data_dir, download.name.removesuffix(".gz"))
    if target.is_file():
        if hash_problem(target, download) is None:
            reporter.note(f"{download.name}: already there")
            return
        if _is_whole(target):
            reporter.note(f"{download.name}: already there, recompressed; delete it to have the official file fetched")
            return
        reporter.note(f"{download.name}: there, but damaged or another; fetching it")
    elif there is not None:
        reporter.note(f"{download.name}: already there as {there}")
        return
    fetch_file(download, target, reporter, _by_hand(source, target.parent))


def _is_whole(path: Path) -> bool:
    """Whether this is a file of images or labels from beginning to end, whatever its hash."""
    try:
        read_idx(path, "labels" if "labels" in path.name else "images")
    except DataError:
        return False
    return True


def _fetch_archive(source: Source, download: Download, data_dir: Path, reporter: Reporter) -> None:
    needed = (*source.train_files, *source.test_files)
    if all(find_file(source, data_dir, name) for name in needed):
        reporter.note(f"{source.name}: already there")
        return
    archive = data_dir / source.folders[0] / download.name
    brought_by_hand = archive.is_file() and hash_problem(archive, download) is None
    if brought_by_hand:
        reporter.note(f"{download.name}: already there")
    else:
        fetch_file(download, archive, reporter, _by_hand(source, archive.parent))
    wanted = [name for name in download.members if not find_file(source, data_dir, name.removesuffix(".gz"))]
    taken = unpack(archive, archive.parent, wanted)
    reporter.note(f"{download.name}: unpacked {len(taken)} files")
    missing = [name for name in needed if not find_file(source, data_dir, name)]
    if missing:
        raise DataError(f"{archive}: lacks {', '.join(missing)}, expected in it; the catalogue or the archive is wrong")
    if not brought_by_hand:
        with writing(archive):
            archive.unlink()


def unpack(archive: Path, folder: Path, members: list[str]) -> list[str]:
    """Take the files named in `members` out of a .zip or .tar.gz into `folder`, each whole or not at all.

    Members are found by their last path component, among regular files only; everything else in the archive
    is left alone. Returns the names found. Raises `DataError` for a damaged archive.
    """
    wanted, taken = set(members), []
    try:
        with _entries(archive) as entries:
            for entry_name, open_entry in entries:
                name = entry_name.replace("\\", "/").rsplit("/", 1)[-1]
                if name not in wanted or name in taken:
                    continue
                with (
                    open_entry() as stream,
                    whole_file(folder / name) as temporary,
                    temporary.open("wb") as out,
                ):
                    shutil.copyfileobj(stream, out, _CHUNK_BYTES)
                taken.append(name)
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{archive}: damaged archive ({error}); delete it and fetch it again") from error
    return taken


@contextmanager
def _entries(archive: Path) -> Iterator[Iterator[tuple[str, Callable[[], IO[bytes]]]]]:
    """The regular files of an archive: name, and a function that opens it."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            yield ((info.filename, _opener(zipped, info)) for info in zipped.infolist() if not info.is_dir())
    else:
        with tarfile.open(archive, "r:gz") as tar:
            yield ((entry.name, _tar_opener(tar, entry)) for entry in tar if entry.isreg())


def _opener(zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    return lambda: zipped.open(info)


def _tar_opener(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def open_entry() -> IO[bytes]:
        stream = tar.extractfile(entry)
        assert stream is not None, entry.name  # a regular file
        return stream

    return open_entry


def fetch_file(download: Download, target: Path, reporter: Reporter, by_hand: str) -> None:
    """Get one file from the first of its addresses that gives it with the right hash.

    by_hand: what somebody without a network can do, a sentence for the error. Raises `DataError` with all the reasons
    when no address gives the file, `RunError` when it cannot be written.
    """
    make_folder(target.parent)
    reasons: list[str] = []
    for address in download.addresses:
        reporter.note(f"{download.name}: fetching from {address}")
        try:
            _transfer(download, address, target, reporter)
        except _RefusedError as error:
            reasons.append(f"{address}: {error}")
            if len(reasons) < len(download.addresses):
                reporter.note(f"{download.name}: {error}; trying the next mirror")
            continue
        reporter.note(f"{download.name}: done, hash right")
        return
    raise DataError(f"cannot fetch {download.name} ({'; '.join(reasons)}). {by_hand}")


def _by_hand(source: Source, folder: Path) -> str:
    """What somebody without a network can do."""
    names = ", ".join(download.name for download in source.downloads)
    them = "them" if len(source.downloads) > 1 else "it"
    host = source.downloads[0].addresses[0].rsplit("/", 1)[0]
    again = f", then run glyphlab data fetch {source.name} again" if source.downloads[0].members else ""
    return f"By hand: get {names} from {host}/ and put {them} into {folder}{again}"


def _transfer(download: Download, address: str, target: Path, reporter: Reporter) -> None:
    """Get one file from one address, by way of pooch; `_RefusedError` when it does not come or is another."""
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    progress = _Progress(download.name, reporter)
    over_http = pooch.HTTPDownloader(progressbar=progress, chunk_size=_CHUNK_BYTES, timeout=TIMEOUT_SECONDS)
    with whole_file(target) as temporary:
        try:
            over_http(address, str(temporary), None)
        except requests.RequestException as error:
            raise _RefusedError(_reason(error)) from error
        if problem := hash_problem(temporary, download):  # while it still has its temporary name
            raise _RefusedError(problem)


def _reason(error: Exception) -> str:
    """Why a request failed, in a few words."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_SECONDS} s"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return f"{type(error).__name__}: {str(error)[:80]}"


def _likely_cause(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(256).lstrip().lower()
    if start.startswith(_HTML_STARTS):
        return " (it is an HTML page: the mirror has moved or asks for something first)"
    return " (damaged on the way, or another version)"


def hash_problem(path: Path, download: Download) -> str | None:
    """What is wrong with a file's hash, in words; None: nothing. MD5 is against damage, not against malice."""
    expected, kind = (download.sha256, "SHA-256") if download.sha256 else (download.md5, "MD5")
    with path.open("rb") as stream:
        method = hashlib.sha256 if download.sha256 else lambda: hashlib.md5(usedforsecurity=False)
        found = hashlib.file_digest(stream, method).hexdigest()
    if found.startswith(expected):
        return None
    return f"{kind} {found[: len(expected)]}, expected {expected}{_likely_cause(path)}"


class _Progress:
    """The part of tqdm's interface that pooch calls, passed on to a reporter."""

    def __init__(self, file_name: str, reporter: Reporter) -> None:
        self.total = 0
        self._file_name = file_name
        self._reporter = reporter
        self._done = 0

    def update(self, count: int) -> None:
        self._done += count
        done = min(self._done, self.total) if self.total else self._done
        self._reporter.advance(self._file_name, done, self.total)

    def reset(self) -> None:  # pooch resets, then adds the total, to end at a full bar
        self._done = 0

    def close(self) -> None: ...
