from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from glyphlab.data.sources import load_dataset
from glyphlab.evaluation.transfer.base import open_base
from glyphlab.evaluation.transfer.transfer import transfer
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.training.run import Run
from glyphlab.training.train import train

Cli = Callable[..., Any]
QUICK = ("--set", "engine.threads=1", "--set", "transfer.copies=2")


def draw_signs(folder: Path, split: str, count: int) -> None:
    """Three signs that are neither digits nor letters, dark on light."""
    for number in range(count):
        for sign in ("arrow", "box", "star"):
            picture = Image.new("L", (100, 100), 240)
            pen, shift = ImageDraw.Draw(picture), 2 * (number % 5)
            if sign == "arrow":
                pen.line((15, 50 + shift, 85, 50), fill=15, width=8)
                pen.line((60, 25 + shift, 85, 50, 60, 75), fill=15, width=8)
            elif sign == "box":
                pen.rectangle((20 + shift, 22, 80, 78 - shift), outline=15, width=8)
                pen.line((20 + shift, 50, 80, 50), fill=15, width=8)
            else:
                for ends in ((50, 15, 50 + shift, 85), (15, 50, 85, 50 + shift), (25, 25, 75, 75), (75, 25, 25, 75)):
                    pen.line(ends, fill=15, width=7)
            path = folder / split / sign / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "signs"
    draw_signs(folder, "train", 5)
    draw_signs(folder, "test", 2)
    return folder


def test_a_shipped_model_learns_signs_and_the_result_is_used_like_any(signs: Path, tmp_path: Path, cli: Cli) -> None:
    runs, out = tmp_path / "runs", tmp_path / "signs.onnx"
    done = cli("transfer", "digits", signs, "--way", "probe", "--runs-dir", runs, "--out", out, "--json", *QUICK)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["test"]["accuracy"] == 1.0
    assert [way["way"] for way in result["ways"]] == ["probe"] and len(result["ways"][0]["folds"]) == 5
    sheet = Path(result["pictures"]["sheet"])
    assert sheet.is_file() and str(sheet) in done.err
    run = Run.open(result["run"])
    for name in (
        "transfer.json",
        "model.onnx",
        "evaluation/examples.png",
        "evaluation/summary.json",
        "glyphs/test.npz",
    ):
        assert (run.folder / name).is_file(), name
    assert run.recipe.transfer is not None and run.recipe.transfer.framing == "mnist"
    assert json.loads((run.folder / "transfer.json").read_text(encoding="utf-8"))["ways"] == result["ways"]

    recognizer = Recognizer.load(out)
    assert recognizer.framing == "mnist" and recognizer.info.conformal is not None
    (answer,) = recognizer.predict([signs / "test" / "star" / "1.png"], coverage=0.8)
    assert answer.character == "star"
    exported = cli("export", run.folder)  # the prediction sets came from cross-validation: no export could find them
    assert exported.code == 0 and "sets      at 95% hold the truth" in exported.out
    assert Recognizer.load(run.folder).info.conformal == recognizer.info.conformal
    again = cli("evaluate", run.folder, "--json")
    assert json.loads(again.out)["accuracy"] == 1.0
    refused = cli("transfer", "digits", signs, "--way", "probe", "--runs-dir", runs, "--out", out)
    assert refused.code == 2 and "replace it with --force" in refused.err


