"""The worker that teaches, whole: drawings -> a model that answers with the labels."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from glyphlab.evaluation.serving.teach import teach
from glyphlab.recognition.modelfile import find_model
from glyphlab.recognition.recognizer import Recognizer


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    """Upright strokes in the folder of the slash, lying ones in "b"."""
    rng = np.random.default_rng(0)
    for folder, end in (("U+002F", (0, 120)), ("b", (120, 0))):
        (tmp_path / "Marks" / folder).mkdir(parents=True)
        for number in range(4):
            image = np.full((200, 200), 255, dtype=np.uint8)
            x, y = (int(v) for v in rng.integers(30, 50, size=2))
            cv2.line(image, (x, y), (x + end[0], y + end[1]), 0, 12, cv2.LINE_AA)
            cv2.imwrite(str(tmp_path / "Marks" / folder / f"{number}.png"), image)
    return tmp_path / "Marks"


def test_drawings_are_taught_and_the_model_answers_with_labels(drawings: Path, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    facts = {
        "data": str(drawings),
        "base": str(find_model("digits")),
        "add": False,
        "runs_dir": str(tmp_path / "taught"),
    }
    labels = {"U+002F": "/", "b": "b"}
    result = teach(facts | {"labels": labels}, lambda *news: told.append(news))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 0.9
    assert result["accuracy"]["mean"] == 1.0
    facts_of_run = json.loads((Path(result["model"]).parent / "transfer.json").read_text(encoding="utf-8"))
    assert facts_of_run["pictures"]["train"] == 8  # none is held out
    recognizer = Recognizer.load(result["model"])
    assert set(recognizer.class_names) == {"/", "b"}
    pictures = [next((drawings / folder).iterdir()) for folder in labels]
    assert [answer.character for answer in recognizer.predict(pictures)] == ["/", "b"]


def test_the_worker_ends_when_the_service_is_gone(drawings: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "glyphlab.evaluation.serving.teach"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdin is not None
    assert worker.stdout is not None
    facts = f'"data": "{drawings}", "base": "digits", "add": false, "labels": {{}}, "runs_dir": "{tmp_path}/taught"'
    worker.stdin.write(f'{{"ask": "teach", "with": {{{facts}}}}}\n')
    worker.stdin.flush()
    assert '"progress"' in worker.stdout.readline()
    worker.stdin.close()  # as the system does it for a process that is killed
    began = time.monotonic()
    assert worker.wait(30) == 1
    assert time.monotonic() - began < 15
    worker.stdout.close()
