from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from glyphlab.training.schedule import Plateau, lr_factor
from glyphlab.training.settings import TrainingSettings

STEPS = 200


def factors(steps_per_epoch: int = 20, **settings: object) -> list[float]:
    spec = TrainingSettings.model_validate(settings)
    return [lr_factor(spec, step, STEPS, steps_per_epoch) for step in range(STEPS)]


def optimizer(lr: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def test_constant_is_one() -> None:
    assert set(factors(schedule="constant")) == {1.0}


def test_cosine_agrees_with_torch() -> None:
    ours = factors(schedule="cosine", final_lr_ratio=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer(), STEPS - 1, eta_min=0.1)
    for expected in ours:
        assert theirs.get_last_lr()[0] == pytest.approx(expected, abs=1e-9)
        theirs.optimizer.step()
        theirs.step()


def test_one_cycle_agrees_with_torch() -> None:
    ours = factors(schedule="one-cycle", peak_at=0.25, final_lr_ratio=0.04 / 1e4)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer(), max_lr=1.0, total_steps=STEPS, pct_start=0.25, cycle_momentum=False
    )
    for step, expected in enumerate(ours):
        # torch puts the peak at a whole step, pct_start * steps - 1; ours lies at the exact share.
        assert theirs.get_last_lr()[0] == pytest.approx(expected, abs=0.02), step
        theirs.optimizer.step()
        theirs.step()
    assert ours[0] == pytest.approx(1 / 25) and max(ours) == pytest.approx(1, abs=1e-3)
    assert ours[-1] == pytest.approx(4e-6)


def test_warm_up_rises_linearly_then_the_schedule_begins() -> None:
    ours = factors(schedule="cosine", warmup_epochs=2)
    assert ours[:40] == pytest.approx([(step + 1) / 40 for step in range(40)])
    assert ours[40] == pytest.approx(1.0)
    assert ours[-1] == pytest.approx(0.0)
    assert all(later <= earlier for earlier, later in pairwise(ours[40:]))


def test_plateau_agrees_with_torch() -> None:
    torch.manual_seed(3)
    losses = (torch.linspace(2, 0.5, 40) + 0.3 * torch.randn(40)).tolist()
    ours = Plateau(decay=0.5, patience=2)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer(), factor=0.5, patience=2)
    for loss in losses:
        ours.update(loss)
        theirs.step(loss)
        assert ours.factor == pytest.approx(theirs.get_last_lr()[0])
    assert ours.factor < 0.3
