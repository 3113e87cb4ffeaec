"""Drawings and pictures that people keep with their labels: folders of PNG files, which `train` and `transfer` read.

    drawings/Greek/alphabet.json        {"name": "Greek", "classes": [{"label": "α", "folder": "α"}, ...]}
    drawings/Greek/α/9f0c….png          one drawing; its id is the file's name

Everything is on the disk, whole, before a request is answered. Ids and names are looked up in what was found there;
none of them ever becomes a part of a path.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from glyphlab.errors import GlyphlabError
from glyphlab.files import make_folder, move, temporary_files, write_bytes, write_json, writing
from glyphlab.imaging.picture import SUFFIXES
from glyphlab.web.labels import clean_label, folder_name
from glyphlab.web.refusals import Refusal
from glyphlab.web.removed import Removed, Thing, name_aside

_LIST = "alphabet.json"
_ID = re.compile(r"[0-9a-f]{32}")
_MOST_CLASSES, _MOST_ALPHABETS = 500, 200
_IN_MEMORY_BYTES = 16_000_000  # a larger archive goes to a temporary file
_STALE_SECONDS = 3_600.0  # nobody writes one file for so long


@dataclass
class _Class:
    """A character: its folder's name, and its drawings by id in the order of their making."""

    label: str
    folder: str
    files: dict[str, Path] = field(default_factory=dict)


@dataclass
class _Alphabet:
    name: str
    folder: Path
    classes: dict[str, _Class] = field(default_factory=dict)

    def count(self) -> int:
        return sum(len(one.files) for one in self.classes.values())


