"""A picture of a page -> what is written on it: lines, words and characters with their places and probabilities.

For characters written apart or touching a little. Joined cursive, where a word is one stroke, is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ModelError
from glyphlab.imaging.box import Box, around
from glyphlab.imaging.glyph import Framing, prepare_ink
from glyphlab.imaging.page import PageLayout, find_lines, page_ink
from glyphlab.imaging.picture import PictureSource, load_picture
from glyphlab.imaging.segments import AtomLine
from glyphlab.imaging.spaces import find_spaces
from glyphlab.recognition.alphabet import Alphabet, case_known
from glyphlab.recognition.context import Context
from glyphlab.recognition.lattice import best_path
from glyphlab.recognition.lettercase import Letter, choose_cases
from glyphlab.recognition.modelfile import ModelInfo
from glyphlab.recognition.preparation import framing_of
from glyphlab.recognition.proportions import sureness

# How sure the recogniser must be of a character of some width, in line heights, that it is not two: from the first
# number up to the last, where only certainty would do.
_WIDTHS, _NEEDED = (0.55, 0.8, 1.1, 1.4), (0.0, 0.4, 0.7, 1.01)


class GlyphModel(Protocol):
    """What reading needs of a `Recognizer`."""

    info: ModelInfo

    def predict_glyphs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Calibrated probabilities of prepared glyphs: uint8 [N, H, W] -> float32 [N, K]."""


@dataclass(frozen=True)
class Character:
    """One character. box: on the page as it was given, in pixels. probability: 0 to 1, calibrated for single
    characters and then weighed with the neighbours'. alternatives: the next best, most probable first."""

    text: str
    probability: float
    box: Box
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Word:
    """Characters without a space between them, at least one."""

    characters: tuple[Character, ...]

    @property
    def text(self) -> str:
        """The characters in a row."""
        return "".join(character.text for character in self.characters)

    @property
    def probability(self) -> float:
        """Geometric mean of the characters' probabilities, 0 to 1."""
        probabilities = [max(character.probability, 1e-9) for character in self.characters]
        return float(np.exp(np.mean(np.log(probabilities))))

    @cached_property
    def box(self) -> Box:
        """Around the characters."""
        return around(character.box for character in self.characters)


