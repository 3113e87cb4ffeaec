"""Damaged and malicious uploads: whatever is sent, the service answers in time, and never with an error of its own.

    python benchmarks/serve_fuzz.py                      # 10,000 uploads
    python benchmarks/serve_fuzz.py --count 500

Pictures of every format are cut, have bits flipped, bytes inserted, repeated or zeroed, headers that promise other
sizes, and are glued to each other; beside them bombs and files of other kinds. They go to /predict, /read, /samples and
/predict/many by turns. Exits 1 after any status of 500 and above but 503, an answer that takes longer than the time
limit, a lost connection, an answer that is no JSON, or a service that is not well afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable

import numpy as np
from PIL import Image
from serving import Connection, Served, digit_pictures, form, request, served

_LIMIT_SECONDS = 75.0  # the service's own for a page, and some for the way
_CONNECTIONS = 8
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
_ROUTES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("/api/v1/predict", "file", {}),
    ("/api/v1/read", "file", {}),
    ("/api/v1/predict", "file", {"model": "digits", "only": "0-9"}),
    ("/api/v1/predict/many", "files", {}),
    ("/api/v1/samples", "file", {"alphabet": "Fuzz", "label": "x"}),
)

Random = np.random.Generator
Mutation = Callable[[bytearray, Random], bytearray]


def originals() -> list[bytes]:
    """Every format, grey, in colour, with transparency, with a palette, with 16 bits."""
    found = []
    for content in list(digit_pictures(96).values())[:3]:
        picture = Image.open(io.BytesIO(content))
        for format in _FORMATS:
            for mode in ("L", "RGB", "RGBA", "P", "1", "I;16", "CMYK"):
                target = io.BytesIO()
                try:
                    picture.convert("RGB").convert(mode).save(target, format)
                except (OSError, ValueError):  # no such pixels in this format
                    continue
                found.append(target.getvalue())
    return [*found, *bombs(), *strangers()]


def bombs() -> list[bytes]:
    """Small files that would become large."""
    flat = io.BytesIO()
    Image.new("1", (20_000, 2_000)).save(flat, "PNG")
    many = io.BytesIO()
    frames = [Image.new("P", (64, 64), number % 250) for number in range(300)]
    frames[0].save(many, "GIF", save_all=True, append_images=frames[1:])
    text = zlib.compress(b"x" * 30_000_000)
    chunk = b"zTXtcomment\0\0" + text
    bloated = _png_header(64, 64) + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    profile = b"iCCPicc\0\0" + text
    coloured = (
        _png_header(64, 64) + struct.pack(">I", len(profile) - 4) + profile + struct.pack(">I", zlib.crc32(profile))
    )
    promised = [_png_header(width, height) for width, height in ((1 << 31, 1), (60_000, 60_000), (0, 0), (1, 1))]
    return [flat.getvalue(), many.getvalue(), bloated, coloured, *promised]


def strangers() -> list[bytes]:
    """Files of other kinds, some of which Pillow would open."""
    return [
        b"",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        b"P6 9999 9999 255\n" + b"\0" * 99,
        b"%PDF-1.7\n",
        b"PK\3\4" + b"\0" * 60,
        b"\x7fELF" + b"\0" * 60,
        b"BM<html><script>",
        b"GIF89a/*\xff\xff\xff\xff*/=1;",
    ]


def _cut(data: bytearray, rng: Random) -> bytearray:
    return data[: int(rng.integers(0, len(data) + 1))]


def _flip(data: bytearray, rng: Random) -> bytearray:
    for place in rng.integers(0, max(len(data), 1), size=int(rng.integers(1, 30))):
        if data:
            data[place] ^= 1 << int(rng.integers(8))
    return data


def _flip_header(data: bytearray, rng: Random) -> bytearray:
    for place in rng.integers(0, min(max(len(data), 1), 64), size=int(rng.integers(1, 6))):
        if data:
            data[place] = int(rng.integers(256))
    return data


def _insert(data: bytearray, rng: Random) -> bytearray:
    place = int(rng.integers(0, len(data) + 1))
    return data[:place] + rng.bytes(int(rng.integers(1, 200))) + data[place:]


def _repeat(data: bytearray, rng: Random) -> bytearray:
    start, end = sorted(rng.integers(0, len(data) + 1, size=2).tolist())
    return data[:end] + data[start:]


def _zero(data: bytearray, rng: Random) -> bytearray:
    start, end = sorted(rng.integers(0, len(data) + 1, size=2).tolist())
    data[start:end] = bytes(end - start)
    return data


_MUTATIONS: tuple[Mutation, ...] = (_cut, _flip, _flip_header, _insert, _repeat, _zero)


def mutated(pictures: list[bytes], rng: Random) -> bytes:
    """One upload: a picture as it is, changed once or several times, or with another behind it (a polyglot)."""
    data = bytearray(pictures[int(rng.integers(len(pictures)))])
    for _ in range(int(rng.integers(0, 4))):
        data = _MUTATIONS[int(rng.integers(len(_MUTATIONS)))](data, rng)
    if rng.random() < 0.1:
        data += pictures[int(rng.integers(len(pictures)))]
    return bytes(data)


async def fuzz(service: Served, count: int, seed: int) -> tuple[Counter[str], list[str], float]:
    """Send them; returns statuses by route, what went wrong, and the longest time to an answer in seconds."""
    rng, pictures = np.random.default_rng(seed), originals()
    numbers = iter(range(count))
    statuses: Counter[str] = Counter()
    problems: list[str] = []
    longest = 0.0

    async def client() -> None:
        nonlocal longest
        connection = Connection(service.port)
        for number in numbers:
            path, field, fields = _ROUTES[number % len(_ROUTES)]
            message = request(path, *form(mutated(pictures, rng), field, **fields), service.port)
            sent = time.perf_counter()
            try:
                async with asyncio.timeout(_LIMIT_SECONDS):
                    status, _, body = await connection.send(message)
                json.loads(body)
            except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
                problems.append(f"upload {number} to {path}: {type(error).__name__} {error}")
                connection.close()
                continue
            longest = max(longest, time.perf_counter() - sent)
            statuses[f"{path.removeprefix('/api/v1')} {status}"] += 1
            if status >= 500 and status != 503:
                problems.append(f"upload {number} to {path}: {status} {body[:200]!r}")
        connection.close()

    await asyncio.gather(*(client() for _ in range(_CONNECTIONS)))
    seven = request("/api/v1/predict", *form(digit_pictures()["7"]), service.port)
    status, _, body = await Connection(service.port).send(seven)
    if status != 200 or json.loads(body)["character"] != "7":
        problems.append(f"not well afterwards: {status} {body[:200]!r}")
    return statuses, problems, longest


def _png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def main() -> None:
    """Send, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with served() as service:
        before = service.memory_bytes
        statuses, problems, longest = asyncio.run(fuzz(service, chosen.count, chosen.seed))
        memory_mb = [round(value / 1e6, 1) for value in (before, service.memory_bytes)]
        log = service.errors.read_text(encoding="utf-8")
    problems += ["the service logged errors: " + log[-2000:]] if '"level": "error"' in log else []
    found = {"uploads": chosen.count, "statuses": dict(sorted(statuses.items())), "longest_seconds": round(longest, 2)}
    print(json.dumps(found | {"memory_mb": memory_mb, "problems": problems[:20]}, indent=2))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
