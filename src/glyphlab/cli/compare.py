"""`glyphlab compare`: several runs side by side, and whether they differ by more than chance."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glyphlab.cli.bars import stage_bar
from glyphlab.cli.console import AsJson, DataDir, print_json, print_table, stdout
from glyphlab.errors import GlyphlabError, did_you_mean

if TYPE_CHECKING:
    from glyphlab.data.catalogue import Split
    from glyphlab.evaluation.comparison.compare import Comparison

EXAMPLES = """[bold]Examples[/]

glyphlab compare mnist-fast-1 mnist-mnist-net-1

glyphlab compare runs/mnist-*  (all of them; pictures of the best against each other one)

glyphlab compare characters-1 characters-2 --data my-letters/  (judged on other images)

glyphlab compare mnist-fast-1 mnist-mnist-net-1 --csv > table.csv
"""
# More runs than this do not fit beside each other: the table is turned round.
_BESIDE = 4


def compare(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN", help="Two or more run folders, or names within --runs-dir.")
    ],
    data: Annotated[
        str | None, typer.Option(help="Judge all on this data set instead of the runs' own; they need its classes.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which part: test or train.")] = "test",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for tables and pictures (default: comparisons/ and the runs' names)."),
    ] = None,
    flips: Annotated[int, typer.Option(min=1, help="Most images drawn that one run got right and another wrong.")] = 24,
    write: Annotated[bool, typer.Option(help="Write the folder; --no-write only prints.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds something else.")] = False,
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are looked for by name.")] = Path("runs"),
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the table as CSV, a row a run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare runs: figures, cost, settings that differ, and where they disagree.

    Each two are put to McNemar's test on the same test images; with several
    pairs, p-values carry Holm's correction. Runs without an evaluation are
    judged first.

    Writes runs.csv, pairs.csv, flipped.csv, comparison.json, curves.png and
    flips.png: the images that one run got right and another wrong.
    """
    if as_json and as_csv:
        raise GlyphlabError("--json and --csv both ask for standard output; choose one")
    if split not in ("test", "train"):
        raise GlyphlabError(f"--split is '{split}'; {did_you_mean(split, ['test', 'train'])}")
    if out is not None and not write:
        raise GlyphlabError(f"--out {out} and --no-write contradict each other; leave one out")
    from glyphlab.evaluation.comparison.compare import compare as judge
    from glyphlab.evaluation.comparison.files import require_own, runs_csv, write_comparison

    if out is not None and write:
        require_own(out, force)  # now rather than after the work
    stages = count()
    with stage_bar("judging") as tell:

        def show(name: str) -> None:
            tell(name, next(stages) / (len(runs) + 1))

        part: Split = "test" if split == "test" else "train"
        comparison = judge(runs, data, split=part, data_dir=data_dir, runs_dir=runs_dir, on_run=show)
        folder = (out or _folder(comparison, data, part)) if write else None
        if folder is not None:
            show("drawing")
            write_comparison(comparison, folder, flips, force)
    if as_json:
        print_json(comparison.summary() | {"folder": str(folder) if folder else None})
    elif as_csv:
        typer.echo(runs_csv(comparison), nl=False)
    else:
        _print(comparison, folder)


def _folder(comparison: Comparison, data: str | None, split: Split) -> Path:
    """comparisons/<first>-and-<second>, with the number of further ones, and what tells it from others of these two."""
    first, second, *others = (entry.folder.resolve().name for entry in comparison.entries)
    words = [f"{first}-and-{second}", f"and-{len(others)}-more" if others else ""]
    if others:
        words.append(hashlib.sha256("/".join(others).encode()).hexdigest()[:6])
    words += [comparison.glyphs.name if data else "", "" if split == "test" else split]
    return Path("comparisons") / "-".join(filter(None, words))


def _print(comparison: Comparison, folder: Path | None) -> None:
    from glyphlab.evaluation.comparison.files import pair_in_words

    console, glyphs = stdout(), comparison.glyphs
    console.print(_escaped(f"{glyphs.name} {glyphs.split}: {len(glyphs):,} images"))
    if glyphs.remark:
        console.print(_escaped(f"remark: {glyphs.remark}"))
    console.print()
    _print_tables(comparison)
    console.print()
    shown = comparison.pairs_worth_showing()
    for pair in shown:
        console.print(_escaped(pair_in_words(comparison, pair)))
    if len(shown) < len(comparison.pairs):
        console.print(f"(with the best run only; all {len(comparison.pairs)} pairs: pairs.csv and --json)")
    if folder is not None:
        console.print(f"\ntables and pictures: {_escaped(str(folder))}  (curves.png, flips.png, flipped.csv ...)")


def _print_tables(comparison: Comparison) -> None:
    """Figures, then the settings that differ: a column a run, or for many runs a row a run with a number."""
    from glyphlab.evaluation.comparison.files import figures_table, settings_table

    names = [entry.name for entry in comparison.entries]
    figures, settings = figures_table(comparison), settings_table(comparison)
    columns = range(1, len(names) + 1)
    if len(names) <= _BESIDE:
        gap = [[""] * (len(names) + 1)] if settings else []
        print_table(["", *names], [*figures, *gap, *settings], right=columns)
        return
    header, *rows = zip(
        ["run", *(f"{n}  {name}" for n, name in zip(columns, names, strict=True))], *figures, strict=True
    )
    print_table(header, rows, right=range(1, len(header)))
    if settings:
        typer.echo()
        print_table(["settings that differ", *map(str, columns)], settings, right=columns)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
