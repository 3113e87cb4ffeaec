"""Teachings as jobs: progress, results, failures, restarts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from glyphlab.errors import RunError
from glyphlab.web.refusals import Refusal
from glyphlab.web.schemas import TeachState
from glyphlab.web.seams import Commission, Teacher, Tell
from glyphlab.web.teaching import Teaching

API = "/api/v1"
STROKES = [{"points": [[40, 40], [200, 42], [110, 260]], "size": 18}]


def draw(client: TestClient, labels: str) -> None:
    for label in labels:
        sample = {"alphabet": "Greek", "label": label, "strokes": STROKES}
        assert client.post(f"{API}/samples", json=sample).status_code == 201


def until_over(client: TestClient, job: str) -> dict[str, Any]:
    for _ in range(400):
        state: dict[str, Any] = client.get(f"{API}/teach/{job}").json()
        if state["state"] in ("done", "failed"):
            return state
        time.sleep(0.01)
    raise AssertionError(state)


def test_what_was_drawn_is_taught_and_can_be_used_at_once(client: TestClient, teacher: Any, seven: bytes) -> None:
    draw(client, "αβ/")
    started = client.post(f"{API}/teach", json={"alphabet": "Greek", "base": "characters"})
    assert started.status_code == 202
    state = until_over(client, started.json()["job"])
    assert (state["state"], state["progress"], state["model"]) == ("done", 1.0, "taught-taught-1")
    assert state["accuracy"] == {"mean": 0.9, "spread": 0.1, "folds": [0.8, 1.0]}
    (commission,) = teacher.commissions
    assert commission.labels == {"α": "α", "β": "β", "U+002F": "/"}
    assert commission.base.name == "characters.onnx"
    answer = client.post(f"{API}/predict", files={"file": seven}, data={"model": state["model"]})
    assert answer.json()["model"] == "taught-taught-1"
    kinds = {model["id"]: model["kind"] for model in client.get(f"{API}/models").json()["models"]}
    assert kinds == {"characters": "shipped", "digits": "shipped", "taught-taught-1": "taught"}
    file = client.get(f"{API}/models/taught-taught-1/file")
    assert file.content == commission.base.read_bytes()
    (alphabet,) = client.get(f"{API}/alphabets").json()["alphabets"]
    assert (alphabet["model"], alphabet["job"]) == ("taught-taught-1", state["job"])


def test_mistakes_are_said_before_anything_waits(client: TestClient) -> None:
    draw(client, "α")
    few = client.post(f"{API}/teach", json={"alphabet": "Greek"})
    assert (few.status_code, few.json()["error"]["code"]) == (422, "too_few")
    assert client.post(f"{API}/teach", json={"alphabet": "None"}).status_code == 404
    draw(client, "β")
    assert client.post(f"{API}/teach", json={"alphabet": "Greek", "base": "None"}).status_code == 404
    assert client.get(f"{API}/teach/0000").status_code == 404
    assert client.delete(f"{API}/teach/0000").status_code == 404


def test_without_a_teacher_the_route_says_so(serve: Callable[..., TestClient]) -> None:
    client = serve(teacher=None, looker=None)
    assert client.post(f"{API}/teach", json={"alphabet": "Greek"}).status_code == 501
    assert client.get(f"{API}/runs").status_code == 501


class Slow:
    """A teacher that works until it is let go, and may fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun, self.go, self.failure = asyncio.Event(), asyncio.Event(), failure

    async def teach(self, commission: Commission, tell: Tell) -> dict[str, Any]:
        tell(0.4, "at it")
        self.begun.set()
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        return {"model": "m.onnx", "way": "probe", "ways": [], "accuracy": None}


def jobs_in(folder: Path, teacher: Teacher) -> Teaching:
    async def commission(state: TeachState) -> Commission:
        if state.alphabet == "None":
            raise Refusal(404, "no_alphabet", "there is no such alphabet", "")
        return Commission(folder, {}, folder / "base.onnx", state.add, folder)

    return Teaching(folder / "jobs", teacher, commission, lambda path: path.stem)


async def over(jobs: Teaching, job: str) -> TeachState:
    for _ in range(500):
        if jobs.state(job).state in ("done", "failed"):
            return jobs.state(job)
        await asyncio.sleep(0.005)
    raise AssertionError(jobs.state(job))


def test_one_teaches_the_others_wait_and_can_be_cancelled(tmp_path: Path) -> None:
    async def scenario() -> None:
        teacher = Slow()
        jobs = jobs_in(tmp_path, teacher)
        jobs.start()
        first, second = [await jobs.order("Greek", "digits", add) for add in (False, True)]
        await teacher.begun.wait()
        await asyncio.sleep(0.01)
        assert (jobs.state(first).state, jobs.state(first).progress, jobs.state(first).message) == (
            "running",
            0.4,
            "at it",
        )
        assert jobs.state(second).state == "waiting"
        assert jobs.cancel(second).message == "cancelled"
        teacher.go.set()
        assert (await over(jobs, first)).model == "m"
        assert jobs.state(second).state == "failed"
        assert jobs.cancel(first).state == "done"
        await jobs.stop()

    asyncio.run(scenario())


