"""Characters that are written alike: counted apart from other mistakes, and never instead of the strict figure.

Where two classes share a shape, such as the digit 0 and the letter O, the picture alone does not tell which one the
writer meant, and no network can know better. How often that is the case depends on the data, so an accuracy
in which look-alikes count as equal ("merged") stands beside the strict one, always second.

Source: the pairs of letters are those that EMNIST merges because "the uppercase and lowercase letters have similar
shapes" (Cohen, Afshar, Tapson, van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017, section
II-A: C I J K L M O P S U V W X Y Z), and F, whose small form is often written as a low capital. Digits join the
letters that they are commonly exchanged for in handwritten codes: 0 with O, 1 with I and L, 2 with Z, 5 with S,
9 with the small g and q.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glyphlab.evaluation.metrics import Integers
from glyphlab.evaluation.result import Evaluation

LOOK_ALIKES: tuple[frozenset[str], ...] = tuple(
    frozenset(group)
    for group in ("0Oo", "1IiLl", "2Zz", "5Ss", "9gq", "Cc", "Ff", "Jj", "Kk", "Mm", "Pp", "Uu", "Vv", "Ww", "Xx", "Yy")
)
# Folders cannot hold both "a" and "A" on every disk, so data sets in folders name their classes like this.
_PREFIXES = ("digit_", "upper_", "lower_")


def merged_groups(class_names: Sequence[str]) -> Integers:
    """A group number for each class, int64 [K]: classes that look alike share one, every other class has its own.

    The number is the place of the group's first class. Names such as "upper_A" stand for their character; names of
    more than one character otherwise have no look-alikes.
    """
    of_character = {character: group for group, members in enumerate(LOOK_ALIKES) for character in members}
    first: dict[int, int] = {}
    groups = np.arange(len(class_names), dtype=np.int64)
    for place, name in enumerate(class_names):
        group = of_character.get(_character(name))
        if group is not None:
            groups[place] = first.setdefault(group, place)
    return groups


def look_alike_mistakes(evaluation: Evaluation) -> int:
    """Number of misclassified images whose label and answer look alike."""
    groups = merged_groups(evaluation.class_names)
    same = groups[evaluation.targets] == groups[evaluation.predictions]
    return int(np.count_nonzero(same & ~evaluation.is_correct))


def merged_accuracy(evaluation: Evaluation) -> float:
    """Share of images whose answer is the label or looks like it, 0 to 1: never below the strict accuracy.

    The answer stays the class of largest output; probabilities of look-alikes are not added up.
    """
    return (evaluation.correct + look_alike_mistakes(evaluation)) / len(evaluation)


def describe_groups(class_names: Sequence[str]) -> str:
    """The groups that occur among these classes, as in ``"0 = O, 1 = I = L"``; empty where nothing looks alike."""
    members: dict[int, list[str]] = {}
    for name, group in zip(class_names, merged_groups(class_names).tolist(), strict=True):
        members.setdefault(group, []).append(name)
    return ", ".join(" = ".join(names) for names in members.values() if len(names) > 1)


def _character(name: str) -> str:
    """The character that a class name stands for, or the name itself."""
    for prefix in _PREFIXES:
        if name.startswith(prefix) and len(name) == len(prefix) + 1:
            return name[-1]
    return name
