"""A small trained run for the commands that need one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from glyphlab.training.run import Run
from glyphlab.training.train import train

SETTINGS: dict[str, Any] = {
    "network.name": "mnist-3conv",
    "network.widths": [4, 6],
    "training.epochs": 2,
    "engine.device": "cpu",
    "engine.precision": "float32",
    "engine.channels_last": False,
    "engine.compile": False,
    "engine.threads": 1,
}


@pytest.fixture(scope="session")
def trained(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Trained once for all; not to be written into."""
    return train(data=picture_folder, settings=SETTINGS, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def run(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of the trained run, the only one in its folder of runs, for the tests of one file."""
    folder = tmp_path_factory.mktemp("runs") / trained.name
    shutil.copytree(trained.folder, folder)
    return Run.open(folder)