class Samples:
    """The drawings below a folder. May be used from several threads at once.

    most: how many may be kept in all. What other programs put into the folders is found by the next `refresh`.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self._most = folder, most
        self._lock = threading.RLock()
        self._alphabets: dict[str, _Alphabet] = {}
        self._removed = Removed(folder)
        self._removed.clean()
        _delete_halves(folder)
        self.refresh()

    def refresh(self) -> None:
        """Read the folders anew."""
        with self._lock:  # all the while: what is added meanwhile must not be missed
            self._alphabets = {}
            for folder in _folders(self.folder):
                alphabet = _read_alphabet(folder)
                self._alphabets.setdefault(alphabet.name, alphabet)

    def counts(self) -> dict[str, dict[str, int]]:
        """Drawings by alphabet and label, both in their order."""
        with self._lock:
            return {
                name: {label: len(one.files) for label, one in alphabet.classes.items()}
                for name, alphabet in self._alphabets.items()
            }

    def ids(self, name: str) -> dict[str, list[str]]:
        """Ids of an alphabet's drawings by label. Raises `Refusal` (404)."""
        with self._lock:
            return {label: list(one.files) for label, one in self._alphabet(name).classes.items()}

    def name_characters(self, name: str, labels: list[str]) -> str:
        """Make an alphabet, or add characters to one; returns its name. Raises `GlyphlabError`, `RunError`."""
        with self._lock:
            alphabet = self._made(name)
            for label in labels:
                self._class(alphabet, label)
            self._write_list(alphabet)
            return alphabet.name

    def add(self, name: str, label: str, png: bytes) -> str:
        """Keep a drawing and return its id. Raises `GlyphlabError`, `RunError`, `Refusal` when all places are taken."""
        with self._lock:
            if sum(alphabet.count() for alphabet in self._alphabets.values()) >= self._most:
                raise Refusal(413, "full", f"{self._most:,} drawings are kept, which is all", "delete some")
            alphabet = self._made(name)
            known = len(alphabet.classes)
            one = self._class(alphabet, label)
            if len(alphabet.classes) > known or not (alphabet.folder / _LIST).exists():
                self._write_list(alphabet)
            id_ = secrets.token_hex(16)
            path = alphabet.folder / one.folder / f"{id_}.png"
            write_bytes(path, png)
            one.files[id_] = path
            return id_

    def find(self, id_: str) -> Path:
        """The file of a drawing. Raises `Refusal` (404)."""
        with self._lock:
            return self._place(id_)[1]

    def read(self, id_: str) -> tuple[Path, bytes]:
        """The file of a drawing, and what is in it. Raises `Refusal` (404), also where somebody deleted the file."""
        path = self.find(id_)
        try:
            return path, path.read_bytes()
        except OSError:
            raise _no_sample() from None

    def remove(self, id_: str) -> None:
        """Delete a drawing; an empty folder goes, too, since no class may be without pictures. Raises `Refusal`."""
        with self._lock:
            one, path = self._place(id_)
            with writing(path):
                path.unlink(missing_ok=True)
            del one.files[id_]
            if not one.files and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def rename(self, name: str, new_name: str) -> str:
        """Give an alphabet another name, and its folder; returns the name. Raises `Refusal`: 404, 409 where taken."""
        with self._lock:
            alphabet, wanted = self._alphabet(name), clean_label(new_name)
            if not wanted:
                raise GlyphlabError("the alphabet's new name is empty; give it one, such as Greek")
            name_before = alphabet.name
            if wanted == name_before:
                return wanted
            if wanted in self._alphabets:
                raise Refusal(409, "taken", "there is an alphabet of that name already", "choose another name")
            taken = [path.name for path in _folders(self.folder) if path != alphabet.folder]
            folder = self.folder / folder_name(wanted, taken)
            alphabet.name = wanted
            self._write_list(alphabet)  # the name counts; should we be killed now, the folder keeps its old one
            self._removed.rename(name_before, wanted)
            with writing(folder):
                move(alphabet.folder, folder)
            self.refresh()
            return wanted

    def remove_alphabet(self, name: str) -> str:
        """Lay an alphabet aside; returns the id under which `restore` brings it back. Raises `Refusal` (404)."""
        with self._lock:
            alphabet = self._alphabet(name)
            self._write_list(alphabet)  # so that its name comes back with it
            id_ = self._removed.lay_aside(alphabet.folder, Thing(alphabet.name))
            # Its characters that were deleted before must not come back to another alphabet of that name.
            self._removed.rename(alphabet.name, name_aside(alphabet.name, id_))
            self.refresh()
            return id_

    def remove_character(self, name: str, label: str) -> str:
        """The same for one character of an alphabet, with its drawings."""
        with self._lock:
            alphabet, cleaned = self._alphabet(name), clean_label(label)
            if cleaned not in alphabet.classes:
                raise Refusal(404, "no_character", "the alphabet has no such character", "see /api/v1/samples")
            place = list(alphabet.classes).index(cleaned)
            one = alphabet.classes.pop(cleaned)
            id_ = self._removed.lay_aside(alphabet.folder / one.folder, Thing(alphabet.name, cleaned, place))
            self._write_list(alphabet)
            return id_

    def restore(self, id_: str) -> str:
        """Bring back what was deleted; returns the alphabet's name. Raises `Refusal`: 404, or 409 where its place is
        taken."""
        with self._lock:
            thing, folder = self._removed.find(id_)
            if thing.label is None:
                self._restore_alphabet(thing, folder)
                self._removed.rename(name_aside(thing.alphabet, id_), thing.alphabet)
            else:
                self._restore_character(self._alphabet(thing.alphabet), thing, folder)
            self._removed.forget(id_)
            self.refresh()
            return thing.alphabet

    def _restore_alphabet(self, thing: Thing, folder: Path | None) -> None:
        if thing.alphabet in self._alphabets:
            raise Refusal(409, "taken", "there is an alphabet of that name again", "rename that one first")
        taken = [path.name for path in _folders(self.folder)]
        if folder is not None:
            with writing(folder):
                move(folder, self.folder / folder_name(thing.alphabet, taken))

    def _restore_character(self, alphabet: _Alphabet, thing: Thing, folder: Path | None) -> None:
        assert thing.label is not None
        if thing.label in alphabet.classes:
            raise Refusal(409, "taken", "the alphabet has that character again", "delete that one first")
        own = folder_name(thing.label, [one.folder for one in alphabet.classes.values()])
        if folder is not None:
            with writing(folder):
                move(folder, alphabet.folder / own)
        order = list(alphabet.classes.items())
        order.insert(thing.place, (thing.label, _Class(thing.label, own)))
        alphabet.classes = dict(order)
        self._write_list(alphabet)

    def data_of(self, name: str) -> tuple[Path, dict[str, str]]:
        """An alphabet's folder, and the label behind each folder in it that holds drawings. Raises `Refusal` (404)."""
        with self._lock:
            alphabet = self._alphabet(name)
            return alphabet.folder, {one.folder: one.label for one in alphabet.classes.values() if one.files}

    def zipped(self, name: str) -> tuple[str, IO[bytes]]:
        """An alphabet's folders as a zip archive: a name for it in ASCII, and the archive, open at its beginning.

        Raises `Refusal` (404).
        """
        with self._lock:
            alphabet = self._alphabet(name)
            paths = {path: one.folder for one in alphabet.classes.values() for path in one.files.values()}
        archive_file: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - closed by who sends it
        # PNG files are compressed already.
        with zipfile.ZipFile(archive_file, "w", zipfile.ZIP_STORED) as archive:
            for path, folder in paths.items():
                if path.is_file():  # it may have been deleted meanwhile
                    archive.writestr(_as_text(f"{alphabet.folder.name}/{folder}/{path.name}"), path.read_bytes())
            listing = _as_text(json.dumps(_list_of(alphabet), ensure_ascii=False))
            archive.writestr(_as_text(f"{alphabet.folder.name}/{_LIST}"), listing)
        archive_file.seek(0)
        return re.sub(r"[^A-Za-z0-9_-]+", "_", alphabet.folder.name).strip("_") or "drawings", archive_file

    def _alphabet(self, name: str) -> _Alphabet:
        found = self._alphabets.get(clean_label(name))
        if found is None:
            raise Refusal(404, "no_alphabet", "there is no alphabet of that name", "see /api/v1/alphabets")
        return found

    def _made(self, name: str) -> _Alphabet:
        cleaned = clean_label(name)
        if not cleaned:
            raise GlyphlabError("the alphabet's name is empty; give it one, such as Greek")
        if cleaned not in self._alphabets:
            if len(self._alphabets) >= _MOST_ALPHABETS:
                raise Refusal(413, "full", f"there are {_MOST_ALPHABETS} alphabets, which is all", "delete some")
            make_folder(self.folder)
            folder = self.folder / folder_name(cleaned, [path.name for path in _folders(self.folder)])
            self._alphabets[cleaned] = _Alphabet(cleaned, folder)
        return self._alphabets[cleaned]

    def _class(self, alphabet: _Alphabet, label: str) -> _Class:
        cleaned = clean_label(label)
        if not cleaned:
            raise GlyphlabError("the label is empty; say which character it was")
        if cleaned not in alphabet.classes:
            if len(alphabet.classes) >= _MOST_CLASSES:
                raise Refusal(413, "full", f"the alphabet has {_MOST_CLASSES} characters, which is all", "use fewer")
            taken = [one.folder for one in alphabet.classes.values()]
            alphabet.classes[cleaned] = _Class(cleaned, folder_name(cleaned, taken))
        return alphabet.classes[cleaned]

    def _place(self, id_: str) -> tuple[_Class, Path]:
        for alphabet in self._alphabets.values():
            for one in alphabet.classes.values():
                if id_ in one.files:
                    return one, one.files[id_]
        raise _no_sample()

    def _write_list(self, alphabet: _Alphabet) -> None:
        make_folder(alphabet.folder)
        write_json(alphabet.folder / _LIST, _list_of(alphabet))


