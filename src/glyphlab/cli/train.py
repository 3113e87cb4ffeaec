"""`glyphlab train`: one command from data to a trained, evaluated recogniser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glyphlab.cli.console import AsJson, DataDir, complain, print_json, stdout
from glyphlab.cli.settings import parse_settings, require_once
from glyphlab.cli.stopping import stop_leaves
from glyphlab.errors import GlyphlabError, RecipeError, quoted
from glyphlab.evaluation.wording import counted

if TYPE_CHECKING:
    from glyphlab.evaluation.result import Evaluation
    from glyphlab.training.distributed import World
    from glyphlab.training.run import Run

EXAMPLES = """[bold]Examples[/]

glyphlab train digits  (no download needed)

glyphlab train mnist  (the default recipe, fast)

glyphlab train letters-photos/  (a folder with a folder of pictures a class)

glyphlab train --recipe mnist-net --epochs 2  (a recipe with its own data)

glyphlab train mnist --set training.lr=0.01 --set network.width=64

glyphlab train --resume runs/mnist-fast-1  (continue after Ctrl-C, a crash or a power cut)

glyphlab train --resume runs/mnist-fast-1 --epochs 20  (make a finished run longer)

torchrun --nproc-per-node 2 -m glyphlab train mnist  (several processes; see docs/scaling.md)
"""


def train(
    data: Annotated[
        str | None,
        typer.Argument(
            help="A known data set, a folder of pictures or a CSV file (default: the recipe's).",
            metavar="DATA",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="A recipe's name (glyphlab recipes), or a .toml file."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Replace a setting: training.lr=0.01. May be repeated."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Short for --set training.epochs=N; with --resume: in all.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Continue a run, or extend it with --epochs.")
    ] = None,
    data_dir: DataDir = None,
    runs_dir: Annotated[Path, typer.Option(help="Where the run folder is made.")] = Path("runs"),
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without pictures that cannot be read.")] = False,
    evaluate: Annotated[
        bool, typer.Option(help="At the end judge the network on the test images and write model.onnx.")
    ] = True,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while training.")] = False,
) -> None:
    """Train a network and judge it on images it has never seen.

    Everything goes to a new folder runs/<data>-<recipe>-<n>: recipe,
    environment, metrics, curves, weights, evaluation.

    Ctrl-C stops after the present step and keeps everything.
    """
    from glyphlab.cli.progress import reporter_for
    from glyphlab.evaluation.export import conclude, is_concluded
    from glyphlab.training import resume as resuming
    from glyphlab.training import train as training
    from glyphlab.training.loop import Ending
    from glyphlab.training.run import Run

    with _joined() as world:
        if not world.is_first:
            ending = resuming.assist(world, data_dir=data_dir)
            sys.exit(130 if ending is Ending.INTERRUPTED else 0)
        changes = parse_settings(settings or [])
        require_once(changes, "data.name", "DATA", data)
        require_once(changes, "training.epochs", "--epochs", epochs)
        require_once(changes, "data.skip_bad", "--skip-bad", skip_bad or None)
        if skip_bad:
            changes["data.skip_bad"] = True
        where: dict[str, Any] = {"data_dir": data_dir, "runs_dir": runs_dir}
        where |= {"reporter": reporter_for(quiet=quiet), "world": world}
        if resume is not None:
            run = Run.open(resume, runs_dir)
            same = None
            if recipe is not None or data is not None or changes:
                _refuse_without_effect(changes)
                recorded = run.recipe
                same = training.compose(
                    recipe or recorded, data or recorded.data.name, settings=changes, runs_dir=runs_dir
                )
            told = run.is_done and run.status["status"] != "running"  # else resume has its closing entries made
            unjudged = world.is_alone and evaluate and told and not is_concluded(run)
            if epochs is None and unjudged:  # it was stopped as it was judged, and that alone is missing
                resuming.require_same_recipe(run, same)
            else:
                run = resuming.resume(run, epochs=epochs, recipe=same, **where)
        else:
            chosen = recipe or training.DEFAULT_RECIPE
            run = training.train(chosen, data, epochs=epochs, settings=changes, **where)
    interrupted = run.status["status"] == "interrupted"
    evaluation = None
    if evaluate and not interrupted:
        place = quoted(run.folder)
        with stop_leaves(f"the training is finished; to have it judged: glyphlab train --resume {place}"):
            evaluation = conclude(run, data_dir)
    if as_json:
        print_json(_as_json(run, evaluation))
    elif not interrupted:
        _print_outcome(run, evaluation)
    if interrupted:
        again = f"continue with: glyphlab train --resume {quoted(run.folder)}"
        complain(f"stopped; kept: {counted(run.status['epochs'], 'epoch')}; {again}")
        sys.exit(130)


def _refuse_without_effect(changes: dict[str, Any]) -> None:
    """Settings that a run which goes on takes from elsewhere."""
    for key in changes:
        if key == "training.epochs":
            raise RecipeError(f"{key} has no effect with --resume; use --epochs {changes[key]}")
        if key.startswith("engine."):
            raise RecipeError(f"{key} has no effect with --resume, which keeps the run's engine; remove it")


@contextmanager
def _joined() -> Iterator[World]:
    """This process's place among those that torchrun started. Of what goes wrong for all of them, one speaks."""
    from glyphlab.training.distributed import World

    world = World.of_torchrun()
    try:
        yield world
    except GlyphlabError:
        speaks = world.speaks()
        world.give_up()
        if not speaks:
            sys.exit(2)
        raise
    finally:
        world.leave()


def _as_json(run: Run, evaluation: Evaluation | None) -> dict[str, Any]:
    return {
        "run": str(run.folder),
        **run.status,
        "test": evaluation.summary() if evaluation is not None else None,
    }


def _print_outcome(run: Run, evaluation: Evaluation | None) -> None:
    """What was found, where it is, and what to try next."""
    from rich.markup import escape

    from glyphlab.recognition.modelfile import MODEL_NAME

    status, console = run.status, stdout()
    budget = run.recipe.training.time_budget_seconds
    console.print(
        f"\n[bold]{escape(run.name)}[/]: {status['status']}, "
        f"{counted(status['epochs'], 'epoch')} in {status['time_seconds']:.0f} s"
        + (f" of the {budget:g} allowed" if budget is not None else "")
    )
    if status["best"]:
        best = status["best"]
        kept = run.recipe.training.keep
        console.print(f"{kept} epoch {best['epoch']}, {best['validation_accuracy']:.2%} on the validation images")
    if evaluation is not None:
        console.print(escape(evaluation.describe()))
    has_model = (run.folder / MODEL_NAME).exists()
    files = (MODEL_NAME, "curves.png", "evaluation/confusion.png", "weights-best.safetensors", "metrics.csv")
    there = ", ".join([name for name in files if (run.folder / name).exists()][:3])
    place = escape(quoted(run.folder))
    console.print(f"\nall of it: {escape(str(run.folder))}  ({there} ...)")
    console.print("next:")
    console.print(f"  glyphlab evaluate {place} --examples 10")
    console.print(f"  glyphlab predict my-photo.jpg --model {place}" if has_model else f"  glyphlab export {place}")
    console.print(f"  glyphlab train --resume {place} --epochs {2 * status['epochs']}")
    if run.recipe.data.name == "digits":
        console.print("  glyphlab data fetch mnist && glyphlab train mnist")
