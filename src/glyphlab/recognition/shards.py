"""Pictures by the million: lists of files, and pictures inside .tar archives, streamed and never unpacked.

Nothing here holds more than one picture, however long a list and however large an archive.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self, TypeAlias

from glyphlab.errors import DataError, ImageError
from glyphlab.imaging.picture import SUFFIXES

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# A picture file of this size would hold far more pixels than are accepted; it is not read into memory.
_LARGEST_MEMBER_BYTES = 256 * 2**20

Item: TypeAlias = "tuple[str, Path | bytes | ImageError]"
"""A picture's name, and the picture: its path, its bytes, or what is wrong."""


def sources(place: str | Path) -> Iterator[str]:
    """The pictures and archives of a job, as paths, one after the other; the same order every time.

    place: a text file with a path a line, counted from the present folder; a folder, which is searched through for
    pictures and archives in alphabetical order; or one archive. Raises `DataError` when there is none of these.
    """
    path = Path(place)
    if path.is_dir():
        yield from _within(path)
    elif is_archive(path):
        yield str(path)
    elif path.exists() and not path.is_file():
        raise DataError(f"{place} is a pipe, and a job reads its list more than once; write the list to a file first")
    else:
        yield from _lines(path)


def fingerprint(place: str | Path) -> tuple[str, int]:
    """SHA-256 over the paths that `sources` gives, and how many there are. Raises `DataError` when there are none."""
    digest, count = hashlib.sha256(), 0
    for source in sources(place):
        digest.update(source.encode("utf-8", "surrogateescape") + b"\n")
        count += 1
    if count == 0:
        wanted = "pictures or .tar archives" if Path(place).is_dir() else "a path a line"
        raise DataError(f"{place} holds nothing to work on; expected {wanted}")
    return digest.hexdigest(), count


def pictures_in(source: str, skip: int = 0) -> Iterator[Item]:
    """The pictures of one source: itself, or those in an archive, in its order; without the first `skip`.

    A picture inside is called ``archive.tar/its/name.png``; what is no picture by its name is passed over. A link there
    is an `ImageError`, since what it leads to has gone by. Of an archive that is damaged, cut off, missing or without
    pictures, the last item is an `ImageError` that says so.
    """
    if is_archive(Path(source)):
        yield from _members(source, skip)
    elif skip == 0:
        yield source, Path(source)


def is_archive(path: Path) -> bool:
    """Whether a path's name is that of a .tar archive, compressed or not."""
    return path.name.lower().endswith(ARCHIVES)


class _Header(tarfile.TarInfo):
    """A member's header. An archive is at its end only where that is marked.

    tarfile takes the end of the file, or a damaged header, for the archive's; what is behind would be lost in silence.
    """

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError("it ends without an end mark") from error
        except tarfile.InvalidHeaderError as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"a damaged header: {error}") from error


def _members(source: str, skip: int) -> Iterator[Item]:
    seen = 0
    problem: str | None = None
    try:
        with tarfile.open(source, "r|*", tarinfo=_Header) as archive:  # read from front to back, as from a pipe
            while (member := archive.next()) is not None:
                # tarfile would keep every header, a gigabyte for a million pictures.
                archive.members = []  # type: ignore[attr-defined]  # public since Python 2, but unknown to the stubs
                if not (member.isreg() or member.islnk() or member.issym()) or not _is_picture(member.name):
                    continue
                # Read even where it is skipped, so that damage is met at the same place again.
                content = _content(source, archive, member)
                seen += 1
                if seen > skip:
                    yield f"{source}/{member.name}", content
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problem = f"cannot be read as an archive ({reason}), after {seen:,} pictures"
    else:
        if seen == 0:
            problem = "an archive without pictures"
    if problem is not None and seen >= skip:
        yield source, ImageError(f"{source}: {problem}")


def _content(source: str, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | ImageError:
    if not member.isreg():
        cure = "pack the archive with: tar --dereference --hard-dereference"
        return ImageError(f"{source}/{member.name}: a link to '{member.linkname}', which is not followed; {cure}")
    if member.size > _LARGEST_MEMBER_BYTES:
        limit = f"{_LARGEST_MEMBER_BYTES:,}"
        return ImageError(f"{source}/{member.name}: {member.size:,} bytes; expected at most {limit}")
    stream = archive.extractfile(member)
    assert stream is not None, member.name  # a regular file
    return stream.read()


def _is_picture(name: str) -> bool:
    base, suffix = os.path.splitext(name.rpartition("/")[2])  # noqa: PTH122 (quick)
    return suffix.lower() in SUFFIXES and not base.startswith(".")


def _within(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if _is_picture(name) or (name.lower().endswith(ARCHIVES) and not name.startswith(".")):
                yield str(Path(parent, name))


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for line in stream:
                if line := line.rstrip("\r\n"):
                    yield line
    except FileNotFoundError:
        raise DataError(f"{path}: no such list, folder or archive") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no list: expected a text in UTF-8 with a path a line") from error
    except OSError as error:
        raise DataError(f"cannot read the list {path}: {error.strerror or error}") from error
