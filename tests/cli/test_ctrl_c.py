"""Ctrl-C in a real process: everything is kept, the exit code says so, and how to go on is said."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_keeps_everything_and_says_how_to_go_on(picture_folder: Path, tmp_path: Path) -> None:
    glyphlab = [sys.executable, "-m", "glyphlab", "train", "--runs-dir", str(tmp_path)]
    engine = {"precision": "float32", "channels_last": "false", "compile": "false", "threads": 1}
    fast = ["--set=network.width=4", *(f"--set=engine.{key}={value}" for key, value in engine.items())]
    process = subprocess.Popen([*glyphlab, str(picture_folder), "--epochs", "100000", *fast], stderr=subprocess.PIPE)
    folder = tmp_path / "bars-fast-1"
    deadline = time.monotonic() + 90
    while not (folder / "metrics.jsonl").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    *_, last = said.decode().splitlines()
    assert last.startswith("glyphlab: stopped; ") and last.endswith(f"continue with: glyphlab train --resume {folder}")
    status = json.loads((folder / "run.json").read_text())
    assert status["status"] == "interrupted" and status["epochs"] >= 1
    assert (folder / "curves.png").exists()
    assert not list(folder.glob(".writing-*"))
