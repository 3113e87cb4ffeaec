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
import json
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glyphlab.errors import RecipeError, did_you_mean
from glyphlab.files import read_text
from glyphlab.networks import registry


class Section(BaseModel):
    """One section of a recipe: immutable, unknown keys refused, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def contradictions(self) -> Iterator[str]:
        """Mistakes that no single field shows."""
        return iter(())


class DataSettings(Section):
    """Which images. `size`, `channels`, `invert` and `skip_bad` concern folders of pictures."""

    name: str = Field("digits", min_length=1, description="a known data set, or the path of a folder or CSV file")
    validation: float = Field(0.1, ge=0, lt=1, description="share of the training images kept for validation")
    folds: int | None = Field(
        None, ge=2, le=100, description="instead of a share: validation is one of so many equal parts, see fold"
    )
    fold: int | None = Field(None, ge=1, description="which of the folds, counted from 1, is kept for validation")
    split_seed: int | None = Field(None, ge=0, description="which images are validation's; default: training.seed")
    mean: float | None = Field(None, ge=0, le=1, description="subtracted from pixels in 0..1; default: the data's own")
    std: float | None = Field(None, gt=0, description="pixels are divided by it; default: the data's own")
    size: int | None = Field(None, ge=8, le=512, description="pictures are fitted into size x size pixels")
    channels: Literal["auto", "grey", "rgb"] = Field("auto", description="auto: grey where the pictures are")
    invert: bool = Field(False, description="turn dark-on-light pictures into light-on-dark ones")
    skip_bad: bool = Field(False, description="go on without pictures that cannot be read")

    def contradictions(self) -> Iterator[str]:
        if (self.mean is None) != (self.std is None):
            yield "data.mean and data.std belong together; set both or neither"
        if (self.folds is None) != (self.fold is None):
            yield "data.folds and data.fold belong together; set both or neither"
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            yield f"data.fold is {self.fold}, but there are {self.folds} folds; expected 1 to {self.folds}"
        if self.folds is not None and "validation" in self.model_fields_set:
            yield "data.validation has no effect with data.folds, where the fold is the validation part; remove one"


class AugmentSettings(Section):
    """How training images are varied, each with parameters of its own. Ranges are symmetric about "unchanged"."""

    rotation_degrees: float = Field(0.0, ge=0, le=180, description="15: between -15 and 15 degrees")
    scale: float = Field(0.0, ge=0, lt=1, description="0.1: between 0.9 and 1.1 times the size")
    shear_degrees: float = Field(0.0, ge=0, le=45, description="slant, as of italics")
    shift: float = Field(0.0, ge=0, le=1, description="share of the image's side, in both directions")
    elastic: float = Field(
        0.0, ge=0, le=1, description="displacement of the noise's knots, standard deviation, as share of the side"
    )
    elastic_cells: int = Field(4, ge=2, le=16, description="elastic noise: knots along a side; fewer is smoother")
    stroke: float = Field(0.0, ge=0, le=1, description="thinner or thicker strokes; 1: up to a pixel on each side")
    redraw: float = Field(
        0.0, ge=0, le=1, description="probability of being drawn anew with a pen of one width; MNIST and EMNIST only"
    )
    brightness: float = Field(0.0, ge=0, le=1, description="0.1: 0.9 to 1.1 times as bright")
    contrast: float = Field(0.0, ge=0, le=1, description="0.1: 0.9 to 1.1 times the contrast")
    flip_horizontal: float = Field(0.0, ge=0, le=1, description="probability; mirrored letters are other letters")
    erase: float = Field(0.0, ge=0, le=1, description="probability that a rectangle is painted over")
    padding: Literal["zeros", "border"] = Field("zeros", description="what moves in from outside: black, or the edge")

    def contradictions(self) -> Iterator[str]:
        if "elastic_cells" in self.model_fields_set and not self.elastic:
            yield "augment.elastic_cells has no effect while augment.elastic is 0; remove it or set elastic"
        if "padding" in self.model_fields_set and not self.moves_pixels:
            yield "augment.padding has no effect on images that are not moved"

    @property
    def moves_pixels(self) -> bool:
        """Whether any setting calls for a resampling of the image."""
        return any(
            (
                self.rotation_degrees,
                self.scale,
                self.shear_degrees,
                self.shift,
                self.elastic,
                self.flip_horizontal,
            )
        )


class NetworkSettings(Section):
    """A network's name; every further key is an option of that network."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    name: str = Field("glyphnet", description="one that glyphlab networks lists; other keys are its options")
    shift_averaging: bool = Field(
        False, description="answers are means over an image and its shifts by a pixel; five times the work"
    )

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given."""
        return dict(self.model_extra or {})

    def contradictions(self) -> Iterator[str]:
        yield from (f"network: {problem}" for problem in registry.problems(self.name, self.options))


class TrainingSettings(Section):
    """Optimiser, schedule, length and seed."""

    epochs: int | Literal["auto"] = Field("auto", description="'auto': more for small sets, fewer for large ones")
    batch_size: int = Field(128, ge=1, description="images a step")
    drop_last: bool = Field(False, description="leave out an epoch's last, incomplete batch")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="how gradients become steps")
    lr: float = Field(1e-3, gt=0, description="learning rate, before schedule and warm-up")
    momentum: float | None = Field(None, ge=0, lt=1, description="SGD only; default 0.9")
    nesterov: bool | None = Field(None, description="SGD only; default false")
    weight_decay: float = Field(0.0, ge=0, description="on weights, never on biases and batch-norm")
    schedule: Literal["constant", "cosine", "one-cycle", "plateau"] = Field(
        "constant", description="how the learning rate changes; plateau: lowered when validation loss stalls"
    )
    warmup_epochs: float = Field(0.0, ge=0, description="linear rise of the learning rate")
    final_lr_ratio: float | None = Field(None, ge=0, le=1, description="cosine, one-cycle: the end; default 0")
    peak_at: float | None = Field(None, gt=0, lt=1, description="one-cycle: where the peak lies; default 0.3")
    plateau_factor: float | None = Field(None, gt=0, lt=1, description="plateau: lr is multiplied by it; default 0.1")
    plateau_patience: int | None = Field(None, ge=0, description="plateau: epochs without progress; default 3")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the target spread over all classes")
    class_balance: Literal["none", "loss", "sampling", "logits"] = Field(
        "none",
        description="loss: rare classes weigh more; sampling: they are drawn more; logits: being rare no longer counts",
    )
    teachers: list[str] | None = Field(
        None, min_length=1, description="runs on the same data whose answers are learnt beside the labels"
    )
    distillation: float | None = Field(
        None, gt=0, le=1, description="share of the loss that the teachers' answers make; default 0.7"
    )
    ema_decay: float | None = Field(None, gt=0, lt=1, description="average the weights over about 1/(1-decay) steps")
    clip_norm: float | None = Field(None, gt=0, description="largest norm of the gradient")
    keep: Literal["best", "last"] = Field(
        "best", description="the result is the best epoch's network on the validation images, or the last epoch's"
    )
    early_stopping_epochs: int | None = Field(None, ge=1, description="stop after so many epochs without progress")
    time_budget_seconds: float | None = Field(None, gt=0, description="plan for, and stop at, this time")
    seed: int = Field(1, ge=0, lt=2**63, description="all randomness follows from it")

    # Each of these settings acts only beside the given value of another one.
    ONLY_WITH: ClassVar[dict[str, tuple[str, tuple[str, ...]]]] = {
        "momentum": ("optimizer", ("sgd",)),
        "nesterov": ("optimizer", ("sgd",)),
        "final_lr_ratio": ("schedule", ("cosine", "one-cycle")),
        "peak_at": ("schedule", ("one-cycle",)),
        "plateau_factor": ("schedule", ("plateau",)),
        "plateau_patience": ("schedule", ("plateau",)),
    }

    # What stands for a setting of `ONLY_WITH` that is left out where it acts.
    DEFAULTS: ClassVar[dict[str, Any]] = {
        "momentum": 0.9,
        "nesterov": False,
        "final_lr_ratio": 0.0,
        "peak_at": 0.3,
        "plateau_factor": 0.1,
        "plateau_patience": 3,
        "distillation": 0.7,
    }

    def effective(self, key: str) -> Any:
        """A setting's value, or its default where it was left out."""
        value = getattr(self, key)
        return self.DEFAULTS[key] if value is None else value

    def contradictions(self) -> Iterator[str]:
        if isinstance(self.epochs, int) and self.epochs < 1:
            yield f"training.epochs is {self.epochs}; expected 1 or more, or 'auto'"
        for key, (other, values) in self.ONLY_WITH.items():
            actual = getattr(self, other)
            if getattr(self, key) is not None and actual not in values:
                wanted = " or ".join(f"'{value}'" for value in values)
                yield f"training.{key} has no effect with {other} = '{actual}'; remove it or set {other} = {wanted}"
        if self.schedule == "one-cycle" and self.warmup_epochs:
            yield "training.warmup_epochs has no effect with schedule = 'one-cycle', which rises by itself; use peak_at"
        elif isinstance(self.epochs, int) and self.warmup_epochs >= max(self.epochs, 1):
            yield (
                f"training.warmup_epochs is {self.warmup_epochs:g}, but training.epochs is {self.epochs}: "
                "the rate would never reach training.lr; warm up for less"
            )
        if self.distillation is not None and self.teachers is None:
            yield "training.distillation has no effect without training.teachers; name them, or remove it"
        if self.keep == "last" and self.early_stopping_epochs is not None:
            yield "training.early_stopping_epochs looks for the best epoch: set training.keep = 'best'"
        if self.nesterov and self.momentum == 0:
            yield "training.nesterov needs momentum above 0"


