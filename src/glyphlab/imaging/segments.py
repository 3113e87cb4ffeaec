"""A line's components -> atoms, and the groups of neighbouring atoms that may be characters.

Writing is cut where characters may touch and never joined where it is not certain; which atoms make a character is
left to whoever can read them (`glyphlab.recognition.lattice`). This is the segmentation graph of LeCun, Bottou,
Bengio and Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE 86 (1998), section V.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.imaging.box import Box, around
from glyphlab.imaging.lines import Component, LineParts

Labels = NDArray[np.int32]  # [H, W]: 0 for paper, else the number of the atom

_MOST_ATOMS = 6  # of one character
_WIDEST_CHARACTER = 1.7  # line heights
_WIDEST_GAP = 0.25  # line heights between the parts of one character
_CUT_SPACING = 0.18  # line heights between cuts, and from a cut to the end
_CUT_THICKNESS = 2.6  # stroke widths: more ink is not cut through
_NEIGHBOURHOOD = 0.6  # line heights to either side, for a waist of the outline
_WAIST, _WAIST_COST = 0.65, 4.0  # a waist's height as a share of its neighbours'; stroke widths for a share of 1
_HOPELESS = 3.0  # nats: what costs more by its geometry alone is never read
_MOST_CUTS = 12  # in one component


@dataclass(frozen=True)
class Atom:
    """The smallest part of a line that is never divided.

    label: its number in the map. ink_to_previous: the ink, in stroke widths, that the cut between this atom and the
    one before goes through; 0 where the two do not touch.
    """

    label: int
    box: Box
    ink_to_previous: float = 0.0


@dataclass(frozen=True)
class Hypothesis:
    """Neighbouring atoms that may be one character: those from `first` to `end` - 1.

    cost: how unlikely that is by its geometry alone, in nats, 0 or more.
    """

    first: int
    end: int
    box: Box
    cost: float


@dataclass(frozen=True)
class AtomLine:
    """One line of a page. height: of its letters, stroke: the width of their strokes, both in pixels."""

    atoms: tuple[Atom, ...]
    hypotheses: tuple[Hypothesis, ...]
    height: float
    stroke: float


def segment_line(line: LineParts, labels: Labels, page_height: float, stroke: float) -> AtomLine:
    """Join dots and fragments to their letters and list what may be a character; nothing is cut yet.

    labels: the page's map; joined components get one number in it. page_height: typical height of letters on the
    page, stroke: width of its strokes, both in pixels.
    """
    height = _line_height(line, page_height)
    bodies = _join_stacked(list(line.bodies), labels)
    bodies = _join_small(bodies, line.small, labels, height, stroke)
    atoms = [Atom(body.label, body.box) for body in sorted(bodies, key=lambda component: component.box.centre_x)]
    return AtomLine(tuple(atoms), tuple(_hypotheses(atoms, height)), height, stroke)


def cut_atoms(line: AtomLine, labels: Labels, doubtful: Collection[int]) -> AtomLine:
    """The same line with some of its atoms cut wherever two characters may touch.

    labels: the page's map; the parts get numbers of their own in it. doubtful: places of the atoms to be cut.
    Returns the very same line where no place for a cut is found.
    """
    atoms: list[Atom] = []
    for place, atom in enumerate(line.atoms):
        atoms += _cut(atom, labels, line.height, line.stroke) if place in doubtful else [atom]
    if len(atoms) == len(line.atoms):
        return line
    return replace(line, atoms=tuple(atoms), hypotheses=tuple(_hypotheses(atoms, line.height)))


def _line_height(line: LineParts, page_height: float) -> float:
    """Height of the line's taller letters, not far from the page's."""
    own = float(np.percentile([body.box.height for body in line.bodies], 70))
    return float(np.clip(own, 0.6 * page_height, 1.8 * page_height))


def _join_stacked(bodies: list[Component], labels: Labels) -> list[Component]:
    """Join bodies one of which lies almost wholly in the columns of the other: the halves of a broken E or B."""
    joined: list[Component] = []
    for body in sorted(bodies, key=lambda component: -component.box.width):
        for index, other in enumerate(joined):
            if body.box.columns_shared(other.box) >= 0.8 * body.box.width:
                joined[index] = _merge(other, body, labels)
                break
        else:
            joined.append(body)
    return joined


def _join_small(
    bodies: list[Component], small: Sequence[Component], labels: Labels, height: float, stroke: float
) -> list[Component]:
    """Give every dot and fragment to the letter it belongs to; those that belong to none stay out."""
    joined = list(bodies)
    for part in small:
        distances = [_belonging(part, body, height, stroke) for body in bodies]
        nearest = int(np.argmin(distances))
        if distances[nearest] < np.inf:
            joined[nearest] = _merge(joined[nearest], part, labels)
    return joined


def _belonging(part: Component, body: Component, height: float, stroke: float) -> float:
    """Distance in pixels between a dot or fragment and a letter; infinite where they cannot belong together."""
    aside, between = max(0, -part.box.columns_shared(body.box)), max(0, -part.box.rows_shared(body.box))
    is_above = part.box.centre_y < body.box.top + 0.2 * body.box.height
    if is_above:  # as the dot of an i, which may stand to the side of a slanted stem
        is_stem = body.box.width < 0.5 * height
        return aside + 0.5 * between + (0 if is_stem else 0.1 * height) if aside < 0.35 * height else np.inf
    is_tiny = max(part.box.width, part.box.height) < 1.2 * stroke
    reach = 0.06 * height if is_tiny else 0.2 * height
    return float(aside + between) if max(aside, between) <= reach else np.inf


def _merge(one: Component, other: Component, labels: Labels) -> Component:
    """One component of two, in the map as well."""
    box = other.box
    window = labels[box.top : box.bottom, box.left : box.right]
    window[window == other.label] = one.label
    return Component(one.label, around((one.box, other.box)), one.area + other.area)


def _cut(atom: Atom, labels: Labels, height: float, stroke: float) -> list[Atom]:
    """An atom's parts between possible cuts, from left to right; itself where there is no place for a cut."""
    box = atom.box
    if box.width <= 2 * _CUT_SPACING * height:
        return [atom]
    window = labels[box.top : box.bottom, box.left : box.right]
    mask = window == atom.label
    resistance = _resistance(mask, height, stroke)
    columns = _cut_columns(resistance, height)
    if not columns:
        return [atom]
    bends = max(1, round(0.12 * height))
    seams = [_seam(mask, column, bends) for column in columns]
    side = np.zeros(mask.shape, dtype=np.int32)  # how many seams lie to the left of a pixel
    for seam in seams:
        side += np.arange(mask.shape[1])[None, :] >= seam[:, None]
    next_label = int(labels.max()) + 1
    atoms: list[Atom] = []
    for place in range(len(seams) + 1):
        part = mask & (side == place)
        if not part.any():
            continue
        left, top, width, part_height = cv2.boundingRect(part.astype(np.uint8))
        label = atom.label if not atoms else next_label
        if atoms:
            window[part] = label
            next_label += 1
        ink = min(_crossed(mask, seams[place - 1]) / stroke, float(resistance[columns[place - 1]])) if place else 0.0
        own_box = Box(box.left + left, box.top + top, box.left + left + width, box.top + top + part_height)
        # At least a hair of ink: zero stands for atoms that never touched.
        atoms.append(Atom(label, own_box, max(ink, 0.25) if atoms else atom.ink_to_previous))
    return atoms


