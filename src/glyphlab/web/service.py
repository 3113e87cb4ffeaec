"""Everything that answers requests, in one value that the routes are handed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from glyphlab.web.answers import Wish, answer_file, as_json
from glyphlab.web.limits import Limits
from glyphlab.web.metrics import Metrics
from glyphlab.web.pool import Lane, T
from glyphlab.web.processes import Processes
from glyphlab.web.refusals import Refusal
from glyphlab.web.samples import Samples
from glyphlab.web.schemas import TeachState
from glyphlab.web.seams import Commission, Looker, Teacher
from glyphlab.web.shelf import Shelf
from glyphlab.web.teaching import Teaching

DRAWINGS, TAUGHT, JOBS = "drawings", "taught", "teaching"
_DISK_THREADS, _DISK_QUEUE, _DISK_SECONDS = 2, 64, 20.0
_FEWEST_CLASSES = 2


@dataclass
class Service:
    """The parts of a running service.

    glyphs, pages, disk: lanes for single characters, for pages, and for reading and writing files. teaching, looker:
    None where nobody does such work.
    """

    limits: Limits
    shelf: Shelf
    samples: Samples
    taught_dir: Path
    teaching: Teaching | None = None
    looker: Looker | None = None
    metrics: Metrics = field(default_factory=Metrics)
    _processes: Processes | None = None

    def __post_init__(self) -> None:
        limits = self.limits
        self.glyphs = Lane("glyph", limits.glyph_threads, limits.glyph_queue, limits.glyph_seconds)
        self.pages = Lane("page", limits.page_threads, limits.page_queue, limits.page_seconds)
        self.disk = Lane("disk", _DISK_THREADS, _DISK_QUEUE, _DISK_SECONDS)
        gauges: dict[str, Callable[[], float]] = {
            "glyphlab_models_loaded": lambda: self.shelf.loaded,
            "glyphlab_glyph_work": lambda: self.glyphs.inside,
            "glyphlab_page_work": lambda: self.pages.inside,
            "glyphlab_answering_processes": lambda: self._processes.running if self._processes is not None else 0,
        }
        self.metrics.gauges |= gauges

    @classmethod
    def at(cls, home: Path, shelf: Shelf, limits: Limits, teacher: Teacher | None, looker: Looker | None) -> Service:
        """The service whose drawings, taught models and jobs lie in `home`."""
        service = cls(limits, shelf, Samples(home / DRAWINGS, limits.samples), home / TAUGHT, looker=looker)
        if teacher is not None:
            service.teaching = Teaching(home / JOBS, teacher, service.commission, shelf.id_of)
        return service

    async def start(self) -> asyncio.Task[None]:
        """Take up teachings of former times, and load the default model, for which no request shall wait."""
        if self.teaching is not None:
            self.teaching.start()
        return asyncio.create_task(self._warm())

    async def stop(self) -> None:
        """Let go of everything. Requests are over by now."""
        if self.teaching is not None:
            await self.teaching.stop()
        if self.looker is not None:
            await self.looker.close()
        if self._processes is not None:
            await self._processes.close()
        for lane in (self.glyphs, self.pages, self.disk):
            lane.close()

    def employ(self, processes: int) -> None:
        """Let so many processes answer for pictures where several people ask at once; before the start."""
        self._processes = Processes(self.shelf.command(self.limits.glyph_pixels), processes)

    async def answer(self, content: bytes, wish: Wish) -> bytes:
        """The answer for a picture of one character, as JSON. Raises `Refusal`, `ImageError`, `ModelError`."""
        if self._processes is not None and (self._processes.running or self.glyphs.inside) and self._processes.wake():
            return await self.glyphs.wait_for(self._processes.ask(asdict(wish), content))
        return await self.glyphs.run(lambda: as_json(answer_file(self.shelf, content, wish, self.limits.glyph_pixels)))

    async def on_disk(self, work: Callable[[], T]) -> T:
        """Do something with files, in a thread."""
        return await self.disk.run(work)

    async def commission(self, state: TeachState) -> Commission:
        """What a job asks for. Raises `Refusal`: no such alphabet or model, or too few characters with drawings."""
        return await self.on_disk(partial(self._commission, state))

    def _commission(self, state: TeachState) -> Commission:
        base = self.shelf.find(state.base)
        self.samples.refresh()
        data, labels = self.samples.data_of(state.alphabet)
        if len(labels) < _FEWEST_CLASSES:
            raise Refusal(
                422,
                "too_few",
                f"{len(labels)} of the alphabet's characters have drawings",
                f"draw some of {_FEWEST_CLASSES} characters at least, better five of each",
            )
        return Commission(data, labels, base.path, state.add, self.taught_dir)

    async def _warm(self) -> None:
        with contextlib.suppress(Exception):  # what is wrong is said to the first who asks
            await self.glyphs.run(self.shelf.recognizer)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _looker(request: Request) -> Looker:
    looker: Looker | None = request.app.state.service.looker
    if looker is None:
        raise _absent("looking at runs and into networks")
    return looker


async def _teaching(request: Request) -> Teaching:
    teaching: Teaching | None = request.app.state.service.teaching
    if teaching is None:
        raise _absent("teaching")
    return teaching


def _absent(what: str) -> Refusal:
    return Refusal(501, "not_installed", f"{what} is switched off here", "start the service with: glyphlab serve")


TheService = Annotated[Service, Depends(_service)]
TheLooker = Annotated[Looker, Depends(_looker)]
TheTeaching = Annotated[Teaching, Depends(_teaching)]
