"""From a sweep's results to one HTML file that needs nothing else and asks for nothing.

Its look, and its policy of no requests, are those of a run's report.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from glyphlab.evaluation.metrics import wilson_interval
from glyphlab.evaluation.page import render_page, static_text
from glyphlab.evaluation.sweep_report import charts
from glyphlab.evaluation.sweep_report.importance import Importance, Levels, cell_means, importance, levels_of, nested
from glyphlab.evaluation.sweep_report.losses import losses_of, panels
from glyphlab.evaluation.sweep_report.outcome import judge_prediction
from glyphlab.evaluation.wording import duration
from glyphlab.files import write_bytes
from glyphlab.training.sweep.entry import Entry, Standing
from glyphlab.training.sweep.results import SweepResults

_HERE = "glyphlab.evaluation.sweep_report"
GENERATOR = "Glyphlab sweep report"
_MOST_HEAT_MAPS = 6


def write_sweep_report(results: SweepResults, path: Path) -> Path:
    """Write the page of a sweep, finished or not; returns its path. Raises `RunError` when it cannot be written."""
    write_bytes(path, render(results))
    return path


def render(results: SweepResults) -> bytes:
    """The whole page as UTF-8."""
    return render_page(
        _HERE,
        "sweep.html.j2",
        _content(results) | {"now": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"},
        generator=GENERATOR,
        style=static_text("glyphlab.evaluation.report", "report.css") + static_text(_HERE, "sweep.css"),
        script=static_text(_HERE, "sweep.js"),
        filters={"percent": lambda value, digits=2: f"{100 * value:.{digits}f} %"},
    )


def _content(results: SweepResults) -> dict[str, Any]:
    """Everything the template shows."""
    networks = [entry for entry in results.finished if entry.trial.baseline is None]
    keys = [key for key in results.definition.keys if key != "baseline"]
    points = [entry.trial.point for entry in networks]
    scores = [float((entry.result or {})["accuracy"]) for entry in networks]
    dimensions = results.definition.space.dimensions
    told, unconditional = nested(points, dimensions) if dimensions else (points, keys)
    shares = importance(told, scores, unconditional)
    drawing, frontier = charts.frontier(results)
    losses = losses_of(results)
    figures = {entry.number: dict(zip(keys, _cells(entry, keys), strict=True)) for entry in results.entries}
    return {
        "results": results,
        "definition": results.definition,
        "keys": keys,
        "short": {key: key.partition(".")[2] or key for key in keys},
        "cells": figures,
        "ranked": results.finished,
        "unfinished": [entry for entry in results.entries if entry.standing is not Standing.FINISHED],
        "best": results.best,
        "interval": _interval(results.best),
        "alike": results.equals_of_best(),
        "counts": {standing.value: results.count(standing) for standing in Standing if results.count(standing)},
        "claims": judge_prediction(results, shares),
        "importance": shares,
        "heat_maps": _heat_maps(levels_of(points, keys), scores, shares),
        "parallel": charts.parallel(results),
        "curves": charts.curves(results),
        "edge": charts.lower_edge(results),
        "loss_panels": panels(results, losses),
        "loss_trials": len(losses),
        "over_fitting": [trial for trial in losses if trial.over_fits],
        "frontier_chart": drawing,
        "frontier": frontier,
        "warnings": _warnings(results),
        "has_reported": any(entry.trial.reported is not None for entry in results.entries),
        "training_time": duration(
            sum(float((entry.result or {}).get("time_seconds") or 0) for entry in results.entries)
        ),
        "search": results.definition.search,
    }


def _cells(entry: Entry, keys: Sequence[str]) -> list[tuple[str, float | str]]:
    """A trial's settings as text, and as what the table is sorted by."""
    if entry.trial.baseline is not None:
        return [("", "") for _ in keys]
    cells: list[tuple[str, float | str]] = []
    for key in keys:
        value = entry.trial.point.get(key)
        if value is None:
            cells.append(("", ""))
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        cells.append((charts.words_of(value), value if is_number else str(value)))
    return cells


def _interval(best: Entry | None) -> tuple[float, float] | None:
    if best is None or best.result is None:
        return None
    images = best.result["validation_images"]
    return wilson_interval(round(best.result["accuracy"] * images), images)


def _warnings(results: SweepResults) -> list[str]:
    """What a reader must know before believing the figures."""
    warnings = []
    # The training's seed divides the images where the recipe has no seed for that alone.
    seeded = () if results.definition.base.data.split_seed is not None else ("training.seed",)
    other = [key for key in results.definition.keys if key.startswith("data.") or key in seeded]
    if other:
        warnings.append(
            f"{', '.join(other)} changes which images are kept for validation, so the trials were not judged on the "
            "same ones; differences between them are partly differences between images"
        )
    hosts = {entry.host for entry in results.entries if entry.result}
    if len(hosts) > 1:
        warnings.append(f"times are not comparable: the trials ran on {len(hosts)} machines")
    return warnings


def _heat_maps(levels: Sequence[Levels], scores: Sequence[float], shares: Importance | None) -> list[dict[str, Any]]:
    """Mean accuracy by two settings, for the pairs that interact most; drawn as tables."""
    if shares is None:
        return []
    by_key = {level.key: level for level in levels}
    maps = []
    for (first, second), share in shares.together[:_MOST_HEAT_MAPS]:
        if first not in by_key or second not in by_key:
            continue
        means, counts = cell_means(by_key[first], by_key[second], scores)
        low, high = float(np.nanmin(means)), float(np.nanmax(means))
        rows = [
            {
                "name": name,
                "cells": [
                    None
                    if counts[row, column] == 0
                    else {
                        "value": float(means[row, column]),
                        "count": int(counts[row, column]),
                        "shade": round(100 * (float(means[row, column]) - low) / ((high - low) or 1.0)),
                    }
                    for column in range(len(by_key[second]))
                ],
            }
            for row, name in enumerate(by_key[first].names)
        ]
        maps.append({"rows": rows, "first": first, "second": second, "columns": by_key[second].names, "share": share})
    return maps
