from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphlab.cli import console


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("été 字.png", "été 字.png"),
        ("a\u00a0b\u200d.png", "a\u00a0b\u200d.png"),  # neither is printable to Python, neither does harm
        ("a\n\x1b[31mb\r\t\x7f\x9b", "a\\n\\x1b[31mb\\r\\t\\x7f\\x9b"),
        ("bad\udcff\u2028.png", "bad\\udcff\\u2028.png"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, seen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert console.shown(text) == seen
    console.print_table(("name", "n"), [(text, "1"), ("b", "2")])
    console.complain(f"{text}: no picture")
    console.stdout().print(f"in {text}", markup=False)
    printed = capsys.readouterr()
    _, first, second, in_prose = printed.out.replace("in a\n", "in a\\n").splitlines()
    assert first == f"{seen}  1" and len(second) == len(first)
    assert in_prose == f"in {seen}" and printed.err == f"glyphlab: {seen}: no picture\n"


def test_lines_of_our_own_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.stdout().print("[bold]one[/]\ntwo")
    assert capsys.readouterr().out == "one\ntwo\n"


def test_documents_for_programs_are_utf8_whatever_the_terminal_is() -> None:
    names = ["été.png", "字", "bad\udcff"]
    code = f"from glyphlab.cli.console import print_json; print('before'); print_json({names!a}); print('after')"
    environment = {**os.environ, "PYTHONIOENCODING": "cp1251"}
    printed = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout
    before, *document, after = printed.splitlines(keepends=True)
    assert (before.strip(), after.strip()) == (b"before", b"after")
    assert json.loads(b"".join(document)) == names


def test_a_place_that_may_not_be_used_is_one_line(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def refused(path: Path, **named: Any) -> Any:
        if tmp_path in path.parents:  # as for a user who may not search the folder
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return stat(path, **named)

    monkeypatch.setattr(Path, "stat", refused)
    done = cli("data", "show", tmp_path / "mine")
    assert done.code == 2 and f"cannot use {tmp_path / 'mine'}: permission denied" in " ".join(done.err.split())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", [["recipes"], ["recipes", "--json"], ["--help"]])
def test_output_that_nobody_takes_ends_the_command_in_one_line_at_most(command: list[str]) -> None:
    glyphlab = [sys.executable, "-m", "glyphlab", *command]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(glyphlab, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write to standard output: the disk is full" in done.stderr
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(glyphlab, stdout=closed, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "")
