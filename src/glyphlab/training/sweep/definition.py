"""What a sweep file says: the base recipe, what is varied, how it is searched, and what is expected to come out.

    description = "which epochs, dropout and width suit mnist-net on Fashion-MNIST"
    recipe = "mnist-net"                     # a shipped recipe's name, or a file beside this one

    [settings]                               # replaced in the recipe for all trials
    "data.name" = "fashion-mnist"

    [search]
    method = "grid"                          # grid, random, tpe, list

    [space]                                  # see `space`
    "training.epochs" = [3, 4, 5, 6]

    [prediction]                             # written down before, held against the outcome
    text = "Six epochs are best."
    best = { "training.epochs" = 6 }

A list has no [space]; it has a [[trial]] for each trial instead, with a name and either settings, a recipe of its own,
or a classifier of scikit-learn. A file is checked whole, with every point of its space, before anything is run.
"""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from glyphlab.data.sources import names
from glyphlab.errors import GlyphlabError, RecipeError, did_you_mean
from glyphlab.networks import registry
from glyphlab.training.recipe import Recipe, Section, settings_reference
from glyphlab.training.sweep.baselines import Baseline
from glyphlab.training.sweep.space import LARGEST_GRID, Point, Space, canonical, flat

# A grid of at most so many points is checked point by point; larger ones, and the others, by so many random points.
_CHECKED_POINTS = 500
_SHOWN_MISTAKES = 4


class Search(Section):
    """How the space is searched."""

    method: Literal["grid", "random", "tpe", "list"] = "grid"
    trials: int | None = Field(None, ge=1, description="random, tpe: how many in all")
    seed: int = Field(1, ge=0, description="random, tpe: which points are drawn")
    objective: Literal["validation_accuracy", "validation_loss"] = "validation_accuracy"
    pruning: Literal["none", "median", "asha"] = Field("none", description="end hopeless trials early")

    @property
    def maximised(self) -> bool:
        """Whether more is better."""
        return self.objective == "validation_accuracy"


class Prediction(Section):
    """What its author expects of a sweep, in words and, where wanted, as claims that can be checked."""

    text: str = Field(min_length=1)
    best: dict[str, Any] = Field(default_factory=dict, description="settings of the best trial")
    best_accuracy: list[float] | None = Field(None, min_length=2, max_length=2, description="from, to (shares)")
    most_important: str | None = Field(None, description="the setting that matters most")

    @property
    def sha256(self) -> str:
        """A fingerprint that any later change would change."""
        return hashlib.sha256(canonical(self.model_dump(exclude_defaults=True)).encode()).hexdigest()


class Trial(Section):
    """One trial of a plan. point: what is varied, for display. reported: the accuracy that others gave for it."""

    point: Point
    recipe: Recipe | None = None
    baseline: Baseline | None = None
    label: str = ""
    reported: float | None = None

    @property
    def key(self) -> str:
        """Equal for trials that would do the same: a fingerprint of all settings except how fast they are run."""
        if self.recipe is None:
            assert self.baseline is not None
            return _digest({"baseline": self.baseline.model_dump()})
        whole = self.recipe.resolved()
        kept = {name: value for name, value in whole.items() if name not in ("name", "description", "engine")}
        engine = {name: value for name, value in self.point.items() if name.startswith("engine.")}
        return _digest(kept | engine)


