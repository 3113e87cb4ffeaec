from __future__ import annotations

import numpy as np
import pytest

from glyphlab.imaging.box import Box
from glyphlab.imaging.spaces import divide, find_spaces


def line_of(text: str, widths: dict[str, int], gap: int, space: int, height: int = 40) -> list[Box]:
    boxes, x = [], 0
    for char in text:
        if char == " ":
            x += space - gap
            continue
        width = widths.get(char, 24)
        boxes.append(Box(x, 0, x + width, height))
        x += width + gap
    return boxes


def spaced(texts: list[str], gap: int, space: int) -> list[str]:
    """The texts again, from the spaces that were found."""
    lines = [line_of(text, {"i": 5, "m": 40}, gap, space) for text in texts]
    result = []
    for text, spaces in zip(texts, find_spaces(lines, [40.0] * len(lines)), strict=True):
        letters = text.replace(" ", "")
        result.append("".join(c + " " * s for c, s in zip(letters, [*spaces, False], strict=True)))
    return result


@pytest.mark.parametrize(("gap", "space"), [(4, 24), (0, 20), (8, 30), (24, 64)])
def test_spaces_are_found_for_narrow_and_wide_writing(gap: int, space: int) -> None:
    texts = ["mini is in", "nine men dine", "on me"]
    assert spaced(texts, gap, space) == texts


def test_a_page_of_single_words_has_no_spaces() -> None:
    for gap in (0, 6, 20):
        assert spaced(["minim", "1147", "none"], gap, 0) == ["minim", "1147", "none"]


def test_letters_in_equal_steps_are_judged_by_their_middles() -> None:
    # A form: a letter every 40 pixels; the free columns beside an i are nearly those of a space.
    texts = ["iiiim miiim", "mimim imiii", "immmm mmmmi"]
    lines = []
    for text in texts:
        boxes = []
        for place, char in enumerate(text):
            if char != " ":
                half = 3 if char == "i" else 17
                boxes.append(Box(40 * place + 20 - half, 0, 40 * place + 20 + half, 40))
        lines.append(boxes)
    for spaces in find_spaces(lines, [40.0] * 3):
        assert spaces == [place == 4 for place in range(9)]


def test_nothing_to_divide() -> None:
    assert find_spaces([], []) == []
    assert find_spaces([[Box(0, 0, 9, 9)]], [9.0]) == [[]]
    assert divide(np.array([])) is None
    assert divide(np.array([2.0, 2.0])) is None


def test_the_division_is_otsus() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(1, 0.2, 40), rng.normal(4, 0.5, 9)])
    division = divide(values)
    assert division is not None
    candidates = np.sort(values)[:-1]
    within = [
        values[values <= t].var() * (values <= t).mean() + values[values > t].var() * (values > t).mean()
        for t in candidates
    ]
    best = candidates[int(np.argmin(within))]
    assert best <= division.threshold < np.sort(values[values > best])[0]
    assert division.separation == pytest.approx(1 - min(within) / values.var())
