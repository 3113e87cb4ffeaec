"""The page's own files: listed once when the service starts, so that no request's path reaches the file system."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response

from glyphlab.web.refusals import Refusal

FOLDER = Path(__file__).parent / "static"
# Written down rather than asked of the system, whose tables differ.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_INDEX = "index.html"


@dataclass(frozen=True)
class _File:
    content: bytes
    etag: str
    media_type: str


class StaticFiles:
    """The files of a folder, by their paths within it; those of unknown types are left out."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in _TYPES
        }
        self._read: dict[tuple[str, int], _File] = {}

    def answer(self, name: str, headers: Headers) -> Response:
        """The file, or 304 where the browser has it. Raises `Refusal` (404)."""
        path = self._paths.get(name or _INDEX)
        if path is None:
            raise Refusal(404, "not_found", "there is nothing at this address", "see / and /api/v1/openapi.json")
        key = (path.as_posix(), path.stat().st_mtime_ns)  # who works on the page sees his changes
        file = self._read.get(key) or self._read.setdefault(key, _read(path))
        own = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if file.etag in headers.get("if-none-match", ""):
            return Response(status_code=304, headers=own)
        return Response(file.content, media_type=file.media_type, headers=own)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"', _TYPES[path.suffix])
