"""Names of classes and pictures as people expect them: in natural order, printable on any terminal."""

from __future__ import annotations

import os
import re
import unicodedata

_NUMBER = re.compile(r"([0-9]+)")


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key that puts digit_2 before digit_10 and ignores case; else equal names keep a fixed order."""
    pieces = tuple(
        _number_key(piece) if index % 2 else (1, 0, piece.casefold())
        for index, piece in enumerate(_NUMBER.split(name))
        if piece
    )
    return pieces, name


def _number_key(digits: str) -> tuple[int, int, str]:
    """The longer number is the larger one; so numbers of any length are compared, which `int` refuses to read."""
    digits = digits.lstrip("0")
    return 0, len(digits), digits


def clean_name(name: str) -> str:
    """A file's name as valid text: undecodable bytes replaced, accents composed (macOS stores them apart)."""
    text = os.fsencode(name).decode("utf-8", errors="replace")
    return unicodedata.normalize("NFC", text)
