from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.cleaning import outline_stroke_width, remove_rules
from glyphlab.imaging.page import PageLayout, find_lines


def blank() -> NDArray[np.uint8]:
    return np.full((220, 500), 255, dtype=np.uint8)


def stems(picture: NDArray[np.uint8], *columns: int) -> None:
    """Upright strokes that give the line its height."""
    for column in columns:
        cv2.rectangle(picture, (column, 80), (column + 7, 140), 0, -1)


def only_line(picture: NDArray[np.uint8]) -> tuple[PageLayout, list[tuple[int, int]]]:
    """The layout of a page with one line, and the atoms' left and right ends."""
    layout = find_lines(picture)
    (line,) = layout.lines
    return layout, [(atom.box.left, atom.box.right) for atom in line.atoms]


def test_dots_belong_to_their_stems_even_beside_them() -> None:
    picture = blank()
    stems(picture, 60, 160, 260, 360)
    cv2.circle(picture, (63, 62), 5, 0, -1)  # above its stem
    cv2.circle(picture, (176, 62), 5, 0, -1)  # to the right of it, as in slanted writing
    layout, spans = only_line(picture)
    assert len(spans) == 4
    tops = [atom.box.top for atom in layout.lines[0].atoms]
    assert tops[0] < 60 and tops[1] < 60 and tops[2] >= 79 and tops[3] >= 79


def test_specks_between_letters_belong_to_none() -> None:
    picture = blank()
    stems(picture, 60, 160, 260)
    picture[118:122, 110:114] = 0
    picture[20:24, 400:404] = 0
    layout, spans = only_line(picture)
    assert len(spans) == 3
    assert all(atom.box.width <= 9 for atom in layout.lines[0].atoms)


def test_stacked_parts_are_one_letter() -> None:
    picture = blank()
    stems(picture, 60, 360)
    cv2.rectangle(picture, (160, 80), (200, 105), 0, 6)  # an 8 or B broken across
    cv2.rectangle(picture, (158, 112), (202, 140), 0, 6)
    _, spans = only_line(picture)
    assert len(spans) == 3


def test_halves_side_by_side_stay_a_hypothesis() -> None:
    picture = blank()
    stems(picture, 60, 360, 160)
    cv2.line(picture, (174, 110), (205, 110), 0, 6)  # an H whose bar has come off its left stem
    stems(picture, 200)
    layout, _ = only_line(picture)
    boxes = [(h.box.left, h.box.right) for h in layout.lines[0].hypotheses]
    assert any(left <= 161 and 205 <= right <= 212 for left, right in boxes)
    assert not any(left <= 61 and right >= 160 for left, right in boxes)  # too far apart to be one


def test_every_atom_alone_is_a_hypothesis_and_costs_are_not_negative() -> None:
    picture = blank()
    stems(picture, 60, 75, 90, 200)
    layout, spans = only_line(picture)
    (line,) = layout.lines
    alone = {h.first for h in line.hypotheses if h.end == h.first + 1}
    assert alone == set(range(len(spans)))
    assert all(h.cost >= 0 for h in line.hypotheses)


def test_small_atoms_are_never_cut() -> None:
    picture = blank()
    stems(picture, 60, 75, 200)
    picture[100:103, 300:302] = 0
    layout, spans = only_line(picture)
    (line,) = layout.lines
    assert layout.cut(line, set(range(len(spans)))) is line


def test_rules_go_and_what_crosses_them_stays_whole() -> None:
    mask = np.zeros((120, 600), dtype=np.uint8)
    mask[60:62, :] = 1
    mask[20:100, 300:305] = 1
    cleaned = remove_rules(mask, mask)
    assert cleaned[60:62, :290].sum() == 0 and cleaned[60:62, 315:].sum() == 0
    assert cleaned[20:100, 300:305].all()


def test_an_interrupted_rule_is_found_by_its_traces() -> None:
    traces = np.zeros((60, 600), dtype=np.uint8)
    traces[30, :] = 1
    mask = traces.copy()
    mask[30, ::3] = 0
    assert remove_rules(mask, traces).sum() == 0


def test_upright_rules_go_and_letters_do_not() -> None:
    mask = np.zeros((600, 600), dtype=np.uint8)
    mask[:, 40:42] = 1
    mask[100:160, 200:206] = 1  # an l of 60 pixels
    mask[300, 100:150] = 1  # a dash of 50
    cleaned = remove_rules(mask, mask)
    assert cleaned[:, 40:42].sum() == 0
    assert cleaned[100:160, 200:206].all() and cleaned[300, 100:150].all()


def test_stroke_width_is_the_pens() -> None:
    for width in (3, 5, 9):
        mask = np.zeros((200, 200), dtype=np.uint8)
        mask[20:180, 50 : 50 + width] = 1
        assert abs(outline_stroke_width(mask) - width) <= 0.5
    assert outline_stroke_width(np.zeros((9, 9), dtype=np.uint8)) == 1.0
