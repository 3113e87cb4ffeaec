"""`glyphlab errors`: every mistake of a run as a file of its own, and whose fault it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glyphlab.cli.bars import task_bars
from glyphlab.cli.console import AsJson, DataDir, print_json, stdout
from glyphlab.errors import GlyphlabError, did_you_mean

EXAMPLES = """[bold]Examples[/]

glyphlab errors runs/mnist-fast-1

glyphlab errors mnist-fast-1 --with mnist-mnist-net-1 --with mnist-mnist-3conv-bn-1  (let other networks judge, too)

glyphlab errors mnist-fast-1 --all  (also right answers that were nearly wrong)

glyphlab errors mnist-fast-1 --data my-digits/ --out my-errors
"""


def errors(
    run: Annotated[str, typer.Argument(help="A run folder, or its name within --runs-dir.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Save right answers that were nearly wrong, too, under borderline/.")
    ] = False,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="RUN", help="Another run whose network judges the images as well; repeatable."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Look at the mistakes on this data set instead of the run's own; it needs the same classes."),
    ] = None,
    split: Annotated[str, typer.Option(help="Which part: test or train.")] = "test",
    out: Annotated[Path | None, typer.Option(help="Folder to write (default: RUN/errors).", show_default=False)] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a former result even where its files were changed since.")
    ] = False,
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are looked for by name.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Save every misclassified image, and sort the mistakes: model wrong, label suspicious or ambiguous.

    Writes to RUN/errors: <true>__<predicted>/<id>.png, errors.csv with reasons,
    classes.csv, pairs.png, surest.png (each beside the nearest training images)
    and classes/. A former result that nobody touched is replaced.
    """
    from rich.markup import escape

    from glyphlab.evaluation.evaluate import judge
    from glyphlab.evaluation.mistakes.examination import examine, require_unlike
    from glyphlab.evaluation.mistakes.files import MARKER, errors_folder, write_errors
    from glyphlab.evaluation.other_data import other_data
    from glyphlab.evaluation.result_folder import require_replaceable
    from glyphlab.training.run import Run

    if split not in ("test", "train"):
        raise GlyphlabError(f"--split is '{split}'; {did_you_mean(split, ['test', 'train'])}")
    opened = Run.open(run, runs_dir)
    asked = [Run.open(other, runs_dir) for other in others or ()]
    require_unlike(opened, asked)
    if out is not None:
        require_replaceable(out, MARKER, force)  # before the work, not after it
    with task_bars(lines=True) as on_progress:
        classifier = opened.classifier()
        on_progress("asking the network", 0, 1)
        other = other_data(opened, data)
        evaluation, glyphs = judge(opened, classifier, other, "test" if split == "test" else "train", data_dir)
        on_progress("asking the network", 1, 1)
        folder = out or errors_folder(opened, glyphs.name if other else None, split)
        require_replaceable(folder, MARKER, force)
        examination = examine(
            opened,
            classifier,
            evaluation,
            glyphs,
            others=asked,
            borderline=everything,
            data_dir=data_dir,
            on_progress=on_progress,
        )
        write_errors(examination, folder, force=force, on_progress=on_progress)
    if as_json:
        print_json(examination.summary() | {"run": opened.name, "folder": str(folder)})
        return
    console = stdout()
    console.print(escape(examination.describe()))
    console.print(f"\nimages, tables and pictures: {escape(str(folder))}")