def test_a_running_teaching_is_cancelled_and_the_next_begins(tmp_path: Path) -> None:
    async def scenario() -> None:
        teacher = Slow()
        jobs = jobs_in(tmp_path, teacher)
        jobs.start()
        first, second = [await jobs.order("Greek", "digits", False) for _ in range(2)]
        await teacher.begun.wait()
        jobs.cancel(first)
        teacher.go.set()
        assert (await over(jobs, second)).state == "done"
        assert (jobs.state(first).state, jobs.state(first).message) == ("failed", "cancelled")
        await jobs.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (Refusal(422, "invalid", "class 'α' has 1 usable picture", "draw more"), "class 'α' has 1 usable picture"),
        (ZeroDivisionError(), "an error in Glyphlab; its log tells more"),
    ],
)
def test_failures_are_told(tmp_path: Path, failure: Exception, message: str) -> None:
    async def scenario() -> TeachState:
        teacher = Slow(failure)
        teacher.go.set()
        jobs = jobs_in(tmp_path, teacher)
        jobs.start()
        state = await over(jobs, await jobs.order("Greek", "digits", False))
        await jobs.stop()
        return state

    state = asyncio.run(scenario())
    assert (state.state, state.message) == ("failed", message)


def test_a_file_that_cannot_be_written_stops_no_later_teaching(tmp_path: Path) -> None:
    async def scenario() -> None:
        teacher = Slow()
        jobs, folder = jobs_in(tmp_path, teacher), tmp_path / "jobs"
        jobs.start()
        first = await jobs.order("Greek", "digits", False)
        await teacher.begun.wait()
        folder.rename(tmp_path / "aside")
        folder.write_text("in the way")
        with pytest.raises(RunError, match="cannot write"):  # what cannot be kept is not taken on
            await jobs.order("Runes", "digits", False)
        assert not jobs.is_busy_with("Runes")
        teacher.go.set()
        assert (await over(jobs, first)).model == "m"
        folder.unlink()
        assert (await over(jobs, await jobs.order("Runes", "digits", False))).state == "done"
        await jobs.stop()

    asyncio.run(scenario())


def test_a_result_that_makes_no_sense_stops_no_later_teaching(tmp_path: Path) -> None:
    class Senseless:
        async def teach(self, commission: Commission, tell: Tell) -> dict[str, Any]:
            return {"model": "m.onnx"}

    async def scenario() -> list[str]:
        jobs = jobs_in(tmp_path, Senseless())
        jobs.start()
        found = [(await over(jobs, await jobs.order("Greek", "digits", False))).message for _ in range(2)]
        await jobs.stop()
        return found

    assert asyncio.run(scenario()) == ["an error in Glyphlab; its log tells more"] * 2


def test_an_alphabets_name_is_cleaned_before_it_is_remembered(tmp_path: Path) -> None:
    async def scenario() -> None:
        jobs = jobs_in(tmp_path, Slow())
        job = await jobs.order(" Greek ", "digits", False)
        assert jobs.is_busy_with("Greek")
        last = jobs.last_of("Greek")
        assert last is not None and last.job == job

    asyncio.run(scenario())


def test_no_more_than_eight_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        jobs = jobs_in(tmp_path, Slow())
        orders = [jobs.order("Greek", "digits", False) for _ in range(12)]
        outcomes = await asyncio.gather(*orders, return_exceptions=True)
        assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 4

    asyncio.run(scenario())


def test_a_restart_goes_on_with_what_was_not_over(tmp_path: Path) -> None:
    async def killed() -> list[str]:
        teacher = Slow()
        jobs = jobs_in(tmp_path, teacher)
        jobs.start()
        ids = [await jobs.order(alphabet, "digits", False) for alphabet in ("Greek", "Runes")]
        await teacher.begun.wait()
        await asyncio.sleep(0.01)
        await jobs.stop()
        return ids

    first, second = asyncio.run(killed())
    on_disk = json.loads((tmp_path / "jobs" / f"{first}.json").read_text(encoding="utf-8"))
    assert on_disk["state"] == "running"

    async def restarted() -> list[str]:
        teacher = Slow()
        teacher.go.set()
        jobs = jobs_in(tmp_path, teacher)
        jobs.start()
        states = [(await over(jobs, job)).state for job in (first, second)]
        await jobs.stop()
        return states

    assert asyncio.run(restarted()) == ["done", "done"]
    (tmp_path / "jobs" / "0123456789abcdef.json").write_text("{broken", encoding="utf-8")
    assert asyncio.run(restarted()) == ["done", "done"]  # over is over; what is damaged is passed over


def test_a_teaching_that_brings_the_service_down_is_given_up(tmp_path: Path) -> None:
    async def life() -> str:
        teacher = Slow()
        jobs = jobs_in(tmp_path, teacher)
        jobs.start()
        known = sorted(path.stem for path in (tmp_path / "jobs").glob("*.json"))
        job = known[0] if known else await jobs.order("Greek", "digits", False)
        for _ in range(100):
            await asyncio.sleep(0.002)
            if jobs.state(job).state != "waiting":
                break
        state = jobs.state(job)
        await jobs.stop()
        return state.state if state.state != "failed" else state.message

    assert [asyncio.run(life()) for _ in range(3)] == ["running"] * 3
    assert asyncio.run(life()) == "the service was restarted meanwhile; press Teach again"
