from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphlab.training.run import Run


def test_report_writes_one_file_and_says_where(cli: Callable[..., Any], run: Run) -> None:
    done = cli("report", run.name, "--runs-dir", run.folder.parent)
    assert done.code == 0 and str(run.folder / "report.html") in done.out
    assert (run.folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_report_of_other_data_as_json(cli: Callable[..., Any], run: Run, picture_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.html"
    done = cli(
        "report", run.folder, "--data", picture_folder, "--split", "train", "--out", out, "--map", "none", "--json"
    )
    assert done.code == 0 and json.loads(done.out) == {"path": str(out), "size_bytes": out.stat().st_size}
    assert "training images, which the network has seen" in out.read_text(encoding="utf-8")


def test_report_opens_the_browser(cli: Callable[..., Any], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert cli("report", run.folder, "--open").code == 0
    assert opened == [(run.folder / "report.html").resolve().as_uri()]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nothing",), "no run 'nothing'"),
        (("RUN", "--split", "tset"), "did you mean 'test'?"),
        (("RUN", "--map", "tnse"), "did you mean 'tsne'?"),
        (("RUN", "--out", "RUN/recipe.toml"), "does not end in .html"),
        (("RUN", "--out", "RUN"), "is a folder"),
        (("RUN", "--with", "nobody"), "no run 'nobody'"),
        (("RUN", "--with", "RUN"), "is asked about its mistakes already; name another run"),
        (("RUN", "--data", "digits"), "the network takes"),
    ],
)
def test_mistakes_are_one_line(cli: Callable[..., Any], run: Run, arguments: tuple[str, ...], problem: str) -> None:
    done = cli("report", *(argument.replace("RUN", str(run.folder)) for argument in arguments))
    assert done.code == 2 and problem in done.err and done.err.count("\n") == 1