def test_without_a_terminal_what_is_tried_is_said_in_lines(signs: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("transfer", "digits", signs, "--way", "means", "--runs-dir", tmp_path, *QUICK)
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert "preparing pictures: 1 of 21" in lines and "trying means: 0 of 5" in lines and "" not in lines


def test_a_run_made_by_transfer_can_be_transferred_from(signs: Path, tmp_path: Path) -> None:
    first = transfer("digits", signs, way="means", runs_dir=tmp_path, settings={"transfer.copies": 2})
    (first.run.folder / "model.onnx").unlink()
    base = open_base(first.run.folder)
    assert (base.info.framing, base.classifier.spec.class_names) == ("mnist", ("arrow", "box", "star"))
    settings = {"engine.threads": 1, "engine.device": "cpu"}
    second = transfer(first.run.folder, signs, way="frozen", epochs=1, settings=settings, runs_dir=tmp_path)
    assert second.run.recipe.training.epochs == 1 and (second.run.folder / "curves.png").is_file()


def test_all_pictures_may_be_learned_from_and_cross_validation_judges(signs: Path, tmp_path: Path, cli: Cli) -> None:
    arguments = ("--way", "probe", "--learn-all", "--runs-dir", tmp_path, "--json", *QUICK)
    done = cli("transfer", "digits", signs / "train", *arguments)
    assert done.code == 0, done.err
    assert "15 pictures of 3 classes to learn from, none held out" in done.err
    result = json.loads(done.out)
    assert result["cross_validated"] and (result["pictures"]["train"], result["pictures"]["test"]) == (15, 0)
    assert result["test"]["n"] == 15 and "cross-validated" in result["test"]["remark"]
    (way,) = result["ways"]
    assert result["test"]["accuracy"] == pytest.approx(way["accuracy"])  # five folds of three pictures each
    assert result["test"]["loss"] == pytest.approx(way["loss"], rel=1e-5)
    run = Run.open(result["run"])
    assert run.recipe.transfer is not None and not run.recipe.transfer.hold_out
    figures = Recognizer.load(run.folder).info.figures
    assert (figures["test_images"], figures["accuracy"]) == (15, pytest.approx(way["accuracy"]))
    again = cli("evaluate", run.folder)  # by what it learned from, which is said
    assert again.code == 0 and "15 of these 15 images are also among those that it learned from" in again.out
    refused = cli("transfer", "digits", signs, *arguments)
    assert refused.code == 2 and "has a test part" in refused.err


def test_all_pictures_may_be_learned_from_beside_kept_classes(signs: Path, quick_digits: Run, cli: Cli) -> None:
    """What is cross-validated are the new pictures; the old classes have test images of their own."""
    runs_dir = quick_digits.folder.parent
    arguments = ("--add", "--learn-all", "--runs-dir", runs_dir)
    done = cli("transfer", quick_digits.name, signs / "train", *arguments, *QUICK)
    assert done.code == 0, done.err
    assert " --data MORE-PICTURES" in done.out
    assert "of 3 cross-validated pictures right" in done.out  # with what is rehearsed they are many: one fold of five
    run = Run.open("train-transfer-1", runs_dir)
    summary = json.loads((run.folder / "evaluation" / "summary.json").read_text(encoding="utf-8"))
    assert summary["n"] == len(load_dataset("digits", "test")) + 3


@pytest.fixture
def quick_digits(tmp_path: Path) -> Run:
    """A run on the embedded digits, whose data are always at hand."""
    settings = {"network.width": 8, "training.epochs": 3, "engine.threads": 1, "engine.precision": "float32"}
    settings |= {"engine.channels_last": False, "engine.compile": False, "engine.device": "cpu"}
    return train("fast", "digits", settings=settings, runs_dir=tmp_path)


def test_added_signs_join_the_digits(signs: Path, quick_digits: Run, cli: Cli) -> None:
    runs_dir = quick_digits.folder.parent
    done = cli("transfer", quick_digits.name, signs, "--add", "--runs-dir", runs_dir, "--json", *QUICK)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    kept = result["retention"]
    assert kept["data"] == "digits" and kept["images"] == len(load_dataset("digits", "test"))
    assert kept["after"] >= kept["before"] - 0.02
    assert kept["new"] >= 0.5
    run = Run.open(result["run"])
    assert run.classifier().spec.class_names == (*"0123456789", "arrow", "box", "star")
    assert len(Recognizer.load(run.folder / "model.onnx").class_names) == 13


def test_without_the_models_data_it_says_so_and_goes_on(signs: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("transfer", "digits", signs, "--add", "--data-dir", tmp_path, "--runs-dir", tmp_path, *QUICK)
    assert done.code == 0, done.err
    assert "the data that digits learned from are not at hand" in done.err
    assert "* probe" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--way", "prob"), "unknown way 'prob'; did you mean 'probe'?"),
        (("--freeze", "some"), "--freeze is 'some'; expected all, none, or how many layers"),
        (("--freeze", "9"), "cannot freeze 9 layers: network 'glyphnet' has 4 below its last one"),
        (("--way", "means", "--freeze", "1"), "transfer.freeze has no effect with way = 'means'"),
        (("--way", "probe", "--epochs", "3"), "is not trained; leave out epochs"),
        (("--way", "means", "--add"), "changes the old classes' outputs"),
        (
            ("--way", "means", "--set", "transfer.way=probe"),
            "--way is 'means', but --set transfer.way is 'probe'; give",
        ),
        (("--freeze", "1", "--set", "transfer.freeze=2"), "--freeze is '1', but --set transfer.freeze is 2; give"),
        (("--set", "transfer.way=probe", "--set", "training.lr=0.5"), "is not trained; leave out epochs"),
        (("--set", "training.lrr=1"), "unknown setting 'training.lrr'; did you mean 'lr'?"),
        (("--set", "network.width=8"), "network.width has no effect in a transfer"),
        (("--seconds", "5", "--way", "means"), "--seconds has no effect with --way means"),
        (
            ("--weights", "alexnet.pth"),
            "--weights has no effect with 'digits', which brings its own; expected alexnet or",
        ),
        (("--recipe", "transferr"), "no recipe 'transferr': did you mean 'transfer'?"),
    ],
)
def test_mistakes_are_one_line(signs: Path, tmp_path: Path, cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    done = cli("transfer", "digits", signs, "--runs-dir", tmp_path, *arguments)
    assert done.code == 2
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("glyphlab: ") and message in last
    assert not list(tmp_path.iterdir())


def test_what_there_was_no_time_for_is_said(signs: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("transfer", "digits", signs, "--seconds", "0.001", "--runs-dir", tmp_path, *QUICK)
    assert done.code == 0, done.err
    rows = {line[2:].split()[0]: line for line in done.out.splitlines() if line[2:].strip()}
    assert "not tried: no time is left (--seconds)" in rows["frozen"]
    assert "100.0%" in rows["means"] and "100.0%" in rows["probe"]
    facts = json.loads((tmp_path / "signs-transfer-1" / "transfer.json").read_text(encoding="utf-8"))
    assert [way["way"] for way in facts["ways"]] == ["means", "probe"]
    assert [way["way"] for way in facts["untried"]] == ["frozen", "finetune"]


def test_unknown_bases_and_clashing_names(signs: Path, tmp_path: Path, cli: Cli) -> None:
    done = cli("transfer", "digitz", signs, "--runs-dir", tmp_path)
    assert done.code == 2 and "no run 'digitz'" in done.err and "digits" in done.err
    clash = tmp_path / "clash"
    for split in ("train", "test"):
        for sign, digit in (("arrow", "7"), ("star", "plus")):
            shutil.copytree(signs / split / sign, clash / split / digit)
    done = cli("transfer", "digits", clash, "--add", "--runs-dir", tmp_path)
    assert done.code == 2 and "knows a class of that name already: '7'" in done.err


def test_greek_photos_are_learned(real_data: Path, tmp_path: Path) -> None:
    photos = real_data / "greek-photos"
    if not photos.is_dir():
        pytest.skip("greek-photos not at hand")
    report = transfer("characters", photos, way="probe", runs_dir=tmp_path)
    assert report.evaluation.accuracy > 0.9
    assert report.trials[0].accuracy > 0.9


def test_an_error_is_one_line(cli: Cli, tmp_path: Path) -> None:
    done = cli("transfer", "digits", tmp_path / "none")
    assert done.code == 2
    assert done.err.startswith("glyphlab: no folder ")
    assert len(done.err.splitlines()) == 1
