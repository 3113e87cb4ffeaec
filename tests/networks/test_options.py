from __future__ import annotations

import pytest

from glyphlab.networks.options import ChoiceOption, IntListOption, IntOption, OptionSpec, ShareOption

HIDDEN = IntOption(50, "units", low=1, high=100)
DROPOUT = ShareOption(0.5, "dropout")
CHOICE = ChoiceOption("relu", "activation", choices=("relu", "gelu"))
WIDTHS = IntListOption((8, 32), "maps", shortest=1, longest=3, low=1, high=64)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (HIDDEN, 1),
        (HIDDEN, 100),
        (DROPOUT, 0),
        (DROPOUT, 0.999),
        (CHOICE, "gelu"),
        (WIDTHS, [1]),
        (WIDTHS, (8, 16, 32)),
    ],
)
def test_allowed_values_have_no_problem(spec: OptionSpec, value: object) -> None:
    assert spec.problem(value) is None


@pytest.mark.parametrize("spec", [HIDDEN, DROPOUT, CHOICE, WIDTHS])
def test_defaults_are_allowed(spec: OptionSpec) -> None:
    assert spec.problem(spec.default) is None


@pytest.mark.parametrize(
    ("spec", "value", "problem"),
    [
        (HIDDEN, 0, "is 0; expected 1 to 100"),
        (HIDDEN, 101, "is 101; expected 1 to 100"),
        (HIDDEN, 5.0, "is 5.0; expected a whole number, 1 to 100"),
        (HIDDEN, True, "is True; expected a whole number, 1 to 100"),
        (HIDDEN, "many", "is 'many'; expected a whole number, 1 to 100"),
        (DROPOUT, 1.5, "is 1.5; expected 0 to below 1"),
        (DROPOUT, 1, "is 1; expected 0 to below 1"),
        (DROPOUT, -0.1, "is -0.1; expected 0 to below 1"),
        (DROPOUT, float("nan"), "is nan; expected 0 to below 1"),
        (DROPOUT, False, "is False; expected a number, 0 to below 1"),
        (DROPOUT, "half", "is 'half'; expected a number, 0 to below 1"),
        (CHOICE, "rleu", "is 'rleu', did you mean 'relu'?"),
        (CHOICE, "xyz", "is 'xyz', known: relu, gelu"),
        (CHOICE, 3, "is 3; expected one of relu, gelu"),
        (WIDTHS, [], "is []; expected a list of whole numbers, 1 to 3 of them, each 1 to 64"),
        (WIDTHS, (1,) * 4, "is [1, 1, 1, 1]; expected a list of whole numbers, 1 to 3 of them, each 1 to 64"),
        (WIDTHS, [8, 0], "is [8, 0]; expected a list of whole numbers, 1 to 3 of them, each 1 to 64"),
        (WIDTHS, [8, 2.0], "is [8, 2.0]; expected a list of whole numbers, 1 to 3 of them, each 1 to 64"),
        (WIDTHS, 8, "is 8; expected a list of whole numbers, 1 to 3 of them, each 1 to 64"),
        (WIDTHS, "8", "is '8'; expected a list of whole numbers, 1 to 3 of them, each 1 to 64"),
    ],
)  # fmt: skip
def test_other_values_are_named_with_what_was_expected(spec: OptionSpec, value: object, problem: str) -> None:
    assert spec.problem(value) == problem
