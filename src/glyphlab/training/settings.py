"""The settings of a recipe, section by section: what each means, its range, its default, what it contradicts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

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


SECTIONS: dict[str, type[Section]] = {
    "data": DataSettings,
    "augment": AugmentSettings,
    "network": NetworkSettings,
    "training": TrainingSettings,
    "engine": EngineSettings,
    "transfer": TransferSettings,
}


def fields_of(section: str) -> list[str]:
    """Names of a section's settings, in the order in which they are written."""
    return list(SECTIONS[section].model_fields)


def settings_reference() -> list[tuple[str, str, str]]:
    """Every setting: its dotted name, its default ("" : none) and what it means."""
    return [
        (f"{section}.{key}", "" if field.default is None else toml_literal(field.default), field.description or "")
        for section, model in SECTIONS.items()
        for key, field in model.model_fields.items()
    ]


def toml_literal(value: Any) -> str:
    """A TOML literal of a string, number, truth value or list of these."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_literal(item) for item in value) + "]"
    assert isinstance(value, str), value
    # The characters that a string of JSON escapes are those that one of TOML must escape, but for U+007F.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
