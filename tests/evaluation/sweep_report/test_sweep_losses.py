from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glyphlab.evaluation.sweep_report.losses import losses_of, panels
from glyphlab.evaluation.sweep_report.page import render
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.entry import Entry, Standing
from glyphlab.training.sweep.results import SweepResults

FALLING = [(2.0, 1.9), (1.0, 1.1), (0.5, 0.8), (0.3, 0.7)]
OVER_FITTING = [(2.0, 1.9), (1.0, 0.8), (0.2, 1.0), (0.01, 1.2)]
FORGETTING = [(2.0, 1.9), (0.5, 0.8), (1.5, 1.4), (2.5, 2.4)]  # a rate too high: both rise


def results_with(*curves: list[tuple[float, float | None]]) -> SweepResults:
    """A trial for each list of training and validation losses."""
    space = "[space]\ntraining.batch_size = [" + ", ".join(str(n + 1) for n in range(len(curves))) + "]"
    definition = SweepDefinition.from_toml(f'recipe = "mnist-net"\n{space}', "curves")
    entries = []
    for number, (trial, curve) in enumerate(zip(definition.plan(), curves, strict=True), start=1):
        history = [
            [epoch, train, 0.5, validation, 0.5, epoch] for epoch, (train, validation) in enumerate(curve, start=1)
        ]
        result: dict[str, Any] = {
            "accuracy": 0.5 + 0.001 * number, "loss": 0.7, "best_epoch": 1, "epochs": len(curve), "time_seconds": 1.0,
            "parameters": 10, "train_images": 9, "train_images_of": 9, "validation_images": 100, "history": history,
        }  # fmt: skip
        entries.append(Entry(number, trial, Standing.FINISHED, result=result))
    return SweepResults("curves", definition, tuple(entries), "now", None, Path("s"))


def test_over_fitting_is_a_rising_validation_loss_beside_a_falling_training_loss() -> None:
    falling, over_fitting, forgetting = losses_of(results_with(FALLING, OVER_FITTING, FORGETTING))
    assert [trial.over_fits for trial in (falling, over_fitting, forgetting)] == [False, True, False]
    assert over_fitting.least == (2, 1.0, 0.8)
    assert over_fitting.rise == pytest.approx(0.5)
    assert falling.rise == 0


def test_a_single_noisy_epoch_at_the_end_is_no_rise() -> None:
    curve = [(1 / epoch, 1.0) for epoch in range(1, 41)]
    (trial,) = losses_of(results_with([*curve[:-1], (0.02, 3.0)]))
    assert not trial.over_fits and trial.rise == 0


def test_trials_without_curves_have_no_panel() -> None:
    results = results_with([(1.0, 0.9)], [(1.0, None), (0.5, None)])
    assert losses_of(results) == [] and panels(results, []) == []
    assert "Over-fitting" not in render(results).decode()


def test_the_page_names_them_and_draws_both_losses_of_each() -> None:
    page = render(results_with(FALLING, OVER_FITTING)).decode()
    assert "1 of 2 trials over-fit:</strong> 2 (after epoch 2)" in page
    assert "0.8 at epoch 2, then up by 50 %" in page and "batch size 2" in page
    assert page.count('class="line a"') == page.count('class="line b"') == 2
    assert "None of the 1 trials" in render(results_with(FALLING)).decode()


def test_of_many_trials_the_best_and_those_that_over_fit_most_are_shown() -> None:
    curves = [list(FALLING) for _ in range(40)]
    curves[7] = list(OVER_FITTING)
    results = results_with(*curves)
    shown = {panel.number for panel in panels(results, losses_of(results))}
    assert 8 in shown and {40, 39, 38} <= shown and len(shown) <= 12
    assert "Shown are the best trials" in render(results).decode()


def test_a_loss_of_zero_can_be_drawn() -> None:
    results = results_with([(1.0, 0.5), (0.0, 0.0)])
    (panel,) = panels(results, losses_of(results))
    assert "nan" not in panel.chart and "inf" not in panel.chart
