"""Restricting the answers: a form field knows what it may hold.

Where nothing else is known, every character that may be answered counts as equally common. A class that stands for the
two cases of a letter, as EMNIST's O for O and o, is then as common as two others.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glyphlab.errors import ModelError

_KINDS = {
    "digits": str.isdecimal,
    "numbers": str.isdecimal,
    "letters": str.isalpha,
    "capitals": str.isupper,
    "uppercase": str.isupper,
    "lowercase": str.islower,
}
_LONGEST_RANGE = 1000


@dataclass(frozen=True)
class Alphabet:
    """The classes that may be answered.

    indices: int64 [A], places among the model's classes, ascending. names: what each is answered as, length A.
    stands_for: how many of the characters that may occur each stands for, length A.
    """

    indices: NDArray[np.int64]
    names: tuple[str, ...]
    stands_for: tuple[int, ...]

    @classmethod
    def whole(cls, class_names: Sequence[str]) -> Alphabet:
        """Every class of the model under its own name, for all that it stands for."""
        both = _for_both_cases(class_names)
        counts = tuple(2 if name in both else 1 for name in class_names)
        return cls(np.arange(len(class_names), dtype=np.int64), tuple(class_names), counts)

    @classmethod
    def of(cls, only: str | None, class_names: Sequence[str]) -> Alphabet:
        """What `only` names, see `parse`; None: every class."""
        return cls.whole(class_names) if only is None else cls.parse(only, class_names)

    @classmethod
    def parse(cls, text: str, class_names: Sequence[str]) -> Alphabet:
        """The classes that `text` names.

        text: characters and ranges of them ("0-9", "A-Fa-f", "abc"), "digits" or "numbers", "letters", "capitals" or
        "uppercase", "lowercase", or class names; several of these are separated by commas. A hyphen at either end
        means itself. A letter that the model does not tell from its other case stands for the class they share and
        is answered as it was asked for: with the 47 EMNIST classes, "a-z" answers c, not C.
        Raises `ModelError` that lists the characters the model does not know, and for a kind that is misspelt.
        """
        wanted = [name for item in _items(text, class_names) for name in _expand(item, class_names)]
        if not wanted:
            raise ModelError("the alphabet is empty; expected characters such as 0-9, or digits, or letters")
        places = {name: place for place, name in enumerate(class_names)}
        found: dict[int, str] = {}
        unknown: list[str] = []
        counts: Counter[int] = Counter()
        for name in dict.fromkeys(wanted):
            place = places.get(name)
            if place is not None:
                found[place] = name  # the class's own name, even where the other case was asked for as well
            elif (place := places.get(name.swapcase())) is not None:
                found.setdefault(place, name)
            else:
                unknown.append(name)
                continue
            counts[place] += 1
        if unknown:
            raise ModelError(
                f"the model does not know {_listed(unknown)}; it knows {_listed(class_names, limit=len(class_names))}"
            )
        order = sorted(found)
        names = tuple(found[place] for place in order)
        return cls(np.array(order, dtype=np.int64), names, tuple(counts[place] for place in order))

    def restrict(self, probs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probabilities of these classes given that it is one of them: float32 [N, K] -> [N, A].

        Where all of them are 0, so that nothing is known, all become equal.
        """
        if len(self.indices) == probs.shape[1]:
            return probs
        chosen = probs[:, self.indices].astype(np.float64)
        total = chosen.sum(axis=1, keepdims=True)
        shares = np.full_like(chosen, 1.0 / len(self.indices))
        np.divide(chosen, total, out=shares, where=total > 0)
        return shares.astype(np.float32)

    def weigh(self, probs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probabilities of these classes where the characters they stand for are equally common, not the classes.

        probs: float32 [N, A], of equally common classes (`restrict`). Returns float32 [N, A].
        """
        if len(set(self.stands_for)) == 1:
            return probs
        weighed = probs * np.array(self.stands_for, dtype=np.float32)
        weighed /= weighed.sum(axis=1, keepdims=True)
        return weighed


def _for_both_cases(class_names: Sequence[str]) -> frozenset[str]:
    """The classes that stand for a letter's other case as well.

    A model that tells the two cases of some letters apart knows both; where it has one class for a letter, the other
    case is in it. A model without any such pair may have been taught capitals alone.
    """
    known = frozenset(class_names)
    lone = [name for name in class_names if not case_known(name, known)]
    paired = any(name != name.swapcase() and name.swapcase() in known for name in class_names)
    # Of single characters alone: the other case of ß would be SS.
    return frozenset(name for name in lone if paired and len(name) == len(name.swapcase()) == 1)


def case_known(name: str, class_names: Collection[str]) -> bool:
    """Whether the model tells the two cases of a letter; of anything else, true."""
    return not name.isalpha() or name.swapcase() in class_names


def _items(text: str, class_names: Sequence[str]) -> list[str]:
    """The comma-separated parts; the text itself where it names one class."""
    return [text] if text in class_names else [item.strip() for item in text.split(",") if item.strip()]


def _expand(item: str, class_names: Sequence[str]) -> list[str]:
    """One part: a class name, a kind of character, or characters and ranges."""
    if item in class_names:
        return [item]
    if kind := _KINDS.get(item.casefold()):
        members = [name for name in class_names if kind(name)]
        if not members:
            raise ModelError(f"the model knows no {item}; it knows {_listed(class_names, limit=len(class_names))}")
        both = _for_both_cases(class_names) if kind is str.isalpha else frozenset()
        return members + [name.swapcase() for name in members if name in both]
    if meant := difflib.get_close_matches(item.casefold(), _KINDS, n=1, cutoff=0.75):
        letters = ",".join(item)
        raise ModelError(f"'{item}' is no kind of character; did you mean '{meant[0]}'? As letters they are {letters}")
    names: list[str] = []
    place = 0
    while place < len(item):
        first = item[place]
        if item[place + 1 : place + 2] == "-" and place + 2 < len(item):
            names += _range(first, item[place + 2])
            place += 3
        else:
            names.append(first)
            place += 1
    return names


def _range(first: str, last: str) -> list[str]:
    low, high = ord(first), ord(last)
    if not low <= high < low + _LONGEST_RANGE:
        raise ModelError(f"the range {first}-{last} runs backwards or is too long; expected one such as 0-9 or A-Z")
    return [chr(code) for code in range(low, high + 1)]


def _listed(names: Sequence[str], limit: int = 12) -> str:
    return " ".join(names[:limit]) + (" ..." if len(names) > limit else "")