def _resistance(mask: NDArray[np.bool_], height: float, stroke: float) -> NDArray[np.float64]:
    """What speaks against a cut at each column, in stroke widths, float64 [W].

    The ink of the column; or, where the outline is drawn in from above and below as between two rings that touch,
    how far its extent falls short of its neighbours'.
    """
    ink = np.convolve(mask.sum(axis=0), np.ones(3) / 3, mode="same")[: mask.shape[1]] / stroke
    extent = (mask.shape[0] - mask.argmax(axis=0) - mask[::-1].argmax(axis=0)) * mask.any(axis=0)
    reach = max(2, round(_NEIGHBOURHOOD * height))
    padded = np.pad(extent, reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach + 1).max(axis=1)
    left, right = windows[: len(extent)], windows[reach:]
    waist = extent / np.maximum(np.minimum(left, right), 1)
    return np.asarray(np.minimum(ink, np.where(waist < _WAIST, _WAIST_COST * waist, np.inf)))


def _cut_columns(resistance: NDArray[np.float64], height: float) -> list[int]:
    """Columns in which a component may be cut: those of least resistance, kept apart, in ascending order."""
    spacing = max(2, round(_CUT_SPACING * height))
    thin = np.flatnonzero(resistance <= _CUT_THICKNESS)
    thin = thin[(thin >= spacing) & (thin < len(resistance) - spacing)]
    # A flat stretch, as the bar between two letters, is cut in its middle.
    radius = spacing // 2 + 1
    padded = np.pad(resistance, radius, mode="edge")
    flatness = np.convolve(padded, np.ones(2 * radius + 1) / (2 * radius + 1), mode="valid")
    order = thin[np.lexsort((flatness[thin], resistance[thin].round(1)))]
    chosen: list[int] = []
    for column in order.tolist():
        if all(abs(column - other) >= spacing for other in chosen):
            chosen.append(column)
        if len(chosen) == _MOST_CUTS:
            break
    return sorted(chosen)


