"""A training's progress: a live bar on a terminal, plain lines elsewhere. All on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from glyphlab.cli.bars import LINE_EVERY_SECONDS, counting_bar
from glyphlab.cli.console import stderr
from glyphlab.evaluation.wording import counted
from glyphlab.training.progress import Plan, Reporter, Silent, StepNews

if TYPE_CHECKING:
    from glyphlab.training.history import EpochMetrics


def reporter_for(quiet: bool) -> Reporter:
    """The reporter that suits standard error."""
    if quiet:
        return Silent()
    return LiveBar() if sys.stderr.isatty() else PlainLines()


class PlainLines:
    """A line an epoch, and one every half minute within long epochs."""

    def __init__(self) -> None:
        self._console = stderr()
        self._plan: Plan | None = None
        self._last_line = time.monotonic()
        self._before = ExitStack()
        self._count: Callable[[int, int], None] | None = None

    def note(self, text: str) -> None:
        """Print the remark."""
        self._console.print(escape(text))

    def preparing(self, what: str, done: int, total: int) -> None:
        """Count what comes before, in a bar of its own where there are bars."""
        if self._count is None:
            self._count = self._before.enter_context(counting_bar(what))
        self._count(done, total)

    def start(self, plan: Plan) -> None:
        """Remember the plan and say the title."""
        self._plan = plan
        self._last_line = time.monotonic()
        length = f"{counted(plan.total_epochs, 'epoch')} of {counted(plan.steps_per_epoch, 'step')}"
        self._console.print(f"training {escape(plan.title)}: {length}")

    def step(self, news: StepNews) -> None:
        """Print a line when there was none for a while."""
        if self._plan is None or time.monotonic() - self._last_line < LINE_EVERY_SECONDS:
            return
        self._last_line = time.monotonic()
        within = (news.step - 1) % self._plan.steps_per_epoch + 1
        self._console.print(
            f"epoch {news.epoch}/{self._plan.total_epochs}, step {within:,}/{self._plan.steps_per_epoch:,}: "
            + _figures(news)
        )

    def epoch(self, metrics: EpochMetrics) -> None:
        """Print the epoch's figures."""
        self._last_line = time.monotonic()
        self._console.print(epoch_line(metrics, self._plan))

    def stop(self) -> None:
        """Leave nothing open."""
        self._before.close()
        self._count = None


class LiveBar(PlainLines):
    """A bar over the whole run, with the present epoch's figures; finished epochs stay above it as lines."""

    def __init__(self) -> None:
        super().__init__()
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def start(self, plan: Plan) -> None:
        """Show the bar."""
        self._plan = plan
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self._console,
        )
        self._task = self._progress.add_task(
            escape(plan.title), total=plan.total_steps, completed=plan.first_step, figures=""
        )
        self._progress.start()

    def step(self, news: StepNews) -> None:
        """Move the bar."""
        if self._progress is not None and self._plan is not None:
            self._progress.update(
                self._task,
                completed=news.step,
                description=f"epoch {news.epoch}/{self._plan.total_epochs}",
                figures=_figures(news),
            )

    def stop(self) -> None:
        """Take the bar away."""
        super().stop()
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def epoch_line(metrics: EpochMetrics, plan: Plan | None) -> str:
    """One epoch in a line."""
    total = f"/{plan.total_epochs}" if plan else ""
    line = f"epoch {metrics.epoch}{total}: loss {metrics.train_loss:.4f}, accuracy {metrics.train_accuracy:.2%}"
    if metrics.validation_accuracy is not None:
        line += f"; validation {metrics.validation_loss:.4f}, {metrics.validation_accuracy:.2%}"
    return f"{line}; {metrics.images_per_second:,.0f} images/s, {metrics.time_seconds:.0f} s"


def _figures(news: StepNews) -> str:
    minutes, seconds = divmod(round(news.remaining_seconds), 60)
    return (
        f"loss {news.train_loss:.4f}, accuracy {news.train_accuracy:.2%}, "
        f"{news.images_per_second:,.0f} images/s, {minutes}:{seconds:02d} left"
    )
