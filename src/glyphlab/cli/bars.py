"""Progress of work that counts: bars where standard error is a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glyphlab.cli.console import stderr

if TYPE_CHECKING:
    from rich.progress import TaskID

LINE_EVERY_SECONDS = 30.0


def lines_now_and_then(beginnings: bool = False) -> Callable[[str, int, int], None]:
    """A line each half minute that says how far a part of the work is, told by (part, done, total).

    beginnings: also one for each part that begins.
    """
    from rich.markup import escape

    console, begun, last = stderr(), set[str](), time.monotonic()

    def say(task: str, done: int, total: int) -> None:
        nonlocal last
        begins = beginnings and task not in begun
        begun.add(task)
        if begins or time.monotonic() - last >= LINE_EVERY_SECONDS:
            last = time.monotonic()
            console.print(f"{escape(task)}: {done:,} of {total:,}")

    return say


@contextmanager
def task_bars(lines: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each named part of the work, told by (part, done, total).

    lines: elsewhere than on a terminal, say in a line when a part is done.
    """
    from rich.markup import escape

    console = stderr()
    if not console.is_terminal:  # even a bar that is switched off ends with an empty line

        def say(task: str, done: int, total: int) -> None:
            if lines and done == total > 1:
                console.print(f"{escape(task)}: {total:,}")

        yield say
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(task: str, done: int, total: int) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=total)
            bars.update(tasks[task], completed=done, total=total)

        yield show


@contextmanager
def counting_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """One bar, told by (done, total), that appears with the first word of it; elsewhere now and then a line."""
    console = stderr()
    if not console.is_terminal:
        say = lines_now_and_then()
        yield lambda done, total: say(what, done, total)
        return
    from rich.progress import Progress

    # Not started before it has something to show, for a bar of the training's may be on the screen until then.
    bar = Progress(console=console, transient=True)
    task = bar.add_task(what, total=None)

    def show(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


@contextmanager
def stage_bar(what: str) -> Iterator[Callable[[str, float], None]]:
    """One bar whose words change with the work, told by (words, share of the work that is done, 0 to 1)."""
    console = stderr()
    if not console.is_terminal:
        yield lambda words, share: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda words, share: bar.update(task, description=words, completed=share)
