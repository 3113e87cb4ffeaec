"""Ctrl-C ends any command with one line and exit code 130, whatever becomes of the exception."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

# Run by -m, as the command line is: a script's SystemExit takes another way through CPython.
_PROCESS = """
import signal, sys, time
from glyphlab.cli.stopping import hear_ctrl_c, one_line_when_stopped, stop_leaves

def ctrl_c():
    signal.raise_signal(signal.SIGINT)

class Loses:
    def __del__(self):
        ctrl_c()

signal.signal(signal.SIGINT, signal.default_int_handler)
hear_ctrl_c()
with one_line_when_stopped():
{body}
"""
_LINE = "glyphlab: stopped; no file is half written; the same command may be given again\n"


def ended(body: str, folder: Path) -> tuple[int, str]:
    """Exit code and standard error of a process in which `body` runs as a command does."""
    indented = "".join(f"    {line}\n" for line in body.splitlines())
    (folder / "pressed.py").write_text(_PROCESS.format(body=indented))
    done = subprocess.run([sys.executable, "-m", "pressed"], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "body",
    [
        "ctrl_c()",
        "exec('ctrl_c()')",  # CPython would die of the signal
        "try:\n    ctrl_c()\nexcept KeyboardInterrupt:\n    raise ImportError('initialization failed') from None",
        "Loses()\ntime.sleep(60)",
        "try:\n    ctrl_c()\nexcept KeyboardInterrupt:\n    pass\ntime.sleep(60)",
    ],
    ids=["heard", "in exec", "turned into another", "lost in a callback", "swallowed"],
)
def test_one_line_and_exit_code_130(body: str, tmp_path: Path) -> None:
    assert ended(body, tmp_path) == (130, _LINE)


def test_the_line_says_what_is_left(tmp_path: Path) -> None:
    body = "with stop_leaves('the same command goes on from here'):\n    ctrl_c()"
    assert ended(body, tmp_path) == (130, "glyphlab: stopped; the same command goes on from here\n")


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    body = "try:\n    ctrl_c()\nfinally:\n    ctrl_c()\n    time.sleep(60)"
    assert ended(body, tmp_path) == (130, "glyphlab: stopped at once\n")


def test_what_ends_in_good_order_is_left_alone(tmp_path: Path) -> None:
    assert ended("try:\n    ctrl_c()\nexcept KeyboardInterrupt:\n    sys.exit(0)", tmp_path) == (0, "")
    assert ended("sys.exit(2)", tmp_path) == (2, "")
    # One that comes when all is done does not change the exit code.
    assert ended("import atexit\natexit.register(ctrl_c)", tmp_path) == (0, "")


@pytest.mark.parametrize(
    ("command", "interrupted", "words"),
    [
        ("read", "glyphlab.recognition.reader.read", "the same command may be given again"),
        ("predict", "glyphlab.recognition.recognizer.Recognizer.predict_many", "not all answers were printed; "),
        ("job predict", "glyphlab.recognition.job.run_part", "stopped; the same command goes on from here"),
    ],
)
def test_commands_say_that_they_were_stopped(
    command: str,
    interrupted: str,
    words: str,
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def press(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupted, press)
    Image.new("L", (40, 40), 255).save(tmp_path / "one.png")
    options = ("--out", tmp_path / "out") if command.startswith("job") else ()
    done = cli(*command.split(), tmp_path, *options)
    assert done.code == 130 and done.err.count("\n") == 1
    assert done.err.startswith("glyphlab: stopped; ") and words in done.err


def test_a_json_document_that_was_cut_short_is_not_closed(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glyphlab.recognition.recognizer.Recognizer.predict_many", press)
    done = cli("predict", tmp_path, "--json")
    assert done.code == 130 and "the JSON document is not closed" in done.err
    assert not done.out.rstrip().endswith("}")
