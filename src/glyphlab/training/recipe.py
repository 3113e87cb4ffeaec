"""The recipe: everything that defines a training run, as a TOML file with six sections.

    description = "what this run is for"

    [data]      which images, and how many of the training images are kept back for validation
    [augment]   how training images are varied; everything is 0, that is off, unless set
    [network]   name, and the options of that network
    [training]  optimiser, schedule, length, seed
    [engine]    device, precision and the like: how fast, not what
    [transfer]  only where a network learns new classes from another one's knowledge, see `transfer`

A recipe is checked whole: every mistake is reported at once, and a setting that would have no effect is a mistake.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from glyphlab.errors import RecipeError, did_you_mean
from glyphlab.files import read_text
from glyphlab.networks import registry
from glyphlab.training.settings import (
    SECTIONS,
    AugmentSettings,
    DataSettings,
    EngineSettings,
    NetworkSettings,
    Section,
    TrainingSettings,
    TransferSettings,
    fields_of,
    toml_literal,
)


class Recipe(Section):
    """A complete training run. Build one with `Recipe.load` (a shipped name or a file) or `Recipe.parse` (a dict).

    recipe = glyphlab.Recipe.load("fast", "mnist").with_settings({"training.epochs": 3})
    glyphlab.train(recipe)
    """

    name: str = "unnamed"
    description: str = ""
    data: DataSettings = DataSettings()
    augment: AugmentSettings = AugmentSettings()
    network: NetworkSettings = NetworkSettings()
    training: TrainingSettings = TrainingSettings()
    engine: EngineSettings = EngineSettings()
    transfer: TransferSettings | None = None

    @property
    def split_seed(self) -> int:
        """The seed by which validation images are chosen."""
        return self.training.seed if self.data.split_seed is None else self.data.split_seed

    def contradictions(self) -> Iterator[str]:
        for section in (self.data, self.augment, self.network, self.training, self.engine, self.transfer):
            yield from section.contradictions() if section is not None else ()
        if self.transfer is not None and self.augment.redraw:
            yield "augment.redraw has no effect in a transfer; remove it"
        if self.data.validation == 0:
            if self.training.schedule == "plateau":
                yield "training.schedule = 'plateau' watches the validation loss, but data.validation is 0"
            if self.training.early_stopping_epochs is not None:
                yield "training.early_stopping_epochs watches the validation loss, but data.validation is 0"

    @classmethod
    def parse(cls, settings: Mapping[str, Any], name: str | None = None) -> Recipe:
        """Check `settings` (sections as nested dicts). Raises `RecipeError` that lists every mistake."""
        named = {"name": name, **settings} if name else dict(settings)
        recipe, mistakes = cls._checked(named)
        if recipe is None or mistakes:
            raise RecipeError(_listed(named.get("name", "unnamed"), mistakes))
        return recipe

    @classmethod
    def _checked(cls, settings: Mapping[str, Any]) -> tuple[Recipe | None, list[str]]:
        """The recipe, if one can be built, and all mistakes."""
        try:
            recipe = cls.model_validate(settings)
        except ValidationError as error:
            return None, _findings(error) + _problems_of_sections(settings)
        return recipe, list(recipe.contradictions())

    @classmethod
    def load(cls, name_or_path: str | Path, data: str | None = None) -> Recipe:
        """Read a shipped recipe by name, or a TOML file by path; of two that fit, the one made for the set `data`.

        "fast" for "mnist" is what is in mnist-fast.toml, and is still called fast. Raises `RecipeError`.
        """
        text = str(name_or_path)
        if text.endswith(".toml"):
            path = Path(text)
            try:
                return cls.from_toml(read_text(path), name=path.stem)
            except (OSError, UnicodeDecodeError) as error:
                raise RecipeError(f"cannot read the recipe {path}: {error}") from error
        file = shipped_as(text, data)
        if file is None:
            raise RecipeError(
                f"no recipe '{text}': {did_you_mean(text, shipped())} "
                "(a recipe of your own is given by its path, ending in .toml)"
            )
        return cls.from_toml(_folder().joinpath(f"{file}.toml").read_text(encoding="utf-8"), name=text)

    @classmethod
    def from_toml(cls, text: str, name: str | None = None) -> Recipe:
        """Parse TOML text; a name in the text wins over `name`. Raises `RecipeError`."""
        try:
            settings = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"recipe '{name or 'unnamed'}' is not valid TOML: {error}") from error
        return cls.parse(settings, name=name)

    def with_settings(self, settings: Mapping[str, Any]) -> Recipe:
        """A copy with dotted keys replaced, ``{"training.lr": 0.01}``, checked as a whole.

        A value of None takes the setting out. Another ``network.name`` drops the options of the former network.
        """
        changed = self.to_dict()
        mistakes: list[str] = []
        if settings.get("network.name", self.network.name) != self.network.name:
            kept = changed.get("network", {}).items()
            changed["network"] = {key: value for key, value in kept if key in NetworkSettings.model_fields}
        for key, value in settings.items():
            section, _, field = key.partition(".")
            if section in SECTIONS and field:
                changed.setdefault(section, {})[field] = value
                if value is None:
                    del changed[section][field]
            elif section == "description" and not field:
                changed["description"] = value
            else:
                known = [f"{name}.{field}" for name in SECTIONS for field in fields_of(name)]
                cure = near_settings(key, known) or "settings are written section.key, as in training.lr"
                mistakes.append(f"unknown setting '{key}'; {cure}")
        recipe, others = Recipe._checked(changed)
        if recipe is None or mistakes or others:
            raise RecipeError(_listed(self.name, mistakes + others))
        return recipe

    def to_dict(self) -> dict[str, Any]:
        """The settings that differ from "not set", nested by section; `parse` of it gives an equal recipe."""
        return self.model_dump(exclude_none=True, exclude_unset=True)

    def resolved(self) -> dict[str, Any]:
        """Every setting that has an effect, defaults written out."""
        whole = self.model_dump(exclude_none=True)
        training = self.training
        for key, (other, values) in training.ONLY_WITH.items():
            if getattr(training, other) in values:
                whole["training"][key] = training.effective(key)
        if training.teachers is not None:
            whole["training"]["distillation"] = training.effective("distillation")
        if self.data.folds is not None:
            del whole["data"]["validation"]
        if not self.augment.elastic:
            del whole["augment"]["elastic_cells"]
        if not self.augment.moves_pixels:
            del whole["augment"]["padding"]
        whole["network"] |= registry.resolved_options(self.network.name, self.network.options)
        for section in SECTIONS.keys() & whole.keys():  # in one order, whatever was set and whatever follows from it
            order = [*fields_of(section), *registry.option_specs(self.network.name)]
            whole[section] = {key: whole[section][key] for key in order if key in whole[section]}
        return whole

    def dotted(self) -> dict[str, Any]:
        """The same by dotted key, ``{"training.lr": 0.01}``, without name and description."""
        sections = {name: fields for name, fields in self.resolved().items() if name in SECTIONS}
        return {f"{name}.{key}": value for name, fields in sections.items() for key, value in fields.items()}

    def to_toml(self) -> str:
        """The resolved recipe as TOML text, which `from_toml` reads back."""
        whole = self.resolved()
        lines = [f"{key} = {toml_literal(value)}" for key, value in whole.items() if not isinstance(value, dict)]
        for section in (name for name in SECTIONS if name in whole):
            lines += ["", f"[{section}]"]
            lines += [f"{key} = {toml_literal(value)}" for key, value in whole[section].items()]
        return "\n".join(lines) + "\n"


def shipped_as(name: str, data: str | None) -> str | None:
    """The shipped recipe that `name` means for the set `data`: the one made for it, the general one, or none."""
    ours = shipped()
    return next((file for file in (f"{data}-{name}", name) if file in ours), None)


def shipped() -> list[str]:
    """Names of the recipes that come with Glyphlab, in alphabetical order."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def _folder() -> Any:
    return resources.files("glyphlab").joinpath("recipes")


