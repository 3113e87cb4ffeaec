"""Running the application: sockets, signals, the browser. Everything here is uvicorn's but the limits."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from glyphlab.errors import GlyphlabError
from glyphlab.process import keep_freed_memory
from glyphlab.web.connection import impatient_protocol
from glyphlab.web.limits import KEPT_BYTES, LARGEST_KEPT_BYTES, Limits
from glyphlab.web.watch import logging_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from glyphlab.web.service import Service

_KEEP_ALIVE_SECONDS = 20
_BACKLOG = 512
# A port that was left a moment ago may be taken again. Windows means by the same name that two may have it at once.
if sys.platform == "win32":
    _ALONE = socket.SO_EXCLUSIVEADDRUSE
else:
    _ALONE = socket.SO_REUSEADDR


def bind(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that a port in use is said before anything is loaded. Raises `GlyphlabError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where a socket says that it is TCP; else the second part of each answer
    # waits for the client's delayed acknowledgement of the first, 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, _ALONE, 1)
        bound.bind((host, port))
    except (OSError, OverflowError, TypeError, UnicodeError) as error:
        bound.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise GlyphlabError(f"cannot listen on {host}:{port}: {reason}; choose another --port or --host") from error
    return bound


def run(app: FastAPI, bound: socket.socket, limits: Limits, *, log: bool, on_start: Callable[[], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; what runs then is finished first.

    log: a line of JSON for each request on standard error; errors are logged in any case. on_start: called when
    requests are answered.
    """
    import uvicorn

    keep_freed_memory(LARGEST_KEPT_BYTES, KEPT_BYTES)
    service: Service = app.state.service
    service.employ(limits.glyph_threads)
    config = uvicorn.Config(
        app,
        http=impatient_protocol(limits.header_seconds, limits.header_bytes),
        h11_max_incomplete_event_size=limits.header_bytes,
        ws="none",
        lifespan="on",
        log_config=logging_settings("INFO" if log else "WARNING"),
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=limits.connections,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=limits.stop_seconds,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                asyncio.get_running_loop().run_in_executor(None, on_start)  # a browser may take its time

    Server(config).run(sockets=[bound])
