"""From a sweep file's tables to recipes and trials, and its mistakes in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from glyphlab.data.locate import user_path
from glyphlab.data.sources import names
from glyphlab.errors import GlyphlabError, RecipeError, did_you_mean
from glyphlab.networks import registry
from glyphlab.training.recipe import Recipe, near_settings
from glyphlab.training.settings import Section, settings_reference
from glyphlab.training.sweep.baselines import Baseline
from glyphlab.training.sweep.settings import Prediction, Search, Trial
from glyphlab.training.sweep.space import Space, flat

_SHOWN_MISTAKES = 4
_DECIDED_BY_THE_BASE = (
    "data.size", "data.channels", "data.invert", "data.mean", "data.std",
    "training.teachers", "training.distillation", "transfer.framing", "transfer.invert",
)  # fmt: skip


class ListedTrial(BaseModel):
    """A [[trial]] as the file has it."""

    name: str = ""
    recipe: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    baseline: Baseline | None = None
    reported: float | None = Field(None, ge=0, le=1)
    model_config = {"extra": "forbid"}


class SweepFile(Section):
    """A sweep file's tables."""

    description: str = ""
    recipe: str = "fast"
    base: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    search: Search = Search()
    space: dict[str, Any] = Field(default_factory=dict)
    trial: list[ListedTrial] = Field(default_factory=list)
    prediction: Prediction | None = None

    @classmethod
    def checked(cls, name: str, table: Mapping[str, Any]) -> SweepFile:
        """The file's tables, or `RecipeError` with every mistake in words."""
        if unusable := list(_unusable(table)):
            raise RecipeError(joined(name, unusable))
        try:
            return cls.model_validate(table)
        except ValidationError as error:
            raise RecipeError(joined(name, [_in_words(detail) for detail in error.errors()])) from None


def shipped() -> list[str]:
    """Names of the sweeps that come with Glyphlab, in alphabetical order."""
    return sorted(
        entry.name.removesuffix(".toml") for entry in shipped_folder().iterdir() if entry.name.endswith(".toml")
    )


def shipped_folder() -> Any:
    """Where the sweeps lie that come along."""
    return resources.files("glyphlab").joinpath("sweeps")


def base_recipe(name: str, parsed: SweepFile, folder: Path) -> Recipe:
    """The recipe that trials vary. A precision is settled once for the sweep, and compiling pays for none of them."""
    try:
        base = _recipe(parsed.recipe, folder).with_settings(flat(parsed.settings))
        if base.engine.compile == "auto":
            base = base.with_settings({"engine.compile": False})
        return _placed(base, parsed)
    except RecipeError as error:
        raise RecipeError(f"sweep '{name}': {error}") from None


def _recipe(name_or_path: str, folder: Path) -> Recipe:
    path = Path(name_or_path)
    return Recipe.load(folder / path if name_or_path.endswith(".toml") and not path.is_absolute() else name_or_path)


def _placed(recipe: Recipe, parsed: SweepFile) -> Recipe:
    """With the file's base, where the recipe begins with one; paths of the user's own data and base made absolute.

    So they mean the same to a call from elsewhere.
    """
    changes: dict[str, str] = {}
    if parsed.base and recipe.transfer is not None:
        recipe = recipe.with_settings({"transfer.base": parsed.base})
    path = user_path(recipe.data.name)
    if recipe.data.name not in names() and path.exists() and not path.is_absolute():
        changes["data.name"] = str(path.resolve())
    if recipe.transfer is not None and recipe.transfer.base:
        base = user_path(recipe.transfer.base)
        if base.exists() and not base.is_absolute():
            changes["transfer.base"] = str(base.resolve())
    return recipe.with_settings(changes) if changes else recipe


def listed_trials(name: str, parsed: SweepFile, base: Recipe, folder: Path) -> Iterator[Trial]:
    """The [[trial]]s in order; a setting is shown where two trials differ in it. Raises `RecipeError`."""
    found: list[tuple[ListedTrial, Recipe | None, str]] = []
    for number, listed in enumerate(parsed.trial, start=1):
        label = listed.name or str(number)
        try:
            recipe = _own_recipe(listed, parsed, base, folder)
        except GlyphlabError as error:
            raise RecipeError(f"sweep '{name}', trial '{label}': {error}") from None
        found.append((listed, recipe, label))
    tables = [recipe.dotted() for _, recipe, _ in found if recipe is not None]
    varied = [key for key in _shown_keys(tables) if any(table.get(key) != tables[0].get(key) for table in tables)]
    seen: dict[str, str] = {}
    for listed, recipe, label in found:
        if recipe is not None:
            table = recipe.dotted()
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


