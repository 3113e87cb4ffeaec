from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from glyphlab.errors import GlyphlabError
from glyphlab.recognition import context
from glyphlab.recognition.context import Context
from glyphlab.recognition.letterpairs import SYMBOLS, english_pairs

NAMES = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")


def probs_of(*rows: dict[str, float]) -> NDArray[np.float32]:
    """A row a character; what is left of 1 goes to all classes alike."""
    probs = np.zeros((len(rows), len(NAMES)), dtype=np.float32)
    for row, values in zip(probs, rows, strict=True):
        row[:] = (1 - sum(values.values())) / len(NAMES)
        for name, value in values.items():
            row[NAMES.index(name)] += value
    return probs


def text_of(probs: NDArray[np.float32]) -> str:
    return "".join(NAMES[place] for place in probs.argmax(axis=1))


def sure(text: str) -> list[dict[str, float]]:
    return [{char: 0.98} for char in text]


def test_an_o_among_digits_is_a_nought_and_the_reverse() -> None:
    o_or_0 = {"O": 0.6, "0": 0.38}
    zero_or_o = {"O": 0.38, "0": 0.6}
    for language in ("en", "none"):
        settle = Context(NAMES, language).settle
        digits = probs_of(*sure("12"), o_or_0, *sure("7"))
        assert text_of(settle(digits, [False] * 3)) == "1207"
        letters = probs_of(*sure("dr"), zero_or_o, *sure("P"))
        assert text_of(settle(letters, [False] * 3)) == "drOP"


def test_what_is_clear_stays_whatever_the_neighbours_are() -> None:
    settle = Context(NAMES).settle
    clear = probs_of({"a": 0.999}, {"7": 0.999}, {"n": 0.999}, {"4": 0.999})
    assert text_of(settle(clear, [False] * 3)) == "a7n4"


def test_words_of_a_line_count_less_than_the_word_itself() -> None:
    o_or_0 = {"O": 0.5, "0": 0.48}
    settle = Context(NAMES, "none").settle
    probs = probs_of(*sure("HEN"), *sure("1"), o_or_0, *sure("5"))
    assert text_of(settle(probs, [False, False, True, False, False])) == "HEN105"


def test_letter_pairs_settle_l_against_i() -> None:
    doubt = {"I": 0.5, "L": 0.48}
    probs = probs_of(*sure("Whee"), doubt)
    assert text_of(Context(NAMES).settle(probs, [False] * 4)) == "WheeL"
    assert text_of(Context(NAMES, "none").settle(probs, [False] * 4)) == "WheeI"


@pytest.mark.parametrize("language", ["en", "none"])
def test_probabilities_stay_probabilities(language: str, rng: np.random.Generator) -> None:
    probs = rng.dirichlet(np.full(len(NAMES), 0.1), size=9).astype(np.float32)
    settled = Context(NAMES, language).settle(probs, [False, True] * 4)
    assert settled.shape == probs.shape and settled.dtype == np.float32
    np.testing.assert_allclose(settled.sum(axis=1), 1, rtol=1e-5)
    assert (settled >= 0).all()


def test_forward_backward_agrees_with_summing_over_all_paths(rng: np.random.Generator) -> None:
    names = ("0", "1", "a", "b")
    space_after = [False, True, False]
    probs = rng.dirichlet(np.ones(4), size=4).astype(np.float32)
    chain = Context(names, "en")
    expected = np.zeros((4, 4))
    ends = [*space_after, True]
    likelihoods = np.maximum(probs.astype(np.float64), context._FLOOR) ** context._TRUST
    over_space = np.stack([chain._over_space(row) for row in np.eye(4)])
    start = chain._first @ np.array([context._DIGITS_FIRST, 1 - context._DIGITS_FIRST])
    for path in itertools.product(range(4), repeat=4):
        weight = start[path[0]]
        for place, state in enumerate(path):
            weight *= likelihoods[place, state] * (chain._last[state] if ends[place] else 1)
            if place:
                step = over_space if ends[place - 1] else chain._in_word
                weight *= step[path[place - 1], state]
        expected[range(4), path] += weight
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(chain.settle(probs, space_after), expected, atol=1e-6)
    np.testing.assert_allclose(chain._in_word.sum(axis=1), 1)
    np.testing.assert_allclose(over_space.sum(axis=1), 1)


@pytest.mark.parametrize("names", [tuple("0123456789"), tuple("ABC"), ("7",), ("alpha", "beta", "3")])
def test_alphabets_of_one_kind_or_of_other_scripts_work(names: tuple[str, ...], rng: np.random.Generator) -> None:
    probs = rng.dirichlet(np.full(len(names), 0.5), size=3).astype(np.float32)
    settled = Context(names).settle(probs, [False, True])
    assert np.isfinite(settled).all()
    np.testing.assert_allclose(settled.sum(axis=1), 1, rtol=1e-5)


def test_nothing_is_settled_to_nothing() -> None:
    empty = np.empty((0, len(NAMES)), dtype=np.float32)
    assert Context(NAMES).settle(empty, []).shape == (0, len(NAMES))


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(GlyphlabError, match=r"language is 'de'; .*en"):
        Context(NAMES, "de")


def test_letter_pairs_are_english() -> None:
    pairs = english_pairs()
    assert pairs.shape == (27, 27)
    np.testing.assert_allclose(pairs.sum(axis=1), 1)

    def after(first: str, second: str) -> float:
        return float(pairs[SYMBOLS.index(first), SYMBOLS.index(second)])

    assert after("q", "u") > 0.9 and after("t", "h") > after("t", "k") and after("x", "q") < 0.01
    assert after("y", " ") > after("v", " ")
