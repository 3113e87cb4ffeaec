"""What every command shares: how it prints, and its common options."""

from __future__ import annotations

import io
import json
import sys
import unicodedata
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer

from glyphlab.errors import GlyphlabWarning

if TYPE_CHECKING:
    from rich.console import Console


def _at_home(folder: Path | None) -> Path | None:
    """With "~" for the home folder, which no shell has replaced in GLYPHLAB_DATA or in "--data-dir=~/data"."""
    from glyphlab.data.locate import given_path

    return given_path(folder)


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="GLYPHLAB_DATA",
        callback=_at_home,
        help="Folder that holds, or shall hold, the public data sets (default: a per-user cache).",
        show_default=False,
    ),
]
Model = Annotated[str, typer.Option("--model", "-m", help="A shipped model's name, an .onnx file, or a run folder.")]
Only = Annotated[
    str | None,
    typer.Option(
        "--only", "--alphabet", help="What may be answered: 0-9, A-Z, abc, digits, letters, capitals, lowercase."
    ),
]
MinConfidence = Annotated[
    float, typer.Option(help="Mark answers of a lower probability as uncertain ('7?').", min=0, max=1)
]
Coverage = Annotated[
    float | None, typer.Option(help="Name the set that holds the truth with this probability, such as 0.95.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]

# Characters that a terminal obeys rather than shows, line ends, and bytes of file names that are no text.
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def shown(text: str) -> str:
    """A name, or a line with names in it, for the eye: what is no character to be seen as Python writes it, "\\n"."""
    if text.isprintable():
        return text
    return "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _UNSEEN else char for char in text
    )


def stdout() -> Console:
    """Console for results. Text is never cut when it goes to a file or a pipe."""
    return _console(stderr=False)


def stderr() -> Console:
    """Console for progress and remarks."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    """A console that shows what names may hold and a terminal would obey."""
    from rich.console import Console
    from rich.text import Text

    class Showing(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str("\n".join(map(shown, text.split("\n"))), **options)

    return Showing(stderr=stderr, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    typer.echo(text, file=stdout_for_programs())


def stdout_for_programs() -> TextIO:
    """Standard output for documents, such as JSON: from here on in UTF-8, whatever a terminal's encoding is.

    Bytes of file names that are no UTF-8 stand escaped, \\udcff, as in files.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return sys.stdout


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> None:
    """Aligned columns on standard output, two spaces apart and never cut; `right`: the columns flush right."""
    rows = [[shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print our own warnings as one line on standard error, without the place in the program; others as ever."""
    with warnings.catch_warnings():
        as_ever = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if issubclass(category, GlyphlabWarning):
                stderr().print(str(message), markup=False)
            else:
                as_ever(message, category, *rest, **more)

        warnings.showwarning = show
        yield


def complain(message: object) -> None:
    """Say what is wrong, in one line on standard error."""
    sys.stderr.write(f"glyphlab: {shown(str(message))}\n")


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error and end with exit code 2."""
    complain(message)
    sys.exit(2)
