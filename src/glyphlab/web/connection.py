"""uvicorn's connections with two more limits, both for the headers: a client could send them slowly, or without end."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Base: type[Any] = object
elif importlib.util.find_spec("httptools"):
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Base
else:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Base

_PIECE_BYTES = 16_384  # what the parser is given at once: counts are no finer than that
_FIELD_BYTES = 100  # of memory that a header takes beside its own bytes


def impatient_protocol(header_seconds: float, header_bytes: int) -> type[asyncio.Protocol]:
    """A protocol class for uvicorn: a connection has so long, and so many bytes, to complete a request's headers.

    Beyond that it is closed without an answer. Between requests uvicorn's own keep-alive limit holds; the body has its
    limits in `flow`. h11, which uvicorn falls back to, bounds headers itself; the counts are for httptools, which does
    not.
    """

    class Impatient(_Base):  # type: ignore[misc]  # chosen at run time
        _deadline: asyncio.TimerHandle | None = None
        # Since a request began, or its headers ended, or the last of its body came: trailing headers count as well.
        # None between requests.
        _pending_bytes: int | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._arm()

        def data_received(self, data: bytes) -> None:
            for start in range(0, len(data), _PIECE_BYTES):
                self._take(data[start : start + _PIECE_BYTES])
                if self.transport.is_closing():
                    return
            if self.cycle is not None and not self.cycle.response_complete:
                self._disarm()  # the headers are there, and a request is being served
            elif self._deadline is None:
                self._arm()

        def on_message_begin(self) -> None:
            self._pending_bytes = 0
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            self._count(_FIELD_BYTES)
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._pending_bytes = 0
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._pending_bytes = 0
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._pending_bytes = None
            super().on_message_complete()

        def on_response_complete(self) -> None:
            self._disarm()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def _take(self, piece: bytes) -> None:
            super().data_received(piece)
            self._count(len(piece))
            if self._pending_bytes is not None and self._pending_bytes > header_bytes:
                self.transport.abort()

        def _count(self, more_bytes: int) -> None:
            if self._pending_bytes is not None:
                self._pending_bytes += more_bytes

        def _arm(self) -> None:
            self._deadline = self.loop.call_later(header_seconds, self.transport.abort)

        def _disarm(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Impatient
