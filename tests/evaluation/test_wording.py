from __future__ import annotations

import pytest

from glyphlab.evaluation.wording import count, duration, share


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
    assert (share(0.97251), share(None)) == ("97.25%", "?")
    assert (count(12345.0), count(0), count(None)) == ("12,345", "0", "?")
