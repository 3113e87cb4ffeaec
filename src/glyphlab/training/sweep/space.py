"""Which settings a sweep varies, and the points (combinations of values) of that space.

A dimension is a list of values, or a range:

    "training.epochs" = [3, 4, 5, 6]
    "training.lr" = { low = 1e-4, high = 1e-2, log = true }
    "network.hidden" = { low = 20, high = 100, step = 20 }
    "training.momentum" = { values = [0.5, 0.9], when = { "training.optimizer" = "sgd" } }

`when` makes a dimension conditional: elsewhere the setting is left out.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

Point = dict[str, Any]
"""Dotted settings with their values, such as ``{"training.lr": 0.01}``."""

LARGEST_GRID = 100_000
_RANGE_KEYS = {"low", "high", "step", "log", "values", "when"}
# So many draws in a row without a new point mean that a space has none left.
_DRAWS_WITHOUT_NEWS = 2_000


@dataclass(frozen=True)
class Dimension:
    """One setting and what it may be: `values`, or the numbers from `low` to `high` (both included).

    step: distance of neighbouring numbers; None: any number (any whole number, where `low` and `high` are whole).
    log: drawn evenly by ratio. when: settings of earlier dimensions, each with the values that call for this one.
    """

    key: str
    values: tuple[Any, ...] | None = None
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the range is one of whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int) and isinstance(self.step, int | None)

    @property
    def listed(self) -> tuple[Any, ...] | None:
        """All values in order; None where they cannot be counted."""
        if self.values is not None:
            return self.values
        step = self.step if self.step is not None else (1 if self.whole and not self.log else None)
        if step is None:
            return None
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        # Rounding takes off what binary fractions add: 0.1 + 2 * 0.1 is 0.30000000000000004.
        return tuple(round(self.low + index * step, 12) for index in range(count))

    def applies(self, point: Mapping[str, Any]) -> bool:
        """Whether the earlier settings call for this one."""
        return all(key in point and point[key] in values for key, values in self.when)

    def draw(self, rng: np.random.Generator) -> Any:
        """A random value."""
        if self.listed is not None:
            return self.listed[int(rng.integers(len(self.listed)))]
        if self.log:
            drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            drawn = rng.uniform(self.low, self.high)
        return min(max(round(drawn), int(self.low)), int(self.high)) if self.whole else self._rounded(drawn)

    def distribution(self) -> BaseDistribution:
        """The dimension as Optuna's sampler knows it: a database takes no other for the same setting."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.values is not None:
            return CategoricalDistribution([encoded(value) for value in self.values])
        if self.whole:
            step = int(self.step) if self.step is not None else 1
            return IntDistribution(int(self.low), int(self.high), step=step, log=self.log)
        return FloatDistribution(self.low, self.high, step=self.step, log=self.log)

    def suggest(self, trial: optuna.Trial) -> Any:
        """The value that Optuna's sampler chooses."""
        asked: Any = self.distribution()
        if self.values is not None:
            return decoded(trial.suggest_categorical(self.key, asked.choices))
        if self.whole:
            return trial.suggest_int(self.key, asked.low, asked.high, step=asked.step, log=asked.log)
        return self._rounded(trial.suggest_float(self.key, asked.low, asked.high, step=asked.step, log=asked.log))

    def _rounded(self, drawn: float) -> float:
        """To six digits, which are enough for any setting, and can be read and typed again; within the range."""
        return min(max(float(f"{drawn:.6g}"), self.low), self.high)

    def to_record(self) -> dict[str, Any]:
        """The dimension as a sweep file has it, as JSON values."""
        record: dict[str, Any]
        if self.values is not None:
            record = {"values": list(self.values)}
        else:
            record = {"low": self.low, "high": self.high, "log": self.log}
            record |= {} if self.step is None else {"step": self.step}
        return record | ({"when": {key: list(values) for key, values in self.when}} if self.when else {})


