from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

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