def _seam(mask: NDArray[np.bool_], column: int, bends: int) -> NDArray[np.int64]:
    """The path of least ink from top to bottom around a column: for each row the first column to its right.

    It may leave the column by `bends` pixels and moves by at most one pixel a row (dynamic programming).
    """
    low, high = max(column - bends, 0), min(column + bends + 1, mask.shape[1])
    ink = mask[:, low:high].astype(np.float64)
    ink += 0.02 * np.abs(np.arange(low, high) - column)  # the straight cut where nothing is gained
    total = ink.copy()
    for row in range(1, len(ink)):
        before = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(before[1:-1], np.minimum(before[:-2], before[2:]))
    seam = np.empty(len(ink), dtype=np.int64)
    place = int(np.argmin(total[-1]))
    for row in range(len(ink) - 1, -1, -1):
        if row < len(ink) - 1:
            start = max(place - 1, 0)
            place = start + int(np.argmin(total[row, start : place + 2]))
        seam[row] = low + place
    return seam


def _crossed(mask: NDArray[np.bool_], seam: NDArray[np.int64]) -> int:
    """Ink pixels on a seam."""
    return int(np.count_nonzero(mask[np.arange(len(seam)), seam]))


def _hypotheses(atoms: Sequence[Atom], height: float) -> list[Hypothesis]:
    """Runs of neighbouring atoms that may be one character, with their costs; each atom alone is among them."""
    found: list[Hypothesis] = []
    for first in range(len(atoms)):
        box, joining = atoms[first].box, 0.0
        for end in range(first + 1, min(first + _MOST_ATOMS, len(atoms)) + 1):
            if end > first + 1:
                atom = atoms[end - 1]
                gap = -atoms[end - 2].box.columns_shared(atom.box)
                box = around((box, atom.box))
                if gap > _WIDEST_GAP * height or box.width > _WIDEST_CHARACTER * height:
                    break
                joining += _joining_cost(atom, gap / height)
            cost = joining + _cutting_cost(atoms, first, end) + _shape_cost(box, height)
            if end == first + 1 or cost <= _HOPELESS:
                found.append(Hypothesis(first, end, box, cost))
    return found


def _joining_cost(atom: Atom, gap: float) -> float:
    """Of taking an atom together with the one before it. gap: in line heights, negative for overlap."""
    if atom.ink_to_previous:
        return 0.0
    return 1.2 + max(-1.0, 10.0 * gap)


def _cutting_cost(atoms: Sequence[Atom], first: int, end: int) -> float:
    """Of the cuts at the two ends of a character; each end bears half of its cut."""
    ends = [atoms[first].ink_to_previous, atoms[end].ink_to_previous if end < len(atoms) else 0.0]
    return sum(0.5 * (0.5 + 0.8 * ink) for ink in ends if ink)


def _shape_cost(box: Box, height: float) -> float:
    """Of a character's being wider than characters are."""
    return 3.0 * max(0.0, box.width / height - 1.15)
