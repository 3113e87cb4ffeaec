"""`glyphlab recipes`: where its options stand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("words", [("show", "fast"), ("settings",)])
def test_json_is_asked_for_behind_the_subcommand(cli: Callable[..., Any], words: tuple[str, ...]) -> None:
    done = cli("recipes", "--json", *words)
    assert done.code == 2 and "--json stands before the subcommand; expected behind it" in done.err
    assert json.loads(cli("recipes", *words, "--json").out)
