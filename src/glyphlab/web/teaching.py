"""Teachings as jobs: one at a time, the others wait; each is a small file, so that a restart goes on where it was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from glyphlab.errors import GlyphlabError, RunError
from glyphlab.files import write_json
from glyphlab.web.labels import clean_label
from glyphlab.web.refusals import Refusal, busy
from glyphlab.web.schemas import TeachState
from glyphlab.web.seams import Commission, Teacher
from glyphlab.web.watch import LOGGER

_JOB = re.compile(r"[0-9a-f]{16}\.json")
_MOST_WAITING = 8
_MOST_KEPT = 200
_MOST_RESTARTS = 2


class Teaching:
    """The jobs of a folder.

    teacher: who does the work. commission: from a job to what shall be taught; raises `Refusal`. model_id: from the
    path of a model file to its id. Used by the event loop alone.

    A job whose file cannot be written is not taken on; one that was begun goes on in memory.
    """

    def __init__(
        self,
        folder: Path,
        teacher: Teacher,
        commission: Callable[[TeachState], Awaitable[Commission]],
        model_id: Callable[[Path], str | None],
    ) -> None:
        self._folder, self._teacher = folder, teacher
        self._commission, self._model_id = commission, model_id
        self._jobs: dict[str, TeachState] = {}
        self._restarts: dict[str, int] = {}
        self._queue: deque[str] = deque()
        self._news = asyncio.Event()
        self._current: tuple[str, asyncio.Task[dict[str, Any]]] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Read the jobs of former times, and go on with those that were not over. Needs a running event loop."""
        for path in sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns):
            if _JOB.fullmatch(path.name):
                self._read(path)
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Stop what runs; it is taken up again by the next start."""
        self._stopping = True
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    async def order(self, alphabet: str, base: str, add: bool) -> str:
        """Queue a teaching and return its job's id. Raises `Refusal`: unknown names, or too many wait; `RunError`."""
        job, name = secrets.token_hex(8), clean_label(alphabet)
        state = TeachState(job=job, alphabet=name, base=base, add=add, state="waiting", progress=0, message="waiting")
        await self._commission(state)  # what is wrong with it is said now
        if len(self._queue) >= _MOST_WAITING:
            raise busy(f"{_MOST_WAITING} teachings are waiting already", 30)
        self._write(state)  # first: what cannot be kept is not begun
        self._jobs[job] = state
        self._enqueue(job)
        self._forget_oldest()
        return job

    def state(self, job: str) -> TeachState:
        """How far a job is. Raises `Refusal` (404)."""
        if job not in self._jobs:
            raise Refusal(404, "no_job", "there is no teaching of that id", "press Teach again")
        return self._jobs[job]

    def cancel(self, job: str) -> TeachState:
        """Stop a job that waits or runs; of one that is over nothing changes. Raises `Refusal` (404)."""
        state = self.state(job)
        if state.state == "waiting":
            self._queue.remove(job)
            self._finish(job, state="failed", message="cancelled")
        elif self._current is not None and self._current[0] == job:
            self._current[1].cancel()
            self._finish(job, state="failed", message="cancelled")
        return self._jobs[job]

    def last_of(self, alphabet: str) -> TeachState | None:
        """The newest job of an alphabet."""
        return next((state for state in reversed(self._jobs.values()) if state.alphabet == alphabet), None)

    def model_of(self, alphabet: str) -> str | None:
        """The id of the newest model that learned an alphabet."""
        models = (state.model for state in reversed(self._jobs.values()) if state.alphabet == alphabet)
        return next((model for model in models if model is not None), None)

    def is_busy_with(self, alphabet: str) -> bool:
        """Whether a teaching of an alphabet waits or runs."""
        return any(
            state.alphabet == alphabet and state.state in ("waiting", "running") for state in self._jobs.values()
        )

    def rename(self, alphabet: str, name: str) -> None:
        """An alphabet has another name now: its jobs, none of which runs, go with it."""
        for job, state in list(self._jobs.items()):
            if state.alphabet == alphabet != name:
                self._finish(job, alphabet=name)

    async def _work(self) -> None:
        """One job after the other."""
        while True:
            while not self._queue:
                self._news.clear()
                await self._news.wait()
            job = self._queue.popleft()
            try:
                await self._teach(job)
            except Exception:  # the next ones are taught nevertheless
                LOGGER.exception("teaching failed")
                self._note(job, state="failed", message="an error in Glyphlab; its log tells more")

    async def _teach(self, job: str) -> None:
        began = time.monotonic()
        self._note(job, state="running", message="starting")
        task = asyncio.create_task(self._taught(job))
        self._current = (job, task)
        try:
            result = await task
        except asyncio.CancelledError:
            if self._stopping:  # the file still says that it runs: the next start goes on with it
                raise
        except (Refusal, GlyphlabError) as error:
            self._note(job, state="failed", message=error.message if isinstance(error, Refusal) else str(error))
        else:
            self._note(
                job,
                state="done",
                progress=1.0,
                message="done",
                model=self._model_id(Path(result["model"])),
                seconds=round(time.monotonic() - began, 1),
                **{key: result[key] for key in ("accuracy", "ways", "way")},
            )
        finally:
            self._current = None

    async def _taught(self, job: str) -> dict[str, Any]:
        """What came of a job; see `seams.Teacher`."""
        commission = await self._commission(self._jobs[job])
        return await self._teacher.teach(commission, lambda *news: self._tell(job, *news))

    def _tell(self, job: str, share: float, message: str) -> None:
        if self._jobs[job].state == "running":
            self._change(job, progress=min(max(share, 0.0), 0.999), message=message)

    def _enqueue(self, job: str) -> None:
        self._queue.append(job)
        self._news.set()

    def _change(self, job: str, **changes: Any) -> None:
        self._jobs[job] = TeachState.model_validate(self._jobs[job].model_dump() | changes)

    def _finish(self, job: str, **changes: Any) -> None:
        """Change a job for somebody who is told where its file cannot be written. Raises `RunError`."""
        self._change(job, **changes)
        self._write(self._jobs[job])

    def _note(self, job: str, **changes: Any) -> None:
        """The same for nobody in particular: where its file cannot be written, what is in memory counts."""
        try:
            self._finish(job, **changes)
        except (RunError, ValueError):  # no place for it, or no JSON
            LOGGER.exception("a teaching's state was not written")

    def _write(self, state: TeachState) -> None:
        value = state.model_dump() | {"restarts": self._restarts.get(state.job, 0)}
        write_json(self._folder / f"{state.job}.json", value)

    def _read(self, path: Path) -> None:
        """Take up one file; a damaged one is passed over."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            restarts = int(value.pop("restarts", 0))
            state = TeachState.model_validate(value)
        except (OSError, ValueError, AttributeError, TypeError):
            return
        job = state.job
        if f"{job}.json" != path.name:
            return
        self._jobs[job], self._restarts[job] = state, restarts
        if state.state not in ("waiting", "running"):
            return
        if restarts >= _MOST_RESTARTS:
            self._note(job, state="failed", message="the service was restarted meanwhile; press Teach again")
            return
        self._restarts[job] = restarts + 1
        self._note(job, state="waiting", progress=0, message="waiting, after a restart")
        self._enqueue(job)

    def _forget_oldest(self) -> None:
        over = [job for job, state in self._jobs.items() if state.state in ("done", "failed")]
        for job in over[: max(0, len(self._jobs) - _MOST_KEPT)]:
            del self._jobs[job]
            with contextlib.suppress(OSError):  # then it is read, and forgotten, once more
                (self._folder / f"{job}.json").unlink()
