"""`glyphlab data`: list, fetch, show and check data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from glyphlab.cli.bars import counting_bar
from glyphlab.cli.console import AsJson, DataDir, print_json, print_table, shown, stderr, stdout
from glyphlab.cli.fetching import fetch_reporter
from glyphlab.cli.usage import App

if TYPE_CHECKING:
    from glyphlab.data.checks import Finding
    from glyphlab.data.decode import Channels
    from glyphlab.data.glyphset import GlyphSet

app = App(
    help="List, fetch, show and check data sets.",
    epilog="Example: [bold]glyphlab data fetch mnist[/], then [bold]glyphlab data show mnist[/]",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    str, typer.Argument(metavar="NAME", help="A public set (see: glyphlab data list), or a folder or CSV of yours.")
]
Size = Annotated[int | None, typer.Option(help="Side of the images made from a folder's pictures, in pixels.")]
ChannelChoice = Annotated[str, typer.Option("--channels", help="For a folder's pictures: auto, grey or rgb.")]
Invert = Annotated[bool, typer.Option("--invert", help="Exchange black and white in a folder's pictures.")]


@app.command("list", epilog="Example: [bold]glyphlab data list --data-dir ~/data[/]")
def list_sets(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the public data sets, and which of them are at hand."""
    from glyphlab.data.catalogue import SOURCES
    from glyphlab.data.locate import default_data_dir, presence

    where = data_dir or default_data_dir()
    found = {name: presence(source, where) for name, source in SOURCES.items()}
    if as_json:
        print_json(
            {
                "data_dir": str(where),
                "sets": [
                    {
                        "name": source.name,
                        "title": source.title,
                        "classes": len(source.class_names),
                        "train": source.train_count,
                        "test": source.test_count,
                        "download_bytes": source.download_bytes,
                        "state": found[source.name].state,
                        "folder": None if found[source.name].folder is None else str(found[source.name].folder),
                        "size_bytes": found[source.name].size_bytes,
                        "missing": found[source.name].missing,
                        "citation": source.citation,
                    }
                    for source in SOURCES.values()
                ],
            }
        )
        return
    rows = []
    for name, source in SOURCES.items():
        there = found[name]
        state = {
            "embedded": "comes with scikit-learn",
            "complete": f"{there.folder} ({_size(there.size_bytes)})",
            "partial": f"partly in {there.folder}, lacks {', '.join(there.missing)}",
            "missing": f"to fetch ({_size(source.download_bytes)})",
        }[there.state]
        counts = (f"{len(source.class_names)}", f"{source.train_count:,}", f"{source.test_count:,}")
        rows.append((name, *counts, state, source.title))
    print_table(("name", "classes", "train", "test", "where", "what"), rows, right=(1, 2, 3))
    stdout().print(f"\ndata directory: {where}", markup=False)


