"""`glyphlab job`: answers for millions of pictures, in parts that may be killed and go on, on any machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glyphlab.cli.bars import LINE_EVERY_SECONDS
from glyphlab.cli.console import AsJson, Coverage, MinConfidence, Model, Only, print_json, print_table, stderr, stdout
from glyphlab.cli.stopping import stop_leaves
from glyphlab.cli.usage import App
from glyphlab.process import peak_memory_mb

if TYPE_CHECKING:
    from glyphlab.recognition.answerfile import Note, Progress

_Folder = Annotated[Path, typer.Argument(help="The folder that --out named.", metavar="FOLDER")]

app = App(
    help="Predict for millions of pictures: in parts, resumable, from lists and .tar archives.",
    epilog="Example: [bold]glyphlab job predict shards/ --out answers/[/]",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

PREDICT_EXAMPLES = """[bold]Examples[/]

glyphlab job predict shards/ --out answers/  (all .tar archives and pictures within a folder)

find shards -name '*.tar' | sort > list.txt

glyphlab job predict list.txt --out answers/ --part 3/16  (one of 16 parts, here or on another machine)

glyphlab job merge answers/ answers.csv
"""


@app.command("predict", epilog=PREDICT_EXAMPLES)
def predict(
    place: Annotated[
        str, typer.Argument(help="A list with a path a line, a folder, or a .tar archive.", metavar="LIST_OR_FOLDER")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the answers go, one CSV file a part.")],
    part: Annotated[
        str, typer.Option(metavar="I/N", help="Which part: every N-th entry, beginning with the I-th.")
    ] = "1/1",
    model: Model = "characters",
    only: Only = None,
    min_confidence: MinConfidence = 0.0,
    coverage: Coverage = None,
    alternatives: Annotated[int, typer.Option(help="Runners-up in columns of their own.", min=0)] = 0,
    prepare: Annotated[
        bool, typer.Option("--prepare/--no-prepare", help="Off: the pictures are glyphs of the model's size already.")
    ] = True,
    threads: Annotated[
        int | None, typer.Option(help="Threads to use (default: the processor's, at most 4).", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which character each picture shows, into a CSV file that grows.

    Pictures inside .tar archives are read without unpacking. Whatever stops
    the command, calling it again goes on: no picture is lost or answered
    twice. A picture that cannot be used gets a row with what is wrong.
    """
    from glyphlab.recognition.job import Job, Part, run_part

    chosen = Part.parse(part)
    job = Job(place, model, only, min_confidence, coverage, alternatives, prepared=not prepare)
    with stop_leaves("the same command goes on from here"), _watching(f"part {part}") as on_progress:
        progress = run_part(job, out, chosen, threads=threads, on_progress=on_progress)
    path = out / f"{chosen.stem}.csv"
    peak_mb = peak_memory_mb()
    if as_json:
        print_json({"file": str(path), "peak_memory_mb": peak_mb, **_described(progress)})
        return
    memory = "" if peak_mb is None else f", {peak_mb:,.0f} MB at most"
    stdout().print(f"{path}: {_sentence(progress)}{memory}", markup=False)


@app.command("status", epilog="Example: [bold]glyphlab job status answers/[/]")
def status(folder: _Folder, as_json: AsJson = False) -> None:
    """Say how far each part is."""
    from glyphlab.recognition.job import Part, notes_in

    notes = notes_in(folder)
    count = max(int(note.job["parts"]) for note in notes.values())
    parts = [Part(number, count).stem for number in range(1, count + 1)]
    missing = [stem for stem in parts if stem not in notes]
    if as_json:
        begun = [{"part": note.job["part"], **_described(note.progress)} for note in notes.values()]
        print_json({"parts": count, "begun": begun, "not_begun": missing})
        return
    rows = [_status_row(note) for note in notes.values()]
    rows += [(stem.removeprefix("part-").replace("-of-", "/"), "", "", "", "not begun") for stem in missing]
    print_table(("part", "pictures", "unusable", "pictures/s", ""), rows, right=(1, 2, 3))


@app.command("merge", epilog="Example: [bold]glyphlab job merge answers/ answers.csv[/]")
def merge(
    folder: _Folder,
    out: Annotated[Path, typer.Argument(help="The CSV file to write.", metavar="FILE")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the answers of all parts into one CSV file, once all are done."""
    from glyphlab.recognition.job import merge as merge_parts

    total = merge_parts(folder, out, force=force)
    if as_json:
        print_json({"file": str(out), **_described(total)})
    else:
        stdout().print(f"{out}: {total.pictures:,} pictures{_unusable(total)}", markup=False)


def _status_row(note: Note) -> tuple[str, ...]:
    progress = note.progress
    state = "done" if progress.done else f"{progress.source:,} entries of the list behind it"
    part = f"{note.job['part']:0{len(str(note.job['parts']))}}/{note.job['parts']}"
    return (part, f"{progress.pictures:,}", f"{progress.unusable:,}", f"{_rate(progress):,.0f}", state)


def _described(progress: Progress) -> dict[str, Any]:
    return asdict(progress) | {"pictures_per_second": round(_rate(progress), 1)}


def _rate(progress: Progress) -> float:
    return progress.pictures / progress.seconds if progress.seconds else 0.0


def _unusable(progress: Progress) -> str:
    return f", {progress.unusable:,} of them unusable (column error)" if progress.unusable else ""


def _sentence(progress: Progress) -> str:
    return (
        f"{progress.pictures:,} pictures in {progress.seconds:,.0f} s, {_rate(progress):,.0f} a second"
        f"{_unusable(progress)}"
    )


@contextmanager
def _watching(name: str) -> Iterator[Callable[[Progress, int], None]]:
    """A bar on a terminal, a line every half minute in a log."""
    if not stderr().is_terminal:
        next_line = time.monotonic() + LINE_EVERY_SECONDS

        def log(progress: Progress, sources: int) -> None:
            nonlocal next_line
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + LINE_EVERY_SECONDS
                behind = f"{progress.source:,} of {sources:,} entries"
                stderr().print(f"{name}: {behind}, {_sentence(progress)}", markup=False)

        yield log
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pictures]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=stderr(), transient=True) as bars:
        task = bars.add_task(name, total=None, pictures="")

        def show(progress: Progress, sources: int) -> None:
            pictures = f"{progress.pictures:,} pictures, {_rate(progress):,.0f} a second"
            bars.update(task, completed=progress.source, total=sources, pictures=pictures)

        yield show
