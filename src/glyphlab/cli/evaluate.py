"""`glyphlab evaluate`: how good a run is, in figures, tables and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glyphlab.cli.bars import counting_bar
from glyphlab.cli.console import AsJson, DataDir, print_json, stdout
from glyphlab.errors import GlyphlabError, did_you_mean

if TYPE_CHECKING:
    from glyphlab.data.catalogue import Split

EXAMPLES = """[bold]Examples[/]

glyphlab evaluate runs/mnist-fast-1 --examples 10

glyphlab evaluate mnist-fast-1 --data my-digits/  (other images of the same classes)

glyphlab evaluate characters --pages pages/  (page.png with page.txt beside it: how well whole pages are read)
"""


def evaluate(
    run: Annotated[str, typer.Argument(help="A run folder, or its name within --runs-dir; with --pages also a model.")],
    data: Annotated[
        str | None,
        typer.Option(help="Judge on this data set instead of the run's own; it needs the same classes."),
    ] = None,
    split: Annotated[str, typer.Option(help="Which part: test or train.")] = "test",
    examples: Annotated[
        int,
        typer.Option(min=0, help="Print the outputs for the first N images and draw them with the answers."),
    ] = 0,
    pages: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Judge how a model reads pages that have their texts beside them."),
    ] = None,
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where runs are looked for by name.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Judge a run on its test images and write tables and pictures into its folder.

    Writes summary.json, predictions.csv, classes.csv, confusion.csv, and the
    pictures confusion.png, confusion-normalised.png, reliability.png and
    mistakes.png to RUN/evaluation. Photos and scans in a --data folder are
    prepared as predict prepares them; without a test part all are judged.
    """
    if pages is not None:
        if data is not None or examples or split != "test":
            raise GlyphlabError("--pages judges the reading of pages; --data, --split and --examples do not go with it")
        _evaluate_pages(run, runs_dir, pages, as_json)
        return
    from rich.markup import escape

    from glyphlab.evaluation.evaluate import evaluation_folder, judge, write_evaluation
    from glyphlab.evaluation.model_info import temperature_of
    from glyphlab.evaluation.other_data import other_data
    from glyphlab.evaluation.pictures import draw_examples, format_outputs
    from glyphlab.training.run import Run

    if split not in ("test", "train"):
        raise GlyphlabError(f"--split is '{split}'; {did_you_mean(split, ['test', 'train'])}")
    opened = Run.open(run, runs_dir)
    other = other_data(opened, data)
    part: Split = "test" if split == "test" else "train"
    with counting_bar("judging") as on_progress:
        evaluation, glyphs = judge(opened, opened.classifier(), other, part, data_dir, on_progress)
    folder = evaluation_folder(opened, glyphs.name if other else None, split)
    write_evaluation(evaluation, glyphs, folder, opened.weights_sha256(), temperature_of(opened))
    first = list(range(min(examples, len(glyphs))))
    if first:
        draw_examples(evaluation, glyphs, first, folder / "examples.png")
    if as_json:
        summary = evaluation.summary() | {"folder": str(folder)}
        if first:
            summary["examples"] = [
                {
                    "id": glyphs.id_of(index),
                    "log_probs": [round(float(value), 6) for value in evaluation.log_probs[index]],
                    "prediction": evaluation.class_names[evaluation.predictions[index]],
                    "truth": evaluation.class_names[evaluation.targets[index]],
                }
                for index in first
            ]
        print_json(summary)
        return
    console = stdout()
    if first:
        console.print(escape(format_outputs(evaluation, first)) + "\n")
    console.print(escape(evaluation.describe()))
    console.print(f"\ntables and pictures: {escape(str(folder))}")


def _evaluate_pages(model: str, runs_dir: Path, folder: Path, as_json: bool) -> None:
    """Print the error rates of reading the pages of a folder. model: also a run's name."""
    from rich.markup import escape

    from glyphlab.evaluation.pages import evaluate_pages
    from glyphlab.recognition.modelfile import shipped_models
    from glyphlab.recognition.recognizer import Recognizer

    is_path = model in shipped_models() or Path(model).exists() or not (runs_dir / model).is_dir()
    result = evaluate_pages(Recognizer.load(model if is_path else runs_dir / model), folder)
    if as_json:
        print_json(result.summary())
    else:
        stdout().print(escape(result.describe()))
