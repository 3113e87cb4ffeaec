from __future__ import annotations

import string

import numpy as np
import pytest

from glyphlab.errors import ModelError
from glyphlab.recognition.alphabet import Alphabet

# As EMNIST's 47: of some letters both cases are one class, called by the capital.
BALANCED = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")


def names(text: str, class_names: tuple[str, ...] = BALANCED) -> str:
    return "".join(Alphabet.parse(text, class_names).names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0-9", string.digits),
        ("digits", string.digits),
        ("A-Z", string.ascii_uppercase),
        ("capitals", string.ascii_uppercase),
        ("Uppercase", string.ascii_uppercase),
        ("NUMBERS", string.digits),
        ("lowercase", "abdefghnqrt"),
        ("letters", string.ascii_uppercase + "abdefghnqrt"),
        ("A-C0-2X", "012ABCX"),
        ("digits,A-F", string.digits + "ABCDEF"),
        ("0, 1 ,7", "017"),
        ("aabA", "Aab"),
    ],
)
def test_alphabets_are_written_as_people_write_them(text: str, expected: str) -> None:
    assert names(text) == expected


def test_a_letter_stands_for_the_class_that_its_other_case_shares() -> None:
    lower = Alphabet.parse("a-z", BALANCED)
    assert sorted(lower.names) == list(string.ascii_lowercase)
    assert BALANCED[lower.indices[lower.names.index("c")]] == "C"  # answered as it was asked for
    assert BALANCED[lower.indices[lower.names.index("a")]] == "a"
    assert names("cC") == names("Cc") == "C"  # both asked for: the class's own name
    assert names("A", ("a", "b")) == "A"


def test_names_of_several_characters_and_signs() -> None:
    greek = ("alpha", "beta", "gamma", "-", ",")
    assert Alphabet.parse("gamma,alpha", greek).names == ("alpha", "gamma")
    assert Alphabet.parse(",", greek).names == (",",)
    assert Alphabet.parse("-", greek).names == ("-",)
    assert names("a-", ("a", "b", "-")) == "a-" and names("-a", ("a", "b", "-")) == "a-"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0-9#ü", "does not know # ü; it knows 0 1 2"),
        ("9-0", "range 9-0 runs backwards"),
        ("", "the alphabet is empty"),
        ("digit", "'digit' is no kind of character; did you mean 'digits'.* As letters they are d,i,g,i,t"),
        ("A-F,Letter", "did you mean 'letters'"),
        (" , ", "the alphabet is empty"),
        ("!-~", r"does not know ! \" # \$ % & ' \( \) \* \+ , \.\.\."),
    ],
)
def test_what_the_model_does_not_know_is_listed(text: str, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        Alphabet.parse(text, BALANCED)


def test_a_kind_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(ModelError, match="knows no letters; it knows 0 1 2"):
        Alphabet.parse("letters", tuple(string.digits))


def test_probabilities_become_those_given_the_alphabet(rng: np.random.Generator) -> None:
    probs = rng.dirichlet(np.ones(47), 20).astype(np.float32)
    alphabet = Alphabet.parse("0-9", BALANCED)
    restricted = alphabet.restrict(probs)
    assert restricted.shape == (20, 10) and restricted.dtype == np.float32
    np.testing.assert_allclose(restricted.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(restricted, probs[:, :10] / probs[:, :10].sum(axis=1, keepdims=True), rtol=1e-5)
    nothing = np.zeros((1, 47), dtype=np.float32)
    nothing[0, 20] = 1
    np.testing.assert_allclose(alphabet.restrict(nothing), 0.1)
    assert Alphabet.whole(BALANCED).restrict(probs) is probs


def test_what_a_class_stands_for() -> None:
    def counts(alphabet: Alphabet) -> dict[str, int]:
        return dict(zip(alphabet.names, alphabet.stands_for, strict=True))

    # Every letter once for each of its cases that may occur: 26 capitals, 26 small letters, ten digits.
    whole = counts(Alphabet.whole(BALANCED))
    assert sum(whole.values()) == 62 and whole["O"] == whole["C"] == 2 and whole["0"] == whole["A"] == whole["a"] == 1
    assert counts(Alphabet.parse("0-9A-Za-z", BALANCED)) == whole
    assert counts(Alphabet.parse("digits,letters", BALANCED)) == whole
    assert set(counts(Alphabet.parse("0-9A-Z", BALANCED)).values()) == {1}
    assert set(counts(Alphabet.parse("a-z", BALANCED)).values()) == {1}
    # Nothing says that a model of capitals alone has ever seen a small letter, nor does any alphabet with one case.
    for names_of_classes in (tuple(string.ascii_uppercase + string.digits), ("alpha", "beta"), ("α", "β"), ("1", "a")):
        assert set(Alphabet.whole(names_of_classes).stands_for) == {1}
    assert set(Alphabet.parse("letters", ("A", "B")).stands_for) == {1}
    german = Alphabet.parse("letters", ("a", "A", "ß", "Ö"))  # ß in capitals would be two of them
    assert counts(german) == {"a": 1, "A": 1, "ß": 1, "Ö": 2}


def test_characters_rather_than_classes_are_equally_common() -> None:
    alphabet = Alphabet.parse("0Oo", BALANCED)
    probs = np.array([[0.6, 0.4], [0.9, 0.1], [0.0, 1.0]], np.float32)
    assert alphabet.weigh(probs) == pytest.approx(np.array([[0.6 / 1.4, 0.8 / 1.4], [0.9 / 1.1, 0.2 / 1.1], [0, 1]]))
    digits = Alphabet.parse("0-9", BALANCED)
    even = np.full((2, 10), 0.1, np.float32)
    assert digits.weigh(even) is even
