from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from glyphlab.errors import GlyphlabError, ImageError, ModelError
from glyphlab.imaging.box import Box
from glyphlab.imaging.glyph import FRAMINGS, prepare_ink
from glyphlab.imaging.segments import Hypothesis
from glyphlab.recognition.lattice import best_path
from glyphlab.recognition.lettercase import Letter, choose_cases
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.overlay import _font, _font_for, _has, draw_overlay
from glyphlab.recognition.proportions import plausibility, sureness
from glyphlab.recognition.reader import read, read_boxes

Picture = NDArray[np.uint8]
# Letters that differ in print from each other, in both cases where the cases differ.
NAMES = tuple("23456789ABCDEFGHJKLMNPRSTUXYZabdefghnqrt")


def drawn(char: str, size: int) -> Picture:
    canvas = Image.new("L", (3 * size, 3 * size), 255)
    ImageDraw.Draw(canvas).text((size, size), char, 0, ImageFont.load_default(size))
    return np.asarray(canvas)


@lru_cache(maxsize=1)
def templates() -> NDArray[np.float32]:
    inks = [(255 - drawn(name, 40).astype(np.float32)) / 255 for name in NAMES]
    glyphs = np.stack([prepare_ink(ink, FRAMINGS["emnist"]) for ink in inks]).astype(np.float32)
    return glyphs.reshape(len(NAMES), -1)


class PrintReader:
    """A model of printed characters: the nearer a glyph is to one's template, the more probable it is."""

    info = ModelInfo(class_names=NAMES, image_shape=(1, 28, 28), framing="emnist")

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict_glyphs(self, images: Picture) -> NDArray[np.float32]:
        self.calls.append(len(images))
        flat = images.reshape(len(images), -1).astype(np.float32)
        distances = ((flat[:, None] - templates()[None]) ** 2).mean(axis=2)
        scores = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / 300)
        # What is like no template is nothing for certain.
        certainty = np.exp(-distances.min(axis=1, keepdims=True) / 3000)
        probs = certainty * scores / scores.sum(axis=1, keepdims=True) + (1 - certainty) / len(NAMES)
        return probs.astype(np.float32)


def page_of(lines: list[str], size: int = 40, spacing: float = 5) -> Picture:
    canvas = Image.new("L", (700, int(2.2 * size * len(lines)) + 100), 255)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    for row, line in enumerate(lines):
        x = 50.0
        for char in line:
            draw.text((x, 50 + row * 2.2 * size), char, 0, font)
            x += draw.textlength(char, font) + spacing
    return np.asarray(canvas)


TEXT = ["THE BLUE HARE", "LEAPS 357 TREES", "2468 END"]


def test_a_page_is_read_with_lines_words_and_places() -> None:
    page = read(PrintReader(), page_of(TEXT))
    assert page.text == "\n".join(TEXT)
    assert (page.width, page.height, page.skew_degrees) == (700, 364, 0)
    assert [len(line.words) for line in page.lines] == [3, 3, 2]
    word = page.lines[1].words[1]
    assert word.text == "357" and 0.5 < word.probability <= 1
    for line in page.lines:
        for one, other in zip(line.words, line.words[1:], strict=False):
            assert one.box.right < other.box.left
        assert line.box.top <= min(word.box.top for word in line.words)
    for character in word.characters:
        assert len(character.alternatives) == 3
        probabilities = [character.probability, *(p for _, p in character.alternatives)]
        assert probabilities == sorted(probabilities, reverse=True)


@pytest.mark.parametrize("degrees", [-6.0, 3.0])
def test_a_turned_page_reads_the_same_and_its_boxes_hold_the_ink(degrees: float) -> None:
    picture = page_of(TEXT)
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    turned = np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderValue=255), dtype=np.uint8)
    page = read(PrintReader(), turned)
    assert page.text == "\n".join(TEXT)
    assert page.skew_degrees == pytest.approx(-degrees, abs=0.4)
    box = page.lines[2].words[0].box
    inside = turned[box.top : box.bottom, box.left : box.right]
    assert (inside < 128).mean() > 0.1


def test_touching_letters_are_parted_by_the_model() -> None:
    lines = ["HAREND", "TREES"]
    page = read(PrintReader(), page_of(lines, spacing=-1.5))
    assert page.text == "\n".join(lines)


def test_all_characters_of_a_page_go_to_the_model_at_once() -> None:
    model = PrintReader()
    read(model, page_of(TEXT))
    assert len(model.calls) <= 2  # without cuts, and once more where cuts were needed
    assert model.calls[0] >= sum(len(line.replace(" ", "")) for line in TEXT)


def test_only_restricts_the_answers() -> None:
    page = read(PrintReader(), page_of(["2468", "357"]), only="0-9".replace("0-9", "2-9"))
    assert page.text == "2468\n357"
    letters = read(PrintReader(), page_of(["2468", "357"]), only="A-H")
    assert set(letters.text) <= set("ABCDEFGH\n ")
    with pytest.raises(ModelError, match="does not know"):
        read(PrintReader(), page_of(["2"]), only="0-9")


def test_a_blank_page_has_no_text_and_asks_the_model_nothing() -> None:
    model = PrintReader()
    page = read(model, np.full((100, 200), 255, dtype=np.uint8))
    assert page.text == "" and page.lines == () and model.calls == []
    assert page.box == Box(0, 0, 200, 100)


