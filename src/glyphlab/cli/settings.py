"""How ``--set name=value`` is read, the same for every command that has it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time

from glyphlab.errors import RecipeError


def parse_setting(text: str) -> tuple[str, object]:
    """Divide ``"training.lr=0.01"`` into its name and its value: ``("training.lr", 0.01)``.

    The value is read as TOML where it is TOML (``100``, ``0.5``, ``true``, ``[8, 32]``, ``"quoted"``),
    otherwise it is the text itself, so that ``activation=relu`` needs no quotes. Dates, which no setting
    takes, stay text. Raises `RecipeError` when there is no ``=`` or nothing before it.
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise RecipeError(f"setting is '{text}'; expected NAME=VALUE")
    return name, _value(value.strip())


def parse_settings(texts: Iterable[str]) -> dict[str, object]:
    """All settings of one command line; `RecipeError` also when a name occurs twice, for one would be ignored."""
    settings: dict[str, object] = {}
    mistakes: list[str] = []
    for text in texts:
        try:
            name, value = parse_setting(text)
        except RecipeError as error:
            mistakes.append(str(error))
            continue
        if name in settings:
            mistakes.append(f"setting '{name}' is given twice: {settings[name]!r} and {value!r}; give it once")
        settings[name] = value
    if mistakes:
        raise RecipeError("; ".join(mistakes))
    return settings


def require_once(settings: Mapping[str, object], name: str, option: str, value: object) -> None:
    """`RecipeError` where `option` has a value and --set gives its setting `name` another, for one would be ignored."""
    if value is not None and name in settings:
        raise RecipeError(f"{option} is {value!r}, but --set {name} is {settings[name]!r}; give one of the two")


def _value(text: str) -> object:
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    if set(document) != {"value"} or isinstance(document["value"], date | datetime | time):
        return text  # several lines, which made several keys; or a date
    return document["value"]
