"""Capital or small, for letters that look alike in both cases.

The 47 classes of EMNIST keep the two cases of C, I, J, K, L, M, O, P, S, U, V, W, X, Y and Z together. Which one was
meant is told by its height beside the letters whose case is known, and where that says nothing by its neighbours'
case. It is a guess for display: compare texts with case ignored.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Small letters without a stroke that reaches up or down: their height is the x-height.
_LOW = frozenset("aenrcmosuvwxz")
# Letters whose case can be seen by their height: the small one is low, the capital tall.
_TOLD_BY_HEIGHT = frozenset("cmosuvwxz")
_LEAST_CONTRAST = 1.4  # between tall and low letters of a line, for heights to tell anything


@dataclass(frozen=True)
class Letter:
    """A read character: its name, height in pixels, and whether its case is known."""

    name: str
    height: float
    case_known: bool


def choose_cases(words: Sequence[Sequence[Letter]]) -> list[list[str]]:
    """The characters of one line with the case of each settled; the same shape as `words`."""
    known = [letter for word in words for letter in word if letter.case_known and letter.name.isalpha()]
    low = [letter.height for letter in known if letter.name in _LOW]
    tall = [letter.height for letter in known if letter.name.isupper() or letter.name in "bdfht"]
    middle: float | None = None
    if low and tall and statistics.median(tall) >= _LEAST_CONTRAST * statistics.median(low):
        middle = (statistics.median(tall) * statistics.median(low)) ** 0.5
    line_is_upper = _mostly_upper(known, otherwise=False)
    return [_choose_in_word(word, middle, line_is_upper) for word in words]


def _choose_in_word(word: Sequence[Letter], middle: float | None, line_is_upper: bool) -> list[str]:
    known = [letter for letter in word if letter.case_known and letter.name.isalpha()]
    is_upper = _mostly_upper(known, otherwise=line_is_upper)
    chosen: list[str] = []
    for place, letter in enumerate(word):
        if letter.case_known:
            chosen.append(letter.name)
        elif middle is not None and letter.name.lower() in _TOLD_BY_HEIGHT:
            tall = letter.height > middle
            # Within a small word a tall letter is more often a large small one than a capital.
            chosen.append(letter.name.upper() if tall and (is_upper or place == 0) else letter.name.lower())
        else:
            chosen.append(letter.name.upper() if is_upper else letter.name.lower())
    return chosen


def _mostly_upper(known: Sequence[Letter], *, otherwise: bool) -> bool:
    """Whether more of the letters are capitals; `otherwise` where there are as many of both."""
    upper = sum(letter.name.isupper() for letter in known)
    lower = len(known) - upper
    return otherwise if upper == lower else upper > lower
