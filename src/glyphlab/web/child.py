"""Worker processes that speak lines of JSON: torch stays out of the service, and a crash of it harms nobody.

A question is one line to the child's standard input, {"ask": ..., "with": {...}}; an answer is one line from its
standard output: {"answer": {...}}, {"error": {"status", "code", "message", "cure"}}, or, before these, any number of
{"progress": 0 to 1, "message": ...}. The child ends when its input does, thus also when the service was killed.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import Sequence
from typing import Any

from glyphlab.web import lifecycle
from glyphlab.web.refusals import Refusal, busy, lost
from glyphlab.web.seams import Commission, Looker, Question, Tell
from glyphlab.web.watch import LOGGER

_LONGEST_LINE_BYTES = 256_000_000  # a report's pictures are in it
_MOST_WAITING = 8
_IDLE_SECONDS = 600.0


class ChildLooker:
    """A worker process that is started when it is first asked, and ended when nobody asked for ten minutes.

    command: how it is started. seconds: granted to each question, waiting for others included. Questions are answered
    one after the other.
    """

    def __init__(self, command: Sequence[str], seconds: float, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._command, self._seconds, self._idle_seconds = list(command), seconds, idle_seconds
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._process: Process | None = None
        self._rest: asyncio.TimerHandle | None = None

    async def ask(self, question: Question, **facts: Any) -> dict[str, Any]:
        """The answer. Raises `Refusal`: the child's own, or 503 when it is too busy, too slow, or was lost."""
        if self._waiting >= _MOST_WAITING:
            raise busy("too many people are looking at once", 5)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds), self._lock:
                return await self._exchange({"ask": question, "with": facts})
        except TimeoutError:
            raise busy(f"this look took longer than {self._seconds:g} seconds", 30) from None
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the process."""
        if self._rest is not None:
            self._rest.cancel()
        process, self._process = self._process, None
        if process is not None:
            await lifecycle.end(process)

    async def _exchange(self, value: dict[str, Any]) -> dict[str, Any]:
        if self._rest is not None:
            self._rest.cancel()
        if self._process is None or self._process.returncode is not None:
            self._process = await lifecycle.start(self._command, _LONGEST_LINE_BYTES)
        process = self._process
        try:
            _write(process, value)
            return await _answer_of(process, lambda share, message: None)
        except Refusal as refusal:
            if refusal.code == "lost":
                await self._drop(process)
            raise
        except BaseException:  # out of time: what it still says would be taken for the next answer
            await self._drop(process)
            raise
        finally:
            loop = asyncio.get_running_loop()
            self._rest = loop.call_later(self._idle_seconds, lambda: loop.create_task(self.close()))

    async def _drop(self, process: Process) -> None:
        self._process = None
        await lifecycle.kill(process)


class ChildTeacher:
    """A new worker process for each teaching. command: how it is started."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    async def teach(self, commission: Commission, tell: Tell) -> dict[str, Any]:
        """See `seams.Teacher`."""
        process = await lifecycle.start(self._command, _LONGEST_LINE_BYTES)
        try:
            _write(process, {"ask": "teach", "with": commission.to_json()})
            return await _answer_of(process, tell)
        finally:
            await lifecycle.kill(process)


def _write(process: Process, value: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(value).encode("ascii") + b"\n")


async def _answer_of(process: Process, tell: Tell) -> dict[str, Any]:
    """What the child says to the question it was asked."""
    assert process.stdout is not None
    while True:
        try:
            line = await process.stdout.readline()
            value = json.loads(line) if line else None
        except ValueError:  # too long a line, or no JSON
            value = None
        if not isinstance(value, dict):
            LOGGER.error("worker lost", extra={"facts": {"pid": process.pid, "status": process.returncode}})
            raise lost()
        if "progress" in value:
            tell(float(value["progress"]), str(value.get("message", "")))
        elif "error" in value:
            error = value["error"]
            if "traceback" in error:
                LOGGER.error("worker failed", extra={"facts": {"traceback": error["traceback"]}})
            raise Refusal(error["status"], error["code"], error["message"], error["cure"])
        else:
            answer: dict[str, Any] = value["answer"]
            return answer


class TwoLookers:
    """Two workers, so that nobody who reviews labels waits for somebody else's report."""

    _SLOW = frozenset({"report", "compare", "explain", "export"})

    def __init__(self, quick: Looker, slow: Looker) -> None:
        self._quick, self._slow = quick, slow

    async def ask(self, question: Question, **facts: Any) -> dict[str, Any]:
        """The answer of the worker whose kind of question it is."""
        return await (self._slow if question in self._SLOW else self._quick).ask(question, **facts)

    async def close(self) -> None:
        """End both."""
        await asyncio.gather(self._quick.close(), self._slow.close())
