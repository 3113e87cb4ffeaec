"""A sweep's charts: parallel coordinates, curves, and the frontier of time and accuracy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from glyphlab.evaluation.svg import Chart, epoch_ticks, round_ticks, span
from glyphlab.training.sweep.entry import Entry
from glyphlab.training.sweep.results import SweepResults

_FEW_VALUES = 12


def parallel(results: SweepResults) -> Markup:
    """A line a trial across an axis a setting, ending at its accuracy; darker is better."""
    entries = [entry for entry in reversed(results.finished) if entry.trial.baseline is None]
    keys = [key for key in results.definition.keys if key != "baseline"]
    if len(entries) < 2 or not keys:
        return Markup("")
    accuracies = [_accuracy(entry) for entry in entries]
    ranges = results.definition.space.uncountable
    axes = [_Axis(key, [entry.trial.point.get(key) for entry in entries], key in ranges) for key in keys]
    floor = lower_edge(results)
    axes.append(_Axis("accuracy in %", [100 * max(accuracy, floor) for accuracy in accuracies], True))
    chart = Chart(
        (0, len(axes) - 1), (0, 1), "all trials as lines across their settings",
        size=(1000, 400), margins=(44, 84, 14, 60),
    )  # fmt: skip
    for place in range(len(axes)):
        chart.add(f'<path class="axis" d="M{chart.x(place):g} {chart.top}V{chart.bottom}"/>')
    order = sorted(range(len(entries)), key=lambda index: accuracies[index])
    rank = {index: position / max(len(order) - 1, 1) for position, index in enumerate(order)}
    for index in order:
        points = [(chart.x(place), chart.y(axis.places[index])) for place, axis in enumerate(axes)]
        chart.add(_path(entries[index], points, rank[index], _words(entries[index])))
    for place, axis in enumerate(axes):  # after the lines, which would strike them out
        x, last = chart.x(place), place == len(axes) - 1
        chart.text(x, 20, axis.title, "middle", "label")
        for at, text in axis.ticks:
            chart.text(x + (8 if last else -8), chart.y(at) + 4, text, "start" if last else "end", "tick")
    return chart.markup()


def curves(results: SweepResults) -> Markup:
    """Validation accuracy by epoch, a line a trial, the best on top; pruned trials end early."""
    shown = [entry for entry in results.entries if len(_history(entry)) > 1]
    if not shown:
        return Markup("")
    shown.sort(key=_accuracy)
    floor = lower_edge(results)
    lines = {entry.number: [(row[0], 100 * max(row[4], floor)) for row in _history(entry)] for entry in shown}
    values = [value for line in lines.values() for _, value in line]
    low, high = span(values)
    last = max(line[-1][0] for line in lines.values())
    chart = Chart((0.7, last + 0.3), (low, high), "validation accuracy by epoch", size=(560, 330))
    ticks = epoch_ticks(last)
    chart.axes("epoch", "validation accuracy in %", ticks, round_ticks(low, high))
    for position, entry in enumerate(shown):
        points = [(chart.x(epoch), chart.y(value)) for epoch, value in lines[entry.number]]
        chart.add(_path(entry, points, position / max(len(shown) - 1, 1), _words(entry)))
    return chart.markup()


def frontier(results: SweepResults) -> tuple[Markup, list[Entry]]:
    """Accuracy against training time, and the trials that no other beats in both, the quickest first."""
    entries = [entry for entry in results.finished if _seconds(entry) > 0]
    if len(entries) < 2:
        return Markup(""), entries
    best = pareto(entries)
    times = [math.log10(_seconds(entry)) for entry in entries]
    floor = lower_edge(results)
    heights = {entry.number: 100 * max(_accuracy(entry), floor) for entry in entries}
    low, high = span(list(heights.values()))
    left, right = min(times) - 0.06, max(times) + 0.06
    chart = Chart((left, right), (low, high), "accuracy against training time", size=(560, 330))
    ticks = log_ticks(left, right)
    chart.axes(
        "training time in seconds (log scale)", "validation accuracy in %", ticks, round_ticks(low, high),
        x_text=lambda value: f"{10**value:.4g}",
    )  # fmt: skip
    steps: list[str] = []
    for entry in best:
        x, y = chart.x(math.log10(_seconds(entry))), chart.y(heights[entry.number])
        steps.append(f"M{x:g} {y:g}" if not steps else f"H{x:g}V{y:g}")
    chart.add(f'<path class="line a frontier" d="{"".join(steps)}H{chart.right}"/>')
    for entry in entries:
        kind = "a" if entry in best else "other"
        x, y = chart.x(math.log10(_seconds(entry))), chart.y(heights[entry.number])
        chart.add(
            f'<circle class="dot {kind} trial" data-trial="{entry.number}" cx="{x:g}" cy="{y:g}" '
            f'r="{5 if kind == "a" else 4}"><title>{escape(_words(entry))}, {_seconds(entry):.0f} s</title></circle>'
        )
    return chart.markup(), best


def lower_edge(results: SweepResults) -> float:
    """The accuracy below which charts show no differences: a trial that learned nothing would flatten all others.

    Six times the spread of the middle half below it; 0 where no finished trial lies that far off.
    """
    accuracies = sorted(_accuracy(entry) for entry in results.finished)
    if len(accuracies) < 4:
        return 0.0
    first, _, third = statistics.quantiles(accuracies, n=4, method="inclusive")
    edge = math.floor(100 * (first - 6 * max(third - first, 0.005))) / 100
    return edge if accuracies[0] < edge else 0.0


def pareto(entries: Sequence[Entry]) -> list[Entry]:
    """The trials that no other beats in both time and accuracy, the quickest first."""
    chosen: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: (_seconds(entry), -_accuracy(entry))):
        if not chosen or _accuracy(entry) > _accuracy(chosen[-1]):
            chosen.append(entry)
    return chosen


class _Axis:
    """One axis of the parallel coordinates: where each value lies (0 to 1), and what is written beside it."""

    def __init__(self, key: str, values: Sequence[Any], is_range: bool) -> None:
        self.title = key.partition(".")[2] or key
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        distinct = sorted({float(value) for value in values}) if numbers else []
        if numbers and (is_range or len(distinct) > _FEW_VALUES) and len(distinct) > 1:
            self._continuous(values, logarithmic=distinct[0] > 0 and distinct[-1] > 50 * distinct[0])
            return
        names: list[Any] = list(distinct) if numbers else list(dict.fromkeys(map(words_of, values)))
        wanted = [float(value) for value in values] if numbers else [words_of(value) for value in values]
        at = {name: (position + 0.5) / len(names) for position, name in enumerate(names)}
        self.places = [at[value] for value in wanted]
        self.ticks = [(place, f"{name:g}" if numbers else str(name)[:14]) for name, place in at.items()]

    def _continuous(self, values: Sequence[Any], logarithmic: bool) -> None:
        scaled = [math.log10(value) if logarithmic else float(value) for value in values]
        low, high = span(scaled)
        self.places = [(value - low) / (high - low) for value in scaled]
        ticks = log_ticks(low, high) if logarithmic else round_ticks(low, high)
        self.ticks = [((tick - low) / (high - low), f"{10**tick if logarithmic else tick:.4g}") for tick in ticks]


def _path(entry: Entry, points: Sequence[tuple[float, float]], rank: float, words: str) -> str:
    """A trial's line; `rank` from 0 (worst) to 1 (best) gives its colour."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return (
        f'<polyline class="trial" data-trial="{entry.number}" style="--t:{100 * rank:.0f}" points="{path}">'
        f"<title>{escape(words)}</title></polyline>"
    )