_ALL_KEYS = {*SECTIONS, "name", "description", *(field for name in SECTIONS for field in fields_of(name))}


def near_settings(key: str, known: list[str]) -> str | None:
    """What was meant by a misspelt setting, as a question; a bare field name is looked for in every section."""
    same_field = [option for option in known if option.partition(".")[2] == key]
    near = same_field or difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    return "did you mean " + " or ".join(f"'{option}'" for option in near) + "?" if near else None


def _problems_of_sections(settings: Mapping[str, Any]) -> list[str]:
    """What can be said of each section by itself, for a recipe that mistakes keep from being built."""
    problems = _network_problems(settings)
    for name, model in SECTIONS.items():
        try:
            problems += model.model_validate(settings.get(name, {})).contradictions()
        except ValidationError:  # of which is told already
            continue
    return problems


def _network_problems(settings: Mapping[str, Any]) -> list[str]:
    network = settings.get("network", {})
    if not isinstance(network, Mapping) or not isinstance(network.get("name", ""), str):
        return []
    options = {key: value for key, value in network.items() if key not in NetworkSettings.model_fields}
    default = NetworkSettings.model_fields["name"].default
    return [f"network: {problem}" for problem in registry.problems(network.get("name", default), options)]


def _findings(error: ValidationError) -> list[str]:
    """Pydantic's findings as phrases: where, what was found, what was expected. A union's are one."""
    expected: dict[str, list[str]] = {}
    unknown = []
    for detail in error.errors():
        # Unions add the tried type to the location; only the path of keys is of use to the reader.
        path = [str(part) for part in detail["loc"] if str(part) in _ALL_KEYS or detail["type"] == "extra_forbidden"]
        where = ".".join(path)
        if detail["type"] != "extra_forbidden":
            wanted = detail["msg"].removeprefix("Input should be ").removeprefix("String should have ")
            wanted = wanted.replace("valid dictionary or instance of", "section of")
            expected.setdefault(f"{where} is {detail['input']!r}", []).append(wanted)
        elif len(path) == 1:
            unknown.append(f"unknown section '{where}'; {did_you_mean(where, SECTIONS)}")
        else:
            unknown.append(f"unknown setting '{where}'; {did_you_mean(path[-1], fields_of(path[0]))}")
    return unknown + [f"{found}; expected {' or '.join(wanted)}" for found, wanted in expected.items()]


def _listed(name: str, mistakes: list[str]) -> str:
    unique = list(dict.fromkeys(mistakes))
    count = "" if len(unique) == 1 else f"{len(unique)} mistakes: "
    return f"recipe '{name}': {count}" + "; ".join(unique)