@dataclass(frozen=True)
class SweepDefinition:
    """A checked sweep file. listed: the trials of a list; empty for the other methods."""

    name: str
    description: str
    base: Recipe
    search: Search
    space: Space
    listed: tuple[Trial, ...] = ()
    prediction: Prediction | None = None

    @classmethod
    def load(cls, name_or_path: str | Path, data: str | None = None) -> SweepDefinition:
        """Read a shipped sweep by name, or a TOML file by path. Raises `RecipeError` that lists every mistake.

        data: replaces the data set of the file: a known name, or the path of a folder or CSV file.
        """
        text = str(name_or_path)
        if not text.endswith(".toml"):
            if text not in shipped():
                raise RecipeError(
                    f"no sweep '{text}': {did_you_mean(text, shipped())} "
                    "(a sweep of your own is given by its path, ending in .toml)"
                )
            return cls.from_toml(_folder().joinpath(f"{text}.toml").read_text(encoding="utf-8"), text, data=data)
        path = Path(text)
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the sweep {path}: {error}") from error
        return cls.from_toml(content, path.stem, path.parent, data)

    @classmethod
    def from_toml(cls, text: str, name: str, folder: Path = Path(), data: str | None = None) -> SweepDefinition:
        """Parse TOML text; recipes that are files lie in `folder`. data: as for `load`. Raises `RecipeError`."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"sweep '{name}' is not valid TOML: {error}") from error
        parsed = _File.checked(name, table)
        if data is not None:
            parsed = parsed.model_copy(update={"settings": flat(parsed.settings) | {"data.name": data}})
        base = _base(name, parsed, folder)
        space, mistakes = Space.parse(parsed.space)
        mistakes += _key_mistakes(base, space)
        if mistakes:
            raise RecipeError(_joined(name, mistakes))
        listed = tuple(_listed_trials(name, parsed, base, folder))
        definition = cls(name, parsed.description, base, parsed.search, space, listed, parsed.prediction)
        definition._check()
        return definition

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> SweepDefinition:
        """Read back what `to_record` gave."""
        space, mistakes = Space.parse(record["space"])
        assert not mistakes, mistakes
        prediction = record["prediction"]
        return cls(
            name=record["name"],
            description=record["description"],
            base=Recipe.parse(record["base"]),
            search=Search.model_validate(record["search"]),
            space=space,
            listed=tuple(Trial.model_validate(trial) for trial in record["listed"]),
            prediction=Prediction.model_validate(prediction) if prediction else None,
        )

    def to_record(self) -> dict[str, Any]:
        """The whole definition as JSON values, so that it means the same on every machine."""
        return {
            "name": self.name,
            "description": self.description,
            "base": self.base.to_dict(),
            "search": self.search.model_dump(exclude_none=True),
            "space": self.space.to_record(),
            "listed": [
                trial.model_dump(exclude={"recipe"}, exclude_none=True)
                | ({"recipe": trial.recipe.resolved()} if trial.recipe else {})
                for trial in self.listed
            ],
            "prediction": self.prediction.model_dump(exclude_defaults=True) if self.prediction else None,
        }

    def differences(self, other: SweepDefinition) -> list[str]:
        """What another definition changes, in words. The number of trials, words and the engine may change freely."""
        ours, theirs = (flat(_comparable(definition)) for definition in (self, other))
        return [
            f"{key} was {ours.get(key, 'not there')!r}, is {theirs.get(key, 'not there')!r}"
            for key in sorted({*ours, *theirs})
            if ours.get(key) != theirs.get(key)
        ]

    @property
    def keys(self) -> tuple[str, ...]:
        """The settings that differ between trials."""
        if not self.listed:
            return self.space.keys
        return tuple(dict.fromkeys(key for trial in self.listed for key in trial.point))

    @property
    def known_in_advance(self) -> bool:
        """Whether all trials are fixed before the first one: for all methods but TPE."""
        return self.search.method != "tpe"

    def plan(self, trials: int | None = None) -> Iterator[Trial]:
        """The trials in order, no two the same. trials: how many at most. TPE plans nothing."""
        wanted = trials or self.search.trials
        match self.search.method:
            case "list":
                found = iter(self.listed)
            case "grid":
                found = self._distinct(self.space.grid())
            case "random":
                found = self._distinct(self.space.sequence(self.search.seed))
            case "tpe":
                found = iter(())
        return itertools.islice(found, wanted)

    def trial(self, point: Point) -> Trial:
        """The trial at a point of the space. Raises `RecipeError` when its settings contradict each other."""
        return Trial(point=point, recipe=self.base.with_settings(point))

    def _distinct(self, points: Iterator[Point]) -> Iterator[Trial]:
        """Trials whose whole settings differ: two points may come to the same thing."""
        seen: set[str] = set()
        for point in points:
            trial = self.trial(point)
            if trial.key not in seen:
                seen.add(trial.key)
                yield trial

    def _check(self) -> None:
        """Refuse what could not be run to its end. Raises `RecipeError`."""
        method, mistakes = self.search.method, []
        if method == "list":
            if self.space.dimensions:
                mistakes.append("a list has [[trial]]s and no [space]; take one of the two out")
            if not self.listed:
                mistakes.append("a list needs at least one [[trial]]; none found")
            if self.search.pruning != "none":
                mistakes.append("search.pruning compares trials of one space; a list is run whole, leave it out")
        elif self.listed:
            mistakes.append(f"[[trial]] goes with search.method = 'list', found '{method}'")
        elif not self.space.dimensions:
            mistakes.append("[space] is empty: there is nothing to vary; name at least one setting with its values")
        if method in ("grid", "list") and self.search.trials is not None:
            mistakes.append(f"search.trials has no effect with method = '{method}'; its trials are all run")
        if method in ("random", "tpe") and self.search.trials is None:
            mistakes.append(f"search.trials is missing; method = '{method}' needs to know how many to run")
        if method == "grid" and self.space.uncountable:
            keys = ", ".join(self.space.uncountable)
            mistakes.append(f"a grid needs values to count; give {keys} a list or a step, or search at random")
        elif method == "grid" and (self.space.most_points or 0) > LARGEST_GRID:
            mistakes.append(f"the grid has {self.space.most_points:,} points, at most {LARGEST_GRID:,} are allowed")
        if mistakes:
            raise RecipeError(_joined(self.name, mistakes))
        self._check_points()
        self._check_prediction()

    def _check_points(self) -> None:
        if self.search.method == "list":
            points: Iterator[Point] = iter(())
        elif self.search.method == "grid":
            points = itertools.islice(self.space.grid(), _CHECKED_POINTS)
        else:
            points = itertools.islice(self.space.sequence(self.search.seed), _CHECKED_POINTS)
        mistakes: list[str] = []
        for point in points:
            try:
                _refuse_unjudged(self.trial(point).recipe)
            except RecipeError as error:
                shown = ", ".join(f"{key} = {value!r}" for key, value in point.items())
                mistakes.append(f"with {shown}: {str(error).partition(': ')[2]}")
                if len(mistakes) == 2:
                    break
        if any("no effect" in mistake for mistake in mistakes):
            mistakes.append('where a setting acts beside some values only, give it when = { "that.setting" = value }')
        for trial in self.listed:
            if trial.recipe is not None:
                _refuse_unjudged(trial.recipe)
        if mistakes:
            raise RecipeError(_joined(self.name, mistakes))

    def _check_prediction(self) -> None:
        if self.prediction is None:
            return
        claimed = [*self.prediction.best, *filter(None, [self.prediction.most_important])]
        if unknown := [key for key in claimed if key not in self.keys]:
            raise RecipeError(
                f"sweep '{self.name}': prediction speaks of '{unknown[0]}', which is not varied; "
                f"{did_you_mean(unknown[0], self.keys)}"
            )


class _Listed(BaseModel):
    """A [[trial]] as the file has it."""

    name: str = ""
    recipe: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    baseline: Baseline | None = None
    reported: float | None = Field(None, ge=0, le=1)
    model_config = {"extra": "forbid"}


class _File(Section):
    """A sweep file's tables."""

    description: str = ""
    recipe: str = "glyphnet"
    settings: dict[str, Any] = Field(default_factory=dict)
    search: Search = Search()
    space: dict[str, Any] = Field(default_factory=dict)
    trial: list[_Listed] = Field(default_factory=list)
    prediction: Prediction | None = None

    @classmethod
    def checked(cls, name: str, table: Mapping[str, Any]) -> _File:
        """The file's tables, or `RecipeError` with every mistake in words."""
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            raise RecipeError(_joined(name, [_in_words(detail) for detail in error.errors()])) from None


