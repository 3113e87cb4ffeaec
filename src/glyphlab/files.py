"""Files that appear whole or not at all.

Everything Glyphlab writes goes to a temporary name beside its target, is flushed to the disk and then renamed, so
that a reader, a crash or a full disk never meets half a file.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from glyphlab.errors import RunError

_TEMPORARY = ".writing-"
_IS_WINDOWS = sys.platform == "win32"
_DENIED = ", or close the program that has it open" * _IS_WINDOWS
_PAUSES_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0)
_FAR = 2**31 - 2  # no file that is held is so long
_CAUSES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EFBIG: "the file would be larger than this system allows; choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.EACCES: f"permission denied; choose a folder that you may write to{_DENIED}",
    errno.EPERM: "not permitted; choose a folder that you may write to",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.EEXIST: "a file of that name is in the way; choose another folder",
}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating-system error while writing to `path` into a `RunError` that names cause and cure."""
    try:
        yield
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0, error.strerror or str(error))
        raise RunError(f"cannot write {path}: {cause}") from error


def hold(stream: IO[bytes]) -> bool:
    """Keep other processes off an open file, until it is closed or its process ends; False: another one has it.

    stream: opened to append. Without effect on network file systems that have no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        stream.seek(_FAR)  # what is locked there can be neither read nor written; what is appended goes to the end
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    else:
        import fcntl

        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; on success it becomes `path`, on failure it is removed.

    The temporary file lies in the same folder and keeps the suffix, since libraries choose formats by it. Folders
    are created. A link stays one: what it leads to is written. A pipe or a device gets the content once it is whole.
    Raises `RunError` when the operating system refuses.
    """
    with writing(path):
        if path.is_fifo() or path.is_char_device():
            with tempfile.TemporaryDirectory() as folder:
                yield (whole := Path(folder, f"whole{path.suffix}"))
                with whole.open("rb") as content, path.open("wb") as stream:
                    shutil.copyfileobj(content, stream)
            return
        path = path.resolve() if path.is_symlink() else path
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _new(path.parent, _TEMPORARY, path.suffix, lambda new: new.touch(exist_ok=False))
        try:
            yield temporary
            with temporary.open("r+b") as written:  # Windows flushes only what may be written
                os.fsync(written.fileno())
            move(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def move(source: Path, target: Path) -> None:
    """Rename a file, in the place of another if there is one, or a folder. Raises `OSError`.

    On Windows again for a while: none can be renamed there that any program has open, and virus scanners and indexers
    open what is new for a moment.
    """
    for seconds in _PAUSES_SECONDS if _IS_WINDOWS else ():
        try:
            source.replace(target)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    source.replace(target)


def refuse_replacing(path: Path, inputs: Iterable[str | Path]) -> None:
    """Raise `RunError` where `path`, which is to be written, is one of the `inputs`, under whatever name.

    The inputs are gone through only where `path` exists already; those that do not exist are passed over.
    """
    if not path.exists():
        return
    for source in map(Path, inputs):
        if source.exists() and source.samefile(path):
            raise RunError(f"cannot write {path}: it is one of the files to be read; choose another name")


def refuse_replacing_in(folder: Path, suffix: str, inputs: Iterable[str | Path]) -> None:
    """Raise `RunError` where files that are to be named after the `inputs`, ending in `suffix`, would replace one.

    That is where an input of this suffix lies in `folder` itself, or is a link to a file there.
    """
    if not folder.is_dir():
        return
    for source in map(Path, inputs):
        for place in (source, source.resolve()) if source.is_symlink() else (source,):
            if place.suffix.lower() == suffix and place.parent.samefile(folder):
                raise RunError(
                    f"cannot write into {folder}: {source}, one of the files to be read, lies there and would be "
                    "replaced; choose another folder"
                )


def temporary_files(folder: Path) -> list[Path]:
    """What a process that was killed while writing left in `folder`; never call it where another may be writing."""
    return list(folder.glob(f"{_TEMPORARY}*"))


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all. Bytes of file names that are no UTF-8 stand escaped: \\udcff."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all. Non-finite numbers are refused (`ValueError`)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_text(path: Path) -> str:
    """A text that somebody has written by hand: UTF-8, or UTF-16 with its mark, in which PowerShell redirects output.

    Raises `OSError`, `UnicodeError`.
    """
    with path.open("rb") as stream:
        mark = stream.read(2)
    wide = mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return path.read_text(encoding="utf-16" if wide else "utf-8-sig")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object that a file holds. Raises `OSError`, and `ValueError` for anything else in it."""
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError("holds no object")
    return value


def make_folder(path: Path) -> None:
    """Create a folder and its parents; `RunError` when the operating system refuses."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def require_writable(folder: Path) -> None:
    """Create a folder unless it is there; `RunError` when no file can be made in it."""
    make_folder(folder)
    with writing(folder):
        tempfile.TemporaryFile(dir=folder).close()


def new_folder(parent: Path, prefix: str) -> Path:
    """Make an empty folder in `parent` whose name begins with `prefix` and is like no other."""
    return _new(parent, prefix, "", Path.mkdir)


def _new(parent: Path, prefix: str, suffix: str, make: Callable[[Path], None]) -> Path:
    """Make something of a name that nothing has yet, open to those whom the umask allows, as tempfile's are not."""
    while True:
        path = parent / f"{prefix}{secrets.token_hex(4)}{suffix}"
        with contextlib.suppress(FileExistsError):
            make(path)
            return path
