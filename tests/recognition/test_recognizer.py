from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glyphlab.errors import GlyphlabError, ImageError, ModelError
from glyphlab.recognition import recognizer as recognizer_module
from glyphlab.recognition.modelfile import METADATA_KEY, ModelInfo
from glyphlab.recognition.recognizer import Recognizer

Draw = Callable[[str], NDArray[np.uint8]]
WriteModel = Callable[..., Path]


@pytest.fixture
def recognizer(write_model: WriteModel) -> Recognizer:
    return Recognizer.load(write_model(), threads=2)


def test_a_model_tells_what_it_is(recognizer: Recognizer, info: ModelInfo) -> None:
    assert recognizer.class_names == ("1", "2", "O", "0")
    assert recognizer.framing == "mnist"
    assert recognizer.info == info
    assert repr(recognizer) == "<Recognizer of 4 classes, trained on strokes>"


def test_glyphs_get_the_probabilities_of_the_graph(recognizer: Recognizer, rng: np.random.Generator) -> None:
    glyphs = rng.integers(0, 256, (150, 28, 28), dtype=np.uint8)  # several batches
    y, x = np.mgrid[:28, :28] - 13.5
    upright = glyphs.reshape(150, -1).astype(np.float64) @ (y**2 - x**2).ravel() / 255 / 300
    logits = np.stack([upright, -upright, np.full(150, 1.5), np.full(150, 1.3)], axis=1)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probs = recognizer.predict_glyphs(glyphs)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, expected, atol=1e-5)
    np.testing.assert_array_equal(recognizer.predict_glyphs(glyphs[::-1])[::-1], probs)  # not contiguous
    assert recognizer.predict_glyphs(glyphs[:0]).shape == (0, 4)


@pytest.mark.parametrize(
    "glyphs", [np.zeros((1, 28, 28), np.float32), np.zeros((28, 28), np.uint8), np.zeros((1, 28, 28, 3), np.uint8)]
)
def test_glyphs_of_another_form_are_refused(recognizer: Recognizer, glyphs: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match=r"glyphs are .*; expected uint8 \[N, 28, 28\]"):
        recognizer.predict_glyphs(glyphs)


def test_pictures_of_every_form_are_answered(recognizer: Recognizer, stroke: Draw, tmp_path: Path) -> None:
    path = tmp_path / "lying.png"
    Image.fromarray(stroke("lying")).save(path)
    pictures = [stroke("upright"), path, str(path), Image.fromarray(stroke("ring")), 255 - stroke("upright")]
    answers = recognizer.predict(pictures)
    assert [answer.character for answer in answers] == ["1", "2", "2", "O", "1"]
    assert all(0.3 < answer.probability <= 1 and answer.certain for answer in answers)
    assert answers[3].alternatives[0][0] == "0"
    assert recognizer.predict([]) == []


def test_answers_may_be_restricted_and_doubted(recognizer: Recognizer, stroke: Draw) -> None:
    ring = [stroke("ring")]
    (plain,) = recognizer.predict(ring)
    (digit,) = recognizer.predict(ring, only="0-2")
    assert (plain.character, digit.character) == ("O", "0")
    assert digit.probability > plain.probability
    (doubted,) = recognizer.predict(ring, min_confidence=0.99, alternatives=1)
    assert not doubted.certain and str(doubted) == "O?" and len(doubted.alternatives) == 1
    (both,) = recognizer.predict(ring, coverage=0.9)
    assert both.prediction_set == ("O", "0") and not both.certain
    (alone,) = recognizer.predict([stroke("upright")], coverage=0.9)
    assert alone.prediction_set == ("1",) and alone.certain


def test_a_bad_picture_stops_predict_but_not_predict_many(recognizer: Recognizer, stroke: Draw, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"not a picture")
    pictures = [stroke("upright"), bad, stroke("blank"), stroke("lying"), tmp_path / "missing.png"]
    answers = [answer for _, answer in recognizer.predict_many(pictures)]
    assert [str(answers[0]), str(answers[3])] == ["1", "2"]
    assert "bad.png: not a picture" in str(answers[1])
    assert "the array: " in str(answers[2]) and isinstance(answers[2], ImageError)
    assert "missing.png: No such file" in str(answers[4])
    with pytest.raises(ImageError, match=r"bad\.png"):
        recognizer.predict(pictures)
    with pytest.raises(ImageError, match="give it in a list"):
        recognizer.predict("photo.png")


def test_a_stream_is_read_a_little_ahead_and_no_more(recognizer: Recognizer, stroke: Draw) -> None:
    taken = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        while True:
            taken += 1
            yield stroke("upright")

    answers = recognizer.predict_many(endless())
    for _ in range(70):
        picture, answer = next(answers)
        assert picture.shape == (120, 100) and str(answer) == "1"
    assert taken < 300
    before = threading.active_count()
    answers.close()
    assert threading.active_count() < before  # the preparing threads have ended


