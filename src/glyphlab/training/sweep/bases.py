"""The trained networks that a sweep's trials begin with, each with the pictures prepared for it.

sweeps/<name>/bases/<base>-<fingerprint>/
  weights.safetensors          the network as it was when the sweep began
  glyphs/train.npz, test.npz   the pictures as it sees them
  base.json                    its name, how pictures were prepared, and a hash of all; written last

They lie in the sweep's folder, so that workers need neither the run nor the photographs, and so that a base which is
trained on later does not change the trials to come.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glyphlab.data.glyphset import GlyphSet
from glyphlab.data.saved import saved_path
from glyphlab.errors import RecipeError, RunError
from glyphlab.files import make_folder, read_object, write_json
from glyphlab.networks import registry
from glyphlab.training.recipe import Recipe
from glyphlab.training.sweep.definition import SweepDefinition
from glyphlab.training.sweep.settings import digest

if TYPE_CHECKING:
    from glyphlab.networks.classifier import Classifier
    from glyphlab.training.sweep.ledger import Ledger

_FACT = "bases"
# What decides, of a recipe's data, which pictures are validation's.
_SPLIT = ("validation", "split_seed", "folds", "fold")


@dataclass(frozen=True)
class Pair:
    """What a trial begins with, by name: a run or model, and a folder of pictures."""

    base: str
    data: str

    @classmethod
    def of(cls, recipe: Recipe) -> Pair:
        """A recipe's. Raises `RecipeError` where it names no base."""
        assert recipe.transfer is not None
        if not recipe.transfer.base:
            raise RecipeError(
                "the sweep's trials begin with a trained network, but none is named; "
                "give a run or a model with --base, such as --base runs/mnist-mnist-net-1"
            )
        return cls(recipe.transfer.base, recipe.data.name)

    def folder(self, sweep_folder: Path) -> Path:
        """Where it is laid out."""
        readable = re.sub(r"[^\w.-]+", "_", Path(self.base).name).strip("._") or "base"
        return sweep_folder / "bases" / f"{readable}-{digest([self.base, self.data])[:8]}"


@dataclass(frozen=True, eq=False)
class PreparedBase:
    """A network and the pictures prepared for it. framing, invert: how they were, see `recipe.TransferSettings`."""

    classifier: Classifier
    train: GlyphSet
    test: GlyphSet
    framing: str
    invert: bool

    @property
    def sha256(self) -> str:
        """A fingerprint of weights and training pictures."""
        total = hashlib.sha256(self.train.digest().encode())
        for name, values in sorted(self.classifier.state_dict().items()):
            total.update(name.encode())
            total.update(values.detach().cpu().contiguous().numpy().tobytes())
        return total.hexdigest()

    def write(self, pair: Pair, folder: Path) -> None:
        """Lay it out. Raises `RunError` when the disk refuses."""
        from glyphlab.networks.classifier import save_weights

        make_folder(folder)
        save_weights(self.classifier, folder / "weights.safetensors")
        self.train.save(saved_path(folder / "glyphs", "train"))
        self.test.save(saved_path(folder / "glyphs", "test"))
        facts = {
            "base": pair.base,
            "data": pair.data,
            "network": self.classifier.spec.network_section(),
            "framing": self.framing,
            "invert": self.invert,
            "pictures": len(self.train),
            "sha256": self.sha256,
        }
        write_json(folder / "base.json", facts)


def pairs_of(definition: SweepDefinition) -> list[Pair]:
    """What the trials begin with, each once; none where all are trained from the beginning. Raises `RecipeError`."""
    found: dict[Pair, None] = {}
    for recipe in _recipes(definition):
        if recipe.transfer is None:
            continue
        bases = [value for key, value in _listed_values(definition) if key == "transfer.base"] or [None]
        for base in bases:
            found[Pair.of(recipe if base is None else recipe.with_settings({"transfer.base": base}))] = None
    return list(found)