@app.command("fetch", epilog="Example: [bold]glyphlab data fetch emnist-balanced[/]")
def fetch_set(
    name: Annotated[str, typer.Argument(help="A public set; see: glyphlab data list.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Download a public data set; files that are there already are not fetched again."""
    from glyphlab.data.locate import default_data_dir, presence, source
    from glyphlab.data.sources import fetch

    where = data_dir or default_data_dir()
    known = source(name)
    with fetch_reporter() as reporter:
        folder = fetch(name, where, reporter)
    there = presence(known, where)
    if as_json:
        files = [str(path) for path in there.found]
        print_json({"name": name, "folder": None if folder is None else str(folder), "files": files})
    elif there.state == "embedded":
        stdout().print(f"{name} is ready: it comes with scikit-learn", markup=False)
    else:
        stdout().print(f"{name} is ready in {there.folder} ({_size(there.size_bytes)})", markup=False)


@app.command("show", epilog="Example: [bold]glyphlab data show mnist --out pictures[/]")
def show_set(
    data: Data,
    data_dir: DataDir = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    per_class: Annotated[int, typer.Option(min=1, max=100, help="Images of each class on the sheet.")] = 12,
    size: Size = None,
    channels: ChannelChoice = "auto",
    invert: Invert = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave unreadable pictures out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Describe a data set; draw a sheet of its training images and a chart of images per class."""
    from glyphlab.data.pictures import class_chart, contact_sheet, save_figure, save_sheet
    from glyphlab.data.sources import load_dataset

    def load(split: Any) -> GlyphSet:
        with counting_bar(split) as on_progress:
            return load_dataset(
                data,
                split,
                data_dir,
                size=size,
                channels=cast("Channels", channels),
                invert=invert,
                skip_bad=skip_bad,
                on_skip=lambda message: stderr().print(shown(f"skipped {message}"), markup=False),
                on_progress=on_progress,
            )

    sets = [load("train"), load("test")]
    sheet, chart = out / f"{sets[0].name}-sheet.png", out / f"{sets[0].name}-classes.png"
    save_sheet(contact_sheet(sets[0], per_class), sheet)
    save_figure(class_chart(sets), chart)
    if as_json:
        print_json(
            {
                "name": sets[0].name,
                "class_names": sets[0].class_names,
                "splits": {glyphs.split: _described(glyphs) for glyphs in sets},
                "remark": sets[0].remark or sets[1].remark,
                "pictures": [str(sheet), str(chart)],
            }
        )
        return
    rows = [(glyphs.split, *_row(glyphs)) for glyphs in sets]
    print_table(("split", "images", "image", "classes", "smallest class", "largest class"), rows, right=(1, 3))
    lines = [f"{glyphs.split}: {glyphs.remark}" for glyphs in sets if glyphs.remark]
    remarks = [sets[0].remark] if sets[0].remark == sets[1].remark else lines
    for line in (*filter(None, remarks), f"pictures: {sheet}, {chart}"):
        stdout().print(line, markup=False)


@app.command("check", epilog="Example: [bold]glyphlab data check photos/greek --skip-bad[/]")
def check_set(
    data: Data,
    data_dir: DataDir = None,
    size: Size = None,
    channels: ChannelChoice = "auto",
    invert: Invert = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Unreadable pictures are known: only note them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for leaks, duplicates, contradictory labels, blanks, bad files, small and unequal classes.

    Exit code 1 when something is worth mending (an error or a warning), 0 otherwise.
    """
    from glyphlab.data.checks import check

    with counting_bar("reading") as on_progress:
        findings = check(
            data,
            data_dir,
            size=size,
            channels=cast("Channels", channels),
            invert=invert,
            skip_bad=skip_bad,
            on_progress=on_progress,
        )
    wrong = [finding for finding in findings if finding.severity != "note"]
    if as_json:
        print_json({"data": data, "ok": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        _print_findings(data, findings)
    if wrong:
        raise typer.Exit(1)


def _print_findings(data: str, findings: Sequence[Finding]) -> None:
    colours = {"error": "bold red", "warning": "yellow", "note": "dim"}
    console = stdout()
    for finding in findings:
        console.print(f"{finding.severity:8}", style=colours[finding.severity], end="")
        console.print(shown(finding.message), markup=False)
        for example in finding.examples:
            console.print(f"          {shown(example)}", markup=False)
        if 0 < len(finding.examples) < finding.count:
            console.print(f"          and {finding.count - len(finding.examples):,} more", markup=False)
    counts = [sum(finding.severity == severity for finding in findings) for severity in colours]
    summary = ", ".join(
        f"{count} {name}{'s' * (count != 1)}" for count, name in zip(counts, colours, strict=True) if count
    )
    console.print(f"{data}: {summary or 'nothing wrong found'}", markup=False)


def _described(glyphs: GlyphSet) -> dict[str, Any]:
    return {
        "images": len(glyphs),
        "image_shape": glyphs.image_shape,
        "counts": glyphs.counts().tolist(),
        "remark": glyphs.remark,
    }


def _row(glyphs: GlyphSet) -> tuple[str, ...]:
    """Images, image form, classes, smallest and largest class as text."""
    channels, height, width = glyphs.image_shape
    counts = glyphs.counts()
    smallest, largest = (
        f"{glyphs.class_names[index]} ({counts[index]:,})" for index in (int(counts.argmin()), int(counts.argmax()))
    )
    form = f"{height}x{width} {'grey' if channels == 1 else 'RGB'}"
    return (f"{len(glyphs):,}", form, f"{len(glyphs.class_names)}", smallest, largest)


def _size(size_bytes: int) -> str:
    """A size for people: 11 MB."""
    value, unit = float(size_bytes), "bytes"
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            break
        value /= 1000
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
