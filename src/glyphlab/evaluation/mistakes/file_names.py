"""Class names and image ids as names of files that no system misreads.

Letters, digits, "-", "." and single "_" stay; anything else, such as "/" or "*", becomes its code point (U+002F). Names
that differ in case only would be one file on Windows and macOS: single letters get "upper_" or "lower_" before
them, other names a number behind. A name never begins with "." or ends with one.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_LONGEST_BYTES = 80  # so that two of them and a suffix fit the 255 that file systems allow


def file_names(names: Sequence[str]) -> list[str]:
    """One safe name for each, all different, even where case does not count; the same for the same names.

    Two of them can be joined by "__" without becoming ambiguous: none contains it, or begins or ends with "_".
    """
    safe = [_safe(name) for name in names]
    if _twins(safe):
        safe = [_cased(name, original) for name, original in zip(safe, names, strict=True)]
    taken = Counter(map(str.casefold, safe))
    seen: set[str] = set()
    for place, name in enumerate(safe):
        number, candidate = 1, name
        # A name of its own keeps it; of several alike the first does.
        while candidate.casefold() in seen or (number > 1 and candidate.casefold() in taken):
            number += 1
            candidate = f"{name}-{number}"
        seen.add(candidate.casefold())
        safe[place] = candidate
    return safe


def image_file_names(ids: Sequence[str]) -> list[str]:
    """Safe names for images by their ids, without suffix, all different: "test/9/003.png" becomes "test-9-003"."""
    return file_names([re.sub(r"\.[A-Za-z]{2,4}$", "", name).replace("/", "-") for name in ids])


def _twins(names: Sequence[str]) -> bool:
    """Whether two single letters differ in case only."""
    letters = {name for name in names if len(name) == 1}
    return any(name.lower() in letters and name.lower() != name for name in letters)


def _cased(safe: str, original: str) -> str:
    if len(original) != 1 or original.lower() == original.upper():
        return safe
    return f"upper_{safe}" if original.isupper() else f"lower_{safe}"


def _safe(name: str) -> str:
    """One name without dangerous characters, at most 80 bytes long."""
    composed = unicodedata.normalize("NFC", name)
    last = len(composed) - 1
    parts = []
    for place, character in enumerate(composed):
        harmless_here = character in "._" and 0 < place < last and composed[place - 1] != character
        if character.isalnum() or harmless_here or (character == "-" and place > 0):
            parts.append(character)
        else:
            parts.append(f"U+{ord(character):04X}")
    whole = "".join(parts) or "empty"
    if len(whole.encode("utf-8", "surrogatepass")) <= _LONGEST_BYTES:
        return whole
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    start = whole.encode("utf-8")[: _LONGEST_BYTES - 11].decode("utf-8", "ignore").rstrip("._-")
    return f"{start}-{digest}"
