"""A bounded pool: the queue's end, time limits, recovery."""

from __future__ import annotations

import asyncio
import threading

import pytest

from glyphlab.web.pool import Lane
from glyphlab.web.refusals import Refusal


def test_work_is_done_in_the_lanes_threads() -> None:
    lane = Lane("glyph", 1, 0, 5)
    name = asyncio.run(lane.run(lambda: threading.current_thread().name))
    assert name.startswith("glyph")
    assert lane.inside == 0


def test_errors_of_the_work_come_through() -> None:
    lane = Lane("glyph", 1, 0, 5)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(lane.run(lambda: 1 // 0))
    assert lane.inside == 0


def test_beyond_threads_and_queue_work_is_refused_and_later_taken_again() -> None:
    lane, gate = Lane("glyph", 1, 1, 5), threading.Event()

    async def scenario() -> Refusal:
        taken = [asyncio.create_task(lane.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(Refusal) as caught:
            await lane.run(lambda: None)
        gate.set()
        assert await asyncio.gather(*taken) == [True, True]
        assert await lane.run(lambda: "again") == "again"
        return caught.value

    refusal = asyncio.run(scenario())
    assert (refusal.status_code, refusal.code) == (503, "busy")
    assert int((refusal.headers or {})["Retry-After"]) >= 1


def test_work_beyond_its_time_is_answered_with_503_and_keeps_its_place_until_it_ends() -> None:
    lane, gate = Lane("page", 1, 0, 0.02), threading.Event()

    async def scenario() -> None:
        with pytest.raises(Refusal, match="took longer than"):
            await lane.run(gate.wait)
        assert lane.inside == 1
        with pytest.raises(Refusal, match="all places"):
            await lane.run(lambda: None)
        gate.set()
        for _ in range(200):
            await asyncio.sleep(0.005)
            if lane.inside == 0:
                break
        assert await lane.run(lambda: 1) == 1

    asyncio.run(scenario())


def test_work_that_waited_too_long_is_never_begun() -> None:
    lane, gate, begun = Lane("page", 1, 1, 0.05), threading.Event(), []

    async def scenario() -> None:
        first = asyncio.create_task(lane.run(gate.wait))
        await asyncio.sleep(0.01)
        with pytest.raises(Refusal):
            await lane.run(lambda: begun.append(1))
        gate.set()
        await asyncio.gather(first, return_exceptions=True)

    asyncio.run(scenario())
    lane.close()
    assert begun == []
    assert lane.inside == 0


def test_work_done_elsewhere_keeps_within_the_same_bounds() -> None:
    lane, gate = Lane("glyph", 1, 0, 0.05), asyncio.Event()

    async def answer() -> str:
        return "elsewhere"

    async def scenario() -> None:
        assert await lane.wait_for(answer()) == "elsewhere"
        waiting = asyncio.create_task(lane.wait_for(gate.wait()))
        await asyncio.sleep(0.005)
        assert lane.inside == 1
        with pytest.raises(Refusal, match="all places"):
            await lane.wait_for(answer())
        with pytest.raises(Refusal, match="took longer than"):
            await waiting
        assert lane.inside == 0

    asyncio.run(scenario())
