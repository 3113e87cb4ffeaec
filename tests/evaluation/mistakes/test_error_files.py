from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, ModelError, RunError
from glyphlab.evaluation.evaluate import judge
from glyphlab.evaluation.labels.outofsample import OutOfSample
from glyphlab.evaluation.mistakes import examination
from glyphlab.evaluation.mistakes.examination import Examination, answers_of, examine
from glyphlab.evaluation.mistakes.files import CLASS_COLUMNS, ERROR_COLUMNS, errors_folder, write_errors
from glyphlab.evaluation.result import Evaluation
from glyphlab.training.images import load_images
from glyphlab.training.run import Run


def answered(run: Run, names: str = "0Oa") -> tuple[Evaluation, GlyphSet]:
    """Made-up answers to the run's 30 test images: ten wrong ones, and image 20 only just right."""
    glyphs = replace(load_images(run.recipe, "test", None), class_names=tuple(names), remark="made up")
    logits = np.eye(3, dtype=np.float32)[glyphs.targets] * 4
    logits[::3] = np.roll(logits[::3], 1, axis=1) * np.linspace(0.5, 1.5, 10, dtype=np.float32)[:, None]
    logits[20] = 1.0
    logits[20, glyphs.targets[20]] = 1.1
    return Evaluation.from_logits(logits, glyphs), glyphs


def examined(run: Run, names: str = "0Oa", borderline: bool = False) -> Examination:
    return examine(run, run.classifier(), *answered(run, names), borderline=borderline)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_mistake_is_a_file_with_its_own_pixels(run: Run, tmp_path: Path) -> None:
    found = examined(run)
    out = write_errors(found, tmp_path / "errors")
    rows = rows_of(out / "errors.csv")
    assert tuple(rows[0]) == ERROR_COLUMNS and len(rows) == 10
    assert {out / row["file"] for row in rows} == set(out.glob("*__*/*.png"))
    for row in rows:
        index = int(row["index"])
        np.testing.assert_array_equal(np.asarray(Image.open(out / row["file"])), found.glyphs.images[index])
        assert row["id"] == found.glyphs.id_of(index)
        assert row["file"] == f"{row['true']}__{row['predicted']}/{row['id'].replace('/', '-')}"
        assert float(row["p_true"]) == pytest.approx(
            found.evaluation.probs[index, found.evaluation.targets[index]], abs=1e-6
        )
        near = [int(one) for one in row["nearest_of_true"].split()]
        assert found.nearest is not None and len(near) == 3
        assert {found.glyphs.class_names[k] for k in found.nearest.train.targets[near]} == {row["true"]}
    confidences = [float(row["confidence"]) for row in rows]
    assert confidences == sorted(confidences, reverse=True)


def test_tables_pictures_and_summary_agree(run: Run, tmp_path: Path) -> None:
    found = examined(run, borderline=True)
    out = write_errors(found, tmp_path / "errors")
    rows, classes = rows_of(out / "errors.csv"), rows_of(out / "classes.csv")
    assert tuple(classes[0]) == CLASS_COLUMNS and [row["class"] for row in classes] == ["0", "O", "a"]
    wrong = Counter(row["true"] for row in rows)
    given = Counter(row["predicted"] for row in rows)
    for row in classes:
        assert (int(row["images"]), int(row["wrong"])) == (10, wrong[row["class"]])
        assert int(row["wrongly_given"]) == given[row["class"]]
        assert float(row["recall"]) == 1 - wrong[row["class"]] / 10
        assert int(row["model_wrong"]) + int(row["label_suspicious"]) + int(row["ambiguous"]) == int(row["wrong"])
    summary = json.loads((out / "errors.json").read_text())
    assert summary["misclassified"] == 10 == summary["n"] - summary["correct"] == sum(summary["kinds"].values())
    kinds = Counter(row["kind"] for row in rows)
    assert summary["kinds"] == {kind: kinds[kind] for kind in ("model wrong", "label suspicious", "ambiguous")}
    alike = sum(int(row["look_alike"]) for row in rows)
    assert alike == sum({row["true"], row["predicted"]} == {"0", "O"} for row in rows) > 0
    assert summary["look_alike_mistakes"] == alike
    assert summary["merged_accuracy"] == pytest.approx((20 + alike) / 30)
    assert summary["accuracy"] == pytest.approx(20 / 30) and summary["look_alikes"] == "0 = O"
    assert summary["remark"] == "made up" and summary["borderline"] == 1
    borderline = rows_of(out / "borderline.csv")
    assert [row["index"] for row in borderline] == ["20"] and (out / borderline[0]["file"]).is_file()
    assert borderline[0]["file"].startswith("borderline/")
    for name in ("pairs.png", "surest.png", "classes/0.png", "classes/O.png", "classes/a.png"):
        with Image.open(out / name) as picture:
            assert min(picture.size) > 50, name