def shipped() -> list[str]:
    """Names of the sweeps that come with Glyphlab, in alphabetical order."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def _folder() -> Any:
    return resources.files("glyphlab").joinpath("sweeps")


def _base(name: str, parsed: _File, folder: Path) -> Recipe:
    """The recipe of all trials. A precision is settled once for the sweep, and compiling pays for none of them."""
    try:
        base = _recipe(parsed.recipe, folder).with_settings(flat(parsed.settings))
        if base.engine.compile == "auto":
            base = base.with_settings({"engine.compile": False})
        return _in_place(base)
    except RecipeError as error:
        raise RecipeError(f"sweep '{name}': {error}") from None


def _recipe(name_or_path: str, folder: Path) -> Recipe:
    path = Path(name_or_path)
    return Recipe.load(folder / path if name_or_path.endswith(".toml") and not path.is_absolute() else name_or_path)


def _in_place(recipe: Recipe) -> Recipe:
    """The path of the user's own data made absolute, so that it means the same to a call from elsewhere."""
    path = Path(recipe.data.name).expanduser()
    if recipe.data.name in names() or not path.exists() or path.is_absolute():
        return recipe
    return recipe.with_settings({"data.name": str(path.resolve())})


def _listed_trials(name: str, parsed: _File, base: Recipe, folder: Path) -> Iterator[Trial]:
    """The [[trial]]s in order; a setting is shown where two trials differ in it. Raises `RecipeError`."""
    found: list[tuple[_Listed, Recipe | None, str]] = []
    for number, listed in enumerate(parsed.trial, start=1):
        label = listed.name or str(number)
        try:
            recipe = _own_recipe(listed, parsed, base, folder)
        except GlyphlabError as error:
            raise RecipeError(f"sweep '{name}', trial '{label}': {error}") from None
        found.append((listed, recipe, label))
    tables = [flat(recipe.resolved()) for _, recipe, _ in found if recipe is not None]
    varied = [key for key in _shown_keys(tables) if any(table.get(key) != tables[0].get(key) for table in tables)]
    seen: dict[str, str] = {}
    for listed, recipe, label in found:
        if recipe is not None:
            table = flat(recipe.resolved())
            point = {key: table[key] for key in varied if key in table}
        else:
            assert listed.baseline is not None
            point = {"baseline": listed.baseline.describe()}
        trial = Trial(point=point, recipe=recipe, baseline=listed.baseline, label=label, reported=listed.reported)
        if trial.key in seen:
            raise RecipeError(
                f"sweep '{name}': trials '{seen[trial.key]}' and '{label}' are the same; a trial is never run twice, "
                "take one out"
            )
        seen[trial.key] = label
        yield trial