@dataclass(frozen=True)
class Line:
    """Words from left to right, at least one."""

    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The words with a space between two."""
        return " ".join(word.text for word in self.words)

    @cached_property
    def box(self) -> Box:
        """Around the words."""
        return around(word.box for word in self.words)


@dataclass(frozen=True)
class Page:
    """What was read, in reading order. width, height: of the page as it was given, in pixels. skew_degrees: by how
    much its lines fell towards the right."""

    lines: tuple[Line, ...]
    width: int
    height: int
    skew_degrees: float = 0.0

    @property
    def text(self) -> str:
        """The lines, each but the last ended by a line feed; "" for an empty page."""
        return "\n".join(line.text for line in self.lines)

    @property
    def box(self) -> Box:
        """Around the writing; the whole page where nothing is written."""
        return around(line.box for line in self.lines) if self.lines else Box(0, 0, self.width, self.height)


def read(
    recognizer: GlyphModel,
    page: PictureSource,
    *,
    only: str | None = None,
    context: bool = True,
    language: str = "en",
    alternatives: int = 3,
) -> Page:
    """Read a page.

    page: a path, bytes, uint8 array [H, W] or [H, W, 3], or Pillow image; a photo or a scan of it, dark on light or
        the reverse, turned by up to 12 degrees.
    only: the characters that may be answered, as for `Recognizer.predict`.
    context: let neighbours settle digits against letters, and the case of letters that look alike in both.
    language: whose letter pairs count as well: "en", or "none" for codes and other languages. Needs `context`.
    alternatives: how many runners-up to name for each character.

    Raises `ImageError` for a page that cannot be used, `ModelError` for a model or an alphabet that cannot.
    """
    framing = _framing(recognizer.info)
    names = recognizer.info.class_names
    alphabet = Alphabet.of(only, names)
    layout = find_lines(load_picture(page))
    lines = _find_characters(layout, recognizer, framing, alphabet)
    boxes = [line.boxes for line in lines]
    spaces = find_spaces(boxes, [line.height for line in lines])
    if context:
        neighbours = Context(alphabet.names, language)
        lines = [
            replace(line, probs=neighbours.settle(line.probs, space_after))
            for line, space_after in zip(lines, spaces, strict=True)
        ]
    return Page(
        lines=tuple(
            _as_line(line, space_after, layout, alphabet, names, context, alternatives)
            for line, space_after in zip(lines, spaces, strict=True)
        ),
        width=layout.placement.size[0],
        height=layout.placement.size[1],
        skew_degrees=layout.skew_degrees,
    )


def read_boxes(
    recognizer: GlyphModel,
    page: PictureSource,
    boxes: Sequence[Sequence[Box]],
    *,
    only: str | None = None,
    context: bool = True,
    language: str = "en",
) -> str:
    """Read characters whose places are known: what a page's error would be if they were found without fault.

    boxes: of each word's characters, in reading order, on the page as it is given. The rest as for `read`.
    Returns the characters of all words in a row, capitals where the model does not tell the cases.
    """
    framing, names = _framing(recognizer.info), recognizer.info.class_names
    alphabet = Alphabet.of(only, names)
    ink = page_ink(load_picture(page))
    characters = [box for word in boxes for box in word]
    if not characters:
        return ""
    glyphs = [_glyph_in(ink[box.top : box.bottom, box.left : box.right], framing) for box in characters]
    probs = alphabet.restrict(recognizer.predict_glyphs(np.stack(glyphs)))
    if context:
        ends = set(np.cumsum([len(word) for word in boxes]).tolist())
        space_after = [place in ends for place in range(1, len(characters))]
        probs = Context(alphabet.names, language).settle(probs, space_after)
    return "".join(alphabet.names[place] for place in probs.argmax(axis=1).tolist())


def _glyph_in(ink: NDArray[np.float32], framing: Framing) -> NDArray[np.uint8]:
    """The glyph of a box's ink; black where the box holds none."""
    if ink.size == 0 or ink.max() < 0.05:
        return np.zeros((framing.size, framing.size), dtype=np.uint8)
    return prepare_ink(ink / ink.max(), framing)


@dataclass(frozen=True, eq=False)
class _ReadLine:
    """The characters found in a line: boxes on the worked-on page and float32 [N, A] probabilities."""

    boxes: tuple[Box, ...]
    probs: NDArray[np.float32]
    height: float


def _framing(info: ModelInfo) -> Framing:
    """How the model wants its characters framed."""
    framing = framing_of(info)
    if framing is None:
        raise ModelError("the model was trained on whole pictures, not on framed characters; it cannot read pages")
    return framing


def _find_characters(
    layout: PageLayout, recognizer: GlyphModel, framing: Framing, alphabet: Alphabet
) -> list[_ReadLine]:
    """Choose among the hypotheses of all lines: first without any cut, then with cuts where that left a doubt."""

    def look(lines: Sequence[AtomLine], known: Sequence[dict[Box, NDArray[np.float32]]]) -> list[_SeenLine]:
        """What the network says to all hypotheses of all lines; those not known are judged at once."""
        wanted = [
            (line, hypothesis)
            for line, rows in zip(lines, known, strict=True)
            for hypothesis in line.hypotheses
            if hypothesis.box not in rows
        ]
        fresh = iter(())
        if wanted:
            glyphs = np.stack([prepare_ink(layout.cut_out(line, hypothesis), framing) for line, hypothesis in wanted])
            fresh = iter(alphabet.restrict(recognizer.predict_glyphs(glyphs)))
        return [
            _SeenLine(
                line, np.stack([rows[h.box] if h.box in rows else next(fresh) for h in line.hypotheses]), alphabet
            )
            for line, rows in zip(lines, known, strict=True)
        ]

    seen = look(layout.lines, [{} for _ in layout.lines])
    cut = [layout.cut(one.line, one.doubtful()) for one in seen]
    changed = [place for place, one in enumerate(seen) if cut[place] is not one.line]
    again = look([cut[place] for place in changed], [seen[place].by_box() for place in changed])
    for place, one in zip(changed, again, strict=True):
        seen[place] = one
    return [one.read() for one in seen]


