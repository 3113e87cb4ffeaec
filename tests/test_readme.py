"""The README's commands exist with the options it shows, and its Python example runs."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from glyphlab.cli.main import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands_of(text: str) -> set[str]:
    """The command lines in a text, from lines of their own and from between backticks."""
    own = re.findall(r"^ *\$? *(glyphlab [a-z].*)$", text, flags=re.MULTILINE)
    return {
        command.split("#")[0].split("  ")[0].strip()
        for command in [*own, *re.findall(r"`(glyphlab [a-z][^`]*)`", text)]
    }


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program with the words that call it."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path, command


PROGRAM = get_command(app)
HELP = "\n".join(str(command.epilog or "").replace("\n\n", "\n") for _, command in leaves(PROGRAM))
COMMANDS = {
    "README.md": commands_of(README),
    "docs": set().union(*(commands_of(path.read_text(encoding="utf-8")) for path in (ROOT / "docs").glob("*.md"))),
    "--help": commands_of(HELP),
}


@pytest.mark.parametrize(("place", "least"), [("README.md", 40), ("docs", 15), ("--help", 60)])
def test_every_command_shown_is_one_with_these_options(place: str, least: int) -> None:
    assert len(COMMANDS[place]) >= least
    for shown in sorted(COMMANDS[place]):
        words = list(itertools.takewhile(lambda word: word != ">", shlex.split(shown)[1:]))
        command: Any = PROGRAM
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            name = words.pop(0) if words[0] in command.commands else "run"  # as of `glyphlab sweep`
            assert name in command.commands, shown
            command = command.commands[name]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        unknown = {word for word in words if re.match(r"--?[a-z]", word)} - known
        assert not unknown, shown


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
