"""Labels as folder names."""

from __future__ import annotations

import pytest

from glyphlab.web.labels import clean_label, folder_name


@pytest.mark.parametrize("label", ["α", "7", "a", "A", "alpha", "ß", "字", "a b"])
def test_harmless_labels_keep_their_names(label: str) -> None:
    assert folder_name(label) == label


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("/", "U+002F"),
        ("\\", "U+005C"),
        ("..", "U+002EU+002E"),
        (".", "U+002E"),
        (".hidden", "U+002Ehidden"),
        ("../../etc", "U+002E.U+002F..U+002Fetc"),
        ("con", "U+0063on"),
        ("train", "U+0074rain"),
        ("Test", "U+0054est"),
        ("a\x00b", "aU+0000b"),
        ("?", "U+003F"),
        ("end.", "endU+002E"),
    ],
)
def test_dangerous_labels_are_written_by_code_points(label: str, name: str) -> None:
    assert folder_name(label) == name


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    assert folder_name("A", ["a"]) == "upper_A"
    assert folder_name("a", ["A"]) == "lower_a"
    assert folder_name("Alpha", ["alpha"]) == "Alpha-2"
    assert folder_name("alpha", ["alpha", "alpha-2"]) == "alpha-3"


def test_names_are_never_too_long_for_a_file_system() -> None:
    assert len(folder_name("字" * 40).encode()) <= 120
    assert len(folder_name("/" * 40).encode()) <= 120


def test_labels_are_composed_and_trimmed() -> None:
    assert clean_label("  e\u0301 ") == "é"
    assert clean_label("\ud800") == "?"
    assert clean_label(" \n ") == ""
