"""The list of runs: what it shows, and that no half-broken folder brings it down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from glyphlab.errors import GlyphlabError, RunError
from glyphlab.evaluation.comparison.runs_table import filter_rows, list_runs, read_row, sort_rows


def make(folder: Path, test: float | None = None, **changes: Any) -> Path:
    """A run folder's small files."""
    facts = {"status": "finished", "epochs": 3, "validation": 0.9, "time": 12.5, "data": "mnist"} | changes
    folder.mkdir(parents=True)
    best = {"epoch": 1, "validation_accuracy": facts["validation"], "validation_loss": 0.1}
    (folder / "run.json").write_text(
        json.dumps(
            {
                "status": facts["status"],
                "epochs": facts["epochs"],
                "time_seconds": facts["time"],
                "best": best if facts["validation"] else None,
            }
        )
    )
    environment = {"started": facts.get("started", "2026-01-01T10:00:00+00:00"), "parameters": 21840}
    (folder / "environment.json").write_text(json.dumps(environment | {"data": {"name": facts["data"]}}))
    (folder / "recipe.toml").write_text('name = "mnist-net"\n[network]\nname = "mnist-net"\n', encoding="utf-8")
    if test is not None:
        (folder / "evaluation").mkdir()
        (folder / "evaluation" / "summary.json").write_text(json.dumps({"accuracy": test}))
    return folder


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    make(tmp_path / "one", test=0.98, started="2026-01-02T10:00:00+00:00", epochs=5)
    make(tmp_path / "two", test=0.99, started="2026-01-01T10:00:00+00:00", time=200.0)
    make(tmp_path / "three", data="digits", validation=None, started="2026-01-03T10:00:00+00:00")
    (tmp_path / "notes").mkdir()
    (tmp_path / ".new-draft").mkdir()
    (tmp_path / ".new-draft" / "run.json").write_text("{}")
    return tmp_path


def names(rows: list[Any]) -> list[str]:
    return [row.name for row in rows]


def test_rows_say_what_the_runs_recorded(runs_dir: Path) -> None:
    rows = list_runs(runs_dir)
    assert names(rows) == ["two", "one", "three"]  # oldest first; what is no run is left out
    two = rows[0].to_dict()
    assert {key: two[key] for key in ("data", "recipe", "network", "status", "epochs", "validation", "test")} == {
        "data": "mnist", "recipe": "mnist-net", "network": "mnist-net", "status": "finished", "epochs": 3,
        "validation": 0.9, "test": 0.99,
    }  # fmt: skip
    assert two["time_seconds"] == 200.0 and two["parameters"] == 21840 and two["problem"] == ""
    assert rows[2].validation is None and rows[2].test is None


def test_sorting(runs_dir: Path) -> None:
    rows = list_runs(runs_dir)
    assert names(sort_rows(rows, "accuracy")) == ["two", "one", "three"]  # best first, unknown last
    assert names(sort_rows(rows, "accuracy", reverse=True)) == ["one", "two", "three"]
    assert names(sort_rows(rows, "name")) == ["one", "three", "two"]
    assert names(sort_rows(rows, "time", reverse=True)) == ["two", "one", "three"]
    with pytest.raises(GlyphlabError, match="--sort knows no 'acuracy'; did you mean 'accuracy'"):
        sort_rows(rows, "acuracy")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], ["two", "one", "three"]),
        (["data=mnist"], ["two", "one"]),
        (["data=MNIST", "test>=99%"], ["two"]),
        (["test<0.99"], ["one"]),
        (["accuracy = 0.98"], ["one"]),
        (["name=t*"], ["two", "three"]),
        (["name=t"], []),
        (["epochs>3"], ["one"]),
        (["time<=12.5"], ["one", "three"]),
        (["date=2026-01-03*"], ["three"]),
        (["validation>0"], ["two", "one"]),
    ],
)
def test_filtering(conditions: list[str], expected: list[str], runs_dir: Path) -> None:
    assert names(filter_rows(list_runs(runs_dir), conditions)) == expected


