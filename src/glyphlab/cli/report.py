"""`glyphlab report`: everything about a run on one page that opens anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glyphlab.cli.bars import task_bars
from glyphlab.cli.console import AsJson, DataDir, print_json, stdout
from glyphlab.errors import GlyphlabError, did_you_mean

EXAMPLES = """[bold]Examples[/]

glyphlab report runs/mnist-fast-1 --open

glyphlab report mnist-fast-1 --out ~/Desktop/my-run.html

glyphlab report mnist-fast-1 --data my-digits/  (other images of the same classes)

glyphlab report characters --map tsne  (a clearer map of many classes; takes longer)
"""


def report(
    run: Annotated[str, typer.Argument(help="A run folder, or its name within --runs-dir.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write it (default: RUN/report.html).", show_default=False),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Judge on this data set instead of the run's own; it needs the same classes.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which part: test or train.")] = "test",
    projection: Annotated[
        str, typer.Option("--map", help="How the feature space is laid out: pca, tsne or none.")
    ] = "pca",
    inside: Annotated[
        bool, typer.Option(help="With pictures of what goes on inside the network, some ten seconds of work.")
    ] = True,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="RUN", help="Another run whose network judges the images as well; repeatable."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the report in the browser.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is no report.")] = False,
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are looked for by name.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Write one self-contained page that tells everything about a run.

    Summary in words, confusion matrix with the images behind each number,
    every mistake with its reason, suspicious labels, certainty, learning
    curves, the inside of the network, recipe and environment.

    The page works offline, on a telephone and on paper; an older report is replaced.
    """
    for option, value, known in (
        ("--split", split, ["test", "train"]),
        ("--map", projection, ["pca", "tsne", "none"]),
    ):
        if value not in known:
            raise GlyphlabError(f"{option} is '{value}'; {did_you_mean(value, known)}")
    from rich.markup import escape

    from glyphlab.evaluation.report import report as write
    from glyphlab.training.run import Run

    asked = [Run.open(other, runs_dir) for other in others or ()]
    with task_bars() as on_progress:
        path = write(
            run,
            data,
            split="train" if split == "train" else "test",
            path=out,
            others=asked,
            projection="tsne" if projection == "tsne" else "none" if projection == "none" else "pca",
            looks=inside,
            data_dir=data_dir,
            runs_dir=runs_dir,
            force=force,
            on_progress=on_progress,
        )
    size_bytes = path.stat().st_size
    if as_json:
        print_json({"path": str(path), "size_bytes": size_bytes})
    else:
        stdout().print(f"{escape(str(path))}  ({size_bytes / 1e6:.1f} MB; open it in any browser)")
    if open_it:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
