"""The life of a worker process of the service: how it is started, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from glyphlab.process import OWN_GROUP

_FAREWELL_SECONDS = 3.0


async def start(command: Sequence[str], longest_line_bytes: int = 64 * 1024) -> Process:
    """Start it. longest_line_bytes: of its standard output, where that is read by lines. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, limit=longest_line_bytes, **OWN_GROUP
    )


async def end(process: Process) -> None:
    """Close its input, at which it ends; kill it where it has not after three seconds."""
    assert process.stdin is not None
    process.stdin.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _FAREWELL_SECONDS)
    await kill(process)


async def kill(process: Process) -> None:
    """End it now, whatever it does."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await process.wait()
