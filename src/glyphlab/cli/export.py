"""`glyphlab export`: a finished run becomes one file that answers anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glyphlab.cli.console import AsJson, DataDir, print_json, stdout

EXAMPLES = """[bold]Examples[/]

glyphlab export runs/mnist-fast-1

glyphlab predict photo.jpg --model runs/mnist-fast-1
"""


def export(
    run: Annotated[str, typer.Argument(help="A run folder, or its name within --runs-dir.")],
    out: Annotated[
        Path | None, typer.Option(help="The file to write (default: RUN/model.onnx).", show_default=False)
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Write NAME-int8.onnx beside it as well, and say what it loses and gains.")
    ] = False,
    framing: Annotated[
        str, typer.Option(help="How pictures become glyphs: auto, mnist, emnist, or none: fitted in whole.")
    ] = "auto",
    licence: Annotated[str, typer.Option(help="Licence of the model, for its description.")] = "",
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are looked for by name.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Write a run as one ONNX file: glyphs in, calibrated probabilities out.

    Class names, preparation, calibration, origin and figures travel inside.
    The file is checked against the network on the whole test part, and not
    kept if any answer changes.
    """
    from rich.markup import escape

    from glyphlab.evaluation.export import export_run

    report = export_run(
        run,
        out,
        data_dir=data_dir,
        runs_dir=runs_dir,
        framing=framing,
        licence=licence,
        int8=int8,
    )
    if as_json:
        print_json(report.to_json())
    else:
        stdout().print(escape(report.describe()))
