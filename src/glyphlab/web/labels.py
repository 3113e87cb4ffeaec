"""Labels as names of folders that every system takes, and that `glyphlab train` reads as the class's name.

A label keeps its name where it can: "α", "a", "alpha". What file systems or our own reading of folders would take for
something else is written by its code points, as U+002F for a slash. The label itself stands in the alphabet's list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

_DANGEROUS = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]')
# Names of devices on Windows, and of the parts of a data set, which a class must not be taken for.
_RESERVED = re.compile(
    r"(con|prn|aux|nul|com\d|lpt\d|train|training|test|testing|val|valid|validation|dev)(\..*)?", re.IGNORECASE
)
_LONGEST_BYTES = 120


def clean_label(text: str) -> str:
    """A label as it is kept: composed (NFC), without white space around it; empty where nothing is left."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8")).strip()


def folder_name(label: str, taken: Collection[str] = ()) -> str:
    """A name for the label's folder, different from those in `taken` even where case does not count.

    Letters that are taken in the other case become "upper_A" or "lower_a"; other names get a number.
    """
    name = _safe(label)
    folded = {other.casefold() for other in taken}
    if name.casefold() in folded and len(label) == 1 and label.lower() != label.upper():
        name = f"{'upper' if label.isupper() else 'lower'}_{name}"
    candidate, number = name, 1
    while candidate.casefold() in folded:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _safe(label: str) -> str:
    name = _DANGEROUS.sub(lambda found: _code(found.group()), label)
    if name.startswith((".", "__MACOSX", " ")):
        name = _code(name[0]) + name[1:]
    if name.endswith((".", " ")):
        name = name[:-1] + _code(name[-1])
    if _RESERVED.fullmatch(name):
        name = f"{_code(name[0])}{name[1:]}"
    while len(name.encode("utf-8")) > _LONGEST_BYTES:
        name = name[:-1]
    return name or "U+"


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"