@dataclass(frozen=True, eq=False)
class _SeenLine:
    """A line, and what the network says to each of its hypotheses, float32 [H, A]."""

    line: AtomLine
    probs: NDArray[np.float32]
    alphabet: Alphabet

    @cached_property
    def sure(self) -> NDArray[np.float64]:
        """How sure it is that each hypothesis is one character, [H], 0 to 1: by its looks and its proportions."""
        aspects = np.array([hypothesis.box.width / hypothesis.box.height for hypothesis in self.line.hypotheses])
        return sureness(self.probs, self.alphabet.names, aspects)

    @cached_property
    def path(self) -> list[int]:
        """The hypotheses that together are the line, from left to right."""
        return best_path(self.line.hypotheses, self.sure, len(self.line.atoms))

    def doubtful(self) -> set[int]:
        """Places of the atoms in which two characters may touch."""
        doubtful: set[int] = set()
        for index in self.path:
            hypothesis = self.line.hypotheses[index]
            width = hypothesis.box.width / self.line.height
            if self.sure[index] < np.interp(width, _WIDTHS, _NEEDED):
                doubtful.update(range(hypothesis.first, hypothesis.end))
        return doubtful

    def by_box(self) -> dict[Box, NDArray[np.float32]]:
        """The probabilities by box, which tells a hypothesis of its line: what was seen need not be looked at again."""
        return {hypothesis.box: row for hypothesis, row in zip(self.line.hypotheses, self.probs, strict=True)}

    def read(self) -> _ReadLine:
        """The characters on the best way."""
        boxes = tuple(self.line.hypotheses[index].box for index in self.path)
        return _ReadLine(boxes, self.probs[self.path], self.line.height)


def _as_line(
    line: _ReadLine,
    space_after: Sequence[bool],
    layout: PageLayout,
    alphabet: Alphabet,
    class_names: Sequence[str],
    context: bool,
    alternatives: int,
) -> Line:
    """Words of characters, with their places on the page as it was given."""
    order = np.argsort(-line.probs, axis=1, kind="stable")[:, : 1 + alternatives]
    characters = [
        Character(
            text=alphabet.names[row[0]],
            probability=float(probs[row[0]]),
            box=layout.placement.original(box),
            alternatives=tuple((alphabet.names[place], float(probs[place])) for place in row[1:]),
        )
        for row, probs, box in zip(order.tolist(), line.probs, line.boxes, strict=True)
    ]
    ends = [place + 1 for place, is_space in enumerate(space_after) if is_space] + [len(characters)]
    bounds = list(zip([0, *ends], ends, strict=False))
    if context and _both_cases(alphabet):
        heights = [box.height for box in line.boxes]
        words = [
            [
                Letter(c.text, h, case_known(c.text, class_names))
                for c, h in zip(characters[a:b], heights[a:b], strict=True)
            ]
            for a, b in bounds
        ]
        cased = [text for word in choose_cases(words) for text in word]
        characters = [replace(character, text=text) for character, text in zip(characters, cased, strict=True)]
    return Line(tuple(Word(tuple(characters[start:end])) for start, end in bounds))


def _both_cases(alphabet: Alphabet) -> bool:
    """Whether capitals and small letters may be answered; otherwise the case was asked for."""
    return any(name.isupper() for name in alphabet.names) and any(name.islower() for name in alphabet.names)
