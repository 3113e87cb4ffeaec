"""What every command shares: how it prints, and its common options."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from glyphlab.errors import GlyphlabWarning

if TYPE_CHECKING:
    from rich.console import Console

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="GLYPHLAB_DATA",
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


def stdout() -> Console:
    """Console for results. Text is never cut when it goes to a file or a pipe."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """Console for progress and remarks."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> None:
    """Aligned columns on standard output, two spaces apart and never cut; `right`: the columns flush right."""
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


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error and end with exit code 2."""
    sys.stderr.write(f"glyphlab: {message}\n")
    sys.exit(2)
