"""A sweep's progress: a bar over all trials and a line a worker on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from glyphlab.cli.console import stderr

if TYPE_CHECKING:
    from glyphlab.training.sweep.entry import Entry
    from glyphlab.training.sweep.results import SweepResults


def watcher_for(quiet: bool, results: SweepResults, workers: int, threads: int, planned: int | None) -> QuietSweep:
    """The watcher that suits standard error. planned: trials in all, where these are limited."""
    if quiet:
        return QuietSweep()
    total = planned or len(results.entries)
    if results.definition.known_in_advance:
        total = min(total, len(results.entries))
    kind = LiveSweep if sys.stderr.isatty() else PlainSweep
    return kind(results, workers, threads, total)


class QuietSweep:
    """Says nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left open."""

    def note(self, text: str) -> None:
        """Nothing."""

    def news(self, worker: int, news: dict[str, Any]) -> None:
        """Nothing."""

    def tick(self, entries: list[Entry]) -> None:
        """Nothing."""


class PlainSweep(QuietSweep):
    """A line a trial that ended, here or on another machine."""

    def __init__(self, results: SweepResults, workers: int, threads: int, total: int) -> None:
        self._console = stderr()
        self._objective = results.definition.search.objective
        self._total = total
        self._over = {entry.number for entry in results.entries if entry.standing.is_over}
        self._began, self._before = time.monotonic(), len(self._over)
        self._best: float | None = None
        for entry in results.entries:
            self._better(entry)
        self._console.print(
            f"sweep {escape(results.name)}: {total} trials, {len(self._over)} over; "
            f"{workers} worker{'s' * (workers > 1)} with {threads} thread{'s' * (threads > 1)} each; "
            "judged on validation images"
        )

    def note(self, text: str) -> None:
        """Print the remark."""
        self._console.print(escape(text))

    def tick(self, entries: list[Entry]) -> None:
        """Print what has ended since."""
        for entry in entries:
            if entry.standing.is_over and entry.number not in self._over:
                self._over.add(entry.number)
                self._console.print(escape(self._line(entry)))

    def _line(self, entry: Entry) -> str:
        head = f"[{len(self._over)}/{self._total}] trial {entry.label} ({_settings(entry)})"
        if entry.failure:
            return f"{head}: failed: {entry.failure}"
        result = entry.result or {}
        star = " - the best so far" if self._better(entry) else ""
        pruned = "pruned, " if entry.standing.value == "pruned" else ""
        return f"{head}: {pruned}{result['accuracy']:.2%}, {result['time_seconds']:.0f} s{star}{self._remaining()}"

    def _better(self, entry: Entry) -> bool:
        """Take note of a trial's accuracy; whether it is the highest so far."""
        accuracy = (entry.result or {}).get("accuracy")
        if accuracy is None or (self._best is not None and accuracy <= self._best):
            return False
        self._best = accuracy
        return True

    def _remaining(self) -> str:
        """How long the rest will take at this pace."""
        done = len(self._over) - self._before
        left = self._total - len(self._over)
        if done < 2 or left < 1:
            return ""
        minutes = (time.monotonic() - self._began) / done * left / 60
        return f"; about {minutes:.0f} min left" if minutes >= 1 else "; less than a minute left"


class LiveSweep(PlainSweep):
    """The same with bars below: all trials, and what each worker here is doing."""

    def __init__(self, results: SweepResults, workers: int, threads: int, total: int) -> None:
        super().__init__(results, workers, threads, total)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[words]}"),
            console=self._console,
        )
        self._all = self._progress.add_task("all trials", total=total, completed=len(self._over), words="")
        self._workers: dict[int, TaskID] = {
            number: self._progress.add_task(f"worker {number}", total=1.0, words="starting")
            for number in range(1, workers + 1)
        }
        self._settings: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def news(self, worker: int, news: dict[str, Any]) -> None:
        """Move the worker's bar."""
        task = self._workers[worker]
        if "trial" in news:
            words = f"trial {news['trial']}"
            if news["epochs"]:
                words += f", epoch {news['epoch']}/{news['epochs']}, {news['images_per_second']:,} images/s"
            settings = self._settings.get(news["trial"], "")
            self._progress.update(task, completed=news["share"], words=escape(f"{words}  {settings}".rstrip()))
        elif "waiting" in news:
            self._progress.update(task, completed=1.0, words="idle: the last trials are under way elsewhere")

    def tick(self, entries: list[Entry]) -> None:
        """Move the bar of all trials."""
        super().tick(entries)
        self._settings = {entry.number: _settings(entry) for entry in entries}
        best = f"best {self._best:.2%}" if self._best is not None else ""
        self._progress.update(
            self._all,
            completed=len(self._over),
            words=f"{len(self._over)}/{self._total}  {best}{self._remaining()}",
        )


def _settings(entry: Entry) -> str:
    """A trial's settings in a few words."""
    return ", ".join(f"{key.partition('.')[2] or key} {value}" for key, value in entry.trial.point.items())
