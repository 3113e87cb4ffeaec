"""`glyphlab labels`: from wrong labels in a data set to a corrected set that can be trained on."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from glyphlab.cli import label_review
from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import DataError
from glyphlab.evaluation.labels.corrections import Correction, read_corrections
from glyphlab.evaluation.labels.search import Suspicion

FAST = [
    "--set=network.name=linear", "--set=training.lr=0.01", "--set=training.epochs=4", "--set=training.batch_size=20",
    "--set=engine.device=cpu", "--set=engine.precision=float32", "--set=engine.channels_last=false",
    "--set=engine.compile=false", "--set=engine.threads=1",
]  # fmt: skip
WRONG = [7, 30, 55, 88]


@pytest.fixture(scope="module")
def spoilt(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bars with four wrong training labels, as a saved set."""
    folder = tmp_path_factory.mktemp("spoilt") / "bars"
    train = load_dataset(picture_folder)
    targets = train.targets.copy()
    targets[WRONG] = (targets[WRONG] + 1) % 3
    replace(train, targets=targets, ids=None).save(folder / "train.npz")
    load_dataset(picture_folder, "test").save(folder / "test.npz")
    return folder


@pytest.fixture(scope="module")
def searched(spoilt: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs directory after `labels find`."""
    from glyphlab.cli.main import main

    runs = tmp_path_factory.mktemp("runs")
    with pytest.raises(SystemExit) as ended:
        main(["labels", "find", str(spoilt), "--folds", "3", *FAST, "--runs-dir", str(runs), "--quiet"])
    assert ended.value.code == 0
    return runs


@pytest.fixture
def runs(searched: Path, tmp_path: Path) -> Path:
    """A copy that a test may write into."""
    shutil.copytree(searched, tmp_path / "runs")
    return tmp_path / "runs"


def test_find_ranks_the_wrong_labels_first(cli: Callable[..., Any], spoilt: Path, runs: Path) -> None:
    folder = runs / "labels-bars"
    done = cli("labels", "find", spoilt, "--folds", "3", "--runs-dir", runs, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert {row["index"] for row in found["suspicious"][:4]} == set(WRONG)
    assert found["issues"] >= 4 and found["images"] == 120 and found["folder"] == str(folder)
    names = {path.name for path in folder.iterdir()}
    assert {"labels.csv", "duplicates.csv", "outliers.csv", "labels.json", "suspicious.png", "outliers.png"} <= names


def test_find_passes_on_what_to_do_with_bad_pictures(cli: Callable[..., Any], spoilt: Path, runs: Path) -> None:
    refused = cli("labels", "find", spoilt, "--skip-bad", "--runs-dir", runs)
    assert refused.code == 2 and "skip_bad would have no effect; it concerns folders of pictures only" in refused.err


def test_find_says_what_to_do_next(cli: Callable[..., Any], spoilt: Path, runs: Path) -> None:
    done = cli("labels", "find", spoilt, "--folds", "3", "--runs-dir", runs, "--data-dir", "my sets")
    assert done.code == 0
    assert "label issues by confident learning" in done.out and f"next: glyphlab labels review {spoilt}" in done.out
    assert f"--runs-dir {runs} --data-dir 'my sets'" in done.out
    assert "out-of-sample probabilities are at hand" in done.err


def test_findings_elsewhere_are_reviewed_there(cli: Callable[..., Any], spoilt: Path, runs: Path) -> None:
    place = runs / "labels found"
    shutil.copytree(runs / "labels-bars", place)
    done = cli("labels", "find", spoilt, "--folds", "3", *FAST, "--out", place, "--runs-dir", runs)
    assert done.code == 0, done.err
    offered = next(line for line in done.out.splitlines() if line.startswith("next: glyphlab "))
    reviewed = cli(*shlex.split(offered)[2:], "--accept-top", "4")
    assert reviewed.code == 0, reviewed.err
    assert (place / "corrections.csv").is_file()
    offered = next(line for line in reviewed.out.splitlines() if line.startswith("next: glyphlab "))
    words = [str(runs / "better") if word == "NEW-FOLDER" else word for word in shlex.split(offered)[2:]]
    assert cli(*words).code == 0


def test_ctrl_c_says_how_to_go_on(
    cli: Callable[..., Any], spoilt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("glyphlab.evaluation.labels.target.out_of_sample", interrupted)
    done = cli("labels", "find", spoilt, "--runs-dir", tmp_path, "--quiet")
    assert done.code == 130 and done.err == "glyphlab: stopped; the same command goes on from here\n"


def test_other_settings_do_not_mix_with_former_ones(cli: Callable[..., Any], spoilt: Path, runs: Path) -> None:
    done = cli("labels", "find", spoilt, "--folds", "2", "--runs-dir", runs)
    assert done.code == 2 and "data.folds is 3 there, 2 here); use --force" in done.err


def test_from_the_wrong_labels_to_a_corrected_set(
    cli: Callable[..., Any], spoilt: Path, runs: Path, picture_folder: Path, tmp_path: Path
) -> None:
    before = (spoilt / "train.npz").read_bytes()
    done = cli("labels", "review", spoilt, "--accept-top", "4", "--runs-dir", runs, "--json")
    assert done.code == 0
    answer = json.loads(done.out)
    assert answer["relabel"] == 4 and answer["keep"] == answer["discard"] == 0
    out = tmp_path / "better"
    done = cli("labels", "apply", spoilt, answer["corrections"], "--out", out, "--runs-dir", runs)
    assert done.code == 0 and "4 relabelled, 0 discarded" in done.out and f"glyphlab train {out}" in done.out
    np.testing.assert_array_equal(load_dataset(out).targets, load_dataset(picture_folder).targets)
    assert len(load_dataset(out, "test")) == 30
    assert (spoilt / "train.npz").read_bytes() == before
    assert cli("data", "check", out).code in (0, 1)  # it is data like any other


def test_a_list_to_be_edited_by_hand(cli: Callable[..., Any], spoilt: Path, runs: Path) -> None:
    path = runs / "labels-bars" / "corrections.csv"
    assert cli("labels", "review", spoilt, "--list", "20", "--runs-dir", runs).code == 0
    rows = read_corrections(path)
    assert len(rows) == 20 and {row.action for row in rows} == {"keep"} and all(row.label for row in rows)
    done = cli("labels", "review", spoilt, "--accept-top", "2", "--runs-dir", runs)
    assert done.code == 2 and "is there already, with decisions in it" in done.err
    assert read_corrections(path) == rows
    assert cli("labels", "review", spoilt, "--accept-top", "2", "--runs-dir", runs, "--force").code == 0
    assert len(read_corrections(path)) == 2


def test_apply_refuses_what_does_not_fit(cli: Callable[..., Any], spoilt: Path, tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_text("id,given,action,label\n5000,a,discard,\n")
    done = cli("labels", "apply", spoilt, path, "--out", tmp_path / "new")
    assert done.code == 2 and "no image '5000'; its ids run from '0' to '119'" in done.err
    assert not (tmp_path / "new").exists()


@pytest.mark.filterwarnings("default")
def test_corrections_of_images_that_changed_are_refused_and_kept(
    cli: Callable[..., Any], spoilt: Path, runs: Path, tmp_path: Path
) -> None:
    data, folder = tmp_path / "bars", runs / "labels-bars"
    shutil.copytree(spoilt, data)
    corrections = cli("labels", "review", data, "--accept-top", "2", "--runs-dir", runs, "--force")
    assert corrections.code == 0
    train = load_dataset(data)
    train.subset(range(1, len(train))).save(data / "train.npz")  # every id is now the next image's
    done = cli("labels", "apply", data, folder / "corrections.csv", "--out", tmp_path / "new", "--runs-dir", runs)
    assert done.code == 2 and "have changed since their labels were searched" in done.err
    done = cli("labels", "find", data, "--folds", "3", *FAST, "--runs-dir", runs, "--force")
    assert done.code == 0 and "the corrections of the former ones are kept in" in " ".join(done.err.split())
    [kept] = folder.glob("corrections*.csv")
    assert kept.name != "corrections.csv" and len(read_corrections(kept)) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("find", "mnits"), "no data set, run, folder or file 'mnits'; did you mean 'mnist'"),
        (("find", "BARS", "--split", "tset"), "--split is 'tset'; did you mean 'test'?"),
        (("find", "BARS", "--split", "test", "--folds", "9"), "--split test trains nothing"),
        (("find", "BARS", "--split", "test", "--force"), "--split test trains nothing"),
        (("find", "BARS", "--split", "test"), "judged by a network trained on its training part; name such a run"),
        (("review", "BARS", "--list", "2", "--accept-top", "2"), "two ways of deciding; choose one"),
        (("review", "BARS", "--list", "2", "--found", "nowhere"), "write it with: glyphlab labels find"),
        (("review", "BARS", "--list", "5000", "--runs-dir", "RUNS"), "5000 images are asked for, but"),
        (("review", "BARS", "--runs-dir", "RUNS"), "needs a terminal; use --accept-top N or --list N"),
        (("apply", "BARS", "none.csv", "--out", "new"), "no corrections at none.csv"),
    ],
)
def test_mistakes_are_one_line(
    cli: Callable[..., Any],
    spoilt: Path,
    searched: Path,
    arguments: tuple[str, ...],
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    words = {"BARS": str(spoilt), "RUNS": str(searched)}
    done = cli("labels", *(words.get(argument, argument) for argument in arguments))
    assert done.code == 2 and problem in done.err and done.err.count("\n") == 1


def test_a_runs_test_labels_and_its_training_labels(
    cli: Callable[..., Any], picture_folder: Path, tmp_path: Path
) -> None:
    trained = cli("train", picture_folder, *FAST, "--runs-dir", tmp_path, "--quiet", "--no-evaluate", "--json")
    run = Path(json.loads(trained.out)["run"])
    done = cli("labels", "find", run.name, "--runs-dir", tmp_path, "--split", "test", "--json")
    assert done.code == 0 and json.loads(done.out)["images"] == 30
    assert (run / "labels-test" / "labels.csv").is_file()
    done = cli("labels", "find", run, "--split", "test", "--epochs", "2")
    assert done.code == 2 and "--split test trains nothing" in done.err
    done = cli("labels", "find", run, "--recipe", "fast")
    assert done.code == 2 and "lends its own recipe" in done.err
    done = cli("labels", "find", run, "--folds", "2", "--epochs", "1", "--quiet")
    assert done.code == 0 and (run / "labels" / "labels.csv").is_file() and (run / "kfold" / "probs.npy").is_file()
    assert "networks as weak as that contradict many labels that are right; more --epochs" in done.out


# ---- one image at a time ----------------------------------------------------------------------------------


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the reviewer will type; then the input ends."""
    waiting: list[str] = []

    def type_next(self: Console, prompt: str = "") -> str:
        if not waiting:
            raise EOFError
        return waiting.pop(0)

    monkeypatch.setattr(Console, "input", type_next)
    return waiting


def test_review_asks_saves_at_once_and_goes_on(glyphs: GlyphSet, tmp_path: Path, answers: list[str]) -> None:
    path = tmp_path / "corrections.csv"
    rows = [Suspicion(str(index), index, "abc"[index % 3], "abc"[(index + 1) % 3], 0.1) for index in range(6)]
    answers += ["r", "", "x", "d", "q"]
    decided = label_review.ask_one_by_one(glyphs, rows, path)
    expected = [
        Correction("0", "a", "relabel", "b"),
        Correction("1", "b", "keep", "c"),
        Correction("2", "c", "discard"),
    ]
    assert decided == expected == read_corrections(path)

    # The next call begins with the fourth; "b" goes back, an unknown class is asked for again.
    answers += ["keep", "b", "r z", "r a", "r c", "d"]
    decided = label_review.ask_one_by_one(glyphs, rows, path)
    assert decided[3:] == [Correction("3", "a", "relabel", "c"), Correction("4", "b", "discard")]
    assert read_corrections(path) == decided


def test_review_refuses_images_that_moved(glyphs: GlyphSet, tmp_path: Path, answers: list[str]) -> None:
    rows = [Suspicion(f"{index}.png", index, "a", "b", 0.1) for index in range(6)]
    named = replace(glyphs, ids=tuple(f"{index}.png" for index in range(len(glyphs))))
    answers += ["d"]
    with pytest.raises(DataError, match=r"have changed since .*; search again with: glyphlab labels find"):
        label_review.ask_one_by_one(named.subset(range(2, len(named))), rows, tmp_path / "corrections.csv")
    assert answers and not (tmp_path / "corrections.csv").exists()


def test_an_image_is_shown_in_half_blocks(glyphs: GlyphSet) -> None:
    text = label_review.picture(glyphs.images[0])
    lines = text.plain.splitlines()
    assert len(lines) == 6 and all(line == "▀" * 12 for line in lines)
    colours = {str(span.style) for span in text.spans}
    assert any("230,230,230" in colour or "e6e6e6" in colour for colour in colours)
    wide = label_review.picture(np.zeros((200, 300, 3), dtype=np.uint8))
    assert max(map(len, wide.plain.splitlines())) <= 56
