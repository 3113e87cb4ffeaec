"""What the neighbours say: an O among digits is a 0, a 1 among letters is an l or an i.

A line's characters are a Markov chain. Words are mostly all digits or all letters, so the kind seldom changes within
a word; among letters the pairs of a language may count as well. The recogniser's probabilities tell how well each
class fits each place, and the forward-backward algorithm weighs one against the other: L. R. Rabiner, "A tutorial on
hidden Markov models and selected applications in speech recognition", Proc. IEEE 77 (1989), section III. No
dictionary is involved: any word can be read, and what is written clearly is read as written.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import GlyphlabError, did_you_mean
from glyphlab.recognition.letterpairs import SYMBOLS, english_pairs

LANGUAGES = ("en", "none")

_DIGITS_FIRST = 0.15  # probability that a word begins with a digit
_CHANGE_IN_WORD = 0.005  # that a digit is followed by a letter of the same word, or the reverse
_CHANGE_AT_SPACE = 0.12
_PAIR_WEIGHT = 0.75  # power of the language's pairs: 0 would ignore them; below 1, since writing is not all prose
_TRUST = 0.8  # power of the recogniser's probabilities: pages are harder than the images it was calibrated on
_FLOOR = 1e-4  # a recogniser is never so sure that neighbours could say nothing


class Context:
    """How the characters of an alphabet follow one another.

    names: the K characters that may be answered. language: "en" lets the pairs of English letters count, "none" only
    settles digits against letters. Raises `GlyphlabError` for another language.
    """

    def __init__(self, names: Sequence[str], language: str = "en") -> None:
        if language not in LANGUAGES:
            raise GlyphlabError(f"language is '{language}'; {did_you_mean(language, LANGUAGES)}")
        is_digit = np.array([name.isdecimal() for name in names])
        kinds = np.stack([is_digit, ~is_digit], axis=1).astype(np.float64)  # [K, 2]
        members = np.maximum(kinds.sum(axis=0), 1)
        self._even = kinds / members  # [K, 2]: within a kind, every class alike
        self._kinds = kinds
        follows = _letter_pairs(names) ** _PAIR_WEIGHT if language == "en" else np.ones((len(names) + 1,) * 2)
        inner = follows[1:, 1:] * (kinds @ kinds.T)  # [K, K], within a kind
        inner /= inner.sum(axis=1, keepdims=True)
        across = self._even @ np.array([[0.0, 1.0], [1.0, 0.0]]) @ kinds.T  # [K, K], to the other kind
        self._in_word = (1 - _CHANGE_IN_WORD) * inner + _CHANGE_IN_WORD * across.T
        first = follows[0, 1:, None] * kinds
        self._first = first / np.maximum(first.sum(axis=0), 1e-12)  # [K, 2], of a word of either kind
        # How well a word may end with a class; on average nothing is gained or lost by ending.
        ends = follows[1:, 0]
        self._last = ends / np.maximum(kinds @ (kinds.T @ ends / members), 1e-12)

    def settle(self, probs: NDArray[np.float32], space_after: Sequence[bool]) -> NDArray[np.float32]:
        """Probabilities of one line's characters in the light of their neighbours.

        probs: float32 [N, K], of a recogniser whose classes were about equally frequent in training.
        space_after: N - 1 values, whether a word ends after each character. Returns float32 [N, K], rows that sum
        to 1: the probability of each class given the whole line.
        """
        count = len(probs)
        if count == 0:
            return probs
        likelihoods = np.maximum(probs.astype(np.float64), _FLOOR) ** _TRUST
        ends = np.append(np.asarray(space_after, dtype=bool), True)
        likelihoods[ends] *= self._last
        forward, backward = np.empty_like(likelihoods), np.ones_like(likelihoods)
        forward[0] = likelihoods[0] * (self._first @ np.array([_DIGITS_FIRST, 1 - _DIGITS_FIRST]))
        forward[0] /= forward[0].sum()
        for place in range(1, count):
            step = self._over_space(forward[place - 1]) if ends[place - 1] else forward[place - 1] @ self._in_word
            forward[place] = likelihoods[place] * step
            forward[place] /= forward[place].sum()
        for place in range(count - 2, -1, -1):
            ahead = likelihoods[place + 1] * backward[place + 1]
            backward[place] = self._back_over_space(ahead) if ends[place] else self._in_word @ ahead
            backward[place] /= backward[place].sum()
        settled = forward * backward
        return np.asarray(settled / settled.sum(axis=1, keepdims=True), dtype=np.float32)

    def _over_space(self, states: NDArray[np.float64]) -> NDArray[np.float64]:
        """The classes of a word's first character, given those of the last one of the word before."""
        return np.asarray(self._first @ (_SPACE @ (self._kinds.T @ states)))

    def _back_over_space(self, ahead: NDArray[np.float64]) -> NDArray[np.float64]:
        """The transpose of `_over_space`."""
        return np.asarray(self._kinds @ (_SPACE @ (self._first.T @ ahead)))


_SPACE = np.array([[1 - _CHANGE_AT_SPACE, _CHANGE_AT_SPACE], [_CHANGE_AT_SPACE, 1 - _CHANGE_AT_SPACE]])


def _letter_pairs(names: Sequence[str]) -> NDArray[np.float64]:
    """For each class, and before them a word's end, the pairs of the letters they stand for: float64 [K + 1, K + 1].

    The cases of a letter are one; classes that are no letters of English follow one another evenly.
    """
    places = np.array([0] + [SYMBOLS.find(name.lower()) if len(name) == 1 else -1 for name in names])
    pairs = english_pairs()[places[:, None], places[None, :]]
    foreign = places < 0
    pairs[foreign[:, None] | foreign[None, :]] = 1 / len(SYMBOLS)
    return np.asarray(pairs)
