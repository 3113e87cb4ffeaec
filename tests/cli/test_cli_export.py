from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphlab.training.run import Run


def test_export_says_what_was_checked(cli: Callable[..., Any], run: Run) -> None:
    done = cli("export", run.name, "--runs-dir", run.folder.parent)
    assert done.code == 0
    assert "model.onnx: " in done.out and "changed answers 0" in done.out
    assert (run.folder / "model.onnx").exists()


def test_export_as_json_to_another_place(cli: Callable[..., Any], run: Run, tmp_path: Path) -> None:
    out = tmp_path / "letters.onnx"
    done = cli("export", run.folder, "--out", out, "--int8", "--framing", "none", "--licence", "MIT", "--json")
    assert done.code == 0
    report = json.loads(done.out)
    assert report["path"] == str(out) and out.exists() and (tmp_path / "letters-int8.onnx").exists()
    assert report["framing"] is None and 0 <= report["int8"]["accuracy"] <= 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nothing",), "no run 'nothing'"),
        (("RUN", "--framing", "emnits"), "did you mean 'emnist'"),
        (("RUN", "--out", "RUN/run.json/model.onnx"), "a file of that name is in the way"),
    ],
)
def test_mistakes_are_one_line(cli: Callable[..., Any], run: Run, arguments: tuple[str, ...], problem: str) -> None:
    done = cli("export", *(argument.replace("RUN", str(run.folder)) for argument in arguments))
    assert done.code == 2 and problem in done.err and done.err.count("\n") == 1
