"""Reading must start fast and install small: torch and all that belongs to training stay out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

HEAVY = ("torch", "sklearn", "scipy", "matplotlib", "onnx", "safetensors", "pooch")


def loaded_by(code: str, *arguments: str) -> list[str]:
    """Which of the heavy packages a fresh process has loaded after `code`."""
    report = f"\nimport sys; print('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + report, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.splitlines()[-1].removeprefix("loaded:").split()


@pytest.mark.parametrize("room", ["imaging", "recognition"])
def test_no_module_of_the_room_loads_anything_heavy(room: str) -> None:
    code = (
        f"import importlib, pkgutil, glyphlab.{room} as room\n"
        "for module in pkgutil.iter_modules(room.__path__, room.__name__ + '.'): importlib.import_module(module.name)"
    )
    assert loaded_by(code) == []


def test_a_real_prediction_loads_nothing_heavy(
    write_model: Callable[..., Path], stroke: Callable[[str], NDArray[np.uint8]], tmp_path: Path
) -> None:
    picture = tmp_path / "stroke.png"
    Image.fromarray(stroke("upright")).save(picture)
    code = (
        "import sys\nfrom glyphlab.cli.main import main\n"
        "try: main(['predict', sys.argv[1], '--model', sys.argv[2], '--coverage', '0.9'])\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    assert loaded_by(code, str(picture), str(write_model())) == []


def test_the_help_loads_nothing_heavy() -> None:
    code = (
        "from glyphlab.cli.main import main\n"
        "try: main(['predict', '--help'])\n"
        "except SystemExit as end: assert not end.code, end.code"
    )
    assert loaded_by(code) == []
