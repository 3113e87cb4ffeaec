"""Bounds on each request while it comes in: how many at once, how large, how slow.

A body is counted as it arrives, so that one without a length, or with a wrong one, is stopped where the limit is.
Of JSON, what it is made of is counted as well: taking it apart holds up all other requests, for longer the more there
is in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glyphlab.web.limits import Limits
from glyphlab.web.refusals import Refusal, busy, refused

_CLOSE = {"Connection": "close"}  # what is left of the body would otherwise be read to its end


class Flow:
    """Keeps requests within `limits`."""

    def __init__(self, app: ASGIApp, *, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits, is_form = self._limits, _is_form(Headers(scope=scope))
        limit_bytes = limits.body_bytes if is_form else limits.json_bytes
        refusal = self._unwelcome(Headers(scope=scope), limit_bytes)
        if refusal is not None:
            await refused(refusal)(scope, receive, send)
            return
        body = _Body(receive, limit_bytes, limits.body_seconds, None if is_form else limits.json_parts)
        answer = _Answer(send, lambda: body.refusal)
        self._inside += 1
        try:
            async with asyncio.timeout(limits.body_seconds + limits.look_seconds):
                await self._app(scope, body.receive, answer.send)
        except Refusal:
            if body.refusal is None:
                raise
        finally:
            self._inside -= 1
        if body.refusal is not None and not answer.started:
            await refused(body.refusal)(scope, receive, send)

    def _unwelcome(self, headers: Headers, limit_bytes: int) -> Refusal | None:
        if self._inside >= self._limits.requests:
            return busy("too many requests at once")
        announced = headers.get("content-length", "0")
        if announced.isascii() and announced.isdecimal() and int(announced[:18]) > limit_bytes:
            return _too_large(limit_bytes)
        return None


class _Body:
    """A request's body, counted and timed.

    limit_parts: lists and named values, where it is JSON; else None. refusal: why it was given up.
    """

    def __init__(self, receive: Receive, limit_bytes: int, seconds: float, limit_parts: int | None) -> None:
        self._receive, self._limit_bytes, self._limit_parts = receive, limit_bytes, limit_parts
        self._ends = asyncio.get_running_loop().time() + seconds
        self._bytes, self._parts, self._complete = 0, 0, False
        self.refusal: Refusal | None = None

    async def receive(self) -> Message:
        """The next part. Raises `Refusal`, which FastAPI passes on."""
        if self._complete:  # what comes now is the news that the client left, for which there is no hurry
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._ends):
                message = await self._receive()
        except TimeoutError:
            self.refusal = Refusal(
                408, "slow", "the request did not arrive in time", "send it again over a better connection", _CLOSE
            )
            raise self.refusal from None
        self._complete = not message.get("more_body", False)
        self.refusal = self._too_much(message.get("body", b""))
        if self.refusal is not None:
            raise self.refusal
        return message

    def _too_much(self, part: bytes) -> Refusal | None:
        """Whether the body is beyond its limits with this part of it."""
        self._bytes += len(part)
        if self._bytes > self._limit_bytes:
            return _too_large(self._limit_bytes)
        if self._limit_parts is None:
            return None
        self._parts += part.count(b"[") + part.count(b":")  # those within text are few
        return _too_many_parts(self._limit_parts) if self._parts > self._limit_parts else None


class _Answer:
    """What the application sends; held back once the body was refused, so that the refusal is what arrives."""

    def __init__(self, send: Send, refusal: Callable[[], Refusal | None]) -> None:
        self._send, self._refusal = send, refusal
        self.started = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if self.started or self._refusal() is None:
            self.started = True
            await self._send(message)


def _is_form(headers: Headers) -> bool:
    return headers.get("content-type", "").lower().startswith("multipart/")


def _too_large(limit_bytes: int) -> Refusal:
    return Refusal(
        413,
        "too_large",
        f"the request is larger than {limit_bytes / 1e6:g} MB",
        "scale the picture down, or send fewer at a time",
        _CLOSE,
    )


def _too_many_parts(limit: int) -> Refusal:
    return Refusal(
        413,
        "too_large",
        f"the request holds more than {limit:,} points, lists and named values",
        "draw fewer characters at a time",
        _CLOSE,
    )
