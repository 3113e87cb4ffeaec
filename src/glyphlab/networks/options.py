"""What an option of a network may be: its type, default and range, and how a wrong value is reported.

Free of torch, so that recipes are checked at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from glyphlab.errors import did_you_mean

ACTIVATIONS = ("relu", "leaky-relu", "elu", "gelu", "silu", "tanh", "sigmoid")
"""Names of the activation functions; `glyphlab.networks.layers` holds their modules."""


@dataclass(frozen=True)
class OptionSpec:
    """One option: its `default`, and `help` in a few words. The subclasses say what values are allowed."""

    default: object
    help: str

    @property
    def type(self) -> str:
        """The kind of value in words."""
        raise NotImplementedError

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        raise NotImplementedError

    def problem(self, value: object) -> str | None:
        """What is wrong with `value`, as the end of a sentence that begins with the option; None: nothing."""
        raise NotImplementedError


@dataclass(frozen=True)
class IntOption(OptionSpec):
    """A whole number from `low` to `high`, both included."""

    default: int
    low: int
    high: int

    @property
    def type(self) -> str:
        return "whole number"

    @property
    def allowed(self) -> str:
        return f"{self.low} to {self.high}"

    def problem(self, value: object) -> str | None:
        if not _is_int(value):
            return f"is {value!r}; expected a whole number, {self.allowed}"
        assert isinstance(value, int)
        return None if self.low <= value <= self.high else f"is {value}; expected {self.allowed}"


@dataclass(frozen=True)
class ShareOption(OptionSpec):
    """A number from 0 to below 1."""

    default: float

    @property
    def type(self) -> str:
        return "number"

    @property
    def allowed(self) -> str:
        return "0 to below 1"

    def problem(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"is {value!r}; expected a number, {self.allowed}"
        return None if 0 <= value < 1 else f"is {value}; expected {self.allowed}"


@dataclass(frozen=True)
class ChoiceOption(OptionSpec):
    """One word out of `choices`."""

    default: str
    choices: tuple[str, ...]

    @property
    def type(self) -> str:
        return "word"

    @property
    def allowed(self) -> str:
        return ", ".join(self.choices)

    def problem(self, value: object) -> str | None:
        if not isinstance(value, str):
            return f"is {value!r}; expected one of {self.allowed}"
        return None if value in self.choices else f"is '{value}', {did_you_mean(value, self.choices)}"


@dataclass(frozen=True)
class IntListOption(OptionSpec):
    """A list of `shortest` to `longest` whole numbers, each from `low` to `high`, both included."""

    default: tuple[int, ...]
    shortest: int
    longest: int
    low: int
    high: int

    @property
    def type(self) -> str:
        return "list of whole numbers"

    @property
    def allowed(self) -> str:
        return f"{self.shortest} to {self.longest} of them, each {self.low} to {self.high}"

    def problem(self, value: object) -> str | None:
        if (
            isinstance(value, list | tuple)
            and self.shortest <= len(value) <= self.longest
            and all(_is_int(item) and self.low <= item <= self.high for item in value)
        ):
            return None
        shown = list(value) if isinstance(value, tuple) else value
        return f"is {shown!r}; expected a {self.type}, {self.allowed}"


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
