"""`glyphlab sweep`: many trials of one recipe, spread over processes and machines, and what came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from glyphlab.cli.console import AsJson, DataDir, complain, print_json, print_table, stdout
from glyphlab.cli.usage import App
from glyphlab.errors import quoted
from glyphlab.evaluation.wording import counted

if TYPE_CHECKING:
    from glyphlab.training.sweep.bases import Pair, PreparedBase
    from glyphlab.training.sweep.definition import SweepDefinition
    from glyphlab.training.sweep.entry import Entry
    from glyphlab.training.sweep.results import SweepResults

EXAMPLES = """[bold]Examples[/]

glyphlab sweep fashion-60 --workers 2  (a sweep that comes along: glyphlab sweep list)

glyphlab sweep mine.toml  (a file of one's own; the same command goes on after Ctrl-C or a crash)

glyphlab sweep greek-epochs-batch --base runs/mnist-mnist-net-1 --data greek-photos/  (of a transfer)

glyphlab sweep mine.toml --storage postgresql://user@server/sweeps  (on as many machines as there are)

glyphlab sweep show mine  (where it stands; also while it runs)

glyphlab sweep report mine  (the page and the table anew)
"""
_SHOWN_TRIALS = 10


class RunByDefault(TyperGroup):
    """A group whose command ``run`` need not be named: `glyphlab sweep FILE` is `glyphlab sweep run FILE`."""

    # typer has its own copy of click in some versions, so its types cannot be named here.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put ``run`` before whatever is no command."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = App(
    cls=RunByDefault,
    name="sweep",
    help="Run many trials of one recipe: a grid, random points, TPE or a list. Options: glyphlab sweep run --help",
    epilog=EXAMPLES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)

SweepsDir = Annotated[Path, typer.Option(help="Where sweeps are kept, each in a folder of its name.")]
Storage = Annotated[
    str | None,
    typer.Option(
        help="postgresql://user:password@host/database, shared by machines (default: a file in the sweep's folder).",
        show_default=False,
    ),
]


@app.command("run", epilog=EXAMPLES)
def run(
    file: Annotated[str, typer.Argument(help="A sweep's .toml file, or the name of one that comes along.")],
    data: Annotated[
        str | None, typer.Option(help="Another data set than the file's: a known name, a folder or a CSV file.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|MODEL", help="The trained network that trials begin with, for recipes with a \\[transfer]."
        ),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without pictures that cannot be read.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine; its cores are shared out.")] = 1,
    trials: Annotated[
        int | None, typer.Option(min=1, help="At most so many trials in all; a later call may go on with more.")
    ] = None,
    storage: Storage = None,
    name: Annotated[str | None, typer.Option(help="What to call it (default: the file's name).")] = None,
    data_dir: DataDir = None,
    sweeps_dir: SweepsDir = Path("sweeps"),
    report: Annotated[bool, typer.Option(help="Write sweep.html and trials.csv at the end.")] = True,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing while it runs.")] = False,
) -> None:
    """Run a sweep, or go on with one; every trial is a normal run, judged on validation images.

    Trials lie in SWEEPS_DIR/<name>/runs. The same command goes on where
    it was, whatever ended it: no trial is run twice and none is lost.

    Ctrl-C stops after the present steps and keeps everything.
    """
    from glyphlab.cli.sweep_progress import watcher_for
    from glyphlab.training.sweep.bases import lay_out, pairs_of
    from glyphlab.training.sweep.definition import SweepDefinition
    from glyphlab.training.sweep.results import SweepResults
    from glyphlab.training.sweep.supervise import begin_sweep, run_workers, threads_each

    definition = SweepDefinition.load(file, data, base, skip_bad=skip_bad)
    pairs = pairs_of(definition)
    prepared = _prepare_bases(definition, sweeps_dir / (name or definition.name), data_dir) if pairs else {}
    ledger, folder = begin_sweep(definition, name=name, sweeps_dir=sweeps_dir, storage=storage, trials=trials)
    planned = trials or definition.search.trials
    with ledger:
        if pairs:
            lay_out(prepared, pairs, ledger, folder)
        watcher = watcher_for(quiet, SweepResults.read(ledger, folder), workers, threads_each(workers), planned)
        with watcher:
            went_through = run_workers(
                ledger, folder, workers=workers, storage=storage, trials=trials, data_dir=data_dir, watcher=watcher
            )
        results = SweepResults.read(ledger, folder)
    pages = _write_pages(results) if report and results.finished else None
    if as_json:
        print_json(_as_json(results, pages))
    else:
        _print_outcome(results, pages, went_through)
    if not went_through:
        complain("stopped; the same command goes on where it was")
        sys.exit(130)


@app.command("show", epilog="Example: [bold]glyphlab sweep show mine --all[/]")
def show(
    name: Annotated[str, typer.Argument(help="The sweep's name, or its folder.")],
    storage: Storage = None,
    sweeps_dir: SweepsDir = Path("sweeps"),
    every: Annotated[bool, typer.Option("--all", "-a", help="All trials, not only the best.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say where a sweep stands: also while it runs, here or elsewhere."""
    results = _read(name, sweeps_dir, storage)
    if as_json:
        print_json(_as_json(results, None))
        return
    _print_standing(results)
    _print_trials(results, len(results.entries) if every else _SHOWN_TRIALS)


@app.command("report", epilog="Example: [bold]glyphlab sweep report mine[/]")
def report(
    name: Annotated[str, typer.Argument(help="The sweep's name, or its folder.")],
    storage: Storage = None,
    sweeps_dir: SweepsDir = Path("sweeps"),
    as_json: AsJson = False,
) -> None:
    """Write a sweep's page and table: sweep.html and trials.csv in its folder."""
    pages = _write_pages(_read(name, sweeps_dir, storage))
    if as_json:
        print_json({"report": str(pages[0]), "table": str(pages[1])})
    else:
        typer.echo(f"{pages[0]}\n{pages[1]}")


@app.command("list", epilog="Example: [bold]glyphlab sweep list[/], then [bold]glyphlab sweep fashion-60[/]")
def listing(as_json: AsJson = False) -> None:
    """List the sweeps that come with Glyphlab."""
    from glyphlab.training.sweep.definition import SweepDefinition
    from glyphlab.training.sweep.parsing import shipped

    found = [SweepDefinition.load(name) for name in shipped()]
    if as_json:
        print_json([{"name": sweep.name, "description": sweep.description} for sweep in found])
        return
    rows = [(sweep.name, sweep.base.data.name, str(len(list(sweep.plan()))), sweep.description) for sweep in found]
    print_table(("sweep", "data", "trials", "what for"), rows, right={2})


def _prepare_bases(definition: SweepDefinition, sweep_folder: Path, data_dir: Path | None) -> dict[Pair, PreparedBase]:
    from glyphlab.evaluation.transfer.for_sweep import prepare_bases

    return prepare_bases(definition, sweep_folder, data_dir)


def _read(name: str, sweeps_dir: Path, storage: str | None) -> SweepResults:
    from glyphlab.training.sweep.results import SweepResults
    from glyphlab.training.sweep.supervise import open_sweep

    ledger, folder = open_sweep(name, sweeps_dir, storage)
    with ledger:
        return SweepResults.read(ledger, folder)


def _write_pages(results: SweepResults) -> tuple[Path, Path]:
    from glyphlab.evaluation.sweep_report.page import write_sweep_report

    table = results.folder / "trials.csv"
    results.write_csv(table)
    return write_sweep_report(results, results.folder / "sweep.html"), table


def _as_json(results: SweepResults, pages: tuple[Path, Path] | None) -> dict[str, Any]:
    from glyphlab.training.sweep.entry import Standing

    best = results.best
    return {
        "sweep": results.name,
        "folder": str(results.folder),
        "begun": results.begun,
        "prediction_sha256": results.prediction_sha256,
        "trials": {standing.value: results.count(standing) for standing in Standing},
        "best": best.number if best else None,
        "report": str(pages[0]) if pages else None,
        "table": str(pages[1]) if pages else None,
        "rows": results.rows(),
    }


def _print_outcome(results: SweepResults, pages: tuple[Path, Path] | None, went_through: bool) -> None:
    from rich.markup import escape

    _print_standing(results)
    _print_trials(results, _SHOWN_TRIALS)
    console = stdout()
    if pages is not None:
        console.print(f"\nreport: {escape(str(pages[0]))}   table: {escape(str(pages[1]))}")
    if not went_through:
        return
    best = results.best
    folder = results.folder_of(best) if best else None
    if folder is not None and folder.exists():
        console.print("next, once and for the chosen trial only, the test images:")
        console.print(f"  glyphlab evaluate {escape(quoted(folder))}")


def _print_standing(results: SweepResults) -> None:
    from rich.markup import escape

    from glyphlab.training.sweep.entry import Standing

    counts = [f"{results.count(standing)} {standing.value}" for standing in Standing if results.count(standing)]
    console = stdout()
    console.print(f"\n[bold]{escape(results.name)}[/]: {', '.join(counts) or 'no trials yet'}")
    for entry in results.entries:
        if entry.standing is Standing.RUNNING:
            epoch = f"after epoch {entry.by_epoch[-1][0]}" if entry.by_epoch else "in its first epoch"
            console.print(escape(f"  trial {entry.label} runs on {entry.host}, {epoch}: {_words(entry)}"))
        elif entry.standing is Standing.FAILED:
            console.print(escape(f"  trial {entry.label} failed: {entry.failure}"))
    best = results.best
    if best is not None and best.result is not None:
        alike = len(results.equals_of_best()) - 1
        console.print(
            f"best: trial {escape(best.label)}, {best.result['accuracy']:.2%} of "
            f"{best.result['validation_images']:,} validation images"
            + (f" (as good, as far as these images can tell: {counted(alike, 'other')})" if alike else "")
        )


def _print_trials(results: SweepResults, count: int) -> None:
    """The best trials, a line each."""
    shown = results.finished[:count]
    if not shown:
        return
    keys = results.definition.keys
    reported = any(entry.trial.reported is not None for entry in results.entries)
    header = ("trial", *(key.partition(".")[2] or key for key in keys), "accuracy", "epoch", "seconds")
    rows = []
    for entry in shown:
        figures = entry.result or {}
        row = [entry.label, *(_value(entry.trial.point.get(key)) for key in keys), f"{figures['accuracy']:.2%}"]
        row += [str(figures["best_epoch"] or ""), f"{figures['time_seconds']:.0f}"]
        rows.append([*row, f"{entry.trial.reported:.1%}" if entry.trial.reported is not None else ""])
    typer.echo("")
    if reported:
        print_table([*header, "reported"], rows, right=set(range(1, len(header) + 1)))
    else:
        print_table(header, [row[:-1] for row in rows], right=set(range(1, len(header))))


def _words(entry: Entry) -> str:
    return ", ".join(f"{key.partition('.')[2] or key} {_value(value)}" for key, value in entry.trial.point.items())


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)
