"""Runs on the same images, compared: figures, differences, tables and pictures."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, RunError
from glyphlab.evaluation.comparison import answers as answers_module
from glyphlab.evaluation.comparison.answers import answers_of, stored_answers
from glyphlab.evaluation.comparison.compare import Comparison, Entry, compare
from glyphlab.evaluation.comparison.files import figures_table, pair_in_words, settings_table, write_comparison
from glyphlab.evaluation.comparison.pictures import draw_curves, draw_flips
from glyphlab.evaluation.evaluate import evaluate
from glyphlab.training.history import EpochMetrics
from glyphlab.training.recipe import Recipe
from glyphlab.training.run import Run
from glyphlab.training.train import train

SMALL: dict[str, Any] = {
    "network": {"name": "mnist-3conv-bn", "widths": [4, 8], "hidden": 16},
    "training": {"epochs": 1, "batch_size": 25, "lr": 0.01},
    "engine": {"device": "cpu", "precision": "float32", "channels_last": False, "compile": False, "threads": 1},
}


@pytest.fixture(scope="module")
def runs(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """One epoch against four; the first is evaluated, the second is not."""
    recipe, folder = Recipe.parse(SMALL, name="small"), tmp_path_factory.mktemp("runs")
    made = [train(recipe, picture_folder, epochs=epochs, runs_dir=folder) for epochs in (1, 4)]
    evaluate(made[0])
    return made


@pytest.fixture
def copies(runs: list[Run], tmp_path: Path) -> list[Run]:
    """The same runs to be spoilt."""
    return [Run(Path(shutil.copytree(run.folder, tmp_path / "copies" / run.name))) for run in runs]


def test_entries_carry_the_figures_of_evaluating_each_run(runs: list[Run]) -> None:
    told: list[str] = []
    comparison = compare(runs, on_run=told.append)
    assert told == ["bars-small-1", "bars-small-2"] == [entry.name for entry in comparison.entries]
    for entry, run in zip(comparison.entries, runs, strict=True):
        expected = evaluate(run, write=False)
        assert (entry.accuracy, entry.interval, entry.correct) == (
            expected.accuracy,
            expected.interval,
            expected.correct,
        )
        assert entry.loss == pytest.approx(expected.loss, rel=1e-5)
        assert entry.misclassified == len(expected.mistakes)
        np.testing.assert_array_equal(entry.predictions, expected.predictions)
        np.testing.assert_allclose(entry.confidences, expected.confidences, atol=1e-6)
        assert entry.parameters == run.environment["parameters"]
        assert entry.time_seconds == run.status["time_seconds"]
        assert entry.peak_memory_mb == run.environment["peak_memory_mb"]
        assert entry.validation_accuracy == run.status["best"]["validation_accuracy"]


def test_only_settings_that_differ_are_shown(runs: list[Run]) -> None:
    assert compare(runs).differing == {"training.epochs": (1, 4)}


def test_summary_is_plain_json(runs: list[Run]) -> None:
    summary = json.loads(json.dumps(compare(runs).summary(), allow_nan=False))
    assert summary["n"] == 30 and [run["run"] for run in summary["runs"]] == ["bars-small-1", "bars-small-2"]
    assert summary["differing_settings"] == {"training.epochs": {"bars-small-1": 1, "bars-small-2": 4}}
    (pair,) = summary["pairs"]
    assert pair["p_value"] == pair["p_value_holm"]
    assert pair["only_a"] + pair["only_b"] == summary["disputed"]


# ---- which stored answers are believed ----------------------------------------------------------------------


def asked(monkeypatch: pytest.MonkeyPatch, run: Run) -> bool:
    """Whether the network had to answer anew for all images."""
    judged: list[Run] = []

    def spy(run: Run, *rest: Any, **named: Any) -> Any:
        judged.append(run)
        return original(run, *rest, **named)

    original = answers_module.judge_images
    monkeypatch.setattr(answers_module, "judge_images", spy)
    answers_of(run, None, "test", None)
    monkeypatch.undo()
    return bool(judged)


def test_stored_answers_are_read_and_missing_ones_asked_for(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not asked(monkeypatch, runs[0])
    assert asked(monkeypatch, runs[1])
    assert not (runs[1].folder / "evaluation").exists()


def _other_weights(run: Run, other: Run) -> None:
    for name in ("weights-best.safetensors", "weights-last.safetensors"):
        shutil.copy(other.folder / name, run.folder / name)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "spoil",
    [
        _other_weights,
        lambda run, _: (run.folder / "evaluation" / "predictions.csv").unlink(),
        lambda run, _: (run.folder / "evaluation" / "summary.json").write_text("{"),
        lambda run, _: _edit(run.folder / "evaluation" / "summary.json", '"data_sha256": "', '"data_sha256": "0'),
        lambda run, _: _edit(run.folder / "evaluation" / "predictions.csv", "\ntest/a/000.png,a", "\ntest/a/000.png,b"),
        lambda run, _: _edit(run.folder / "evaluation" / "predictions.csv", "\ntest/a/000.png,a", "\ntest/a/000.png,?"),
    ],
    ids=["other weights", "no predictions", "broken summary", "other data", "other truth", "unknown class"],
)
def test_answers_that_are_not_this_networks_are_not_believed(
    spoil: Callable[[Run, Run], object], copies: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(copies[0], copies[1])
    assert asked(monkeypatch, copies[0])
    answers, _ = answers_of(copies[0], None, "test", None)
    np.testing.assert_array_equal(answers.confidences, evaluate(copies[0], write=False).confidences)


def test_stored_answers_of_another_network_with_the_same_accuracy_are_seen_through(
    runs: list[Run], glyphs: GlyphSet
) -> None:
    """The probe looks at the least sure images: a network barely trained further says something else there."""
    folder, classifier = runs[0].folder / "evaluation", runs[0].classifier()
    _, images = answers_of(runs[0], None, "test", None)
    assert stored_answers(folder, classifier, images) is not None
    for parameter in classifier.parameters():
        parameter.data.mul_(1.01)
    assert stored_answers(folder, classifier, images) is None


# ---- what cannot be compared --------------------------------------------------------------------------------


def test_one_run_and_the_same_run_twice(runs: list[Run]) -> None:
    with pytest.raises(RunError, match="1 run given; a comparison takes two or more"):
        compare(runs[:1])
    with pytest.raises(RunError, match="bars-small-1 is given twice; name each run once"):
        compare([runs[0], runs[1], runs[0].folder])


def test_runs_of_different_data(runs: list[Run], picture_folder: Path, tmp_path: Path) -> None:
    fewer = Path(shutil.copytree(picture_folder, tmp_path / "fewer"))
    (fewer / "test" / "a" / "000.png").unlink()
    other = train(Recipe.parse(SMALL, name="small"), fewer, runs_dir=tmp_path / "runs")
    message = (
        r"bars-small-1 and fewer-small-1 were not judged on the same images: bars test \(30 images, sha256 \w{8}…\) "
        r"against fewer test \(29 images, sha256 \w{8}…\); compare runs of the same data, or .* with --data"
    )
    with pytest.raises(DataError, match=message):
        compare([runs[0], other])
    judged = compare([runs[0], other], data=picture_folder)
    assert len(judged.glyphs) == 30 and judged.differing["data.name"] == (str(picture_folder), str(fewer))


def test_the_same_images_with_another_label_are_different_data(
    runs: list[Run], picture_folder: Path, tmp_path: Path
) -> None:
    relabelled = Path(shutil.copytree(picture_folder, tmp_path / "relabelled"))
    other = train(Recipe.parse(SMALL, name="small"), relabelled, runs_dir=tmp_path / "runs")
    assert compare([runs[0], other]).pairs  # a copy of the data is the same data
    # The last picture of a becomes the first of b: the order of the images stays.
    (relabelled / "test" / "a" / "027.png").rename(relabelled / "test" / "b" / "000.png")
    with pytest.raises(DataError, match="not judged on the same images"):
        compare([runs[0], other])


def test_a_run_without_weights(copies: list[Run]) -> None:
    for path in copies[1].folder.glob("weights-*"):
        path.unlink()
    with pytest.raises(RunError, match="holds no weights yet; continue it with"):
        compare(copies)


def test_two_folders_of_the_same_name_are_told_apart(runs: list[Run], copies: list[Run]) -> None:
    names = [entry.name for entry in compare([runs[0], copies[0]]).entries]
    assert names == [str(runs[0].folder), str(copies[0].folder)]


# ---- made-up answers: what flipped, tables, pictures --------------------------------------------------------


def entry(name: str, predictions: list[int], targets: np.ndarray, sure: float = 0.9, **changes: Any) -> Entry:
    answers = np.array(predictions)
    rows = tuple(
        EpochMetrics(
            epoch, epoch * 10, epoch * 100, 0.1, 1 / epoch, 0.5, 0.9 / epoch, 0.9 + 0.02 * epoch, epoch * 2.0, 50
        )
        for epoch in (1, 2, 3)
    )
    made = Entry(
        name=name,
        folder=Path("runs") / name,
        predictions=answers,
        confidences=np.linspace(sure, 0.4, len(answers)),
        is_correct=answers == targets,
        loss=0.25,
        settings={"training.lr": 0.1, "network.name": name},
        history=rows,
        parameters=1234,
        epochs=3,
        time_seconds=6.0,
        peak_memory_mb=None,
        validation_accuracy=0.96,
    )
    return replace(made, **changes)


@pytest.fixture
def made(glyphs: GlyphSet) -> Comparison:
    """Four images of classes a, b, c, a; three runs, the best one last. The network of `one` also knows "$z"."""
    four = replace(glyphs.subset([0, 1, 2, 3]), remark="not the official split")
    targets = four.targets
    entries = (
        entry("one", [0, 3, 3, 1], targets),
        entry("two", [1, 1, 3, 0], targets, settings={"training.lr": 0.2, "network.name": "two", "network.depth": 2}),
        entry("three", [0, 1, 2, 0], targets, settings={"training.lr": 0.1, "network.name": "three"}),
    )
    return Comparison(four, (*four.class_names, "$z"), entries)


def test_flipped_images_with_the_surest_mistake_first(made: Comparison) -> None:
    one_two, one_three, two_three = made.pairs
    only_one, only_two = made.flipped(one_two)
    assert (only_one.tolist(), only_two.tolist()) == ([0], [1, 3])
    assert [found.tolist() for found in made.flipped(one_three)] == [[], [1, 2, 3]]
    assert [found.tolist() for found in made.flipped(two_three)] == [[], [0, 2]]
    assert (one_two.test.only_a, one_two.test.only_b, one_two.test.p_value) == (1, 2, 1.0)
    assert one_three.test.p_value == 0.25 and one_three.corrected_p == 0.75
    assert made.best == 2 and made.disputed.tolist() == [0, 1, 2, 3]


def test_with_more_than_three_runs_only_pairs_with_the_best_are_shown(made: Comparison) -> None:
    assert made.pairs_worth_showing() == made.pairs
    more = replace(made, entries=(*made.entries, replace(made.entries[0], name="four")))
    assert [(pair.a, pair.b) for pair in more.pairs_worth_showing()] == [(0, 2), (1, 2), (2, 3)]
    assert len(more.pairs) == 6


def test_settings_tables_say_where_a_setting_has_no_effect(made: Comparison) -> None:
    assert settings_table(made) == [
        ["training.lr", "0.1", "0.2", "0.1"],
        ["network.name", "one", "two", "three"],
        ["network.depth", "-", "2", "-"],
    ]
    figures = {row[0]: row[1:] for row in figures_table(made)}
    assert figures["accuracy"] == ["25.00%", "50.00%", "100%"]
    assert figures["misclassified"] == ["3", "2", "0"]
    assert figures["training time"] == ["6.0 s"] * 3 and figures["training images/s"] == ["50"] * 3
    assert "peak memory in MB" not in figures  # recorded by none of them
    assert figures["95% interval"][2] == "51.01% to 100%"


def test_a_pair_in_words(made: Comparison) -> None:
    assert pair_in_words(made, made.pairs[1]) == (
        "one against three: 0 images right only in the first, 3 only in the second; "
        "McNemar's test: p = 0.75 after Holm's correction, no more than chance would do"
    )


def test_files(made: Comparison, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    written = write_comparison(made, folder)
    assert sorted(path.name for path in written) == sorted(path.name for path in folder.iterdir()) == [
        "comparison.json", "curves.png", "flipped.csv", "flips-1-2.png", "flips-1-3.png", "flips-2-3.png", "pairs.csv",
        "runs.csv",
    ]  # fmt: skip
    with (folder / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["one", "two", "three"]
    assert rows[1]["network.depth"] == "2" and rows[0]["network.depth"] == "" == rows[0]["peak_memory_mb"]
    assert float(rows[2]["accuracy_low_95"]) == pytest.approx(0.5101, abs=1e-4)
    with (folder / "pairs.csv").open() as file:
        assert [(row["a"], row["b"], float(row["p_value_holm"])) for row in csv.DictReader(file)] == [
            ("one", "two", 1.0), ("one", "three", 0.75), ("two", "three", 1.0),
        ]  # fmt: skip
    with (folder / "flipped.csv").open() as file:
        flipped = list(csv.DictReader(file))
    assert [(row["id"], row["truth"], row["one"], row["two"]) for row in flipped] == [
        ("0", "a", "a", "b"), ("1", "b", "$z", "b"), ("2", "c", "$z", "$z"), ("3", "a", "b", "a"),
    ]  # fmt: skip
    assert json.loads((folder / "comparison.json").read_text()) == made.summary()


def test_a_former_comparison_is_replaced_and_nothing_else(made: Comparison, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_comparison(made, folder)
    write_comparison(replace(made, entries=made.entries[:2]), folder)
    assert sorted(path.name for path in folder.glob("flips*")) == ["flips.png"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match=r"mine is there already and is no comparison; choose another --out, or add --f"):
        write_comparison(made, tmp_path / "mine")
    write_comparison(made, tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def share_of(colour: tuple[int, int, int], path: Path) -> float:
    with Image.open(path) as picture:
        return float((np.asarray(picture.convert("RGB")) == colour).all(axis=-1).mean())


def test_flips_draw_right_answers_green_and_wrong_ones_red(made: Comparison, tmp_path: Path) -> None:
    draw_flips(made, made.pairs[0], tmp_path / "three.png")
    assert share_of((0xC0, 0, 0), tmp_path / "three.png") > 0 < share_of((0x1A, 0x7F, 0x37), tmp_path / "three.png")
    draw_flips(made, made.pairs[0], tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "three.png").read_bytes()


def test_flips_are_limited_and_colour_pictures_keep_their_colours(made: Comparison, tmp_path: Path) -> None:
    blue = np.zeros((4, 12, 12, 3), dtype=np.uint8)
    blue[1], blue[2] = (10, 20, 250), (250, 20, 220)
    coloured = replace(made, glyphs=replace(made.glyphs, images=blue))
    draw_flips(coloured, made.pairs[1], tmp_path / "one.png", limit=1)
    assert share_of((10, 20, 250), tmp_path / "one.png") > 0.01
    assert share_of((250, 20, 220), tmp_path / "one.png") == 0
    draw_flips(coloured, made.pairs[1], tmp_path / "two.png", limit=2)
    assert share_of((250, 20, 220), tmp_path / "two.png") > 0.01


@pytest.mark.parametrize("perfect", [False, True])
@pytest.mark.parametrize("count", [1, 3, 9])
def test_curves_of_any_number_of_runs(count: int, perfect: bool, made: Comparison, tmp_path: Path) -> None:
    rows = tuple(
        replace(row, validation_accuracy=1.0 if perfect else row.validation_accuracy) for row in made.entries[0].history
    )
    without = tuple(replace(row, validation_accuracy=None, validation_loss=None) for row in rows)
    entries = [replace(made.entries[0], name=f"run {n} $x_1$", history=rows) for n in range(count)]
    entries[0] = replace(entries[0], history=rows[:1])
    entries.append(replace(made.entries[0], name="without validation", history=without))
    entries.append(replace(made.entries[0], name="without epochs", history=()))
    draw_curves(replace(made, entries=tuple(entries)), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
