from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from glyphlab.cli import bars, progress
from glyphlab.cli.progress import LiveBar, PlainLines, reporter_for
from glyphlab.training.history import EpochMetrics
from glyphlab.training.progress import Plan, Silent, StepNews

PLAN = Plan("mnist-fast-1", total_epochs=3, steps_per_epoch=100, total_steps=300, first_step=0)
NEWS = StepNews(epoch=2, step=150, train_loss=0.5, train_accuracy=0.875, images_per_second=4000, remaining_seconds=75)
ROW = EpochMetrics(2, 200, 25_600, 0.001, 0.25, 0.9, 0.2, 0.95, 12.3, 4100.0)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], io.StringIO]:
    def make(terminal: bool) -> io.StringIO:
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=150, soft_wrap=True, highlight=False)
        for module in (progress, bars):
            monkeypatch.setattr(module, "stderr", lambda: console)
        return text

    return make


def test_plain_lines_say_each_epoch_and_now_and_then_a_step(
    screen: Callable[[bool], io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = screen(False)
    lines = PlainLines()
    lines.note("engine: [cpu]")
    lines.start(PLAN)
    lines.step(NEWS)
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    lines.step(NEWS)
    lines.epoch(ROW)
    lines.stop()
    assert text.getvalue().splitlines() == [
        "engine: [cpu]",
        "training mnist-fast-1: 3 epochs of 100 steps",
        "epoch 2/3, step 50/100: loss 0.5000, accuracy 87.50%, 4,000 images/s, 1:15 left",
        "epoch 2/3: loss 0.2500, accuracy 90.00%; validation 0.2000, 95.00%; 4,100 images/s, 12 s",
    ]


def test_work_before_the_training_has_a_bar_of_its_own(screen: Callable[[bool], io.StringIO]) -> None:
    text = screen(True)
    bar = LiveBar()
    bar.preparing("images drawn anew", 512, 1024)
    bar.preparing("images drawn anew", 1024, 1024)
    bar.stop()
    bar.start(PLAN)
    bar.stop()
    shown = text.getvalue()
    assert "images drawn anew" in shown and "100%" in shown
    assert shown.index("images drawn anew") < shown.index("mnist-fast-1")


def test_the_bar_shows_loss_accuracy_speed_and_time_left(screen: Callable[[bool], io.StringIO]) -> None:
    text = screen(True)
    bar = LiveBar()
    bar.start(PLAN)
    bar.step(NEWS)
    bar.epoch(ROW)
    bar.stop()
    shown = text.getvalue()
    assert "epoch 2/3" in shown and "loss 0.5000, accuracy 87.50%, 4,000 images/s, 1:15 left" in shown
    assert "validation 0.2000, 95.00%" in shown


def test_the_reporter_suits_standard_error() -> None:
    assert isinstance(reporter_for(quiet=True), Silent)
    assert type(reporter_for(quiet=False)) is PlainLines
