"""What the benchmarks of the service share: a running `glyphlab serve`, a small HTTP client, pictures of digits."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

_BOUNDARY = b"----glyphlab"
# The ten digits as lines on a square of 100.
_DIGITS: dict[str, list[list[tuple[int, int]]]] = {
    "0": [[(50, 10), (25, 30), (22, 60), (48, 90), (76, 62), (74, 30), (50, 10)]],
    "1": [[(35, 28), (54, 12), (54, 90)]],
    "2": [[(26, 28), (46, 12), (70, 24), (62, 50), (26, 88), (76, 88)]],
    "3": [[(28, 18), (58, 12), (70, 30), (46, 46), (72, 62), (60, 86), (26, 84)]],
    "4": [[(60, 10), (24, 62), (80, 62)], [(62, 36), (62, 92)]],
    "5": [[(72, 12), (34, 12), (30, 44), (64, 46), (72, 68), (52, 90), (26, 82)]],
    "6": [[(64, 10), (34, 42), (28, 70), (48, 90), (70, 76), (62, 56), (32, 62)]],
    "7": [[(24, 14), (76, 14), (44, 90)]],
    "8": [[(50, 12), (30, 26), (50, 46), (72, 66), (50, 90), (28, 70), (50, 46), (70, 26), (50, 12)]],
    "9": [[(70, 30), (48, 12), (30, 30), (46, 48), (70, 32), (66, 90)]],
}


def digit_pictures(side: int = 280) -> dict[str, bytes]:
    """The digits, black on white, as PNG files."""
    found = {}
    for name, lines in _DIGITS.items():
        image = np.full((side, side), 255, dtype=np.uint8)
        for line in lines:
            points = np.rint(np.array(line) * side / 100).astype(np.int32)
            cv2.polylines(image, [points], False, 0, side // 14, cv2.LINE_AA)
        found[name] = bytes(cv2.imencode(".png", image)[1].tobytes())
    return found


class Served:
    """A `glyphlab serve` in a process of its own, on a free port, with a home that is thrown away."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, started_seconds: float, errors: Path) -> None:
        self.process, self.port, self.started_seconds, self.errors = process, port, started_seconds, errors

    @property
    def pids(self) -> list[int]:
        """The service itself, and the processes that it has started."""
        first = self.process.pid
        return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]

    @property
    def processor_seconds(self) -> float:
        """Time on processors so far, by all of them and by the system for them."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_bytes(self) -> int:
        """Resident memory of now, of all of them; pages that they share count for each."""
        return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in self.pids)


@contextlib.contextmanager
def served(*options: str) -> Iterator[Served]:
    """Start the service and end it with SIGTERM; raises where it does not end well."""
    with tempfile.TemporaryDirectory() as home:
        port, errors = _free_port(), Path(home) / "errors.log"
        command = [sys.executable, "-m", "glyphlab", "serve", "--no-browser", "--no-log", "--port", str(port)]
        command += ["--home", f"{home}/home", "--runs-dir", f"{home}/runs", *options]
        began = time.perf_counter()
        with errors.open("wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        try:
            while not _is_healthy(port):
                if process.poll() is not None:
                    raise SystemExit(f"the service ended: {errors.read_text()}")
                time.sleep(0.01)
            yield Served(process, port, time.perf_counter() - began, errors)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def form(content: bytes, field: str = "file", name: str = "a.png", **fields: str) -> tuple[bytes, bytes]:
    """A body of multipart/form-data with one file, and its content type."""
    parts = [_part(f'name="{key}"', value.encode()) for key, value in fields.items()]
    parts.append(_part(f'name="{field}"; filename="{name}"', content))
    return b"".join(parts) + b"--" + _BOUNDARY + b"--\r\n", b"multipart/form-data; boundary=" + _BOUNDARY


def request(path: str, body: bytes, content_type: bytes, port: int) -> bytes:
    """A POST as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\nContent-Type: "
    return head.encode() + content_type + b"\r\n\r\n" + body


class Connection:
    """One connection that is kept alive."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(self, message: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send a request; returns status, headers in lower case, and body."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        assert self._reader is not None
        self._writer.write(message)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split()[1]), headers, body

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _part(disposition: str, content: bytes) -> bytes:
    return b"--" + _BOUNDARY + f"\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode() + content + b"\r\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
