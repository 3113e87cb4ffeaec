from __future__ import annotations

import csv
import html
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glyphlab.evaluation.sweep_report.charts import lower_edge, pareto
from glyphlab.evaluation.sweep_report.importance import importance
from glyphlab.evaluation.sweep_report.outcome import judge_prediction
from glyphlab.evaluation.sweep_report.page import render, write_sweep_report
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Entry, Standing
from glyphlab.training.sweep.results import SweepResults

GRID = """
recipe = "fast"
[settings]
data.name = "digits"
[space]
training.epochs = [2, 3, 4]
network.dropout = [0.0, 0.2, 0.4]
[prediction]
text = "Longer & <i>drier</i>"
best = { "training.epochs" = 4, "network.dropout" = 0.4 }
best_accuracy = [0.95, 0.99]
most_important = "training.epochs"
"""
LIST = """
[settings]
data.name = "digits"
[search]
method = "list"
[[trial]]
name = "<script>alert(1)</script>"
settings = { "training.lr" = 0.001 }
reported = 0.5
[[trial]]
name = "k-NN"
baseline = { name = "k-nearest-neighbours", images = 50 }
"""


def figures(accuracy: float, seconds: float, epochs: int, images: int = 10_000) -> dict[str, Any]:
    history = [
        [epoch, 0.5, 0.8, 0.4, accuracy - 0.01 * (epochs - epoch), 2.0 * epoch] for epoch in range(1, epochs + 1)
    ]
    return {
        "run": "digits-run-1", "accuracy": accuracy, "loss": 0.2, "best_epoch": epochs, "epochs": epochs,
        "ending": "finished", "time_seconds": seconds, "parameters": 1234, "train_images": 900,
        "train_images_of": 900, "validation_images": images, "images_per_second": 100.0, "history": history,
    }  # fmt: skip


def grid_results(images: int = 10_000, failed: int = 0) -> SweepResults:
    """Accuracy rises with epochs, and a little less with dropout: 4 epochs without dropout are best, 93 %."""
    definition = SweepDefinition.from_toml(GRID, "grid")
    entries = []
    for number, trial in enumerate(definition.plan(), start=1):
        epochs, dropout = trial.point["training.epochs"], trial.point["network.dropout"]
        accuracy = 0.85 + 0.02 * epochs - 0.025 * dropout
        if number == failed:
            entries.append(Entry(number, trial, Standing.FAILED, failure="the loss <is> no longer finite"))
        else:
            result = figures(accuracy, 10.0 * epochs + number, epochs, images)
            entries.append(Entry(number, trial, Standing.FINISHED, host="h", result=result))
    prediction = definition.prediction
    assert prediction is not None
    return SweepResults(
        "grid", definition, tuple(entries), "2026-01-01T00:00:00+00:00", prediction.sha256, Path("s/grid")
    )


def verdicts(results: SweepResults) -> dict[str, str]:
    keys = list(results.definition.keys)
    points = [entry.trial.point for entry in results.finished]
    shares = importance(points, [results.score(entry) for entry in results.finished], keys)
    return {claim.said: claim.verdict for claim in judge_prediction(results, shares)}


def test_the_prediction_is_held_against_the_outcome() -> None:
    assert verdicts(grid_results(images=1_000_000)) == {
        "the best trial has training.epochs = 4": "held",
        "the best trial has network.dropout = 0.4": "failed",
        "the best accuracy lies between 95.0% and 99.0%": "failed",
        "training.epochs matters most": "held",
    }


def test_a_claim_stays_open_where_the_images_cannot_tell() -> None:
    found = verdicts(grid_results(images=300))
    assert found["the best trial has network.dropout = 0.4"] == "open"
    assert found["the best trial has training.epochs = 4"] == "open"  # it has, but others are as good


def test_a_claim_stays_open_until_it_was_tried() -> None:
    whole = grid_results(images=1_000_000)
    untried = [entry for entry in whole.entries if entry.trial.point["network.dropout"] != 0.4]
    found = verdicts(replace(whole, entries=tuple(untried)))
    assert found["the best trial has network.dropout = 0.4"] == "open"
    assert found["the best accuracy lies between 95.0% and 99.0%"] == "failed"  # nothing else was planned
    running = [replace(entry, standing=Standing.RUNNING, result=None) for entry in whole.entries[:1]]
    found = verdicts(replace(whole, entries=(*running, *whole.entries[1:])))
    assert found["the best accuracy lies between 95.0% and 99.0%"] == "open"