def test_case_twins_and_slashes_do_not_meet(run: Run, tmp_path: Path) -> None:
    out = write_errors(examined(run, "Aa/"), tmp_path / "errors")
    folders = {path.parent.name for path in out.glob("*__*/*.png")}
    assert folders == {"upper_A__lower_a", "lower_a__U+002F", "U+002F__upper_A"}
    assert len({name.casefold() for name in folders}) == 3


def test_no_mistakes_are_an_empty_table(run: Run, tmp_path: Path) -> None:
    _, glyphs = answered(run)
    right = Evaluation.from_logits(np.eye(3, dtype=np.float32)[glyphs.targets] * 9, glyphs)
    out = write_errors(examine(run, run.classifier(), right, glyphs), tmp_path / "errors")
    assert sorted(path.name for path in out.iterdir()) == ["classes.csv", "errors.csv", "errors.json"]
    assert rows_of(out / "errors.csv") == []


def test_description_gives_the_strict_figure_first_and_the_remark(run: Run) -> None:
    lines = examined(run).describe().splitlines()
    assert lines[0] == "bars test: 10 of 30 images wrong"
    assert lines[1].startswith("accuracy  66.67% (95% interval ")
    assert lines[2].startswith("merged    ") and "look-alikes counted as equal (0 = O)" in lines[2]
    assert lines[3].startswith("verdicts  model wrong ")
    assert any(line.startswith("note      one network alone is weak evidence") for line in lines)
    assert lines[-1] == "remark    made up"


def test_without_training_data_neighbours_are_left_out_and_it_is_said(run: Run, tmp_path: Path) -> None:
    evaluation, glyphs = answered(run)
    path = run.folder / "recipe.toml"
    path.write_text(path.read_text().replace("/bars", "/gone"))
    found = examine(run, run.classifier(), evaluation, glyphs)
    assert found.nearest is None and any("no nearest training images: " in note for note in found.notes)
    rows = rows_of(write_errors(found, tmp_path / "errors") / "errors.csv")
    assert len(rows) == 10 and {row["nearest_of_true"] for row in rows} == {""}


def test_mistakes_on_training_images_carry_a_warning(run: Run) -> None:
    classifier = run.classifier()
    found = examine(run, classifier, *judge(run, classifier, None, "train", None))
    assert any("trained on these images" in note for note in found.notes)


def test_k_fold_networks_judge_the_training_images(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = run.classifier()
    evaluation, glyphs = judge(run, classifier, None, "train", None)
    stored = OutOfSample(np.eye(3, dtype=np.float32)[glyphs.targets], np.ones(len(glyphs), np.int8), glyphs)
    monkeypatch.setattr(examination, "load_out_of_sample", lambda run, data_dir: stored)
    found = examine(run, classifier, evaluation, glyphs)
    assert found.others == ("k-fold",) and len(found.mistakes) > 0
    assert {one.kind for one in found.mistakes} == {"model wrong"}  # they confirm every label
    assert examine(run, classifier, *judge(run, classifier, None, "test", None)).others == ()


def test_other_networks_are_asked_about_the_same_images(run: Run, tmp_path: Path) -> None:
    classifier = run.classifier()
    evaluation, glyphs = judge(run, classifier, None, "test", None)
    again = answers_of(run, evaluation, glyphs)
    np.testing.assert_allclose(again.logits, evaluation.logits, atol=1e-5)
    turned = replace(evaluation, class_names=("c", "a", "b"))
    other = answers_of(run, turned, replace(glyphs, class_names=turned.class_names))
    np.testing.assert_allclose(other.logits, evaluation.logits[:, [2, 0, 1]], atol=1e-5)
    witness = Run(Path(shutil.copytree(run.folder, tmp_path / "witness")))
    found = examine(run, classifier, evaluation, glyphs, others=[witness])
    assert found.others == ("witness",)
    assert all("other networks say" in one.reason for one in found.mistakes)


def test_networks_with_other_classes_or_sizes_are_refused(run: Run) -> None:
    evaluation, glyphs = answered(run, "xyz")
    with pytest.raises(ModelError, match="run cannot be asked about bars: its classes are a, b, c; expected x, y, z"):
        answers_of(run, evaluation, glyphs)
    evaluation, glyphs = answered(run, "abc")
    small = replace(glyphs, images=glyphs.images[:, :8, :8].copy())
    with pytest.raises(DataError, match="bars has images of 1x8x8; the network takes 1x12x12"):
        answers_of(run, evaluation, small)


def test_a_result_with_the_users_own_changes_is_kept(run: Run, tmp_path: Path) -> None:
    found = examined(run)
    out = write_errors(found, tmp_path / "errors")
    write_errors(found, out)
    (out / "reviewed.txt").write_text("mine")
    with pytest.raises(RunError, match="--force"):
        write_errors(found, out)
    assert (out / "reviewed.txt").read_text() == "mine"


def test_folders_are_named_after_data_and_part(run: Run) -> None:
    assert errors_folder(run) == run.folder / "errors"
    assert errors_folder(run, "mine", "train") == run.folder / "errors-mine-train"