_MOST_THREADS = 1024


class EngineSettings(Section):
    """How the work is done. What is 'auto' is settled by a short timed probe and recorded in the run."""

    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="auto: a GPU where there is one")
    precision: Literal["auto", "float32", "bf16"] = Field("auto", description="of the network's arithmetic")
    channels_last: Literal["auto"] | bool = Field("auto", description="memory order of images and feature maps")
    compile: Literal["auto"] | bool = Field("auto", description="torch.compile; tried where the training is long")
    threads: int | Literal["auto"] = Field(
        "auto", description="of the processor, fewer where that is timed to be faster; part of what makes bits equal"
    )

    def contradictions(self) -> Iterator[str]:
        if isinstance(self.threads, int) and not 1 <= self.threads <= _MOST_THREADS:
            yield f"engine.threads is {self.threads}; expected 1 to {_MOST_THREADS}, or 'auto'"


class TransferSettings(Section):
    """How `glyphlab transfer` teaches a trained network new classes. base, framing and invert are its own record."""

    base: str = Field("", description="the run or model whose network was taken over; recorded by glyphlab transfer")
    framing: str = Field("", description="how pictures became glyphs, '': fitted in whole; recorded")
    invert: bool = Field(False, description="pictures fitted in whole were inverted; recorded")
    way: Literal["auto", "means", "probe", "finetune", "frozen"] = Field(
        "auto", description="auto: the best by cross-validation; frozen: a new last layer by gradient descent alone"
    )
    freeze: Literal["all", "none"] | int | None = Field(
        None,
        description="fine-tuning: all layers below the last keep their weights, the first N, or none; default none",
    )
    add: bool = Field(False, description="the new classes join those that the network knows")
    copies: int | Literal["auto"] = Field(
        "auto", description="each picture counts so often in means and probe, varied by [augment]; 1: as it is"
    )
    hold_out: bool = Field(
        True,
        description="without a test part, 15 % of each class test; false: all are learned from and cross-validated",
    )

    def contradictions(self) -> Iterator[str]:
        for key, least in (("freeze", 0), ("copies", 1)):
            value = getattr(self, key)
            if isinstance(value, int) and value < least:
                yield f"transfer.{key} is {value}; expected {least} or more"
        if self.add and self.way not in ("auto", "probe"):
            yield f"transfer.way = '{self.way}' changes the old classes' outputs, which transfer.add keeps; use 'probe'"
        if self.freeze is not None and self.way in ("means", "probe", "frozen"):
            yield f"transfer.freeze has no effect with way = '{self.way}', which freezes all; remove it or fine-tune"


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
            if section in _SECTIONS and field:
                changed.setdefault(section, {})[field] = value
                if value is None:
                    del changed[section][field]
            elif section == "description" and not field:
                changed["description"] = value
            else:
                known = [f"{name}.{field}" for name in _SECTIONS for field in _fields_of(name)]
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
        for section in _SECTIONS.keys() & whole.keys():  # in one order, whatever was set and whatever follows from it
            order = [*_fields_of(section), *registry.option_specs(self.network.name)]
            whole[section] = {key: whole[section][key] for key in order if key in whole[section]}
        return whole

    def dotted(self) -> dict[str, Any]:
        """The same by dotted key, ``{"training.lr": 0.01}``, without name and description."""
        sections = {name: fields for name, fields in self.resolved().items() if name in _SECTIONS}
        return {f"{name}.{key}": value for name, fields in sections.items() for key, value in fields.items()}

    def to_toml(self) -> str:
        """The resolved recipe as TOML text, which `from_toml` reads back."""
        whole = self.resolved()
        lines = [f"{key} = {_toml(value)}" for key, value in whole.items() if not isinstance(value, dict)]
        for section in (name for name in _SECTIONS if name in whole):
            lines += ["", f"[{section}]"]
            lines += [f"{key} = {_toml(value)}" for key, value in whole[section].items()]
        return "\n".join(lines) + "\n"