def _no_sample() -> Refusal:
    return Refusal(404, "no_sample", "there is no drawing of that id", "see /api/v1/samples")


def _list_of(alphabet: _Alphabet) -> dict[str, Any]:
    classes = [{"label": one.label, "folder": one.folder} for one in alphabet.classes.values()]
    return {"name": alphabet.name, "classes": classes}


def _read_alphabet(folder: Path) -> _Alphabet:
    """An alphabet from its folder; without a list, or with a damaged one, the folders' names are the labels."""
    alphabet = _Alphabet(clean_label(folder.name), folder)
    inside = {path.name: path for path in _folders(folder)}
    try:
        listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        alphabet.name = clean_label(str(listed["name"])) or alphabet.name
        for row in listed["classes"]:
            label, own = clean_label(str(row["label"])), str(row["folder"])
            if label and own == Path(own).name and own not in (".", "..", ""):
                alphabet.classes[label] = _Class(label, own)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    known = {one.folder for one in alphabet.classes.values()}
    for name in inside:
        if name not in known:
            alphabet.classes.setdefault(clean_label(name), _Class(clean_label(name), name))
    for one in alphabet.classes.values():
        if one.folder in inside:
            one.files = dict(_pictures(inside[one.folder]))
    return alphabet


def _pictures(folder: Path) -> Iterator[tuple[str, Path]]:
    """A class's pictures by id, oldest first. Files that somebody put there himself get an id made of their place."""
    files: list[tuple[int, str, Path]] = []
    for path in folder.iterdir():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            with suppress(FileNotFoundError):  # deleted at this moment by another program
                files.append((path.stat().st_mtime_ns, path.name, path))
    for _, _, path in sorted(files):
        own = _ID.fullmatch(path.stem) and path.suffix == ".png"
        place = "/".join(path.parts[-3:]).encode("utf-8", "surrogateescape")
        yield (path.stem if own else hashlib.sha256(place).hexdigest()[:32]), path


def _as_text(name: str) -> str:
    """A file's name for an archive, which takes no bytes that are not UTF-8."""
    return name.encode("utf-8", "backslashreplace").decode()


def _delete_halves(folder: Path) -> None:
    """Delete what a service that was killed left half written."""
    for place in (own for alphabet in _folders(folder) for own in (alphabet, *_folders(alphabet))):
        for path in temporary_files(place):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink(missing_ok=True)


def _folders(folder: Path) -> list[Path]:
    """The visible folders in a folder, which need not exist."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