def _own_recipe(listed: ListedTrial, parsed: SweepFile, base: Recipe, folder: Path) -> Recipe | None:
    """A listed trial's recipe; None where a classifier of scikit-learn takes its place."""
    if listed.baseline is not None:
        if listed.recipe is not None or listed.settings:
            raise RecipeError("baseline stands for itself; take recipe and settings out")
        if not parsed.search.maximised:
            raise RecipeError("a baseline has no loss; set search.objective = 'validation_accuracy', or take it out")
        return None
    if idle := transfer_mistakes(base, flat(listed.settings)):
        raise RecipeError(idle[0])
    if listed.recipe is None:
        return _placed(base.with_settings(flat(listed.settings)), parsed)
    shared = _recipe(listed.recipe, folder).with_settings(flat(parsed.settings))
    return _placed(shared.with_settings(flat(listed.settings) | {"engine.compile": False}), parsed)


def _shown_keys(tables: list[dict[str, Any]]) -> list[str]:
    every = dict.fromkeys(key for table in tables for key in table)
    return [key for key in every if "." in key and not key.startswith("engine.")]


def key_mistakes(base: Recipe, space: Space) -> list[str]:
    """Settings of the space that no recipe has."""
    networks = {base.network.name}
    for dimension in space.dimensions:
        if dimension.key == "network.name":
            networks |= {value for value in dimension.values or () if value in registry.names()}
    options = {f"network.{option}" for network in networks for option in registry.option_specs(network)}
    known = [*dict.fromkeys(setting for setting, _, _ in settings_reference()), *sorted(options)]
    cure = "glyphlab recipes settings lists them all"
    return [
        f"space: unknown setting '{key}'; {near_settings(key, known) or cure}" for key in space.keys if key not in known
    ]


def transfer_mistakes(base: Recipe, keys: Iterable[str]) -> list[str]:
    """Settings of the file that have no effect where trials begin with a trained network."""
    if base.transfer is None:
        return []
    idle = [key for key in keys if key.startswith("network.") or key in _DECIDED_BY_THE_BASE]
    return [f"{key} has no effect in a transfer: the base and the pictures decide; leave it out" for key in idle]


def _unusable(value: Any, where: str = "") -> Iterator[str]:
    """Values that TOML has and no setting takes, in words; they would not go into a trial's record either."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _unusable(inner, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for place, inner in enumerate(value, start=1):
            yield from _unusable(inner, f"{where}.{place}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where} is {value}; expected a finite number"
    elif isinstance(value, date | time):
        yield f"{where} is {value}; expected a number, a text in quotes, true, false, or a list of these"


def _in_words(detail: Any) -> str:
    """One of pydantic's findings as a phrase."""
    # A place in a list is counted from 1, as people and this software's other messages do.
    places = [str(part + 1) if isinstance(part, int) else str(part) for part in detail["loc"]]
    where = ".".join(places)
    if detail["type"] == "extra_forbidden":
        return f"unknown entry '{where}'; {did_you_mean(places[-1], _known_entries(places[:-1]))}"
    if detail["type"] == "missing":
        return f"{where} is missing"
    expected = detail["msg"].removeprefix("Input should be ").replace("valid dictionary", "table")
    return f"{where} is {detail['input']!r}; expected {expected}"


def _known_entries(places: list[str]) -> list[str]:
    models: dict[str, type[BaseModel]] = {"search": Search, "prediction": Prediction, "trial": ListedTrial}
    model = Baseline if "baseline" in places else models.get(places[0] if places else "", SweepFile)
    return list(model.model_fields)


def joined(name: str, mistakes: list[str]) -> str:
    """All mistakes as one line."""
    count = "" if len(mistakes) == 1 else f"{len(mistakes)} mistakes: "
    more = f"; and {len(mistakes) - _SHOWN_MISTAKES} more" if len(mistakes) > _SHOWN_MISTAKES else ""
    return f"sweep '{name}': {count}" + "; ".join(mistakes[:_SHOWN_MISTAKES]) + more
