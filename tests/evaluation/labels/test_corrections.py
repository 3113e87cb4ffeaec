from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.sources import load_dataset
from glyphlab.errors import DataError
from glyphlab.evaluation.labels.corrected_set import write_corrected_set
from glyphlab.evaluation.labels.corrections import Correction, apply_corrections, read_corrections, write_corrections
from glyphlab.evaluation.model_info import framing_of_run
from glyphlab.training.train import compose, train

ROWS = [
    Correction("3", "a", "relabel", "c"),
    Correction("4", "b", "discard"),
    Correction("5", "c", "keep", "a"),
]


def test_the_table_comes_back(tmp_path: Path) -> None:
    rows = [*ROWS, Correction('odd, "id"\u00e9.png', "a", "relabel", "b")]
    write_corrections(rows, tmp_path / "corrections.csv")
    assert read_corrections(tmp_path / "corrections.csv") == rows
    assert (
        (tmp_path / "corrections.csv").read_text(encoding="utf-8").startswith("id,given,action,label\n3,a,relabel,c\n")
    )


def test_hand_made_tables_may_have_remarks_another_order_and_capitals(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\ufeffaction,remark,id,label,given\r\n Relabel ,looks odd,3, c ,a\r\n", encoding="utf-8")
    assert read_corrections(path) == [Correction("3", "a", "relabel", "c")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "has no column id, given, action, label; .* found an empty file"),
        ("id,given,label\n", "has no column action"),
        ("id,given,action,label\n3,a,relable,c\n", "row 2: action is 'relable'; did you mean 'relabel'"),
        ("id,given,action,label\n3,a,,c\n", "row 2: action is ''; known: keep, relabel, discard"),
        ("id,given,action,label\n3,a,relabel,\n", "row 2: relabel without a label"),
        ("id,given,action,label\n3,a\n", "row 2: action is ''"),
        ("id,given,action,label\n,a,keep,\n", "row 2: the id is empty"),
        ("id,given,action,label\n3,a,keep,\n3,a,discard,\n", "names the image '3' twice"),
        (b"\xff\xfe\x00", "cannot be read as a table of corrections"),
        (None, "no corrections at .*; write some with: glyphlab labels review"),
    ],
)
def test_mistakes_in_the_table_are_one_line(tmp_path: Path, content: str | bytes | None, problem: str) -> None:
    path = tmp_path / "corrections.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=problem) as caught:
        read_corrections(path)
    assert "\n" not in str(caught.value)


def test_labels_change_images_go_ids_stay(glyphs: GlyphSet) -> None:
    before = glyphs.digest()
    corrected = apply_corrections(glyphs, ROWS)
    assert (corrected.relabelled, corrected.discarded, corrected.kept) == (1, 1, 1)
    result = corrected.glyphs
    assert len(result) == 59 and result.ids is not None and "4" not in result.ids
    place = result.ids.index("3")
    assert result.class_names[result.targets[place]] == "c"
    np.testing.assert_array_equal(result.images[place], glyphs.images[3])
    unchanged = [index for index in range(60) if index not in (3, 4)]
    for index in unchanged:
        place = result.ids.index(str(index))
        assert result.targets[place] == glyphs.targets[index]
        np.testing.assert_array_equal(result.images[place], glyphs.images[index])
    assert result.remark == "corrected: 1 relabelled, 1 discarded"
    assert glyphs.digest() == before and glyphs.ids is None


