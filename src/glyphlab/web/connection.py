"""uvicorn's connections with one more time limit: for the headers, which a slow client could send for ever."""

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


def impatient_protocol(header_seconds: float) -> type[asyncio.Protocol]:
    """A protocol class for uvicorn: a connection has so long to complete a request's headers, then it is closed.

    Between requests uvicorn's own keep-alive limit holds; the body has its limit in `flow`.
    """

    class Impatient(_Base):  # type: ignore[misc]  # chosen at run time
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._arm()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._disarm()  # the headers are there, and a request is being served
            elif self._deadline is None:
                self._arm()

        def on_response_complete(self) -> None:
            self._disarm()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._disarm()
            super().connection_lost(exc)

        def _arm(self) -> None:
            self._deadline = self.loop.call_later(header_seconds, self.transport.abort)

        def _disarm(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return Impatient
