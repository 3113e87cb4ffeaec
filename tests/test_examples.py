"""The examples do what they say: the Slurm script runs here as one task of an array; the Ray one where Ray is."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def glyph_folder(tmp_path: Path) -> Path:
    """Three prepared glyphs."""
    folder = tmp_path / "glyphs"
    folder.mkdir()
    for number in range(3):
        glyph = np.zeros((28, 28), dtype=np.uint8)
        glyph[4:24, 10 + number : 13 + number] = 255
        Image.fromarray(glyph).save(folder / f"{number}.png")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_slurm_script_does_its_task_of_the_array(glyph_folder: Path) -> None:
    script = EXAMPLES / "slurm" / "predict-array.sh"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    slurm = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
    command = ["bash", script, "glyphs", "answers", "--model", "digits", "--no-prepare"]
    subprocess.run(command, cwd=glyph_folder.parent, env=os.environ | {"PATH": path} | slurm, check=True)
    lines = (glyph_folder.parent / "answers" / "part-2-of-2.csv").read_text().splitlines()
    assert len(lines) == 2 and lines[1].startswith("glyphs/1.png,")
    alone = subprocess.run(["bash", script, "glyphs", "answers"], env={"PATH": path}, capture_output=True, text=True)
    assert alone.returncode != 0 and "submit it with --array=1-N" in alone.stderr


def test_the_ray_example(glyph_folder: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        compile((EXAMPLES / "ray_data.py").read_text(encoding="utf-8"), "ray_data.py", "exec")
        pytest.skip("Ray is not installed: pip install 'ray[data]'")
    out = glyph_folder.parent / "answers"
    command = [sys.executable, EXAMPLES / "ray_data.py", glyph_folder, out, "--model", "digits", "--no-prepare"]
    subprocess.run(command, check=True)
    rows = [line for path in out.glob("*.csv") for line in path.read_text().splitlines()[1:]]
    assert len(rows) == 3
