"""Work on a bounded pool: a fixed number of threads, a queue of fixed length, and a plain "no" beyond it.

Threads: OpenCV, Pillow's decoders and ONNX Runtime let others run while they compute. What is asked for most often is
taken over by `processes` where many ask at once.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from typing import TypeVar

from glyphlab.web.refusals import busy

T = TypeVar("T")

_LONGEST_RETRY_SECONDS = 60
_MEMORY = 0.9  # of the running mean of durations: how much the past counts


class Lane:
    """Threads for one kind of work.

    threads: how many. queue: how many pieces of work may wait for one. seconds: from asking to the answer at most.
    """

    def __init__(self, name: str, threads: int, queue: int, seconds: float) -> None:
        self.name, self.capacity, self.seconds = name, threads + queue, seconds
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._inside = 0
        self._mean_seconds = 0.05

    @property
    def inside(self) -> int:
        """Pieces of work that wait or run."""
        return self._inside

    def admit(self) -> None:
        """Raise a `Refusal` with status 503 when the queue is full: the quickest way to say so."""
        if self._inside >= self.capacity:
            raise busy(f"all places for {self.name} work are taken", self._retry_seconds())

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, done in a thread.

        Raises a `Refusal` with status 503 when the queue is full, or the time is over. A thread cannot be stopped:
        work that takes too long keeps its place until it ends, so that the bounds hold.
        """
        self._enter()
        try:
            future = self._executor.submit(self._timed, work)
        except BaseException:
            self._leave()
            raise
        future.add_done_callback(self._leave)
        return await self._in_time(asyncio.wrap_future(future))

    async def wait_for(self, work: Awaitable[T]) -> T:
        """The result of `work` that is done elsewhere, within the same bounds; it is cancelled when the time is over.

        Raises a `Refusal` with status 503 when the queue is full, or the time is over.
        """
        try:
            self._enter()
        except BaseException:
            if asyncio.iscoroutine(work):
                work.close()
            raise
        try:
            return await self._in_time(work)
        finally:
            self._leave()

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _enter(self) -> None:
        with self._lock:
            self.admit()
            self._inside += 1

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.seconds):
                return await work
        except TimeoutError:
            raise busy(
                f"the {self.name} work took longer than {self.seconds:g} seconds", self._retry_seconds()
            ) from None

    def _timed(self, work: Callable[[], T]) -> T:
        began = time.monotonic()
        try:
            return work()
        finally:
            self._mean_seconds = _MEMORY * self._mean_seconds + (1 - _MEMORY) * (time.monotonic() - began)

    def _leave(self, _: Future[T] | None = None) -> None:
        with self._lock:
            self._inside -= 1

    def _retry_seconds(self) -> int:
        """When the queue of now will have been worked off."""
        return min(max(1, ceil(self._mean_seconds * self._inside / self._threads)), _LONGEST_RETRY_SECONDS)
