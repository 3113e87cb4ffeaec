"""From pictures and drawings to answers as the service gives them; runs in the pool's threads."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ImageError
from glyphlab.imaging.box import Box
from glyphlab.imaging.glyph import find_ink
from glyphlab.imaging.picture import load_picture
from glyphlab.recognition.prediction import Rule
from glyphlab.recognition.preparation import preparation_of
from glyphlab.recognition.reader import Character, Page, read
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.web.shelf import Offer, Shelf
from glyphlab.web.strokes import Stroke, render, stand_side_by_side
from glyphlab.web.uploads import check_picture, data_url, nameless, png

_SURE = 0.5  # least probability of an answer that counts as sure, beside its set
_LOOKED_AT = 600  # pixels; enough to tell whether a picture is blank
_READ_ALTERNATIVES = 5


@dataclass(frozen=True)
class Wish:
    """How an answer is wanted; see `schemas.StrokesQuestion`."""

    model: str | None
    only: str | None
    coverage: float
    top: int

    def rule(self, recognizer: Recognizer) -> Rule:
        """How the model's probabilities become answers; models without scores for sets do without them."""
        coverage = self.coverage if recognizer.info.conformal is not None else None
        return recognizer.rule(only=self.only or None, min_confidence=_SURE, coverage=coverage, alternatives=self.top)


def answer_file(shelf: Shelf, content: bytes, wish: Wish, most_pixels: int) -> dict[str, Any]:
    """The answer for a picture of one character. Raises `Refusal`, `ImageError`, `ModelError`."""
    began = time.perf_counter()
    check_picture(content, most_pixels)
    offer, recognizer = shelf.recognizer(wish.model)
    return _answer(offer, recognizer, content, wish, began)


def answer_strokes(shelf: Shelf, strokes: Sequence[Stroke], wish: Wish, line: bool | str) -> dict[str, Any]:
    """The answer for a drawing. line: True, False or "auto"."""
    began = time.perf_counter()
    offer, recognizer = shelf.recognizer(wish.model)
    drawing = render(strokes)
    if drawing is None:
        wish.rule(recognizer)  # a mistake in the wish is one for a blank canvas, too
        return _blank(offer, began) | {"line": None}
    answer = _answer(offer, recognizer, drawing.image, wish, began)
    several = line is True or (line == "auto" and recognizer.framing is not None and stand_side_by_side(strokes))
    answer["line"] = _line(recognizer, strokes, wish, at_least=1 if line is True else 2) if several else None
    answer["milliseconds"] = _milliseconds(began)
    return answer


def as_json(value: dict[str, Any]) -> bytes:
    """As starlette's JSONResponse writes it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def glyph_of(recognizer: Recognizer, picture: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the network is shown of a picture. Raises `ImageError`."""
    with nameless():
        return preparation_of(recognizer.info)(picture)


def page_value(offer: Offer, recognizer: Recognizer, page: Page, coverage: float, began: float) -> dict[str, Any]:
    """A page as `schemas.PageText`."""
    rule = Wish(None, None, coverage, 0).rule(recognizer)
    return {
        "model": offer.id,
        "text": page.text,
        "lines": [
            {
                "text": line.text,
                "box": _box(line.box),
                "words": [
                    {
                        "text": word.text,
                        "box": _box(word.box),
                        "characters": [_page_character(character, rule) for character in word.characters],
                    }
                    for word in line.words
                ],
            }
            for line in page.lines
        ],
        "width": page.width,
        "height": page.height,
        "skew_degrees": round(page.skew_degrees, 2),
        "milliseconds": _milliseconds(began),
    }


def read_page(
    recognizer: Recognizer, content: bytes | NDArray[np.uint8], only: str | None, context: bool, language: str
) -> Page:
    """What is written on a page. Raises `ImageError`, `ModelError`, `GlyphlabError`."""
    with nameless():
        return read(
            recognizer,
            content,
            only=only or None,
            context=context,
            language=language,
            alternatives=_READ_ALTERNATIVES,
        )


def _answer(
    offer: Offer, recognizer: Recognizer, picture: bytes | NDArray[np.uint8], wish: Wish, began: float
) -> dict[str, Any]:
    rule = wish.rule(recognizer)
    try:
        glyph = glyph_of(recognizer, picture)
    except ImageError:
        if _is_blank(picture):
            return _blank(offer, began)
        raise
    prediction = rule.decide(recognizer.predict_glyphs(glyph[None]))[0]
    return {
        "model": offer.id,
        "blank": False,
        "character": prediction.character,
        "probability": round(prediction.probability, 6),
        "sure": prediction.certain,
        "set": list(prediction.prediction_set) or [prediction.character],
        "alternatives": _alternatives(prediction.alternatives),
        "glyph": data_url(png(glyph)),
        "milliseconds": _milliseconds(began),
    }


def _is_blank(picture: bytes | NDArray[np.uint8]) -> bool:
    """Whether nothing is written on a picture that could not be prepared."""
    try:
        return not find_ink(load_picture(picture, enough=_LOOKED_AT)).any()
    except ImageError:  # it is damaged, which has been said
        return False


def _blank(offer: Offer, began: float) -> dict[str, Any]:
    return {
        "model": offer.id,
        "blank": True,
        "character": None,
        "probability": None,
        "sure": False,
        "set": [],
        "alternatives": [],
        "glyph": None,
        "milliseconds": _milliseconds(began),
    }


def _line(recognizer: Recognizer, strokes: Sequence[Stroke], wish: Wish, at_least: int) -> dict[str, Any] | None:
    """A drawing read as a line; None where fewer characters are found."""
    drawing = render(strokes, as_line=True)
    if drawing is None:
        return None
    page = read_page(recognizer, drawing.image, wish.only, context=True, language="none")
    characters = [character for line in page.lines for word in line.words for character in word.characters]
    if len(characters) < at_least:
        return None
    rule = wish.rule(recognizer)
    return {
        "text": page.text,
        "characters": [
            {
                "character": one.text,
                "probability": round(one.probability, 6),
                "set": _set(one, rule),
                "box": [
                    round(v, 1) for v in drawing.on_canvas(one.box.left, one.box.top, one.box.width, one.box.height)
                ],
            }
            for one in characters
        ],
    }


def _page_character(one: Character, rule: Rule) -> dict[str, Any]:
    possible = _set(one, rule)
    return {
        "character": one.text,
        "probability": round(one.probability, 6),
        "box": _box(one.box),
        "alternatives": _alternatives(one.alternatives),
        "set": possible,
        "sure": len(possible) == 1 and one.probability >= _SURE,
    }


def _set(one: Character, rule: Rule) -> list[str]:
    """The character and those of its alternatives that cannot be ruled out."""
    return [one.text, *(text for text, probability in one.alternatives if rule.possible(text, probability))]


def _alternatives(pairs: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"character": name, "probability": round(probability, 6)} for name, probability in pairs]


def _box(box: Box) -> list[int]:
    return [box.left, box.top, box.width, box.height]


def _milliseconds(began: float) -> float:
    return round(1000 * (time.perf_counter() - began), 2)
