"""A small trained run, and a fresh copy of it for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from glyphlab.training.run import Run
from glyphlab.training.train import train

FAST = {"network.width": 4, "engine.precision": "float32", "engine.channels_last": False}


@pytest.fixture(scope="session")
def trained(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained once for all; not to be written into."""
    return train("fast", picture_folder, epochs=1, settings=FAST, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy that a test may write into."""
    shutil.copytree(trained.folder, tmp_path / "run")
    return Run.open(tmp_path / "run")
