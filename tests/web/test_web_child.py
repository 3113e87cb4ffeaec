"""Worker processes: answers, progress, crashes, time limits."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from glyphlab.web.child import ChildLooker, ChildTeacher, TwoLookers
from glyphlab.web.refusals import Refusal
from glyphlab.web.seams import Commission

WORKER = """
import json, os, sys, time
def say(value): print(json.dumps(value), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    if question["ask"] == "teach":
        say({"progress": 0.5, "message": "half"})
        if question["with"]["add"]: time.sleep(60)
        say({"answer": {"model": question["with"]["base"], "pid": os.getpid()}})
        continue
    what = question["with"].get("name")
    if what == "crash": os._exit(9)
    if what == "sleep": time.sleep(60)
    if what == "noise": print("not json", flush=True); continue
    if what == "refuse":
        say({"error": {"status": 422, "code": "invalid", "message": "no", "cure": "yes"}})
        continue
    say({"answer": {"pid": os.getpid(), "name": what}})
"""
COMMAND = [sys.executable, "-c", WORKER]


def asked(looker: ChildLooker, steps: Coroutine[Any, Any, Any]) -> Any:
    async def scenario() -> Any:
        try:
            return await steps
        finally:
            await looker.close()

    return asyncio.run(scenario())


def test_one_process_answers_one_question_after_the_other() -> None:
    async def steps() -> list[Any]:
        return await asyncio.gather(*(looker.ask("report", name=str(n)) for n in range(4)))

    looker = ChildLooker(COMMAND, 20)
    answers = asked(looker, steps())
    assert [answer["name"] for answer in answers] == ["0", "1", "2", "3"]
    assert len({answer["pid"] for answer in answers}) == 1


def test_a_refusal_comes_through_and_the_process_lives_on() -> None:
    async def steps() -> bool:
        pid = (await looker.ask("runs"))["pid"]
        with pytest.raises(Refusal, match="no") as caught:
            await looker.ask("report", name="refuse")
        assert (caught.value.status_code, caught.value.cure) == (422, "yes")
        return bool(pid == (await looker.ask("runs"))["pid"])

    looker = ChildLooker(COMMAND, 20)
    assert asked(looker, steps())


@pytest.mark.parametrize("how", ["crash", "noise"])
def test_a_lost_process_is_told_and_replaced(how: str) -> None:
    async def steps() -> str:
        with pytest.raises(Refusal) as caught:
            await looker.ask("report", name=how)
        assert (caught.value.status_code, caught.value.code) == (503, "lost")
        return str((await looker.ask("report", name="again"))["name"])

    looker = ChildLooker(COMMAND, 20)
    assert asked(looker, steps()) == "again"


def test_a_look_that_takes_too_long_is_given_up_and_its_process_ended() -> None:
    async def steps() -> str:
        with pytest.raises(Refusal, match="took longer than"):
            await looker.ask("report", name="sleep")
        looker._seconds = 20
        return str((await looker.ask("report", name="again"))["name"])

    looker = ChildLooker(COMMAND, 1.5)
    assert asked(looker, steps()) == "again"


def test_nobody_asks_for_a_while_and_the_process_ends() -> None:
    async def steps() -> int:
        pid = int((await looker.ask("runs"))["pid"])
        for _ in range(200):
            await asyncio.sleep(0.02)
            if not Path(f"/proc/{pid}").exists():
                break
        return pid

    looker = ChildLooker(COMMAND, 20, idle_seconds=0.05)
    pid = asked(looker, steps())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_slow_questions_go_to_the_second_worker() -> None:
    async def steps() -> tuple[Any, Any]:
        return await both.ask("labels"), await both.ask("compare")

    both = TwoLookers(ChildLooker(COMMAND, 20), ChildLooker(COMMAND, 20))
    quick, slow = asked(both, steps())  # type: ignore[arg-type]
    assert quick["pid"] != slow["pid"]


def test_teaching_tells_progress_and_ends_its_process(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    commission = Commission(tmp_path, {}, tmp_path / "base.onnx", False, tmp_path)
    result = asyncio.run(ChildTeacher(COMMAND).teach(commission, lambda *news: told.append(news)))
    assert told == [(0.5, "half")]
    assert result["model"] == str(tmp_path / "base.onnx")
    with pytest.raises(ProcessLookupError):
        os.kill(result["pid"], 0)


def test_a_cancelled_teaching_ends_at_once(tmp_path: Path) -> None:
    async def scenario() -> float:
        begun = asyncio.Event()
        commission = Commission(tmp_path, {}, tmp_path / "base.onnx", True, tmp_path)
        task = asyncio.create_task(ChildTeacher(COMMAND).teach(commission, lambda *news: begun.set()))
        await begun.wait()
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 10
