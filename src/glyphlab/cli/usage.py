"""How commands are called: a wrong command line is one line of error, and nothing that was asked for is ignored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from glyphlab.errors import GlyphlabError

_Function = TypeVar("_Function", bound=Callable[..., Any])
# Typer has its own copy of Click in some versions, so Click's classes are reached by way of one that Typer exports.
_UsageError: Any = typer.BadParameter.__base__
# What is wrong with a value, in the house's words.
_WORDS = {
    "Input should be ": "",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
}


class Command(TyperCommand):
    """A command that takes an option with one value once, and no empty text as a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as ever. Raises `GlyphlabError` for what would otherwise be ignored."""
        with in_one_line(ctx):
            every = self._every_value(ctx, [*args])
            rest = super().parse_args(ctx, args)  # --help ends it here
        for parameter in self.get_params(ctx):
            if problem := _problem(parameter, every.get(parameter.name, [])):
                raise GlyphlabError(problem + _see(ctx))
        return rest

    def _every_value(self, ctx: Any, args: list[str]) -> dict[str, Any]:
        """All values of each parameter that the command line names; Click itself keeps an option's last one."""
        parser = self.make_parser(ctx)
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "option":
                repeatable: Any = copy.copy(parameter)
                repeatable.multiple = True
                repeatable.add_to_parser(parser, ctx)
        given: dict[str, Any] = parser.parse_args(args)[0]
        return {name: [*value] if isinstance(value, list | tuple) else [value] for name, value in given.items()}


class Commands(TyperGroup):
    """The group of all commands, whose complaints are `GlyphlabError`s."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what stands before the command."""
        with in_one_line(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Find the command and run it."""
        with in_one_line(ctx):
            return super().invoke(ctx)


class App(typer.Typer):
    """A Typer application of such commands."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[_Function], _Function]:
        """Register a function as a command."""
        return super().command(name, **({"cls": Command} | options))


@contextmanager
def in_one_line(ctx: Any) -> Iterator[None]:
    """Turn Click's error and its five lines into a `GlyphlabError`; the help of a group without arguments passes."""
    try:
        yield
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            raise
        raise GlyphlabError(_in_words(error, error.ctx or ctx)) from error


def _in_words(error: Any, ctx: Any) -> str:
    """What is wrong with the command line, the value found, what was expected, and where to read more."""
    parameter, findings = getattr(error, "param", None), getattr(error.__cause__, "errors", None)
    if parameter is not None and findings is not None:  # Typer's newer versions check values with pydantic
        finding = findings()[0]
        expected = finding["msg"]
        for theirs, ours in _WORDS.items():
            expected = expected.replace(theirs, ours)
        return f"{_name(parameter)} is '{finding['input']}'; expected {expected}" + _see(ctx)
    if near := getattr(error, "possibilities", None):
        return f"no such option: {error.option_name}; did you mean {' or '.join(map(repr, near))}?"
    text = " ".join(str(error.format_message()).split()).rstrip(".")
    text = text[:1].lower() + text[1:]
    what, question, names = text.partition(". Did you mean ")
    if question:
        return f"{what}; did you mean {names.replace(', ', ' or ')}"
    if what.startswith(("missing argument", "got unexpected extra")):
        what += "; expected " + " ".join(ctx.get_usage().split()).removeprefix("Usage: ")
    return what + _see(ctx)


def _problem(parameter: Any, values: list[Any]) -> str | None:
    """What would be ignored of the values that the command line gives to a parameter."""
    if "" in values:
        return f"{_name(parameter)} is ''; expected a value" + ("" if parameter.required else ", or leave it out")
    if parameter.param_type_name != "option" or parameter.multiple:
        return None
    if getattr(parameter, "is_flag", False):
        if len(set(values)) > 1:
            return f"{parameter.opts[0]} and {parameter.secondary_opts[0]} are both given; choose one"
    elif len(values) > 1:
        return f"{_name(parameter)} is given twice: '{values[0]}' and '{values[1]}'; give it once"
    return None


def _name(parameter: Any) -> str:
    """An option's long name, or what stands for an argument in the help."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=lambda option: option.startswith("--")))
    return str(parameter.metavar or parameter.name).rstrip(".")


def _see(ctx: Any) -> str:
    return f"; see {ctx.command_path} --help"
