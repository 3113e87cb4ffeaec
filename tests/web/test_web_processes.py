"""Processes that answer for pictures: order, errors, crashes, time limits, and the same answers as threads."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from glyphlab.errors import GlyphlabError, ImageError, ModelError
from glyphlab.web.answer_process import serve as serve_questions
from glyphlab.web.answers import Wish
from glyphlab.web.processes import ANSWER, ERROR, HEAD, READY, Processes
from glyphlab.web.refusals import Refusal

# Speaks the frames without importing anything of Glyphlab's, so that it is started at once.
WORKER = """
import json, os, struct, sys, time
head = struct.Struct("<II")
def say(kind, value):
    kind, body = kind.encode(), json.dumps(value).encode()
    sys.stdout.buffer.write(head.pack(len(kind), len(body)) + kind + body); sys.stdout.buffer.flush()
say("ready", "")
while len(start := sys.stdin.buffer.read(head.size)) == head.size:
    question, content = (sys.stdin.buffer.read(length) for length in head.unpack(start))
    what = json.loads(question)["what"]
    if what == "crash": os._exit(9)
    if what == "noise": os.write(1, b"noise"); os._exit(0)
    if what == "sleep": time.sleep(60)
    if what == "slow": time.sleep(0.2)
    if what == "error": say("error", json.loads(content)); continue
    say("answer", {"pid": os.getpid(), "content": content.decode()})
