"""Connections: how long, and how many bytes, the headers of a request may take."""

from __future__ import annotations

import asyncio
import importlib.util
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from glyphlab.web.connection import impatient_protocol

pytestmark = pytest.mark.skipif(importlib.util.find_spec("httptools") is None, reason="h11 has bounds of its own")

LIMIT_BYTES = 64_000
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def says_length(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with how long the body was."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    body = b"<%d>" % length
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written, self.closed, self.aborted = b"", False, False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def sent(data: bytes, *, at_once: int, seconds: float = 10.0, wait: float = 0.0) -> tuple[Wire, int]:
    """What becomes of a connection on which `data` arrives in parts of a size, and how much of it was taken."""

    async def scenario() -> tuple[Wire, int]:
        config, wire, taken = uvicorn.Config(says_length, ws="none", log_config=None), Wire(), 0
        config.load()
        make: Any = impatient_protocol(seconds, LIMIT_BYTES)
        protocol = make(config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(wire)
        while taken < len(data) and not wire.closed:
            protocol.data_received(data[taken : taken + at_once])
            taken += at_once
            for _ in range(5):
                await asyncio.sleep(0)
        await asyncio.sleep(wait)
        protocol.connection_lost(None)
        return wire, min(taken, len(data))

    return asyncio.run(scenario())


@pytest.mark.parametrize("at_once", [1_000, 250_000])
@pytest.mark.parametrize(
    ("start", "part"),
    [
        (GET, b"x-header: aaaaaaaaaaaaaaaaaa\r\n"),
        (GET, b"a:\r\n"),
        (GET + b"cookie: ", b"one long value "),
        (b"GET /?", b"one=long&address="),
        (CHUNKED + b"0\r\n", b"x-trailing: aaaaaaaaaaaaaaaaaa\r\n"),
        (CHUNKED + b"3\r\nabc\r\n0\r\n", b"x-trailing: aaaaaaaaaaaaaaaaaa\r\n"),
        (post(b"abc") + GET, b"x-of-the-second-request: aaaaaaaa\r\n"),
    ],
)
def test_headers_without_end_are_cut_off(start: bytes, part: bytes, at_once: int) -> None:
    wire, taken = sent(start + part * 100_000, at_once=at_once)
    assert wire.aborted
    assert taken <= max(100_000, at_once)


def test_many_small_headers_count_for_the_memory_that_they_take() -> None:
    assert sent(GET + b"a:\r\n" * 1_000, at_once=1_000)[0].aborted


@pytest.mark.parametrize("at_once", [1_000, 250_000])
def test_large_bodies_many_requests_and_long_headers_pass(at_once: int) -> None:
    body = b"x" * 3_000_000
    chunked = CHUNKED + b"".join(b"%x\r\n%s\r\n" % (100, b"x" * 100) for _ in range(30_000)) + b"0\r\n\r\n"
    cookies = GET + b"Cookie: " + b"c" * 40_000 + b"\r\n\r\n"
    wire, _ = sent(post(body) + chunked + cookies * 5 + post(body), at_once=at_once, wait=0.05)
    assert not wire.aborted
    answers = [answer.partition(b">")[0] for answer in wire.written.split(b"<")[1:]]
    assert answers == [b"3000000", b"3000000", *[b"0"] * 5, b"3000000"]


def test_headers_that_do_not_come_to_an_end_in_time_are_given_up_but_no_request_that_is_served() -> None:
    assert sent(GET, at_once=100, seconds=0.01, wait=0.05)[0].aborted
    wire, _ = sent(post(b"x" * 100)[:-1], at_once=1_000, seconds=0.01, wait=0.05)
    assert not wire.aborted
