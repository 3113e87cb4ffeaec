"""The commands compare and runs as a user types them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphlab.training.recipe import Recipe
from glyphlab.training.train import train

RECIPE = Recipe.parse(
    {
        "network": {"name": "linear"},
        "training": {"batch_size": 25},
        "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
    },
    name="[red]",  # markup in a name is shown, not obeyed
)


@pytest.fixture(scope="module")
def runs_dir(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five runs, one more than stand beside each other."""
    folder = tmp_path_factory.mktemp("cli") / "runs"
    for epochs in (1, 2, 1, 1, 1):
        train(RECIPE, picture_folder, epochs=epochs, runs_dir=folder)
    return folder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def name(number: int) -> str:
    return f"bars-red-{number}"


def test_two_runs_side_by_side(cli: Callable[..., Any], runs_dir: Path, tmp_path: Path) -> None:
    done = cli("compare", name(1), name(2), "--runs-dir", runs_dir)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "bars test: 30 images"
    assert [line.split() for line in lines if line.startswith("training.epochs")] == [["training.epochs", "1", "2"]]
    assert "McNemar's test: p " in done.out and "Holm" not in done.out
    folder = tmp_path / "comparisons" / f"{name(1)}-and-{name(2)}"
    assert {path.name for path in folder.iterdir()} >= {"curves.png", "runs.csv", "pairs.csv", "comparison.json"}
    # What is compared otherwise lies elsewhere.
    for further in ([name(3)], [name(4)], ["--split", "train"]):
        assert cli("compare", name(1), name(2), *further, "--runs-dir", runs_dir).code == 0
    assert len(list(folder.parent.iterdir())) == 4


def test_many_runs_are_a_row_each(cli: Callable[..., Any], runs_dir: Path, tmp_path: Path) -> None:
    done = cli("compare", *sorted(runs_dir.iterdir()), "--no-write")
    assert done.code == 0, done.err
    for number in range(1, 6):
        assert any(line.startswith(f"{number}  {name(number)} ") for line in done.out.splitlines())
    assert "settings that differ" in done.out and "Holm's correction" in done.out
    assert "(with the best run only; all 10 pairs: pairs.csv and --json)" in done.out
    assert not any(tmp_path.iterdir())


def test_json_and_csv(cli: Callable[..., Any], runs_dir: Path, tmp_path: Path) -> None:
    found = json.loads(cli("compare", name(1), name(2), "--runs-dir", runs_dir, "--out", "there", "--json").out)
    assert found["n"] == 30 and found["folder"] == "there" and len(found["runs"]) == 2
    assert (tmp_path / "there" / "comparison.json").exists()
    again = cli("compare", name(1), name(2), "--runs-dir", runs_dir, "--out", "there")  # replaces its own folder
    assert again.code == 0, again.err
    table = cli("compare", name(1), name(2), "--runs-dir", runs_dir, "--no-write", "--csv").out
    assert [row["training.epochs"] for row in csv.DictReader(io.StringIO(table))] == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([name(1)], "1 run given; a comparison takes two or more"),
        ([name(1), name(1)], f"{name(1)} is given twice"),
        ([name(1), "bars-rod-2"], f"no run 'bars-rod-2'; did you mean '{name(2)}'"),
        ([name(1), name(2), "--split", "tset"], "--split is 'tset'; did you mean 'test'"),
        ([name(1), name(2), "--json", "--csv"], "choose one"),
        ([name(1), name(2), "--data", "digits"], "digits has images of 1x28x28; the network takes 1x12x12"),
        ([name(1), name(2), "--out", "new", "--no-write"], "--out new and --no-write contradict each other"),
        ([name(1), name(2), "--out", "mine"], "mine is there already and is no comparison"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], words: str, cli: Callable[..., Any], runs_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    outcome = cli("compare", *arguments, "--runs-dir", runs_dir)
    assert outcome.code == 2
    assert outcome.err.startswith("glyphlab: ") and outcome.err.count("\n") == 1, outcome.err
    assert words in outcome.err


def test_runs_are_listed(cli: Callable[..., Any], runs_dir: Path) -> None:
    listed = cli("runs", "--runs-dir", runs_dir)
    assert listed.code == 0, listed.err
    header, *rows = listed.out.splitlines()
    assert header.split() == ["name", "data", "recipe", "status", "epochs", "validation", "test", "time", "date"]
    assert len(rows) == 5 and rows[0].split()[:5] == [name(1), "bars", "[red]", "finished", "1"]
    assert " ? " in rows[0]  # not evaluated
    short = json.loads(
        cli("runs", "--runs-dir", runs_dir, "--sort", "name", "--reverse", "-f", "epochs<2", "--json").out
    )
    assert [row["name"] for row in short] == [name(5), name(4), name(3), name(1)]


def test_an_unreadable_run_is_listed_with_its_reason(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "runs" / "half").mkdir(parents=True)
    (tmp_path / "runs" / "half" / "run.json").write_text("{")
    outcome = cli("runs")
    assert outcome.code == 0 and "unreadable" in outcome.out
    assert outcome.err.startswith("half: unreadable: run.json: ")
    assert json.loads(cli("runs", "--json").out)[0]["status"] == "unreadable"


def test_no_runs(cli: Callable[..., Any], tmp_path: Path, runs_dir: Path) -> None:
    assert (
        cli("runs").err
        == "glyphlab: there is no folder runs; train a run first, or name another folder with --runs-dir\n"
    )
    (tmp_path / "runs").mkdir()
    assert cli("runs").err == "no runs in runs\n"
    assert "none of the 5 runs" in cli("runs", "--runs-dir", runs_dir, "--filter", "data=mnist").err
