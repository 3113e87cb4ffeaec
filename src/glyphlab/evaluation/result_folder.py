"""A folder of results that appears whole, and that replaces only what Glyphlab itself wrote there.

It holds a marker, a JSON file with a summary and a digest of all other files. Results that nobody has touched are
replaced without asking, as they can be made again; where a file was changed, added or removed, only `force` does it;
a folder without the marker is never replaced.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glyphlab.errors import RunError
from glyphlab.files import make_folder, move, new_folder, write_json, writing

_DRAFT = ".draft-"
_ABANDONED_SECONDS = 3600.0


def require_replaceable(folder: Path, marker: str, force: bool) -> None:
    """Raises `RunError` where `folder` holds anything that must not be replaced."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RunError(f"{folder} is not a folder; name another one with --out")
    if not folder.exists() or not any(folder.iterdir()):
        return
    recorded = _recorded_digest(folder / marker)
    if recorded is None:
        raise RunError(
            f"{folder} holds files that this command did not write (it has no {marker} of ours); it is left alone: "
            "name another folder with --out"
        )
    if not force and recorded != _digest(folder, marker):
        raise RunError(
            f"files in {folder} were changed, added or removed since they were written; move them away, or "
            "replace them with --force"
        )


@contextlib.contextmanager
def whole_folder(folder: Path, marker: str, summary: dict[str, Any], force: bool = False) -> Iterator[Path]:
    """Give a draft folder to write to; on success it gets its marker and becomes `folder`, on failure it is removed.

    summary: JSON values for the marker. Raises `RunError` as `require_replaceable`, and when the operating system
    refuses.
    """
    require_replaceable(folder, marker, force)
    folder = folder.absolute()
    make_folder(folder.parent)
    _remove_abandoned(folder)
    with writing(folder):
        draft = new_folder(folder.parent, f"{_DRAFT}{folder.name}-")
        try:
            yield draft
            write_json(draft / marker, summary | {"digest": _digest(draft, marker)})
            _put_in_place(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _put_in_place(draft: Path, folder: Path) -> None:
    """Two renames: no folder can be replaced by one that is not empty, so the former one steps aside first."""
    former = draft.with_name(f"{draft.name}-former")
    if folder.exists():
        move(folder, former)
    try:
        move(draft, folder)
    except OSError:
        if former.exists():
            move(former, folder)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Drafts of processes that were killed; a young one may be another process's that is still writing."""
    for draft in folder.parent.glob(f"{_DRAFT}{folder.name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(draft, ignore_errors=True)


def _recorded_digest(marker: Path) -> str | None:
    """The digest in a marker; None where there is no marker of ours."""
    try:
        recorded = json.loads(marker.read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return recorded if isinstance(recorded, str) else None


def _digest(folder: Path, marker: str) -> str:
    """SHA-256 over the names and contents of all files but the marker itself."""
    sha = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / marker):
        content = path.read_bytes()
        sha.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode("utf-8", "surrogateescape"))
        sha.update(content)
    return sha.hexdigest()
