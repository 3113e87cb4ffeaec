"""The commands train, evaluate and recipes as a user types them."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphlab.errors import RunError
from glyphlab.files import write_json
from glyphlab.training.run import Run

_ENGINE = ("precision=float32", "channels_last=false", "compile=false", "threads=1")
FAST = ["--set=network.width=4", *(f"--set=engine.{setting}" for setting in _ENGINE)]


@pytest.fixture(scope="module")
def run_folder(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run, made by the command itself."""
    runs = tmp_path_factory.mktemp("runs")
    command = [
        sys.executable,
        "-m",
        "glyphlab",
        "train",
        str(picture_folder),
        "--epochs",
        "16",
        "--runs-dir",
        str(runs),
    ]
    done = subprocess.run([*command, *FAST], capture_output=True, text=True, check=True)
    assert "epoch 16/16: loss" in done.stderr and "engine: cpu" in done.stderr
    assert "bars-fast-1: finished, 16 epochs" in done.stdout
    assert "accuracy" in done.stdout and "next:" in done.stdout
    return runs / "bars-fast-1"


def test_train_evaluates_and_writes_everything(run_folder: Path) -> None:
    names = {path.name for path in (run_folder / "evaluation").iterdir()} - {"mistakes.png"}
    assert names == {
        "summary.json", "predictions.csv", "classes.csv", "confusion.csv", "confusion.png", "confusion-normalised.png",
        "reliability.png",
    }  # fmt: skip
    summary = json.loads((run_folder / "evaluation" / "summary.json").read_text())
    assert summary["n"] == 30 and summary["split"] == "test" and summary["accuracy"] > 0.8
    with (run_folder / "evaluation" / "predictions.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 30 and rows[0]["id"].startswith("test/")
    assert sum(int(row["correct"]) for row in rows) == summary["correct"]


def test_evaluate_prints_examples_and_json(cli: Callable[..., Any], run_folder: Path) -> None:
    shown = cli("evaluate", run_folder, "--examples", 10)
    assert shown.code == 0, shown.err
    assert "accuracy" in shown.out and str(run_folder / "evaluation") in shown.out
    assert (run_folder / "evaluation" / "examples.png").stat().st_size > 1000
    as_json = cli("evaluate", run_folder.name, "--runs-dir", run_folder.parent, "--examples", 2, "--json")
    summary = json.loads(as_json.out)
    assert len(summary["examples"]) == 2 and len(summary["examples"][0]["log_probs"]) == 3


def test_evaluate_says_now_and_then_how_far_it_is(
    cli: Callable[..., Any], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("evaluate", run_folder, "--split", "train").err == ""  # soon done
    monkeypatch.setattr("glyphlab.cli.bars.LINE_EVERY_SECONDS", 0.0)
    shown = cli("evaluate", run_folder, "--split", "train", "--json")
    assert shown.err == "judging: 120 of 120\n" and json.loads(shown.out)["n"] == 120


def test_evaluate_on_other_data(cli: Callable[..., Any], run_folder: Path, picture_folder: Path) -> None:
    judged = cli("evaluate", run_folder, "--data", picture_folder / "test", "--json")
    assert judged.code == 0, judged.err
    assert json.loads(judged.out)["folder"].endswith("evaluation-test")
    wrong = cli("evaluate", run_folder, "--data", "digits")
    assert wrong.code == 2
    assert "digits has images of 1x28x28; the network takes 1x12x12" in wrong.err


def test_evaluate_the_training_part(cli: Callable[..., Any], run_folder: Path) -> None:
    judged = cli("evaluate", run_folder, "--split", "train", "--json")
    summary = json.loads(judged.out)
    assert summary["n"] == 120 and summary["remark"].startswith("training images, which the network has seen")
    assert (run_folder / "evaluation-train" / "summary.json").exists()
    assert "did you mean 'train'" in cli("evaluate", run_folder, "--split", "trian").err


def test_train_json_is_one_document_on_standard_output(
    cli: Callable[..., Any], picture_folder: Path, tmp_path: Path
) -> None:
    done = cli("train", picture_folder, "--epochs", 1, "--runs-dir", tmp_path, "--json", *FAST)
    assert done.code == 0, done.err
    outcome = json.loads(done.out)
    assert outcome["status"] == "finished" and outcome["test"]["n"] == 30


def test_what_is_offered_next_is_there_and_works(cli: Callable[..., Any], picture_folder: Path, tmp_path: Path) -> None:
    runs = tmp_path / "my runs ü"
    done = cli("train", picture_folder, "--epochs", 1, "--runs-dir", runs, "-q", "--no-evaluate", *FAST)
    assert done.code == 0, done.err
    folder = runs / "bars-fast-1"
    (named,) = re.findall(r"\((curves.*) \.\.\.\)", done.out)
    assert all((folder / name).exists() for name in named.split(", "))
    offered = [shlex.split(line) for line in done.out.splitlines() if line.startswith("  glyphlab ")]
    assert [words[1] for words in offered] == ["evaluate", "export", "train"]
    for words in offered:
        again = cli(*words[1:])
        assert again.code == 0, again.err


def test_an_unfinished_run_offers_a_command_that_a_shell_takes(tmp_path: Path) -> None:
    folder = tmp_path / "runs ü x" / "one"
    write_json(folder / "run.json", {"status": "running"})
    with pytest.raises(RunError, match="holds no weights yet; continue it with: ") as raised:
        Run(folder).classifier()
    assert shlex.split(str(raised.value).rpartition(": ")[2]) == ["glyphlab", "train", "--resume", str(folder)]


def test_resume_extends_and_refuses(cli: Callable[..., Any], picture_folder: Path, tmp_path: Path) -> None:
    first = cli("train", picture_folder, "--epochs", 1, "--runs-dir", tmp_path, "-q", "--no-evaluate", *FAST)
    assert first.code == 0, first.err
    folder = tmp_path / "bars-fast-1"
    unlike = cli("train", "--resume", folder, "--recipe", "mnist-net")
    assert unlike.code == 2 and "begun with another recipe" in unlike.err and not (folder / "model.onnx").exists()
    judged = cli("train", "--resume", folder)
    assert judged.code == 0 and "accuracy" in judged.out and (folder / "model.onnx").exists(), judged.err
    again = cli("train", "--resume", folder)
    assert again.code == 2 and "already finished its 1 epoch; extend it with --epochs 2" in again.err
    other = cli("train", "--resume", folder, "--recipe", "mnist-net", "--epochs", 3)
    assert other.code == 2 and "begun with another recipe" in other.err
    for setting, cure in [("training.epochs=2", "use --epochs 2"), ("engine.threads=1", "remove it")]:
        ignored = cli("train", "--resume", folder, "--set", setting)
        assert ignored.code == 2 and "has no effect with --resume" in ignored.err and cure in ignored.err
    more = cli("train", "--resume", folder, "--epochs", 2, "--json", "--no-evaluate")
    assert more.code == 0, more.err
    assert json.loads(more.out)["epochs"] == 2
    # What was found of the former weights is no word about these.
    listed = json.loads(cli("runs", "--runs-dir", tmp_path, "--json").out)
    assert listed[0]["test"] is None and listed[0]["epochs"] == 2
    picture = next((picture_folder / "test" / "a").iterdir())
    asked = cli("predict", picture, "--model", folder)
    assert (
        asked.code == 2
        and "made of other weights than the run has now; write it anew with: glyphlab export" in asked.err
    )
    assert cli("predict", picture, "--model", folder / "model.onnx").code == 0
    assert cli("train", "--resume", folder).code == 0
    assert json.loads(cli("runs", "--runs-dir", tmp_path, "--json").out)[0]["test"] is not None
    assert cli("predict", picture, "--model", folder).code == 0


def test_what_was_stopped_after_its_last_step_is_finished_by_resume(
    cli: Callable[..., Any], picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("glyphlab.evaluation.export.conclude", interrupted)
        stopped = cli("train", picture_folder, "--epochs", 1, "--runs-dir", tmp_path, "-q", *FAST)
    folder = tmp_path / "bars-fast-1"
    assert stopped.code == 130 and f"to have it judged: glyphlab train --resume {folder}" in stopped.err
    assert not (folder / "model.onnx").exists()
    # And killed before it could even say that it was finished.
    told = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(told | {"status": "running"}))
    (folder / "curves.png").unlink()
    resumed = cli("train", "--resume", folder, "--json")
    assert resumed.code == 0, resumed.err
    outcome = json.loads(resumed.out)
    assert (outcome["status"], outcome["test"]["n"]) == ("finished", 30)
    assert (folder / "curves.png").exists() and (folder / "model.onnx").exists()


def test_a_run_that_its_time_ended_is_judged_and_not_trained_on(
    cli: Callable[..., Any], picture_folder: Path, tmp_path: Path
) -> None:
    budget = ("--set", "training.time_budget_seconds=0.5", "--epochs", 9999)
    assert cli("train", picture_folder, "--no-evaluate", "--runs-dir", tmp_path, "-q", *budget, *FAST).code == 0
    folder = tmp_path / "bars-fast-1"
    told = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(told | {"status": "time budget used up"}))
    resumed = cli("train", "--resume", folder, "--json")
    assert resumed.code == 0, resumed.err
    outcome = json.loads(resumed.out)
    assert (outcome["status"], outcome["test"]["n"]) == ("time budget used up", 30)
    assert json.loads((folder / "run.json").read_text())["step"] == told["step"]


def test_pictures_added_to_a_set_whose_test_part_is_held_out(
    cli: Callable[..., Any], picture_folder: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    shutil.copytree(picture_folder / "train", own)
    trained = cli("train", own, "--epochs", 1, "--runs-dir", tmp_path / "runs", "-q", *FAST)
    assert trained.code == 0, trained.err
    folder = tmp_path / "runs" / "own-fast-1"
    before = (folder / "evaluation" / "summary.json").read_bytes()
    shutil.copy(next((picture_folder / "test" / "a").iterdir()), own / "a" / "0.png")
    judged = cli("evaluate", folder)
    assert judged.code == 2 and "has changed since the run began, so that what it learned from cannot" in judged.err
    assert (folder / "evaluation" / "summary.json").read_bytes() == before
    assert cli("evaluate", folder, "--data", picture_folder / "test").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "mnits"], ["mnits", "mnist"]),
        (["train", "/no/such/folder"], ["/no/such/folder"]),
        (["train", "digits", "--recipe", "fsat"], ["no recipe 'fsat'", "did you mean 'fast'"]),
        (["train", "digits", "--recipe", "no.toml"], ["cannot read the recipe no.toml"]),
        (["train", "digits", "--set", "network.name=glyphnett"], ["unknown network 'glyphnett'", "glyphnet"]),
        (["train", "digits", "--set", "training.leraning_rate=1"], ["training.leraning_rate"]),
        (["train", "digits", "--set", "training.lr=fast"], ["training.lr is 'fast'; expected a valid number"]),
        (["train", "digits", "--set", "training.lr"], ["expected NAME=VALUE"]),
        (["train", "digits", "--epochs", "-3"], ["training.epochs is -3; expected 1 or more"]),
        (["train", "--resume", "no-such-run"], ["no run 'no-such-run'"]),
        (["evaluate", "no-such-run"], ["no run 'no-such-run'"]),
        (["recipes", "show", "mnist-nte"], ["no recipe 'mnist-nte'", "mnist-net"]),
    ],
)
def test_mistakes_give_one_line_and_exit_code_2(
    arguments: list[str], words: list[str], cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("glyphlab: ") and outcome.err.count("\n") == 1, outcome.err
    assert all(word in outcome.err for word in words), outcome.err
    assert not any(tmp_path.iterdir()), "nothing may be left behind"


def test_recipes_are_listed_and_shown(cli: Callable[..., Any]) -> None:
    listed = cli("recipes")
    assert "balanced-arch1-t3" in listed.out and "emnist-balanced" in listed.out
    assert {"name", "description"} <= set(json.loads(cli("recipes", "--json").out)[0])
    shown = cli("recipes", "show", "mnist-net")
    assert "momentum = 0.5" in shown.out and "[engine]" in shown.out


def test_every_setting_is_explained(cli: Callable[..., Any]) -> None:
    rows = json.loads(cli("recipes", "settings", "--json").out)
    assert {"training.lr", "augment.elastic", "data.name", "engine.precision"} <= {row["setting"] for row in rows}
    assert all(row["meaning"] for row in rows)
    assert "training.plateau_patience" in cli("recipes", "settings").out


def test_help_is_there_for_every_command_and_quick() -> None:
    best = 9.0
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "glyphlab", "--help"], capture_output=True, text=True, check=True)
        best = min(best, time.perf_counter() - began)
    for command in ("data", "networks", "recipes", "train", "evaluate"):
        assert command in done.stdout
    # The figure itself, 0.3 s, is measured by hand; here only that nothing heavy crept in.
    assert best < 2.0


def test_every_help_has_an_example() -> None:
    from typer.main import get_command

    from glyphlab.cli.main import app

    def without(command: Any, name: str) -> list[str]:
        own = [] if "glyphlab " in (command.epilog or "") else [name]
        below = getattr(command, "commands", {})
        return own + [missing for word in below for missing in without(below[word], f"{name} {word}")]

    assert without(get_command(app), "glyphlab") == []


def test_version(cli: Callable[..., Any]) -> None:
    import glyphlab

    assert cli("--version").out.strip() == f"glyphlab {glyphlab.__version__}"


def test_a_skipped_picture_is_one_line(picture_folder: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(picture_folder, photos)
    (photos / "train" / "a" / "bad.png").write_bytes(b"")
    (photos / "test" / "a" / "worse.png").write_bytes(b"")
    command = [sys.executable, "-m", "glyphlab", "train", str(photos), "--epochs", "1", "--skip-bad"]
    done = subprocess.run([*command, *FAST], capture_output=True, text=True, check=True, cwd=tmp_path)
    said = [line for line in done.stderr.splitlines() if "epoch" not in line and "engine:" not in line]
    assert said == ["train/a/bad.png (the file is empty)", "skipped test/a/worse.png (the file is empty)"]
