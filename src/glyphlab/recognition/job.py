"""Answers for millions of pictures: a job in parts that may run anywhere, be killed, go on, and are put together.

Part i of n takes every n-th source of the list, a picture or an archive of pictures, beginning with the i-th. The
parts need nothing of each other but one folder for their answers; who starts them is a scheduler's affair.
"""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from glyphlab.errors import DataError, ImageError, RecipeError, RunError, quoted
from glyphlab.files import refuse_replacing, whole_file
from glyphlab.imaging.picture import PictureSource
from glyphlab.recognition.answerfile import AnswerFile, Note, Progress, answer_file
from glyphlab.recognition.modelfile import find_model
from glyphlab.recognition.prediction import Prediction, Rule
from glyphlab.recognition.recognizer import Recognizer
from glyphlab.recognition.rows import answer_row, failure_row, header
from glyphlab.recognition.shards import fingerprint, pictures_in, sources

BLOCK_PICTURES = 1000  # answers between two notes of the progress: at most so much is done again after a kill


@dataclass(frozen=True)
class Part:
    """Part `number` of `count`, from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read "3/16". Raises `RecipeError` for anything else."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise RecipeError(f"part is '{text}'; expected NUMBER/COUNT from 1/COUNT to COUNT/COUNT, such as 3/16")
        return cls(int(number), int(count))

    @property
    def stem(self) -> str:
        """Its file's name: part-03-of-16."""
        return f"part-{self.number:0{len(str(self.count))}}-of-{self.count}"

    def sources_of(self, total: int) -> int:
        """How many of `total` sources are its own."""
        return len(range(self.number - 1, total, self.count))


@dataclass(frozen=True)
class Job:
    """What to do, for all parts alike.

    place: see `shards.sources`. model: a shipped model's name, an .onnx file, or a run folder.
    only, min_confidence, coverage: see `Recognizer.rule`. alternatives: runners-up with columns of their own.
    prepared: the pictures are glyphs of the model's size already.
    """

    place: str
    model: str
    only: str | None = None
    min_confidence: float = 0.0
    coverage: float | None = None
    alternatives: int = 0
    prepared: bool = False

    def described(self, part: Part, sources_sha256: str, total: int) -> dict[str, Any]:
        """What makes the answers what they are, as JSON values: a part goes on only under the same."""
        return {
            "sources": total,
            "list": sources_sha256,
            "model": hashlib.sha256(find_model(self.model).read_bytes()).hexdigest(),
            "only": self.only,
            "min_confidence": self.min_confidence,
            "coverage": self.coverage,
            "alternatives": self.alternatives,
            "prepared": self.prepared,
            "part": part.number,
            "parts": part.count,
        }


def run_part(
    job: Job,
    folder: Path,
    part: Part | None = None,
    *,
    threads: int | None = None,
    on_progress: Callable[[Progress, int], None] | None = None,
    block_pictures: int = BLOCK_PICTURES,
) -> Progress:
    """Answer for the pictures of one part into ``folder/part-03-of-16.csv``; goes on where it was stopped.

    part: default: all there is. threads: as in `Recognizer.load`. on_progress: told, after each block that is safely
    on the disk, of the progress and of the number of the part's sources. A picture that cannot be used has a row with
    what is wrong. Raises `DataError` (the list), `ModelError` (the model), `RunError` (the folder; or the answers would
    replace what is read).
    """
    part = part or Part()
    recognizer = Recognizer.load(job.model, threads=threads)
    rule = recognizer.rule(
        only=job.only, min_confidence=job.min_confidence, coverage=job.coverage, alternatives=job.alternatives
    )
    digest, total = fingerprint(job.place)
    described = job.described(part, digest, total)
    path = folder / f"{part.stem}.csv"
    if not path.with_suffix(".json").exists():  # nothing of it has begun, and nothing shall where it could not work
        _refuse_another_job(described, part, folder)
        _refuse_wrong_folder(job.place)
        refuse_replacing(path, chain([job.place, find_model(job.model)], sources(job.place)))
    with answer_file(path, described, _rows([header(job.alternatives)])) as answers:
        if not answers.progress.done:
            _answer_all(job, part, recognizer, rule, answers, block_pictures, on_progress, part.sources_of(total))
        return answers.progress


def merge(folder: Path, path: Path, *, force: bool = False) -> Progress:
    """Put the answers of all parts into one CSV file, part after part; returns the sums.

    Raises `RunError`: no parts there, some missing or not done, of different jobs, changed since, or `path` exists
    and not force, or is one of the parts.
    """
    if path.exists() and not force:
        raise RunError(f"{path} exists; choose another name, or replace it with --force")
    notes = notes_in(folder)
    _refuse_incomplete(notes, folder)
    refuse_replacing(path, (folder / f"{stem}{suffix}" for stem in notes for suffix in (".csv", ".json")))
    total = Progress(done=True)
    with whole_file(path) as temporary, temporary.open("wb") as out:
        for number, (stem, note) in enumerate(notes.items()):
            answers = folder / f"{stem}.csv"
            if not answers.is_file() or answers.stat().st_size != note.progress.size_bytes:
                raise RunError(f"{answers} is not as its note says: changed, cut or gone; run its part again")
            with answers.open("rb") as stream:
                first = stream.readline()
                if number == 0:
                    out.write(first)
                shutil.copyfileobj(stream, out, 1 << 20)
            total = _sum(total, note.progress)
        out.flush()
        size_bytes = out.tell()
    return replace(total, size_bytes=size_bytes)