def test_the_remark_is_carried_over(glyphs: GlyphSet) -> None:
    with_remark = replace(glyphs, remark="not the official split")
    assert apply_corrections(with_remark, ROWS).glyphs.remark == (
        "not the official split; corrected: 1 relabelled, 1 discarded"
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (Correction("99", "a", "discard"), "bars train: no image '99'; its ids run from '0' to '59'"),
        (Correction("3", "b", "discard"), "image '3' is labelled 'a', not 'b' .* another set or split"),
        (Correction("3", "a", "relabel", "A"), "image '3' shall become 'A', no class of the set; did you mean 'a'"),
        (Correction("3", "a", "relabel", "a"), "shall become 'a', which it is already"),
    ],
)
def test_corrections_that_do_not_fit_are_refused(glyphs: GlyphSet, row: Correction, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        apply_corrections(glyphs, [row])
    with pytest.raises(DataError, match=problem + ".*; and 1 further row"):
        apply_corrections(glyphs, [row, replace(row, id="98")])


def test_a_set_cannot_be_discarded_altogether(glyphs: GlyphSet) -> None:
    rows = [Correction(str(index), glyphs.class_names[glyphs.targets[index]], "discard") for index in range(60)]
    with pytest.raises(DataError, match="discard all 60 images"):
        apply_corrections(glyphs, rows)


def test_a_corrected_set_is_data_like_any_other(glyphs: GlyphSet, tmp_path: Path) -> None:
    test = glyphs.subset([0, 1, 2], split="test")
    summary = write_corrected_set(glyphs, test, ROWS, tmp_path / "new")
    train, again = load_dataset(tmp_path / "new"), load_dataset(tmp_path / "new", "test")
    assert train.digest() == apply_corrections(glyphs, ROWS).glyphs.digest() == summary["sha256"]
    assert again.digest() == test.digest()
    assert train.name == again.name == "bars-corrected" and train.remark and not again.remark
    assert summary["source"]["sha256"] == glyphs.digest()
    assert read_corrections(tmp_path / "new" / "corrections.csv") == ROWS


def test_a_corrected_copy_of_a_public_set_is_trained_as_that_set_is(tmp_path: Path) -> None:
    digits, copy = load_dataset("digits"), tmp_path / "copy"
    write_corrected_set(digits, None, [], copy)
    assert load_dataset(copy).origin == "digits"
    quick = {"network.name": "linear", "augment.redraw": 0.5}  # which concerns images that are framed alike
    run = train("flash", copy, epochs=1, settings=quick, runs_dir=tmp_path / "runs")
    assert framing_of_run(run, (1, 28, 28)) == "mnist"
    for name in ("emnist-balanced", "fashion-mnist"):
        write_corrected_set(replace(digits, name=name, origin=name), None, [], copy, force=True)
        made = compose("fast", copy)
        assert made.to_dict() == compose("fast", name).with_settings({"data.name": str(copy)}).to_dict()
    write_corrected_set(replace(digits, name="emnist-balanced", origin="emnist-balanced"), None, [], copy, force=True)
    assert compose("record", copy).training.teachers is None  # they learned the labels as they were
    assert compose("record", copy).network == compose("record", "digits").network


def test_the_test_part_may_be_the_corrected_one(glyphs: GlyphSet, tmp_path: Path) -> None:
    test = replace(glyphs, split="test")
    write_corrected_set(test, None, ROWS, tmp_path / "new")
    assert len(load_dataset(tmp_path / "new", "test")) == 59
    assert not (tmp_path / "new" / "train.npz").exists()


def test_nothing_is_written_over_unasked(glyphs: GlyphSet, tmp_path: Path) -> None:
    out = tmp_path / "new"
    out.mkdir()
    write_corrected_set(glyphs, None, ROWS, out)
    with pytest.raises(DataError, match="holds a corrected set already; choose another --out, or --force"):
        write_corrected_set(glyphs, None, ROWS[:1], out)
    assert len(load_dataset(out)) == 59
    write_corrected_set(glyphs, None, ROWS[:1], out, force=True)
    assert len(load_dataset(out)) == 60


def test_no_part_of_a_former_set_stays(glyphs: GlyphSet, tmp_path: Path) -> None:
    write_corrected_set(glyphs, glyphs.subset([0], "test"), [], tmp_path / "out")
    write_corrected_set(replace(glyphs, name="other"), None, [], tmp_path / "out", force=True)
    assert not (tmp_path / "out" / "test.npz").exists()


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_corrected_set_is_never_written_over(glyphs: GlyphSet, tmp_path: Path, force: bool) -> None:
    glyphs.save(tmp_path / "mine" / "train.npz")
    with pytest.raises(DataError, match="is no corrected set; choose another --out"):
        write_corrected_set(glyphs, None, ROWS, tmp_path / "mine", force=force)
    assert load_dataset(tmp_path / "mine").digest() == glyphs.digest()
