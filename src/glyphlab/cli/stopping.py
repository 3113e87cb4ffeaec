"""Ctrl-C: whatever a command is doing, it ends with one line on standard error and exit code 130."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from glyphlab.process import CtrlC

_LEFT = "no file is half written; the same command may be given again"
_ctrl_c = CtrlC()


def hear_ctrl_c() -> None:
    """Listen to Ctrl-C from here to the end of the process."""
    _ctrl_c.listen()


@contextmanager
def stop_leaves(words: str) -> Iterator[None]:
    """Words for the line: what a Ctrl-C inside the block leaves, and how to go on."""
    try:
        yield
    except BaseException as error:  # Ctrl-C may surface as another
        error.add_note(words)
        raise


@contextmanager
def one_line_when_stopped() -> Iterator[None]:
    """Around all that the process does: what Ctrl-C brought to an end is said, and has no traceback.

    A command that hears Ctrl-C by itself says so by itself, and ends by `SystemExit` or in good order.
    """
    try:
        yield
    except BaseException as error:
        behind = list(_behind(error))
        stopped = _ctrl_c.requested or any(isinstance(cause, KeyboardInterrupt) for cause in behind)
        if not stopped or (isinstance(error, SystemExit) and not error.code):
            raise
        words = next((note for cause in behind for note in getattr(cause, "__notes__", ())), _LEFT)
        sys.stderr.write(f"glyphlab: stopped; {words}\n")
        # CPython keeps in mind that the exception left an exec() of text, of a dataclass say, and would end the process
        # by the signal, whatever became of it. The next exec() forgets.
        exec("")
        sys.exit(130)
    finally:
        _ctrl_c.heard()


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that led to it: typer turns `KeyboardInterrupt` into one of its own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
