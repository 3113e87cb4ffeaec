"""A small trained run whose classes and files have names that would like to be markup, and its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.glyphset import GlyphSet
from glyphlab.evaluation.evaluate import judge
from glyphlab.evaluation.report import write_report
from glyphlab.evaluation.result import Evaluation
from glyphlab.training.run import Run
from glyphlab.training.train import train

CLASSES = ("<img src=x onerror=alert(1)>", "'\"&amp; <!-- <script>", "b")
SIDE = 12
SETTINGS: dict[str, Any] = {
    "network.name": "linear",
    "training.epochs": 2,
    "training.lr": 0.01,
    "augment.shift": 0.0,
    "engine.device": "cpu",
    "engine.precision": "float32",
    "engine.channels_last": False,
    "engine.compile": False,
    "engine.threads": 1,
}


def write_pictures(folder: Path, count: int, seed: int) -> None:
    """Noise with a bar whose place tells the class, no two pictures equal."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        target = index % len(CLASSES)
        image = rng.integers(0, 90, size=(SIDE, SIDE), dtype=np.uint8)
        image[0] = image[-1] = 0
        image[1 + 3 * target : 3 + 3 * target, 2:-2] = rng.integers(60, 255)
        path = folder / CLASSES[target] / f"{index:03d} <b>&.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("hostile")
    write_pictures(folder / "data" / "train", 120, seed=0)
    write_pictures(folder / "data" / "test", 60, seed=1)
    return train(data=folder / "data", settings=SETTINGS, runs_dir=folder / "runs")


@dataclass(frozen=True, eq=False)
class Written:
    """A report and what it was made of."""

    run: Run
    evaluation: Evaluation
    glyphs: GlyphSet
    path: Path


@pytest.fixture(scope="session")
def written(hostile_run: Run) -> Written:
    evaluation, glyphs = judge(hostile_run, hostile_run.classifier(), None, "test", None)
    assert 5 < len(evaluation.mistakes) < 55, "a report without mistakes, or of nothing else, tests little"
    return Written(hostile_run, evaluation, glyphs, write_report(hostile_run, evaluation, glyphs))
