from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


@pytest.fixture
def file(picture_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(
        f"""
        recipe = "fast"
        [settings]
        data.name = "{picture_folder.as_posix()}"
        data.validation = 0.25
        network.width = 2
        network.depth = 1
        training.epochs = 1
        engine.precision = "float32"
        engine.channels_last = false
        [space]
        training.lr = [0.001, 0.01]
        [prediction]
        text = "the higher rate"
        """
    )
    return path


def test_a_sweep_from_its_file_to_its_page(cli: Cli, file: Path, tmp_path: Path) -> None:
    sweeps = tmp_path / "sweeps"
    done = cli("sweep", file, "--sweeps-dir", sweeps)
    assert done.code == 0, done.err
    assert "2 trials, 0 over; 1 worker with" in done.err and "judged on validation images" in done.err
    assert "[2/2] trial 2 (lr 0.01):" in done.err
    assert "small: 2 finished" in done.out and "glyphlab evaluate" in done.out
    for name in ("sweep.html", "trials.csv", "sweep.json", "runs/bars-small-001-1", "runs/bars-small-002-1"):
        assert (sweeps / "small" / name).exists(), name
    again = cli("sweep", file, "--sweeps-dir", sweeps, "--json", "-q")
    result = json.loads(again.out)
    assert result["trials"]["finished"] == 2 and len(result["rows"]) == 2
    assert len(list((sweeps / "small" / "runs").iterdir())) == 2
    shown = cli("sweep", "show", "small", "--sweeps-dir", sweeps)
    assert shown.code == 0 and "best: trial" in shown.out
    assert cli("sweep", "report", "small", "--sweeps-dir", sweeps, "--json").code == 0
    file.write_text(file.read_text().replace("0.01]", "0.1]"))
    changed = cli("sweep", file, "--sweeps-dir", sweeps)
    assert changed.code == 2
    assert "sweep 'small' has changed since it began: space.training.lr.values" in changed.err


def test_the_list_of_sweeps(cli: Cli) -> None:
    listed = cli("sweep", "list")
    assert listed.code == 0
    assert "fashion-60" in listed.out and "greek-epochs-batch" in listed.out
    assert {entry["name"] for entry in json.loads(cli("sweep", "list", "--json").out)} >= {"balanced-arch1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fashion-6"], "no sweep 'fashion-6': did you mean 'fashion-60'"),
        (["missing.toml"], "cannot read the sweep missing.toml"),
        (["fashion-60", "--storage", "sqlite:///x"], "expected postgresql://user:password@host/database"),
        (["fashion-60", "--name", "../x"], "a sweep cannot be called '../x'"),
        (["show", "nothing"], "no sweep 'nothing' has begun; there are no sweeps in"),
    ],
)
def test_mistakes_are_one_line(cli: Cli, tmp_path: Path, arguments: list[str], message: str) -> None:
    outcome = cli("sweep", *arguments, "--sweeps-dir", tmp_path)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_sweep_of_a_transfer(cli: Cli, tmp_path: Path, picture_folder: Path) -> None:
    """A shipped model learns the pictures' classes, several ways, and is judged on validation images."""
    file = tmp_path / "letters.toml"
    file.write_text(
        """
        recipe = "greek-frozen"
        [settings]
        data.validation = 0.25
        transfer.way = "finetune"
        transfer.copies = 2
        training.epochs = 1
        [space]
        transfer.freeze = ["all", 1]
        """
    )
    sweeps = tmp_path / "sweeps"
    nameless = cli("sweep", file, "--data", picture_folder, "--sweeps-dir", sweeps)
    assert nameless.code == 2 and "give a run or a model with --base" in nameless.err
    nowhere = cli("sweep", file, "--base", "digits", "--data", "nowhere", "--sweeps-dir", sweeps)
    assert nowhere.code == 2 and "name yours with --data FOLDER" in nowhere.err
    assert not sweeps.exists()
    done = cli("sweep", file, "--base", "digits", "--data", picture_folder, "--sweeps-dir", sweeps, "--json", "-q")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["trials"]["finished"] == 2
    assert [row["transfer.freeze"] for row in result["rows"]] == ["all", 1]
    (base,) = (sweeps / "letters" / "bases").iterdir()
    assert base.name.startswith("digits-") and (base / "weights.safetensors").exists()
    best = sweeps / "letters" / "runs" / result["rows"][0]["run"]
    judged = cli("evaluate", best, "--json")  # the test part was laid out as well
    assert judged.code == 0, judged.err
    file.write_text(file.read_text().replace('["all", 1]', "[99]"))
    deep = cli("sweep", file, "--base", "digits", "--data", picture_folder, "--name", "deep", "--sweeps-dir", sweeps)
    assert deep.code == 2 and "cannot freeze 99 layers" in deep.err and not (sweeps / "deep").exists()


def test_a_storage_that_does_not_answer(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://me:secret@127.0.0.1:1/db"
    outcome = cli("sweep", "fashion-60", "--sweeps-dir", tmp_path, "--storage", url)
    assert outcome.code == 2
    assert "the storage postgresql://me@127.0.0.1:1/db does not answer" in outcome.err
    assert "secret" not in outcome.err and outcome.err.count("\n") == 1


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['glyphlab', 'sweep', '--help']\n"
        "from glyphlab.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'optuna', 'numpy', 'sqlalchemy', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
