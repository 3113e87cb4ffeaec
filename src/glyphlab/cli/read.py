"""`glyphlab read`: what is written on each page."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glyphlab.cli.console import AsJson, Model, Only, complain, shown, stderr, stdout_for_programs

if TYPE_CHECKING:
    from glyphlab.recognition.formats import Named

EXAMPLES = """[bold]Examples[/]

glyphlab read page.jpg

glyphlab read scans/*.png --json --out pages.json

glyphlab read form.tif --only 0-9 --overlay seen/  (a picture of what was found)

glyphlab read letter.png --hocr --out letter.hocr
"""


def read(
    pages: Annotated[
        list[str], typer.Argument(help="Pictures of pages, folders or patterns; TIFF and PDF with several pages.")
    ],
    model: Model = "characters",
    only: Only = None,
    context: Annotated[
        bool, typer.Option("--context/--no-context", help="Off: each character is read for itself.")
    ] = True,
    language: Annotated[
        str | None,
        typer.Option(
            help="Whose letter pairs count: en, or none for codes and other languages (default: en).",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    tsv: Annotated[bool, typer.Option("--tsv", help="Print the table that tesseract writes.")] = False,
    hocr: Annotated[bool, typer.Option("--hocr", help="Print hOCR 1.2.")] = False,
    alto: Annotated[bool, typer.Option("--alto", help="Print ALTO 4.2.")] = False,
    overlay: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw what was read over each page, into this folder.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file instead of standard output.")
    ] = None,
) -> None:
    """Turn pages into text.

    Photos or scans of writing whose characters stand apart or touch a little,
    dark on light or the reverse, turned by up to 12 degrees. Joined cursive,
    where a word is one stroke, is not read, nor are punctuation marks that
    the model does not know.

    Neighbours settle digits against letters (O among digits is 0), letter
    pairs of English count, and the case of letters that look alike in both,
    such as c and C, is a guess; --no-context leaves all that out.

    A page that cannot be used is named on standard error (and among the
    "errors" of --json), the others are read, and the exit code is 2.
    """
    from glyphlab.cli.answers import DrawnNames
    from glyphlab.errors import GlyphlabError, ImageError
    from glyphlab.files import refuse_replacing, refuse_replacing_in, write_text
    from glyphlab.recognition.documents import PAGE_SUFFIXES, page_name, pages_of
    from glyphlab.recognition.formats import WRITERS
    from glyphlab.recognition.formats import as_json as json_of
    from glyphlab.recognition.modelfile import find_model
    from glyphlab.recognition.overlay import save_overlay
    from glyphlab.recognition.reader import read as read_page
    from glyphlab.recognition.recognizer import Recognizer
    from glyphlab.recognition.search import find_pictures

    wanted = [name for name, given in (("json", as_json), ("tsv", tsv), ("hocr", hocr), ("alto", alto)) if given] or [
        "text"
    ]
    if len(wanted) > 1:
        raise GlyphlabError(f"{' and '.join('--' + name for name in wanted)} were given; choose one")
    if not context and language not in (None, "none"):
        raise GlyphlabError(f"--language {language} lets neighbours count, which --no-context leaves out; choose one")
    language = "en" if language is None else language
    recognizer = Recognizer.load(model)
    recognizer.rule(only=only)  # a mistake in the alphabet is no page's fault
    if overlay is not None:
        refuse_replacing_in(overlay, ".png", find_pictures(pages, lambda error: None, PAGE_SUFFIXES))
    if out is not None:
        refuse_replacing(out, chain([find_model(model)], find_pictures(pages, lambda error: None, PAGE_SUFFIXES)))
    failures: list[str] = []

    def fail(error: ImageError) -> None:
        failures.append(str(error))
        complain(error)

    done: list[Named] = []
    drawn = DrawnNames()
    for path in find_pictures(pages, fail, PAGE_SUFFIXES):
        for number, pixels in pages_of(path):
            name = page_name(path, number)
            if isinstance(pixels, ImageError):
                fail(pixels)
                continue
            try:
                page = read_page(recognizer, pixels, only=only, context=context, language=language)
            except ImageError as error:
                fail(ImageError(f"{name}: {error}"))
                continue
            if not page.lines:
                stderr().print(shown(f"{name}: nothing is written on it"), markup=False)
            done.append((name, page))
            if overlay is not None:
                wanted_name = path.stem if number == 1 else f"{path.stem}-{number}"
                save_overlay(pixels, page, overlay / f"{drawn.take(wanted_name)}.png")
    text = json_of(done, failures) if as_json else WRITERS[wanted[0]](done)
    if out is not None:
        write_text(out, text)
    else:
        typer.echo(text, nl=False, file=sys.stdout if wanted == ["text"] else stdout_for_programs())
    if failures:
        raise typer.Exit(2)
