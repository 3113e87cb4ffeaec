"""What people deleted of their drawings, laid aside for a while so that it can be brought back.

    drawings/.removed/3f9c…/removed.json   {"alphabet": "Greek", "label": null, "place": 0}
    drawings/.removed/3f9c…/Greek/…        the folder as it was: of an alphabet, or of one character

Deleting is one renaming: a folder is there or here, whatever happens to the program.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from glyphlab.files import make_folder, move, write_json, writing
from glyphlab.web.refusals import Refusal

_FOLDER, _FACTS = ".removed", "removed.json"
_ID = re.compile(r"[0-9a-f]{32}")
_MOST_KEPT, _KEPT_SECONDS = 50, 30 * 86_400.0


@dataclass(frozen=True)
class Thing:
    """What was deleted: an alphabet, or one of its characters (label) and its place among them."""

    alphabet: str
    label: str | None = None
    place: int = 0


def name_aside(alphabet: str, id_: str) -> str:
    """By which what belongs to a deleted alphabet is remembered; no alphabet can have such a name."""
    return f"{alphabet}\n{id_}"


class Removed:
    """The deleted things below a folder of drawings; those of the last 30 days, and at most 50."""

    def __init__(self, drawings: Path) -> None:
        self._folder = drawings / _FOLDER

    def lay_aside(self, folder: Path, thing: Thing) -> str:
        """Take a folder out of the drawings, which need not exist; returns an id. Raises `RunError`."""
        id_ = secrets.token_hex(16)
        place = self._folder / id_
        make_folder(place)
        write_json(place / _FACTS, asdict(thing))
        if folder.is_dir():
            with writing(place):
                move(folder, place / folder.name)
        self.clean()
        return id_

    def find(self, id_: str) -> tuple[Thing, Path | None]:
        """What was deleted under an id, and the folder that holds it, if it had one. Raises `Refusal` (404)."""
        for place in self._places():
            if place.name == id_ and (thing := _thing_in(place)) is not None:
                return thing, next((path for path in place.iterdir() if path.is_dir()), None)
        raise Refusal(404, "no_removed", "nothing was deleted under that id", "deleted things are kept for 30 days")

    def rename(self, alphabet: str, name: str) -> None:
        """Characters that were deleted from an alphabet come back to it under its new name. Raises `RunError`."""
        for place in self._places():
            thing = _thing_in(place)
            if thing is not None and thing.label is not None and thing.alphabet == alphabet:
                status = place.stat()
                write_json(place / _FACTS, asdict(replace(thing, alphabet=name)))
                with writing(place):
                    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))  # it was not deleted only now

    def forget(self, id_: str) -> None:
        """What was deleted is back in its place, or not wanted any more."""
        for place in self._places():
            if place.name == id_:
                shutil.rmtree(place, ignore_errors=True)

    def clean(self) -> None:
        """Delete for good what has been here for too long, or is too much."""
        newest_first = sorted(self._places(), key=lambda place: place.stat().st_mtime, reverse=True)
        for rank, place in enumerate(newest_first):
            if rank >= _MOST_KEPT or time.time() - place.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(place, ignore_errors=True)

    def _places(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if _ID.fullmatch(path.name)] if self._folder.is_dir() else []


def _thing_in(place: Path) -> Thing | None:
    """What lies in a place; None where its description is damaged."""
    try:
        return Thing(**json.loads((place / _FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
