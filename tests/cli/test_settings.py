from __future__ import annotations

import pytest

from glyphlab.cli.settings import parse_setting, parse_settings
from glyphlab.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("hidden=100", "hidden", 100),
        ("training.lr=1e-3", "training.lr", 0.001),
        ("training.nesterov=true", "training.nesterov", True),
        ("widths=[8, 32]", "widths", [8, 32]),
        ('activation="relu"', "activation", "relu"),
        ("activation=leaky-relu", "activation", "leaky-relu"),
        (" hidden = 100 ", "hidden", 100),
        ("name=", "name", ""),
        ("note=a=b", "note", "a=b"),
        ("note=1\nother=2", "note", "1\nother=2"),  # cannot smuggle in a second setting
        ("day=2024-05-01", "day", "2024-05-01"),
    ],
)
def test_a_value_is_toml_where_it_can_be_and_text_otherwise(text: str, name: str, value: object) -> None:
    parsed = parse_setting(text)
    assert parsed == (name, value)
    assert type(parsed[1]) is type(value)


@pytest.mark.parametrize("text", ["hidden", "=100", "  =1", ""])
def test_a_setting_without_name_or_equals_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=rf"setting is '{text}'; expected NAME=VALUE"):
        parse_setting(text)


def test_many_settings_become_a_dictionary() -> None:
    assert parse_settings(["a=1", "b=two"]) == {"a": 1, "b": "two"}


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(RecipeError, match=r"setting is 'b'; .*; setting 'a' is given twice: 1 and 2"):
        parse_settings(["a=1", "b", "a=2"])


def test_a_setting_given_twice_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"setting 'a' is given twice: 1 and 2; give it once"):
        parse_settings(["a=1", "b=3", "a=2"])
