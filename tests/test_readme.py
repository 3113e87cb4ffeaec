"""The README's commands exist with the options it shows, and its Python example runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    {line.split("#")[0].strip(" $") for line in README.splitlines() if re.match(r"^\$ glyphlab ", line)}
    | {command for command in re.findall(r"`(glyphlab [^`]*)`", README) if " train" in command or "show" in command}
)


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_shown_is_an_option_of_that_command(command: str, cli: Callable[..., Any]) -> None:
    words = shlex.split(command.split(">")[0])[1:]
    group = words[:2] if words[0] in ("data", "networks", "recipes") and len(words) > 1 else words[:1]
    shown = cli(*group, "--help")
    assert shown.code == 0, shown.err
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.out, f"{option} of: {command}"


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    example, _ = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example.replace("epochs=10", "epochs=1"), "README.md", "exec"), {})
    assert (tmp_path / "runs" / "digits-fast-1" / "evaluation" / "summary.json").exists()


def test_the_recognizer_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    _, example = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(Path(__file__).parent.parent)
    exec(compile(example, "README.md", "exec"), {})


def test_every_picture_and_link_exists() -> None:
    root = Path(__file__).parent.parent
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (root / target).exists(), target


def test_make_targets_exist() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make ([a-z-]+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
