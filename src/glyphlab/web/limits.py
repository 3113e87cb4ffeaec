"""How much one request, and all of them together, may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from glyphlab.process import processors

MEGABYTE = 1_000_000
# The largest block that preparing a picture of one character takes and frees, see `process.keep_freed_memory`.
LARGEST_KEPT_BYTES = 8 * MEGABYTE
# And how much of them, over all.
KEPT_BYTES = 2 * LARGEST_KEPT_BYTES


@dataclass(frozen=True)
class Limits:
    """Bounds of the service. Sizes are bytes of the request, pixels those that a picture's header announces.

    header_bytes: of a request's headers, its address included. body_bytes: of an upload. json_bytes: of a request in
    JSON; json_parts: lists and named values in it, of which each point of a drawing is one: nothing else is done while
    they are taken apart. files: pictures in one request.
    glyph_pixels: of a picture of one character; page_pixels: of a page. Both are checked before decoding.
    strokes, points: of one drawing, points in all.
    header_seconds: from connecting to the end of the headers. body_seconds: from there to the end of the body.
    glyph_seconds, page_seconds, look_seconds: for the work itself, waiting in the queue included.
    connections: open at once; requests: in progress at once.
    glyph_threads, glyph_queue: workers for single characters, and how many may wait for one; page_...: for pages. Where
    many ask at once, as many processes take the place of the threads for single characters (see `processes`).
    samples: drawings that may be kept in all. stop_seconds: granted to what runs when the service is stopped.
    """

    header_bytes: int = 64_000
    body_bytes: int = 32 * MEGABYTE
    json_bytes: int = 3 * MEGABYTE // 2  # 50,000 points with pressure and time
    json_parts: int = 55_000
    files: int = 64
    glyph_pixels: int = 25_000_000
    page_pixels: int = 50_000_000
    strokes: int = 1_000
    points: int = 50_000
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    glyph_seconds: float = 10.0
    page_seconds: float = 60.0
    look_seconds: float = 300.0
    connections: int = 512
    requests: int = 256
    glyph_threads: int = max(2, min(processors(), 8))
    glyph_queue: int = 96
    page_threads: int = max(1, min(processors() // 2, 4))
    page_queue: int = 8
    samples: int = 50_000
    stop_seconds: int = 30
