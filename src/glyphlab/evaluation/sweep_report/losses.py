"""Training and validation loss of each trial together: where they part, a network learns its pictures by heart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from glyphlab.evaluation.svg import Chart, round_ticks
from glyphlab.evaluation.sweep_report.charts import log_ticks, point_words
from glyphlab.training.sweep.entry import Entry
from glyphlab.training.sweep.results import SweepResults

# A rise of the validation loss below this share of its least value is chance.
NOTEWORTHY_RISE = 0.05
_MOST_PANELS, _OF_EACH_KIND = 30, 6
_MOST_TICKS = 4
_LEAST_LOSS = 1e-4  # what the logarithmic axis shows of a loss of 0


@dataclass(frozen=True)
class Losses:
    """A trial's losses. rows: (epoch, of the training images as varied for training, of the validation images)."""

    entry: Entry
    rows: tuple[tuple[int, float, float], ...]

    @property
    def least(self) -> tuple[int, float, float]:
        """The row with the least validation loss."""
        return min(self.rows, key=lambda row: row[2])

    @property
    def final(self) -> tuple[float, float]:
        """Training and validation loss at the end: medians over its last tenth, for single epochs are noisy."""
        tail = self.rows[-max(1, len(self.rows) // 10) :]
        return statistics.median(row[1] for row in tail), statistics.median(row[2] for row in tail)

    @property
    def rise(self) -> float:
        """How much the validation loss rose again from its least value to the end, as a share of it."""
        return self.final[1] / max(self.least[2], _LEAST_LOSS) - 1

    @property
    def over_fits(self) -> bool:
        """Whether it rose noteworthily while the training loss went on falling."""
        return self.rise >= NOTEWORTHY_RISE and self.final[0] < self.least[1]


@dataclass(frozen=True)
class Panel:
    """One small chart: a trial's label, its settings in words, and what is to be seen."""

    number: int
    label: str
    settings: str
    remark: str
    chart: Markup


def losses_of(results: SweepResults) -> list[Losses]:
    """The losses of all trials with two epochs or more, in the order of their numbers."""
    found = []
    for entry in results.entries:
        history = (entry.result or {}).get("history", [])
        rows = tuple((row[0], float(row[1]), float(row[3])) for row in history if row[3] is not None)
        if len(rows) > 1:
            found.append(Losses(entry, rows))
    return found


def panels(results: SweepResults, losses: Sequence[Losses]) -> list[Panel]:
    """A small chart a trial, all with the same axes. Of many trials: the best, and those that over-fit most."""
    shown = list(losses)
    if len(shown) > _MOST_PANELS:
        best = {entry.number for entry in results.finished[:_OF_EACH_KIND]}
        by_rise = sorted(losses, key=lambda trial: -trial.rise)[:_OF_EACH_KIND]
        chosen = best | {trial.entry.number for trial in by_rise}
        shown = [trial for trial in losses if trial.entry.number in chosen]
    if not shown:
        return []
    every = [math.log10(max(value, _LEAST_LOSS)) for trial in shown for row in trial.rows for value in row[1:]]
    room = 0.05 * (max(every) - min(every)) or 0.1
    y_range = (min(every) - room, max(every) + room)
    last = max(trial.rows[-1][0] for trial in shown)
    return [_panel(trial, (1, last), y_range) for trial in shown]


def _panel(trial: Losses, x_range: tuple[int, int], y_range: tuple[float, float]) -> Panel:
    epoch, _, least = trial.least
    chart = Chart(
        x_range, y_range, f"training and validation loss of trial {trial.entry.label}",
        size=(250, 160), margins=(10, 10, 24, 40),
    )  # fmt: skip
    ticks = log_ticks(*y_range)
    for tick in ticks[:: -(-len(ticks) // _MOST_TICKS)]:
        chart.add(f'<path class="grid" d="M{chart.left} {chart.y(tick)}H{chart.right}"/>')
        chart.text(chart.left - 6, chart.y(tick) + 4, f"{10**tick:.3g}", "end")
    for epochs in round_ticks(*x_range, 4):
        if epochs == int(epochs):
            chart.text(chart.x(epochs), chart.bottom + 16, f"{epochs:g}", "middle")
    chart.add(f'<path class="axis" d="M{chart.left} {chart.bottom}H{chart.right}"/>')
    epochs_ = [float(row[0]) for row in trial.rows]
    for column, kind in ((1, "a"), (2, "b")):
        chart.line(epochs_, [math.log10(max(row[column], _LEAST_LOSS)) for row in trial.rows], kind)
    chart.dots([float(epoch)], [math.log10(max(least, _LEAST_LOSS))], "b", radius=4)
    remark = f"{least:.3g} at epoch {epoch}"
    if trial.over_fits:
        remark += f", then up by {100 * trial.rise:.0f} %"
    return Panel(trial.entry.number, trial.entry.label, point_words(trial.entry), remark, chart.markup())
