"""A picture of a page -> its lines, and in each line the atoms and hypotheses from which characters are read."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ImageError
from glyphlab.imaging.background import even_out, ink_level
from glyphlab.imaging.box import Box
from glyphlab.imaging.cleaning import is_scan_edge, outline_stroke_width, remove_rules
from glyphlab.imaging.lines import Component, LineParts, group_lines, reaches_over_lines, text_height
from glyphlab.imaging.segments import AtomLine, Hypothesis, Labels, cut_atoms, segment_line
from glyphlab.imaging.skew import Placement, estimate_skew, unturn

_LONGEST_SIDE = 2400  # pixels; larger pages are shrunk before they are worked on
_LONG = 2  # times as long as wide, and more: not a page of a book
_INK = 0.3  # of full ink, from which a pixel belongs to a stroke
_TRACE = 0.08  # of full ink, from which there may be something at all
_SPECK = 0.08  # text heights: what is smaller in both directions is no dot
_MOST_COMPONENTS = 20_000
_HALO = 1  # pixels of fading ink that are cut out around a character


@dataclass(frozen=True, eq=False)
class PageLayout:
    """Where the writing of a page is.

    ink: float32 [H, W], 0 (paper) to 1 (ink), upright and cleaned. labels: int32 [H, W], 0 or the number of an atom.
    lines: in reading order. placement: from here back to the page as it was given. skew_degrees: by how much the
    page was turned; positive: its lines fell towards the right.
    """

    ink: NDArray[np.float32]
    labels: Labels
    lines: tuple[AtomLine, ...]
    placement: Placement
    skew_degrees: float

    def cut_out(self, line: AtomLine, hypothesis: Hypothesis) -> NDArray[np.float32]:
        """The ink of one hypothesis alone, float32 [h, w], 0 to 1; what belongs to its neighbours is paper.

        The darkest pixel becomes 1, so that a faint stroke is a stroke.
        """
        box = hypothesis.box
        rows = slice(max(box.top - _HALO, 0), box.bottom + _HALO)
        columns = slice(max(box.left - _HALO, 0), box.right + _HALO)
        owners = self.labels[rows, columns]
        own = np.zeros(owners.shape, dtype=np.uint8)
        for atom in line.atoms[hypothesis.first : hypothesis.end]:
            own[owners == atom.label] = 1
        # Its soft edge belongs to it, but no faint rule or stain farther off.
        near = cv2.dilate(own, np.ones((2 * _HALO + 1,) * 2, np.uint8)) & (owners == 0)
        ink = self.ink[rows, columns] * (own | near)
        return np.asarray(ink / max(float(ink.max()), 1e-6), dtype=np.float32)

    def cut(self, line: AtomLine, doubtful: Collection[int]) -> AtomLine:
        """A line of this page with the atoms at the places `doubtful` cut wherever two characters may touch."""
        return cut_atoms(line, self.labels, doubtful)


def find_lines(picture: NDArray[np.uint8]) -> PageLayout:
    """Find the writing on a page.

    picture: uint8 [H, W] grey or [H, W, 3] RGB; a photo or scan, dark on light or the reverse. Uneven light and
    turns of up to 12 degrees are evened out; ruled lines, table borders, scan edges and specks are left out.
    A page without writing has no lines. Raises `ImageError` for a page that is covered with specks.

    Made for characters that are written apart or touch a little, not for joined cursive.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, _scale(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    ink = page_ink(picture)
    degrees = estimate_skew(ink)
    ink, matrix = unturn(ink, degrees)
    placement = Placement(matrix * (width / picture.shape[1]), (width, height))
    mask = (ink > _INK).astype(np.uint8)
    cleaned = remove_rules(mask, (ink > _TRACE).astype(np.uint8))
    ink = ink * (cv2.dilate(mask - cleaned, np.ones((3, 3), np.uint8)) <= cleaned)
    labels, components = _components(cleaned)
    if not components:
        return PageLayout(ink, labels, (), placement, degrees)
    typical = text_height(components)
    stroke = outline_stroke_width(cleaned)
    parts = _lines_of(components, labels, typical)
    lines = tuple(segment_line(line, labels, typical, stroke) for line in parts)
    return PageLayout(ink, labels, lines, placement, degrees)


def _scale(height: int, width: int) -> float:
    """What brings a page to a good size; long ones, as receipts are, to the pixels of two square ones at most."""
    shorter, longer = sorted((height, width))
    if longer <= _LONG * shorter:
        return _LONGEST_SIDE / longer
    return _LONGEST_SIDE * math.sqrt(2 / (height * width))


def page_ink(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Where a page is written on, float32 [H, W] in 0..1: as `glyph.find_ink`, with the rules still there.

    Rules are found more surely on a page that stands upright, by their length among many letters.
    """
    contrast = even_out(picture).contrast
    level = ink_level(contrast)
    if level == 0:
        return np.zeros_like(contrast)
    return np.asarray(np.clip(contrast * np.float32(2 / level) - 0.5, 0, 1), dtype=np.float32)


def _components(mask: NDArray[np.uint8]) -> tuple[Labels, list[Component]]:
    """The page's map and its components, without scan edges and specks."""
    _, found, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    labels = np.asarray(found, dtype=np.int32)
    sizes = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    kept = 1 + np.flatnonzero(sizes >= 2)
    if len(kept) > _MOST_COMPONENTS:
        raise ImageError(
            f"{len(kept):,} separate marks on one page; expected writing, at most {_MOST_COMPONENTS:,}: "
            "a smoother or better lit picture may help"
        )
    components = [
        Component(int(label), Box(int(left), int(top), int(left + width), int(top + height)), int(area))
        for label, (left, top, width, height, area) in zip(kept, stats[kept], strict=True)
    ]
    inner = [c for c in components if not is_scan_edge(c.box.left, c.box.top, c.box.width, c.box.height, mask.shape)]
    components = inner or components
    if not components:
        return labels, []
    least = _SPECK * text_height(components)
    return labels, [c for c in components if max(c.box.width, c.box.height) >= least]


def _lines_of(components: Sequence[Component], labels: Labels, typical: float) -> list[LineParts]:
    """The page's lines, after letters that hang together across two lines have been parted."""
    lines = group_lines([c for c in components if not reaches_over_lines(c, typical)], typical)
    tall = [c for c in components if reaches_over_lines(c, typical)]
    if not tall:
        return lines
    middles = sorted((line.box.top + line.box.bottom) / 2 for line in lines)
    parted: list[Component] = []
    for component in components:
        parted += _part(component, middles, labels) if reaches_over_lines(component, typical) else [component]
    return group_lines(parted, typical)


def _part(component: Component, middles: Sequence[float], labels: Labels) -> list[Component]:
    """Cut a component between the lines whose middles it covers, at the row of least ink. middles: ascending."""
    box = component.box
    middles = [middle for middle in middles if box.top < middle < box.bottom]
    if len(middles) < 2:
        return [component]
    window = labels[box.top : box.bottom, box.left : box.right]
    profile = (window == component.label).sum(axis=1)
    cuts = [0]
    for upper, lower in pairwise(middles):
        start, end = int(upper - box.top + 0.3 * (lower - upper)), int(lower - box.top - 0.2 * (lower - upper))
        cuts.append(start + int(np.argmin(profile[start : end + 1])))
    cuts.append(box.height)
    pieces: list[Component] = []
    next_label = int(labels.max()) + 1
    for start, end in pairwise(cuts):
        part = window[start:end] == component.label
        if not part.any():
            continue
        label = component.label if not pieces else next_label + len(pieces)
        window[start:end][part] = label
        left, top, width, height = cv2.boundingRect(part.astype(np.uint8))
        left, top = box.left + left, box.top + start + top
        pieces.append(Component(label, Box(left, top, left + width, top + height), int(part.sum())))
    return pieces
