"""How a download is shown: bars on a terminal, lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from glyphlab.cli.console import stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from glyphlab.data.download import Reporter


class _PlainReporter:
    """Tells of a download in lines, for logs and pipes."""

    def note(self, line: str) -> None:
        stderr().print(line, markup=False)

    def advance(self, file_name: str, done_bytes: int, total_bytes: int) -> None: ...


class _BarReporter(_PlainReporter):
    """Tells of a download with a bar a file."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def note(self, line: str) -> None:
        self._progress.console.print(line, markup=False)

    def advance(self, file_name: str, done_bytes: int, total_bytes: int) -> None:
        if file_name not in self._tasks:
            self._tasks[file_name] = self._progress.add_task(file_name)
        self._progress.update(self._tasks[file_name], completed=done_bytes, total=total_bytes or None)


@contextmanager
def fetch_reporter() -> Iterator[Reporter]:
    """A reporter with bars on a terminal, with plain lines elsewhere."""
    console = stderr()
    if not console.is_terminal:
        yield _PlainReporter()
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _BarReporter(progress)
