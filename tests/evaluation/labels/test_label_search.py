from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, RunError
from glyphlab.evaluation.labels import confident
from glyphlab.evaluation.labels.nearest import nearest_others
from glyphlab.evaluation.labels.pictures import draw_duplicates, draw_outliers, draw_suspicious
from glyphlab.evaluation.labels.search import LabelSearch, read_labels, require_searched

WRONG = (7, 30, 101)


@pytest.fixture
def search(rng: np.random.Generator) -> LabelSearch:
    """150 images of which three are labelled wrong, and a network that knows better; two images are equal."""
    truth = np.arange(150, dtype=np.int64) % 3
    logits = rng.normal(size=(150, 3))
    logits[np.arange(150), truth] += 4
    targets = truth.copy()
    for index in WRONG:
        targets[index] = (targets[index] + 1) % 3
    images = rng.integers(0, 256, size=(150, 12, 12), dtype=np.uint8)
    images[100] = images[101]  # 100 and 101 now carry different labels
    ids = tuple(f"photo, {index}.png" for index in range(150))
    glyphs = GlyphSet(images, targets, ("a", "b", "c"), name="noise", ids=ids)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return LabelSearch(glyphs, probs, nearest_others(images.reshape(150, -1).astype(np.float32), 10))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_wrong_labels_come_first_with_the_right_suggestion(search: LabelSearch) -> None:
    assert set(search.order[:3]) == set(WRONG)
    np.testing.assert_array_equal(search.suggested[list(WRONG)], [index % 3 for index in WRONG])
    np.testing.assert_array_equal(search.order, np.argsort(search.self_confidence, kind="stable"))
    assert set(WRONG) <= set(search.suspicious)


def test_the_score_may_be_chosen(search: LabelSearch) -> None:
    other = LabelSearch(search.glyphs, search.probs, ranked_by="normalized_margin")
    np.testing.assert_array_equal(other.order, np.argsort(other.normalized_margin, kind="stable"))


def test_weak_networks_are_told_from_able_ones(search: LabelSearch) -> None:
    count, classes = search.probs.shape
    assert search.agreement >= 0.8 and not search.is_doubtful
    weak = replace(search, probs=np.eye(classes)[(search.glyphs.targets + (np.arange(count) % 4 == 0)) % classes])
    assert weak.agreement == pytest.approx(0.75, abs=0.01) and weak.is_doubtful and weak.summary()["doubtful"]


def test_tables_say_what_was_found(search: LabelSearch, tmp_path: Path) -> None:
    search.write(tmp_path)
    rows = rows_of(tmp_path / "labels.csv")
    assert len(rows) == 100 and [row["rank"] for row in rows] == [str(rank) for rank in range(1, 101)]
    first = int(search.order[0])
    assert rows[0]["id"] == f"photo, {first}.png" and rows[0]["index"] == str(first)
    assert rows[0]["given"] == "abc"[search.glyphs.targets[first]]
    assert rows[0]["suggested"] == "abc"[search.suggested[first]] and rows[0]["issue"] == "yes"
    given = search.probs[first, search.glyphs.targets[first]]
    assert float(rows[0]["self_confidence"]) == pytest.approx(given, abs=1e-6)
    issues = confident.label_issues(search.probs, search.glyphs.targets)
    assert sum(row["issue"] == "yes" for row in rows) == issues.sum()

    pairs = rows_of(tmp_path / "duplicates.csv")
    equal = [row for row in pairs if row["kind"] == "equal"]
    assert len(equal) == 1 and equal[0]["same_label"] == "no"
    assert (equal[0]["id_1"], equal[0]["id_2"]) == ("photo, 100.png", "photo, 101.png")
    assert len(rows_of(tmp_path / "outliers.csv")) == 100
    about = json.loads((tmp_path / "labels.json").read_text())
    assert about["images"] == 150 and about["issues"] == issues.sum() and about["ranked_by"] == "self_confidence"
    assert about["duplicates_with_different_labels"] >= 1
    assert about["data_sha256"] == search.glyphs.digest()


def test_labels_csv_comes_back(search: LabelSearch, tmp_path: Path) -> None:
    search.write(tmp_path)
    suspicions = read_labels(tmp_path / "labels.csv")
    assert [row.index for row in suspicions] == search.order[:100].tolist()
    assert suspicions[0].id == search.glyphs.id_of(suspicions[0].index)


def test_without_neighbours_only_equal_pixels_are_looked_for(search: LabelSearch) -> None:
    alone = LabelSearch(search.glyphs, search.probs)
    assert [(pair.first, pair.second) for pair in alone.duplicates] == [(100, 101)]
    assert len(alone.outliers) == 0


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no suspicious labels at .*; write it with: glyphlab labels find"),
        ("a,b\n1,2\n", r"is not a table of suspicious labels: it begins \['a', 'b'\]"),
        (
            "rank,id,index,given,suggested,self_confidence,normalized_margin,issue\n1,x,y,a,b,0,0,no\n",
            "cannot be read as a table of suspicious labels: invalid literal",
        ),
    ],
)
def test_another_table_is_refused(tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "labels.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RunError, match=problem):
        read_labels(path)


def test_findings_are_about_the_images_that_were_searched(search: LabelSearch, tmp_path: Path) -> None:
    search.write(tmp_path)
    rows = read_labels(tmp_path / "labels.csv")
    require_searched(tmp_path, rows, search.glyphs, "find")
    fewer, other = search.glyphs.subset(range(3, 150)), replace(search.glyphs, images=255 - search.glyphs.images)
    for changed in (fewer, other):
        with pytest.raises(DataError, match=r"train images of 'noise' have changed .*; search again with: find"):
            require_searched(tmp_path, rows, changed, "find")
    (tmp_path / "labels.json").write_text("{}")
    with pytest.raises(RunError, match=r"labels\.json: 'data_sha256'; search again with: find"):
        require_searched(tmp_path, rows, search.glyphs, "find")
    (tmp_path / "labels.json").unlink()
    require_searched(tmp_path, rows, search.glyphs, "find")
    with pytest.raises(DataError, match="have changed"):
        require_searched(tmp_path, rows, fewer, "find")


@pytest.mark.parametrize("channels", [1, 3])
def test_sheets_are_drawn(search: LabelSearch, tmp_path: Path, channels: int) -> None:
    glyphs = replace(search.glyphs, class_names=("$a", "b" * 40, "字"))
    if channels == 3:
        glyphs = replace(glyphs, images=np.repeat(glyphs.images[..., None], 3, axis=3))
    shown = LabelSearch(glyphs, search.probs, search.nearest)
    for draw in (draw_suspicious, draw_duplicates, draw_outliers):
        draw(shown, tmp_path / "sheet.png", limit=12)
        with Image.open(tmp_path / "sheet.png") as picture:
            assert picture.width >= 700 and picture.height >= 200


def test_a_label_issue_has_a_red_frame(search: LabelSearch, tmp_path: Path) -> None:
    def red_pixels(shown: LabelSearch) -> int:
        draw_suspicious(shown, tmp_path / "sheet.png", limit=3)
        with Image.open(tmp_path / "sheet.png") as picture:
            red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")).astype(int), 2, 0)
        return int(((red > 150) & (green < 40) & (blue < 40)).sum())

    trusted = LabelSearch(GlyphSet(search.glyphs.images, search.probs.argmax(1), ("a", "b", "c")), search.probs)
    assert not trusted.is_issue[trusted.order[:3]].any()
    assert red_pixels(search) > 500 > red_pixels(trusted)
