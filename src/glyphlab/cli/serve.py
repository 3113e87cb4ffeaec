"""`glyphlab serve`: draw, read, teach and look in the browser; an HTTP service for programs."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glyphlab.cli.console import DataDir, stderr
from glyphlab.cli.stopping import stop_leaves
from glyphlab.errors import GlyphlabError
from glyphlab.files import read_text

if TYPE_CHECKING:
    from fastapi import FastAPI

EXAMPLES = """[bold]Examples[/]

glyphlab serve  (opens the browser; only this machine is served)

glyphlab serve --model digits --no-browser --port 8765

glyphlab serve --model runs/mnist-fast-1 --runs-dir ~/trainings

glyphlab serve --host 0.0.0.0 --token-file secret.txt  (other machines as well; the link it prints lets in)
"""
DEFAULT_PORT = 8000


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="A model's name, .onnx file or run folder; repeatable, the first is the default."
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; beyond 127.0.0.1 a token is needed.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any that is free.")] = DEFAULT_PORT,
    token: Annotated[
        str | None,
        typer.Option(envvar="GLYPHLAB_TOKEN", help="What everybody must know who asks.", show_default=False),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="The same, from a file: the command line can be seen by others.", dir_okay=False)
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A name under which it is reached as well; repeatable.")
    ] = None,
    home: Annotated[
        Path | None,
        typer.Option(
            help="Folder for drawings, taught models and teachings (default: glyphlab-home).",
            show_default=False,
            file_okay=False,
        ),
    ] = None,
    runs_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of runs, whose models can be chosen (default: runs).", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
    log: Annotated[
        bool | None,
        typer.Option("--log/--no-log", help="A line of JSON a request (default: where standard error is no terminal)."),
    ] = None,
) -> None:
    """Draw, read, teach and look in the browser, all on this machine.

    The page talks to an HTTP service that programs may use as well: see
    /api/v1/openapi.json. Nothing is sent anywhere else.

    Ctrl-C stops it when what runs is done.
    """
    from glyphlab.data.locate import user_path
    from glyphlab.files import require_writable
    from glyphlab.web.access import SHORTEST_TOKEN, Keys, is_loopback
    from glyphlab.web.home import sole_use
    from glyphlab.web.limits import Limits
    from glyphlab.web.server import bind, run

    secret = _token(token, token_file)
    beyond = not is_loopback(host)
    if beyond and secret is None:
        raise GlyphlabError(
            f"--host {host} lets other machines ask, which needs a token; put a secret of at least {SHORTEST_TOKEN} "
            "characters into a file and add --token-file FILE, or leave --host out"
        )
    if runs_dir is not None and not user_path(runs_dir).is_dir():
        raise GlyphlabError(f"--runs-dir is '{runs_dir}'; expected a folder of runs; train one first, or leave it out")
    with bind(host, port) as bound, sole_use(user_path(home or "glyphlab-home")):
        address, limits = _address(host, bound.getsockname()[1]), Limits()
        keys = Keys(secret, lambda link: _say(f"for the next device: {address}{link}")) if secret is not None else None
        app = _app(
            model or [],
            user_path(home or "glyphlab-home"),
            user_path(runs_dir or "runs"),
            data_dir,
            limits=limits,
            host_names=[host, *([socket.gethostname()] if beyond else []), *(allow_host or [])],
            any_address=beyond,
            keys=keys,
        )
        if home is not None:
            require_writable(user_path(home))
        start = address + (keys.new_link() if keys is not None else "/")

        def on_start() -> None:
            _say(f"Glyphlab is at {start}  (Ctrl-C ends it)")
            if browser:
                import webbrowser

                webbrowser.open(start)

        with stop_leaves("drawings and taught models are kept"):
            run(app, bound, limits, log=log if log is not None else not sys.stderr.isatty(), on_start=on_start)


def _app(models: list[str], home: Path, runs_dir: Path, data_dir: Path | None, **rest: Any) -> FastAPI:
    """The application, with workers of our own for what needs torch."""
    import cv2

    from glyphlab.recognition.modelfile import DEFAULT_MODEL
    from glyphlab.web.app import create_app
    from glyphlab.web.child import ChildLooker, ChildTeacher, TwoLookers
    from glyphlab.web.service import TAUGHT

    cv2.setNumThreads(1)  # requests run side by side, not parts of one
    worker = [sys.executable, "-m", "glyphlab.evaluation.serving.look"]
    worker += [part for folder in (runs_dir, home / TAUGHT) for part in ("--runs-dir", str(folder))]
    worker += ["--data-dir", str(data_dir)] if data_dir is not None else []
    seconds = rest["limits"].look_seconds
    return create_app(
        home,
        models=models or [DEFAULT_MODEL],
        runs_dir=runs_dir,
        teacher=ChildTeacher([sys.executable, "-m", "glyphlab.evaluation.serving.teach"]),
        looker=TwoLookers(ChildLooker(worker, seconds), ChildLooker(worker, seconds)),
        **rest,
    )


def _token(given: str | None, file: Path | None) -> str | None:
    """The token, if there is one. Raises `GlyphlabError`."""
    from glyphlab.data.locate import user_path

    if file is None:
        return given
    if given is not None:
        raise GlyphlabError(
            f"a token is given by --token, or the variable GLYPHLAB_TOKEN, and by --token-file {file}; leave one out"
        )
    try:
        return read_text(user_path(file)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GlyphlabError(
            f"cannot read the token from {file}: {error}; expected a file with a line of text"
        ) from error


def _address(host: str, port: int) -> str:
    """For the browser; an address that means all of this machine's is none that one can visit."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def _say(text: str) -> None:
    stderr().print(text, markup=False)
