from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from glyphlab.evaluation.comparison.significance import EXACT_BELOW, holm, mcnemar


def answers(only_a: int, only_b: int, both: int = 40, neither: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Right answers of two classifiers, shuffled."""
    a = np.repeat([True, False, True, False], [only_a, only_b, both, neither])
    b = np.repeat([False, True, True, False], [only_a, only_b, both, neither])
    order = np.random.default_rng(0).permutation(len(a))
    return a[order], b[order]


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (0, 5), (3, 3), (4, 5), (2, 22), (12, 12), (20, 4)])
def test_few_differences_equal_scipys_exact_binomial(only_a: int, only_b: int) -> None:
    found = mcnemar(*answers(only_a, only_b))
    total = only_a + only_b
    expected = binomtest(only_a, total).pvalue if total else 1.0
    assert found.p_value == pytest.approx(expected, abs=1e-9)
    assert (found.only_a, found.only_b, found.method) == (only_a, only_b, "exact binomial")


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 25), (12, 13), (13, 13), (40, 60), (300, 250), (250, 300), (9_000, 9_200), (0, 3_000)]
)
def test_many_differences_equal_scipys_exact_binomial_less_half_the_outcome(only_a: int, only_b: int) -> None:
    found = mcnemar(*answers(only_a, only_b))
    total, fewer = only_a + only_b, min(only_a, only_b)
    if only_a == only_b:  # all of the probability but half of the outcome itself on either side, twice
        expected = 1.0
        assert 2 * binom.cdf(fewer, total, 0.5) - binom.pmf(fewer, total, 0.5) == pytest.approx(1.0)
    else:
        expected = binomtest(only_a, total).pvalue - binom.pmf(fewer, total, 0.5)
    assert found.p_value == pytest.approx(expected, abs=1e-9)
    assert found.method == "mid-p"


def test_the_worked_example_of_fagerland_lydersen_and_laake() -> None:
    """Their airway hyper-responsiveness data: 1 against 7 differing pairs; exact two-sided p 0.070."""
    assert mcnemar(*answers(1, 7)).p_value == pytest.approx(0.0703125, abs=1e-12)


def test_the_order_of_the_two_does_not_matter_and_the_method_changes_where_it_says() -> None:
    a, b = answers(17, 40)
    assert mcnemar(a, b).p_value == mcnemar(b, a).p_value
    assert mcnemar(*answers(0, EXACT_BELOW - 1)).method == "exact binomial"
    assert mcnemar(*answers(0, EXACT_BELOW)).method == "mid-p"


def test_images_that_both_answer_alike_change_nothing() -> None:
    assert mcnemar(*answers(10, 30)).p_value == mcnemar(*answers(10, 30, both=4_000, neither=500)).p_value


def test_identical_classifiers_do_not_differ() -> None:
    right = np.array([True, False, True])
    assert mcnemar(right, right).p_value == 1.0


def test_the_test_is_wrong_as_often_as_it_says() -> None:
    """Two networks that err equally often: at most about 5 % of comparisons come out below 0.05."""
    rng = np.random.default_rng(1)
    outcomes = [mcnemar(rng.random(2_000) < 0.95, rng.random(2_000) < 0.95).p_value for _ in range(2_000)]
    assert 0.035 < np.mean(np.array(outcomes) < 0.05) < 0.062


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.9, 0.8], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
    ],
)
def test_holm_by_hand(given: list[float], expected: list[float]) -> None:
    assert holm(given) == pytest.approx(expected)


def test_holm_equals_its_definition_for_random_values() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        given = rng.random(rng.integers(1, 9)).tolist()
        ranked = sorted(given)
        for value, corrected in zip(given, holm(given), strict=True):
            place = ranked.index(value)
            expected = max((len(given) - k) * ranked[k] for k in range(place + 1))
            assert corrected == pytest.approx(min(1.0, expected), abs=1e-12)
