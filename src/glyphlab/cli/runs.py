"""`glyphlab runs`: what has been trained so far."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glyphlab.cli.console import AsJson, print_json, print_table, shown, stderr

if TYPE_CHECKING:
    from glyphlab.evaluation.comparison.runs_table import RunRow

EXAMPLES = """[bold]Examples[/]

glyphlab runs --sort accuracy

glyphlab runs --filter data=mnist --filter "test>=99%"

glyphlab runs --filter "name=mnist-*" --filter status=finished --sort time

glyphlab runs --runs-dir sweeps/fashion-60/runs --json
"""
_HEADER = ("name", "data", "recipe", "status", "epochs", "validation", "test", "time", "date")
_NUMBERS = (4, 5, 6, 7)


def runs(
    sort: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            help="name, data, recipe, network, status, epochs, validation, test (or accuracy), parameters, time, date.",
        ),
    ] = "date",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    conditions: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", "-f", metavar="CONDITION", help='data=mnist, "name=*net*", "test>=99%"; may be repeated.'
        ),
    ] = None,
    runs_dir: Annotated[Path, typer.Option(help="The folder of runs.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List all runs, with how far each came and how good it is.

    Accuracies are sorted best first. A folder that cannot be read is listed
    as unreadable, with the reason.
    """
    from glyphlab.evaluation.comparison.runs_table import filter_rows, list_runs, sort_rows

    listed = list_runs(runs_dir)
    rows = sort_rows(filter_rows(listed, conditions or []), sort, reverse)
    if as_json:
        print_json([row.to_dict() for row in rows])
        return
    if rows:
        print_table(_HEADER, [_cells(row) for row in rows], right=_NUMBERS)
    for row in rows:
        if row.problem:
            stderr().print(shown(f"{row.name}: unreadable: {row.problem}"), markup=False)
    if not rows:
        found = (
            f"none of the {len(listed)} runs in {runs_dir} meets the conditions" if listed else f"no runs in {runs_dir}"
        )
        stderr().print(found, markup=False)


def _cells(row: RunRow) -> list[str]:
    from glyphlab.evaluation.wording import count, duration, share

    return [
        row.name,
        row.data or "",
        row.recipe or "",
        row.status.partition(":")[0],  # the reason stands behind the colon
        *("" if row.problem else text for text in (count(row.epochs), share(row.validation), share(row.test))),
        "" if row.problem else duration(row.time_seconds),
        (row.started or "")[:16].replace("T", " "),
    ]