def _words(entry: Entry) -> str:
    return f"trial {entry.label}: {_accuracy(entry):.2%} ({point_words(entry)})"


def point_words(entry: Entry) -> str:
    """A trial's settings: "epochs 20, batch size 4"."""
    point = entry.trial.point.items()
    return ", ".join(f"{(key.partition('.')[2] or key).replace('_', ' ')} {words_of(value)}" for key, value in point)


def words_of(value: Any) -> str:
    """A setting's value as short text."""
    if value is None:
        return "none"
    if isinstance(value, list):
        return "x".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _accuracy(entry: Entry) -> float:
    return float((entry.result or {}).get("accuracy") or 0.0)


def _seconds(entry: Entry) -> float:
    return float((entry.result or {}).get("time_seconds") or 0.0)


def _history(entry: Entry) -> list[list[Any]]:
    history: list[list[Any]] = (entry.result or {}).get("history", [])
    return history


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between two logarithms, or round numbers where these are few."""
    marks = [
        math.log10(factor) + power for power in range(math.floor(low) - 1, math.ceil(high) + 1) for factor in (1, 2, 5)
    ]
    inside = [round(mark, 9) for mark in marks if low <= mark <= high]
    if len(inside) >= 3:
        return inside
    return [math.log10(value) for value in round_ticks(10**low, 10**high)]
