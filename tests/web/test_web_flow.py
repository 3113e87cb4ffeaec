"""Bounds on requests while they come in: size, speed, number."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from glyphlab.web.flow import Flow
from glyphlab.web.limits import Limits
from glyphlab.web.refusals import Refusal

SMALL = Limits(body_bytes=2_000, json_bytes=1_000, body_seconds=0.05, requests=2)


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the body and says how long it was."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


def scope_of(**headers: str) -> Scope:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/", "headers": encoded}


def call(app: Any, parts: list[bytes], *, stall: bool = False, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Send a body in parts; stall: the last one never comes."""
    sent: list[Message] = []
    left = iter(parts)

    async def receive() -> Message:
        part = next(left, None)
        if part is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": part, "more_body": stall or part is not parts[-1]}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope_of(**headers), receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


def test_a_body_within_the_limit_arrives_whole() -> None:
    assert call(Flow(reads_all, limits=SMALL), [b"x" * 400, b"y" * 600]) == (200, {}, b"1000")


def test_a_body_that_announces_too_much_is_refused_before_it_is_read() -> None:
    status, headers, body = call(Flow(reads_all, limits=SMALL), [], content_length="1001")
    assert (status, headers["connection"]) == (413, "close")
    assert b"larger than 0.001 MB" in body


def test_a_body_without_a_length_is_stopped_where_the_limit_is() -> None:
    taken: list[int] = []

    def parts() -> Iterator[bytes]:
        for number in range(1_000):
            taken.append(number)
            yield b"x" * 300

    class Lazy(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            return parts()

    status, _, body = call(Flow(reads_all, limits=SMALL), Lazy([b""]), stall=True)
    assert status == 413
    assert b"too_large" in body
    assert len(taken) == 4  # 1,200 bytes, of which the last were beyond the limit


def test_forms_may_be_larger_than_json() -> None:
    app = Flow(reads_all, limits=SMALL)
    form = {"content_type": "multipart/form-data; boundary=x"}
    assert call(app, [b"x" * 1_500], **form)[0] == 200
    assert call(app, [b"x" * 1_500], content_type="application/json")[0] == 413
    assert call(app, [b"x" * 2_500], **form)[0] == 413


def test_json_of_too_many_parts_is_stopped_before_it_is_taken_apart_and_a_form_is_not() -> None:
    app = Flow(reads_all, limits=Limits(json_parts=10))
    points = [b'{"strokes": [{"points": [', b"[1, 2], " * 4, b"[1, 2]]}]}"]  # 7 lists, 2 named values
    assert call(app, points)[0] == 200
    status, headers, body = call(app, [*points[:2], *points[1:]])
    assert (status, headers["connection"]) == (413, "close")
    assert b"more than 10 points, lists and named values" in body
    assert call(app, [b"[" * 1_000], content_type="multipart/form-data; boundary=x")[0] == 200


def test_the_largest_drawing_is_within_the_limits(client: TestClient) -> None:
    limits = Limits()
    points = [[1234.56, 234.56, 0.512, 99999]] * (limits.points // limits.strokes)
    body = json.dumps({"strokes": [{"points": points, "size": 16.25}] * limits.strokes}, separators=(",", ":"))
    assert len(body) < limits.json_bytes
    assert body.count("[") + body.count(":") < limits.json_parts
    assert client.post("/api/v1/samples", content=body).json()["error"]["code"] == "invalid"  # no alphabet


def test_a_slow_body_is_given_up() -> None:
    status, headers, body = call(Flow(reads_all, limits=SMALL), [b"x"], stall=True)
    assert (status, headers["connection"]) == (408, "close")
    assert b"did not arrive in time" in body


def test_an_application_that_turns_the_refusal_into_something_else_is_overruled() -> None:
    async def swallows(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except Refusal:
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"?"})

    assert call(Flow(swallows, limits=SMALL), [b"x" * 1_001])[0] == 413


def test_more_requests_at_once_than_allowed_get_503_and_afterwards_all_is_well() -> None:
    async def scenario() -> tuple[list[int], int]:
        gate = asyncio.Event()

        async def waits(scope: Scope, receive: Receive, send: Send) -> None:
            await gate.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        app, statuses = Flow(waits, limits=SMALL), []

        async def one() -> None:
            async def receive() -> Message:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            await app(scope_of(), receive, send)

        running = [asyncio.create_task(one()) for _ in range(3)]
        await asyncio.sleep(0.01)
        early = list(statuses)
        gate.set()
        await asyncio.gather(*running)
        await one()
        return early, statuses.count(200)

    assert asyncio.run(scenario()) == ([503], 3)


def test_the_service_says_413_for_a_large_drawing(serve: Callable[..., TestClient]) -> None:
    client = serve(limits=Limits(json_bytes=500))
    answer = client.post("/api/v1/predict/strokes", json={"strokes": [{"points": [[1.5, 2.5]] * 100}]})
    assert answer.status_code == 413
    assert answer.json()["error"] == {
        "code": "too_large",
        "message": "the request is larger than 0.0005 MB",
        "cure": "scale the picture down, or send fewer at a time",
    }


@pytest.mark.parametrize("length", ["-1", "abc", "1e9", "", "9" * 30])
def test_odd_lengths_harm_nobody(length: str) -> None:
    assert call(Flow(reads_all, limits=SMALL), [b"x"], content_length=length)[0] in (200, 413)
