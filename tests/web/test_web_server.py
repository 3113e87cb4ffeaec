"""The socket on which the service listens."""

from __future__ import annotations

import socket

import pytest

from glyphlab.errors import GlyphlabError
from glyphlab.web.server import bind


def test_the_socket_is_of_a_kind_that_asyncio_sends_on_at_once() -> None:
    with bind("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(GlyphlabError, match=r"cannot listen on 127\.0\.0\.1:\d+: .*; choose another --port"):
            bind("127.0.0.1", other.getsockname()[1])
