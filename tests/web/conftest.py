"""The service in this process, on the shipped models, with a home of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from glyphlab.web.app import create_app
from glyphlab.web.refusals import Refusal
from glyphlab.web.seams import Commission, Question, Tell

SEVEN = {"points": [[40, 40], [200, 42], [110, 260]], "size": 18}
ONE = {"points": [[300, 40], [300, 260]], "size": 18}


def picture(*lines: tuple[tuple[int, int], ...], size: tuple[int, int] = (280, 280), pen: int = 20) -> bytes:
    """Lines drawn black on white, as a PNG file."""
    image = np.full(size, 255, dtype=np.uint8)
    for line in lines:
        cv2.polylines(image, [np.array(line, dtype=np.int32)], False, 0, pen, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", image)[1].tobytes())


@pytest.fixture
def seven() -> bytes:
    return picture(((70, 60), (210, 60), (120, 230)))


@pytest.fixture
def blank() -> bytes:
    return picture()


class FakeLooker:
    """Remembers what it was asked, and answers with what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}

    async def ask(self, question: Question, **facts: Any) -> dict[str, Any]:
        self.asked.append((question, facts))
        answer = self.answers.get(question)
        if answer is None:
            raise Refusal(404, "no_run", "there is no such run", "known: none")
        return dict(answer)

    async def close(self) -> None: ...


class FakeTeacher:
    """Says it is half done, then gives a copy of a shipped model."""

    def __init__(self) -> None:
        self.commissions: list[Commission] = []

    async def teach(self, commission: Commission, tell: Tell) -> dict[str, Any]:
        self.commissions.append(commission)
        tell(0.5, "half of it")
        folder = commission.runs_dir / "taught-1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(commission.base.read_bytes())
        accuracy = {"mean": 0.9, "spread": 0.1, "folds": [0.8, 1.0]}
        return {"model": str(folder / "model.onnx"), "way": "probe", "ways": [], "accuracy": accuracy}


@pytest.fixture
def looker() -> FakeLooker:
    return FakeLooker()


@pytest.fixture
def teacher() -> FakeTeacher:
    return FakeTeacher()


@pytest.fixture
def serve(tmp_path: Path, looker: FakeLooker, teacher: FakeTeacher) -> Iterator[Callable[..., TestClient]]:
    """serve(limits=...) -> a client of a running service; what is given replaces what `create_app` is called with."""
    running: list[TestClient] = []

    def start(**changes: Any) -> TestClient:
        settings: dict[str, Any] = {"models": ["digits"], "runs_dir": tmp_path / "runs"}
        settings |= {"teacher": teacher, "looker": looker} | changes
        app = create_app(tmp_path / "home", **settings)
        client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
        client.__enter__()
        running.append(client)
        return client

    yield start
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve: Callable[..., TestClient]) -> TestClient:
    return serve()
