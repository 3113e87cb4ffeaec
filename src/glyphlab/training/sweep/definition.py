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

Where the recipe has a [transfer], the trials begin with a trained network: ``base = "runs/mnist-mnist-net-1"`` beside
the recipe's name, or --base. See `bases`.

A list has no [space]; it has a [[trial]] for each trial instead, with a name and either settings, a recipe of its own,
or a classifier of scikit-learn. A file is checked whole, with every point of its space, before anything is run.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glyphlab.errors import RecipeError, did_you_mean
from glyphlab.files import read_text
from glyphlab.training.recipe import Recipe
from glyphlab.training.sweep.parsing import (
    SweepFile,
    base_recipe,
    joined,
    key_mistakes,
    listed_trials,
    shipped,
    shipped_folder,
    transfer_mistakes,
)
from glyphlab.training.sweep.settings import Prediction, Search, Trial
from glyphlab.training.sweep.space import LARGEST_GRID, Point, Space, flat
from glyphlab.training.transfer import TRAINED_WAYS

# A grid of at most so many points is checked point by point; larger ones, and the others, by so many random points.
_CHECKED_POINTS = 500


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
    def load(
        cls, name_or_path: str | Path, data: str | None = None, base: str | None = None, skip_bad: bool = False
    ) -> SweepDefinition:
        """Read a shipped sweep by name, or a TOML file by path. Raises `RecipeError` that lists every mistake.

        data: replaces the data set of the file: a known name, or the path of a folder or CSV file. base: the run or
        model that the trials begin with, for recipes with a [transfer]. skip_bad: go on without pictures that cannot
        be read.
        """
        text = str(name_or_path)
        if not text.endswith(".toml"):
            if text not in shipped():
                raise RecipeError(
                    f"no sweep '{text}': {did_you_mean(text, shipped())} "
                    "(a sweep of your own is given by its path, ending in .toml)"
                )
            content = shipped_folder().joinpath(f"{text}.toml").read_text(encoding="utf-8")
            return cls.from_toml(content, text, data=data, base=base, skip_bad=skip_bad)
        path = Path(text)
        try:
            content = read_text(path)
        except OSError as error:
            raise RecipeError(f"cannot read the sweep {path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise RecipeError(f"cannot read the sweep {path}: it is no text in UTF-8") from error
        return cls.from_toml(content, path.stem, path.parent, data, base, skip_bad=skip_bad)

    @classmethod
    def from_toml(
        cls,
        text: str,
        name: str,
        folder: Path = Path(),
        data: str | None = None,
        base: str | None = None,
        skip_bad: bool = False,
    ) -> SweepDefinition:
        """Parse TOML text; recipes that are files lie in `folder`. The others: as for `load`. Raises `RecipeError`."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"sweep '{name}' is not valid TOML: {error}") from error
        parsed = SweepFile.checked(name, table)
        given = {"data.name": data, "data.skip_bad": skip_bad or None}
        settings = flat(parsed.settings) | {key: value for key, value in given.items() if value is not None}
        parsed = parsed.model_copy(update={"settings": settings, "base": parsed.base if base is None else base})
        recipe = base_recipe(name, parsed, folder)
        space, mistakes = Space.parse(parsed.space)
        mistakes += key_mistakes(recipe, space)
        mistakes += transfer_mistakes(recipe, [*parsed.settings, *space.keys])
        if mistakes:
            raise RecipeError(joined(name, mistakes))
        listed = tuple(listed_trials(name, parsed, recipe, folder))
        definition = cls(name, parsed.description, recipe, parsed.search, space, listed, parsed.prediction)
        definition._check()
        if parsed.base:
            definition._refuse_idle_base(parsed.base)
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
            raise RecipeError(joined(self.name, mistakes))
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
        for number, trial in enumerate(self.listed, start=1):
            try:
                _refuse_unjudged(trial.recipe)
            except RecipeError as error:
                mistakes.append(f"trial '{trial.label or number}': {str(error).partition(': ')[2]}")
        if mistakes:
            raise RecipeError(joined(self.name, mistakes))

    def _refuse_idle_base(self, base: str) -> None:
        recipes = [trial.recipe for trial in self.listed if trial.recipe is not None] or [self.base]
        if not any(recipe.transfer is not None for recipe in recipes):
            names = ", ".join(dict.fromkeys(recipe.name for recipe in recipes))
            raise RecipeError(
                f"sweep '{self.name}' has a base, '{base}', but its recipe ({names}) trains from the beginning; "
                "take one with a [transfer], such as greek-frozen, or leave the base out"
            )

    def _check_prediction(self) -> None:
        if self.prediction is None:
            return
        claimed = [*self.prediction.best, *filter(None, [self.prediction.most_important])]
        if unknown := [key for key in claimed if key not in self.keys]:
            raise RecipeError(
                f"sweep '{self.name}': prediction speaks of '{unknown[0]}', which is not varied; "
                f"{did_you_mean(unknown[0], self.keys)}"
            )
        mistakes: list[str] = []
        low, high = self.prediction.best_accuracy or (0.0, 1.0)
        if not 0 <= low <= high <= 1:
            mistakes.append(f"prediction.best_accuracy is [{low}, {high}]; expected two shares, such as [0.86, 0.89]")
        for dimension in self.space.dimensions:
            claimed_value = self.prediction.best.get(dimension.key)
            if claimed_value is not None and dimension.listed and claimed_value not in dimension.listed:
                mistakes.append(
                    f"prediction.best says {dimension.key} = {claimed_value!r}, which no trial has; "
                    f"expected one of {', '.join(map(repr, dimension.listed[:12]))}"
                )
        if mistakes:
            raise RecipeError(joined(self.name, mistakes))


def _refuse_unjudged(recipe: Recipe | None) -> None:
    """Refuse what has no validation images, or is not trained as a run."""
    if recipe is None:
        return
    if recipe.transfer is not None and recipe.transfer.add:
        raise RecipeError(": transfer.add keeps old classes, which the validation images do not show; remove it")
    if recipe.transfer is not None and not recipe.transfer.hold_out:
        raise RecipeError(": transfer.hold_out is false, but trials are judged on test images at the end; remove it")
    if recipe.transfer is not None and recipe.transfer.way not in TRAINED_WAYS:
        raise RecipeError(
            f": transfer.way is '{recipe.transfer.way}', but a sweep's trials are trained; expected "
            f"{' or '.join(map(repr, TRAINED_WAYS))} (glyphlab transfer compares all ways)"
        )
    if recipe.data.folds is None and recipe.data.validation == 0:
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