"""
COMMAND = [sys.executable, "-S", "-c", WORKER]


def scene(processes: Processes, steps: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def scenario() -> Any:
        try:
            await awake(processes)
            return await steps()
        finally:
            await processes.close()

    return asyncio.run(scenario())


async def awake(processes: Processes) -> None:
    """Until all of them are ready."""
    ends = time.monotonic() + 20
    while not (processes.wake() and processes.running == processes._number):
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


async def ask(processes: Processes, what: str, content: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await processes.ask({"what": what}, content.encode()))
    return answer


def test_each_question_gets_its_own_answer_and_all_processes_work() -> None:
    async def steps() -> list[dict[str, Any]]:
        return await asyncio.gather(*(ask(processes, "slow" if n < 2 else "", str(n)) for n in range(12)))

    processes = Processes(COMMAND, 2)
    answers = scene(processes, steps)
    assert [answer["content"] for answer in answers] == [str(n) for n in range(12)]
    assert len({answer["pid"] for answer in answers}) == 2
    assert processes.running == 0


def test_there_are_never_more_processes_than_wanted() -> None:
    async def steps() -> int:
        for _ in range(20):
            processes.wake()
            await asyncio.sleep(0.01)
        return processes.running

    processes = Processes(COMMAND, 2)
    assert scene(processes, steps) == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"class": "ImageError", "message": "too small"}, ImageError),
        ({"class": "ModelError", "message": "unknown"}, ModelError),
        ({"class": "GlyphlabError", "message": "wrong"}, GlyphlabError),
        ({"class": "Refusal", "status": 415, "code": "format", "message": "no", "cure": "yes"}, Refusal),
        ({"class": "ZeroDivisionError", "traceback": "..."}, Refusal),
        ({"class": "annotations", "traceback": "..."}, Refusal),
    ],
)
def test_errors_are_raised_as_they_were(error: dict[str, Any], kind: type[Exception]) -> None:
    async def steps() -> Exception:
        with pytest.raises(kind) as caught:
            await ask(processes, "error", json.dumps(error))
        assert (await ask(processes, "", "next"))["content"] == "next"
        return caught.value

    processes = Processes(COMMAND, 1)
    raised = scene(processes, steps)
    assert type(raised) is kind
    if isinstance(raised, Refusal):
        assert raised.status_code == error.get("status", 500)


@pytest.mark.parametrize("how", ["crash", "noise"])
def test_a_lost_process_is_told_and_replaced(how: str) -> None:
    async def steps() -> None:
        questions = [asyncio.create_task(ask(processes, what)) for what in (how, "")]
        for question in questions:  # the second one was already with the process
            with pytest.raises(Refusal) as caught:
                await question
            assert (caught.value.status_code, caught.value.code) == (503, "lost")
        assert not processes.wake()
        with pytest.raises(Refusal, match="ended"):
            await ask(processes, "")
        await awake(processes)
        assert (await ask(processes, "", "again"))["content"] == "again"

    processes = Processes(COMMAND, 1)
    scene(processes, steps)


def test_a_process_that_takes_too_long_is_ended() -> None:
    async def steps() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(processes, "sleep")
        await awake(processes)
        assert (await ask(processes, "", "again"))["content"] == "again"

    processes = Processes(COMMAND, 1)
    scene(processes, steps)


def test_processes_end_when_nobody_asks() -> None:
    async def steps() -> None:
        await ask(processes, "")
        for _ in range(500):
            if not processes.running:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("still running")

    processes = Processes(COMMAND, 1, idle_seconds=0.05)
    scene(processes, steps)


@pytest.mark.parametrize("command", [["/nonexistent/python"], [sys.executable, "-S", "-c", "pass"]])
def test_what_cannot_be_started_is_not_tried_again_at_once(command: list[str]) -> None:
    async def scenario() -> None:
        processes = Processes(command, 1)
        assert not processes.wake()
        while processes._starting is not None:
            await asyncio.sleep(0.01)
        assert not processes.wake()
        assert processes._starting is None
        await processes.close()

    asyncio.run(scenario())


def test_a_process_answers_until_its_input_ends() -> None:
    def answer(content: bytes, wish: Wish) -> dict[str, Any]:
        if content == b"bug":
            raise ZeroDivisionError
        if content == b"small":
            raise ImageError("too small \ud800")
        if content == b"no":
            raise Refusal(415, "format", "no", "yes")
        return {"character": content.decode(), "top": wish.top}

    wish = json.dumps(asdict(Wish(None, None, 0.95, 3))).encode()
    asked = [b"7", b"small", b"no", b"bug", "ä".encode()]
    questions = io.BytesIO(b"".join(HEAD.pack(len(wish), len(content)) + wish + content for content in asked))
    answers = io.BytesIO()
    serve_questions(questions, answers, answer)
    answers.seek(0)
    frames = []
    while head := answers.read(HEAD.size):
        kind, body = (answers.read(length) for length in HEAD.unpack(head))
        frames.append((kind.decode(), json.loads(body) if body else None))
    assert [kind for kind, _ in frames] == [READY, ANSWER, ERROR, ERROR, ERROR, ANSWER]
    assert frames[1][1] == {"character": "7", "top": 3}
    assert frames[2][1] == {"class": "ImageError", "message": "too small \ud800"}
    assert frames[3][1] == {"class": "Refusal", "status": 415, "code": "format", "message": "no", "cure": "yes"}
    assert frames[4][1]["class"] == "ZeroDivisionError" and "Traceback" in frames[4][1]["traceback"]
    assert frames[5][1]["character"] == "ä"


def test_processes_answer_as_threads_do(
    serve: Callable[..., TestClient], seven: bytes, blank: bytes, tmp_path: Path
) -> None:
    def answers(client: TestClient) -> list[Any]:
        files = [("files", ("a.png", content)) for content in (seven, blank, b"nothing", seven[:300], seven)]
        many = client.post("/api/v1/predict/many", files=files).json()["answers"]
        wrong = client.post("/api/v1/predict/many", files=files, data={"only": "xyz"})
        found = [*many, wrong.status_code, wrong.json()]
        return [
            {k: v for k, v in one.items() if k != "milliseconds"} if isinstance(one, dict) else one for one in found
        ]

    client = serve()
    by_threads = answers(client)
    service = client.app.state.service  # type: ignore[attr-defined]
    service.employ(1)
    ends = time.monotonic() + 30
    assert client.portal is not None
    while not client.portal.call(lambda: asyncio.sleep(0.02, service._processes.wake())):
        assert time.monotonic() < ends
    assert answers(client) == by_threads
    assert "glyphlab_answering_processes 1" in client.get("/api/v1/metrics").text