_SECTIONS: dict[str, type[Section]] = {
    "data": DataSettings,
    "augment": AugmentSettings,
    "network": NetworkSettings,
    "training": TrainingSettings,
    "engine": EngineSettings,
    "transfer": TransferSettings,
}


def shipped_as(name: str, data: str | None) -> str | None:
    """The shipped recipe that `name` means for the set `data`: the one made for it, the general one, or none."""
    ours = shipped()
    return next((file for file in (f"{data}-{name}", name) if file in ours), None)


def shipped() -> list[str]:
    """Names of the recipes that come with Glyphlab, in alphabetical order."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def settings_reference() -> list[tuple[str, str, str]]:
    """Every setting: its dotted name, its default ("" : none) and what it means."""
    return [
        (f"{section}.{key}", "" if field.default is None else _toml(field.default), field.description or "")
        for section, model in _SECTIONS.items()
        for key, field in model.model_fields.items()
    ]


def _folder() -> Any:
    return resources.files("glyphlab").joinpath("recipes")


def _fields_of(section: str) -> list[str]:
    return list(_SECTIONS[section].model_fields)


def near_settings(key: str, known: list[str]) -> str | None:
    """What was meant by a misspelt setting, as a question; a bare field name is looked for in every section."""
    same_field = [option for option in known if option.partition(".")[2] == key]
    near = same_field or difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    return "did you mean " + " or ".join(f"'{option}'" for option in near) + "?" if near else None


def _problems_of_sections(settings: Mapping[str, Any]) -> list[str]:
    """What can be said of each section by itself, for a recipe that mistakes keep from being built."""
    problems = _network_problems(settings)
    for name, model in _SECTIONS.items():
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
            unknown.append(f"unknown section '{where}'; {did_you_mean(where, _SECTIONS)}")
        else:
            unknown.append(f"unknown setting '{where}'; {did_you_mean(path[-1], _fields_of(path[0]))}")
    return unknown + [f"{found}; expected {' or '.join(wanted)}" for found, wanted in expected.items()]


_ALL_KEYS = {*_SECTIONS, "name", "description", *(field for name in _SECTIONS for field in _fields_of(name))}


def _listed(name: str, mistakes: list[str]) -> str:
    unique = list(dict.fromkeys(mistakes))
    count = "" if len(unique) == 1 else f"{len(unique)} mistakes: "
    return f"recipe '{name}': {count}" + "; ".join(unique)


def _toml(value: Any) -> str:
    """A TOML literal of a string, number, truth value or list of these."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    assert isinstance(value, str), value
    # The characters that a string of JSON escapes are those that one of TOML must escape, but for U+007F.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