def notes_in(folder: Path) -> dict[str, Note]:
    """How far each part is that was begun, by its file's stem, in order. Raises `RunError` when there is none."""
    notes = {path.stem: Note.read(path) for path in sorted(folder.glob("part-*-of-*.json"))}
    if not notes:
        raise RunError(
            f"{folder} holds no answers of a job; start one with: glyphlab job predict LIST --out {quoted(folder)}"
        )
    return notes


def _answer_all(
    job: Job,
    part: Part,
    recognizer: Recognizer,
    rule: Rule,
    answers: AnswerFile,
    block_pictures: int,
    on_progress: Callable[[Progress, int], None] | None,
    part_sources: int,
) -> None:
    """Block after block until nothing is left."""
    began, before = time.perf_counter(), answers.progress.seconds
    rows = _answered(job, part, recognizer, rule, answers.progress)
    while True:
        block = list(islice(rows, block_pictures))
        unusable = sum(bad for _, bad, _, _ in block)
        source, item = block[-1][2:] if block else (part_sources, 0)
        last = len(block) < block_pictures
        progress = replace(
            answers.progress,
            source=part_sources if last else source,
            item=0 if last else item,
            pictures=answers.progress.pictures + len(block),
            unusable=answers.progress.unusable + unusable,
            seconds=round(before + time.perf_counter() - began, 3),
            done=last,
        )
        answers.append(_rows([row for row, _, _, _ in block]), progress)
        if on_progress is not None:
            on_progress(answers.progress, part_sources)
        if last:
            return


def _answered(
    job: Job, part: Part, recognizer: Recognizer, rule: Rule, start: Progress
) -> Iterator[tuple[list[str], bool, int, int]]:
    """A row a picture, whether it was unusable, and the place behind it: sources passed, items of the present one."""
    waiting: deque[tuple[str, ImageError | None, int, int]] = deque()

    def feed() -> Iterator[PictureSource]:
        mine = islice(sources(job.place), part.number - 1, None, part.count)
        for number, source in enumerate(islice(mine, start.source, None), start=start.source):
            skip = start.item if number == start.source else 0
            for item, (name, picture) in enumerate(pictures_in(source, skip), start=skip + 1):
                bad = picture if isinstance(picture, ImageError) else None
                waiting.append((name, bad, number, item))
                yield b"" if isinstance(picture, ImageError) else picture

    for _, answer in recognizer.predict_many(feed(), rule, prepared=job.prepared):
        name, bad, number, item = waiting.popleft()
        result = bad or answer
        if isinstance(result, Prediction):
            yield answer_row(name, result, rule), False, number, item
        else:
            message = str(result).replace("the bytes: ", f"{name}: ", 1)
            yield failure_row(name, message, job.alternatives), True, number, item


def _rows(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _refuse_wrong_folder(place: str) -> None:
    """A list whose first entry is missing was made for another folder: better said before a million errors."""
    first = next(sources(place), None)
    if first is not None and not Path(first).exists():
        raise DataError(f"{place}: its first entry, {first}, is not there; paths count from the present folder")


def _refuse_another_job(described: Mapping[str, Any], part: Part, folder: Path) -> None:
    """Parts that could never be merged: better said before a night's work than after it."""
    other = next(iter(sorted(folder.glob("part-*-of-*.json"))), None)
    if other is None:
        return
    begun = Note.read(other).job
    if changed := _differing(described, begun):
        raise RunError(
            f"{folder} holds {other.stem}, which is of another job: {changed[0]} was {begun.get(changed[0])!r}, is "
            f"{described[changed[0]]!r}; give part {part.number}/{part.count} another --out folder"
        )


def _differing(job: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What two parts that cannot be put together have in different ways."""
    return [key for key in job if key != "part" and job[key] != other.get(key)]


def _refuse_incomplete(notes: dict[str, Note], folder: Path) -> None:
    jobs = [note.job for note in notes.values()]
    for stem, job in zip(notes, jobs, strict=True):
        if changed := _differing(job, jobs[0]):
            raise RunError(f"{folder}: {stem} and {next(iter(notes))} are of different jobs, their {changed[0]} differ")
    count = jobs[0]["parts"]
    there = {note.job["part"]: note.progress.done for note in notes.values()}
    open_parts = [f"{number}/{count}" for number in range(1, count + 1) if not there.get(number)]
    if open_parts:
        shown = ", ".join(open_parts[:10]) + (", ..." if len(open_parts) > 10 else "")
        raise RunError(f"{folder}: {len(open_parts):,} of {count:,} parts are not done: {shown}; run them, then merge")


def _sum(total: Progress, part: Progress) -> Progress:
    return replace(
        total,
        source=total.source + part.source,
        pictures=total.pictures + part.pictures,
        unusable=total.unusable + part.unusable,
        seconds=round(total.seconds + part.seconds, 3),
    )
