"""`glyphlab predict`: which character each picture shows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from glyphlab.cli.console import AsJson, Coverage, MinConfidence, Model, Only, complain, stdout_for_programs
from glyphlab.cli.stopping import stop_leaves

if TYPE_CHECKING:
    from glyphlab.cli.answers import AnswerWriter
    from glyphlab.recognition.prediction import Rule
    from glyphlab.recognition.recognizer import Recognizer

_ALTERNATIVES = 3


EXAMPLES = """[bold]Examples[/]

glyphlab predict photo.jpg

glyphlab predict scans/ --only 0-9 --csv answers.csv

glyphlab predict forms/*.png --coverage 0.95 --min-confidence 0.8

glyphlab predict photo.jpg --explain steps/  (how the picture was prepared, step by step)
"""


def predict(
    pictures: Annotated[
        list[str], typer.Argument(help="Pictures, folders or patterns.", metavar="FILES_OR_FOLDERS...")
    ],
    model: Model = "characters",
    only: Only = None,
    min_confidence: MinConfidence = 0.0,
    coverage: Coverage = None,
    csv_file: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write CSV instead of a table; '-': to standard output.")
    ] = None,
    as_json: AsJson = False,
    explain: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw how each picture was prepared, into this folder.")
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare/--no-prepare", help="Off: the pictures are glyphs of the model's size already.")
    ] = True,
) -> None:
    """Say which character each picture shows.

    Photos, scans and drawings of one character each, of any size; dark on
    light or the reverse. Folders are searched through.

    A picture that cannot be used is named on standard error, the others are
    answered, and the exit code is 2.
    """
    from glyphlab.errors import GlyphlabError, ImageError
    from glyphlab.files import refuse_replacing, refuse_replacing_in
    from glyphlab.recognition.modelfile import find_model
    from glyphlab.recognition.recognizer import Recognizer
    from glyphlab.recognition.search import find_pictures

    if csv_file is not None and as_json:
        raise GlyphlabError("--csv and --json were both given; choose one")
    recognizer = Recognizer.load(model)
    rule = recognizer.rule(only=only, min_confidence=min_confidence, coverage=coverage, alternatives=_ALTERNATIVES)
    draw = None
    if explain is not None:
        if not prepare:
            raise GlyphlabError("--explain shows the preparation, which --no-prepare leaves out; choose one")
        draw = _explainer(recognizer, explain)
        refuse_replacing_in(explain, ".png", find_pictures(pictures, lambda error: None))
    if csv_file not in (None, "-"):
        refuse_replacing(Path(csv_file), chain([find_model(model)], find_pictures(pictures, lambda error: None)))
    failures = 0
    with (
        stop_leaves(_stopped_in(csv_file, as_json)),
        _writer(csv_file, as_json, model, rule) as writer,
    ):

        def fail(name: str, error: ImageError) -> None:
            nonlocal failures
            failures += 1
            complain(error)
            writer.failure(name, str(error))

        # Place after place, so that a place without a picture can be named.
        all_found = chain.from_iterable(find_pictures([place], partial(fail, place)) for place in pictures)
        found = _with_progress(all_found, pictures, writing_to_file=csv_file not in (None, "-"))
        for path, answer in recognizer.predict_many(found, rule, prepared=not prepare):
            if isinstance(answer, ImageError):
                fail(str(path), answer)
                continue
            writer.answer(str(path), answer)
            if draw is not None:
                draw(Path(str(path)))
    if failures:
        raise typer.Exit(2)


def _stopped_in(csv_file: str | None, as_json: bool) -> str:
    """What a Ctrl-C among the answers leaves."""
    if csv_file not in (None, "-"):
        return f"{csv_file} is not written; the same command begins anew"
    cut = ", so the JSON document is not closed" if as_json else ""
    return f"not all answers were printed{cut}; the same command begins anew"


@contextmanager
def _writer(csv_file: str | None, as_json: bool, model: str, rule: Rule) -> Iterator[AnswerWriter]:
    """What answers are written with. A CSV file appears when all are in it."""
    from glyphlab.cli.answers import CsvWriter, JsonWriter, TableWriter

    with ExitStack() as stack:
        writer: AnswerWriter
        if csv_file is not None:
            stream = stdout_for_programs() if csv_file == "-" else stack.enter_context(_new_text_file(Path(csv_file)))
            writer = CsvWriter(stream, rule)
        elif as_json:
            writer = JsonWriter(stdout_for_programs(), rule, model=model)
        else:
            writer = TableWriter(sys.stdout, rule)
        yield writer
        writer.close()


@contextmanager
def _new_text_file(path: Path) -> Iterator[TextIO]:
    from glyphlab.files import whole_file

    with (
        whole_file(path) as temporary,
        # A file's name may be no text at all.
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        yield stream


def _explainer(recognizer: Recognizer, folder: Path) -> Callable[[Path], None]:
    """A function that draws a picture's preparation into `folder`, under the picture's name."""
    import cv2

    from glyphlab.cli.answers import DrawnNames
    from glyphlab.errors import GlyphlabError
    from glyphlab.files import write_bytes
    from glyphlab.imaging.explain import explain, strip
    from glyphlab.recognition.preparation import framing_of, to_prepare

    framing = framing_of(recognizer.info)
    if framing is None:
        raise GlyphlabError(
            "this model's pictures are fitted in whole, without preparation; --explain has nothing to show"
        )
    names = DrawnNames()

    def draw(path: Path) -> None:
        steps = strip(explain(to_prepare(path), framing))
        write_bytes(folder / f"{names.take(path.stem)}.png", cv2.imencode(".png", steps[..., ::-1])[1].tobytes())

    return draw


def _with_progress(found: Iterator[Path], places: list[str], *, writing_to_file: bool) -> Iterator[Path]:
    """A bar on standard error while answers go elsewhere than to the terminal; otherwise the answers show it."""
    if not sys.stderr.isatty() or (sys.stdout.isatty() and not writing_to_file):
        yield from found
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from glyphlab.cli.console import stderr
    from glyphlab.recognition.search import find_pictures

    total = sum(1 for _ in find_pictures(places, lambda error: None))
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True) as progress:
        yield from progress.track(found, total=total)
