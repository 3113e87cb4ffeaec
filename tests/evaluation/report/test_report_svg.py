from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from glyphlab.evaluation.calibration import Reliability
from glyphlab.evaluation.report import charts
from glyphlab.evaluation.svg import Chart, round_ticks
from glyphlab.training.history import EpochMetrics


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.93, 1.0, [0.94, 0.96, 0.98, 1.0]),
        (0, 7, [0, 2, 4, 6]),
        (-0.5, 0.5, [-0.4, -0.2, 0, 0.2, 0.4]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(expected)


def test_places_follow_the_axes_and_text_is_escaped() -> None:
    chart = Chart((0, 10), (0, 1), "a <b>", size=(120, 100), margins=(10, 10, 10, 10))
    assert [chart.x(0), chart.x(10), chart.y(0), chart.y(1)] == [10, 110, 90, 10]
    chart.axes("x & y", "<y>", [0, 5], [0, 1])
    chart.bar((0, 1), (0, 0.5), "bar", "<note>")
    root = ElementTree.fromstring(chart.markup())
    assert root.get("aria-label") == "a <b>" and {"x & y", "<y>", "<note>"} <= set(root.itertext())


def epochs(count: int, validation: bool = True) -> list[EpochMetrics]:
    return [
        EpochMetrics(
            n, n, n, 1e-3, 1 / n, 1 - 1 / (n + 1), 2 / n if validation else None, 0.5 if validation else None, 1, 1
        )
        for n in range(1, count + 1)
    ]


@pytest.mark.parametrize(("count", "validation", "lines"), [(1, True, 2), (12, True, 2), (3, False, 1)])
def test_curves_show_training_and_validation(count: int, validation: bool, lines: int) -> None:
    figures = charts.curves(epochs(count, validation), best_epoch=1 if validation else None)
    assert [figure.title for figure in figures] == ["Accuracy", "Loss"]
    for figure in figures:
        assert len(ElementTree.fromstring(figure.drawing).findall("polyline")) == lines
    assert charts.curves([], None) == []


def test_the_reliability_chart_has_a_bar_for_each_filled_bin(rng: np.random.Generator) -> None:
    confidences = rng.uniform(0.5, 1, size=200)
    diagram = Reliability.measure(confidences, rng.uniform(size=200) < confidences)
    root = ElementTree.fromstring(charts.reliability_chart(diagram, "As trained").drawing)
    bars = [rect for rect in root.findall("rect") if rect.get("class") == "bar"]
    assert len(bars) == np.count_nonzero(diagram.counts)


def test_leaving_out_doubtful_images_is_told_in_words() -> None:
    # The surest 80 of 100 are right, the others are wrong.
    confidences = np.linspace(1, 0.2, 100)
    figure = charts.coverage_chart(confidences, np.arange(100) < 80)
    assert "99.0% of its answers are right where it answers 80% of the images" in figure.caption
    sure = float(figure.caption.split("at least ")[1].split("%")[0]) / 100
    assert np.count_nonzero(confidences >= sure) == 80  # told so that whoever sets it answers as many
    assert charts.coverage_chart(confidences, np.ones(100, dtype=np.bool_)).caption == ""  # nothing to gain


def test_the_map_crosses_mistakes_and_names_classes(rng: np.random.Generator) -> None:
    points, targets = rng.normal(size=(30, 2)), np.arange(30) % 3
    wrong = np.arange(30) < 4
    drawn = charts.feature_map(points, targets, wrong, ("a", "<b>", "c"), "PCA")
    root = ElementTree.fromstring(drawn.drawing)
    paths = {path.get("class"): path.get("d") or "" for path in root.findall("path")}
    assert paths["crosses"].count("M") == 4 and len(drawn.x) == len(drawn.y) == 30
    dots = sum((path.get("d") or "").count("h0") for path in root.findall("path") if path.get("class") == "points")
    assert dots == 26 and {text.text for text in root.findall("text")} == {"a", "<b>", "c"}


def test_neighbouring_classes_have_different_colours() -> None:
    for classes in (2, 10, 47):
        hues = [charts.hue(target, classes) for target in range(classes)]
        steps = [min(abs(a - b), 360 - abs(a - b)) for a, b in pairwise(hues)]
        assert min(steps) >= 30 and len(set(hues)) == classes
