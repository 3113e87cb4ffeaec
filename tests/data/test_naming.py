from __future__ import annotations

import os

from glyphlab.data.naming import clean_name, natural_key


def test_natural_order() -> None:
    names = ["digit_10", "digit_2", "B", "a", "10", "9", "a1b10", "a1b9", "A"]
    assert sorted(names, key=natural_key) == ["9", "10", "A", "a", "a1b9", "a1b10", "B", "digit_2", "digit_10"]


def test_numbers_of_any_length_are_in_order() -> None:
    names = ["a1" + "0" * 5_000, "a" + "9" * 5_000, "a0", "a007", "a8"]
    assert sorted(names, key=natural_key) == [names[2], names[3], names[4], names[1], names[0]]


def test_order_is_total_and_takes_any_digit_for_text() -> None:
    names = ["x²", "x01", "x1", "٣", ""]
    keys = [natural_key(name) for name in names]
    assert len(set(keys)) == len(keys) and sorted(keys)


def test_clean_names_are_composed_valid_text() -> None:
    assert clean_name("e\u0301") == "é"
    assert clean_name(os.fsdecode(b"caf\xe9")) == "caf\ufffd"
