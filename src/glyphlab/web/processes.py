"""Processes that answer for pictures of single characters, for when several people ask at once.

Threads of one Python process hand the interpreter to each other some hundred times an answer, which takes as long as
half of the work: on two processors, two threads gave 250 answers a second where two processes give 400. One person
alone is answered by a thread; the processes are started when a second one asks meanwhile, and end when nobody has
asked for ten minutes.

A question is a frame to the process's standard input, an answer one from its standard output; see `answer_process`.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glyphlab import errors
from glyphlab.errors import GlyphlabError
from glyphlab.web import lifecycle
from glyphlab.web.refusals import Refusal, bug, lost
from glyphlab.web.watch import LOGGER

HEAD = struct.Struct("<II")  # lengths in bytes of the JSON and of what follows it
ANSWER, ERROR, READY = "answer", "error", "ready"

_AHEAD = 2  # questions a process holds: the next one lies ready when it is done with one
_IDLE_SECONDS = 600.0
_PATIENCE_SECONDS = 30.0  # before another try, where one could not be started


def command_of(models: Sequence[str | Path], runs_dir: Path, taught_dir: Path, most_pixels: int) -> list[str]:
    """How such a process is started; the arguments are those of `shelf.Shelf` and `uploads.check_picture`."""
    settings = {
        "models": [str(model) for model in models],
        "runs_dir": str(runs_dir),
        "taught_dir": str(taught_dir),
        "most_pixels": most_pixels,
    }
    return [sys.executable, "-m", "glyphlab.web.answer_process", json.dumps(settings)]


class Processes:
    """As many processes as `number`, all started by `command`. Used by the event loop alone."""

    def __init__(self, command: Sequence[str], number: int, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._command, self._number, self._idle_seconds = list(command), number, idle_seconds
        self._ready: list[_Worker] = []
        self._starting: asyncio.Task[None] | None = None
        self._places = asyncio.Semaphore(number * _AHEAD)
        self._rest: asyncio.TimerHandle | None = None
        self._closed, self._not_before = False, 0.0

    @property
    def running(self) -> int:
        """How many of them are ready to answer."""
        return len(self._ready)

    def wake(self) -> bool:
        """Whether questions can be asked now; those that are missing are started meanwhile."""
        self._ready = [worker for worker in self._ready if worker.alive]
        missing = len(self._ready) < self._number and time.monotonic() >= self._not_before
        if missing and self._starting is None and not self._closed:
            self._starting = asyncio.create_task(self._start())
        return bool(self._ready)

    async def ask(self, question: dict[str, Any], content: bytes) -> bytes:
        """The answer, as JSON. Only after `wake` said so.

        Raises what the process raised, or a `Refusal` (503) when it was lost. A process that is still at work when
        this is cancelled is ended: nobody knows whether it would ever be done.
        """
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(self._idle_seconds, self._dismiss)
        async with self._places:
            alive = [worker for worker in self._ready if worker.alive]
            if not alive:
                raise lost()
            return await min(alive, key=lambda worker: worker.waiting).ask(question, content)

    async def close(self) -> None:
        """End them all, for good."""
        self._closed = True
        if self._rest is not None:
            self._rest.cancel()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        workers, self._ready = self._ready, []
        await asyncio.gather(*(worker.end() for worker in workers))

    async def _start(self) -> None:
        """One after the other, so that questions are answered meanwhile."""
        try:
            while len(self._ready) < self._number:
                worker = await _Worker.start(self._command)
                self._ready.append(worker)
        except (OSError, EOFError):
            LOGGER.exception("an answering process did not start")
            self._not_before = time.monotonic() + _PATIENCE_SECONDS
        finally:
            self._starting = None

    def _dismiss(self) -> None:
        workers, self._ready = self._ready, []
        for worker in workers:
            worker.dismiss()


class _Worker:
    """One process, with the questions that it holds, in their order."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._questions: deque[asyncio.Future[bytes]] = deque()
        self._over = False
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, command: Sequence[str]) -> _Worker:
        """Start it, and wait until it is ready. Raises OSError or EOFError where it does not get so far."""
        process = await lifecycle.start(command)
        try:
            kind, _ = await _frame(process)
            assert kind == READY, kind
        except BaseException:
            await lifecycle.kill(process)
            raise
        return cls(process)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._over

    @property
    def waiting(self) -> int:
        """Questions that it has not answered yet."""
        return len(self._questions)

    async def ask(self, question: dict[str, Any], content: bytes) -> bytes:
        """See `Processes.ask`."""
        head = json.dumps(question).encode("ascii")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._questions.append(answer)
        assert self._process.stdin is not None
        self._process.stdin.writelines((HEAD.pack(len(head), len(content)), head, content))
        try:
            return await answer
        except asyncio.CancelledError:
            self._over = True
            await lifecycle.kill(self._process)
            raise

    async def end(self) -> None:
        """See `lifecycle.end`."""
        await lifecycle.end(self._process)
        await asyncio.gather(self._listening, return_exceptions=True)

    def dismiss(self) -> None:
        """Let it end when it has answered what it was asked."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def _listen(self) -> None:
        """Hand out answers until the process ends."""
        try:
            while True:
                kind, body = await _frame(self._process)
                answer = self._questions.popleft()
                if answer.cancelled():
                    continue
                if kind == ANSWER:
                    answer.set_result(body)
                else:
                    answer.set_exception(_raised(json.loads(body)))
        except (EOFError, OSError):
            if self._questions:
                LOGGER.error("worker lost", extra={"facts": {"pid": self._process.pid}})
        finally:
            self._over = True
            for answer in self._questions:
                if not answer.done():
                    answer.set_exception(lost())
            await lifecycle.kill(self._process)


async def _frame(process: Process) -> tuple[str, bytes]:
    """The next frame's kind and content. Raises EOFError (`asyncio.IncompleteReadError`) where there is none."""
    assert process.stdout is not None
    lengths = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
    kind, body = [await process.stdout.readexactly(length) for length in lengths]
    return kind.decode("ascii"), body


def _raised(error: dict[str, Any]) -> Exception:
    """The error that a process met, as it would have been raised here."""
    if error["class"] == Refusal.__name__:
        return Refusal(error["status"], error["code"], error["message"], error["cure"])
    kind = getattr(errors, error["class"], None)
    if isinstance(kind, type) and issubclass(kind, GlyphlabError):
        return kind(error["message"])
    LOGGER.error("worker failed", extra={"facts": {"traceback": error["traceback"]}})
    return bug()
