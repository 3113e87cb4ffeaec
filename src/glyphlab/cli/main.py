"""The command `glyphlab`: its subcommands, and how errors reach the user.

Only typer is imported here; each command imports what it needs when it runs, so that ``--help`` is immediate.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from glyphlab import __version__
from glyphlab.cli import (
    classify,
    compare,
    data,
    errors,
    evaluate,
    export,
    inspect,
    job,
    labels,
    networks,
    predict,
    read,
    recipes,
    report,
    runs,
    serve,
    sweep,
    train,
    transfer,
)
from glyphlab.cli.console import fail, plain_warnings
from glyphlab.cli.stopping import one_line_when_stopped
from glyphlab.cli.usage import App, Commands
from glyphlab.errors import GlyphlabError

# Windows gives the end of a pipe that nobody reads any more the number of something else.
_CLOSED_PIPE = (errno.EPIPE, *([errno.EINVAL] if sys.platform == "win32" else []))
_EXTRA_OF = {
    "torch": "train",
    "safetensors": "train",
    "pydantic": "train",
    "pooch": "train",
    "filelock": "train",
    "sklearn": "train",
    "matplotlib": "train",
    "onnx": "train",
    "jinja2": "train",
    "markupsafe": "train",
    "optuna": "sweep",
    "psycopg": "sweep",
    "fastapi": "web",
    "starlette": "web",
    "uvicorn": "web",
    "python_multipart": "web",
}

app = App(
    cls=Commands,
    name="glyphlab",
    help="A workbench for handwritten characters: data, training, honest evaluation.",
    epilog="First steps: [bold]glyphlab train digits[/]  (no download), then [bold]glyphlab train mnist[/].",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(data.app, name="data")
app.add_typer(networks.app, name="networks")
app.add_typer(recipes.app, name="recipes")
app.add_typer(job.app, name="job")
app.add_typer(sweep.app, name="sweep")
app.add_typer(labels.app, name="labels")
app.command("train", epilog=train.EXAMPLES)(train.train)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("errors", epilog=errors.EXAMPLES)(errors.errors)
app.command("report", epilog=report.EXAMPLES)(report.report)
app.command("compare", epilog=compare.EXAMPLES)(compare.compare)
app.command("runs", epilog=runs.EXAMPLES)(runs.runs)
app.command("transfer", epilog=transfer.EXAMPLES)(transfer.transfer)
app.command("export", epilog=export.EXAMPLES)(export.export)
app.command("inspect", epilog=inspect.EXAMPLES)(inspect.inspect)
app.command("classify", epilog=classify.EXAMPLES)(classify.classify)
app.command("predict", epilog=predict.EXAMPLES)(predict.predict)
app.command("read", epilog=read.EXAMPLES)(read.read)
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"glyphlab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None: ...


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the command line on `argv` (default: the process's arguments) and exit.

    Exit codes: 0 done, 1 a check found something wrong, 2 a mistake of the user's (one line on standard error),
    130 stopped by Ctrl-C (one line on standard error).
    """
    _print_whatever_comes()
    with one_line_when_stopped():
        _run(argv)
    sys.exit(0)


def _print_whatever_comes() -> None:
    """Escape on standard output what its encoding lacks, as Python does on standard error.

    Windows has for files and pipes an encoding of some countries' letters; there it is UTF-8 unless another is chosen.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        chosen = sys.platform != "win32" or sys.stdout.isatty() or "PYTHONIOENCODING" in os.environ
        sys.stdout.reconfigure(encoding=None if chosen else "utf-8", errors="backslashreplace")


def _forget_output() -> None:
    """Let what standard output still holds go nowhere, lest Python try to write it once more as the process ends."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _run(argv: list[str] | None) -> None:
    """The command; the errors that a user can mend become one line."""
    try:
        with plain_warnings():
            try:
                app(args=argv, prog_name="glyphlab")
            finally:
                print(end="", flush=True)  # at the process's end it would be too late to say what is wrong
    except GlyphlabError as error:
        fail(str(error))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            fail(f"'{str(error.filename)[:40]}...' is longer than a file's name can be; expected a path")
        if error.errno in (errno.EACCES, errno.EPERM) and error.filename is not None:
            fail(f"cannot use {error.filename}: permission denied; mend its rights, or choose another place")
        if error.errno == errno.ENOSPC and error.filename is None:
            _forget_output()
            fail("cannot write to standard output: the disk is full; free some space, or send the output elsewhere")
        if error.errno in _CLOSED_PIPE and error.filename is None:  # whoever read the output, as head does, has enough
            _forget_output()
            sys.exit(1)
        raise
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        fail(
            f'this command needs {error.name}, which is not installed; install it with: pip install "glyphlab[{extra}]"'
        )
