"""`glyphlab transfer`: a trained network learns the characters in a folder of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glyphlab.cli.bars import lines_now_and_then
from glyphlab.cli.console import AsJson, DataDir, print_json, print_table, stderr, stdout
from glyphlab.cli.settings import parse_settings, require_once
from glyphlab.errors import RecipeError, RunError, quoted

if TYPE_CHECKING:
    from glyphlab.evaluation.transfer.report import TransferReport
    from glyphlab.evaluation.transfer.transfer import OnPicture
    from glyphlab.training.transfer.choice import OnFold
    from glyphlab.training.transfer.ways import Way

EXAMPLES = """[bold]Examples[/]

glyphlab transfer characters greek-photos/  (a shipped model learns what the folder holds, by the best of four ways)

glyphlab transfer digits greek-photos/ --add  (the new letters join the ten digits)

glyphlab transfer characters runes/ --learn-all  (three photos of each: too few to hold some back for a test)

glyphlab transfer runs/mnist-mnist-net-1 greek-photos/ --recipe greek-frozen --print-network  (a report's experiment)

glyphlab transfer runs/mnist-fast-1 runes/ --way finetune --freeze 2 --epochs 30
"""


def transfer(
    base: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RUN",
            help="A shipped model's name, an .onnx file, a run (folder or name), or resnet50 or alexnet.",
        ),
    ],
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Pictures: a folder a class, or train/ and test/ of such folders."),
    ],
    way: Annotated[
        str, typer.Option(help="auto (the best in cross-validation, see above), means, probe, frozen or finetune.")
    ] = "auto",
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Time for --way auto, 60 unless given; a way that would take longer is not tried. 0: no limit.", min=0
        ),
    ] = None,
    freeze: Annotated[
        str | None, typer.Option(metavar="all|N|none", help="Fine-tuning leaves all, the first N or no layers alone.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Keep the model's own classes beside the new ones.")] = False,
    learn_all: Annotated[
        bool, typer.Option("--learn-all", help="Hold no pictures out; cross-validation alone tells how good it is.")
    ] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without pictures that cannot be used.")] = False,
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="Settings of the training: a recipe's name or a .toml file.")
    ] = "transfer",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Replace a setting: training.lr=0.0005. May be repeated."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Short for --set training.epochs=N.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Copy the model file there as well.", show_default=False, dir_okay=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that --out names.")] = False,
    print_network: Annotated[bool, typer.Option("--print-network", help="Print the modified network.")] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Weights of resnet50 or alexnet: a .pth or .safetensors file.")
    ] = None,
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where the run folder is made, and runs are looked for.")] = Path(
        "runs"
    ),
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while learning.")] = False,
) -> None:
    """Teach a trained network new characters from a few pictures of each.

    The pictures are prepared as reading prepares them and shown as a contact
    sheet. Several ways are tried on them by cross-validation, and the best one
    learns from all. The result is a run folder with a model file, like any.

    The best way is the most accurate on the held-back pictures; of equals, the
    most accurate on varied copies of them as well, then the one with the least
    loss. Quick ways are tried first. One that cannot be the best any more, or
    would take longer than --seconds, is not tried to its end; the table says so.
    """
    from rich.markup import escape

    from glyphlab.cli.progress import reporter_for
    from glyphlab.evaluation.transfer.transfer import transfer as run_transfer
    from glyphlab.files import write_bytes

    if out is not None and out.exists() and not force:
        raise RunError(f"{out} exists already; name another file, or replace it with --force")
    changes = parse_settings(settings or [])
    require_once(changes, "training.epochs", "--epochs", epochs)
    require_once(changes, "transfer.way", "--way", None if way == "auto" else way)
    require_once(changes, "transfer.freeze", "--freeze", freeze)
    require_once(changes, "transfer.add", "--add", add or None)
    require_once(changes, "transfer.hold_out", "--learn-all", False if learn_all else None)
    require_once(changes, "data.skip_bad", "--skip-bad", skip_bad or None)
    with _progress(quiet) as (on_picture, on_fold):
        report = run_transfer(
            base,
            data,
            way=way,
            freeze=_depth(freeze),
            add=add,
            hold_out=not learn_all,
            skip_bad=skip_bad,
            recipe=recipe,
            epochs=epochs,
            settings=changes,
            seconds=_budget(seconds, way),
            weights=weights,
            data_dir=data_dir,
            runs_dir=runs_dir,
            reporter=reporter_for(quiet=quiet),
            on_picture=on_picture,
            on_fold=on_fold,
        )
    if out is not None and report.model is not None:
        write_bytes(out, report.model.read_bytes())
    if as_json:
        print_json(report.to_json())
        return
    if print_network:
        stdout().print(escape(str(report.run.classifier().body)))
    _print_outcome(report)


def _depth(text: str | None) -> str | int | None:
    """all, none, or a number."""
    if text is None or text in ("all", "none"):
        return text
    if not text.isdecimal():
        raise RecipeError(f"--freeze is '{text}'; expected all, none, or how many layers, counted from the image")
    return int(text)


def _budget(seconds: float | None, way: str) -> float | None:
    """The time for trying ways; None: no limit."""
    from glyphlab.evaluation.transfer.transfer import DEFAULT_SECONDS

    if seconds is None:
        return DEFAULT_SECONDS
    if way != "auto":
        raise RecipeError(f"--seconds has no effect with --way {way}, which is learned by in any case; leave one out")
    return seconds or None


@contextmanager
def _progress(quiet: bool) -> Iterator[tuple[OnPicture | None, OnFold | None]]:
    """Bars over the pictures to be prepared and the folds to be judged; they go when the training's own bar comes.

    Elsewhere than on a terminal a line for each.
    """
    if quiet:
        yield None, None
        return
    if not stderr().is_terminal:
        say = lines_now_and_then(beginnings=True)
        yield partial(say, "preparing pictures"), lambda way, done, total: say(f"trying {way}", done, total)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bars = Progress(*columns, console=stderr(), transient=True)

    def show(what: str, done: int, total: int) -> None:
        if not bars.live.is_started:
            bars.add_task(what, total=total)
            bars.start()
        bars.update(bars.task_ids[0], completed=done)
        if done == total:
            bars.stop()
            bars.remove_task(bars.task_ids[0])

    def on_picture(done: int, total: int) -> None:
        show("preparing pictures", done, total)

    def on_fold(way: Way, done: int, total: int) -> None:
        show(f"trying {way}", done, total)

    try:
        yield on_picture, on_fold
    finally:
        bars.stop()


def _print_outcome(report: TransferReport) -> None:
    """The ways side by side, what came out, where it is, and what to do next."""
    from rich.markup import escape

    if report.trials:
        folds = len(report.trials[0].accuracies)
        judged = f"{folds} folds" if folds > 1 else "a fifth held back"
        typer.echo(f"\nways, judged by cross-validation ({judged}); varied: with their copies; * the one taken")
        header = ("  way", "accuracy", "sd", "varied", "loss", "seconds", "what it does")
        print_table(header, report.rows(), right={1, 2, 3, 4, 5})
    console, folder = stdout(), report.run.folder
    console.print("\n" + escape(report.describe()))
    console.print(f"\nall of it: {escape(str(folder))}  (model.onnx, transfer.json, evaluation/examples.png ...)")
    console.print("next:")
    console.print(f"  glyphlab predict my-photo.jpg --model {escape(quoted(folder))}")
    others = " --data MORE-PICTURES" if report.pictures.untested else ""
    console.print(f"  glyphlab evaluate {escape(quoted(folder))}{others}")
