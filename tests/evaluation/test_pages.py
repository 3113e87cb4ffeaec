from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glyphlab.errors import DataError, GlyphlabWarning
from glyphlab.evaluation import pages
from glyphlab.evaluation.pages import Edits, compare, evaluate_pages
from glyphlab.imaging.box import Box
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.reader import Character, Line, Page, Word
from glyphlab.recognition.recognizer import Recognizer


class NoModel:
    info = ModelInfo(class_names=("a",), image_shape=(1, 28, 28), framing="emnist")

    def predict_glyphs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise AssertionError("not asked in these tests")


def page_of(text: str) -> Page:
    lines = [
        Line(tuple(Word(tuple(Character(char, 0.9, Box(0, 0, 9, 9)) for char in word)) for word in line.split()))
        for line in text.split("\n")
        if line
    ]
    return Page(tuple(lines), 100, 80)


def plain_distance(one: str, other: str) -> int:
    """The textbook's recursion, for comparison."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        plain_distance(one[1:], other) + 1,
        plain_distance(one, other[1:]) + 1,
        plain_distance(one[1:], other[1:]) + (one[0] != other[0]),
    )


def test_distances_agree_with_the_textbook(rng: np.random.Generator) -> None:
    for _ in range(60):
        one, other = ("".join(rng.choice(list("ab "), size=rng.integers(0, 6))) for _ in range(2))
        edits = compare(one, other)
        assert edits.distance == plain_distance(one, other), (one, other)
        assert edits.length == len(one)
        assert edits.hits + edits.substituted + edits.extra == len(other)
        assert compare(one, one) == Edits(hits=len(one))


def test_kinds_of_mistakes() -> None:
    assert compare("walk left", "waik left") == Edits(hits=8, substituted=1)
    assert compare("walk", "wak") == Edits(hits=3, missing=1)
    assert compare("walk", "wallk") == Edits(hits=4, extra=1)
    assert compare(["go", "on"], ["on"]) == Edits(hits=1, missing=1)
    assert (compare("ab", "b") + compare("c", "cd")) == Edits(hits=2, missing=1, extra=1)
    assert compare("", "ab").error_rate == 2 and Edits().accuracy == 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pages whose readings are fixed by their width."""
    readings = {40: "Walk lefl\n7", 60: "goon"}
    for name, width, text in (("one", 40, "walk  left \n\n7\n"), ("two", 60, "go on\n")):
        Image.fromarray(np.full((30, width), 255, dtype=np.uint8)).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "notes.md").write_text("no page")
    monkeypatch.setattr(pages, "read", lambda model, pixels, **options: page_of(readings[pixels.shape[1]]))
    return tmp_path


def test_figures_of_a_folder(folder: Path) -> None:
    found = evaluate_pages(NoModel(), folder)
    assert [page.name for page in found.pages] == ["one.png", "two.png"]
    assert found.characters == Edits(hits=14, substituted=1, missing=1)  # lefl; the space of "go on"
    assert found.characters_exact.distance == 3  # and the W
    assert found.words.hits == 2 and found.words.length == 5
    assert (found.lines.hits, found.lines.length) == (1, 3)
    # Without box files: lines of the right length, which are all, spaces left out.
    assert found.known_boxes == Edits(hits=12, substituted=1) and not found.has_box_files
    summary = found.summary()
    json.dumps(summary, allow_nan=False)
    assert summary["cer"] == pytest.approx(2 / 16) and summary["known_boxes_from"] == "lines of the right length"
    assert (
        "character error rate  12.50%, case ignored (18.75% with case): 1 read wrongly, 1 missing" in found.describe()
    )


def test_pictures_without_texts_are_counted_and_empty_texts_refused(folder: Path) -> None:
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(folder / "without-text.png")
    with pytest.warns(GlyphlabWarning, match="1 of 3 pictures left out, which have no text beside them"):
        assert len(evaluate_pages(NoModel(), folder).pages) == 2
    (folder / "without-text.png").unlink()
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text(" \n")
    with pytest.raises(DataError, match="the texts of all 2 pages are empty"):
        evaluate_pages(NoModel(), folder)


def test_a_capital_with_two_small_letters_is_one_character(folder: Path) -> None:
    (folder / "two.txt").write_text("GoİN\n", encoding="utf-8")
    found = evaluate_pages(NoModel(), folder)
    assert found.known_boxes == Edits(hits=11, substituted=2)


def test_lines_of_another_length_have_no_known_boxes(folder: Path) -> None:
    (folder / "two.txt").write_text("going on")
    assert evaluate_pages(NoModel(), folder).known_boxes == Edits(hits=8, substituted=1)


def test_box_files_give_the_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "two.box").write_text("g 1 5 4 9 0\no 5 5 9 9 0\no 20 2 24 10 0\nn 25 2 30 10 0\n")
    (folder / "one.png").unlink()
    seen: list[list[list[Box]]] = []

    def read_there(model: object, pixels: object, boxes: list[list[Box]], **options: object) -> str:
        seen.append(boxes)
        return "goox"

    monkeypatch.setattr(pages, "read_boxes", read_there)
    found = evaluate_pages(NoModel(), folder)
    assert seen == [[[Box(1, 21, 4, 25), Box(5, 21, 9, 25)], [Box(20, 20, 24, 28), Box(25, 20, 30, 28)]]]
    assert found.known_boxes == Edits(hits=3, substituted=1) and found.has_box_files
    assert "with known boxes      25.00% of 4 characters, by box files" in found.describe()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("g 1 5 4 9 0\n", r"two\.box holds the characters 'g'\.\.\.; two\.txt reads otherwise"),
        ("g 1 5\n", r"two\.box, line 1: 'g 1 5'; expected 'character left bottom right top page'"),
        ("g 1 5 four 9 0\n", r"two\.box, line 1: 'g 1 5 four 9 0'; expected"),
    ],
)
def test_damaged_box_files_are_named(folder: Path, rows: str, message: str) -> None:
    (folder / "two.box").write_text(rows)
    with pytest.raises(DataError, match=message):
        evaluate_pages(NoModel(), folder)


def test_folders_without_pages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*missing; expected one that holds pictures of pages"):
        evaluate_pages(NoModel(), tmp_path / "missing")
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"holds 1 pictures but none with its text beside it; expected page\.txt"):
        evaluate_pages(NoModel(), tmp_path)


def test_a_text_that_is_no_utf8_is_named(folder: Path) -> None:
    (folder / "one.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"cannot read .*one\.txt as UTF-8 text"):
        evaluate_pages(NoModel(), folder)


def test_real_pages_are_read_with_few_mistakes(real_data: Path, tmp_path: Path) -> None:
    try:
        model = Recognizer.load("characters")
    except Exception:
        pytest.skip("the model 'characters' is not installed")
    sources = sorted((real_data / "pages").glob("*.png"))[60::12]
    if not sources:
        pytest.skip("no pages among the real data")
    for path in sources:
        for source in (path, path.with_suffix(".txt")):
            (tmp_path / source.name).write_bytes(source.read_bytes())
    assert evaluate_pages(model, tmp_path).characters.error_rate < 0.06
