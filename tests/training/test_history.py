from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from glyphlab.training.history import scale_accuracy


def heights(*values: float, shown: tuple[float, ...] = ()) -> list[float]:
    """How high accuracies in % stand on the scale that is made for `values`; 0: below, 1: above."""
    axes = Figure().subplots()
    axes.plot(values)
    axes.set_ylabel("accuracy in %")
    scale_accuracy(axes)
    points = axes.transData.transform([(0.0, value) for value in shown or values])
    return list((axes.transAxes.inverted().transform(points))[:, 1])


def test_each_halving_of_the_errors_has_the_same_height() -> None:
    found = heights(20, 90, 99.5, shown=(92, 96, 98, 99))
    np.testing.assert_allclose(np.diff(found), np.diff(found)[0])
    first, middle, last = heights(20, 90, 99.5)
    assert 0 < first < middle < 0.5 and 0.9 < last < 1


def test_perfect_accuracies_stand_above_all_others_and_inside() -> None:
    found = heights(20, 90, 99.5, 100)
    assert found == sorted(found) and found[-1] < 1 and found[-1] - found[-2] > 0.1


@pytest.mark.parametrize("values", [(20, 60, 89), (100, 100)])
def test_other_accuracies_stand_on_a_plain_scale(values: tuple[float, ...]) -> None:
    axes = Figure().subplots()
    axes.plot(values)
    axes.set_ylabel("accuracy in %")
    scale_accuracy(axes)
    assert axes.get_yscale() == "linear" and axes.get_ylabel() == "accuracy in %"


def test_the_label_says_what_scale_it_is() -> None:
    axes = Figure().subplots()
    scale_accuracy(axes)  # nothing drawn
    axes.plot([50, 99.1, 100])
    axes.set_ylabel("accuracy in %")
    scale_accuracy(axes)
    assert axes.get_ylabel() == "accuracy in %\n(errors on a logarithmic scale)"
    assert [label.get_text() for label in axes.get_yticklabels()][-2:] == ["99", "100"]
