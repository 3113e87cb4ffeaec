"""Corrections of labels as a table that a person can read and edit, and the corrected data set made with it.

corrections.csv, UTF-8, one header line, a row an image, in any order:

    id      the image's id, as labels.csv gives it
    given   the label it has now; it guards against corrections that belong to another set
    action  keep      the label is right after all
            relabel   it gets the class in the column label
            discard   the image is left out
    label   with relabel the class it shall have; with other actions not looked at

Further columns are passed over, so there may be remarks. Images that are not listed stay as they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from glyphlab.data.glyphset import GlyphSet
from glyphlab.errors import DataError, did_you_mean
from glyphlab.evaluation.tables import write_csv
from glyphlab.evaluation.wording import counted

Action = Literal["keep", "relabel", "discard"]
ACTIONS: tuple[Action, ...] = get_args(Action)
COLUMNS = ("id", "given", "action", "label")


@dataclass(frozen=True)
class Correction:
    """What shall become of one image; given and label are class names."""

    id: str
    given: str
    action: Action
    label: str = ""


@dataclass(frozen=True, eq=False)
class Corrected:
    """A corrected set, and how many images were relabelled, discarded, and looked at but kept."""

    glyphs: GlyphSet
    relabelled: int
    discarded: int
    kept: int


def write_corrections(corrections: Iterable[Correction], path: Path) -> None:
    """Write the table. Raises `RunError` when the file cannot be written."""
    write_csv(path, COLUMNS, ((row.id, row.given, row.action, row.label) for row in corrections))


def read_corrections(path: Path) -> list[Correction]:
    """Read the table. Raises `DataError`, with the row's number, for a file that is not one."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            header = reader.fieldnames or []
            missing = [column for column in COLUMNS if column not in header]
            if missing:
                raise DataError(
                    f"{path} has no column {', '.join(missing)}; expected the columns {', '.join(COLUMNS)}, "
                    f"found {', '.join(header) or 'an empty file'}"
                )
            corrections = [_parsed(row, f"{path}, row {reader.line_num}") for row in reader]
    except FileNotFoundError:
        raise DataError(f"no corrections at {path}; write some with: glyphlab labels review DATA|RUN") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table of corrections: {error}") from error
    seen: set[str] = set()
    for row in corrections:
        if row.id in seen:
            raise DataError(f"{path} names the image '{row.id}' twice; leave one of the two rows out")
        seen.add(row.id)
    return corrections


def apply_corrections(glyphs: GlyphSet, corrections: Sequence[Correction]) -> Corrected:
    """The corrected set; ids stay what they were, and the remark says what was done. `glyphs` is not changed.

    Raises `DataError` for ids and classes that the set does not have, for labels that are not those the corrections
    were written for, and when nothing would be left.
    """
    places = {glyphs.id_of(index): index for index in range(len(glyphs))}
    problems = [problem for row in corrections if (problem := _problem(row, glyphs, places)) is not None]
    if problems:
        more = f"; and {counted(len(problems) - 1, 'further row')}" if len(problems) > 1 else ""
        raise DataError(f"corrections of {glyphs.name} {glyphs.split}: {problems[0]}{more}")
    targets, stays = glyphs.targets.copy(), np.ones(len(glyphs), dtype=np.bool_)
    for row in corrections:
        if row.action == "relabel":
            targets[places[row.id]] = glyphs.class_names.index(row.label)
        elif row.action == "discard":
            stays[places[row.id]] = False
    if not stays.any():
        raise DataError(f"corrections of {glyphs.name} {glyphs.split} discard all {len(glyphs):,} images; keep some")
    relabelled, discarded, kept = (sum(row.action == action for row in corrections) for action in _COUNTED)
    remark = f"corrected: {relabelled:,} relabelled, {discarded:,} discarded"
    ids = tuple(glyphs.id_of(index) for index in range(len(glyphs)))
    whole = replace(glyphs, targets=targets, ids=ids, remark="; ".join(filter(None, (glyphs.remark, remark))))
    remaining: NDArray[np.int64] = np.flatnonzero(stays)
    return Corrected(whole.subset(remaining), relabelled, discarded, kept)


_COUNTED: tuple[Action, ...] = ("relabel", "discard", "keep")


def _parsed(row: dict[str, str], where: str) -> Correction:
    action, label = row["action"].strip().lower(), row["label"].strip()
    if action not in ACTIONS:
        raise DataError(f"{where}: action is '{row['action']}'; {did_you_mean(action, ACTIONS)}")
    if not row["id"]:
        raise DataError(f"{where}: the id is empty; expected the image's id as in labels.csv")
    if action == "relabel" and not label:
        raise DataError(f"{where}: relabel without a label; name the class that '{row['id']}' shall have")
    return Correction(row["id"], row["given"], action, label)


def _problem(row: Correction, glyphs: GlyphSet, places: dict[str, int]) -> str | None:
    """What is wrong with a row, in view of the set; None: nothing."""
    if row.id not in places:
        return f"no image '{row.id}'; its ids run from '{glyphs.id_of(0)}' to '{glyphs.id_of(len(glyphs) - 1)}'"
    label = glyphs.class_names[glyphs.targets[places[row.id]]]
    if row.given != label:
        return (
            f"image '{row.id}' is labelled '{label}', not '{row.given}' as the corrections say; "
            "were they written for another set or split?"
        )
    if row.action == "relabel" and row.label not in glyphs.class_names:
        return f"image '{row.id}' shall become '{row.label}', no class of the set; " + did_you_mean(
            row.label, glyphs.class_names
        )
    if row.action == "relabel" and row.label == label:
        return f"image '{row.id}' shall become '{label}', which it is already; use keep, or another label"
    return None