def _own_recipe(listed: _Listed, parsed: _File, base: Recipe, folder: Path) -> Recipe | None:
    """A listed trial's recipe; None where a classifier of scikit-learn takes its place."""
    if listed.baseline is not None:
        if listed.recipe is not None or listed.settings:
            raise RecipeError("baseline stands for itself; take recipe and settings out")
        return None
    if listed.recipe is None:
        return base.with_settings(flat(listed.settings))
    shared = _recipe(listed.recipe, folder).with_settings(flat(parsed.settings))
    return _in_place(shared.with_settings(flat(listed.settings) | {"engine.compile": False}))


def _shown_keys(tables: list[dict[str, Any]]) -> list[str]:
    every = dict.fromkeys(key for table in tables for key in table)
    return [key for key in every if "." in key and not key.startswith("engine.")]


def _key_mistakes(base: Recipe, space: Space) -> list[str]:
    """Settings of the space that no recipe has."""
    networks = {base.network.name}
    for dimension in space.dimensions:
        if dimension.key == "network.name":
            networks |= {value for value in dimension.values or () if value in registry.names()}
    options = {f"network.{option}" for network in networks for option in registry.option_specs(network)}
    known = [*dict.fromkeys(setting for setting, _, _ in settings_reference()), *sorted(options)]
    return [f"space: unknown setting '{key}'; {_near(key, known)}" for key in space.keys if key not in known]


def _near(key: str, known: list[str]) -> str:
    """The nearest settings to a misspelt one; a bare field name is looked for in every section."""
    same = [option for option in known if option.partition(".")[2] == key]
    if same:
        return "did you mean " + " or ".join(f"'{option}'" for option in same) + "?"
    hint = did_you_mean(key, known)
    return hint if hint.startswith("did") else "glyphlab recipes settings lists them all"


def _refuse_unjudged(recipe: Recipe | None) -> None:
    if recipe is not None and recipe.data.validation == 0:
        raise RecipeError(": data.validation is 0, but trials are judged on validation images; set it to 0.1, say")


def _comparable(definition: SweepDefinition) -> dict[str, Any]:
    """What must stay the same while a sweep is under way."""
    record = definition.to_record()
    kept = {key: record[key] for key in ("space", "prediction")}
    kept["search"] = {key: value for key, value in record["search"].items() if key != "trials"}
    kept["recipe"] = _essence(definition.base.resolved())
    kept["trial"] = {
        trial["label"]: trial | {"recipe": _essence(trial.get("recipe", {}))} for trial in record["listed"]
    }
    return kept


def _essence(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key not in ("name", "description", "engine")}


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _in_words(detail: Any) -> str:
    """One of pydantic's findings as a phrase."""
    places = [str(part) for part in detail["loc"]]
    where = ".".join(places)
    if detail["type"] == "extra_forbidden":
        return f"unknown entry '{where}'; {did_you_mean(places[-1], _known_entries(places[:-1]))}"
    if detail["type"] == "missing":
        return f"{where} is missing"
    expected = detail["msg"].removeprefix("Input should be ")
    return f"{where} is {detail['input']!r}; expected {expected}"


def _known_entries(places: list[str]) -> list[str]:
    models: dict[str, type[BaseModel]] = {"search": Search, "prediction": Prediction, "trial": _Listed}
    model = Baseline if "baseline" in places else models.get(places[0] if places else "", _File)
    return list(model.model_fields)


def _joined(name: str, mistakes: list[str]) -> str:
    count = "" if len(mistakes) == 1 else f"{len(mistakes)} mistakes: "
    more = f"; and {len(mistakes) - _SHOWN_MISTAKES} more" if len(mistakes) > _SHOWN_MISTAKES else ""
    return f"sweep '{name}': {count}" + "; ".join(mistakes[:_SHOWN_MISTAKES]) + more
