"""The command errors as a user types it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphlab.training.run import Run
from glyphlab.training.train import train

FAST = {"network.width": 4, "engine.precision": "float32", "engine.channels_last": False}


@pytest.fixture(scope="module")
def trained(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two poor networks for the same pictures, and one for other classes."""
    runs = tmp_path_factory.mktemp("runs")
    for name, seed in (("first", 1), ("second", 2)):
        run = train("fast", picture_folder, epochs=1, settings=FAST | {"training.seed": seed}, runs_dir=runs)
        run.folder.rename(runs / name)
    others = runs / "pictures"
    shutil.copytree(picture_folder, others)
    for split in ("train", "test"):
        (others / split / "a").rename(others / split / "z")
    train("fast", others, epochs=1, settings=FAST, runs_dir=runs).folder.rename(runs / "other-classes")
    return runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


def test_every_mistake_is_saved_and_counted(cli: Callable[..., Any], runs: Path) -> None:
    done = cli("errors", "first", "--runs-dir", runs, "--all", "--with", "second")
    assert done.code == 0, done.err
    assert "reading the training images: 120\n" in done.err
    folder = runs / "first" / "errors"
    evaluation = json.loads(cli("evaluate", runs / "first", "--json").out)
    assert len(list(folder.glob("*__*/*.png"))) == evaluation["misclassified"] > 0
    assert f"{evaluation['misclassified']} of 30 images wrong" in done.out
    assert "verdicts" in done.out and str(folder) in done.out and "weak evidence" not in done.out
    assert {"errors.csv", "classes.csv", "pairs.png", "surest.png", "classes", "errors.json"} <= {
        path.name for path in folder.iterdir()
    }


def test_json_is_one_document(cli: Callable[..., Any], runs: Path, tmp_path: Path) -> None:
    done = cli("errors", runs / "first", "--with", runs / "second", "--out", tmp_path / "mine", "--json")
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert summary["folder"] == str(tmp_path / "mine") and summary["other_networks"] == ["second"]
    assert summary["misclassified"] == sum(summary["kinds"].values()) == len(list((tmp_path / "mine").glob("*__*/*")))
    assert not (runs / "first" / "errors").exists()


def test_other_data_and_the_training_part_have_their_own_folders(
    cli: Callable[..., Any], runs: Path, picture_folder: Path
) -> None:
    assert cli("errors", runs / "first", "--data", picture_folder / "test").code == 0
    assert (runs / "first" / "errors-test" / "errors.csv").exists()
    done = cli("errors", runs / "first", "--split", "train")
    assert "trained on these images" in done.out
    assert (runs / "first" / "errors-train" / "errors.csv").exists()


def test_a_former_result_is_replaced_but_not_the_users_work(cli: Callable[..., Any], runs: Path) -> None:
    assert cli("errors", runs / "first").code == 0
    assert cli("errors", runs / "first").code == 0
    notes = runs / "first" / "errors" / "notes.txt"
    notes.write_text("mine")
    refused = cli("errors", runs / "first")
    assert refused.code == 2 and "--force" in refused.err and notes.exists()
    assert cli("errors", runs / "first", "--force").code == 0 and not notes.exists()


def test_mistakes_of_the_user_give_one_line_and_exit_code_2(
    cli: Callable[..., Any], runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    empty = Run.open(runs / "second").folder
    for arguments, words in [
        (["frist"], "no run 'frist'; did you mean 'first'?"),
        (["first", "--with", "secnd"], "no run 'secnd'; did you mean 'second'?"),
        (["first", "--with", "first"], "first is asked about its mistakes already; name another run beside first"),
        (["first", "--with", "second", "--with", "second"], "second is asked about its mistakes already"),
        (["first", "--with", "other-classes"], "other-classes cannot be asked about bars: its classes are b, c, z;"),
        (["first", "--split", "tset"], "--split is 'tset'; did you mean 'test'?"),
        (["first", "--out", tmp_path / "thesis"], "thesis holds files that this command did not write"),
        (["first", "--out", tmp_path / "thesis", "--force"], "thesis holds files that this command did not write"),
        (["first", "--data", "digits"], "digits has images of 1x28x28; the network takes 1x12x12"),
    ]:
        outcome = cli("errors", *arguments, "--runs-dir", runs)
        assert outcome.code == 2 and words in outcome.err, (arguments, outcome.err)
        assert outcome.err.startswith("glyphlab: ") and outcome.err.count("\n") == 1, outcome.err
    for weights in empty.glob("weights-*.safetensors"):
        weights.unlink()
    assert "holds no weights yet" in cli("errors", empty).err
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
    assert not any(runs.glob("*/.draft-*")) and not any(tmp_path.glob(".draft-*"))