@pytest.mark.parametrize("most", [0, 5])
def test_of_large_pictures_few_are_held(
    recognizer: Recognizer, stroke: Draw, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(recognizer_module, "_MOST_BYTES", most * stroke("upright").nbytes)
    seen: list[weakref.ref[NDArray[np.uint8]]] = []
    alive: list[int] = []

    def stream() -> Iterator[NDArray[np.uint8]]:
        for _ in range(200):
            picture = stroke("upright").copy()
            seen.append(weakref.ref(picture))
            yield picture

    for _, answer in recognizer.predict_many(stream()):
        assert str(answer) == "1"
        alive.append(sum(one() is not None for one in seen))
    # A batch and what is under way, each with the one that was too many; and those that the two loops have in hand.
    assert len(alive) == 200 and max(alive) <= 2 * max(most + 1, 3) + 4


def test_the_order_stays(recognizer: Recognizer, stroke: Draw) -> None:
    kinds = ["upright", "lying", "ring"] * 60
    pictures = [stroke(kind) for kind in kinds]
    found = list(recognizer.predict_many(pictures))
    assert all(source is picture for (source, _), picture in zip(found, pictures, strict=True))
    assert [str(answer) for _, answer in found] == [{"upright": "1", "lying": "2", "ring": "O"}[k] for k in kinds]


def test_several_threads_may_share_a_model(recognizer: Recognizer, rng: np.random.Generator) -> None:
    glyphs = rng.integers(0, 256, (100, 28, 28), dtype=np.uint8)
    expected = recognizer.predict_glyphs(glyphs)
    results: list[NDArray[np.float32]] = []
    threads = [threading.Thread(target=lambda: results.append(recognizer.predict_glyphs(glyphs))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_prepared_glyphs_are_taken_as_they_are(recognizer: Recognizer, tmp_path: Path) -> None:
    glyph = np.zeros((28, 28), dtype=np.uint8)
    glyph[4:24, 20:22] = 255  # far from the middle: preparing it would move it there
    path = tmp_path / "glyph.png"
    Image.fromarray(glyph).save(path)
    ((_, answer),) = recognizer.predict_many([path], prepared=True)
    expected = recognizer.rule().decide(recognizer.predict_glyphs(glyph[None]))[0]
    assert answer == expected
    ((_, refused),) = recognizer.predict_many([glyph[:20]], prepared=True)
    assert "28 x 20 pixels; expected a prepared glyph of 28 x 28" in str(refused)


# ---- files that are no models -------------------------------------------------------------------------------------


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "letter.onnx"
    for content in (b"", b"dear all", bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"letter\.onnx .*cannot be used|is not a whole ONNX model|without Glyph"):
            Recognizer.load(path)


def test_a_model_cut_short_anywhere_is_refused(write_model: WriteModel, tmp_path: Path) -> None:
    whole = write_model().read_bytes()
    path = tmp_path / "cut.onnx"
    for length in range(1, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.onnx"):
            Recognizer.load(path)


def test_a_model_of_others_is_refused(write_model: WriteModel) -> None:
    with pytest.raises(ModelError, match=r"without Glyphlab's description.*'glyphlab export'"):
        Recognizer.load(write_model(metadata={"author": "somebody"}))
    with pytest.raises(ModelError, match="description under 'glyphlab' is damaged"):
        Recognizer.load(write_model(metadata={METADATA_KEY: "{}"}))
    with pytest.raises(ModelError, match="its format is 'glyphlab-model-9'"):
        Recognizer.load(write_model(metadata={METADATA_KEY: '{"format": "glyphlab-model-9"}'}))


@pytest.mark.parametrize("changes", [{"image_shape": (1, 20, 20)}, {"class_names": ("a", "b")}])
def test_a_description_of_another_graph_is_refused(write_model: WriteModel, changes: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="unlike its description"):
        Recognizer.load(write_model(**changes))


def test_wishes_that_a_model_cannot_fulfil(recognizer: Recognizer, write_model: WriteModel, stroke: Draw) -> None:
    with pytest.raises(ModelError, match="does not know x y; it knows 1 2 O 0"):
        recognizer.predict([], only="xy1")
    with pytest.raises(GlyphlabError, match="coverage is 95"):
        recognizer.predict([], coverage=95)
    with pytest.raises(GlyphlabError, match=r"min_confidence is 1\.5"):
        recognizer.predict([], min_confidence=1.5)
    without = Recognizer.load(write_model(conformal=None))
    with pytest.raises(ModelError, match="no scores of validation images"):
        without.predict([], coverage=0.9)
    with pytest.raises(ModelError, match="framing 'minst' is unknown; did you mean 'mnist'"):
        Recognizer.load(write_model(framing="minst")).predict([stroke("ring")])


def test_a_model_without_framing_fits_pictures_in_whole(write_model: WriteModel, stroke: Draw, info: ModelInfo) -> None:
    fitted = Recognizer.load(write_model(framing=None, invert=True))
    assert fitted.info == replace(info, framing=None, invert=True)
    answers = fitted.predict([stroke("upright"), stroke("lying"), stroke("blank")])
    assert [answer.character for answer in answers[:2]] == ["1", "2"]
    assert answers[2].character == "O"  # nothing is found blank here