def test_trials_too_close_to_the_best_are_counted() -> None:
    assert len(grid_results(images=1_000_000).equals_of_best()) == 1
    assert len(grid_results(images=30).equals_of_best()) == 9


def test_the_page_holds_every_trial_and_asks_for_nothing() -> None:
    page = render(grid_results(failed=5)).decode()
    assert "default-src 'none'" in html.unescape(page)
    assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page)
    assert set(re.findall(r'<tr class="trial(?: best)?" data-trial="(\d+)"', page)) == set("12346789")
    assert "the loss &lt;is&gt; no longer finite" in page
    assert "Longer &amp; &lt;i&gt;drier&lt;/i&gt;" in page
    prediction = grid_results().definition.prediction
    assert prediction is not None and prediction.sha256 in page
    for heading in (
        "What was predicted",
        "All trials as lines",
        "Which settings matter",
        "Curves and time",
        "Definition",
    ):
        assert heading in page
    assert page.count("<polyline") >= 16  # lines across the settings, and curves
    assert "93.00 %" in page


def test_lists_with_hostile_names_and_classifiers_without_epochs() -> None:
    definition = SweepDefinition.from_toml(LIST, "list")
    network, neighbours = definition.listed
    plain = figures(0.7, 3.0, 1) | {"best_epoch": None, "epochs": None, "parameters": None, "loss": None, "history": []}
    del plain["run"]
    plain["train_images"] = 50
    entries = (
        Entry(1, network, Standing.FINISHED, result=figures(0.8, 9.0, 3)),
        Entry(2, neighbours, Standing.FINISHED, result=plain),
    )
    page = render(SweepResults("list", definition, entries, "now", None, Path("list"))).decode()
    assert "<script>alert" not in page and html.escape("<script>alert(1)</script>") in page
    assert "50 of 900" in page
    assert "50.0 %" in page  # what others reported
    assert "too few finished trials" in page


def test_a_sweep_that_has_just_begun(tmp_path: Path) -> None:
    definition = SweepDefinition.from_toml(GRID, "grid")
    entries = tuple(Entry(number, trial, Standing.WAITING) for number, trial in enumerate(definition.plan(), start=1))
    results = SweepResults("grid", definition, entries, "now", "abc", tmp_path)
    path = write_sweep_report(results, tmp_path / "sweep.html")
    assert "No trial has finished yet" in path.read_text(encoding="utf-8")


def test_varied_data_are_warned_of() -> None:
    definition = SweepDefinition.from_toml('[space]\n"training.seed" = [1, 2]', "seeds")
    results = SweepResults("seeds", definition, (), "now", None, Path("x"))
    assert "training.seed changes which images are kept for validation" in render(results).decode()
    divided = SweepDefinition.from_toml('[settings]\n"data.split_seed" = 1\n[space]\n"training.seed" = [1, 2]', "seeds")
    assert "which images are kept" not in render(replace(results, definition=divided)).decode()


def test_a_trial_that_learned_nothing_does_not_flatten_the_charts() -> None:
    results = grid_results()
    assert lower_edge(results) == 0
    worst, *others = sorted(results.entries, key=results.score)
    assert worst.result is not None
    lost = replace(worst, result=worst.result | {"accuracy": 0.021})
    whole = replace(results, entries=(lost, *others))
    assert 0.5 < lower_edge(whole) < min(results.score(entry) for entry in others)
    page = render(whole).decode()
    assert f"Accuracies below {100 * lower_edge(whole):.0f} %, far from all others" in page
    assert "2.10 %" in page  # the table has it as it is


def test_the_frontier_holds_what_nothing_beats() -> None:
    entries = grid_results().finished
    chosen = pareto(entries)
    for entry in entries:
        beaten = any(
            (other.result or {})["time_seconds"] <= (entry.result or {})["time_seconds"]
            and (other.result or {})["accuracy"] >= (entry.result or {})["accuracy"]
            and other is not entry
            for other in entries
        )
        assert (entry in chosen) != beaten


def test_the_table_has_a_row_a_trial(tmp_path: Path) -> None:
    grid_results(failed=5).write_csv(tmp_path / "trials.csv")
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["trial"] for row in rows] == [str(number) for number in range(1, 10)]
    assert rows[0]["training.epochs"] == "2" and float(rows[0]["accuracy"]) == pytest.approx(0.89)
    assert rows[4]["standing"] == "failed" and rows[4]["accuracy"] == ""
