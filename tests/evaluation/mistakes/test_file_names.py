from __future__ import annotations

import string

import pytest

from glyphlab.evaluation.mistakes.file_names import file_names, image_file_names

HOSTILE = [
    *string.printable, "..", ".", "", "a/b", "a-b", "a__b", "_a", "a_", "CON.", "Ab", "aB", "ab", "ab-2", "upper_A",
    "lower_a", "é", "e\u0301", "U+002F", "x" * 300, "x" * 301, "字" * 90, "\ud800", "α", "Α",
]  # fmt: skip


def test_harmless_names_stay() -> None:
    assert file_names(["0", "9", "alpha", "digit_0", "v1.2-b"]) == ["0", "9", "alpha", "digit_0", "v1.2-b"]
    assert file_names(["A", "B"]) == ["A", "B"]


def test_case_twins_are_told_apart_in_words() -> None:
    assert file_names(["0", "A", "a", "C"]) == ["0", "upper_A", "lower_a", "upper_C"]
    assert file_names(["Ab", "aB"]) == ["Ab", "aB-2"]


def test_dangerous_characters_become_code_points() -> None:
    assert file_names(["/", ".", "a:b", "-x"]) == ["U+002F", "U+002E", "aU+003Ab", "U+002Dx"]


def test_names_stay_different_and_safe_whatever_they_are() -> None:
    safe = file_names(HOSTILE)
    assert len({name.casefold() for name in safe}) == len(HOSTILE)
    for name in safe:
        assert name and not set(name) & set('/\\:*?"<>| \t\n\0'), name
        assert not name.startswith((".", "_")) and not name.endswith((".", "_")) and "__" not in name
        assert len(name.encode()) <= 90
    assert file_names(HOSTILE) == safe


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["test/9/003.png", "test/9/004.jpeg"], ["test-9-003", "test-9-004"]),
        (["a/1.png", "a/1.jpg", "a-1.png"], ["a-1", "a-1-2", "a-1-3"]),
        (["12", "7"], ["12", "7"]),
        (["../../etc/x.png"], ["U+002E.-..-etc-x"]),
    ],
)
def test_images_are_named_by_their_ids(ids: list[str], expected: list[str]) -> None:
    names = image_file_names(ids)
    assert len(set(names)) == len(ids) and not any("/" in name for name in names)
    if not ids[0].startswith(".."):
        assert names == expected
