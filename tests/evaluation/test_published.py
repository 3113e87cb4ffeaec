from __future__ import annotations

from glyphlab.data.catalogue import SOURCES
from glyphlab.evaluation.published import PUBLISHED, published_on


def test_every_figure_is_of_a_known_set_and_listed_once() -> None:
    assert {entry.data for entry in PUBLISHED} <= SOURCES.keys()
    assert len({(entry.data, entry.method) for entry in PUBLISHED}) == len(PUBLISHED)
    assert all(0 < entry.accuracy < 100 and entry.source for entry in PUBLISHED)


def test_what_nobody_reproduced_is_marked() -> None:
    """On EMNIST balanced no independent work comes above about 91.1 %."""
    above = [entry for entry in published_on("emnist-balanced") if entry.accuracy > 91.1]
    assert len(above) == 6 and {entry.standing for entry in above} == {"not reproduced"}
    assert all(entry.standing != "not reproduced" for entry in published_on("mnist"))


def test_the_lowest_comes_first_and_training_parts_have_none() -> None:
    figures = [entry.accuracy for entry in published_on("emnist-balanced")]
    assert figures == sorted(figures) and 88.43 in figures and 91.06 in figures
    assert published_on("emnist-balanced", "train") == published_on("my-folder") == []


def test_the_reports_own_figures_are_there() -> None:
    reports = {entry.source[:8]: entry.data for entry in PUBLISHED if entry.standing == "report"}
    assert reports.keys() == {"report A", "report B", "report C", "report D", "report E"}