def test_a_status_is_found_by_what_the_table_shows_of_it(runs_dir: Path) -> None:
    told = json.loads((runs_dir / "one" / "run.json").read_text())
    (runs_dir / "one" / "run.json").write_text(json.dumps(told | {"status": "stopped early: no progress"}))
    for condition in ("status=stopped early", "status=stopped*", "status=stopped early: no progress"):
        assert names(filter_rows(list_runs(runs_dir), [condition])) == ["one"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("mnist", "--filter is 'mnist'; expected KEY=VALUE or KEY>NUMBER, as data=mnist or test>=99%"),
        ("dta=mnist", "--filter knows no 'dta'; did you mean 'data'"),
        ("data>3", r"--filter is 'data>3'; data is text: expected data=VALUE, wildcards"),
        ("epochs=many", "--filter is 'epochs=many'; epochs is a number, but 'many' is none"),
    ],
)
def test_conditions_that_make_no_sense(condition: str, message: str) -> None:
    with pytest.raises(GlyphlabError, match=message):
        filter_rows([], [condition])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"there is no folder .*nothing; train a run first, or name another folder"):
        list_runs(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("run.json", b"{", "run.json: Expecting property name"),
        ("run.json", b"[]", "run.json: holds no object"),
        ("run.json", b'{"status": 4}', "status is 4"),
        (
            "run.json",
            b'{"status": "finished", "best": {"validation_accuracy": "good"}}',
            "validation_accuracy is 'good'",
        ),
        ("run.json", b"\xff\xfe", "run.json: 'utf-8' codec"),
        ("run.json", None, "run.json: No such file"),
        ("environment.json", b'{"data": "mnist"}', "data is 'mnist'"),
        ("environment.json", b"null", "environment.json: holds no object"),
        ("recipe.toml", b"name = ", "Invalid value"),
        ("recipe.toml", b'network = "mnist-net"', "network is 'mnist-net'"),
        ("recipe.toml", None, "recipe.toml: No such file"),
    ],
)
def test_half_broken_folders_are_rows_with_a_reason(
    name: str, content: bytes | None, problem: str, runs_dir: Path
) -> None:
    path = runs_dir / "one" / name
    path.unlink() if content is None else path.write_bytes(content)
    rows = {row.name: row for row in list_runs(runs_dir)}
    assert rows["one"].status == "unreadable" and rows["one"].problem.startswith(problem), rows["one"].problem
    assert "\n" not in rows["one"].problem
    assert rows["two"].status == "finished"


def test_findings_on_labels_are_no_run_and_what_is_left_of_a_run_is_one(runs_dir: Path) -> None:
    for name in ("labels-digits", "wreck"):
        (runs_dir / name).mkdir()
        (runs_dir / name / "recipe.toml").write_text('name = "fast"\n', encoding="utf-8")
    (runs_dir / "labels-digits" / "labels.csv").write_text("rank,id\n", encoding="utf-8")
    assert {row.name: row.status for row in list_runs(runs_dir)} == {
        "one": "finished", "two": "finished", "three": "finished", "wreck": "unreadable",
    }  # fmt: skip


def test_a_broken_evaluation_is_no_evaluation(runs_dir: Path) -> None:
    (runs_dir / "one" / "evaluation" / "summary.json").write_text('{"accuracy": null')
    row = read_row(runs_dir / "one")
    assert (row.status, row.test) == ("finished", None)


def test_running_and_killed_are_told_apart_by_the_lock(tmp_path: Path) -> None:
    run = make(tmp_path / "run", status="running")
    assert read_row(run).status == "running"  # no lock to tell
    with FileLock(run / ".lock"):
        assert read_row(run).status == "running"
    (run / ".lock").touch()
    assert read_row(run).status == "killed"


def test_listing_loads_nothing_heavy() -> None:
    heavy = "[n for n in ('torch', 'sklearn') if n in sys.modules]"
    code = f"import sys, glyphlab.evaluation.comparison.runs_table; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