def test_a_wrong_language_model_or_picture_is_said_so() -> None:
    with pytest.raises(GlyphlabError, match=r"language is 'eng'; did you mean 'en'\?"):
        read(PrintReader(), page_of(["AB"]), language="eng")
    whole = PrintReader()
    whole.info = ModelInfo(class_names=NAMES, image_shape=(1, 28, 28), framing=None)
    with pytest.raises(ModelError, match="it cannot read pages"):
        read(whole, page_of(["AB"]))
    with pytest.raises(ImageError):
        read(PrintReader(), b"no picture")


def test_known_boxes_are_read_in_their_order() -> None:
    picture = page_of(["AB", "DE"])
    page = read(PrintReader(), picture)
    boxes = [[c.box for c in word.characters] for line in page.lines for word in line.words]
    assert read_boxes(PrintReader(), picture, boxes) == "ABDE"
    assert read_boxes(PrintReader(), picture, boxes[::-1]) == "DEAB"
    assert read_boxes(PrintReader(), picture, []) == ""
    assert len(read_boxes(PrintReader(), picture, [[Box(0, 0, 5, 5)]])) == 1  # nothing is written there


def test_the_overlay_marks_what_was_read() -> None:
    picture = page_of(TEXT)
    page = read(PrintReader(), picture)
    overlay = draw_overlay(picture, page)
    assert overlay.shape == (*picture.shape, 3) and overlay.dtype == np.uint8
    corner = page.lines[0].words[0].box
    assert tuple(overlay[corner.bottom, corner.right]) == (27, 110, 194)
    np.testing.assert_array_equal(draw_overlay(255 - picture, page), overlay)


def test_the_overlay_writes_what_its_font_has_and_names_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _font_for("abc") is None  # Pillow's own
    greek = _font_for("αβω")
    assert greek is not None and all(_has(_font(greek, 20), letter) for letter in "αβω")
    assert not _has(_font(None, 20), "α") and _has(_font(None, 20), " ")
    picture = page_of(TEXT)
    page = read(PrintReader(), picture)
    written: list[str] = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda self, place, text, *rest, **more: written.append(text))
    first = page.lines[0].words[0].characters[0]
    object.__setattr__(first, "text", "\uffff")
    draw_overlay(picture, page)
    assert "U+FFFF" in written


def test_the_best_path_weighs_doubt_against_cost() -> None:
    box = Box(0, 0, 9, 9)
    arcs = [Hypothesis(0, 1, box, 0.0), Hypothesis(1, 2, box, 0.0), Hypothesis(0, 2, box, 1.0)]
    assert best_path(arcs, np.array([0.9, 0.9, 0.9]), 2) == [0, 1]
    assert best_path(arcs, np.array([0.2, 0.2, 0.9]), 2) == [2]
    assert best_path([], np.array([]), 0) == []


def test_the_best_path_is_the_best_of_all_paths(rng: np.random.Generator) -> None:
    def all_paths(start: int, end: int) -> list[list[int]]:
        if start == end:
            return [[]]
        return [
            [index, *rest] for index, arc in enumerate(arcs) if arc.first == start for rest in all_paths(arc.end, end)
        ]

    for _ in range(20):
        spans = [(a, b) for a in range(6) for b in range(a + 1, min(a + 4, 7))]
        arcs = [Hypothesis(a, b, Box(0, 0, 1, 1), float(rng.uniform(0, 2))) for a, b in spans]
        sure = rng.uniform(0.01, 1, len(arcs))
        costs = [sum(arcs[i].cost - np.log(sure[i]) for i in path) for path in all_paths(0, 6)]
        found = best_path(arcs, sure, 6)
        assert sum(arcs[i].cost - np.log(sure[i]) for i in found) == pytest.approx(min(costs))


def test_proportions_tell_one_from_two() -> None:
    names = ["d", "O", "0", "?"]
    aspects = np.array([0.75, 1.6])
    fit = plausibility(names, aspects)
    assert fit.shape == (2, 4) and (fit > 0).all() and (fit <= 1).all()
    assert fit[0, 0] > 0.9 > 0.3 > fit[1, 0]
    probs = np.array([[0.0, 0.5, 0.5, 0.0]], dtype=np.float32)
    assert sureness(probs, names, np.array([1.0]))[0] > 0.9  # O or 0: a character in any case


def letters(text: str, heights: dict[str, float], known: str = "abdefghnqrtABDEFGHNQRT0123456789") -> list[Letter]:
    return [Letter(char, heights.get(char, 20.0), char in known) for char in text]


def test_case_follows_the_height_and_else_the_neighbours() -> None:
    tall, low = 40.0, 24.0
    sizes = {"C": low, "a": low, "n": low, "e": low, "t": tall, "h": tall, "O": low, "S": tall}
    assert choose_cases([letters("OCeant", sizes), letters("Sent", sizes)]) == [list("oceant"), list("Sent")]
    flat = dict.fromkeys("CaLKeSW", 30.0)
    assert choose_cases([letters("WaLK", flat)]) == [list("walk")]
    assert choose_cases([letters("BACK", flat)]) == [list("BACK")]
    assert choose_cases([letters("COK", flat)]) == [list("cok")]
    assert choose_cases([letters("12", flat)]) == [list("12")]
