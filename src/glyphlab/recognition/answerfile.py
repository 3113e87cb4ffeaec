"""A CSV file that grows in whole blocks, with a note of how far it is: a kill at any moment loses and repeats nothing.

A block is written and flushed to the disk first; then the note is replaced, at once, which counts the block in. What
stands behind the note's length was not counted in and is cut off when the work goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from glyphlab.errors import RunError
from glyphlab.files import hold, make_folder, write_json, writing

_FORMAT = "glyphlab-answers-1"


@dataclass(frozen=True)
class Progress:
    """How far a part is.

    source: how many of the part's sources are behind it. item: how many pictures of the present source are.
    size_bytes: of the answers that count. pictures: answered, `unusable` of them with an error only.
    seconds: spent on it in all. done: nothing is left.
    """

    source: int = 0
    item: int = 0
    size_bytes: int = 0
    pictures: int = 0
    unusable: int = 0
    seconds: float = 0.0
    done: bool = False


@dataclass(frozen=True)
class Note:
    """What stands beside the answers: what the work is, and how far it is."""

    job: dict[str, Any]
    progress: Progress

    def write(self, path: Path) -> None:
        """Replace the note at `path`, at once."""
        write_json(path, {"format": _FORMAT, "job": self.job, "progress": asdict(self.progress)})

    @classmethod
    def read(cls, path: Path) -> Note:
        """Raises `RunError` when the file is no such note."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            if value["format"] != _FORMAT:
                raise RunError(
                    f"{path} has the format {value['format']!r}, expected {_FORMAT!r}; start in a new folder"
                )
            return cls(dict(value["job"]), Progress(**value["progress"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} is no note of a job's progress ({error}); start in a new folder") from error


class AnswerFile:
    """The answers of one part, open for appending; get one with `answer_file`."""

    def __init__(self, stream: IO[bytes], note_path: Path, note: Note) -> None:
        self._stream = stream
        self._note_path = note_path
        self.note = note

    @property
    def progress(self) -> Progress:
        """How far the part is."""
        return self.note.progress

    def append(self, block: bytes, progress: Progress) -> None:
        """Add whole rows, and count them in: `progress` is what holds afterwards, its size_bytes set here."""
        with writing(Path(self._stream.name)):
            self._stream.write(block)
            self._stream.flush()
            os.fsync(self._stream.fileno())
        size_bytes = self.note.progress.size_bytes + len(block)
        self.note = Note(self.note.job, replace(progress, size_bytes=size_bytes))
        self.note.write(self._note_path)


@contextmanager
def answer_file(path: Path, job: dict[str, Any], header: bytes) -> Iterator[AnswerFile]:
    """Begin the file at `path`, or go on where it stopped; its note lies beside it, ending in .json.

    job: what the work is; a file that was begun for another one is refused. header: the first row.
    Raises `RunError`: another process is at work on it, begun with other settings, shorter than its note says.
    """
    make_folder(path.parent)
    note_path = path.with_suffix(".json")
    with writing(path):
        stream = path.open("ab")
    try:
        if not hold(stream):
            raise RunError(f"{path} is being written by another process; wait for it, or stop it first")
        if note_path.exists():
            note = Note.read(note_path)
            _refuse_another(note.job, job, path)
        else:
            note = Note(job, Progress())
        with writing(path):
            length = stream.seek(0, os.SEEK_END)
            if length < note.progress.size_bytes:
                raise RunError(
                    f"{path} has {length:,} bytes, but its note counts {note.progress.size_bytes:,}: it was changed or "
                    "cut; delete both and start this part again"
                )
            stream.truncate(note.progress.size_bytes)
        answers = AnswerFile(stream, note_path, note)
        if note.progress.size_bytes == 0:
            answers.append(header, note.progress)
        yield answers
    finally:
        # What counts is on the disk; rows that a full disk refused must not be tried once more, and hide the reason.
        with suppress(OSError):
            stream.close()


def _refuse_another(begun: dict[str, Any], job: dict[str, Any], path: Path) -> None:
    changed = [key for key in job if begun.get(key) != job[key]]
    if changed:
        key = changed[0]
        raise RunError(
            f"{path} was begun with another {key.replace('_', ' ')}: {begun.get(key)!r}, now {job[key]!r}; choose "
            "another --out, or call it as before"
        )
