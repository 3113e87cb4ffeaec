from __future__ import annotations

import numpy as np
import pytest

from glyphlab.recognition.alphabet import Alphabet
from glyphlab.recognition.prediction import Rule
from glyphlab.recognition.recognizer import Recognizer

CLASSES = ("0", "A", "O", "a")  # O stands for O and o
PROBS = np.array([[0.55, 0.0, 0.45, 0.0], [0.9, 0.02, 0.06, 0.02]], np.float32)


def test_a_class_that_stands_for_two_characters_is_twice_as_likely() -> None:
    doubtful, clear = Rule(Alphabet.whole(CLASSES)).decide(PROBS)
    assert doubtful.character == "O" and doubtful.probability == pytest.approx(0.9 / 1.45)
    assert doubtful.alternatives[0] == ("0", pytest.approx(0.55 / 1.45))
    assert clear.character == "0" and clear.prediction_set == () and clear.certain
    # Where capitals alone may occur, O is one character, as 0 is.
    assert Rule(Alphabet.parse("0A-O", ("0", *"ABCDEFGHIJKLMNO"))).decide(
        np.pad(PROBS[:1, [0, 2]], ((0, 0), (0, 14)))[:, [0, *range(2, 16), 1]]
    )[0].character == "0"  # fmt: skip


def test_prediction_sets_are_those_of_equally_common_classes_and_hold_the_answer() -> None:
    by_class = np.array([0.5, 0.5, 0.5, 0.5])  # from a probability of 0.5 on
    doubtful, clear = Rule(Alphabet.whole(CLASSES), thresholds=by_class).decide(PROBS)
    assert doubtful.character == "O" and doubtful.prediction_set == ("O", "0") and not doubtful.certain
    assert clear.prediction_set == ("0",) and clear.certain


def test_the_shipped_model_answers_for_62_characters_and_a_circle_is_an_o() -> None:
    recognizer = Recognizer.load("characters")
    assert sum(recognizer.rule().alphabet.stands_for) == 62
    rows, columns = np.mgrid[0:200, 0:200]
    radius = np.hypot(rows - 100, columns - 100)
    circle = np.where((radius > 62) & (radius < 80), 0, 255).astype(np.uint8)
    (free,) = recognizer.predict([circle])
    (digit,) = recognizer.predict([circle], only="0-9")
    assert free.character == "O" and "0" in dict(free.alternatives)
    assert digit.character == "0"
