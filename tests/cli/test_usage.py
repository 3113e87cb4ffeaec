"""How commands are called: a wrong command line is one line, and nothing that was asked for is ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def refused(cli: Cli, line: str, said: str) -> None:
    """The command line ends with exit code 2 and one line, which begins so."""
    done = cli(*line.split())
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"glyphlab: {said}")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evaluate x --examples abc", "--examples is 'abc'; expected a whole number; see glyphlab evaluate --help"),
        ("evaluate x --examples -1", "--examples is '-1'; expected at least 0; see glyphlab evaluate --help"),
        ("predict x --min-confidence nan", "--min-confidence is 'nan'; expected at most 1; see glyphlab predict"),
        ("labels find digits --folds 1", "--folds is '1'; expected at least 2; see glyphlab labels find --help"),
        ("train digits mnist", "got unexpected extra argument(s) (mnist); expected glyphlab train [OPTIONS] [DATA]"),
        ("sweep run", "missing argument 'file'; expected glyphlab sweep run"),
        ("train --epochs", "option '--epochs' requires an argument; see glyphlab train --help"),
        ("train --epoch 3", "no such option: --epoch; did you mean '--epochs'?"),
        ("data shw", "no such command 'shw'; did you mean 'show'?"),
        ("xyzzy", "no such command 'xyzzy'; see glyphlab --help"),
        ("--vers", "no such option: --vers; did you mean '--version'?"),
        ("networks --bogus", "no such option: --bogus; see glyphlab networks --help"),
    ],
)
def test_a_wrong_command_line_is_one_line_of_error(cli: Cli, line: str, said: str) -> None:
    refused(cli, line, said)


@pytest.mark.parametrize(
    "line", ["predict {}", "predict x.png --model {}", "train --resume {}", "job predict {} --out o"]
)
def test_a_name_longer_than_any_is_one_line_of_error(cli: Cli, line: str) -> None:
    refused(cli, line.format("a" * 300), f"'{'a' * 40}...' is longer than a file's name can be; expected a path")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train digits --epochs 1 --epochs 2", "--epochs is given twice: '1' and '2'; give it once"),
        ("predict x --only 0-9 --alphabet A-Z", "--only is given twice: '0-9' and 'A-Z'; give it once"),
        ("predict x -m digits --model=digits", "--model is given twice: 'digits' and 'digits'; give it once"),
        ("sweep mine.toml --workers 1 --workers 2", "--workers is given twice: '1' and '2'"),
        ("predict x --prepare --no-prepare", "--prepare and --no-prepare are both given; choose one"),
    ],
)
def test_an_option_with_one_value_is_given_once(cli: Cli, line: str, said: str) -> None:
    refused(cli, line, said)


def test_what_may_be_repeated_may_be_repeated(cli: Cli, tmp_path: Path) -> None:
    done = cli("runs", "--runs-dir", tmp_path, "--filter", "data=mnist", "-f", "epochs>1", "--json", "--json")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("line", [("train", ""), ("predict", ""), ("train", "digits", "--recipe", ""), ("sweep", "")])
def test_an_empty_text_is_no_value(cli: Cli, line: tuple[str, ...]) -> None:
    done = cli(*line)
    assert done.code == 2
    assert " is ''; expected a value" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train digits --set data.name=mnist", "DATA is 'digits', but --set data.name is 'mnist'; give one of the two"),
        ("train digits --epochs 2 --set training.epochs=3", "--epochs is 2, but --set training.epochs is 3"),
        ("train x --skip-bad --set data.skip_bad=false", "--skip-bad is True, but --set data.skip_bad is False"),
        ("labels find digits --set data.name=mnist", "DATA|RUN is 'digits', but --set data.name is 'mnist'"),
        ("transfer digits x --epochs 2 --set training.epochs=3", "--epochs is 2, but --set training.epochs is 3"),
    ],
)
def test_two_answers_to_one_question_are_refused(cli: Cli, line: str, said: str) -> None:
    refused(cli, line, said)


def test_help_is_still_shown(cli: Cli) -> None:
    for line in ((), ("data",), ("sweep",)):  # a group without a command
        done = cli(*line)
        assert (done.code, done.err) == (2, "") and "Commands" in done.out
    asked = cli("train", "--epochs", 1, "--epochs", 2, "--help")
    assert asked.code == 0 and "Usage: glyphlab train" in asked.out
