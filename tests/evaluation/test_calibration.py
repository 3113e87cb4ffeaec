from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from glyphlab.evaluation.calibration import (
    Calibration,
    Reliability,
    balancing_weights,
    calibrated,
    calibration_error,
    draw_reliability,
    fit_temperature,
    reliability,
)
from glyphlab.evaluation.metrics import log_softmax, losses
from glyphlab.recognition.conformal import prediction_sets


def sample(
    rng: np.random.Generator, count: int = 3000, sharpness: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits whose softmax is the truth when divided by `sharpness`."""
    honest = rng.normal(0, 2.5, (count, 8))
    probs = np.exp(log_softmax(honest))
    targets = (probs.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=7)
    return (honest * sharpness).astype(np.float32), targets.astype(np.int64)


@pytest.mark.parametrize("sharpness", [0.1, 0.5, 1.0, 3.0, 15.0])
def test_the_temperature_is_scipys_and_undoes_the_sharpening(rng: np.random.Generator, sharpness: float) -> None:
    logits, targets = sample(rng, sharpness=sharpness)
    weights = balancing_weights(targets)
    for counted in (np.ones(len(targets)), weights):

        def loss(log_temperature: float, counted: NDArray[np.float64] = counted) -> float:
            tempered = log_softmax(logits.astype(np.float64) / np.exp(log_temperature))
            return float(np.mean(counted * losses(tempered, targets)))

        best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
        found = fit_temperature(logits, targets, counted)
        assert found == pytest.approx(np.exp(best.x), rel=1e-4)
        assert found == pytest.approx(sharpness, rel=0.12)


def test_the_temperature_of_hard_cases(rng: np.random.Generator) -> None:
    logits, targets = sample(rng, 200)
    assert fit_temperature(logits * 1000, targets) == pytest.approx(20, rel=1e-3)  # the upper end
    right = logits.argmax(axis=1).astype(np.int64)
    assert fit_temperature(logits, right) == 1.0  # no mistake: nothing is known
    assert fit_temperature(logits[:0], targets[:0]) == 1.0
    wrong = logits.argmin(axis=1).astype(np.int64)
    assert fit_temperature(logits, wrong) == pytest.approx(20, rel=1e-3)
    assert fit_temperature(np.zeros((5, 3), np.float32), np.zeros(5, np.int64)) == 1.0
    shifted = logits + rng.normal(0, 1000, (200, 1)).astype(np.float32)  # softmax does not see it
    assert fit_temperature(shifted, targets) == pytest.approx(fit_temperature(logits, targets), rel=1e-3)


def test_weights_let_every_class_count_the_same() -> None:
    targets = np.array([0, 0, 0, 2] * 50, dtype=np.int64)
    weights = balancing_weights(targets)
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2] * 50)
    assert weights.mean() == pytest.approx(1)


def test_calibrated_probabilities_keep_the_answers_and_lose_the_error(rng: np.random.Generator) -> None:
    logits, targets = sample(rng, 20_000, sharpness=3.0)
    before, after = calibrated(logits, 1.0), calibrated(logits, fit_temperature(logits, targets))
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert calibration_error(before, targets) > 0.1
    assert calibration_error(after, targets) < 0.015


def test_the_calibration_error_by_hand(rng: np.random.Generator) -> None:
    confidences = rng.random(500)
    correct = rng.random(500) < confidences**2
    total = 0.0
    for low in np.arange(15) / 15:
        inside = (confidences > low) & (confidences <= low + 1 / 15)
        if inside.any():
            total += inside.mean() * abs(correct[inside].mean() - confidences[inside].mean())
    measured = Reliability.measure(confidences, correct)
    assert measured.error == pytest.approx(total)
    assert measured.counts.sum() == 500
    certain = Reliability.measure(np.ones(4), np.array([True, True, True, False]))
    assert certain.counts[-1] == 4 and certain.error == pytest.approx(0.25)
    assert Reliability.measure(np.zeros(0), np.zeros(0, bool)).error == 0.0


def test_a_calibration_holds_temperature_and_thresholds(rng: np.random.Generator) -> None:
    logits, targets = sample(rng, 4000, sharpness=2.0)
    found = Calibration.fit(logits[:2000], targets[:2000])
    assert found.images == 2000 and found.temperature == pytest.approx(2, rel=0.1) and found.conformal is not None
    probs = calibrated(logits[2000:], found.temperature)
    own = np.take_along_axis(probs, targets[2000:, None], axis=1)[:, 0]
    weights = balancing_weights(targets[2000:])
    covered = float(np.mean(weights * (own >= 1 - found.conformal.at(0.9))))
    assert covered == pytest.approx(0.9, abs=0.03)
    assert Calibration.fit(logits[:0], targets[:0]) == Calibration(0, 1.0, None)


def test_sets_keep_their_coverage_when_the_mix_of_classes_becomes_even(rng: np.random.Generator) -> None:
    """The hard class is rare in validation and common afterwards."""
    logits = rng.normal(0, 1, (20_000, 2)).astype(np.float32)
    targets = (rng.random(20_000) < 0.05).astype(np.int64)
    logits[:, 0] += np.where(targets == 0, 4, 0)
    logits[:, 1] += np.where(targets == 1, 1, 0)
    found = Calibration.fit(logits[:10_000], targets[:10_000])
    assert found.conformal is not None
    probs = calibrated(logits[10_000:], found.temperature)
    own = np.take_along_axis(probs, targets[10_000:, None], axis=1)[:, 0]
    inside = own >= 1 - found.conformal.at(0.9)[targets[10_000:]]
    each = [inside[targets[10_000:] == k].mean() for k in (0, 1)]
    assert np.mean(each) == pytest.approx(0.9, abs=0.03)
    assert inside.mean() > 0.95  # what an unweighted threshold would have set to 0.9


def test_a_class_of_three_images_does_not_blur_the_answers_of_all(rng: np.random.Generator) -> None:
    targets = np.repeat(np.arange(5), [300, 300, 300, 300, 3])
    logits = rng.normal(0, 1, (len(targets), 5)).astype(np.float32)
    logits[np.arange(len(targets)), targets] += 8
    weights = balancing_weights(targets)
    assert weights.mean() == pytest.approx(1) and weights[-1] == pytest.approx(300 / 20 * weights[0])
    found = Calibration.fit(logits, targets)
    assert found.conformal is not None
    inside = prediction_sets(calibrated(logits, found.temperature), found.conformal.at(0.95))
    assert inside.sum(axis=1).mean() < 1.1


def test_the_diagram_is_drawn(rng: np.random.Generator, tmp_path: Path) -> None:
    logits, targets = sample(rng, 500)
    diagrams = {
        "as trained": reliability(calibrated(logits, 0.5), targets),
        "one bin": reliability(np.eye(8), targets[:8]),
    }
    path = tmp_path / "reliability.png"
    draw_reliability(diagrams, "字 a$\\frac$b test: 500 images", path)  # as folders may be called
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("titles", [("as trained",), ("as trained", "at temperature 0.800")])
def test_the_legend_covers_nothing(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, titles: tuple[str, ...]
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **kwargs: drawn.append(self))
    logits, targets = sample(rng, 500)
    draw_reliability({title: reliability(calibrated(logits, 3.0), targets) for title in titles}, "made", tmp_path / "r")
    (figure,) = drawn
    figure.canvas.draw()
    (legend,) = figure.legends
    place = legend.get_window_extent()
    assert not any(place.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    assert figure.bbox.containsx(place.x0) and figure.bbox.containsx(place.x1) and figure.bbox.containsy(place.y0)