def depths_of(definition: SweepDefinition) -> list[Any]:
    """Every `transfer.freeze` that a trial may have."""
    own = [recipe.transfer.freeze for recipe in _recipes(definition) if recipe.transfer is not None]
    swept = [value for key, value in _listed_values(definition) if key == "transfer.freeze"]
    return [depth for depth in dict.fromkeys([*own, *swept]) if depth is not None]


def is_laid_out(pair: Pair, sweep_folder: Path) -> bool:
    """Whether an earlier call has done it."""
    return (pair.folder(sweep_folder) / "base.json").is_file()


def lay_out(prepared: Mapping[Pair, PreparedBase], pairs: Iterable[Pair], ledger: Ledger, folder: Path) -> None:
    """Write what is not there yet into the sweep's folder, and hold all against what the sweep began with.

    Raises `RunError` where a base or its pictures differ from those of the machine that began the sweep.
    """
    with ledger.exclusive():
        known: dict[str, str] = ledger.fact(_FACT) or {}
        for pair in pairs:
            place = pair.folder(folder)
            name = place.name
            found = prepared[pair].sha256 if pair in prepared else _facts(place)["sha256"]
            if known.setdefault(name, found) != found:
                raise RunError(
                    f"base '{pair.base}' or the pictures in {pair.data} are not those that sweep '{ledger.name}' began "
                    "with; put them back, or begin another sweep with --name"
                )
            if pair in prepared:
                prepared[pair].write(pair, place)
        ledger.set_fact(_FACT, known)


def located(recipe: Recipe, sweep_folder: Path) -> Recipe:
    """The recipe as it is trained on this machine: with the weights and pictures that are laid out.

    A recipe without [transfer] is returned as it is. Raises `RunError` where nothing is laid out for it.
    """
    if recipe.transfer is None:
        return recipe
    place = Pair.of(recipe).folder(sweep_folder).resolve()
    facts = _facts(place)
    whole = recipe.to_dict()
    split = {key: value for key, value in whole.get("data", {}).items() if key in _SPLIT}
    whole["data"] = {"name": str(place / "glyphs")} | split
    whole["network"] = facts["network"]
    # As in every transfer: timing on few pictures would be chance, and threads wait for each other more than they work.
    chosen = {key: value for key, value in whole.get("engine", {}).items() if value != "auto"}
    fixed: dict[str, Any] = {"precision": "float32", "channels_last": True}
    if facts["network"]["name"] not in registry.imagenet_names():
        fixed["threads"] = 1
    whole["engine"] = fixed | chosen
    whole["transfer"] |= {
        "base": str(place / "weights.safetensors"),
        "framing": facts["framing"],
        "invert": facts["invert"],
    }
    if recipe.training.epochs == "auto":
        from glyphlab.training.transfer.finetune import auto_epochs

        kept_back = 1 / recipe.data.folds if recipe.data.folds else recipe.data.validation
        whole.setdefault("training", {})["epochs"] = auto_epochs(round(facts["pictures"] * (1 - kept_back)))
    return Recipe.parse(whole)


def _facts(place: Path) -> dict[str, Any]:
    path = place / "base.json"
    try:
        return read_object(path)
    except FileNotFoundError:
        raise RunError(
            f"{place} is not there: the network that trials begin with is laid out by glyphlab sweep run, with --base"
        ) from None
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}") from error


def _recipes(definition: SweepDefinition) -> list[Recipe]:
    """Of a list all, else that of one point: the others differ from it in what the space says."""
    if definition.search.method == "list":
        return [trial.recipe for trial in definition.listed if trial.recipe is not None]
    point = next(definition.space.sequence(definition.search.seed))
    return [definition.base.with_settings(point)]


def _listed_values(definition: SweepDefinition) -> list[tuple[str, Any]]:
    """Keys of the space with each value that they may take; of a range its ends."""
    return [
        (dimension.key, value)
        for dimension in definition.space.dimensions
        for value in (dimension.listed or (dimension.low, dimension.high))
    ]
