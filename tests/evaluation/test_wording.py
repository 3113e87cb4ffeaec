from __future__ import annotations

import pytest

from glyphlab.evaluation.wording import count, duration, percent, share


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (41.23, "41.2 s"),
        (59.4, "59.4 s"),
        (59.7, "1 min 00 s"),
        (138.9, "2 min 19 s"),
        (3599.6, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (100_000, "27 h 47 min"),
        (None, "?"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_shares_and_counts() -> None:
    assert (share(0.97251), share(0.99996), share(1.0), share(None)) == ("97.25%", ">99.99%", "100%", "?")
    assert (count(12345.0), count(0), count(None)) == ("12,345", "0", "?")


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.0, 1, "0"),
        (1.0, 1, "100"),
        (0.5, 1, "50.0"),
        (0.0004, 1, "<0.1"),
        (0.9996, 1, ">99.9"),
        (0.004, 0, "<1"),
        (0.996, 0, ">99"),
        (0.123, 0, "12"),
    ],
)
def test_a_percentage_is_0_or_100_only_when_it_is_exact(value: float, decimals: int, text: str) -> None:
    assert percent(value, decimals) == text