@dataclass(frozen=True)
class Space:
    """The dimensions, in the order of the file."""

    dimensions: tuple[Dimension, ...]

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> tuple[Space, list[str]]:
        """Read a sweep file's [space]; also every mistake found, in words."""
        mistakes: list[str] = []
        dimensions: list[Dimension] = []
        for key, value in flat(table, leaf=_is_range).items():
            found = _dimension(key, value, [dimension.key for dimension in dimensions])
            if isinstance(found, Dimension):
                dimensions.append(found)
            else:
                mistakes.append(found)
        return cls(tuple(dimensions)), mistakes

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that are varied."""
        return tuple(dimension.key for dimension in self.dimensions)

    @property
    def uncountable(self) -> list[str]:
        """Settings whose values cannot be counted, so that no grid goes over them."""
        return [dimension.key for dimension in self.dimensions if dimension.listed is None]

    @property
    def most_points(self) -> int | None:
        """How many points there are at most; None: without end."""
        if self.uncountable:
            return None
        return math.prod(len(dimension.listed or ()) for dimension in self.dimensions)

    def grid(self) -> Iterator[Point]:
        """Every point once, the last dimension changing fastest."""

        def complete(point: Point, rest: tuple[Dimension, ...]) -> Iterator[Point]:
            if not rest:
                yield point
                return
            dimension, *others = rest
            if not dimension.applies(point):
                yield from complete(point, tuple(others))
                return
            for value in dimension.listed or ():
                yield from complete(point | {dimension.key: value}, tuple(others))

        return complete({}, self.dimensions)

    def draw(self, rng: np.random.Generator) -> Point:
        """A random point."""
        point: Point = {}
        for dimension in self.dimensions:
            if dimension.applies(point):
                point[dimension.key] = dimension.draw(rng)
        return point

    def sequence(self, seed: int, without: Iterable[Point] = ()) -> Iterator[Point]:
        """Random points without repeats, none of them in `without`, until the space has none left.

        The same seed gives the same sequence, so a longer search begins with a shorter one's points.
        """
        rng = np.random.default_rng(seed)
        seen = {canonical(point) for point in without}
        misses = 0
        while misses < _DRAWS_WITHOUT_NEWS:
            point = self.draw(rng)
            if (name := canonical(point)) in seen:
                misses += 1
                continue
            seen.add(name)
            misses = 0
            yield point
        if not self.uncountable and (self.most_points or 0) <= LARGEST_GRID:
            yield from (point for point in self.grid() if canonical(point) not in seen)

    def suggest(self, trial: optuna.Trial) -> Point:
        """The point that Optuna's sampler chooses for a trial."""
        point: Point = {}
        for dimension in self.dimensions:
            if dimension.applies(point):
                point[dimension.key] = dimension.suggest(trial)
        return point

    def to_record(self) -> dict[str, Any]:
        """The space as JSON values, which `parse` reads back."""
        return {dimension.key: dimension.to_record() for dimension in self.dimensions}


def flat(table: Mapping[str, Any], leaf: Any = lambda value: False, prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys, so that ``"a.b" = 1`` and ``a.b = 1`` are the same in a sweep file.

    leaf: says which tables are values and stay whole.
    """
    result: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and not leaf(value):
            result |= flat(value, leaf, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def canonical(value: Any) -> str:
    """One text for equal values, whatever their order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def encoded(value: Any) -> Any:
    """A value as Optuna's categories allow it: lists as JSON text, and texts as they are."""
    return json.dumps(value) if isinstance(value, list | tuple) else value


def decoded(value: Any) -> Any:
    """The inverse of `encoded`; no setting's own text begins with a bracket."""
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


def _is_range(table: Mapping[str, Any]) -> bool:
    return bool(set(table) & _RANGE_KEYS)


def _dimension(key: str, value: Any, earlier: list[str]) -> Dimension | str:
    """The dimension, or what is wrong with it in words."""
    if isinstance(value, list):
        value = {"values": value}
    if not isinstance(value, Mapping):
        return f"space: {key} is {value!r}; expected a list of values, or a range {{ low = ..., high = ... }}"
    if unknown := set(value) - _RANGE_KEYS:
        return f"space: {key} has '{min(unknown)}'; a range has low, high, step, log, and either may have when"
    when = _when(key, value.get("when", {}), earlier)
    if isinstance(when, str):
        return when
    if "values" in value:
        problem = _values_problem(key, value)
        return problem or Dimension(key, tuple(_frozen(item) for item in value["values"]), when=when)
    problem = _range_problem(key, value)
    if problem:
        return problem
    return Dimension(key, None, value["low"], value["high"], value.get("step"), value.get("log", False), when)


def _values_problem(key: str, value: Mapping[str, Any]) -> str | None:
    values = value["values"]
    if set(value) - {"values", "when"}:
        return f"space: {key} has both values and a range; keep one"
    if not isinstance(values, list) or not values:
        return f"space: {key} has no values; list at least one (a grid over nothing is empty)"
    for first, second in itertools.combinations(values, 2):
        if canonical(first) == canonical(second):
            return f"space: {key} lists {first!r} twice; a trial is never run twice, take one out"
    return None


def _range_problem(key: str, value: Mapping[str, Any]) -> str | None:
    low, high, step, log = (value.get(name) for name in ("low", "high", "step", "log"))
    if not all(_is_number(number) for number in (low, high)):
        return f"space: {key} needs numbers low and high; found low = {low!r}, high = {high!r}"
    assert isinstance(low, int | float) and isinstance(high, int | float)
    if low >= high:
        return f"space: {key} goes from {low} to {high}; low must be below high"
    if log is not None and not isinstance(log, bool):
        return f"space: {key} has log = {log!r}; expected true or false"
    if log and (low <= 0 or step is not None):
        return f"space: {key} with log = true needs low above 0 and no step"
    if step is not None and (not _is_number(step) or step <= 0):
        return f"space: {key} has step = {step!r}; expected a number above 0"
    return None


def _when(key: str, table: Any, earlier: list[str]) -> tuple[tuple[str, tuple[Any, ...]], ...] | str:
    if not isinstance(table, Mapping):
        return f'space: {key} has when = {table!r}; expected a table, as in when = {{ "training.optimizer" = "sgd" }}'
    conditions = flat(table)
    if missing := [other for other in conditions if other not in earlier]:
        return f"space: {key} depends on '{missing[0]}', which is no setting of [space] above it; put it there first"
    return tuple(
        (other, tuple(values) if isinstance(values, list) else (values,)) for other, values in conditions.items()
    )


def _frozen(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
