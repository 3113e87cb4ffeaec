"""What is remembered of each request: a line of JSON in the log, and the monitor's counts.

Never pictures, answers, queries, cookies or tokens; paths only as the route's template.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glyphlab.web.metrics import Metrics

LOGGER = logging.getLogger("glyphlab.web")
_NOT_STARTED = 499  # the client left before there was an answer (nginx's code for it)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Watch:
    """Times and counts requests. prefix: of the addresses of the API."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, prefix: str) -> None:
        self._app, self._metrics, self._prefix = app, metrics, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, sent_bytes = time.perf_counter(), _NOT_STARTED, 0

        async def send_watched(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_watched)
        except BaseException:
            status = max(status, 500)
            raise
        finally:
            seconds = time.perf_counter() - began
            route = route_of(scope, self._prefix)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.record(method, route, status, seconds)
            if LOGGER.isEnabledFor(logging.INFO):
                facts = {"method": method, "route": route, "status": status}
                facts |= {"milliseconds": round(1000 * seconds, 1), "bytes": sent_bytes, "client": _client(scope)}
                LOGGER.info("request", extra={"facts": facts})


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, and what the record carries as `facts`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": when, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def logging_settings(level: str) -> dict[str, Any]:
    """For uvicorn and for us: lines of JSON on standard error, from `level` on; requests are at "INFO"."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {
            "glyphlab.web": {"handlers": ["stderr"], "level": level, "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": level, "propagate": False},
        },
    }


def route_of(scope: Scope, prefix: str) -> str:
    """The template of the route that matched, whole; what did not match has no name of its own.

    FastAPI gives a route that was included under a prefix with it, or, in later versions, without.
    """
    route = getattr(scope.get("route"), "path", None)
    if not isinstance(route, str):
        return "other"
    is_whole = scope["path"].startswith(route.partition("{")[0])
    return route if is_whole else prefix + route


def _client(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""
